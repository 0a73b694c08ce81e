"""Random formulas go through text, LaTeX, gradient texts and SymPy, and keep their values.

The values are mpmath's at 60 digits, of trees that were made before any text was
(`tests.formula.random_formulas`); LaTeX is read back by a reader of mathematical notation.
"""

import random
import re

import mpmath
import pytest

from symgd import DataError, FormulaError, Loss
from symgd.formula.evaluate import evaluate_all
from symgd.formula.parse import parse
from symgd.formula.printing.latex import latex
from symgd.formula.printing.plain import write
from symgd.formula.symbol_table import Columns
from tests.formula.latex_reader import Reader
from tests.formula.random_formulas import PARAMETERS, grow, spell, value
from tests.oracle import DIGITS, mp_function, mp_slope

LATEX = {"x": "x", "y": "y", r"\theta_{1}": "theta_1", "x_{2}": "x2", r"\mathrm{speed}": "speed"}
LATEX |= {"N": "N", r"\lambda": "lambda"}
NAMES = {shown: ("name", name) for shown, name in LATEX.items()}
NAMES |= {r"\pi": ("number", "pi"), "e": ("number", "e"), "n": ("count",)}
NAMES |= {(c, "column"): ("name", c) for c in ("u", "v")}
NAMES |= {(r"\mathrm{dose\_2}", "column"): ("name", "dose_2")}
DATA = {"u": [0.5, 1.25, -2.0], "v": [3.0, 0.75, 1.5], "dose_2": [1.0, 0.25, 2.0]}


def formulas(seed, count, depth=4, rows=0):
    """(tree, text, source of chance) of formulas that can be read."""
    source = random.Random(seed)
    while count:
        tree = grow(source, depth, rows)
        text = spell(tree, source)
        try:
            parse(text) if not rows else Loss(text, DATA)
        except (FormulaError, DataError):  # a constant that is no real number; no column
            continue
        count -= 1
        yield tree, text, source


def points(source, count=2):
    for _ in range(count):
        yield {name: source.choice((-1, 1)) * source.uniform(0.1, 3) for name in PARAMETERS}


def right(tree, at, data=None):
    """The value with 60 digits, or None where it is not a real number."""
    with mpmath.workdps(DIGITS):
        try:
            found = value(tree, at, data)
        except (ArithmeticError, ValueError, TypeError):
            return None
        return found if mpmath.isfinite(found) else None


def near(one, other, scale=0):
    with mpmath.workdps(DIGITS):
        return abs(one - other) <= mpmath.mpf(10) ** -40 * (abs(other) + scale)


def of_root(text, at):
    """The value of the nodes of a text, each operation rounded once."""
    formula = parse(text)
    leaves = {symbol: at[name] for name, symbol in formula.variables.items()}
    return evaluate_all([formula.root], leaves)[id(formula.root)]


def same(one, other):
    return one == other or (one != one and other != other)


@pytest.mark.parametrize("seed", range(6))
def test_text_and_latex_are_read_back(seed):
    for tree, text, source in formulas(seed, 150):
        root = parse(text).root
        plain, pretty = write(root), write(root, pretty=True)
        shown = Reader(latex(root), NAMES).formula()
        for at in points(source):
            rounded = of_root(text, at)
            assert same(of_root(plain, at), rounded), (text, plain)
            assert same(of_root(pretty, at), rounded), (text, pretty)
            expected = right(tree, at)
            if expected is not None:
                assert near(right(shown, at), expected), (text, latex(root))


@pytest.mark.parametrize("seed", range(4))
def test_sums_over_rows_are_read_back(seed):
    for tree, text, source in formulas(100 + seed, 30, rows=1):
        loss = Loss(text, DATA)
        again = Loss(write(loss.internals.root), DATA)
        shown = Reader(latex(loss.internals.root), NAMES).formula()
        for at in points(source):
            here, there = ([at[p] for p in x.params] for x in (loss, again))
            assert same(again.internals.evaluate(*there)[0], loss.internals.evaluate(*here)[0])
            expected = right(tree, at, DATA)
            if expected is not None:
                assert near(right(shown, at, DATA), expected), (text, latex(loss.internals.root))


def by_python(text, at):
    """The value of a text that Python reads, with 60 digits, or None where it is not real."""
    text = re.sub(r"\blambda\b", "lambda_", text)
    names = [re.sub(r"^lambda$", "lambda_", name) for name in at]
    with mpmath.workdps(DIGITS):
        try:
            function = mp_function(text, names, DATA)
            found = mpmath.mpmathify(function(*map(mpmath.mpf, at.values())))
        except (ArithmeticError, ValueError, TypeError):
            return None
        return found if isinstance(found, mpmath.mpf) and mpmath.isfinite(found) else None


def slope_of(tree, at, name):
    """The derivative by differences of 60 digits; None where they do not see it."""

    def function(*values):
        return value(tree, dict(zip(at, values, strict=True)), DATA)

    found = right(tree, at, DATA)
    if found is None or abs(found) > 1e12:
        return None
    try:
        return mp_slope(function, at.values(), [float(p == name) for p in at])
    except (ArithmeticError, ValueError, TypeError):
        return None


@pytest.mark.parametrize("rows", [0, 1])
@pytest.mark.parametrize("seed", range(3))
def test_gradient_texts_can_be_typed_again(seed, rows):
    for tree, text, source in formulas(200 + seed, 60, depth=3, rows=rows):
        loss = Loss(text, DATA) if rows else Loss(text)
        for at in points(source, 1):
            for name, slope in loss.gradient_text(limit=10**6).items():
                read = parse(slope, columns=Columns(list(DATA)))
                written, again = by_python(slope, at), by_python(write(read.root), at)
                assert (written is None) == (again is None)
                if written is not None:
                    assert near(again, written), (text, name, slope)
                    expected = slope_of(tree, at, name)
                    if expected is not None:
                        off = abs(written - expected)
                        assert off <= 1e-9 * (1 + abs(expected)), (text, name, slope, at)


@pytest.mark.parametrize("seed", range(4))
def test_sympy_expressions_are_read_back(seed):
    refused = 0
    for tree, text, source in formulas(300 + seed, 40, depth=3):
        try:
            again = Loss(Loss(text).expr)
        except FormulaError:  # what SymPy finds to be infinite or complex
            refused += 1
            continue
        for at in points(source, 1):
            expected = right(tree, at)
            if expected is not None:
                found = by_python(write(again.internals.root), at)
                assert found is not None, (text, again)
                assert abs(found - expected) <= 1e-9 * (1 + abs(expected)), (text, again)
    assert refused < 10


def test_gradient_text_of_huber_holds_for_any_threshold():
    """y*(|x| - y/2) beyond |x| <= y: slopes y*sign(x) and |x| - y, also for y < 0."""
    loss, at = Loss("huber(x, y)"), {"x": 3.0, "y": -0.5}
    texts = loss.gradient_text()
    assert [Loss(texts[p]).value(at) for p in "xy"] == [-0.5, 3.5]
    assert loss.grad(at).tolist() == [-0.5, 3.5]
