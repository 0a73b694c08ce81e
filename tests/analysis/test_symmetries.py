"""What a loss does not determine: translations and scalings known by algebra."""

import json

import numpy as np
import pytest

import symgd
from symgd.analysis.symmetries import symmetries
from tests.outcome import Outcome

X = np.linspace(0.3, 2.5, 9)
ROWS = {"x": X, "y": np.exp(-X)}
DECAY = "sum((y - a*b*exp(-c*x))^2)"


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        ("(a*b - 3)^2", ["only a*b matters: a times 1/s and b times s change nothing"]),
        ("(a + b - 1)^2 + (a + b)^4", ["only a + b matters"]),
        ("(sin(x - y))^2", ["only x - y matters: x plus s and y plus s"]),
        ("(a^2*b - 1)^2", ["only a^2*b matters: a times 1/s and b times s^2"]),
        ("(2*a + 3*b - 1)^2", ["only 2*a + 3*b matters"]),
        ("(x/y - 2)^2", ["only x/y matters"]),
        ("(a*b*c - 1)^2", ["only a*c matters", "only a*b matters"]),
        ("(a*exp(b) - 1)^2", ["a times s and b minus log(s) change nothing"]),
        ("(1 - x)^2 + 100*(y - x^2)^2", []),
        ("x^2", []),
    ],
)
def test_symmetries_by_algebra(loss, words):
    found = symmetries(symgd.Loss(loss))
    assert len(found) == len(words)
    assert all(word in sentence for word, sentence in zip(words, found, strict=True))


def test_rows_of_data_and_where_it_is_told():
    [sentence] = symmetries(symgd.Loss(DECAY, ROWS))
    assert "of a and b only a*b matters" in sentence
    assert symmetries(symgd.Loss("sum((y - a*exp(-b*x))^2)", ROWS)) == ()
    assert "of a and b only a*b matters" in Outcome("explain", "(a*b - 3)^2").out
    found = json.loads(Outcome("explain", "(a*b - 3)^2", "--format", "json").out)
    assert len(found["symmetries"]) == 1
