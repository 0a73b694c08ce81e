"""lr="auto": the floor of rounding, machine code and Python, bounds."""

import numpy as np
import pytest

import symgd
from symgd.descent.line_search import LineSearchKernel
from tests.outcome import Outcome

ROSENBROCK = "(1-x)^2 + 100*(y-x^2)^2"
RULES = ("gd", "momentum", "adam", "conjugate_gradient", "weight_decay+nesterov", "gd+averaging",
         "theta = theta - lr*g/norm(g)", "sam+gd", "v0 = g; v = 0.5*v + g; theta = theta - lr*v",
         "theta = theta - lr*(g + 0.01*normal())")  # fmt: skip


@pytest.mark.parametrize("backend", ["lambdify", "native"])
def test_search_reaches_what_rounding_allows(backend):
    """SciPy's issue 17792: the loss is 1000 + something below its own rounding."""
    run = symgd.descend(
        "(x-1)^2 + 100*(y-2)^2 + 1000", start=5.0, lr="auto", steps=5000, tol=1e-9, backend=backend
    )
    x, y = run.x
    assert max(abs(2 * (x - 1)), abs(200 * (y - 2))) <= 1e-9  # the gradient, by hand
    assert run.status == "converged"


def test_search_near_rounding_is_converged_on_the_command_line():
    options = ["-s", "5", "-l", "auto", "-n", "5000", "--tol", "1e-9", "--check", "-q"]
    outcome = Outcome("(x-1)^2+100*(y-2)^2+1000", *options)
    assert outcome.code == 0


@pytest.mark.parametrize("rule", RULES)
def test_machine_code_takes_the_steps_of_python(rule):
    for loss, start in ((ROSENBROCK, [-1.2, 1.0]), ("log(cosh(x - 1)) + y^4 + x*y/9", [3.0, 2.0])):
        runs = [
            symgd.descend(loss, start=start, rule=rule, lr="auto", steps=300, backend=backend)
            for backend in ("lambdify", "native")
        ]
        python, native = (np.asarray(run.history.theta) for run in runs)
        assert len(python) == len(native)
        # the same decisions; the functions of other libraries may round differently
        assert np.abs(python - native).max() <= 1e-9 * np.abs(python).max()
        assert runs[0].status == runs[1].status


def test_machine_code_in_bounds_and_with_tolerance():
    for bounds in ({"x": (None, 0.5)}, {"x": (-2, 2), "y": (1.5, 3)}):
        runs = [
            symgd.descend(ROSENBROCK, start=[-1.2, 1.6], lr="auto", steps=3000, bounds=bounds,
                          tol=1e-6, rule="momentum", backend=backend)
            for backend in ("lambdify", "native")
        ]  # fmt: skip
        assert (runs[0].x == runs[1].x).all()
        assert runs[0].steps == runs[1].steps
        assert runs[0].message == runs[1].message


def test_native_is_what_was_asked_for(monkeypatch):
    def refuse(*_):
        raise AssertionError("Python took a step")

    monkeypatch.setattr(LineSearchKernel, "advance", refuse)
    run = symgd.descend(ROSENBROCK, start=[-1.2, 1.0], lr="auto", steps=50, backend="native")
    assert run.steps == 50


def test_long_runs_go_over_to_machine_code_in_the_same_steps():
    how = {"start": [-1.2, 1.0], "rule": "momentum", "lr": "auto", "steps": 20_000, "tol": 1e-10}
    runs = [symgd.descend(ROSENBROCK, backend=b, **how) for b in ("auto", "lambdify")]
    assert (runs[0].x == runs[1].x).all()
    assert runs[0].steps == runs[1].steps


def test_loss_never_rises_by_more_than_rounding():
    for rule in ("gd", "momentum", "adam"):
        run = symgd.descend(ROSENBROCK, start=[-1.2, 1.0], rule=rule, lr="auto", steps=3000)
        losses = np.array([row[2] for row in run.history.rows()])
        assert (np.diff(losses) <= 1e-10 * losses[:-1]).all()


def test_no_way_down_is_told():
    run = symgd.descend("abs(x) + abs(y)", start=[0.0, 0.0], rule="theta = theta + lr*(g + 1)",
                        lr="auto", steps=20, backend="native")  # fmt: skip
    again = symgd.descend("abs(x) + abs(y)", start=[0.0, 0.0], rule="theta = theta + lr*(g + 1)",
                          lr="auto", steps=20, backend="lambdify")  # fmt: skip
    assert run.status == again.status
    assert (run.x == again.x).all()
    up = symgd.descend("x^2", start=1.0, rule="theta = theta + lr*g", lr="auto", steps=20,
                       backend="native")  # fmt: skip
    assert up.status == "stalled"
    assert up.x == 1.0


@pytest.mark.parametrize("rule", ["gd", "momentum", "conjugate_gradient", "dog", "sam+gd"])
def test_search_over_many_parameters(rule):
    names = [f"p{k}" for k in range(150)]  # too many for registers
    loss = " + ".join(f"{k + 1}*({n} - 1)**2" for k, n in enumerate(names))
    for bounds in (None, {"p3": (None, 0.5), "p7": (1.25, 3)}):
        runs = [
            symgd.descend(loss, start=2.0, rule=rule, lr="auto", steps=60, bounds=bounds,
                          backend=backend, advise=False)
            for backend in ("lambdify", "native")
        ]  # fmt: skip
        assert runs[0].value == pytest.approx(runs[1].value, rel=1e-9)
        assert np.abs(runs[0].x - runs[1].x).max() <= 1e-6
        best = 0.0 if bounds is None else 4 * 0.25 + 8 * 0.0625  # by hand
        assert runs[1].value >= best * (1 - 1e-12)
