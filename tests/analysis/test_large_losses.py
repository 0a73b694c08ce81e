"""Losses of more parameters than a Hessian is formed for: products, curvatures, verdicts."""

import json
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import symgd
from symgd.analysis import large_minima
from symgd.analysis.large_minima import curvature_ends
from symgd.analysis.sharpness import along, sharpness
from symgd.analysis.smooth_loss import SmoothLoss
from tests.cli.test_cli import Outcome
from tests.solvers.test_large import chain_spectrum

jax.config.update("jax_enable_x64", True)

CHAIN = " + ".join(f"100*(x{k + 1} - x{k}^2)^2 + (1 - x{k})^2" for k in range(1, 100))
NET = " + ".join(f"log(cosh(x{k} + 2*x{k + 1} - sin(x{k + 2})))" for k in range(1, 70))


def chain(x):
    return 100 * jnp.sum((x[1:] - x[:-1] ** 2) ** 2) + jnp.sum((1 - x[:-1]) ** 2)


def net(x):
    return jnp.sum(jnp.log(jnp.cosh(x[:-2] + 2 * x[1:-1] - jnp.sin(x[2:]))))


CASES = {"chain": (CHAIN, chain), "net": (NET, net)}


def at(loss, seed):
    """A point as the loss orders it, and as x1, x2, ...: JAX's order."""
    point = np.random.default_rng(seed).normal(size=len(loss.params))
    order = [int(name[1:]) - 1 for name in loss.params]
    return point[order], point, order


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", CASES)
def test_products_and_curvatures_are_those_of_jaxs_hessian(name, seed):
    text, function = CASES[name]
    loss = symgd.Loss(text)
    ours, theirs, order = at(loss, seed)
    hessian = np.asarray(jax.hessian(function)(theirs))[np.ix_(order, order)]
    v = np.random.default_rng(seed + 9).normal(size=len(ours))
    assert loss.hvp(ours, v) == pytest.approx(hessian @ v, rel=1e-11, abs=1e-10)
    assert SmoothLoss(loss).products(ours)(v) == pytest.approx(hessian @ v, rel=1e-6, abs=1e-5)
    right, ends = np.linalg.eigvalsh(hessian), curvature_ends(loss, ours)
    assert abs(ends.high - right[-1]) <= ends.high_error + 1e-9 * right[-1]
    assert abs(ends.low - right[0]) <= ends.low_error + 1e-9 * right[-1]
    assert sharpness(loss, ours) == pytest.approx(right[-1], rel=1e-3)


def test_products_over_rows_are_those_of_the_hessian():
    rng = np.random.default_rng(1)
    data = {"x": rng.normal(size=50), "y": rng.normal(size=50)}
    loss = symgd.Loss("mean((y - a*sin(b*x) - c)^2)", data)
    v, x = [0.3, -1.0, 2.0], [1.0, 0.5, -0.2]
    assert loss.hvp(x, v) == pytest.approx(loss.hess(x) @ v, rel=1e-12)
    assert loss.hvp(dict(zip(loss.params, x, strict=True)), v) == pytest.approx(loss.hess(x) @ v)


@pytest.mark.parametrize(
    "rule",
    [
        "gd",
        "momentum",
        "nesterov",
        "v = where(t == 1, g, 0.9*v + g); theta = theta - lr*v",
        "theta = theta - lr*g*(1 - 0.9^t)",
    ],
)
def test_limit_at_a_minimum_of_many_parameters_separates_runs(rule):
    """From beside the minimum, about along the steepest way."""
    loss, right = symgd.Loss(CHAIN), chain_spectrum(100)
    near = {name: 1 + 1e-6 * (-1) ** int(name[1:]) for name in loss.params}
    options = {"start": near, "rule": rule, "advise": False}
    limit = symgd.descend(loss, lr=1e-5, steps=30, **options).verdict.lr_max
    if rule == "gd":
        assert limit == pytest.approx(2 / right[-1], rel=1e-3)
    ends = []
    for lr in (0.99 * limit, 1.01 * limit):
        run = symgd.descend(loss, lr=lr, steps=1500, **options)
        path = np.abs(run.history.theta - 1).max(axis=1)
        ends.append(path[-1] / path[0])
    assert ends[0] < 1
    assert ends[1] > 30


def test_verdict_of_many_parameters_has_its_factor():
    """By hand: 1 - 2 lr (k + 1) along x_k, of which the first is the slowest."""
    loss = "+".join(f"{k + 1}*(x{k}-1)^2" for k in range(100))
    told = symgd.descend(loss, start=2, lr=0.004, steps=800, advise=False).verdict
    assert told.kind == "slow"
    assert told.rate_observed == pytest.approx(0.992, rel=1e-4)
    assert told.rate_predicted == pytest.approx(0.992, rel=1e-4)
    assert told.lr_max == pytest.approx(0.01, rel=1e-3)
    assert told.distance == pytest.approx(0.992**800, rel=1e-3)


def test_saddle_of_many_parameters_is_one():
    loss = "+".join(f"(x{k})^2" for k in range(80)) + " - y^2 + y^4"
    start = {f"x{k}": 1.0 for k in range(80)} | {"y": 0.0}
    run = symgd.descend(loss, start=start, lr=0.2, steps=500, tol=1e-9)
    assert (run.status, run.verdict.kind) == ("saddle", "saddle")
    assert "smallest curvature -2" in run.verdict.sentence


# Along the path


def test_sharpness_along_a_run_is_the_largest_eigenvalue_of_jaxs_hessian():
    run = symgd.descend("(1-x)^2 + 100*(y-x^2)^2", start="x=-1.2,y=1", lr=0.001, steps=200)
    seen = along(run.loss, run.history)
    assert [t for t, _ in seen] == [0, 2, 7, 23, 69, 200]
    hessian = jax.hessian(lambda p: (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2)
    for t, value in seen:
        right = np.linalg.eigvalsh(np.asarray(hessian(run.history.theta[t])))[-1]
        assert value == pytest.approx(right, rel=1e-12)


def test_reports_tell_the_sharpness():
    loss, start = "(1-x)^2+100*(y-x^2)^2", ("-s", "x=-1.2,y=1", "--lr", "0.001")
    told = " ".join(Outcome("explain", loss, *start).out.split())
    # by hand: trace 1200*1.44 - 400 + 2 + 200, determinant 200*1330 - 480^2
    first = 765 + math.sqrt(765**2 - (200 * 1330 - 480**2))
    assert f"{first:.4g} (t = 0)" in told
    assert "gd is stable below 2/lr = 2000" in told
    found = json.loads(Outcome("explain", loss, *start, "--format", "json").out)
    assert found["sharpness"][0] == {"t": 0, "value": pytest.approx(first)}
    table = Outcome("compare", loss, *start, "-n", "200").out.splitlines()
    assert f"{first:.4g} to 789.3" in table[-1]
    [run] = json.loads(Outcome("compare", loss, *start, "--format", "json").out)["runs"]
    assert run["sharpness"][0]["value"] == pytest.approx(first)


def test_trial_runs_of_many_parameters_look_for_no_minimum(monkeypatch):
    """Rates that are tried for the advice are compared by their losses, which cost little."""
    chain = " + ".join(f"100*(x{k + 1} - x{k}^2)^2 + (1 - x{k})^2" for k in range(79))
    original, looked = large_minima.certified, []
    monkeypatch.setattr(
        large_minima, "certified", lambda *args: looked.append(args) or original(*args)
    )
    run = symgd.descend(chain, rule="radam", lr=0.5, steps=60, start=0.7)
    assert "works" in run.verdict.advice or "nearest" in run.verdict.advice
    assert len(looked) <= 4  # of this run from its end and start, and of the one that is advised
