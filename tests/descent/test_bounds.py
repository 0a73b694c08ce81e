"""Bounds: one box for every rule, backend and verb, against SciPy's L-BFGS-B, NumPy and algebra."""

import json
import math

import numpy as np
import pytest
from scipy.optimize import minimize

import symgd
from symgd.errors import ArgumentError, FormulaError, SymgdError
from symgd.model.bounds import parse_bounds
from tests.grids import grid
from tests.outcome import Outcome

RULES = [name for name, entry in symgd.CATALOGUE.items() if entry.kind == "rule"]
ROSENBROCK = "(1-x)**2 + 100*(y-x**2)**2"
KINKED = "abs(x-2) + (y+1)^2 + x*y/4"
INSIDE = {"x": (None, 0.5), "y": (-1, 2)}


def quadratic(seed, count):
    """A convex quadratic as text, its bounds, and its least point in them by L-BFGS-B."""
    chance = np.random.default_rng(seed)
    square = chance.normal(size=(count, count))
    hess, pull = square @ square.T / count + 0.3 * np.eye(count), 2 * chance.normal(size=count)
    names = [f"q{k:02}" for k in range(count)]
    terms = [
        f"({hess[i, j] / 2!r})*{a}*{b}" for i, a in enumerate(names) for j, b in enumerate(names)
    ] + [f"({-pull[k]!r})*{n}" for k, n in enumerate(names)]
    ends = [((-0.5, 0.5), (0, None), (None, 0.1), (None, None))[k % 4] for k in range(count)]
    text = " + ".join(terms).replace("np.float64", "")
    found = minimize(
        lambda x: (x @ hess @ x / 2 - pull @ x, hess @ x - pull),
        np.full(count, 0.05),
        jac=True,
        bounds=ends,
        method="L-BFGS-B",
        options={"ftol": 1e-16, "gtol": 1e-12},
    )
    return text, dict(zip(names, ends, strict=True)), found


# -- convergence, against L-BFGS-B ------------------------------------------------------------


@pytest.mark.parametrize("backend", ["native", "lambdify"])
@pytest.mark.parametrize(("seed", "count"), [(0, 1), (1, 2), (2, 3), (3, 5), (4, 8)])
def test_convex_quadratics_end_where_l_bfgs_b_ends(seed, count, backend):
    text, bounds, found = quadratic(seed, count)
    run = symgd.descend(
        text, start=0.05, lr=0.15, steps=5000, tol=1e-9, bounds=bounds, backend=backend
    )
    assert run.status == "converged"
    assert run.x == pytest.approx(found.x, abs=1e-6)
    assert run.value <= found.fun + 1e-12
    assert list(run.grad.values()) == pytest.approx(found.jac, abs=1e-5)  # the whole gradient
    assert run.grad_norm <= 1e-9 * math.sqrt(count)
    held = any(v in ends for v, ends in zip(run.x, bounds.values(), strict=True))
    assert run.verdict.kind == ("bound" if held else "converged")


def test_many_parameters_end_where_l_bfgs_b_ends():
    """130 numbers and more are in arrays, not in registers."""
    terms = [f"(x{k} - {k % 7 - 3})^2 + x{k}*x{(k + 1) % 140}/4" for k in range(140)]
    loss = symgd.Loss(" + ".join(terms))
    bounds = {p: (-1, None) if k % 2 else (None, 1.5) for k, p in enumerate(loss.params)}
    ends = list(bounds.values())
    start = np.zeros(140)
    found = minimize(loss.compiled, start, jac=True, bounds=ends, method="L-BFGS-B",
                     options={"ftol": 1e-16, "gtol": 1e-11, "maxiter": 1000})  # fmt: skip
    for rule in ("gd", "momentum", "adam"):
        run = symgd.descend(loss, start=0, lr=0.1, rule=rule, steps=3000, tol=1e-8, bounds=bounds)
        assert run.status == "converged"
        assert run.x == pytest.approx(found.x, abs=1e-6)
        assert all(a is None or a <= v for v, (a, _) in zip(run.x, ends, strict=True))
        assert all(b is None or v <= b for v, (_, b) in zip(run.x, ends, strict=True))


@pytest.mark.parametrize(
    ("rule", "loss"), grid(RULES, [ROSENBROCK, KINKED, "exp(x) + log(cosh(y)) + y"])
)
def test_native_and_python_take_the_same_steps(rule, loss):
    runs = [
        symgd.descend(
            loss, start=0.3, lr=0.01, rule=rule, steps=150, bounds=INSIDE, backend=b, tol=1e-9
        )
        for b in ("native", "lambdify")
    ]
    theta = runs[0].history.theta
    np.testing.assert_array_equal(theta, runs[1].history.theta)
    np.testing.assert_array_equal(runs[0].history.grad_norm, runs[1].history.grad_norm)
    assert runs[0].status == runs[1].status
    assert (theta[:, 0] <= 0.5).all()
    assert ((theta[:, 1] >= -1) & (theta[:, 1] <= 2)).all()


def test_steps_are_those_of_numpy():
    """theta = clip(theta - lr*g), and of momentum v stays what the whole gradient makes it."""
    low, high, x, v = np.array([-np.inf, -1]), np.array([0.5, 2]), np.array([0.3, 0.3]), 0
    run = symgd.descend(
        "(x-3)^2 + (y+4)^2 + x*y", start=0.3, lr=0.05, rule="momentum", steps=30, bounds=INSIDE
    )
    for row in run.history.theta:
        assert row == pytest.approx(x, rel=1e-13)
        grad = np.array([2 * (x[0] - 3) + x[1], 2 * (x[1] + 4) + x[0]])
        v = 0.9 * v + grad
        x = np.clip(x - 0.05 * v, low, high)


@pytest.mark.parametrize("lr", ["auto", "0.2/(1+t/50)", 0.1])
def test_every_kind_of_rate_stays_inside_and_converges(lr):
    # on y: d/dy = 2*(y+1) + x = 0 at x = 0.5: y = -1.25, which is below its bound
    run = symgd.descend("(x-2)^2 + (y+1)^2 + x*y", lr=lr, steps=400, bounds=INSIDE, tol=1e-8)
    assert (run.status, run.theta) == ("converged", {"x": 0.5, "y": -1.0})
    assert run.verdict.kind == "bound"


@pytest.mark.parametrize("batch", [None, 3])
def test_rows_of_data_and_batches(batch):
    x = np.linspace(1, 2, 12)
    data = {"x": x, "y": 3 * x}
    run = symgd.descend("mean((y - a*x)^2)", data=data, bounds={"a": (0, 2)}, steps=60, tol=1e-6,
                        batch=batch)  # fmt: skip
    assert (run.status, run.theta) == ("converged", {"a": 2.0})
    assert run.grad["a"] == pytest.approx(np.mean(2 * (2 * x - 3 * x) * x))


def test_slopes_that_are_infinite_at_a_bound_count_as_held():
    run = symgd.descend("sqrt(x) + y^2", bounds={"x": (0, None)}, lr=0.1, steps=200, tol=1e-8)
    assert (run.status, run.theta["x"], run.verdict.kind) == ("converged", 0.0, "bound")


def test_the_start_is_moved_into_the_bounds_as_in_fit():
    run = symgd.descend("(x-2)^2 + y^2", start=9, bounds={"x": (0, 1), "y": (None, -2)}, steps=0)
    assert run.start == run.theta == {"x": 1.0, "y": -2.0}


def test_the_rule_box_and_bounds_are_one_mechanism():
    given = {"start": 0.5, "lr": 0.1, "steps": 50, "tol": 1e-6, "advise": False}
    box = symgd.descend("(x-2)^2 + (y-0.3)^2", rule="gd+box", set={"lower": 0, "upper": 1}, **given)
    same = symgd.descend("(x-2)^2 + (y-0.3)^2", bounds={"x": (0, 1), "y": (0, 1)}, **given)
    np.testing.assert_array_equal(box.history.theta, same.history.theta)
    assert (box.status, box.message, box.bounds) == (same.status, same.message, same.bounds)
    assert box.verdict == same.verdict
    both = symgd.descend("(x-2)^2", rule="gd+box", set={"lower": 0, "upper": 5},
                         bounds={"x": (-1, 1)}, steps=9)  # fmt: skip
    assert both.bounds == {"x": (0.0, 1.0)}


# -- verdicts -----------------------------------------------------------------------------------


def test_the_error_is_measured_from_the_minimum_within_the_bounds():
    # at x = 1: y**2 + y, least at -1/2 with curvature 2, so that a step keeps 1 - 2*0.1
    run = symgd.descend("(x-3)^2 + y^2 + x*y", bounds={"x": (0, 1)}, lr=0.1, steps=40)
    told = run.verdict
    assert (told.kind, told.lr_max) == ("converging", pytest.approx(1.0))
    assert told.rate_observed == pytest.approx(0.8, rel=1e-6)
    assert told.rate_predicted == pytest.approx(0.8, rel=1e-12)
    assert told.distance == pytest.approx(math.dist(run.x, (1, -0.5)), rel=1e-9)
    assert "the bounds hold x = 1 at the minimum" in told.sentence


def test_a_bound_is_approached_by_steps_of_one_length():
    told = symgd.descend("2*x", start=10, bounds={"x": (3, None)}, lr=0.05, steps=20).verdict
    assert (told.kind, told.distance) == ("approaching", pytest.approx(5.0))
    assert told.sentence.startswith("approaching: 0.1 per step, 5 from the minimum: about 50 steps")


def test_a_saddle_within_bounds_is_told_and_one_that_leads_out_is_none():
    run = symgd.descend("z + x^2 - y^2", start="x=0.5,y=0,z=1", bounds={"z": (0, None)}, steps=300,
                        tol=1e-9)  # fmt: skip
    assert (run.status, run.verdict.kind) == ("saddle", "saddle")
    assert "along y" in run.verdict.sentence
    held = symgd.descend("z + x^2 - y^2", start="x=0.5,y=0,z=1", steps=300, tol=1e-9,
                         bounds={"z": (0, None), "y": (0, 1e-12)})  # fmt: skip
    assert (held.status, held.verdict.kind) == ("converged", "bound")


def test_a_loss_that_falls_for_ever_has_a_minimum_in_bounds():
    run = symgd.descend("x^3 - 3*x - 9*y", start=0.5, bounds={"x": (-3, 3), "y": (None, 2)},
                        lr=0.05, steps=200, tol=1e-9)  # fmt: skip
    assert run.status == "converged"
    assert run.x == pytest.approx([1, 2], abs=1e-8)
    assert "x = " not in run.verdict.sentence.partition("where")[0]


def test_advice_has_the_bounds_and_runs_as_it_stands():
    outcome = Outcome("(x-1)^2 + 3*y^2", "--bound", "x=0:", "--bound", "y=-1:1", "-l", "0.4",
                      "-n", "50", "--tol", "1e-9")  # fmt: skip
    assert "--bound x=0.0: --bound y=-1.0:1.0" in outcome.err
    import shlex

    words = shlex.split(outcome.err[outcome.err.index("symgd (") if "symgd (" in outcome.err
                                    else outcome.err.rindex("symgd '") :])[1:]  # fmt: skip
    assert json.loads(Outcome(*words, "--format", "json").out)["status"] == "converged"


# -- compare, sweep -----------------------------------------------------------------------------


def test_compare_keeps_the_bounds():
    grid = symgd.compare("(x-2)^2 + y^2", lr=[0.1, 0.3], rule="gd,adam", bounds={"x": (0, 1)},
                         steps=50)  # fmt: skip
    for run in grid.runs:
        assert run.theta["x"] == 1.0
        assert run.bounds == {"x": (0.0, 1.0)}
    assert grid.to_dict()["runs"][0]["bounds"] == {"x": [0.0, 1.0]}
    mapped = symgd.compare("(x-2)^2", lr="1e-3..10:60", bounds={"x": (0, 1)}, steps=20)
    assert all(loss <= 4 for loss in mapped.maps[0].losses)  # of no rate it leaves the box


@pytest.mark.parametrize("rule", RULES)
def test_a_sweep_ends_where_each_descent_ends(rule):
    bounds = {"x": (None, 0.5), "y": (-1, 2)}
    arguments = {"rule": rule, "steps": 60, "tol": 1e-3, "bounds": bounds}
    grid = symgd.sweep(KINKED, lr=[0.003, 0.1, 1.0], start=[-3.0, 0.2, 40.0], **arguments)
    python = symgd.sweep(KINKED, lr=[0.003, 0.1, 1.0], start=[-3.0, 0.2, 40.0], backend="lambdify",
                         **arguments)  # fmt: skip
    assert grid.theta == pytest.approx(python.theta, rel=1e-12, abs=1e-12)
    assert grid.grad_norm == pytest.approx(python.grad_norm, rel=1e-9, abs=1e-12)
    assert grid.steps.tolist() == python.steps.tolist()
    assert grid.status == python.status
    assert (grid.theta[:, 0] <= 0.5).all()


def test_a_sweep_over_the_ends_of_the_rule_box():
    grid = symgd.sweep("(x-2)^2", rule="gd+box", set={"lower": -9, "upper": [0.5, 1.0, 3.0]},
                       steps=200, tol=1e-9)  # fmt: skip
    assert grid.theta[:, 0] == pytest.approx([0.5, 1.0, 2.0], abs=1e-8)
    assert [s.value for s in grid.status] == ["converged"] * 3


# -- explain ------------------------------------------------------------------------------------


def points(loss, bounds, **more):
    found = symgd.explain(loss, bounds=bounds, **more).to_dict()
    return found, {tuple(p["theta"].values()): p for p in found["critical_points"]}


def test_explain_lists_minima_at_bounds_by_the_signs_of_the_gradient():
    # x**3 - 3*x: g = 24 at -3 and 3, so -3 is a minimum within the bounds and 3 is none
    found, seen = points("x^3 - 3*x", {"x": (-3, 3)})
    assert {x: (p["kind"], p["shape"]) for x, p in seen.items()} == {
        (-3.0,): ("minimum", "bound"),
        (-1.0,): ("maximum", "smooth"),
        (1.0,): ("minimum", "smooth"),
    }
    assert found["complete"]
    assert found["bounded_below"]
    assert found["bounds"] == {"x": [-3.0, 3.0]}
    assert symgd.explain("x^3 - 3*x").below.bounded is False


@pytest.mark.parametrize(("seed", "count"), [(5, 1), (6, 2), (7, 3), (8, 6), (9, 12)])
def test_explain_finds_what_l_bfgs_b_finds(seed, count):
    text, bounds, found = quadratic(seed, count)
    explained, seen = points(text, bounds, lr=0.1)
    [(at, point)] = [(x, p) for x, p in seen.items() if p["kind"] == "minimum"]
    assert at == pytest.approx(found.x, abs=1e-6)
    assert point["value"] == pytest.approx(found.fun, abs=1e-10)
    assert explained["convex"]
    assert explained["complete"]


@pytest.mark.parametrize("count", [70, 200])
def test_a_minimum_of_many_parameters_is_found_where_l_bfgs_b_finds_it(count):
    """And the verdict measures the error from there."""
    terms = [
        f"cosh(x{k} - x{k + 1}) + 0.5*(x{k} - {k % 7 - 3})^2 + x{k + 1}^2" for k in range(count)
    ]
    loss = symgd.Loss(" + ".join(terms))
    ends = [((-0.5, 0.5), (0, None), (None, 0.1), (None, None))[k % 4] for k in range(count + 1)]
    found = minimize(
        loss.compiled,
        np.full(count + 1, 0.05),
        jac=True,
        bounds=ends,
        method="L-BFGS-B",
        options={"ftol": 1e-16, "gtol": 1e-11, "maxiter": 1000},
    )
    bounds = dict(zip(loss.params, ends, strict=True))
    [point] = symgd.explain(loss, start=0.05, bounds=bounds, seconds=0).critical.points
    assert (point.kind, point.shape) == ("minimum", "bound")
    assert point.x == pytest.approx(found.x, abs=1e-6)
    run = symgd.descend(loss, start=0.05, lr=0.01, steps=40, bounds=bounds, advise=False)
    assert run.verdict.kind == "converging"
    assert run.verdict.distance == pytest.approx(math.dist(run.x, found.x), rel=1e-5)


def test_points_outside_of_the_bounds_are_not_listed():
    _, seen = points("x^4 - 2*x^2", {"x": (0.5, None)})
    assert list(seen) == [(1.0,)]
    found, seen = points("(x-5)^2", {"x": (0, 1)})
    assert list(seen) == [(1.0,)]
    assert found["critical_points"][0]["value"] == 16.0


def test_rosenbrock_beside_its_minimum():
    # at x = 1/2: 1/4 + 100*(y - 1/4)**2, curvature 200; d/dx = -1 points out
    found, seen = points(ROSENBROCK, {"x": (-2, 0.5)}, lr=0.001)
    [point] = [p for p in seen.values() if p["kind"] == "minimum"]
    assert point["theta"] == {"x": 0.5, "y": 0.25}
    assert (point["value"], point["eigenvalues"], point["shape"]) == (0.25, [200.0], "bound")
    assert point["lr_max"] == pytest.approx(0.01)
    assert "(-1)" in point["note"]
    assert found["complete"]


@pytest.mark.parametrize(
    ("loss", "bounds", "least"),
    [
        ("abs(x-2) + y^2", {"x": (0, 1)}, {(1.0, 0.0): 1.0}),
        ("x^2 + abs(y) + x", {"x": (0, 1)}, {(0.0, 0.0): 0.0}),
        ("sqrt(x)", {"x": (0, 4)}, {(0.0,): 0.0}),
        ("x^3", {"x": (0, None)}, {(0.0,): 0.0}),
        ("x*y", {"x": (0, 1), "y": (0, 1)}, {(0.0, 0.0): 0.0}),
        ("-x^2", {"x": (-1, 2)}, {(-1.0,): -1.0, (2.0,): -4.0}),
        ("x - y", {"x": (0, 1), "y": (0, 1)}, {(0.0, 1.0): -1.0}),
    ],
)
def test_kinks_edges_and_corners(loss, bounds, least):
    _, seen = points(loss, bounds)
    told = {x: p["value"] for x, p in seen.items() if "minimum" in (p["kind"] + p["note"])}
    assert told == pytest.approx(least)


@pytest.mark.parametrize("bounds", [{"x": (1, 2), "y": (1.5, 3)}, {"x": (None, -7)}])
def test_one_of_a_line_of_minima_is_inside(bounds):
    found, seen = points("(x - y)^2 + 3", bounds)
    [((x, y), point)] = seen.items()
    assert x == pytest.approx(y, abs=1e-12)
    assert point["value"] == 3.0
    assert "a minimum, not the only one" in point["note"]
    assert "a line through this point" in found["families"][0]
    assert found["complete"]


def test_convexity_and_lower_bounds_are_those_within_the_bounds():
    assert symgd.explain("x^3", bounds={"x": (0, 5)}).convexity.convex
    inside = symgd.explain("x^4 - 6*x^2", bounds={"x": (2, 3)}).convexity
    assert inside.convex is not False  # 12*x**2 - 12 > 0 from 1 on
    outside = symgd.explain("x^4 - 6*x^2", bounds={"x": (0, 3)}).convexity
    assert outside.convex is False
    assert all(0 <= v[0] <= 3 for v in outside.points)
    assert symgd.explain("x - y", bounds={"x": (0, None), "y": (None, 3)}).bound == pytest.approx(
        -3
    )
    assert symgd.explain("-x", bounds={"x": (0, None)}).below.bounded is False
    assert symgd.explain("-x^3", bounds={"x": (None, 2)}).below.bounded is True


# -- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bounds", "part"),
    [
        ({"z": (0, 1)}, "no parameter 'z'"),
        ({"x": (1, 0)}, "leave nothing between 1 and 0"),
        ({"x": (1, 1)}, "leave nothing"),
        ({"x": (math.nan, 1)}, "leave nothing"),
        ({"x": (0,)}, "not (low, high)"),
        ({"x": 3}, "not (low, high)"),
        ({"x": ("a", 3)}, "a bound of 'x'"),
        ([(0, 1)], "bounds go by names"),
        ({1: (0, 1)}, "bounds go by names"),
    ],
)
@pytest.mark.parametrize("verb", [symgd.descend, symgd.compare, symgd.sweep, symgd.explain])
def test_wrong_bounds_are_refused_before_anything_runs(verb, bounds, part):
    with pytest.raises(ArgumentError) as told:
        verb("x^2 + y^2", bounds=bounds)
    assert part in str(told.value)


@pytest.mark.parametrize(
    ("text", "column", "part"),
    [
        ("x", 1, "no bounds"),
        ("x=1", 3, "no bounds"),
        ("x:0:1", 1, "no bounds"),
        ("=0:1", 0, "no bounds"),
        ("x=a:1", 2, "no number"),
        ("x=0: b", 5, "no number"),
        ("x=0:1,y=0:1", 4, "repeat --bound"),
        ("x=nan:1", 2, "finite"),
        ("2x=0:1", 0, "not a name"),
    ],
)
def test_wrong_texts_have_a_caret(text, column, part):
    with pytest.raises(FormulaError) as told:
        parse_bounds([text])
    assert (told.value.column, part in str(told.value)) == (column, True)


def test_texts_are_read_with_open_ends_and_formulas():
    assert parse_bounds(["x=0:1", "y=:2*pi", "beta=-1e-3:"]) == {
        "x": (0.0, 1.0), "y": (None, 2 * math.pi), "beta": (-1e-3, None),
    }  # fmt: skip
    with pytest.raises(SymgdError, match="twice"):
        parse_bounds(["x=0:1", "x=0:2"])


# -- the command line -----------------------------------------------------------------------------


def test_command_lines_take_bounds():
    run = Outcome("(x-2)^2", "--bound", "x=0:1", "--tol", "1e-6", "--check")
    assert run.code == 0
    assert "bounds: 0 <= x <= 1" in run.out
    assert "converged at a bound: x = 1, where the gradient (-2) points out of the box" in run.out
    told = json.loads(Outcome("(x-2)^2", "--bound", "x=:1", "--format", "json").out)
    assert told["bounds"] == {"x": [None, 1.0]}
    assert "bounds" not in json.loads(Outcome("(x-2)^2", "--format", "json").out)
    compared = json.loads(Outcome("compare", "x^2", "--bound", "x=0.5:", "--format", "json").out)
    assert {r["theta"]["x"] for r in compared["runs"]} >= {0.5}
    explained = Outcome("explain", "x^3", "--bound", "x=-1:1").out
    assert "at a bound: the gradient there (3) points" in explained


def test_results_in_bounds_are_pickled():
    import pickle

    run = symgd.descend("(x-2)^2", bounds={"x": (0, 1)})
    again = pickle.loads(pickle.dumps(run))
    assert (again.bounds, again.grad_norm) == (run.bounds, 0.0)
    assert again.loss.internals.box == run.loss.internals.box
