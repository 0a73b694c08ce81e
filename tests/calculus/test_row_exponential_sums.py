"""Logarithms and quotients of sums of exponentials over rows, where a plain sum overflows."""

import math

import mpmath
import numpy as np
import pytest
from scipy import special

import symgd
from symgd import Loss
from symgd.backends.compiler import compile_program
from symgd.backends.native.row_blocks import compile_native
from symgd.backends.numpy_rows import BLOCK, compile_rows
from symgd.data import read_table
from symgd.formula.graph import Graph
from symgd.formula.nodes import Column, RowMax

inf, nan = math.inf, math.nan
DIGITS = mpmath.MPContext()
DIGITS.prec = 200


def data(rows=300, kind=np.float64):
    generator = np.random.default_rng(3)
    x, w = generator.uniform(-1.0, 1.0, rows), generator.uniform(0.5, 2.0, rows)
    return {"x": x.astype(kind), "w": w.astype(kind)}


def over(d, term):
    """The exact sum over the rows."""
    columns = [[DIGITS.mpf(float(v)) for v in d[name]] for name in ("x", "w")]
    return DIGITS.fsum(term(x, w) for x, w in zip(*columns, strict=True))


e, log = DIGITS.exp, DIGITS.log
#: text -> its value at a, b in mpmath's numbers.
LOSSES = {
    "log(sum(exp(a*x)))": lambda d, a, b: log(over(d, lambda x, w: e(a * x))),
    "log(mean(exp(a*x)*w))": lambda d, a, b: log(over(d, lambda x, w: w * e(a * x)) / len(d["x"])),
    "log(sum(exp(a*x) + exp(b - a*x)))": lambda d, a, b: log(
        over(d, lambda x, w: e(a * x) + e(b - a * x))
    ),
    "log(sum(w + 3*exp(a*x)**2))": lambda d, a, b: log(over(d, lambda x, w: w + 3 * e(2 * a * x))),
    "log(1 + sum(w/exp(a*x)))": lambda d, a, b: log(1 + over(d, lambda x, w: w * e(-a * x))),
    "log1p(sum(exp(a*x)))": lambda d, a, b: log(1 + over(d, lambda x, w: e(a * x))),
    "log(exp(b)*sum(exp(a*x)) + 2*mean(exp(b*x)) + exp(-b))": lambda d, a, b: log(
        e(b) * over(d, lambda x, w: e(a * x))
        + 2 * over(d, lambda x, w: e(b * x)) / len(d["x"])
        + e(-b)
    ),
    "sum(w*exp(a*x))/sum(exp(a*x))": lambda d, a, b: (
        over(d, lambda x, w: w * e(a * x)) / over(d, lambda x, w: e(a * x))
    ),
    "sum(w*exp(a*x)/sum(exp(a*x)))": lambda d, a, b: (
        over(d, lambda x, w: w * e(a * x)) / over(d, lambda x, w: e(a * x))
    ),
    "sum(exp(a*x)/sum(exp(a*x))*log(exp(a*x)/sum(exp(a*x))))": lambda d, a, b: (
        over(d, lambda x, w: a * x * e(a * x)) / over(d, lambda x, w: e(a * x))
        - log(over(d, lambda x, w: e(a * x)))
    ),
    "b*mean(exp(a*x)*x)/mean(exp(a*x))": lambda d, a, b: (
        b * over(d, lambda x, w: x * e(a * x)) / over(d, lambda x, w: e(a * x))
    ),
    "log(sum(exp(a*x))/sum(exp(b*x)))": lambda d, a, b: (
        log(over(d, lambda x, w: e(a * x))) - log(over(d, lambda x, w: e(b * x)))
    ),
    "log(mean(exp(a*x)))/a + mean((w - b)**2)": lambda d, a, b: (
        log(over(d, lambda x, w: e(a * x)) / len(d["x"])) / a
        + over(d, lambda x, w: (w - b) ** 2) / len(d["x"])
    ),
}
POINTS = [(1.3, 0.4), (900.0, 850.0), (-2000.0, 1500.0), (3e4, -800.0)]


def slope(function, x, k):
    """A derivative in 200 bits, by a difference whose error is below a double's."""
    h = DIGITS.mpf(2) ** -60
    ends = []
    for sign in (1, -1):
        moved = [DIGITS.mpf(v) for v in x]
        moved[k] += sign * h
        ends.append(function(*moved))
    return (ends[0] - ends[1]) / (2 * h)


@pytest.mark.parametrize("backend", ["lambdify", "native"])
@pytest.mark.parametrize("text", LOSSES)
def test_values_and_gradients_are_those_of_mpmath(text, backend):
    for kind in (np.float64, np.float32):
        columns = data(37, kind)
        loss = Loss(text, columns)
        loss = loss.around(loss.internals.on(backend))
        for point in POINTS:

            def exact(a, b, columns=columns):
                return LOSSES[text](columns, a, b)

            value, grad = loss.value_and_grad(
                dict(zip("ab", point, strict=True)) if len(loss.params) == 2 else point[:1]
            )
            expected = exact(*map(DIGITS.mpf, point))
            assert value == pytest.approx(float(expected), rel=1e-11)
            size = max(abs(g) for g in grad)
            for k, got in enumerate(grad):
                wanted = float(slope(exact, point, k))
                assert got == pytest.approx(
                    wanted, rel=1e-8, abs=1e-10 * size + 1e-14 * max(abs(value), 0.1)
                ), (
                    point,
                    k,
                )


@pytest.mark.parametrize("text", ["log(sum(exp(a*x)))", "log(mean(exp(a*x + b)) + 1)"])
def test_second_derivatives_are_finite_too(text):
    scipy = pytest.importorskip("scipy.special")
    columns = data()
    loss = Loss(text, columns)
    a = 950.0
    weights = scipy.softmax(a * columns["x"])
    mean = float(weights @ columns["x"])
    hessian = loss.hess([a, 0.0][: len(loss.params)])
    assert hessian[0][0] == pytest.approx(float(weights @ (columns["x"] - mean) ** 2), rel=1e-9)


@pytest.mark.parametrize("backend", ["lambdify", "native"])
def test_a_descent_begins_where_a_plain_sum_is_infinite(backend):
    result = symgd.descend(
        "log(mean(exp(a*x))) + (a - 5)**2/1000",
        data=data(), start=900.0, lr=100.0, steps=200, backend=backend,
    )  # fmt: skip
    assert result.status is symgd.Status.COMPLETED
    assert abs(result.theta["a"]) < 100


@pytest.mark.parametrize(
    "rows", [1, 2, 7, 8, 9, 1023, 1025, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 5]
)
def test_any_number_of_rows_threads_and_pieces(rows, monkeypatch, tmp_path):
    scipy = pytest.importorskip("scipy.special")
    monkeypatch.setattr("symgd._threads._WAKE", 1e-9)
    columns = data(rows)
    loss = Loss("log(sum(exp(a*x)))", columns)
    program = loss.program
    expected = float(scipy.logsumexp(1100.0 * columns["x"]))
    for threads in (1, 2, 3):
        value, _ = compile_native(program, threads)(
            [1100.0, *loss.internals.rows.more(program)], loss.table
        )
        assert value == pytest.approx(expected, rel=1e-13)
    file = tmp_path / "x.csv"
    file.write_text("x\n" + "\n".join(map(repr, columns["x"].tolist())) + "\n")
    streamed = Loss("log(sum(exp(a*x)))", read_table(str(file), ["x"], block_rows=1000))
    for backend in ("lambdify", "native"):
        over = streamed.internals.on(backend)
        assert over.evaluate_value(1100.0)[0] == pytest.approx(expected, rel=1e-13)


class Rows:
    """A table of one piece."""

    def __init__(self, columns):
        self.columns = columns

    def blocks(self):
        yield self.columns


@pytest.mark.parametrize("place", [0, 3, 7, 8, 8191, 8192, 9998])
@pytest.mark.parametrize(
    ("strange", "expected"), [(nan, 5.0), (-inf, 5.0), (inf, 0.0), (700.0, 700.0)]
)
def test_the_peak_is_the_largest_number_or_nothing(place, strange, expected):
    """What is infinite cannot shift an exponent; NaN turns up in the sum."""
    graph = Graph()
    program = compile_program([], {"f": graph.node(RowMax, Column("x", "x"))})
    cells = np.full(9999, -3.0)
    cells[(place + 17) % 9999] = 5.0
    cells[place] = strange
    for compile_ in (compile_rows, compile_native):
        assert compile_(program)([], Rows({"x": cells})) == [expected]
    for nothing in (nan, -inf):
        for compile_ in (compile_rows, compile_native):
            assert compile_(program)([], Rows({"x": np.full(13, nothing)})) == [0.0]


def test_people_read_no_shift():
    loss = Loss("log(sum(exp(a*x)))", data())
    assert loss.gradient_text() == {"a": "1/sum(exp(a*x))*sum(x*exp(a*x))"}
    x = data()["x"]
    right = special.softmax(1.5 * x) @ x
    assert loss.grad([1.5])[0] == pytest.approx(right, rel=1e-13)
    again = Loss(loss.gradient_text()["a"], data())
    assert again.value([1.5]) == pytest.approx(right, rel=1e-13)


def test_pictures_of_such_a_loss_are_finite():
    from symgd.backends.numpy_points import compile_points

    columns = data()
    loss = Loss("log(mean(exp(a*x)))", columns)
    inner = loss.internals.by_rows()
    program = inner.value_program
    points = np.array([[-900.0], [0.5], [900.0]])
    values = compile_points(program, inner.rows.more(program), loss.table)(points)
    right = [special.logsumexp(p * columns["x"]) - math.log(len(columns["x"])) for p in points]
    assert values == pytest.approx(right, rel=1e-13)


def test_sums_without_a_parameter_are_shifted_once():
    columns = {"x": np.array([1000.0, 1001.0]), "y": np.array([1.0, 2.0])}
    loss = Loss("(a - log(sum(exp(x))))**2 + mean((y - a)**2)", columns)
    top = 1001.0 + math.log1p(math.exp(-1.0))
    assert loss.value([top]) == pytest.approx(((1 - top) ** 2 + (2 - top) ** 2) / 2, rel=1e-12)
