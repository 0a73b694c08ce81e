"""The derivative by one element, as text: typed again, it is the gradient."""

import re

import numpy as np
import pytest

from symgd import Loss
from tests.indexed import Indexed
from tests.indexed_losses import DATA, LOSSES


@pytest.mark.parametrize(
    ("text", "sizes", "data", "derivatives"),
    [
        (
            "sum(100*(x[i+1] - x[i]^2)^2 + (1 - x[i])^2, i=1..n-1)",
            {"n": 5},
            False,
            {
                "x[i]": "200*where(i >= 2, x[i] - x[i - 1]**2, 0) + where(i <= n - 1, "
                "-2*(-x[i] + 1) - 400*x[i]*(x[i + 1] - x[i]**2), 0)"
            },
        ),
        (
            "sum(x[2*i], i=1..2) + x[n]",
            {"n": 4},
            False,
            {"x[j]": "sum(where(j == 2*i, 1, 0), i=1..2) + where(j == n, 1, 0)"},
        ),
        (
            "mean((y - a[site] - b*x)^2)",
            {},
            True,
            {
                "a[i]": "-2*mean(where(i == site, y - a[site] - b*x, 0))",
                "b": "-2*mean(x*(y - a[site] - b*x))",
            },
        ),
        (
            "mean((y - sum(w[j]*X[j], j))^2) + 0.1*sum(w[j]^2, j)",
            {},
            True,
            {"w[i]": "0.2*w[i] - 2*mean((y - sum(w[j]*X[j], j))*X[i])"},
        ),
        ("norm(x[i], i=1..n)", {"n": 3}, False, {"x[j]": "1/sqrt(sum(x[i]**2, i=1..n))*x[j]"}),
    ],
)
def test_derivatives_are_written_as_people_do(text, sizes, data, derivatives):
    loss = Loss(text, DATA if data else None, sizes=sizes)
    assert loss.gradient_text() == derivatives


@pytest.mark.parametrize("record", LOSSES, ids=lambda record: record.name)
def test_derivatives_can_be_typed_again(record):
    """Their products with a direction add up to that of the gradient."""
    loss = Indexed(record.text, record.data, record.sizes, record.shapes)
    model, found = loss.model, 0.0
    expected, direction = model.nested(loss.gradient(loss.x)[1:]), model.nested(loss.v)
    for key, text in loss.loss.gradient_text(10**6).items():
        if "too long" in text:
            continue
        name, *places = re.findall(r"\w+", key)
        if not places:
            again = Loss(f"0*sum(u[i], i=1..1) + {text}", loss.loss.table and DATA, sizes=record.sizes)
        ranges = ", ".join(f"{i}=1..{n}" for i, n in zip(places, model.shape(name), strict=True))
