"""Moré, Garbow and Hillstrom's problems (ACM TOMS 7(1), 1981) from their standard starts.

The table is the honest one: which rule and learning rate reach a legal minimum, in how many steps
and how closely, and which problems first-order rules do not solve in any reasonable number.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

import symgd

PROBLEMS = {
    f"{row['no']} {row['name']}": row
    for row in json.loads((Path(__file__).parents[1] / "files" / "mgh.json").read_text("utf-8"))
}


@dataclass(frozen=True)
class Way:
    """rule, lr, steps: how. gap: how far above the nearest legal minimum the best loss ends."""

    rule: str
    lr: str
    steps: int
    gap: float


REACHED = {
    "1 Rosenbrock": Way("momentum", "auto", 2_000, 1e-12),
    "2 Freudenstein and Roth": Way("momentum", "auto", 1_000, 1e-4),  # published: 48.9842
    "6 Jennrich and Sampson": Way("nesterov", "auto", 500, 1e-9),
    "8 Bard": Way("momentum", "auto", 4_000, 1e-12),
    "12 Box three-dimensional": Way("momentum", "auto", 2_000, 1e-12),
    "14 Wood": Way("momentum", "auto", 2_000, 1e-12),
    "16 Brown and Dennis": Way("momentum", "auto", 3_000, 1e-6),
    "18 Biggs EXP6": Way("adam", "0.1", 8_000, 1e-8),  # the local one, as most methods do
    "20 Watson n=6": Way("adam", "0.3/(1 + t/300)", 30_000, 1e-10),
    "22 Extended Powell singular n=12": Way("adam", "auto", 20_000, 1e-8),  # singular Hessian
    "24 Penalty II n=4": Way("momentum", "auto", 20_000, 1e-6),  # flat valley: 2 digits of f
    "24 Penalty II n=10": Way("gd", "auto", 20_000, 1e-6),  # flat valley: 3 digits of f
    "26 Trigonometric n=10": Way("nesterov", "auto", 500, 1e-9),  # the local one
    "28 Discrete boundary value n=10": Way("adam", "auto", 2_000, 1e-12),
    "30 Broyden tridiagonal n=10": Way("gd", "auto", 300, 1e-12),
    "32 Linear full rank n=5 m=10": Way("nesterov", "auto", 50, 1e-12),
    "34 Linear rank 1 with zero columns and rows n=5 m=10": Way("gd", "auto", 200, 1e-12),
}

#: Scaled so badly (1e12 and more between curvatures) that only curvature would help.
OUT_OF_REACH = {
    "4 Brown badly scaled": "curvatures of 2 and 1e12 along a valley of length 1e6",
    "10 Meyer": "parameters of 6e-3 and 6e3 in one exponential",
    "20 Watson n=9": "condition 1e12: ends at 4e-5, the minimum is 1.4e-6",
}


def start_of(problem):
    loss = symgd.Loss(problem["expr"])
    pairs = zip(problem["params"], problem["start"], strict=True)
    return loss, {name: value for name, value in pairs if name in loss.params}


def test_table_covers_every_problem():
    assert REACHED.keys() | OUT_OF_REACH.keys() == PROBLEMS.keys()
    assert not REACHED.keys() & OUT_OF_REACH.keys()


@pytest.mark.parametrize("name", REACHED)
def test_reaches_a_legal_minimum(name):
    problem, way = PROBLEMS[name], REACHED[name]
    loss, start = start_of(problem)
    result = symgd.descend(loss, start=start, rule=way.rule, lr=way.lr, steps=way.steps, tol=1e-8)
    legal = [problem["fmin"], *(m["fmin_published"] for m in problem["other_minima"])]
    assert (
        min(result.best.value - minimum for minimum in legal if result.best.value >= minimum - 1e-9)
        <= way.gap
    )


@pytest.mark.parametrize("name", PROBLEMS)
def test_line_search_descends(name):
    loss, start = start_of(PROBLEMS[name])
    result = symgd.descend(loss, start=start, lr="auto", steps=200)
    assert result.value < loss.value(start)
    assert result.status not in {"diverged", "nonfinite"}


@pytest.mark.parametrize("name", OUT_OF_REACH)
def test_out_of_reach_is_not_called_converged(name):
    loss, start = start_of(PROBLEMS[name])
    result = symgd.descend(loss, start=start, rule="adam", lr="auto", steps=5_000, tol=1e-8)
    assert result.status != "converged"
