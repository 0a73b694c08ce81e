"""Newton's method in a trust region, by products of the Hessian with vectors.

A. Conn, N. Gould, Ph. Toint, 2000, Trust-region methods, SIAM. A Hessian that is small or a band is
found and factored: its steps are exact (J. Moré, D. Sorensen, 1983, Computing a trust region step,
SIAM J. Sci. Stat. Comput. 4(3)). Else they are those of conjugate gradients (T. Steihaug, 1983, The
conjugate gradient method and trust regions in large scale optimization, SIAM J. Numer. Anal.
20(3)). Both leave saddles: where the gradient vanishes they follow negative curvature.
"""

from __future__ import annotations

from collections.abc import Callable

from symgd._numpy import np
from symgd.solvers.banded import Band, BandedHessian, Dense, Factor
from symgd.solvers.geometric_tail import Tail
from symgd.solvers.objectives import (
    Box,
    End,
    Iterate,
    Iteration,
    SmoothFunction,
    Vector,
    dot,
    norm,
)

Product = Callable[[Vector], Vector]

_FIRST = 0.1  # of x: the first radius; a leap may land in another valley
_NOISE = 2.0**-48  # of the value: a decrease below this is rounding
_CANCELED = 1e-12  # of 1 + |value|: so much may be rounding where large terms cancel
_SHORT = 1e-7  # of x: a step that is rounding
_NONE = 1e-8  # of the largest curvature, one that is none
_SHIFTS = 40
_INNER = 300  # conjugate gradients in one step, at most
_LOOKS = 40  # products that look for negative curvature where the gradient vanishes
_WAYS = 20  # ways out of saddles, one after another
_SHORTEST = 1e-15  # of x: a radius below changes nothing


def iterate(
    function: SmoothFunction,
    start: Vector,
    box: Box | None = None,
    tol: float = 0.0,
    found: BandedHessian | None = None,
) -> Iteration:
    """The points from `start` on, until max|g| <= tol or nothing lowers the value.

    box: bounds; the gradient is projected there. found: counts the linear systems that are solved.
    """
    with np.errstate(all="ignore"):
        x = np.array(start, dtype=np.float64) if box is None else box.clip(start)
        here = Iterate(x, *function.gradient(x))
        yield here
        found, tail = found or BandedHessian(len(x)), Tail()
        model = QuadraticModel(here, box, function, found)
        radius = _FIRST * max(model.length(np.ones(len(x))) / len(x) ** 0.5, model.length(x))
        ways = 0
        while True:
            small = float(np.abs(model.slope).max(initial=0.0)) <= tol
            way = _way_out(model, radius) if small else None
            if small and way is None:
                return End.SMALL
            ways = ways + 1 if small else 0
            if ways > _WAYS:  # as out to where the loss is level in the end
                return End.SADDLE
            new, radius, end = _search(function, model, box, radius, way, tail)
            if new is None:
                return end
            yield new
            model = QuadraticModel(new, box, function, found, model.scale)


class QuadraticModel:
    """The loss about a point to second order, in the parameters that no bound holds.

    slope: the gradient there, 0 for the others. matrix: None where only products are known. scale:
    of the parameters, in which the trust region is round: the largest sqrt|curvature| of each so
    far, as in Moré's method for least squares; 1 without a matrix.
    """

    def __init__(
        self,
        here: Iterate,
        box: Box | None,
        function: SmoothFunction,
        found: BandedHessian,
        before: Vector | None = None,
    ) -> None:
        self.here = here
        self.free = None if box is None else box.free(here.x, here.gradient)
        self.slope = here.gradient if self.free is None else np.where(self.free, here.gradient, 0.0)
        self.whole, self.found = function.products(here.x), found
        matrix = found.at(self.whole)
        self.scale = np.ones(len(here.x)) if before is None else before
        if matrix is not None:
            if self.free is not None and not self.free.all():
                matrix = matrix.restricted(self.free)
            size = np.sqrt(np.abs(matrix.diagonal))
            first = before is None
            self.scale = np.where(size > 0, size, 1.0) if first else np.maximum(self.scale, size)
            matrix = matrix.scaled(1 / self.scale)
        self.matrix: Dense | Band | None = matrix

    def length(self, step: Vector) -> float:
        """|step| in units of the scale."""
        return norm(self.scale * step)

    def product(self, v: Vector) -> Vector:
        """The Hessian times v, in the free parameters."""
        if self.matrix is not None:
            return self.scale * self.matrix.times(self.scale * v)
        return self.whole(v) if self.free is None else np.where(self.free, self.whole(v), 0.0)

    def step(self, radius: float) -> tuple[Vector, bool]:
        """The step within the radius that lowers the model most, and whether it is inside."""
        if self.matrix is not None:
            slope = self.slope / self.scale
            step, inside, solved = constrained_step(self.matrix, slope, radius)
            self.found.solved += solved
            return step / self.scale, inside
        return steihaug(self.product, self.slope, radius)

    def step_within(self, box: Box | None, radius: float) -> tuple[Vector, bool]:
        """The same where it would not leave the box at once: else these parameters are held."""
        while True:
            step, inside = self.step(radius)
            if box is None:
                return step, inside
            x = self.here.x
            out = ((x <= box.low) & (step < 0)) | ((x >= box.high) & (step > 0))
            slope = np.where(out, 0.0, self.slope)
            if not out.any() or not slope.any():
                return step, inside
            self.free, self.slope = ~out if self.free is None else self.free & ~out, slope
            if self.matrix is not None:
                self.matrix = self.matrix.restricted(self.free)

    def decrease(self, step: Vector) -> float:
        """What the model says of the decrease by a step."""
        return -(dot(self.slope, step) + 0.5 * dot(step, self.product(step)))


def _search(
    function: SmoothFunction,
    model: QuadraticModel,
    box: Box | None,
    radius: float,
    way: Vector | None,
    tail: Tail,
) -> tuple[Iterate | None, float, End]:
    """The next point and radius, or why there is none. way: the step out of a saddle."""
    here, slope = model.here, norm(model.slope)
    noise = _NOISE * abs(here.value)
    limit = None
    while True:
        if way is None:
            step, inside = model.step_within(box, radius)
            if not np.isfinite(step).all():
                return None, radius, End.BLOCKED
            limit = tail.limit(step) if inside else None
            if not inside:
                tail.forget()
            if limit is not None:
                new = _at(function, box, here.x + limit)
                if new.value <= here.value and _norm(new, box) < 0.1 * slope:
                    return new, radius, End.SMALL
        else:
            step, inside = way * (radius / model.length(way)), False
        new = _at(function, box, here.x + step)
        moved = new.x - here.x
        length = model.length(moved)
        predicted = model.decrease(moved)
        actual = here.value - new.value
        finite = np.isfinite(new.value) and np.isfinite(new.gradient).all()
        clipped = box is not None and not np.array_equal(new.x, here.x + step)
        ratio = actual / predicted if finite and predicted > 0 else -1.0
        # values that cancel tell less of a whole Newton step than the gradient does
        newton = inside and model.matrix is not None
        level = newton and ratio <= 1e-4 and -actual <= _CANCELED * (1 + abs(here.value))
        if finite and (level or predicted <= noise) and way is None and not clipped:
            short = newton and length and norm(step) <= _SHORT * norm(here.x)
            if length and (level or actual >= -noise) and _norm(new, box) < 0.5 * slope:
                return new, radius, End.SMALL
            if short or not level:
                return None, radius, End.FLOOR if short else End.SETTLED
        if ratio >= 0.75 and not inside:
            radius = max(radius, 2.5 * length)
        elif ratio < 0.25:
            radius = 0.25 * min(radius, length) if length else 0.25 * radius
        if ratio > 1e-4:
            return new, radius, End.SMALL
        if not radius > _SHORTEST * (1e-300 + model.length(here.x)):
            return None, radius, End.BLOCKED


def _at(function: SmoothFunction, box: Box | None, x: Vector) -> Iterate:
    x = x if box is None else box.clip(x)
    return Iterate(x, *function.gradient(x))


def _norm(point: Iterate, box: Box | None) -> float:
    """|g| in the parameters that no bound holds."""
    grad = point.gradient
    if box is not None:
        grad = grad[box.free(point.x, grad)]
    return norm(grad)


# -- steps ----------------------------------------------------------------------------------


def constrained_step(
    matrix: Dense | Band, slope: Vector, radius: float
) -> tuple[Vector, bool, int]:
    """The p with |p| <= radius of least p'Hp/2 + g'p, whether |p| is below it; how many systems.

    p = -(H + shift)^-1 g; the shift by Newton's method on 1/|p| - 1/radius. |p| is right to 20 %.
    """
    shift, low, high = 0.0, 0.0, np.inf
    least = max(1e-6 * matrix.size(), 1e-3 * norm(slope) / radius)
    step = np.full_like(slope, np.nan)
    for count in range(1, _SHIFTS + 1):
        solve = matrix.factor(shift)
        if solve is None:
            low = shift
            shift = _between(low, high, least)
            continue
        step = -solve(slope)
        length = norm(step)
        if not shift and length <= radius:
            return step, True, count
        if abs(length - radius) <= 0.2 * radius:
            return step, False, count
        if length < radius:
            high = shift
            if high - low <= 0.05 * high:  # the hard case: the rest is along the least curvature
                return _filled(solve, step, slope, radius), False, count
        else:
            low = shift
        bend = float(step @ solve(step))
        wanted = shift + (length / radius - 1) * length * length / bend if bend > 0 else np.nan
        shift = wanted if low < wanted < high else _between(low, high, least)
    return step, False, _SHIFTS


def _between(low: float, high: float, least: float) -> float:
    if high < np.inf:
        return float(np.sqrt(low * high)) if low > 0 else max(1e-3 * high, 1e-300)
    return max(10.0 * low, least, 1e-300)


def _filled(solve: Factor, step: Vector, slope: Vector, radius: float) -> Vector:
    """A step that is too short, with so much of the lowest eigenvector that it is long enough."""
    way = np.random.default_rng(0).normal(size=len(step))
    for _ in range(4):
        way = solve(way)
        way /= norm(way)
    return step + _to_edge(step, way if slope @ way <= 0 else -way, radius)


def _to_edge(step: Vector, way: Vector, radius: float) -> Vector:
    """What of a way leads from a step inside to the radius."""
    a, b, c = dot(way, way), dot(step, way), dot(step, step) - radius * radius
    found: Vector = (-b + np.sqrt(max(b * b - a * c, 0.0))) / a * way
    return found


def steihaug(product: Product, slope: Vector, radius: float) -> tuple[Vector, bool]:
    """Conjugate gradients for H p = -g, to the radius or negative curvature; whether inside."""
    step, rest = np.zeros_like(slope), slope
    way, size = -rest, norm(slope)
    enough = min(0.1, size**0.5) * size
    for _ in range(min(2 * len(slope), _INNER)):
        bent = product(way)
        curvature = dot(way, bent)
        before = dot(rest, rest)
        if not curvature > 0:
            return step + _to_edge(step, way, radius), False
        new = step + before / curvature * way
        if norm(new) >= radius:
            return step + _to_edge(step, way, radius), False
        step, rest = new, rest + before / curvature * bent
        after = dot(rest, rest)
        if after**0.5 <= enough:
            break
        way = -rest + after / before * way
    return step, True


def _way_out(model: QuadraticModel, radius: float) -> Vector | None:
    """A direction of negative curvature; None where none is found."""
    if model.matrix is not None:
        if model.matrix.factor(_NONE * model.matrix.size()) is not None:
            return None
        zero = np.zeros(len(model.slope))
        way = constrained_step(model.matrix, zero, radius)[0] / model.scale
        if not 0 < norm(way) < np.inf:  # as of a Hessian of zeros
            return None
        return way if model.slope @ way <= 0 else -way
    rest = np.random.default_rng(0).normal(size=len(model.slope))
    rest = rest if model.free is None else np.where(model.free, rest, 0.0)
    way, largest = -rest, 0.0
    for _ in range(min(len(rest), _LOOKS)):  # conjugate gradients find it, if there is some
        bent = model.product(way)
        curvature, size = dot(way, bent), dot(way, way)
        largest = max(largest, abs(curvature) / (size or 1.0))
        if curvature < -_NONE * largest * size:
            return way if model.slope @ way <= 0 else -way
        before = dot(rest, rest)
        if not curvature > 0 or not before > 0:
            return None
        rest = rest + before / curvature * bent
        way = -rest + dot(rest, rest) / before * way
    return None
