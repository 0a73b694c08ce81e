"""Many starts: Sobol's points against SciPy's, known global minima, what is told."""

import json

import numpy as np
import pytest
from scipy.stats import qmc

import symgd
from symgd.errors import SymgdError
from symgd.solvers.sobol import sobol
from tests.outcome import Outcome

RASTRIGIN = "20 + x^2 - 10*cos(2*pi*x) + y^2 - 10*cos(2*pi*y)"
HIMMELBLAU = "(x^2 + y - 11)^2 + (x + y^2 - 7)^2"


def test_points_are_those_of_scipy():
    right = qmc.Sobol(21, scramble=False, bits=30).random(128)[1:]
    assert (sobol(127, 21) == right).all()
    assert sobol(5, 23).shape == (5, 23)


def test_the_global_minimum_of_many():
    result = symgd.descend(RASTRIGIN, starts=500, within="-5.12:5.12")
    assert result.value == pytest.approx(0, abs=1e-12)
    assert result.starts.count == 500
    assert result.starts.minima > 10
    assert "end at the best of" in result.verdict.sentence
    found = result.to_dict()["starts"]
    assert set(found) == {"count", "converged", "minima", "share_best"}


def test_equal_minima_are_counted_and_shared():
    result = symgd.descend(HIMMELBLAU, starts=200, within={"x": (-6, 6), "y": (-6, 6)})
    assert (result.starts.minima, result.starts.converged) == (4, 200)
    assert result.starts.share_best == 1.0


def test_ends_along_a_curved_valley_count_for_its_minimum(monkeypatch):
    monkeypatch.setattr("symgd.descent.many_starts._LINKED", 50)  # more where starts are few
    result = symgd.descend("100*(y - x^2)^2 + (1 - x)^2", starts=500, within="-5:5")
    assert result.starts.minima == 1  # where all starts lead to: there is no other critical point
    assert 0.98 <= result.starts.share_best <= 1


def test_a_box_is_proposed_and_told():
    result = symgd.descend("x^4 - 3*x^2 + x", start=2.0, starts=50)
    assert result.verdict.advice == "starts within x=-18:22"
    roots = np.roots([4, 0, -6, 1])
    assert result.theta["x"] == pytest.approx(min(roots.real), rel=1e-8)


def test_few_starts_and_indices_and_bounds():
    result = symgd.descend("sum((x[i]^2 - 1)^2 + x[i]/10, i=1..n)", sizes={"n": 3}, starts=20,
                           within="-2:2", bounds={"x": (-2, 2)})  # fmt: skip
    assert result.theta["x"] == pytest.approx([-1.0123] * 3, abs=1e-3)


def test_command_line_and_wrong_boxes():
    outcome = Outcome("x^2", "--starts", "40", "--within", "x=-1:1", "--format", "json")
    assert json.loads(outcome.out)["starts"]["share_best"] == 1.0
    for more in (["--within", "x=1:-1"], ["--within", "z=0:1"], ["--within", "1"],
                 ["--rule", "adam"]):  # fmt: skip
        assert Outcome("x^2", "--starts", "10", *more).code == 2
    with pytest.raises(SymgdError, match="give starts too"):
        symgd.descend("x^2", within="0:1")
