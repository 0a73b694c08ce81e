"""The formula language: what it reads, what it refuses and how; it never alters a number."""

import math
import random
import struct
import sys

import pytest

import symgd
from symgd import FormulaError, Loss
from symgd.backends import lambdified
from symgd.backends.compiler import compile_program
from symgd.formula.evaluate import evaluate_all
from symgd.formula.functions.table import CALLABLE, POWERS, VARIABLES
from symgd.formula.parse import parse
from symgd.formula.printing.plain import write
from symgd.formula.tokens import Limits


def value(text, /, **at):
    """The formula as it was typed, no rewriting, in IEEE semantics."""
    formula = parse(text)
    leaves = {symbol: at[name] for name, symbol in formula.variables.items()}
    return evaluate_all([formula.root], leaves)[id(formula.root)]


def refused(text, **options):
    with pytest.raises(FormulaError) as caught:
        parse(text, **options)
    return caught.value


# What is read. x = 3, y = 2, z = -0.5 in every line.

ACCEPTED = [
    # numbers
    ("1", 1.0),
    ("2.5", 2.5),
    (".5", 0.5),
    ("7.", 7.0),
    ("1e-3", 1e-3),
    ("1E+3", 1e3),
    ("1.5e3x", 4500.0),
    ("123_456", 123456.0),
    ("1_0.0_5", 10.05),
    ("0e3", 0.0),
    # operators and precedence
    ("x+y-z", 5.5),
    ("x-y-1", 0.0),
    ("x/y/2", 0.75),
    ("x*y/4", 1.5),
    ("x/y*4", 6.0),
    ("-x^2", -9.0),
    ("-x**y", -9.0),
    ("(-x)^2", 9.0),
    ("x^y^2", 81.0),
    ("x**y**2", 81.0),
    ("(x^y)^2", 81.0),
    ("2^-1", 0.5),
    ("y^-x", 0.125),
    ("x^-y^2", 3.0**-4),
    ("--x", 3.0),
    ("-+-x", 3.0),
    ("x*-y", -6.0),
    ("x--y", 5.0),
    ("2*-x^2", -18.0),
    ("x/-y", -1.5),
    ("-x/y", -1.5),
    ("+x", 3.0),
    ("1/2*x", 1.5),
    ("((x))", 3.0),
    (" x\t+\n y ", 5.0),
    # signs of mathematics
    ("x·y", 6.0),
    ("x×y", 6.0),
    ("x⋅y", 6.0),
    ("x−y", 1.0),
    ("x÷y", 1.5),
    ("x²", 9.0),
    ("x³", 27.0),
    ("x⁻²", 1 / 9),
    ("y¹⁰", 1024.0),
    ("-x²", -9.0),
    ("2x²", 18.0),
    ("2^x²", 512.0),
    ("√y", math.sqrt(2)),
    ("√(x+6)", 3.0),
    ("√16", 4.0),
    ("2√(16)", 8.0),
    ("√|z|", math.sqrt(0.5)),
    ("|z|", 0.5),
    ("|x-|y-4||", 1.0),
    ("||z||", 0.5),
    ("2|z|", 1.0),
    ("|z|*|y|", 1.0),
    ("|z|²", 0.25),
    # a number next to a name or a parenthesis
    ("2x", 6.0),
    ("2 x", 6.0),
    ("2(x+1)", 8.0),
    ("(x)(y)", 6.0),
    ("(x)(y)(z)", -3.0),
    ("2x^2", 18.0),
    ("-2x", -6.0),
    ("2x*3y", 36.0),
    ("2x/3", 2.0),
    ("1/(2x)", 1 / 6),
    ("3sin(x)", 3 * math.sin(3)),
    ("2pi", 2 * math.pi),
    ("2(3)(4)", 24.0),
    # constants and functions
    ("pi", math.pi),
    ("π", math.pi),
    ("e", math.e),
    ("e^x", math.exp(3)),
    ("exp(x)", math.exp(3)),
    ("ln(x)", math.log(3)),
    ("arctan2(x, y)", math.atan2(3, 2)),
    ("max(x, y, 7)", 7.0),
    ("min(x)", 3.0),
    ("clip(x, 0, 1)", 1.0),
    ("huber(x)", 2.5),
    ("huber(x, 2)", 4.0),
    ("beta(2, x)", 1 / 12),
    ("gamma(x)", 2.0),
    ("where(x > y, 1, 2)", 1.0),
    ("where(x ≤ y, 1, where(x != 3, 2, 5))", 5.0),
    ("where(z == -0.5, x, y)", 3.0),
    ("x - 2*floor(x/2)", 1.0),
]


@pytest.mark.parametrize(("text", "expected"), ACCEPTED, ids=[t for t, _ in ACCEPTED])
def test_formula_is_read_as_mathematics_means_it(text, expected):
    assert value(text, x=3.0, y=2.0, z=-0.5) == expected


# What is refused: the text, the column of the caret, a piece of the message.

REFUSED = [
    ("", 0, "there is no formula"),
    ("   ", 3, "there is no formula"),
    ("1/2x", 3, "has two readings"),
    ("x/2y", 3, "has two readings"),
    ("1/2(x)", 3, "has two readings"),
    ("x/(y)(z)", 5, "has two readings"),
    ("2x/3y", 4, "has two readings"),
    ("2^3x", 3, "has two readings"),
    ("x**2y", 4, "has two readings"),
    ("2^3(x)", 3, "has two readings"),
    ("√2x", 0, "write it as √(2*x) or as (√2)*x"),
    ("√x²", 0, "write it as √(x^2) or as (√x)^2"),
    ("x²^3", 1, "write it as x^(2^3) or as (x^2)^3"),
    ("x²³⁻¹", 1, "two readings"),
    ("x(x+1)", 0, "write x*(...)"),
    ("sin x", 0, "write sin(x)"),
    ("sin^2(x)", 0, "write sin(x)^2"),
    ("2*cos", 2, "'cos' is a function and needs its argument"),
    ("sqrt", 0, "needs its argument"),
    ("x y", 2, "write * between them"),
    ("x 2", 2, "write * between them"),
    ("2 3", 2, "write * between them"),
    ("(x)y", 3, "write * between them"),
    ("|x|y", 3, "write * between them"),
    ("x\ny", 2, "write * between them"),
    ("(x)sin(x)", 3, "write * before sin"),
    ("x+", 2, "ends too early"),
    ("x**", 3, "ends too early"),
    ("(", 1, "ends too early"),
    ("*x", 0, "'*' has nothing to work on"),
    ("x+*y", 2, "'*' has nothing to work on"),
    ("x//y", 2, "'//' is not part of a formula"),
    ("(x", 0, "add ')'"),
    ("sin(x", 0, "add ')'"),
    ("|x", 0, "add '|'"),
    ("x)", 1, "this ')' closes nothing"),
    ("x|y", 1, "this '|' closes nothing"),
    ("(x|", 2, "this '|' closes nothing"),
    ("()", 1, "nothing between"),
    ("√√x", 1, "two roots in a row"),
    ("√()", 2, "there is nothing between '(' and ')'"),
    ("x,y", 1, "a comma stands only between"),
    ("0,5*x", 1, "takes a point: 0.5"),
    ("x < y", 2, "only inside where"),
    ("x == 1", 2, "only inside where"),
    ("x = 1", 2, "only a rule assigns"),
    ("where(x, 1, 2)", 7, "a condition needs a comparison"),
    ("where(0 < x < 1, 1, 2)", 12, "one comparison per condition"),
    ("sin()", 0, "takes 1 argument, not 0"),
    ("sin(x, y)", 0, "takes 1 argument, not 2"),
    ("log(x, 2)", 0, "takes 1 argument, not 2"),
    ("atan2(x)", 0, "takes 2 arguments, not 1"),
    ("huber(x, 1, 2)", 0, "takes 1 to 2 arguments, not 3"),
    ("max()", 0, "takes at least 1"),
    ("sigmod(x)", 0, "did you mean 'sigmoid'?"),
    ("1 + foobar(x)", 4, "'foobar' is not a function"),
    ("norm(x)", 0, "'norm' is not a function"),
    ("sum(x)", 0, "rows of a data file"),
    ("besselj(x, 1)", 0, "order of besselj must be a number"),
    ("x!", 1, "there is no factorial"),
    ("x % 2", 2, "there is no remainder"),
    ("a.b", 1, "there are no attributes"),
    ("x[0]", 1, "there are no lists"),
    ("[x]", 0, "there are no lists"),
    ("{x}", 0, "use round parentheses"),
    ("'x'", 0, "a text in quotes stands only beside == or !="),
    ("x # note", 2, "no comments"),
    ("x; y", 1, "write one expression"),
    ("x & y", 2, "write and between two conditions"),
    ("x @ y", 2, "'@' is not part of a formula"),
    ("θ₁", 1, "'₁' is not part of a formula"),
    ("1.5.2", 3, "this number is malformed"),
    ("1__0", 1, "this number is malformed"),
    ("2e", 1, "unfinished exponent"),
    ("2e-x", 1, "unfinished exponent"),
    ("0x1F", 0, "another base"),
    ("x*1e400", 2, "too large"),
    ("x*1e-400", 2, "too small"),
    ("x + 1/0", 5, "divides by zero"),
    ("0**-1*x", 1, "divides by zero"),
    ("x/(1-1)", 1, "divides by zero"),
    ("x*sqrt(-1)", 2, "not a real number"),
    ("(-8)**(1/3)", 4, "not a real number"),
    ("x*exp(1000)", 2, "too large for a double"),
    ("9**9**9", 1, "the exponent"),
    ("x**1e9", 1, "limit exponent"),
    ("True", 0, "reserved word"),
    ("inf*x", 0, "reserved word"),
    ("nan", 0, "reserved word"),
    ("oo", 0, "reserved word"),
    ("x if y else z", 2, "reserved word"),
    ("__x__", 0, "do not begin with '__'"),
    ("µ", 0, "is another character"),
    ("ｘ", 0, "only looks like 'x'"),
    ("ﬁ", 0, "only looks like 'fi'"),
    ("x\xa0+ 1", 1, "no-break space"),
    ("\ufeffx", 0, "byte order mark"),
    ("x\u200by", 1, r"'\u200b'"),
    ("x\x00", 1, r"'\x00'"),
    ("\ud800", 0, r"'\ud800'"),
]


@pytest.mark.parametrize(("text", "column", "piece"), REFUSED, ids=[ascii(r[0]) for r in REFUSED])
def test_mistake_is_refused_at_its_place_with_advice(text, column, piece):
    error = refused(text)
    assert piece in str(error)
    assert error.column == column
    assert error.text == text


def test_reject_list_is_as_long_as_the_accept_list():
    assert len(REFUSED) >= len(ACCEPTED)


def test_ambiguous_product_shows_both_readings():
    assert "write a/(b*c) or (a/b)*c" in str(refused("1/2x"))
    assert "write a^(b*c) or (a^b)*c" in str(refused("2^3x"))


def test_caret_stands_under_the_mistake():
    assert str(refused("x + 2*)")).splitlines()[1:3] == ["  x + 2*)", "        ^"]


def test_caret_counts_wide_characters_twice():
    assert str(refused("变量 $")).splitlines()[1:3] == ["  变量 $", "       ^"]


def test_caret_of_a_long_formula_shows_a_window():
    lines = str(refused("x + " * 1000 + "$" + " + x" * 1000)).splitlines()
    assert all(len(line) < 90 for line in lines)
    assert lines[1][lines[2].index("^")] == "$"
    assert lines[1].strip().startswith("…")
    assert lines[1].endswith("…")


def test_control_characters_are_shown_escaped_under_a_true_caret():
    lines = str(refused("x\x1b[31m")).splitlines()
    assert lines[1] == r"  x\x1b[31m"
    assert lines[2] == "   ^"


# Names


@pytest.mark.parametrize(
    "name",
    [
        "beta",
        "gamma",
        "lambda",
        "zeta",
        "N",
        "S",
        "Q",
        "I",
        "E",
        "O",
        "C",
        "re",
        "im",
        "Symbol",
        "x_1",
        "_x",
        "θ_1",
        "д",
        "变量",
        "naïve",
    ],
)
def test_name_of_anything_else_is_a_variable(name):
    loss = Loss(f"({name} - 2)**2 + 1")
    assert loss.params == (symgd.names.canonical(name),)
    assert loss.value([5.0]) == 10.0
    assert list(loss.grad([5.0])) == [6.0]


@pytest.mark.parametrize(
    ("letter", "spelling"),
    [
        ("θ", "theta"),
        ("ϑ", "theta"),
        ("λ", "lambda"),
        ("Ω", "Omega"),
        ("θ_1", "theta_1"),
        ("β2", "beta2"),
    ],
)
def test_greek_letter_and_its_spelling_are_one_name(letter, spelling):
    assert list(parse(f"{letter} + {spelling}").variables) == [spelling]


def test_beta_and_gamma_are_functions_before_a_parenthesis_and_names_elsewhere():
    loss = Loss("beta*gamma + gamma(beta) + beta(gamma, 2)")
    assert loss.params == ("beta", "gamma")
    assert loss.value({"beta": 3.0, "gamma": 2.0}) == pytest.approx(6 + 2 + 1 / 6, rel=1e-15)


def test_parameters_are_in_natural_order():
    assert Loss("x10 + x2 + x1 + a").params == ("a", "x1", "x2", "x10")


def test_euler_and_pi_are_parameters_when_named_so():
    assert Loss("e*pi", params=["e", "pi"]).params == ("e", "pi")
    assert Loss("π^2", params=["π"]).value([3.0]) == 9.0
    assert Loss("e*x", constants={"e": 2.0}).value([3.0]) == 6.0


def test_cancelled_name_stays_a_parameter():
    assert Loss("x - x + 0*y").params == ("x", "y")


@pytest.mark.parametrize("name", sorted({*CALLABLE, *POWERS} - VARIABLES))
def test_name_of_a_function_is_never_silently_a_product(name):
    assert "needs its argument" in str(refused(f"{name} + 1"))


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("tan^-1(x)", "write atan(x) for the inverse function, 1/tan(x) for the reciprocal"),
        ("sinh⁻¹(x)", "write asinh(x) for the inverse function, 1/sinh(x) for the reciprocal"),
        ("exp**(-1)(x)", "write exp(x)^-1"),
        ("cos^3(x)", "write cos(x)^3"),
        ("cos²(x)", "write cos(x)^2"),
        ("cos^k(x)", "write cos(x)^k"),
    ],
)
def test_a_power_of_a_function_is_told_to_follow_its_argument(text, hint):
    assert hint in str(refused(text))


# Numbers stay what they are


def doubles(count, seed):
    """Random bit patterns: every finite positive double, subnormals included, as likely."""
    source = random.Random(seed)
    found = []
    while len(found) < count:
        number = struct.unpack("<d", source.randbytes(8))[0]
        if math.isfinite(number) and number != 0:
            found.append(abs(number))
    return found


def compiled(outputs, formula):
    """What the compiled program of these nodes returns at x = 1."""
    named = {str(k): node for k, node in enumerate(outputs)}
    program = compile_program([formula.variables["x"]], named)
    return lambdified.compile_scalar(program)(1.0)


def test_constants_go_bit_exact_from_text_to_compiled_code():
    batch = doubles(20_000, seed=1)
    formula = parse(" + ".join(f"{c!r}*x" for c in batch))
    assert compiled([term.args[0] for term in formula.root.args], formula) == batch


def test_constants_go_bit_exact_from_text_to_the_value_of_a_product():
    batch = doubles(10_000, seed=4)
    formula = parse(" + ".join(f"{c!r}*x" for c in batch))
    assert compiled(formula.root.args, formula) == batch


def test_constants_go_bit_exact_from_text_through_the_loss_to_its_gradient():
    constants = doubles(4_000, seed=2)
    for start in range(0, len(constants), 1_000):
        batch = constants[start : start + 1_000]
        loss = Loss(" + ".join(f"{c!r}*x{k}" for k, c in enumerate(batch)))
        assert loss.internals.evaluate(*[0.0] * len(batch))[1:] == batch


@pytest.mark.parametrize("sign", ["", "-"])
def test_constant_alone_is_bit_exact(sign):
    for number in doubles(150, seed=3):
        text = f"{sign}{number!r}"
        for loss, at in ((Loss(text), []), (Loss(f"{text} + 0*x"), [1.0])):
            assert loss.value(at) == loss.internals.evaluate_value(*at)[0] == float(text)


@pytest.mark.parametrize(
    "text",
    [
        "0.1", "0.30000000000000004", "1e23", "9007199254740993", "123456789012345678901234567890",
        "4.9e-324", "2.2250738585072011e-308", "1.7976931348623157e308",
        "0." + "3" * 700, "3.14159265358979323846264338327950288",
    ],
)  # fmt: skip
def test_long_decimal_is_rounded_once(text):
    loss = Loss(f"{text}*x")
    assert loss.value([1.0]) == loss.internals.evaluate_value(1.0)[0] == float(text)


# Against Python's own parser and arithmetic


class Writer:
    """Random formulas in Python's syntax; every whole number has its point, as doubles have."""

    LEAVES = ("x", "y", "z", "1.0", "2.0", "3.0", "0.5", "7.25", "1e-2", "0.1")
    CALLS = ("sin", "cos", "exp", "atan", "tanh", "sqrt", "log", "abs", "cosh", "asin")

    def __init__(self, seed):
        self.source = random.Random(seed)

    def text(self, depth=5):
        pick = self.source
        roll = pick.random()
        if depth == 0 or roll < 0.15:
            return pick.choice(self.LEAVES)
        if roll < 0.65:
            space = pick.choice(("", " "))
            operator = pick.choice("+-*/")
            return f"{self.text(depth - 1)}{space}{operator}{space}{self.text(depth - 1)}"
        if roll < 0.75:
            power = pick.choice(("2.0", "3.0", "0.5", "-1.0", "-x", "2.0**y", "(y+1.0)"))
            return f"{self.atom(depth - 1)}**{power}"
        if roll < 0.82:
            return f"-{self.text(depth - 1)}"
        if roll < 0.92:
            return f"{pick.choice(self.CALLS)}({self.text(depth - 1)})"
        return f"({self.text(depth - 1)})"

    def atom(self, depth):
        text = self.text(depth)
        plain = text.replace(".", "").isalnum()
        return text if plain and "e-" not in text else f"({text})"


_PYTHON = {name: getattr(math, name, None) for name in Writer.CALLS} | {"abs": math.fabs}
_POINT = {"x": 1.375, "y": 0.625, "z": -2.25}


def by_python(text):
    """The value that Python gives its own text (ours, from Writer), or None where it has none."""
    try:
        found = eval(text, {"__builtins__": {}}, _PYTHON | _POINT)
    except (ArithmeticError, ValueError, TypeError):  # TypeError: a complex intermediate value
        return None
    return found if isinstance(found, float) and math.isfinite(found) else None


def test_random_formulas_have_python_s_own_value():
    """Bit for bit, but for x**2, x**-1, x**0.5, which Python hands to pow and we do not."""
    writer = Writer(seed=20)
    compared = 0
    for _ in range(6_000):
        text = writer.text()
        expected = by_python(text)
        if expected is None:
            continue
        got = value(text.replace("**", writer.source.choice(("**", "^"))), **_POINT)
        assert got == expected or math.isclose(got, expected, rel_tol=2e-14), text
        compared += 1
    assert compared > 3_000


def test_written_formula_reads_back_with_the_same_value():
    writer = Writer(seed=21)
    compared = 0
    for _ in range(1_200):
        text = writer.text()
        if by_python(text) is None:
            continue
        first = parse(text)
        for pretty in (False, True):
            again = write(first.root, pretty=pretty)
            assert repr(value(again, **_POINT)) == repr(value(text, **_POINT)), (text, again)
        compared += 1
    assert compared > 600


@pytest.mark.parametrize("text", [t for t, _ in ACCEPTED])
def test_accepted_formula_writes_itself_back(text):
    again = write(parse(text).root)
    assert value(again, x=3.0, y=2.0, z=-0.5) == value(text, x=3.0, y=2.0, z=-0.5)


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("2x", "(2*x)"), ("2x²", "(2*x**2)"), ("x³", "x**3"), ("|x|", "abs(x)"),
        ("√x", "sqrt(x)"), ("(x)(y)", "(x*y)"), ("3(x+y)", "(3*(x+y))"), ("2sin(x)", "(2*sin(x))"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("around", ["{}", "1+{}", "{}-y", "2*({})", "-{}", "sin({})", "{}/y"])
def test_shorthand_is_its_longhand_in_every_place(short, long, around):
    one, other = around.format(short), around.format(long)
    assert value(one, x=1.25, y=3.0) == value(other, x=1.25, y=3.0)


# Limits


def nested(depth):
    return "(" * depth + "x" + ")" * depth


LIMITS = [
    # accepted, refused, the limit's name
    (nested(200), nested(201), "depth"),
    ("sin(" * 200 + "x" + ")" * 200, "sin(" * 201 + "x" + ")" * 201, "depth"),
    ("-" * 200 + "x", "-" * 201 + "x", "depth"),
    ("x**" * 200 + "1", "x**" * 201 + "1", "depth"),
    ("0." + "3" * 798, "0." + "3" * 799, "digits"),
    ("x**1000000", "x**1000001", "exponent"),
    ("x**-1000000", "x**-1000001", "exponent"),
    ("a" * 200, "a" * 201, "limit 200"),
    ("x" + " " * 1_499_999, " " * 1_500_001, "length"),
]


@pytest.mark.parametrize(("largest", "beyond", "limit"), LIMITS, ids=range(len(LIMITS)))
def test_limit_is_where_it_says(largest, beyond, limit):
    parse(largest)
    error = refused(beyond)
    assert limit in error.sentence
    assert len(str(error)) < 400


def test_node_limit_is_where_it_says():
    text = " + ".join(f"x{k}" for k in range(50))
    parse(text, limits=Limits(nodes=60))
    assert "limit nodes=40" in str(refused(text, limits=Limits(nodes=40)))


def test_limits_are_raised_in_code():
    assert parse(nested(250), limits=Limits(depth=300)).root is not None
    assert parse("x**1e7", limits=Limits(exponent=1e8)).root is not None


def test_deep_formula_fits_a_stack_that_is_half_full():
    def below(levels):
        return below(levels - 1) if levels else parse(nested(200))

    assert below(sys.getrecursionlimit() // 3).root is not None


def test_stack_overflow_is_an_error_with_the_place():
    error = refused(nested(5_000), limits=Limits(depth=10_000))
    assert "recursion limit" in error.sentence


def test_machine_written_loss_of_a_megabyte_is_read():
    text = " + ".join(f"({0.1 + k / 7!r}*x{k % 50} - y)**2" for k in range(31_700))
    assert len(text) > 1_000_000
    assert len(parse(text).variables) == 51


# Nothing but FormulaError


def trouble(text):
    """The FormulaError of a text, or None; any other exception is the test's failure."""
    try:
        parse(text)
    except FormulaError as error:
        return error
    return None


def test_random_strings_raise_nothing_but_formula_error():
    source = random.Random(5)
    pieces = [
        *"0123456789.eE+-*/^()|,<>=!_ \t\nxyzθπλ²³⁻√·×−÷≤≥≠'\"[]{};:#%&@~$",
        *"\\\x00\x1b\u200bµ文é\ud800",
        "**", "sin(", "exp(", "max(", "where(", "x", "pi", "1e9", "gamma", "lambda", "huber(",
        "__import__", "log(", "beta(", "1.5", "sqrt(", "sum(", "<=", "==", "besselj(", "2",
    ]  # fmt: skip
    read = 0
    for _ in range(30_000):
        text = "".join(source.choice(pieces) for _ in range(source.randint(1, 14)))
        error = trouble(text)
        read += error is None
        if error:
            assert 0 <= error.column <= len(text)
            assert all(line.isprintable() for line in str(error).split("\n"))
    assert read > 500


def test_mutilated_formulas_raise_nothing_but_formula_error():
    source = random.Random(6)
    for _ in range(5_000):
        text = list(source.choice(ACCEPTED)[0])
        for _ in range(source.randint(1, 3)):
            place = source.randrange(len(text) + 1)
            if source.random() < 0.5:
                del text[place : place + 1]
            else:
                text.insert(place, source.choice("()+-*/^|,.2xe√²"))
        trouble("".join(text))
