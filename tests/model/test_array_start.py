"""Starts of losses with arrays."""

import math

import numpy as np
import pytest

from symgd import Loss
from symgd.errors import SymgdError
from symgd.model.array_start import array_origin

MODEL = Loss(
    "sum((W[h,j] - j)^2, h=1..H, j=1..3) + sum(b[h]^2, h=1..H) + c^2", sizes={"H": 2}
).arrays
LARGE = Loss("sum(x[i]^2, i=1..n) + sum(y[i]^2, i=1..n)", sizes={"n": 40_000}).arrays


def read(start, seed=0, model=MODEL):
    return model.nested(array_origin(model, start, seed))


def test_params_and_shapes():
    assert MODEL.params == ("W", "b", "c")
    assert MODEL.shape("W") == (2, 3)
    assert MODEL.count == 9


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (0.5, {"W": np.full((2, 3), 0.5), "b": [0.5, 0.5], "c": 0.5}),
        ("0.5", {"W": np.full((2, 3), 0.5), "b": [0.5, 0.5], "c": 0.5}),
        ("W[h,j]=h+j/10", {"W": [[1.1, 1.2, 1.3], [2.1, 2.2, 2.3]], "b": [0, 0], "c": 0}),
        ("W[*]=2; c=1/4", {"W": np.full((2, 3), 2.0), "b": [0, 0], "c": 0.25}),
        ("W=[[1,2,3],[4,5,6]], c=3", {"W": [[1, 2, 3], [4, 5, 6]], "b": [0, 0], "c": 3}),
        ("W=1, W[2,3]=7, b[i]=i/H", {"W": [[1, 1, 1], [1, 1, 7]], "b": [0.5, 1], "c": 0}),
        ({"W": [[1, 2, 3], [4, 5, 6]], "c": 3}, {"W": [[1, 2, 3], [4, 5, 6]], "b": [0, 0], "c": 3}),
        ({"b": "[i]=-i", "c": "1/3"}, {"W": np.zeros((2, 3)), "b": [-1, -2], "c": 1 / 3}),
        (list(range(9)), {"W": [[0, 1, 2], [3, 4, 5]], "b": [6, 7], "c": 8}),
    ],
    ids=str,
)
def test_starts(start, expected):
    found = read(start)
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], np.asarray(value, dtype=float))


def test_draws_depend_on_seed_and_name_alone():
    one = read("W~normal(0,0.3), b~uniform(-1,1)", 3)
    other = read("b~uniform(-1,1), c=1, W~normal(0,0.3)", 3)
    np.testing.assert_array_equal(one["W"], other["W"])
    np.testing.assert_array_equal(one["b"], other["b"])
    assert not np.array_equal(one["W"], read("W~normal(0,0.3)", 4)["W"])
    longer = Loss("sum(x[i]^2, i=1..n)", sizes={"n": 60_000}).arrays
    np.testing.assert_array_equal(
        read("x~normal(0,1)", model=LARGE)["x"], read("x~normal(0,1)", model=longer)["x"][:40_000]
    )


def test_draws_have_their_distributions():
    found = read("x~normal(2,0.5), y~uniform(-1,3)", 1, LARGE)
    x, y = found["x"], found["y"]
    assert abs(x.mean() - 2) < 5 * 0.5 / math.sqrt(len(x))
    assert abs(x.std() - 0.5) < 0.01
    scores = np.sort((x - 2) / 0.5)
    normal = np.array([0.5 * math.erfc(-s / math.sqrt(2)) for s in scores[::100]])
    assert np.abs(normal - np.arange(0, len(x), 100) / len(x)).max() < 1.95 / math.sqrt(len(x))
    assert y.min() > -1
    assert y.max() < 3
    assert abs(y.mean() - 1) < 5 * (4 / math.sqrt(12)) / math.sqrt(len(y))


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ("z=1", "no parameter 'z'"),
        ("b=[1,two]", "no list of numbers"),
        ("b=[1,2,3]", "has the shape"),
        ("W[1]=2", r"the start of W is written W\[i, j\]"),
        ("W[3,1]=2", r"there is no W\[3,1\]: the last is W\[2,3\]"),
        ("W[h,j]=h+q", "'q' is not known in a start"),
        ("W[h,j]=1/(h-1)", "not finite everywhere"),
        ("W~cauchy(0,1)", "drawn from normal"),
        ("W 3", "is not a number"),
        ({"W": [1.0, 2.0]}, r"has the shape \(2, 3\)"),
        ({"W": "a"}, "W"),
        ([1.0, 2.0], "2 numbers for 9"),
    ],
    ids=str,
)
def test_wrong_starts(start, message):
    with pytest.raises(SymgdError, match=message):
        array_origin(MODEL, start)
