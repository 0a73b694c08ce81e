"""The Faddeeva function w(x + iy) = exp(-z**2)*erfc(-iz), y >= 0, as real formulas.

The trapezoidal or midpoint rule with the residues of its poles near the real axis (M. Al Azah, S.
Chandler-Wilde, 2021, Computation of the complex error function using modified trapezoidal rules,
SIAM J. Numer. Anal. 59(5), https://doi.org/10.1137/20M1373037), 12 points: the real and the
imaginary part err by less than 3e-14 of themselves.
"""

from __future__ import annotations

import math
from typing import Any

import sympy

POINTS = 12
STEP = math.sqrt(math.pi / POINTS)

_A, _B = "(x - y)*(x + y)", "(2*x*y)"
_PHASE = f"(abs(x)/{STEP!r} - floor(abs(x)/{STEP!r}))"
_TRAPEZOIDAL = f"(y < abs(x) and {_PHASE} >= 0.25 and {_PHASE} <= 0.75)"  # else the midpoint rule


def _rule(first: float) -> tuple[str, str]:
    """The parts of the sum of exp(-t**2)/(z**2 - t**2) over t = (k + first)*h."""
    terms = []
    for k in range(POINTS):
        square = ((k + first) * STEP) ** 2
        weight = 0.5 if square == 0 else math.exp(-square)
        distance = f"({_A} - {square!r})" if square else f"({_A})"
        terms.append((weight, distance, f"({distance}**2 + {_B}**2)"))
    real = " + ".join(f"{weight!r}*{a}/{size}" for weight, a, size in terms)
    imaginary = " + ".join(f"{weight!r}/{size}" for weight, _, size in terms)
    return f"({real})", f"(-{_B}*({imaginary}))"


def _parts(sign: int, first: float) -> tuple[str, str]:
    """The real and the imaginary part of w by one rule. sign: of its residues' exponential."""
    real, imaginary = _rule(first)
    scale = 2 * STEP / math.pi
    growth, angle = f"exp({2 * math.pi / STEP!r}*y)", f"({2 * math.pi / STEP!r}*x)"
    d_real = f"(1 + {sign}*{growth}*cos({angle}))"
    d_imaginary = f"({-sign}*{growth}*sin({angle}))"
    residue = f"2*exp(-{_A})/({d_real}**2 + {d_imaginary}**2)"
    near = f"y < {math.pi / STEP!r}"
    cosine, sine = f"cos({_B})", f"sin({_B})"
    return (
        f"-{scale!r}*(x*{imaginary} + y*{real})"
        f" + where({near}, {residue}*({cosine}*{d_real} - {sine}*{d_imaginary}), 0)",
        f"{scale!r}*(x*{real} - y*{imaginary})"
        f" - where({near}, {residue}*({cosine}*{d_imaginary} + {sine}*{d_real}), 0)",
    )


_BY_TRAPEZOIDS, _BY_MIDPOINTS = _parts(-1, 0.0), _parts(1, 0.5)

#: The formulas over x and y >= 0.
REAL, IMAGINARY = (
    f"where(y < 0, sqrt(y), where({_TRAPEZOIDAL}, {one}, {other}))"
    for one, other in zip(_BY_TRAPEZOIDS, _BY_MIDPOINTS, strict=True)
)

_U = "x/(1.4142135623730951*abs(y)), abs(z)/(1.4142135623730951*abs(y))"
_WIDTH = "(1.4142135623730951*abs(y))"
VOIGT = f"faddeeva_re({_U})/(1.7724538509055159*{_WIDTH})"
VOIGT_EXACT = "faddeeva_re(x/(sqrt(2)*abs(y)), abs(z)/(sqrt(2)*abs(y)))/(sqrt(2*pi)*abs(y))"
VOIGT_X = f"faddeeva_x({_U})/(1.7724538509055159*{_WIDTH}**2)"
VOIGT_Z = f"sign(z)*faddeeva_y({_U})/(1.7724538509055159*{_WIDTH}**2)"

# The same for readers
_M = "faddeeva_im(x/(sqrt(2)*abs(y)), abs(z)/(sqrt(2)*abs(y)))/(sqrt(2*pi)*abs(y))"
_SHOWN_X = f"(-(x*voigt(x, y, z) - abs(z)*{_M})/y**2)"
_SHOWN_Z = f"(sign(z)*(x*{_M} + abs(z)*voigt(x, y, z) - 1/pi)/y**2)"
SHOWN = {
    "voigt_x": _SHOWN_X,
    "voigt_z": _SHOWN_Z,
    "voigt_y": f"-(voigt(x, y, z) + x*{_SHOWN_X} + z*{_SHOWN_Z})/y",
}

# Second derivatives: y V_xx = V_y (a Gaussian solves the heat equation), V_zz = -V_xx (the real
# part of a function of x + iz), and V is homogeneous of degree -1, its derivatives of degree -2.
_XX = "(voigt_y(x, y, z)/y)"
_XZ = (
    f"((sign(z)*faddeeva_im({_U})/(1.7724538509055159*{_WIDTH})"
    " + z*voigt_x(x, y, z) - x*voigt_z(x, y, z))/y**2)"
)
_XY = f"(-(2*voigt_x(x, y, z) + x*{_XX} + z*{_XZ})/y)"
_ZY = f"(-(2*voigt_z(x, y, z) + x*{_XZ} - z*{_XX})/y)"
SECOND: dict[str, tuple[str, ...]] = {
    "voigt_x": (_XX, _XY, _XZ),
    "voigt_y": (_XY, f"-(2*f + x*{_XY} + z*{_ZY})/y", _ZY),
    "voigt_z": (_XZ, _ZY, f"-{_XX}"),
}

# w' = 2i/sqrt(pi) - 2 z w, w'' = -2 w - 2 z w'
FADDEEVA_X = "-2*(x*faddeeva_re(x, y) - y*faddeeva_im(x, y))"
FADDEEVA_Y = "2*(x*faddeeva_im(x, y) + y*faddeeva_re(x, y)) - 2/sqrt(pi)"
SECOND |= {
    "faddeeva_x": (
        "-2*faddeeva_re(x, y) - 2*(x*f + y*faddeeva_y(x, y))",
        "2*faddeeva_im(x, y) + 2*(y*f - x*faddeeva_y(x, y))",
    ),
    "faddeeva_y": (
        "2*faddeeva_im(x, y) + 2*(y*faddeeva_x(x, y) - x*f)",
        "2*faddeeva_re(x, y) + 2*(x*faddeeva_x(x, y) + y*f)",
    ),
}


class FaddeevaReal(sympy.Function):  # type: ignore[misc]
    """The real part for SymPy, which evaluates it by mpmath."""

    is_real = True

    def _eval_evalf(self, prec: int) -> Any:
        return sympy.Float(_by_mpmath(self, prec).real, precision=prec)


class FaddeevaImaginary(sympy.Function):  # type: ignore[misc]
    """The imaginary part for SymPy, which evaluates it by mpmath."""

    is_real = True

    def _eval_evalf(self, prec: int) -> Any:
        return sympy.Float(_by_mpmath(self, prec).imag, precision=prec)


def _by_mpmath(call: Any, prec: int) -> Any:
    """w at the arguments of a call, with so many bits."""
    import mpmath

    with mpmath.workprec(prec + 20):
        digits = int(0.31 * prec) + 8
        x, y = (mpmath.mpmathify(str(argument.evalf(digits))) for argument in call.args)
        z = mpmath.mpc(x, y)
        return mpmath.exp(-z * z) * mpmath.erfc(-1j * z)
