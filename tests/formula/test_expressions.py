"""Formulas that nobody here wrote: values, gradients at 50 digits and against JAX in float64."""

from functools import cache

import jax
import jax.numpy as jnp
import mpmath
import pytest
from jax.scipy import special

import symgd
from symgd import FormulaError, Loss, names
from tests import corpora
from tests.grids import every

jax.config.update("jax_enable_x64", True)

RELATIVE = 1e-12

# Records of level "must" that the design reads differently. The design wins.
READ_DIFFERENTLY = {
    "E*pi": "E is a variable; Euler's number is e",
    "E": "E is a variable; Euler's number is e",
    "e+1": "e is Euler's number, unless it is named as a parameter",
}

# Records of level "dialect" that the language refuses, with a piece of what it says.
REFUSED_DIALECT = {
    "sin^2(x)": "write sin(x)^2",
    "2 sin(x) cos(x)": "without an operator",
    "pi sin(x)": "without an operator",
    "tan y**3": "write tan(y)",
    "factorial(10)": "is not a function",
    "0x1e+4": "another base",
}


@cache
def read(text, params=()):
    return Loss(text, params=params)


def points(records):
    """(record, formula, the same for Python, points, known values) of any corpus."""
    if "feynman" in records:
        for r in corpora.load("feynman") or ():
            at = [c["at"] for c in r["check_points"]]
            yield f"feynman {r['id']}", r["formula"], at, [c["value"] for c in r["check_points"]]
    if "test_functions" in records:
        for r in corpora.load("test_functions") or ():
            at = [dict(zip(r["params"], p, strict=True)) for p in r["check_points"]]
            yield r["name"], r["expr"], at, r["check_values"]
    if "mgh" in records:
        for r in corpora.load("mgh"):
            at = [dict(zip(r["params"], r["start"], strict=True))]
            yield r["name"], r["expr"], at, [None]
            if None not in (r["xmin"] or [None]):
                at = [dict(zip(r["params"], r["xmin"], strict=True))]
                yield f"{r['name']} at its minimum", r["expr"], at, [None]
    if "expressions" in records:
        for r in corpora.load("expressions") or ():
            if r["level"] == "must" and r["expr"] not in READ_DIFFERENTLY:
                at = [c["at"] for c in r["check_points"]]
                yield r["expr"], r["expr"], at, [c["value"] for c in r["check_points"]]


def cases(*records, nth=1):
    found = every(nth, [pytest.param(*case, id=case[0][:60]) for case in points(records)])
    reason = f"../shared/corpora is not there ({', '.join(records)})"
    skip = [pytest.param(*[None] * 4, id="no corpora", marks=pytest.mark.skip(reason=reason))]
    return pytest.mark.parametrize(("name", "text", "at", "values"), found or skip)


def gradient(loss, at):
    """The value, and the gradient with 0 for names that the formula does not hold."""
    here = {names.canonical(k): v for k, v in at.items()}
    point = {p: here[p] for p in loss.params}
    value, slopes = loss.exact.value_and_grad(point)
    return _by_name(loss, at, value, slopes)


def compiled(loss, at):
    """The same from the compiled program, which rounds every operation."""
    here = {names.canonical(k): v for k, v in at.items()}
    value, *slopes = loss.internals.evaluate(*(float(here[p]) for p in loss.params))
    return _by_name(loss, at, value, slopes)


def _by_name(loss, at, value, slopes):
    by_name = dict(zip(loss.params, slopes, strict=True))
    return value, {k: float(by_name.get(names.canonical(k), 0.0)) for k in at}


def relative(got, exact):
    return abs(mpmath.mpf(got) - exact) / max(abs(exact), mpmath.mpf(10) ** -300)


@cases("feynman", "test_functions", "expressions")
def test_value_at_the_check_points_is_the_published_one(name, text, at, values):
    """The published ones come from doubles, so the compiled program is compared."""
    loss = read(text)
    for point, value in zip(at, values, strict=True):
        assert compiled(loss, point)[0] == pytest.approx(value, rel=RELATIVE, abs=1e-300)


@cases("mgh", "feynman", "test_functions", "expressions", nth=2)
def test_value_and_gradient_are_exact_to_1e_12(name, text, at, values):
    """Every component at every point, minima included, against 50 digits and no other allowance.

    Where that fails the oracle gets 400 digits: its 50 are not enough to tell 0 from 1e-51.
    """
    loss = read(text)
    for point in at:
        value, got = gradient(loss, point)
        exact, slopes = corpora.derive(text, point)
        if not _same(value, got, exact, slopes):
            exact, slopes = corpora.derive(text, point, digits=400)
        assert _same(value, got, exact, slopes), (point, value, got)


def _same(value, got, exact, slopes):
    """To 1e-12 relative; an exact value below the doubles' range is 0."""
    pairs = [(value, exact), *((got[p], slopes[p]) for p in slopes)]
    return all(abs(a - b) <= max(RELATIVE * abs(b), TINY) for a, b in pairs)


TINY = 2.2250738585072014e-308


@cases("mgh", "feynman", "test_functions", "expressions", nth=2)
def test_compiled_gradient_is_right_to_its_rounding_noise(name, text, at, values):
    """To 1e-12 relative per component; where terms of the formula cancel, to its rounding noise.

    The noise is what random rounding errors of 2**-53 in each operation do to the component
    (`corpora.rounding_noise`): no evaluation of the formula in doubles can do better.
    """
    loss = read(text)
    for point in at:
        exact, slopes = corpora.derive(text, point)
        value, got = compiled(loss, point)
        pairs = [(value, exact, None), *((got[p], slopes[p], p) for p in point)]
        if all(relative(a, b) <= RELATIVE for a, b, _ in pairs):
            continue
        noise = corpora.rounding_noise(text, point)
        for a, b, p in pairs:
            allowed = noise.value if p is None else noise.slopes[p]
            assert abs(a - b) <= max(RELATIVE * abs(b), 2 * allowed), (p, float(relative(a, b)))


def test_components_of_compiled_gradients_outside_1e_12_are_few_and_known():
    """Away from minima only these formulas cancel so much that doubles lose 12 digits."""
    outside = {}
    for name, text, at, _ in points(("mgh", "feynman", "test_functions", "expressions")):
        if name.endswith("at its minimum"):
            continue
        for point in at:
            _, slopes = corpora.derive(text, point)
            _, got = compiled(read(text), point)
            error = max((relative(got[p], slopes[p]) for p in point), default=0)
            if error > RELATIVE:
                outside[name] = max(float(error), outside.get(name, 0.0))
    assert outside.keys() <= CANCELLING.keys(), outside


# Every one loses digits in the formula as typed: the phase of a sine, rounded to a double, or a
# difference of nearly equal terms. JAX loses the same digits; `Loss.exact.grad` does not.
CANCELLING = {
    "DeVilliersGlasser02": "cos(t*exp(x5)) of an argument up to 1e16: no digit of it is left",
    "Ripple01": "cos(500*pi*x1)**2 near its zero",
    "Schaffer01": "sin(x1**2 + x2**2)**2 of an argument of 6000",
    "Schaffer03": "sin(cos(abs(x1**2 - x2**2)))**2 of an argument of 9000",
    "Trefethen": "sin(60*exp(x2)) of an argument of 1e5",
    "Trigonometric02": "sin(14*(x1 - 0.9)**2) of an argument of 3e6",
    "Brown badly scaled": "the slope in x2 is 2*(1 - 2e-6) - 2 at the start",
}


_JNP = {
    name: getattr(jnp, name, None)
    for name in [
        "exp",
        "log",
        "sin",
        "cos",
        "tan",
        "sinh",
        "cosh",
        "tanh",
        "sqrt",
        "cbrt",
        "abs",
        "log10",
        "log1p",
        "expm1",
    ]
} | {
    "asin": jnp.arcsin,
    "acos": jnp.arccos,
    "atan": jnp.arctan,
    "atan2": jnp.arctan2,
    "asinh": jnp.arcsinh,
    "acosh": jnp.arccosh,
    "atanh": jnp.arctanh,
    "sec": lambda x: 1 / jnp.cos(x),
    "csc": lambda x: 1 / jnp.sin(x),
    "cot": lambda x: 1 / jnp.tan(x),
    "erf": special.erf,
    "loggamma": special.gammaln,
    "gamma": special.gamma,
    "max": jnp.maximum,
    "pi": float(jnp.pi),
    "__builtins__": {},
}


@cases("mgh", "feynman", "test_functions", "expressions", nth=5)
def test_gradient_agrees_with_jax_in_float64(name, text, at, values):
    """The compiled gradient to 1e-12 of the largest component, since both round alike; that of
    `Loss.exact.grad` to 1e-12 in each component that JAX has right, by mpmath at 50 digits.
    """
    params = list(at[0])
    if not params or name.endswith("at its minimum"):
        return
    code = compile(text.strip(), name, "eval")

    def formula(*x):
        return jnp.asarray(eval(code, dict(_JNP) | dict(zip(params, x, strict=True)))) * 1.0

    places = [jnp.array([p[name] for p in at], dtype=jnp.float64) for name in params]
    theirs = jax.vmap(jax.grad(formula, argnums=tuple(range(len(params)))))(*places)
    for k, point in enumerate(at):
        _, got = compiled(read(text), point)
        _, best = gradient(read(text), point)
        _, exact = corpora.derive(text, point)
        column = [float(t[k]) for t in theirs]
        finite = [abs(c) for c in column if jnp.isfinite(c)]
        scale = max(finite, default=0.0)
        for p, other in zip(params, column, strict=True):
            if jnp.isfinite(other):
                error = abs(got[p] - other) / max(scale, 1e-300)
                right = relative(got[p], exact[p]) <= RELATIVE  # where only JAX is off
                assert right or error <= RELATIVE, (p, got[p], other)
                if relative(other, exact[p]) <= RELATIVE:
                    assert best[p] == pytest.approx(other, rel=2 * RELATIVE, abs=TINY)


def parameters_of_derivatives():
    for r in corpora.load("expressions") or ():
        for rule in r["derivative"] or ():
            text = r["expr"] if r["level"] == "must" else r["plain"]
            yield pytest.param(text, r["check_points"], rule, id=text)


@pytest.mark.parametrize(("text", "check_points", "rule"), list(parameters_of_derivatives()))
def test_derivative_is_the_one_in_the_other_library_s_test(text, check_points, rule):
    loss = read(text)
    for check in check_points:
        at = check["at"] or {rule["var"]: 1.0}
        expected, _ = corpora.derive(rule["expected"], at)
        here = {p: at[p] for p in loss.params}
        got = dict(zip(loss.params, loss.grad(here), strict=True)).get(rule["var"], 0.0)
        assert float(got) == pytest.approx(float(expected), rel=RELATIVE)


@corpora.each("expressions", lambda r: r["level"] == "dialect", lambda r: r["expr"].strip())
def test_dialect_is_read_like_its_plain_spelling_or_refused(record):
    text = record["expr"]
    if text in REFUSED_DIALECT:
        with pytest.raises(FormulaError) as error:
            read(text)
        assert REFUSED_DIALECT[text] in str(error.value)
        return
    for check in record["check_points"]:
        at = check["at"]
        assert gradient(read(text), at)[0] == pytest.approx(check["value"], rel=RELATIVE)


def test_e_is_euler_s_number_until_a_parameter_has_its_name():
    assert symgd.Loss("e + 1").value({}) == pytest.approx(3.718281828459045, rel=1e-15)
    assert read("e + 1", ("e",)).value({"e": 2.0}) == 3.0
    assert read("E").params == ("E",)


@corpora.each("mgh")
def test_mgh_minimum_has_the_published_value(record):
    if None in (record["xmin"] or [None]):
        pytest.skip("no published minimizer")
    here = dict(zip(record["params"], record["xmin"], strict=True))
    value = gradient(read(record["expr"]), here)[0]
    assert value == pytest.approx(record["fmin"], rel=1e-6, abs=1e-12)
