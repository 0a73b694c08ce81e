"""Wrong indexed formulas: where the caret stands, one sentence, one hint."""

import numpy as np
import pytest

from symgd import ArgumentError, DataError, FormulaError, Loss
from tests.line_count import lines_of

DATA = {
    "y": [1.0, 2.0, 3.0],
    "x1": [1.0, 2.0, 0.0],
    "x2": [0.0, 1.0, 2.0],
    "i": [1.0, 1.0, 2.0],
    "site": [1.0, 2.0, 1.0],
    "user": [0.0, 1.0, 2.0],
    "label": [1.0, 2.0, 3.0],
    "half": [0.5, 1.0, 2.0],
}

# text with ‸ before the character that the caret shows, a piece of the sentence, one of the hint
SYNTAX = [
    ("x[‸", "ends too early", "something is missing"),
    ("x‸[1", "'[' is never closed", "add ']'"),
    ("x‸[1)", "'[' is never closed", "add ']'"),
    ("‸sum((x[1], i=1..3)", "'sum' is never closed", "add ')'"),
    ("‸dot(x[1], y", "'dot' is never closed", "add ')'"),
    ("x‸]", "closes nothing", "delete it"),
    ("x[‸]", "nothing between '[' and ']'", "x[i]"),
    ("x[1,‸]", "has nothing to work on", "missing"),
    ("‸[1]", "only after the name of an array", "x[1]"),
    ("(x)‸[1]", "only after the name of an array", "x[1]"),
    ("x[1]‸[2]", "only after the name of an array", "x[1]"),
    ("sin(x)‸[1]", "only after the name of an array", "x[1]"),
    ("2‸[1]", "only after the name of an array", "x[1]"),
    ("x[1‸..3]", "'..' stands only in the range", "sum(x[i], i=1..9)"),
    ("1‸..3", "'..' stands only in the range", "sum(x[i], i=1..9)"),
    ("sum(x[i], i=‸..3)", "'..' stands only in the range", "sum(x[i], i=1..9)"),
    ("sum(x[i], i=1‸...3)", "not part of a formula", "sum(x[i], i=1..9)"),
    ("sum(x[i], ‸i=1..)", "a range has two ends", "i=1..n"),
    ("sum(x[i], ‸i=1)", "a range has two ends", "i=1..n"),
    ("sum(x[i], ‸i=)", "a range has two ends", "i=1..n"),
    ("sum(x[i], ‸i=1..3..5)", "a range has two ends", "i=1..n"),
    ("sum(x[i], i=‸1.5..3)", "no end of a range", "2*n"),
    ("sum(x[i], i=1..‸a*b)", "no end of a range", "2*n"),
    ("sum(x[i], i=1..‸pi)", "pi is no end of a range", "a size"),
    ("sum(x[i], i=1..‸x)", "x is an array (x[i]) and a number (x)", "x[i]"),
    ("sum(x[i], i=1 ‸2..3)", "two factors", "*"),
    ("sum(x[i], i=1‸:3)", "not part of a formula", "i=1..n"),
    ("sum(‸x(i)^2, i=1..3)", "not a function", "x[i]"),
    ("sum(x[i ‸mod 3], i=1..3)", "two arguments", "mod(i, 3)"),
    ("sum(x[‸mod(i, 3)], i=1..3)", "no whole number", "column"),
    ("sum(sum(x[j], j=‸max(1, i-5)..min(n, i)), i=1..n)", "no end of a range", "n - 1"),
    ("sum(x[i], i ‸in 1..3)", "reserved word", "sum(x[i], i=1..n)"),
    ("sum(x[i]^2 ‸for i in range(3))", "reserved word", "sum(x[i], i=1..n)"),
    ("x[‸'a']", "not part of a formula", "quotes"),
    ("‸`x`[1]", "no column 'x'", "no data"),
    ("x[1]‸y[1]", "without an operator", "*"),
    ("‸np.sum(x[1])", "without a module", "write sum"),
    ("‸lambda x: x[0]", "without lambda", "x[0]"),
    ("‸sum(x)", "goes over", "x[i], i=1..n"),
    ("‸norm(x)", "none is written", "norm(x[i], i=1..n)"),
    ("‸prod(x)", "none is written", "prod(x[i], i=1..n)"),
    ("‸sum(x[1..3])", "none is written", "sum(x[i], i=1..n)"),
    ("sum(‸x_i, i=1..3)", "the same for all i", "x[i]"),
    ("sum(x[i] ‸> 0, i=1..3)", "comparison", "where("),
    ("‸dot(2, 3)", "none in it", "dot(w, x)"),
    ("‸dot(w)", "2 arguments", "dot(a, b)"),
    ("‸softmax(z)", "softmax(...) is an array", "softmax(...)[i]"),
    ("‸matmul(A, v)", "matmul(...) is an array", "matmul(...)[i]"),
]
SUBSCRIPTS = [
    ("x[‸0]", "reaches x[0], and the first is x[1]", "begin"),
    ("x[‸-1]", "reaches x[-1]", "begin"),
    ("x[‸1.5]", "no whole number", "i + 1"),
    ("sum(x[‸i/2], i=1..4)", "no whole number", "2*i"),
    ("sum(x[‸i^2], i=1..4)", "no whole number", "2*i"),
    ("sum(x[‸i*j], i=1..4, j=1..2)", "no whole number", "2*i"),
    ("sum(x[‸i-1], i=1..3)", "reaches x[0]", "begin the range later"),
    ("sum(x[‸i+1]^2, i=1..n)", "reaches x[n + 1], and the last is x[n]", "i=1..n-1"),
    ("x[‸n+1] + sum(x[i], i=1..n)", "reaches x[n + 1]", "i=1..n-1"),
    ("sum(x[i]^2, i=1..‸m)", "m is not known", "--size m=100"),
    ("x[‸m]", "m is no index here", "--size m=100"),
    ("sum(x[‸i], i)", "the length of x is not known", "--shape x=100"),
    ("‸i*sum(x[i], i=1..3)", "i is used outside its sum", "sum(..., i=1..n)"),
    ("sum(x[i], i=1..3) + ‸i", "i is used outside its sum", "sum(..., i=1..n)"),
    ("sum(x[i], i=1..3) + sum(x[k], k=1..‸i)", "i is used outside its sum", "sum("),
    ("sum(W[i,‸j], i=1..3)", "j is no index here", "sum(..., j=1..n)"),
    ("sum(‸W[i], i=1..3) + W[1,2]", "W has 2 subscripts, not 1", "W[i, j]"),
    ("sum(x[i]^2, i=1..n) + ‸x", "x is an array (x[i]) and a number (x)", "x[i]"),
    ("sum(x[i], i=1..3, ‸j)", "the range of j is not known", "j=1..n"),
    ("sum(x[i], i=1..3, ‸i=1..2)", "the index of a sum around", "another index"),
    ("sum(sum(x[i], ‸i=1..2), i=1..3)", "the index of a sum around", "another index"),
    ("sum(x[n], ‸n=1..3)", "n is a size", "another index"),
    ("sum(n[i], i=1..‸n)", "n is an array", "n[i]"),
    ("sum(‸sin[i], i=1..3)", "'sin' is a function", "sin(x)"),
    ("sum(‸sum[i], i=1..3)", "'sum' is a function", "sum(x)"),
    ("‸mean(x[i], i=3..1)", "mean of nothing", "begin the range"),
    ("‸max(x[i], i=n..1)", "max of nothing", "begin the range"),
    ("‸logsumexp(x[i], i=2..1)", "logsumexp of nothing", "begin the range"),
    ("‸max(x[i]*j, i=1..3, j=1..i)", "depends on another index", "where("),
    ("sum(x[i], ‸i=1..10^9)", "takes 1,000,000,000 values", "100,000,000"),
    ("x[‸10^9]", "1,000,000,000 elements", "100,000,000"),
    ("x[‸1e300]", "about 10^300 elements", "100,000,000"),
    ("sum(W[‸i,j], i=1..10^5, j=1..10^5)", "10,000,000,000 elements", "100,000,000"),
    ("sum(a, i=1..10^7, ‸j=1..10^7)", "100,000,000,000,000 terms", "terms"),
    ("‸x[" + "1," * 16 + "1]", "at most 16 subscripts", ""),
]
DEFINITIONS = [
    ("‸z[k] = x[k]^2, k=1..3", "the last statement is the loss", "write the loss after it"),
    ("‸z = z + 1; z^2", "z is defined by itself", "others"),
    ("‸z[k] = z[k] + 1; sum(z[k], k)", "z is defined by itself", "others"),
    ("a = 1; ‸a = 2; a*x", "a is defined twice", "another name"),
    ("a = x; ‸b^2; a", "only definitions stand before the loss", "s = ..."),
    ("‸3 = x; y", "only definitions stand before the loss", "s = ..."),
    ("‸z[1] = 3; z[1]^2 + x", "only definitions stand before the loss", "z[k] = ..."),
    ("‸x^2; y^2", "only definitions stand before the loss", "s = ..."),
    ("a = ‸; y", "the statement ends too early", "missing"),
    ("‸sin = 3; x", "'sin' is a function", "another name"),
    ("‸n = 3; x[n]", "n is a size", "another name"),
    ("z[k,‸k] = 3, k=1..2; z[1,1]", "k is an index of z twice", "another index"),
    ("z[k] = k*x, k=1..3, ‸j=1..2; sum(z)", "j is no index of z", "z[j]"),
    ("z[k] = x[k]*y[‸j], k=1..3; sum(z)", "j is no index here", "sum(..., j=1..n)"),
    ("z[k] = x[k]^2, k=1..3; ‸z", "z is an array", "z[i]"),
    ("z[k] = x[k]^2, k=1..3; ‸z(1)", "not a function", "z*(...)"),
    ("z[k] = x[k]^2, k=1..3; ‸z[1,2]", "z has 1 subscript, not 2", "z[i]"),
    ("z[k] = x[k]^2, k=1..3; ‸z[4]", "reaches z[4], and the last is z[3]", "earlier"),
    ("z[k] = x[k]^2, k=2..3; ‸z[1]", "reaches z[1], and the first is z[2]", "later"),
]
DATA_ERRORS = [
    ("sum(x1*w[j], ‸i=1..3)", "i is a column of the data", "another index"),
    ("mean((y - a[‸user])^2)", "user is 0 in row 1, and the first is a[1]", "user + 1"),
    ("mean((y - a[‸site/2])^2)", "no whole number", "a column"),
    ("mean((y - a[‸site + user])^2)", "no whole number", "a column"),
    ("mean((y - a[‸wrong])^2)", "wrong is no index here", "sum("),
    ("mean(sum(w[j]*x[‸j], j=1..3))", "reaches x[3], and the last is x[2]", "leave it out"),
    ("mean((y - ‸a)^2) + a[1]", "a is an array (a[i]) and a number (a) here", "a[i]"),
    ("mean(y*x[‸j+1])", "j is no index here", "sum("),
    ("mean(y[‸site]*a)", "is read from the data", "an index"),
    ("mean(‸y[1,2]*a)", "y has 1 subscript, not 2", "y[i]"),
    ("mean((y - w*‸x)^2)", "x is the vector of the columns x1, x2", "dot(w, x)"),
    ("mean((y - w*‸x - b[1])^2)", "x is the vector of the columns x1, x2", "sum(w[j]*x[j], j)"),
    ("mean((y - sum(w[j]*x[j], j)*‸x)^2)", "x is the vector of the columns", "dot(w, x)"),
    ("mean(y*a) + sum(‸x^2)", "x is the vector of the columns", "dot(w, x)"),
    ("mean(matmul(‸y, x1)[1]*a)", "y has 1 subscript, not 2", "y[i]"),
    ("sum(‸x[j], j)", "it has a value in every row", "sum(...) or mean(...)"),
    ("sum((y[‸j] - a)^2, j=1..4)", "reaches y[4], and the last is y[3]", "leave it out"),
    ("mean(sum(y - a[k], k=1..‸site))", "site is no end of a range", "where("),
    ("s = ‸y - a*x1; s^2", "it has a value in every row", "mean(y)"),
    ("‸y = a*x1; mean(y^2)", "y is a column of the data", "another name"),
    ("z[k] = b[k]*y, k=1..2; mean(‸z[label])", "label is 3 in row 3", "extend the range of z"),
]


def check(marked, sentence, hint, data=None, **options):
    text = marked.replace("‸", "")
    with pytest.raises(FormulaError) as caught:
        Loss(text, data, **options)
    error = caught.value
    assert sentence in error.sentence
    assert hint in error.hint
    assert error.column == marked.index("‸"), error
    lines = str(error).split("\n")
    assert len(lines) <= 4
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize(("text", "sentence", "hint"), SYNTAX, ids=str)
def test_wrong_notation(text, sentence, hint):
    check(text, sentence, hint)


@pytest.mark.parametrize(("text", "sentence", "hint"), SUBSCRIPTS, ids=str)
def test_wrong_subscripts_and_ranges(text, sentence, hint):
    check(text, sentence, hint, sizes={"n": 4} if "n" in text.split("(")[-1] else {})


@pytest.mark.parametrize(("text", "sentence", "hint"), DEFINITIONS, ids=str)
def test_wrong_definitions(text, sentence, hint):
    check(text, sentence, hint, sizes={"n": 3} if "‸n" in text else {})


@pytest.mark.parametrize(("text", "sentence", "hint"), DATA_ERRORS, ids=str)
def test_wrong_use_of_data(text, sentence, hint):
    check(text, sentence, hint, DATA)


def test_lengths_that_differ():
    for text in ("dot(x, y)", "matmul(A, y)[1] + x[1]", "sum(x*y)", "dot(A[1], y) + x[1]"):
        with pytest.raises(FormulaError, match="has 3 elements and y has 4 elements"):
            Loss(
                f"{text} + y[4]", shapes={"A": (2, 3), "x": 3} if "A" in text else {"x": 3, "y": 4}
            )
    with pytest.raises(FormulaError, match="w has 20 elements and x has 2 elements"):
        Loss("mean(sum(w[j]*x[j], j))", DATA, shapes={"w": 20})
    with pytest.raises(FormulaError, match="x has 2 elements and w has 20 elements"):
        Loss("mean(sum(x[j]*w[j], j))", DATA, shapes={"w": 20})
    with pytest.raises(FormulaError, match=r"x\[3\], and the last is x\[2\]"):
        Loss("sum(x[i], i=1..3)", shapes={"x": 2})
    with pytest.raises(FormulaError, match="the length f of a is not known"):
        Loss("mean((y - a[site])^2)", DATA, shapes={"a": "f"})


def test_subscript_in_the_data_that_is_no_whole_number():
    with pytest.raises(DataError, match=r"half is a subscript, and it is 0.5 in row 1"):
        Loss("mean((y - a[half])^2)", DATA)


@pytest.mark.parametrize("size", [3.5, 3.0, -3, "3", True, float("nan"), None, [3]])
def test_size_is_a_whole_number(size):
    with pytest.raises(ArgumentError, match="the size n is .* whole number, 0 or more"):
        Loss("sum(x[i], i=1..n)", sizes={"n": size})


OPTIONS = [
    ({"sizes": {"n": 3, "m": 4}}, "no size 'm'"),
    ({"sizes": {"n": 3}, "shapes": {"u": 4}}, "no array 'u'"),
    ({"sizes": {"n": 3}, "shapes": {"x": ()}}, "no axis"),
    ({"sizes": {"n": 3}, "shapes": {"x": (2.5,)}}, "a length of x is 2.5"),
    ({"sizes": {"n": 3}, "vectors": {"x": ["a"]}}, "no column 'a' for a vector"),
    ({"sizes": {"n": 3}, "vectors": {"x": []}}, "the vector x has no column"),
    ({"sizes": {"n": 3}, "constants": {"n": 4.0}}, "'n' is a size"),
    ({"sizes": [3]}, "sizes go by names"),
    ({"sizes": {"n": 3}, "constants": {"x": 4.0}}, "'x' is an array here"),
    ({"sizes": {"n": 3}, "constants": {"c": [1.0, 2.0]}}, "the constant 'c' is an array"),
    ({"sizes": {"n": 3}, "constants": {"c": np.ones(2)}}, "the constant 'c' is an array"),
    ({"sizes": {"n": 3}, "constants": {"i": 4.0}}, "no constant 'i'"),
]


@pytest.mark.parametrize(("options", "message"), OPTIONS, ids=lambda v: str(v)[:50])
def test_wrong_options(options, message):
    with pytest.raises(ArgumentError, match=message):
        Loss("sum(c*x[i]^2, i=1..n)", **options)


@pytest.mark.parametrize("digits", [9, 12, 30, 5000])
@pytest.mark.parametrize(
    "text",
    [
        "sum(x[i]^2, i=1..n)",
        "sum(i*a, i=1..n)",
        "x[n]",
        "sum(W[i,j], i=1..n, j=1..n)",
        "z[k] = x[k], k=1..n; z[1]",
        "sum(where(i > 3, x[i], 0), i=n-1..n)",
    ],
)
def test_huge_sizes_are_refused_at_once(text, digits):
    def read():
        with pytest.raises(FormulaError, match=r"100,000,000 are possible"):
            Loss(text, sizes={"n": 10**digits})

    lines_of(read, 100_000)


def test_huge_subscripts_in_the_data_are_refused_at_once():
    data = {"y": [1.0, 2.0], "site": [1.0, 1e15]}

    def read():
        with pytest.raises(FormulaError, match="elements are too many"):
            Loss("mean((y - a[site])^2)", data)

    lines_of(read, 200_000)


# -- hostile texts: the outcome, and how many lines of Python it takes at most ---------------------

LONG = 10_000
HOSTILE = {
    "open brackets": ("x" + "[" * LONG, "nested too deeply"),
    "closed brackets": ("]" * LONG, "closes nothing"),
    "newlines": ("a=1" + "\n" * LONG + "a*x", None),
    "spaces": ("a=1;" + " " * LONG + "a*x[1]", None),
    "statements": ("a=1\n" * (LONG // 10), "defined twice"),
    "semicolons": (";" * LONG + "x[1]", None),
    "equal signs": ("a=" * (LONG // 4) + "x[1]", "the last statement is the loss"),
    "dots": ("." * LONG + "x[1]", "not part of a formula"),
    "subscripts": ("x[" + "1," * LONG + "1]", "at most 16 subscripts"),
    "arguments": ("max(x[1]," + ",".join(f"i{k}" for k in range(LONG // 10)) + ")", None),
    "nested sums": (
        "sum(" * 50 + "x[i1]" + "".join(f",i{k}=1..3)" for k in range(1, 51)),
        "terms",
    ),
    "nested sums of a long term": (
        "sum(" * 100
        + "+".join(["x[i1]"] * (LONG // 20))
        + "".join(f",i{k}=1..1)" for k in range(1, 101)),
        None,
    ),
    "unclosed sums": ("sum(" * 150 + "+".join(["x[1]"] * (LONG // 20)), "never closed"),
    "definitions that double": (
        "d0[i]=x[i],i=1..9;"
        + "".join(f"d{k}[i]=d{k - 1}[2*i]*d{k - 1}[2*i+1],i=1..9;" for k in range(1, 60))
        + "d59[1]",
        "too long written out",
    ),
    "definitions of the same": (
        "d0=x[1];" + "".join(f"d{k}=d{k - 1}*d{k - 1};" for k in range(1, 500)) + "d499",
        None,
    ),
    "definitions in reverse": (
        "".join(f"a{k}=a{k + 1}+1;" for k in range(2000)) + "a2000=x[1];a0",
        "nested too deeply",
    ),
    "arrays": ("+".join(f"a{k}[1]" for k in range(LONG // 20)), None),
    "large arrays": ("+".join(f"a{k}[{10**5}]" for k in range(1100)), "elements"),
    "chain of lengths": (
        "a0[7]+" + "+".join(f"sum(a{k}[i]*a{k + 1}[i],i)" for k in reversed(range(200))),
        None,
    ),
    "range": ("sum(x[i],i=1.." + "9" * 700 + ")", "double ends at 1.8e308"),
    "low end": ("sum(x[i],i=-" + "9" * 300 + "..1)", "values"),
    "products of numbers": ("x[" + "*".join(["9" * 200] * 50) + "]", "too large for a double"),
    "long name": ("x[" + "a" * LONG + "]", "too long"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_takes_little_work(name):
    text, message = HOSTILE[name]

    def read():
        try:
            Loss(text)
        except FormulaError as error:
            return str(error)

    found, _ = lines_of(read, 3_000_000)
    assert (found is None) == (message is None), found
    if message is not None:
        assert message in found
        assert len(found) < 1000


@pytest.mark.parametrize(
    "text",
    ["sum(x^2, i=1..10^8)", "sum(x, i=1..10^4, j=1..10^4)", "sum(sum(x, j=2..1), i=1..10^8)"],
)
def test_a_long_sum_of_equal_terms_is_not_written_out(text):
    loss = Loss(text)
    _, lines = lines_of(lambda: loss.internals, 1_000_000)
    assert loss.internals.params == ("x",)
