"""Polynomial systems: all real zeros, against zeros by hand and mpmath's roots."""

import mpmath
import pytest
import sympy

from symgd.analysis.critical.polynomial_system import real_roots, real_zeros

x, y, z = sympy.symbols("x y z", real=True)


def zeros_of(loss, *symbols):
    """The critical points of the loss, as doubles."""
    found = real_zeros([sympy.diff(loss, s) for s in symbols], symbols)
    return None if found is None else sorted(tuple(float(c.number) for c in p) for p in found)


HALF = 0.5**0.5
ROOT = 22**0.5


@pytest.mark.parametrize(
    ("loss", "right"),
    [
        ((1 - x) ** 2 + 100 * (y - x**2) ** 2, [(1, 1)]),
        # x**3 = y and y**3 = x: x**9 = x
        (x**4 + y**4 - 4 * x * y, [(-1, -1), (0, 0), (1, 1)]),
        # each variable by itself; no coordinate tells the nine zeros apart
        (x**4 - x**2 + y**4 - y**2, [(a, b) for a in (-HALF, 0, HALF) for b in (-HALF, 0, HALF)]),
        # 4 x**3 + 2 x (y**2 - 1) = 0 = the same with x and y changed: by symmetry
        (
            x**4 + y**4 + x**2 * y**2 - x**2 - y**2,
            [(a, b) for a in (-HALF, 0, HALF) for b in (-HALF, 0, HALF) if not a or not b]
            + [(a, b) for a in (-(3**-0.5), 3**-0.5) for b in (-(3**-0.5), 3**-0.5)],
        ),
        # Freudenstein and Roth: (5, 4), and x = (53 -+ 4 sqrt(22))/3, y = (2 -+ sqrt(22))/3
        (
            (x - 13 + ((5 - y) * y - 2) * y) ** 2 + (x - 29 + ((y + 1) * y - 14) * y) ** 2,
            [(5, 4), ((53 - 4 * ROOT) / 3, (2 - ROOT) / 3), ((53 + 4 * ROOT) / 3, (2 + ROOT) / 3)],
        ),
        (x**2 + x * y + y**2 + x**4 + y**4, [(0, 0)]),
        (x**3 + x + y**2, []),  # 3 x**2 + 1 > 0
    ],
)
def test_zeros_by_hand(loss, right):
    assert zeros_of(loss, x, y) == [pytest.approx(p, abs=1e-14) for p in sorted(right)]


def test_infinitely_many_are_left_alone():
    assert zeros_of((x * y - 1) ** 2, x, y) is None
    assert zeros_of(x**4 - x**2, x, y) is None


def test_zeros_without_radicals_are_not_left_out():
    """x**5 - x - 1 has one real root and no radicals; sympy.solve drops such zeros of systems."""
    [zero] = real_zeros([x**5 - x - 1, y - x**2], [x, y])
    with mpmath.workdps(40):
        [root] = [r.real for r in mpmath.polyroots([1, 0, 0, 0, -1, -1]) if abs(r.imag) < 1e-20]
        right = [float(root), float(root**2)]
    assert [float(c.number) for c in zero] == right
    assert [c.exact for c in zero] == [None, None]


def test_a_root_next_to_a_rational_number_is_found():
    """CRootOf.evalf does not end for this one."""
    roots = real_roots(sympy.Poly(17 * x**13 + 192 * x**12 + 36, x))
    with mpmath.workdps(40):
        right = mpmath.findroot(lambda t: 17 * t**13 + 192 * t**12 + 36, -11.3)
    assert [float(r.number) for r in roots] == [float(right)]
