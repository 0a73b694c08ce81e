"""Constants: those with a pole are refused at their place, also where rounding hides it.

Every one of REFUSED is infinite by hand (sin(pi) = 0, gamma has poles at 0, -1, -2, ...), every one
of ACCEPTED is a real number.
"""

import mpmath
import pytest

from symgd import FormulaError, Loss, Rule, descend
from symgd.formula.functions import bessel
from symgd.formula.parse import parse
from tests.line_count import lines_of

REFUSED = [
    ("cot(pi)*x", 0, "cot is infinite there"),
    ("tan(pi/2)*x", 0, "tan is infinite there"),
    ("x/sin(pi)", 1, "this divides by zero"),
    ("gamma(-1)*x", 0, "gamma is infinite there"),
    ("log(sin(pi))*x", 0, "log is infinite there"),
    ("x/(sqrt(2)^2-2)", 1, "this divides by zero"),
    ("x*csc(2*pi)", 2, "csc is infinite there"),
    ("x*sec(pi/2)", 2, "sec is infinite there"),
    ("x*log(1/tan(pi))", 7, "this divides by zero"),
    ("x*1/tan(pi)", 3, "this divides by zero"),
    ("x*bessely(0,sin(pi))", 2, "bessely is infinite there"),
    ("x*gamma(cos(pi))", 2, "gamma is infinite there"),
    ("x*gamma(floor(log(1000)/log(10)) - 3)", 2, "gamma is infinite there"),
    ("x*digamma(-log(e^2))", 2, "digamma is infinite there"),
    ("x*log10(sin(pi))", 2, "log10 is infinite there"),
    ("x*log2(cos(pi/2))", 2, "log2 is infinite there"),
    ("x*log1p(cos(pi))", 2, "log1p is infinite there"),
    ("x*tan(acos(0))", 2, "tan is infinite there"),
    ("x/(exp(log(2))-2)", 1, "this divides by zero"),
    ("x/(gamma(0.5)^2-pi)", 1, "this divides by zero"),
    ("x/besselj(0.5,pi)", 1, "this divides by zero"),
    ("x*(sin(pi))^(-0.5)", 11, "this divides by zero"),
    ("x*(sin(pi))^-2", 11, "this divides by zero"),
    ("x*atanh(tan(pi/4))", 2, "atanh is infinite there"),
    ("x*beta(cos(pi),0.5)", 2, "beta is infinite there"),
    ("tan(11*pi/2)*x", 0, "tan is infinite there"),
    ("x*cot(100*pi)", 2, "cot is infinite there"),
    ("x/(1/3*3-1)", 1, "this divides by zero"),
    ("x/(sin(1)^2+cos(1)^2-1)", 1, "this divides by zero"),
    ("x*log(-sin(2*pi))", 2, "log is infinite there"),
    ("x/(pi/pi-1)", 1, "this divides by zero"),
    ("x*csch(ln(1))", 2, "csch is infinite there"),
    ("x*log(e)/log(log(e))", 8, "this divides by zero"),
    ("x*coth(sin(pi))", 2, "coth is infinite there"),
    ("cot(pi)*tan(z)-cbrt(1/z)", 0, "cot is infinite there"),
    ("x*exp(1/sin(pi))", 7, "this divides by zero"),
    ("x*loggamma(cos(pi))", 2, "loggamma is infinite there"),
    ("x*polygamma(1,cos(pi))", 2, "polygamma is infinite there"),
    ("x/cos(pi/2)", 1, "this divides by zero"),
    ("x*acoth(cosh(0))", 2, "acoth is infinite there"),
    ("x/(sqrt(3)*sqrt(12)-6)", 1, "this divides by zero"),
    ("x/(e^(log(3)/2)-sqrt(3))", 1, "this divides by zero"),
]
ACCEPTED = [
    "x*(sin(pi))",
    "x/(0.1+0.2-0.3)",
    "x*acosh(cosh(0))",
    "x*sqrt(sin(pi))",
    "x*asin(sin(pi/2))",
    "x*sqrt(cos(pi/2))",
    "x*floor(e^pi)",
    "x*acos(1+1e-17)",
    "cosh(710)*x",
    "x*sign(sin(pi))",
    "x*0^sin(pi)",
    "x*besselj(0.5,sin(pi))",
    "x*atan(tan(pi/4))",
    "x*log(e)",
    "x*tan(1e22)",
    "x*tan(exp(40))",
    "x*acos(3*(1/3))",
    "x*gamma(cos(pi)+0.5)",
    "x*gamma(1e-300+cos(pi)+2)",
    "x*log(exp(-700))",
    "x/exp(700)",
    "x/cosh(sqrt(400000))",
    "x*log(1+exp(-200))",
    "x/(1e-300*pi)",
    "x/sqrt(2*pi)",
    "x*tan(pi/4)",
    "x*cot(pi/3)",
    "x/(sin(3.141592653589793))",
    "x*tan(pi/2-1e-10)",
    "x*sec(1.5707963267948966)",
    "x*beta(cos(pi)-1,1)+1",
    "besselk(0.3,1e-5)*x",
    "x/(exp(-300)+exp(-310))",
    "1/(2*pi)^5*x",
    "log(2*pi)/2*x",
    "x/(1-tanh(18))",
    "x*lgamma(e^2)",
    "x*atanh(tanh(10))",
]


@pytest.mark.parametrize(("text", "column", "sentence"), REFUSED, ids=[r[0] for r in REFUSED])
def test_infinite_constant_is_refused_at_its_place(text, column, sentence):
    with pytest.raises(FormulaError) as caught:
        parse(text)
    assert (caught.value.column, caught.value.sentence) == (column, sentence)


@pytest.mark.parametrize("text", ACCEPTED)
def test_real_constant_is_read(text):
    parse(text)


def test_rules_schedules_and_starts_refuse_them_too():
    with pytest.raises(FormulaError, match="cot is infinite there"):
        Rule("theta = theta - lr*g*cot(pi)")
    with pytest.raises(FormulaError, match="this divides by zero"):
        descend("x^2", lr="0.1/sin(pi)")


@pytest.mark.parametrize("text", ["besselk(1e-300, cos(-2))", "bessely(1e-300, cos(-2))"])
def test_a_constant_that_is_no_real_number_is_refused_quickly(text):
    with pytest.raises(FormulaError, match="not a real number"):
        lines_of(lambda: parse(text), 30_000)


@pytest.mark.parametrize("order", [1e-300, -1e-13, 1e-12])
@pytest.mark.parametrize("x", [1e-300, 1e-5, 0.3])
def test_k_of_an_order_near_zero(order, x):
    with mpmath.workdps(30):
        right = float(mpmath.besselk(0, x))  # even in the order: the difference is order**2
    assert bessel.besselk(order, x) == pytest.approx(right, rel=1e-15)
    assert Loss(f"besselk({order!r}, x)").value([x]) == pytest.approx(right, rel=1e-15)
