"""Losses over rows of data: what is read, what is computed, how often."""

import json
import math
from functools import partial

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import optax
import pytest
import sympy

import symgd
from symgd import ArgumentError, DataError, FormulaError, Loss
from symgd.backends.program import Nest
from tests.jax_oracle import value_grad_and_hess
from tests.outcome import Outcome

jax.config.update("jax_enable_x64", True)

GENERATOR = np.random.default_rng(5)
DATA = {
    "x": GENERATOR.uniform(0.1, 2.0, 300),
    "y": GENERATOR.normal(1.0, 0.5, 300),
    "w": GENERATOR.uniform(0.5, 2.0, 300),
    "dose (mg)": GENERATOR.uniform(1.0, 3.0, 300),
}

# formula -> the same with jax.numpy, by a person
CASES = {
    "mean((y - (a*exp(-b*x) + c))**2)": lambda d, a, b, c: jnp.mean(
        (d["y"] - (a * jnp.exp(-b * d["x"]) + c)) ** 2
    ),
    "sqrt(mean((y - a*x)**2)) + 0.1*a**2": lambda d, a: (
        jnp.sqrt(jnp.mean((d["y"] - a * d["x"]) ** 2)) + 0.1 * a**2
    ),
    "log(sum(exp(a*x - b*y)))": lambda d, a, b: jnp.log(jnp.sum(jnp.exp(a * d["x"] - b * d["y"]))),
    "mean((y - mean(y))**2)*a + sum(w)*b": lambda d, a, b: (
        jnp.mean((d["y"] - jnp.mean(d["y"])) ** 2) * a + jnp.sum(d["w"]) * b
    ),
    "sum((a*exp(b*x) - mean(a*exp(b*x)))**2)": lambda d, a, b: jnp.sum(
        (a * jnp.exp(b * d["x"]) - jnp.mean(a * jnp.exp(b * d["x"]))) ** 2
    ),
    "sum(w*log(1 + exp(a*x + b))) - sum(y*(a*x + b))": lambda d, a, b: (
        jnp.sum(d["w"] * jax.nn.softplus(a * d["x"] + b)) - jnp.sum(d["y"] * (a * d["x"] + b))
    ),
    "sum(exp(a*x) - y*a*x + loggamma(w + 1))": lambda d, a: jnp.sum(
        jnp.exp(a * d["x"]) - d["y"] * a * d["x"] + jax.scipy.special.gammaln(d["w"] + 1)
    ),
    "mean(where(x > 1, (y - a)**2, w*|b|*x)) + mean(a*b)": lambda d, a, b: (
        jnp.mean(jnp.where(d["x"] > 1, (d["y"] - a) ** 2, d["w"] * jnp.abs(b) * d["x"])) + a * b
    ),
    "mean(huber(y - a*x, 0.3)) + mean(max(a*x, b))": lambda d, a, b: (
        jnp.mean(
            jnp.where(
                jnp.abs(d["y"] - a * d["x"]) <= 0.3,
                0.5 * (d["y"] - a * d["x"]) ** 2,
                0.3 * (jnp.abs(d["y"] - a * d["x"]) - 0.15),
            )
        )
        + jnp.mean(jnp.maximum(a * d["x"], b))
    ),
    "mean((y/`dose (mg)` - a/b)**2)/sum(exp(-a*w))": lambda d, a, b: (
        jnp.mean((d["y"] / d["dose (mg)"] - a / b) ** 2) / jnp.sum(jnp.exp(-a * d["w"]))
    ),
    "mean(tanh(a*x)*sin(b*y) + x**a + cbrt(x)*erf(b*x) + sigmoid(a*y))": lambda d, a, b: jnp.mean(
        jnp.tanh(a * d["x"]) * jnp.sin(b * d["y"])
        + d["x"] ** a
        + jnp.cbrt(d["x"]) * jax.scipy.special.erf(b * d["x"])
        + jax.nn.sigmoid(a * d["y"])
    ),
}

POINTS = {"a": 0.7, "b": 0.4, "c": -0.3}


@pytest.mark.parametrize("text", CASES)
def test_value_gradient_and_hessian_are_those_of_jax(text):
    loss = Loss(text, DATA)
    theta = [POINTS[p] for p in loss.params]
    arrays = {name: jnp.asarray(column) for name, column in DATA.items()}
    value, grad, hess = value_grad_and_hess(partial(CASES[text], arrays), len(theta))(*theta)
    assert loss.value(theta) == pytest.approx(float(value), rel=1e-13)
    np.testing.assert_allclose(loss.grad(theta), np.array(grad), rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(loss.hess(theta), np.array(hess), rtol=1e-10, atol=1e-12)


def test_value_and_gradient_take_one_fused_pass():
    assert len(Loss("mean((y - (a*exp(-b*x) + c))**2)", DATA).program.loops) == 1
    assert len(Loss("sqrt(mean((y - a*x)**2)) + log(sum(cosh(a*x)))", DATA).program.loops) == 1


def test_a_sum_that_no_loop_waits_for_joins_the_last_one():
    """The largest exponent comes first, the sums of both terms and all slopes after it."""
    loops = Loss("sqrt(mean((y - a*x)**2)) + log(sum(exp(a*x)))", DATA).program.loops
    assert [loop.stores[0].mode for loop in loops] == ["peak=", "+="]
    loops = Loss("mean((y - a*x)**2) + sum((exp(a*x) - mean(exp(a*x)))**2)", DATA).program.loops
    assert [len(loop.stores) > 2 for loop in loops] == [False, True]


def test_a_sum_inside_a_term_takes_two_passes():
    loss = Loss("sum((a*exp(b*x) - mean(a*exp(b*x)))**2)", DATA)
    assert len(loss.program.loops) == 2


def test_sums_without_a_parameter_are_computed_once():
    loss = Loss("mean((y - mean(y))**2)*a**2", DATA)
    assert loss.program.loops == ()
    assert loss.value([2.0]) == pytest.approx(4 * np.var(DATA["y"]), rel=1e-14)
    counts = Loss("sum(exp(a*x) - y*a*x + loggamma(w + 1))", DATA).internals.value_program
    assert "loggamma" not in str(counts)


def test_the_body_computes_the_exponential_once():
    program = Loss("mean((y - (a*exp(-b*x) + c))**2)", DATA).program
    (nest,) = program.loops
    assert isinstance(nest, Nest)
    assert str(program).count("exp(") == 1


def test_a_program_reads_as_a_loop():
    text = str(Loss("mean((y - a*x)**2)", DATA).program)
    assert "for each row of y, x:\n    t" in text
    assert " += " in text


class Cut:
    """A table in pieces."""

    def __init__(self, data, length):
        self.data, self.length = data, length

    def blocks(self):
        rows = len(self.data["x"])
        for start in range(0, rows, self.length):
            yield {n: a[start : start + self.length] for n, a in self.data.items()}


def test_a_table_in_pieces_gives_the_same_bits():
    from symgd.backends.numpy_rows import compile_rows

    data = {name: np.tile(column, 100) for name, column in DATA.items()}
    loss = Loss("mean((y - (a*exp(-b*x) + c))**2)", data)
    run, more = compile_rows(loss.program), loss.internals.rows.more(loss.program)
    whole = run([0.7, 0.4, -0.3, *more], loss.table)
    assert run([0.7, 0.4, -0.3, *more], Cut(data, 8192)) == whole
    assert run([0.7, 0.4, -0.3, *more], Cut(data, 1000)) == pytest.approx(whole, rel=1e-14)


def test_sums_are_accurate_where_naive_addition_is_not():
    column = np.concatenate([[1e16], np.ones(100_000), [-1e16]])
    exact = float(mpmath.fsum(map(mpmath.mpf, column)))
    naive = float(np.cumsum(column)[-1])
    found = Loss("sum(x)*a", {"x": column}).value([1.0])
    assert abs(found - exact) < 1e-2 * abs(naive - exact)


def test_float32_columns_are_summed_in_float64():
    column = np.full(100_000, 0.1, dtype=np.float32)
    found = Loss("sum(x)*a", {"x": column}).value([1.0])
    assert found == pytest.approx(float(np.float32(0.1)) * 100_000, rel=1e-13)


def test_names_bind_to_columns_first():
    loss = Loss("mean((y - (a*x + b))**2)", DATA)
    assert loss.params == ("a", "b")
    assert loss.columns == ("y", "x")
    assert Loss("sum(θ*`x`)", {"x": [1.0]}).params == ("theta",)
    assert Loss("sum(a*β)", {"β": [1.0]}).columns == ("β",)
    assert Loss("mean(`x`*a)", DATA).read_as() == "L(a) = mean(x·a)"
    assert Loss("mean(`dose (mg)`*a)", DATA).read_as(False) == "L(a) = mean(`dose (mg)`*a)"
    assert Loss("mean(log*log(a*e))", {"log": [2.0], "e": [3.0]}).columns == ("log", "e")


def test_gradient_texts_read_back():
    loss = Loss("mean((y - a*`dose (mg)`)**2)", DATA)
    text = loss.gradient_text()["a"]
    assert text == "-2*mean(`dose (mg)`*(y - a*`dose (mg)`))"
    dose = DATA["dose (mg)"]
    right = -2 * np.mean(dose * (DATA["y"] - 0.7 * dose))
    assert loss.grad([0.7])[0] == pytest.approx(right, rel=1e-13)
    assert Loss(text, DATA).value([0.7]) == pytest.approx(right, rel=1e-13)


@pytest.mark.parametrize(
    ("text", "column", "part"),
    [
        ("(y - a*x)**2", 1, "is a column of the data"),
        ("mean(y - a*x) + y", 16, "is a column of the data"),
        ("sum(a*x, y)", 0, "takes 1 argument"),
        ("sum()", 0, "takes 1 argument"),
        ("sum", 0, "needs its argument"),
        ("sum(x", 0, "never closed"),
        ("sum(x)*x(2)", 7, "is not a function"),
        ("sum(`no`*a)", 4, "no column 'no'"),
        ("sum(`x*a)", 4, "never closed"),
        ("sum(``*a)", 4, "no name between"),
        ("sum(2`x`)", 5, "two factors"),
        ("sum(x*α)", 6, "may be the column"),
    ],
)
def test_a_bad_row_formula_is_refused_at_its_place(text, column, part):
    data = DATA | {"α": DATA["x"], "alpha": DATA["x"]}
    with pytest.raises(FormulaError) as caught:
        Loss(text, data)
    assert caught.value.column == column
    assert part in str(caught.value)


def test_without_data_there_are_no_rows():
    for text in ("sum(x)", "mean((y - a)**2)", "`x` + 1"):
        with pytest.raises(FormulaError):
            Loss(text)


def test_a_column_is_no_parameter():
    with pytest.raises(ArgumentError, match="'x' is a column"):
        symgd.descend("mean((y - a*x)**2)", data=DATA, start={"x": 1.0, "a": 1.0})
    with pytest.raises(ArgumentError, match="'x' is a column"):
        Loss("mean((y - a*x)**2)", DATA, constants={"x": 2.0})


def test_a_loss_that_reads_no_column_is_refused():
    with pytest.raises(DataError, match="reads no column"):
        Loss("mean(a**2)", DATA)


def test_functions_of_sympy_take_no_data():
    with pytest.raises(ArgumentError, match="is a formula"):
        Loss(lambda a: a**2, DATA)


# Descents over data


def test_a_descent_reaches_the_least_squares_line():
    x, y = DATA["x"], DATA["y"]
    result = symgd.descend(
        "mean((y - (a*x + b))**2)", data={"x": x, "y": y}, lr=0.2, steps=5000, tol=1e-11
    )
    slope, intercept = np.polyfit(x, y, 1)
    assert result.status == "converged"
    assert result.theta["a"] == pytest.approx(slope, rel=1e-8)
    assert result.theta["b"] == pytest.approx(intercept, rel=1e-8)


def test_descents_over_rows_and_of_the_sum_written_out_are_those_of_optax():
    x, y = np.array([0.5, 1.5, 2.0]), np.array([1.0, 2.5, 2.0])
    written = " + ".join(f"({v} - a*{u} - b)**2" for u, v in zip(x, y, strict=True))
    rules = {
        "gd": optax.sgd(0.02),
        "adam": optax.adam(0.02),
        "nesterov": optax.sgd(0.02, momentum=0.9, nesterov=True),
    }
    for rule, optimizer in rules.items():
        theta = jnp.ones(2)
        state = optimizer.init(theta)
        for _ in range(100):
            r = y - theta[0] * x - theta[1]
            updates, state = optimizer.update(-2 * jnp.array([r @ x, r.sum()]), state, theta)
            theta = optax.apply_updates(theta, updates)
        options = {"lr": 0.02, "steps": 100, "rule": rule, "start": 1.0}
        over = symgd.descend("sum((y - a*x - b)**2)", data={"x": x, "y": y}, **options)
        for found in (over, symgd.descend(written, **options)):
            np.testing.assert_allclose(found.x, theta, rtol=1e-12)


def test_the_line_search_works_over_rows():
    result = symgd.descend("mean((y - a*x)**2)", data=DATA, lr="auto", steps=200, tol=1e-6)
    assert result.status == "converged"


def test_batches_are_those_of_a_loop_written_by_hand():
    x, y = DATA["x"], DATA["y"]
    result = symgd.descend(
        "mean((y - a*x)**2)", data={"x": x, "y": y}, lr=0.05, steps=9, start=0.0, batch=64, seed=3
    )
    generator, a, order = np.random.default_rng(3), 0.0, []
    for _ in range(9):
        if not len(order):
            order = generator.permutation(len(x))
        chosen, order = order[:64], order[64:]
        a -= 0.05 * float(np.mean(-2 * (y[chosen] - a * x[chosen]) * x[chosen]))
    assert result.theta["a"] == pytest.approx(a, rel=1e-13)


def test_a_batch_that_looks_converged_is_not():
    result = symgd.descend(
        "mean(y*(a - 1)**2)",
        data={"y": [0.0, 0.0, 0.0, 1.0]},
        start=0.0,
        lr=0.1,
        steps=2,
        batch=1,
        tol=1e-6,
    )  # most batches have gradient 0
    assert result.status == "max_steps"
    data = {"y": np.linspace(0.0, 1.0, 16)}
    result = symgd.descend("mean((y - a)**2)", data=data, start=9.0, lr=0.05, steps=160, batch=2)
    assert result.verdict.kind == "descending"
    assert "over all rows" in result.verdict.sentence


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"batch": 0}, "batch is 0"),
        ({"batch": 2.5}, "batch is 2.5"),
        ({"batch": 4, "seed": -1}, "seed is -1"),
        ({"batch": 4, "lr": "auto"}, "whole data"),
    ],
)
def test_bad_batches_are_refused(options, part):
    with pytest.raises(ArgumentError, match=part):
        symgd.descend("mean((y - a)**2)", data=DATA, **options)


def test_a_batch_without_data_is_refused():
    with pytest.raises(ArgumentError, match="rows of data"):
        symgd.descend("a**2", batch=4)


def test_a_run_tells_the_row_that_is_not_finite():
    data = {"x": [1.0, 2.0, -3.0, 4.0]}
    result = symgd.descend("mean(log(a*x))", data=data)
    assert result.status == "nonfinite"
    assert "log(a*x): a*x = -3.0 in row 3 at the start" in result.message
    result = symgd.descend("sum(sqrt(a*x - 4))", data={"x": [8.0, 4.0]})
    assert "in row 2" in result.message
    assert "derivative" in result.message


def test_an_overflow_in_a_row_is_a_divergence():
    result = symgd.descend("mean((y - a*x)**2)", data=DATA, lr=100.0, steps=2000)
    assert result.status == "diverged"


def test_the_verdict_knows_the_stable_learning_rates():
    data = {"x": [1.0, 2.0, 3.0]}
    result = symgd.descend("mean((a*x)**2)", data=data, lr=0.01, steps=30)
    assert result.verdict.lr_max == pytest.approx(2 / (2 * 14 / 3), rel=1e-10)


# The command line


@pytest.fixture
def points(tmp_path):
    path = tmp_path / "points.csv"
    path.write_text("x,y,dose (mg),name\n1,2,3,a\n2,4.1,5,b\n3,5.9,7,c\n")
    return str(path)


def command(*words):
    done = Outcome(*words)
    return done.code, done.out, done.err


def test_the_command_tells_parameters_from_columns(points):
    code, out, err = command("mean((y - (a*x + b))**2)", "--data", points, "-l", "0.1", "-n", "400")
    assert code == 0
    assert "parameters: a, b; columns: y, x; 3 rows" in err
    assert "a, b after 400 steps: 1.9" in out
    code, out, _ = command(
        "mean((y - a*`dose (mg)`)**2)", "--data", points, "-l", "0.01", "--format", "json"
    )
    assert code == 0
    assert json.loads(out)["loss"]["params"] == ["a"]


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["mean((y - a*x)**2) + y", "--data", "FILE"], "column of the data"),
        (["mean((y - a*x)**2)", "--data", "FILE", "-s", "x=2"], "'x' is a column"),
        (["mean((y - a*x)**2)"], "rows of a data file"),
        (["mean((y - a*x)**2)", "--data", "FILE", "--batch", "0"], "--batch"),
        (["mean((y - a*`z`)**2)", "--data", "FILE"], "no column 'z'"),
        (["mean((y - a*x)**2)", "--data", "no.csv"], "no.csv"),
    ],
)
def test_a_mistake_about_rows_is_one_message(words, part, points):
    code, out, err = command(*[points if w == "FILE" else w for w in words])
    assert (code, out) == (2, "")
    assert part in err
    assert "Traceback" not in err


def test_the_expression_for_people_is_a_sum_over_an_index():
    loss = Loss("mean((y - a*x)**2)", DATA)
    i, n = sympy.Symbol("i", integer=True), sympy.Symbol("n", integer=True, positive=True)
    x, y = (
        sympy.IndexedBase(sympy.Symbol("x", real=True)),
        sympy.IndexedBase(sympy.Symbol("y", real=True)),
    )
    a = loss.symbols["a"]
    assert loss.expr == sympy.Sum((y[i] - a * x[i]) ** 2, (i, 1, n)) / n
    there = loss.gradient["a"].subs({n: 2, a: 3}).doit().subs({x[1]: 1, x[2]: 2, y[1]: 1, y[2]: 1})
    assert float(there) == (-2 * (1 - 3) * 1 - 2 * (1 - 6) * 2) / 2


# Sufficient statistics

LONG = {
    "x": GENERATOR.uniform(5.0, 6.0, 5000),
    "w": GENERATOR.uniform(0.5, 2.0, 5000),
}
LONG["y"] = 1000.0 + 3.0 * LONG["x"] + GENERATOR.normal(0.0, 1e-3, 5000)


def by_hand(text, theta):
    """Value, gradient and Hessian of a loss of `SQUARES`: sums of w*r**2 with r linear."""
    x, w, y = (LONG[n].astype(np.longdouble) for n in "xwy")
    ones, theta = np.ones_like(x), np.array(theta, np.longdouble)
    columns, weight, ridge = SQUARES[text](x, w, ones)
    design = np.column_stack(columns)
    r = design @ theta - y
    value = weight @ r**2 + ridge * (theta @ theta)
    grad = 2 * design.T @ (weight * r) + 2 * ridge * theta
    hess = 2 * design.T @ (weight[:, None] * design) + 2 * ridge * np.eye(len(theta))
    if text.startswith("sqrt"):
        root = np.sqrt(value)
        hess = hess / (2 * root) - np.outer(grad, grad) / (4 * value * root)
        value, grad = root, grad / (2 * root)
    return float(value), grad.astype(float), hess.astype(float)


#: loss -> the columns of r + y, the weights, the factor of a**2 + b**2
SQUARES = {
    "mean((y - (a*x + b))**2)": lambda x, w, ones: ([x, ones], ones / len(x), 0.0),
    "sum(w*(y - a*x - b)**2)/2 + 0.1*(a**2 + b**2)": lambda x, w, ones: ([x, ones], w / 2, 0.1),
    "sqrt(mean((a*log(x) + b*x/3 - y - c)**2))": lambda x, w, ones: (
        [np.log(x), x / 3, -ones], ones / len(x), 0.0,
    ),
}  # fmt: skip


@pytest.mark.parametrize("text", SQUARES)
def test_moments_stand_for_rows_as_accurately(text):
    loss = Loss(text, LONG)
    assert loss.internals.reduced
    assert loss.program.loops == ()
    direct = loss.around(loss.internals.by_rows())
    assert direct.program.loops
    best = symgd.descend(loss, start=1.0, lr="auto", steps=300).x
    for theta in (best, best + 1e-6, best * 0.9, np.full(len(best), 7.0)):
        value, grad, hess = by_hand(text, theta)
        scale = np.abs(hess) @ np.abs(theta)
        rounded = 1e-15 * np.abs(grad)  # far away sqrt's own Hessian is nearly 0
        for found in (loss, direct):
            assert found.value(theta.tolist()) == pytest.approx(value, rel=1e-9)
            error = np.abs(found.grad(theta.tolist()) - grad)
            assert np.all(error <= 1e-11 * scale + rounded)
            np.testing.assert_allclose(found.hess(theta.tolist()), hess, rtol=1e-6)


def test_the_value_at_the_minimum_keeps_its_digits():
    # sum(y**2) is 10^12 times the sum of squares there: moments about 0 would keep 4 digits
    loss = Loss("mean((y - (a*x + b))**2)", LONG)
    design = np.column_stack([LONG["x"], np.ones(5000)])
    a, b = np.linalg.lstsq(design, LONG["y"])[0]
    residual = [
        mpmath.mpf(float(y)) - (mpmath.mpf(float(a)) * float(x) + mpmath.mpf(float(b)))
        for x, y in zip(LONG["x"], LONG["y"], strict=True)
    ]
    exact = float(mpmath.fsum(r * r for r in residual) / 5000)
    assert loss.value([float(a), float(b)]) == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize(
    "text",
    ["mean((y - exp(a*x))**2)", "mean((y - a*b*x)**2)", "mean(|y - a*x|)", "mean((y - a*x)**4)"],
)
def test_what_is_no_square_of_a_linear_form_goes_over_the_rows(text):
    assert not Loss(text, LONG).internals.reduced


def test_collinear_columns_are_not_reduced():
    data = LONG | {"z": 2 * LONG["x"]}
    assert not Loss("mean((y - a*x - b*z)**2)", data).internals.reduced


def test_batches_go_over_the_rows():
    result = symgd.descend("mean((x - a)**2)", data=LONG, lr=0.1, steps=50, batch=10, seed=1)
    whole = symgd.descend("mean((x - a)**2)", data=LONG, lr=0.1, steps=50)
    assert result.theta["a"] != whole.theta["a"]
    assert result.theta["a"] == pytest.approx(whole.theta["a"], abs=0.3)


def test_a_table_that_is_read_again_on_every_pass(tmp_path):
    from symgd.data import read_table

    x, y = (LONG[name][:3000] for name in ("x", "y"))
    path = tmp_path / "long.csv"
    rows = [f"{float(a)!r},{float(b)!r}" for a, b in zip(x, y, strict=True)]
    path.write_text("\n".join(["x,y", *rows, ""]))
    table = read_table(str(path), ["x", "y"], block_rows=1024)
    text = "mean((y - (a*exp(b*x) + c))**2)"
    streamed, whole = Loss(text, table), Loss(text, {"x": x, "y": y})
    theta = [1.0, 0.5, 900.0]
    e = np.exp(0.5 * x)
    r = y - (e + 900.0)
    grad = [np.mean(-2 * r * d) for d in (e, x * e, np.ones_like(x))]
    for found in (streamed, whole):
        assert found.value(theta) == pytest.approx(np.mean(r * r), rel=1e-13)
        assert found.grad(theta) == pytest.approx(grad, rel=1e-12)
    right, covariance = np.polyfit(x, y, 1, cov=True)
    for data in (table, {"x": x, "y": y}):
        fit = symgd.fit("y = a*x + b", data)
        assert [fit.theta["a"], fit.theta["b"]] == pytest.approx(right, rel=1e-9)
        assert list(fit.stderr.values()) == pytest.approx(np.sqrt(np.diag(covariance)), rel=1e-6)
    steps = symgd.descend("mean((y - a*x)**2)", data=table, lr=0.01, steps=20, batch=100)
    assert steps.status == "completed"


@pytest.mark.parametrize("term", ["0*(q - sqrt(x))", "0*log(x*q)", "q*0*sqrt(x)"])
def test_zero_times_a_term_outside_its_domain_is_nan_in_rows_as_in_scalars(term):
    loss = Loss(f"sum({term})", {"q": [0.5, 0.25]})
    assert math.isnan(loss.value([-0.5]))
    assert loss.value([0.5]) == 0
