"""What a Loss offers: few names, values in doubles, the gradient that runs as SymPy shows it."""

import pickle

import mpmath
import numpy as np
import pytest
import sympy
from scipy.optimize import minimize

from symgd import ArgumentError, Loss
from symgd.model.bounds import ParameterBox

ROSENBROCK = "(1 - x)**2 + 100*(y - x**2)**2"
FORMULAS = [
    ROSENBROCK, "log(1 + exp(x)) + y**2", "sqrt(x**2 + y**2 + 1)/(1 + exp(-x))", "abs(x - y)*x",
    "where(x > y, 1/(x*x + 1) + sqrt(1/(x*x + 1)), y) + 5/(x*x + 1)", "x**y", "max(x, y, 0.1)*x",
]  # fmt: skip
POINTS = [[0.3, 0.7], [1.7, 0.2], [2.5, -1.25], [1e-3, 40.0]]


def test_public_names():
    names = {name for name in dir(Loss(ROSENBROCK)) if not name.startswith("_")}
    assert names == {
        "around", "arrays", "by_elements", "columns", "compiled", "exact", "expr", "grad",
        "gradient", "gradient_text", "hess", "hessian", "hvp", "indexed", "indexed_text",
        "internals", "of", "params", "program", "read_as", "shapes", "symbols", "table", "text",
        "value", "value_and_grad",
    }  # fmt: skip


@pytest.mark.parametrize("text", FORMULAS)
@pytest.mark.parametrize("point", POINTS, ids=str)
def test_value_gradient_and_descent_have_the_same_bits(text, point):
    loss = Loss(text)
    value, grad = loss.value_and_grad(point)
    assert np.array(loss.value(point)).tobytes() == np.array(value).tobytes()
    assert loss(point) == loss.value(point)
    assert loss.grad(point).tobytes() == grad.tobytes()
    assert loss.grad(np.array(point)).tobytes() == grad.tobytes()
    assert loss.value(dict(zip("xy", point, strict=True))) == value


@pytest.mark.parametrize("text", FORMULAS[:4])
@pytest.mark.parametrize("point", POINTS, ids=str)
def test_values_in_doubles_are_near_those_rounded_once(text, point):
    loss = Loss(text)
    assert loss.value(point) == pytest.approx(loss.exact.value(point), rel=1e-12)
    assert loss.grad(point) == pytest.approx(loss.exact.grad(point), rel=1e-11, abs=1e-14)
    assert loss.hess(point) == pytest.approx(loss.exact.hess(point), rel=1e-10, abs=1e-13)


def test_exact_values_are_rounded_once():
    loss = Loss("(1 + x)**2 - 1 - 2*x")
    with mpmath.workdps(60):
        right = float((1 + mpmath.mpf(1e-9)) ** 2 - 1 - 2 * mpmath.mpf(1e-9))
    assert loss.exact.value([1e-9]) == right
    assert loss.value([1e-9]) != right
    assert loss.exact.grad([1e-9])[0] == 2e-9
    assert loss.exact.hess([1e-9]) == [[2.0]]


@pytest.mark.parametrize(
    "text", ["log(1 + exp(x))", "abs(x)", "erf(0.1*x)", "sign(x)*x", "where(x > 1, x, x**2)"]
)
def test_the_gradient_is_the_one_that_runs(text):
    loss = Loss(text)
    shown = loss.gradient["x"]
    assert not shown.has(sympy.Derivative, sympy.DiracDelta)
    for x in (-1.75, 0.5, 2.25):
        assert float(shown.subs(loss.symbols["x"], x)) == pytest.approx(loss.grad([x])[0], 1e-14)
        assert Loss(loss.gradient_text()["x"]).value([x]) == pytest.approx(loss.grad([x])[0], 1e-14)


def test_constants_of_the_gradient_have_all_digits():
    loss = Loss("0.12345678901234568*x**2")
    (number,) = loss.gradient["x"].atoms(sympy.Float)
    assert float(str(number)) == 2 * 0.12345678901234568


def test_the_hessian_of_a_formula_with_indices():
    text = "sum(x[i]^2*x[i+1] + sin(x[i]), i=1..n-1)"
    loss = Loss(text, sizes={"n": 3})
    x = sympy.symbols("a b c", real=True)
    explicit = sum(x[i] ** 2 * x[i + 1] + sympy.sin(x[i]) for i in range(2))
    at = {f"x[{k + 1}]": v for k, v in enumerate((0.3, -1.2, 2.0))}
    expected = sympy.hessian(explicit, x).subs(dict(zip(x, at.values(), strict=True)))
    symbols = loss.by_elements.symbols
    shown = loss.hessian.subs({symbols[name]: value for name, value in at.items()})
    np.testing.assert_allclose(np.array(shown, float), np.array(expected, float), rtol=1e-14)
    with pytest.raises(ArgumentError, match="too many"):
        _ = Loss(text, sizes={"n": 3000}).hessian


def test_the_hessian_is_the_one_that_runs():
    loss = Loss(ROSENBROCK)
    at = dict(zip(loss.symbols.values(), (-1.2, 1.0), strict=True))
    shown = np.array(loss.hessian.subs(at)).astype(float)
    np.testing.assert_allclose(shown, [[1330.0, 480.0], [480.0, 200.0]], rtol=1e-14)
    np.testing.assert_allclose(loss.hess([-1.2, 1.0]), shown, rtol=1e-14)


def test_optimizers_take_its_functions():
    loss = Loss(ROSENBROCK)
    found = minimize(loss.value, [-1.2, 1.0], jac=loss.grad, method="BFGS")
    assert found.x == pytest.approx([1.0, 1.0], abs=1e-5)
    again = minimize(loss.value_and_grad, np.array([-1.2, 1.0]), jac=True, method="L-BFGS-B")
    assert again.x == pytest.approx([1.0, 1.0], abs=1e-4)


def test_other_internals_leave_the_loss_as_it_is():
    loss = Loss("mean((y - a*x)**2)", {"x": [1.0, 2.0], "y": [2.0, 5.0]})
    boxed = loss.around(loss.internals.within(ParameterBox((0.0,), (1.0,))))
    assert loss.internals.box is None
    assert (boxed.text, boxed.params, boxed.columns) == (loss.text, loss.params, loss.columns)
    assert boxed.value([2.0]) == loss.value([2.0]) == 0.5  # (0^2 + 1^2)/2
    assert loss.around(loss.internals) is loss


def test_a_pickled_loss_is_the_same():
    loss = pickle.loads(pickle.dumps(Loss(ROSENBROCK)))
    assert loss.value([-1.2, 1.0]) == pytest.approx(24.2, rel=1e-15)
    assert loss.params == ("x", "y")


@pytest.mark.parametrize("rows", [3, 3000])  # few, and as many as moments stand for
def test_a_pickled_loss_over_data_is_the_same(rows):
    x = np.linspace(0.0, 1.0, rows)
    data = {"x": x, "y y": 2 * x + 1}
    loss = Loss("mean((`y y` - a*x - c*b)^2)", data, constants={"c": 2.0})
    again = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(loss))))
    assert again.params == ("a", "b")
    assert again.columns == ("y y", "x")
    assert again.value([2.0, 0.75]) == pytest.approx(0.25, rel=1e-12)  # 1 - 2*0.75 in every row
    assert again.value_and_grad([0.3, 0.7])[1].tolist() == loss.grad([0.3, 0.7]).tolist()
    assert again.internals.reduced == loss.internals.reduced == (rows == 3000)
