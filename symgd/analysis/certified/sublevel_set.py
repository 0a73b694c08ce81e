"""Boxes that hold the part of a sublevel set on which the start lies, by interval arithmetic.

A box is cut down to what may not be above the level: hull consistency on the graph of the loss, so
that each square of a sum of squares is at most the level less the least values of the others. Where
that moves a side of the box inwards, or empties parts that cover the side, no path in the sublevel
set crosses the side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from symgd._numpy import NDArray, np
from symgd.analysis.certified.interval_arrays import Array, Bounds, largest_eigenvalues
from symgd.analysis.certified.interval_tape import IntervalTape
from symgd.formula.nodes import Node
from symgd.model.loss import Loss

WORK = 10**7  # slots of boxes, for a search; about 0.3 s
_CALLS = 2_000  # slots that cost as much as the calls of a step's array functions
_EACH = 50  # slots that cost as much as the rest of the work on a box
BATCH = 256  # boxes that are cut at once
_CELLS = 400_000  # slots of boxes that are bounded at once: more do not fit the cache
_SWEEPS, _FACE_SWEEPS = 200, 4  # of hull consistency, at most
_PARTS, _MORE_PARTS = 16, 1.5  # into which a side is cut at first, and how many more later
_GROWTH, _GROWN = 2.0, 60  # of a side's distance from the start, and how often


class SublevelSet:
    """Bounds of the loss in boxes, and of the boxes where it is not above the level.

    Boxes are (N, P, 2) arrays. level: not below the loss at the start. boxes, work: how many were
    bounded, and the slots for that.
    """

    def __init__(self, loss: Loss, start: Sequence[float], data: Mapping[Node, Array]) -> None:
        internals = loss.internals
        self.loss, self.start = loss, np.array(start, dtype=np.float64)
        rows = 1 if internals.rows is None else internals.rows.table.rows
        entries = [e for i, row in enumerate(internals.second_derivatives) for e in row[i:]]
        self._upper = np.triu_indices(len(start))
        self.value = IntervalTape([internals.stable], internals.atoms, data, rows)
        self.hessian = IntervalTape(entries, internals.atoms, data, rows, self.value)
        self._root = self.value.slot(internals.stable)
        self._entries = [self.hessian.slot(e) for e in entries]
        self.boxes = self.work = 0
        self.level = float(self.values(_points(self.start[None]))[1][0])

    def _ran(self, tape: IntervalTape, count: int) -> None:
        self.work += (tape.size + _EACH) * count + _CALLS * (len(tape.steps) + 10)

    def values(self, boxes: NDArray[np.float64]) -> Bounds:
        """Bounds of the loss, (N,) each."""
        found = []
        for part in _parts(boxes, self.value):
            self._ran(self.value, len(part))
            low, high = self.value.enclose(*part.transpose(2, 1, 0))
            found.append((low[self._root], high[self._root]))
        low, high = np.concatenate(found, axis=1)
        return low, high

    def bounded(
        self, boxes: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], Array, NDArray[np.intp]]:
        """What of the boxes may not be above the level, its curvature, and of which box it is."""
        found, first = [], 0
        for part in _parts(boxes, self.hessian):
            slots, of = self.contracted(part, 1)
            found.append((self.boxes_of(slots), self.curvature(slots), of + first))
            first += len(part)
        left, curvature, of = (np.concatenate(each) for each in zip(*found, strict=True))
        return left, curvature, of

    def contracted(
        self, boxes: NDArray[np.float64], sweeps: int
    ) -> tuple[Bounds, NDArray[np.intp]]:
        """Slots of what may not be above the level, and of which boxes something is left."""
        size, of = len(self.start), np.arange(len(boxes))
        low, high = self.value.enclose(*boxes.transpose(2, 1, 0))
        before = _sizes(low[:size], high[:size])
        for sweep in range(sweeps):
            self._ran(self.value, 2 * len(of))
            self.boxes += len(of)
            if sweep:
                self.value.forward((low, high))
            high[self._root] = np.minimum(high[self._root], self.level)
            self.value.backward((low, high))
            left = ~(low > high).any(axis=0)
            low, high, of, before = low[:, left], high[:, left], of[left], before[:, left]
            after = _sizes(low[:size], high[:size])
            if not (after < 0.95 * before).any():
                break
            before = after
        return (low, high), of

    def boxes_of(self, bounds: Bounds) -> NDArray[np.float64]:
        """The boxes of parameters that slots are bounds for."""
        size = len(self.start)
        return np.stack([bounds[0][:size].T, bounds[1][:size].T], axis=2)

    def curvature(self, bounds: Bounds) -> Array:
        """Upper bounds of all eigenvalues of the Hessian, (N,), where the slots have these bounds.

        Infinite too where a function's argument reaches the edge of its domain: a step may leave.
        """
        count, size = bounds[0].shape[1], len(self.start)
        self._ran(self.hessian, count)
        found = self.hessian.enclose(*bounds)
        low, high = np.empty((2, count, size, size))
        i, j = self._upper
        low[:, i, j] = low[:, j, i] = found[0][self._entries].T
        high[:, i, j] = high[:, j, i] = found[1][self._entries].T
        largest = largest_eigenvalues(low, high)
        largest[self.value.at_edge(bounds)] = np.inf
        return largest

    def containing_box(self) -> NDArray[np.float64]:
        """A box whose sides the sublevel set of the start does not cross; some may be infinite."""
        everything = np.tile([-np.inf, np.inf], (len(self.start), 1))
        outer = self._hull(everything)
        reach = np.maximum(0.5, 0.1 * np.abs(self.start))[:, None] * np.array([-1.0, 1.0])
        unlimited = np.zeros(reach.shape, dtype=bool)
        for _ in range(2):
            limit = self.work + WORK
            for round_ in range(_GROWN):
                near = self.start[:, None] + reach
                near[:, 0] = np.maximum(near[:, 0], outer[:, 0])
                near[:, 1] = np.minimum(near[:, 1], outer[:, 1])
                box = np.where(unlimited, outer, near)
                inner = self._hull(box)
                proven = (box == outer) | (box != inner)
                faces = _faces(inner)[~proven.ravel()]
                proven[~proven] = self._above_level(faces, int(_PARTS * _MORE_PARTS**round_))
                if proven.all():
                    return inner
                reach[~proven] *= _GROWTH
                if self.work > limit:
                    break
            unlimited |= ~proven
        return outer

    def _hull(self, box: NDArray[np.float64]) -> NDArray[np.float64]:
        slots, _ = self.contracted(box[None], _SWEEPS)
        return self.boxes_of(slots).reshape(box.shape)

    def _above_level(self, faces: NDArray[np.float64], most: int) -> NDArray[np.bool_]:
        """Of which faces the loss is proven to be above the level, (F,)."""
        near = [np.clip(self.start, *face.T) for face in faces]
        found = [self.point_below(*pair) for pair in zip(faces, near, strict=True)]
        proven = np.array([point is None for point in found], dtype=bool)
        parts = np.zeros(len(faces), dtype=int)
        todo, owner = faces[proven], np.flatnonzero(proven)
        while len(todo):
            bounds, of = self.contracted(todo[:BATCH], _FACE_SWEEPS)
            left, owned = self.boxes_of(bounds), owner[:BATCH][of]
            parts += np.bincount(owned, minlength=len(faces))
            proven[parts > most] = False
            _, high = self.values(_points(middles(left)))
            proven[owned[high <= self.level]] = False
            todo = np.concatenate([self.cut(left), todo[BATCH:]])
            owner = np.concatenate([owned, owned, owner[BATCH:]])
            todo, owner = todo[proven[owner]], owner[proven[owner]]
        return proven

    def point_below(self, box: NDArray[np.float64], point: Array) -> Array | None:
        """A point of the box, (P, 2), that is not above the level: by Newton steps onto it."""
        for _ in range(5):
            value, slope = self.loss.value_and_grad(point)
            if value <= self.level:
                return point
            slope = np.where(box[:, 0] < box[:, 1], slope, 0.0)
            with np.errstate(all="ignore"):
                point = point - 1.02 * (value - self.level) / (slope @ slope) * slope
            if not np.isfinite(point).all():
                return None
            point = np.clip(point, box[:, 0], box[:, 1])
        return None

    def cut(self, boxes: NDArray[np.float64], cuts: int = 1) -> NDArray[np.float64]:
        """The halves of every box, or their halves: cut where knowing a parameter narrows most."""
        count, size = boxes.shape[:2]
        middle = middles(boxes)
        known = np.repeat(boxes[None], size, axis=0)
        each = np.arange(size)
        known[each, :, each] = middle.T[:, :, None]
        low, high = self.values(known.reshape(-1, size, 2))
        width = np.minimum(high, 1e300) - np.maximum(low, -1e300)
        width = np.where(boxes[:, :, 0] < boxes[:, :, 1], width.reshape(size, count).T, np.inf)
        for _ in range(min(cuts, size)):
            of = np.arange(len(boxes))
            tied = width <= width.min(axis=1, keepdims=True) * (1 + 1e-9)
            widest = np.where(tied, _squashed(boxes[:, :, 1]) - _squashed(boxes[:, :, 0]), -1.0)
            at = widest.argmax(axis=1)
            lower, upper = boxes.copy(), boxes.copy()
            lower[of, at, 1] = upper[of, at, 0] = middle[of, at]
            boxes, width[of, at] = np.concatenate([lower, upper]), np.inf
            width, middle = np.tile(width, (2, 1)), np.tile(middle, (2, 1))
        return boxes


def _parts(boxes: NDArray[np.float64], tape: IntervalTape) -> list[NDArray[np.float64]]:
    """The boxes, as many at a time as the cache holds."""
    return np.array_split(boxes, max(1, len(boxes) * tape.size // _CELLS))


def middles(boxes: NDArray[np.float64]) -> Array:
    """The middles of boxes, (..., P); of an infinite side, a point twice as far as its end."""
    low, high = boxes[..., 0], boxes[..., 1]
    share = (_squashed(low) + _squashed(high)) / 2
    with np.errstate(all="ignore"):
        far = np.clip(share / (1 - np.abs(share)), np.maximum(low, -1e300), np.minimum(high, 1e300))
        return np.where(np.isinf(low) | np.isinf(high), far, low / 2 + high / 2)


def _squashed(x: Array) -> Array:
    """Into -1..1, so that infinite sides have a width."""
    with np.errstate(all="ignore"):
        return np.where(np.isinf(x), np.sign(x), x / (1 + np.abs(x)))


def _sizes(low: Array, high: Array) -> Array:
    """Widths; of a side that is infinite at one end, the inverse distance of the other."""
    with np.errstate(all="ignore"):
        width = high - low
        nearest = 1 / (1 + np.minimum(np.abs(low), np.abs(high)))
    return np.where(np.isinf(width), np.where(np.isinf(nearest), np.inf, nearest), width)


def _points(points: Array) -> NDArray[np.float64]:
    return np.stack([points, points], axis=-1)


def _faces(box: NDArray[np.float64]) -> NDArray[np.float64]:
    """The faces of a box, (2*P, P, 2): the lower and the upper one of every parameter."""
    faces = np.repeat(box[None], box.size, axis=0)
    for number, (k, side) in enumerate(np.ndindex(box.shape)):
        faces[number, k, 1 - side] = box[k, side]
    return faces
