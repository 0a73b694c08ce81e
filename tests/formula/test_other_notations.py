"""Notation of other languages: the error says what to write, and what it says to write parses."""

import pytest

import symgd
from symgd import FormulaError, Loss, RuleError
from symgd.formula.other_notations import known_shape


def refusal(text):
    with pytest.raises(FormulaError) as caught:
        Loss(text)
    return caught.value


@pytest.mark.parametrize(
    ("text", "column", "written"),
    [
        ("lambda x: x^2", 0, "x^2"),
        ("lambda x, y: x*y + 1", 0, "x*y + 1"),
        ("def f(x): return x^2", 0, "x^2"),
        ("return x^2", 0, "x^2"),
        ("f(x) = x^2", 0, "x^2"),
        ("L(x, y) = x*y", 0, "x*y"),
        ("f(x) := x^2", 0, "x^2"),
        ("y = x^2", 2, "x^2"),
        ("loss := x^2", 5, "x^2"),
        ("x if x > 0 else -x", 2, "where(x > 0, x, -x)"),
        ("0 if x<1 else x^2 if x<2 else 4", 2, "where(x<1, 0, x^2 if x<2 else 4)"),
        ("x > 0 ? x : -x", 6, "where(x > 0, x, -x)"),
        ("np.exp(x)", 0, "exp, not np.exp"),
        ("x + torch.relu(x)", 4, "relu, not torch.relu"),
        ("x.abs()", 1, "abs(x)"),
        ("(x**2).mean()", 6, "mean(...)"),
        ("torch.nn.functional.relu(x)", 0, "relu, not torch.nn.functional.relu"),
        ("x -> x^2", 2, "x^2"),
        ("(x, y) => x*y", 7, "x*y"),
        ("x ↦ x^2", 2, "x^2"),
        ("minimize x^2", 0, "x^2"),
        ("x mod 2", 2, "mod(x, 2)"),
        ("if x > 0: x^2 else: 0", 0, "where(x > 0, x^2, 0)"),
        ("x^2 if x > 0, else 0", 4, "where(x > 0, x^2, 0)"),
    ],
)
def test_a_known_shape_is_told_in_the_language(text, column, written):
    error = refusal(text)
    assert (error.column, error.hint) == (column, f"write {written}")


@pytest.mark.parametrize(
    ("text", "column", "hint"),
    [
        ("x -= 1", 2, "theta = theta - lr*g"),
        ("x **= 2", 2, "theta = theta - lr*g"),
        ("20%", 2, "20/100"),
        ("np.linalg.norm(x)", 0, "hypot(x, y)"),
        ("2x + 3y = 5", 8, "(2x + 3y - (5))^2"),
        ("where(x = 0, 1, 2)", 8, "write =="),
        ("log(x, 2)", 0, "log(x)/log(b)"),
        ("sigm(x)", 0, "sigmoid(x)"),
        ("relu6(x)", 0, "min(max(x, 0), 6)"),
        ("min(x,)", 6, "write it, or no comma"),
        ("where(x => 0, 1, 2)", 8, "<= or >="),
        ("1 000*x", 2, "1_000"),
        ("x1 + ... + x9", 5, "write every term out"),
        ("IF(x > 0, 1, 2)", 0, "where(condition, a, b)"),
        ("0.5 % * x", 4, "0.5/100"),
        ("x % 2", 2, "mod(x, n)"),
        ("dot(x, y)", 4, "write a range (i=1..n)"),
        ("softmax(x)", 0, "write softmax(...)[i]"),
        ("argmax(x)", 0, "max(x, y)"),
        ("sgn(x)", 0, "sign(x)"),
        ("Phi(x)", 0, "ndtr(x)"),
        ("mse(x)", 0, "mean((y - f)^2)"),
        ("select(x > 0, 1, 2)", 0, "where(condition, a, b)"),
        ("for x in y", 0, "sum(...)"),
        ("∛x", 0, "cbrt(x)"),
        ("½x", 0, "0.5"),
        ("x₂", 1, "x2"),
        ("x?1:2", 1, "where(condition, a, b)"),
        ("!x", 0, "not before a condition"),
        ("gama(x)", 0, "did you mean 'gamma'?"),
        ("epx(x)", 0, "did you mean 'exp'?"),
    ],
)
def test_a_hint_says_what_to_write(text, column, hint):
    error = refusal(text)
    assert error.column == column
    assert hint in error.hint


@pytest.mark.parametrize("text", ["pow(x, 2)", "square(x)", "mod(x, 2)"])
def test_spellings_that_exist_parse(text):
    assert Loss(text).params == ("x",)


@pytest.mark.parametrize(
    ("text", "product", "name"),
    [("2πr", "π*r", "pi_r"), ("4/3*πr³", "π*r", "pi_r"), ("2*xπ", "x*π", "x_pi")],
)
def test_pi_beside_a_letter_has_two_readings(text, product, name):
    error = refusal(text)
    assert "two readings" in error.sentence
    assert error.hint == f"write {product}, or {name} for the name"
    assert Loss(text.split("*")[0] if text[1:2] == "/" else product).internals is not None


def test_number_before_pi_and_a_letter_has_two_readings():
    error = refusal("2pir")
    assert error.hint == "write it as 2*pi*r or as 2*pir"
    assert Loss("pir + 2pir").params == ("pir",)
    assert Loss("2π*r").value(3.0) == pytest.approx(18.84955592153876, rel=1e-15)  # 6*pi
    assert set(Loss("2pixel + π_1").params) == {"pixel", "pi_1"}


@pytest.mark.parametrize(
    ("rule", "hint"),
    [
        ("theta = theta - alpha*g", "--set alpha=..."),
        ("theta = theta - loss/norm(g)^2*g", "the loss at theta is L"),
        ("theta = theta - lr*gradient", "the gradient is g"),
        ("theta = theta - η*g", "the learning rate is lr"),
        ("theta = theta - lr/iteration*g", "the number of the step is t"),
        ("theta = theta - lr*H*g", "the Hessian times v is hvp(v)"),
    ],
)
def test_unknown_letters_of_a_rule_are_told_what_a_rule_sees(rule, hint):
    with pytest.raises(symgd.RuleError) as caught:
        symgd.descend("x^2", rule=rule)
    told = str(caught.value)
    assert hint in told
    assert "a rule sees theta, g, t, lr" in told
    assert "did you mean" not in told
    assert "^" in told


@pytest.mark.parametrize(
    ("rule", "written"),
    [
        ("theta -= lr*g", "theta = theta - (lr*g)"),
        ("v = 0.9*v + g; theta += -lr*v", "theta = theta + (-lr*v)"),
        ("theta := theta - lr*g", "theta = theta - lr*g"),
    ],
)
def test_augmented_assignments_are_written_out(rule, written):
    with pytest.raises(FormulaError) as caught:
        symgd.descend("x^2", rule=rule)
    assert caught.value.hint == f"write {written}"
    symgd.descend("x^2", rule="; ".join([*rule.split("; ")[:-1], written]))


_REPEATED = ["a", "a ", "a(", "a.", "(a,", "if ", "a ? ", "lambda ", " "]


@pytest.mark.parametrize("part", _REPEATED)
def test_shapes_are_looked_for_in_quadratic_time_at_most(part):
    """Of 500 characters: some milliseconds, where a cubic search would take minutes in all."""
    text = part * (499 // len(part))
    for begin in range(20):
        known_shape(text[begin:] + "@")


def test_a_long_text_is_not_repeated():
    error = refusal("lambda x: " + " + ".join(f"x{k}" for k in range(60)))
    assert error.hint == "write only the expression"


def test_learning_rates_have_the_same_words():
    for text, hint in [("20%", "20/100"), ("lambda t: 0.1/t", "write 0.1/t")]:
        with pytest.raises(FormulaError) as caught:
            symgd.descend("x^2", lr=text)
        assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("rule", "meant"),
    [("SGD", "write gd"), ("heavy_ball", "write momentum"), ("L-BFGS", "write --method lbfgs")],
)
def test_a_rule_of_another_name_is_told_by_meaning(rule, meant):
    with pytest.raises(RuleError, match=meant):
        symgd.descend("x^2", rule=rule)
