"""Interval arithmetic on arrays with outward rounding, and the inverse of each operation.

R. E. Moore, 1966, Interval Analysis; the inverses are those of hull consistency (Benhamou,
Goualard, Granvilliers, Puget 1999, Revising hull and box consistency). Bounds hold wherever the
operation is defined. Every result is widened by more than its rounding error.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from typing import TypeAlias

from symgd._numpy import NDArray, np
from symgd.calculus.intervals import function_range
from symgd.formula.functions.table import Function

Array: TypeAlias = "NDArray[np.float64]"
Bounds = tuple[Array, Array]  # lower and upper, of one shape

_ULPS = 2.0**-50  # eight units in the last place: more than the error of a library function
_TINY = 5e-324
_FAR = 1e6  # beyond it the period of sin is not resolved
INVERSES = {
    "exp": "log", "log": "exp", "expm1": "log1p", "log1p": "expm1", "sinh": "arcsinh",
    "arcsinh": "sinh", "tanh": "arctanh", "arctanh": "tanh",
}  # fmt: skip


@dataclass(frozen=True)
class IntervalOperation:
    """Bounds of the result from those of the arguments, and bounds of the arguments from both.

    backward: for each argument, its bounds from (result, *args), which are intersected with it;
    none: the result tells nothing of them. domain: of the first argument. A set that reaches a
    finite end of it may have no neighborhood in which the operation is defined.
    """

    forward: Callable[..., Bounds]
    backward: tuple[Callable[..., Bounds], ...] = ()
    domain: tuple[float, float] = (-math.inf, math.inf)
    number: int = field(default_factory=count().__next__)


def rounded(low: Array, high: Array, ulps: float = 2.0**-51, tiny: float = _TINY) -> Bounds:
    """Widened, in place, by more than a rounding error; what is no number is unbounded.

    tiny: what may have been lost to underflow.
    """
    for end, outward in ((low, np.subtract), (high, np.add)):
        slack = np.abs(end)
        slack *= ulps
        if tiny:
            slack += tiny
        outward(end, slack, out=end)
    if not np.isfinite(low.sum() + high.sum()):
        unknown = np.isnan(low) | np.isnan(high)
        low[unknown], high[unknown] = -np.inf, np.inf
    return low, high


def plus(a: Bounds, b: Bounds) -> Bounds:
    """The sum. Sums never underflow: one that is 0 is exact."""
    return rounded(a[0] + b[0], a[1] + b[1], tiny=0.0)


def minus(a: Bounds, b: Bounds) -> Bounds:
    """The difference."""
    return plus(a, (-b[1], -b[0]))


def times(a: Bounds, b: Bounds) -> Bounds:
    """The product; 0 times an infinite bound is 0, for a bound is not a value."""
    ends = [x * y for x in a for y in b]
    low = np.fmin(np.fmin(ends[0], ends[1]), np.fmin(ends[2], ends[3]))  # another end is that 0
    high = np.fmax(np.fmax(ends[0], ends[1]), np.fmax(ends[2], ends[3]))
    nothing = np.isnan(low)
    if nothing.any():
        low[nothing] = high[nothing] = 0.0
    lowest = highest = None
    if not (low.all() and high.all()):
        lowest, highest = low == 0, high == 0
    bottom, top = rounded(low, high)
    if lowest is not None:  # exact, unless a product of the other sign underflowed
        same = (a[0] >= 0) & (b[0] >= 0) | (a[1] <= 0) & (b[1] <= 0)
        other = (a[0] >= 0) & (b[1] <= 0) | (a[1] <= 0) & (b[0] >= 0)
        bottom[same & lowest], top[other & highest] = 0.0, 0.0
    return bottom, top


def reciprocal(a: Bounds) -> Bounds:
    """1/a: unbounded where a has both signs."""
    low, high = a
    bottom, top = rounded(1 / high, 1 / low)
    positive, negative = low >= 0, high <= 0
    bottom = np.where(positive, np.maximum(bottom, 0.0), np.where(negative, bottom, -np.inf))
    top = np.where(negative, np.minimum(top, 0.0), np.where(positive, top, np.inf))
    return np.where(high == 0, -np.inf, bottom), np.where(low == 0, np.inf, top)


def quotient(c: Bounds, b: Bounds, a: Bounds) -> Bounds:
    """The hull of the x in a with x*b = c: where b has both signs, of two rays."""
    inside = (b[0] <= 0) & (b[1] >= 0)
    plain = times(c, reciprocal(b))
    above = c[0] > 0
    split = inside & (above | (c[1] < 0))
    nearest = np.where(above, c[0], c[1])
    right, left = np.where(above, b[1], b[0]), np.where(above, b[0], b[1])
    up = np.where(right == 0, np.inf, np.nextafter(nearest / right, 0))
    down = np.where(left == 0, -np.inf, np.nextafter(nearest / left, 0))
    low = np.where(a[0] <= down, a[0], np.maximum(a[0], up))
    high = np.where(a[1] >= up, a[1], np.minimum(a[1], down))
    low, high = np.where(split, low, a[0]), np.where(split, high, a[1])
    return np.where(inside, low, plain[0]), np.where(inside, high, plain[1])


def _signed(root: Bounds, a: Bounds) -> Bounds:
    """The hull of the x in a whose absolute value lies in root."""
    near, far = np.maximum(root[0], 0.0), root[1]
    low = np.where(a[0] <= -near, np.maximum(a[0], -far), np.maximum(a[0], near))
    high = np.where(a[1] >= near, np.minimum(a[1], far), np.minimum(a[1], -near))
    return low, high


def _magnitude(a: Bounds) -> Bounds:
    inside = (a[0] <= 0) & (a[1] >= 0)
    near = np.where(inside, 0.0, np.minimum(np.abs(a[0]), np.abs(a[1])))
    return near, np.maximum(np.abs(a[0]), np.abs(a[1]))


ADD = IntervalOperation(plus, (lambda c, a, b: minus(c, b), lambda c, a, b: minus(c, a)))
MULTIPLY = IntervalOperation(
    times, (lambda c, a, b: quotient(c, b, a), lambda c, a, b: quotient(c, a, b))
)
RECIPROCAL = IntervalOperation(
    reciprocal, (lambda c, a: quotient((np.ones_like(c[0]),) * 2, c, a),)
)


@cache
def power(p: float) -> IntervalOperation:
    """a**p, p > 0."""
    whole = p == int(p)
    even = whole and int(p) % 2 == 0

    def forward(a: Bounds) -> Bounds:
        if even:
            a = _magnitude(a)
        elif not whole:  # defined for a >= 0 only
            a = np.maximum(a[0], 0.0), np.maximum(a[1], 0.0)
        bottom, top = rounded(a[0] ** p, a[1] ** p, _ULPS)
        return (bottom, top) if whole and not even else (np.maximum(bottom, 0.0), top)

    def root(end: Array) -> Array:
        return (
            np.sign(end) * np.abs(end) ** (1 / p)
            if whole and not even
            else (np.maximum(end, 0.0) ** (1 / p))
        )

    def backward(c: Bounds, a: Bounds) -> Bounds:
        # 1/p is rounded: the error of the root grows with its logarithm
        found = rounded(root(c[0]), root(c[1]), 2000 * _ULPS)
        if even:
            return _signed(found, a)
        return found if whole else (np.maximum(found[0], 0.0), found[1])

    return IntervalOperation(
        forward, (backward,), (-math.inf, math.inf) if whole else (0.0, math.inf)
    )


def _monotone(row: Function) -> IntervalOperation:
    """A function of NumPy that only rises or only falls."""
    call, inverse = getattr(np, row.numpy), getattr(np, INVERSES.get(row.numpy, row.numpy))

    def forward(a: Bounds) -> Bounds:
        low, high = (np.clip(end, *row.domain) for end in a)
        ends = (low, high) if row.monotone > 0 else (high, low)
        bottom, top = rounded(call(ends[0]), call(ends[1]), _ULPS)
        return np.maximum(bottom, row.range[0]), np.minimum(top, row.range[1])

    def backward(c: Bounds, a: Bounds) -> Bounds:
        low, high = (np.clip(end, *row.range) for end in c)
        bottom, top = rounded(inverse(low), inverse(high), _ULPS)
        return np.maximum(bottom, row.domain[0]), np.minimum(top, row.domain[1])

    return IntervalOperation(forward, (backward,) if row.numpy in INVERSES else (), row.domain)


def _sine(a: Bounds, shift: float = 0.0) -> Bounds:
    """sin(a + shift); its extrema are counted on a slightly wider interval."""
    margin = 1e-9
    low, high = a[0] + shift, a[1] + shift
    known = (np.abs(low) < _FAR) & (np.abs(high) < _FAR)
    low, high = np.where(known, low, 0.0), np.where(known, high, 0.0)

    def holds(extremum: float) -> NDArray[np.bool_]:
        turns = 2 * np.pi
        found = np.floor((high + margin - extremum) / turns) > np.floor(
            (low - margin - extremum) / turns
        )
        return found | ~known

    ends = np.sin(low), np.sin(high)
    slack = 1e-15 * (1 + np.maximum(np.abs(low), np.abs(high)))  # of the rounded shift
    bottom, top = rounded(np.minimum(*ends) - slack, np.maximum(*ends) + slack)
    bottom = np.where(holds(-np.pi / 2), -1.0, np.maximum(bottom, -1.0))
    return bottom, np.where(holds(np.pi / 2), 1.0, np.minimum(top, 1.0))


SINE = IntervalOperation(_sine)
COSINE = IntervalOperation(lambda a: _sine(a, np.pi / 2))
ABSOLUTE = IntervalOperation(_magnitude, (_signed,))


def _powers(a: Bounds, b: Bounds) -> Bounds:
    """a**b where a is positive; unbounded elsewhere, for whole powers of negative numbers exist."""
    base = rounded(np.log(np.maximum(a[0], 0.0)), np.log(np.maximum(a[1], 0.0)), _ULPS)
    exponent = times(base, b)
    bottom, top = rounded(np.exp(exponent[0]), np.exp(exponent[1]), _ULPS)
    positive = a[0] > 0
    return np.where(positive, np.maximum(bottom, 0.0), -np.inf), np.where(positive, top, np.inf)


def _chosen(condition: Bounds, a: Bounds, b: Bounds) -> Bounds:
    always, never = condition[0] > 0, condition[1] < 1
    low = np.where(always, a[0], np.where(never, b[0], np.minimum(a[0], b[0])))
    return low, np.where(always, a[1], np.where(never, b[1], np.maximum(a[1], b[1])))


POWERS = IntervalOperation(_powers, domain=(0.0, math.inf))
CHOICE = IntervalOperation(_chosen)


@cache
def relation(sign: str) -> IntervalOperation:
    """1 where the relation holds, 0 where it does not, [0, 1] where that is not known."""

    def forward(a: Bounds, b: Bounds) -> Bounds:
        if sign in (">", ">="):
            a, b = b, a
        if sign in ("==", "!="):
            return np.zeros_like(a[0]), np.ones_like(a[0])
        strict = sign in ("<", ">")
        holds = a[1] < b[0] if strict else a[1] <= b[0]
        fails = a[0] >= b[1] if strict else a[0] > b[1]
        return np.where(holds, 1.0, 0.0), np.where(fails, 0.0, 1.0)

    return IntervalOperation(forward)


UNKNOWN = IntervalOperation(
    lambda *a: (np.full_like(a[0][0], -np.inf), np.full_like(a[0][0], np.inf))
)


_OPERATIONS: dict[str, IntervalOperation] = {"sin": SINE, "cos": COSINE, "abs": ABSOLUTE}


def of_function(row: Function) -> IntervalOperation | None:
    """The operation of a function that has array arithmetic of its own."""
    ufunc = getattr(np, row.numpy, None) if row.numpy else None
    if isinstance(ufunc, np.ufunc) and row.monotone and row.arity == (1, 1):
        return _OPERATIONS.setdefault(row.name, _monotone(row))
    return _OPERATIONS.get(row.name)


@cache
def within(low: float, high: float) -> IntervalOperation:
    """The identity, into a range."""
    return IntervalOperation(
        lambda a: (np.maximum(a[0], low), np.minimum(a[1], high)), (lambda c, a: c,)
    )


def one_by_one(row: Function) -> IntervalOperation:
    """A function without array arithmetic: the enclosure of one box after another."""

    def forward(*args: Bounds) -> Bounds:
        ends = [end.ravel().tolist() for bounds in args for end in bounds]
        found = [
            function_range(row, list(zip(values[::2], values[1::2], strict=True)))
            for values in zip(*ends, strict=True)
        ]
        low, high = np.array(found).reshape(-1, 2).T
        return low.reshape(args[0][0].shape), high.reshape(args[0][0].shape)

    return IntervalOperation(forward, domain=row.domain)


def largest_eigenvalues(low: Array, high: Array) -> Array:
    """Upper bounds of the eigenvalues of symmetric matrices between two, (N, P, P) each.

    By J. Rohn, 1998, Bounds on Eigenvalues of Interval Matrices: at most the largest eigenvalue
    of the center plus the spectral radius of the radius; or by Gershgorin's circles.
    """
    bound = np.full(len(low), np.inf)
    known = (np.maximum(-low, high) < 1e150).all(axis=(1, 2))
    low, high = low[known], high[known]
    center, radius = (low + high) / 2, (high - low) / 2
    eigenvalues = np.linalg.eigvalsh(center)
    spread = np.linalg.eigvalsh(radius)[:, -1]
    slack = 1e-12 * low.shape[1] * (np.abs(eigenvalues).max(axis=1) + spread)
    size_of = np.maximum(np.abs(low), np.abs(high))
    diagonal = np.arange(low.shape[1])
    size_of[:, diagonal, diagonal] = high[:, diagonal, diagonal]
    circles = size_of.sum(axis=2).max(axis=1)
    bound[known] = np.minimum(eigenvalues[:, -1] + spread, circles) + slack
    return bound
