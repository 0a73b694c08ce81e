"""Learning rates for which gradient descent provably lowers the loss at every step from a start.

The proof: on the whole boundary of a box around the start the loss is above its value there, so the
part of the sublevel set that holds the start lies inside. Every eigenvalue of the Hessian on that
part is below a bound c. By the descent lemma (Nesterov, Lectures on Convex Optimization, 2018,
Lemma 1.2.3) a step of 0 < lr < 2/c along the negative gradient lowers the loss; a step that left
the box would cross its boundary at a loss that is not above the start's. All by interval
arithmetic; an answer depends on counts of boxes, never on time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from symgd.analysis.certified.box_ranges import Bounds, box_ranges
from symgd.analysis.certified.linear_predictor import predictor_curvature
from symgd.formula.functions.table import BY_CLASS
from symgd.formula.nodes import Column, Name, Node, Where, topological
from symgd.model.loss import Loss

_LARGEST = 20  # parameters
_FACE_WORK, _INNER_WORK = 10**7, 5 * 10**6  # operations on the bounds of a box
_CLOSE = 1.05  # the curvature's bound is not refined below this multiple of one that occurs
_GROWTH, _GROWN = 1.5, 60  # of a side of the box, and how often
_BATCH = 256  # boxes that are split at once
_OVERHEAD = 100  # boxes that cost as much as a call of array functions
_FACE_BOXES = 1_000  # into which a face is cut
_LIPSCHITZ = frozenset({"huber", "softsign"})  # kinks of the second derivative only


@dataclass(frozen=True)
class CertifiedRate:
    """Every 0 < lr < lr_max descends from the start, and stays in the box; or why none is known.

    curvature: a bound of the eigenvalues of the Hessian. box: (low, high) by parameter; infinite
    where the bound holds everywhere. boxes: how many parts the proof has.
    """

    lr_max: float | None = None
    curvature: float | None = None
    box: tuple[tuple[float, float], ...] | None = None
    boxes: int = 0
    why_not: str = ""


def certified_rate(loss: Loss, start: Sequence[float]) -> CertifiedRate:
    """The rates that provably descend from `start`, (P,) numbers in the order of params."""
    kinks = sorted(set(_kinked(loss)))
    if kinks:
        return CertifiedRate(why_not=f"the loss has kinks ({', '.join(kinks)})")
    if not start or len(start) > _LARGEST:
        return CertifiedRate(why_not=f"more than {_LARGEST} parameters")
    search = _Search(loss, start)
    if search.cost * _BATCH > _INNER_WORK:
        return CertifiedRate(why_not="the loss is too large for intervals")
    everywhere = np.array([[-math.inf, math.inf]] * len(start))
    curvature = min(float(search.curvature(everywhere[None])[0][0]), search.of_predictor())
    if math.isfinite(curvature):
        return _rate(curvature, everywhere, 1)
    if not math.isfinite(search.level):
        return CertifiedRate(why_not="the loss is not finite at the start")
    box = search.containing_box()
    if box is None:
        return CertifiedRate(why_not="no box found around the start with a higher loss all around")
    curvature = search.largest_curvature(box)
    if not math.isfinite(curvature):
        return CertifiedRate(why_not="the curvature has no bound in the box around the start")
    return _rate(curvature, box, search.boxes)


def _rate(curvature: float, box: NDArray[np.float64], boxes: int) -> CertifiedRate:
    ends = tuple((float(low), float(high)) for low, high in box)
    largest = math.nextafter(2 / curvature, 0) if curvature > 0 else math.inf
    return CertifiedRate(largest, curvature, ends, boxes)


def _kinked(loss: Loss) -> list[str]:
    """The functions of the loss whose derivatives jump."""
    found = []
    for node in topological([loss.internals.root]):
        row = BY_CLASS.get(node.func)
        if node.func is Where:
            found.append("where")
        elif row is not None and row.kink and row.name not in _LIPSCHITZ:
            found.append(row.name)
    return found


class _Search:
    """Bounds of the loss and of its Hessian's eigenvalues, box after box.

    Boxes are (N, P, 2) arrays. level: not below the loss at the start. boxes, work: bounded
    so far, and the operations for that. cost: operations for the Hessian in one box.
    """

    def __init__(self, loss: Loss, start: Sequence[float]) -> None:
        internals = loss.internals
        self.loss, self.start = loss, np.array(start, dtype=np.float64)
        self.root = internals.stable
        self.slopes = internals.derivatives
        rows = internals.second_derivatives
        self.upper = [(i, j, rows[i][j]) for i in range(len(rows)) for j in range(i, len(rows))]
        self.leaves: list[Node] = internals.atoms
        self.columns: dict[Node, Bounds] = {}
        self.rows = 1
        nodes = topological([self.root, *(node for _, _, node in self.upper)])
        if internals.rows is not None:
            self.rows = internals.rows.table.rows
            self._bind_data(nodes)
        self.cost = len(nodes) * self.rows
        self.value_cost = len(topological([self.root])) * self.rows
        self.boxes = self.work = 0
        point = np.stack([self.start, self.start], axis=1)
        self.level = float(self.values(point[None])[1][0])

    def _bind_data(self, nodes: Sequence[Node]) -> None:
        """The columns, and the sums over the rows that are known."""
        rows = self.loss.internals.rows
        assert rows is not None
        for node in nodes:
            if isinstance(node, Column):
                cells = np.asarray(rows.table.columns[node.text], dtype=np.float64)[None, :]
                self.columns[node] = cells, cells
            elif isinstance(node, Name) and node in rows.values:
                value = np.full((1, 1), rows.values[node])
                self.columns[node] = value, value

    def of_predictor(self) -> float:
        """A bound of the curvature of a loss over data that has a linear predictor, else inf."""
        internals = self.loss.internals
        if internals.rows is None or internals.reduced:
            return math.inf
        leaves = self.leaves
        return predictor_curvature(internals.graph, self.root, leaves, self.columns, self.rows)

    def _ranges(self, roots: Sequence[Node], boxes: NDArray[np.float64]) -> dict[int, Bounds]:
        self.boxes += len(boxes)
        self.work += (len(boxes) + _OVERHEAD) * (self.cost if len(roots) > 1 else self.value_cost)
        ends = {leaf: (boxes[:, k, :1], boxes[:, k, 1:]) for k, leaf in enumerate(self.leaves)}
        return box_ranges(roots, {**self.columns, **ends}, self.rows)

    def values(self, boxes: NDArray[np.float64]) -> Bounds:
        """Bounds of the loss, (N,) each."""
        low, high = self._ranges([self.root], boxes)[id(self.root)]
        return _flat(low, len(boxes)), _flat(high, len(boxes))

    def curvature(self, boxes: NDArray[np.float64]) -> Bounds:
        """Upper bounds of all eigenvalues, and lower bounds of the loss, (N,) each.

        By J. Rohn, 1998, Bounds on Eigenvalues of Interval Matrices: at most the largest eigenvalue
        of the centre plus the spectral radius of the radius; or by Gershgorin's circles.
        """
        found = self._ranges([self.root, *(node for _, _, node in self.upper)], boxes)
        count, size = len(boxes), len(self.leaves)
        low, high = np.empty((2, count, size, size))
        for i, j, node in self.upper:
            low[:, i, j] = low[:, j, i] = _flat(found[id(node)][0], count)
            high[:, i, j] = high[:, j, i] = _flat(found[id(node)][1], count)
        below = _flat(found[id(self.root)][0], count)
        bound = np.full(count, np.inf)
        known = np.isfinite(low).all(axis=(1, 2)) & np.isfinite(high).all(axis=(1, 2))
        if known.any():
            low, high = low[known], high[known]
            center, radius = (low + high) / 2, (high - low) / 2
            eigenvalues = np.linalg.eigvalsh(center)
            spread = np.linalg.eigvalsh(radius)[:, -1]
            slack = 1e-12 * size * (np.abs(eigenvalues).max(axis=1) + spread)
            size_of = np.maximum(np.abs(low), np.abs(high))
            diagonal = np.arange(size)
            size_of[:, diagonal, diagonal] = high[:, diagonal, diagonal]
            circles = size_of.sum(axis=2).max(axis=1)
            rohn = eigenvalues[:, -1] + spread + slack
            bound[known] = np.minimum(rohn, circles * (1 + 1e-12) + slack)
        return bound, below

    def containing_box(self) -> NDArray[np.float64] | None:
        """A box on whose boundary the loss is proven to be above the level; None: not found."""
        reach = np.maximum(0.5, 0.1 * np.abs(self.start))[:, None] * np.array([-1.0, 1.0])
        for _ in range(_GROWN):
            box = self.start[:, None] + reach
            proven = self._above_level(_faces(box)).reshape(reach.shape)
            if proven.all():
                return self._shrunk(box)
            if self.work > _FACE_WORK:
                return None
            reach[~proven] *= _GROWTH
        return None

    def _shrunk(self, box: NDArray[np.float64]) -> NDArray[np.float64]:
        """The box with its sides moved towards the start as far as is proven."""
        for k in range(len(box)):
            for side in (0, 1):
                for share in (0.5, 0.25, 0.125, 0.0625):
                    smaller = box.copy()
                    smaller[k, side] += share * (self.start[k] - box[k, side])
                    if self.work < 2 * _FACE_WORK and self._above_level(_faces(smaller)).all():
                        box = smaller
        return box

    def _above_level(self, faces: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Of which faces the loss is proven to be above the level, (F,)."""
        proven = np.ones(len(faces), dtype=bool)
        left = np.full(len(faces), _FACE_BOXES)
        todo, owner = faces, np.arange(len(faces))
        while len(todo):
            low, _ = self.values(todo[:_BATCH])
            rest = np.flatnonzero(~(low > self.level))
            cut, of = todo[rest], owner[rest]
            if not len(cut):
                todo, owner = todo[_BATCH:], owner[_BATCH:]
                continue
            middle = cut.mean(axis=2)
            _, high = self.values(np.stack([middle, middle], axis=2))
            left -= np.bincount(of, minlength=len(left))
            proven[of[high <= self.level]] = False
            proven[left < 0] = False
            todo = np.concatenate([self.halves(cut), todo[_BATCH:]])
            owner = np.concatenate([of, of, owner[_BATCH:]])
            todo, owner = todo[proven[owner]], owner[proven[owner]]
        return proven

    def halves(self, boxes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Both halves of every box, cut where the loss changes most: width times slope."""
        width = boxes[:, :, 1] - boxes[:, :, 0]
        found = self._ranges(self.slopes, boxes)
        ends = [_flat(np.maximum(*map(np.abs, found[id(g)])), len(boxes)) for g in self.slopes]
        with np.errstate(all="ignore"):
            change = np.stack(ends, axis=1) * width
        change = np.where(np.isfinite(change), change, 0.0)
        flat = ~(change.max(axis=1) > 0)
        change[flat] = width[flat]
        return _halves(boxes, change.argmax(axis=1))

    def largest_curvature(self, box: NDArray[np.float64]) -> float:
        """A bound of the curvature where the loss in the box is not above the level."""
        boxes, (bounds, _) = box[None], self.curvature(box[None])
        occurring, limit = 0.0, self.work + _INNER_WORK
        while len(boxes) and self.work < limit:
            worst = np.argsort(-bounds)[:_BATCH]
            worst = worst[bounds[worst] > _CLOSE * occurring]
            if not len(worst):
                break
            middle = boxes[worst].mean(axis=2)
            points = np.stack([middle, middle], axis=2)
            least = self._curvature_at(points)
            occurring = max(occurring, least)
            halves = self.halves(boxes[worst])
            upper, low = self.curvature(halves)
            upper = np.minimum(upper, np.concatenate([bounds[worst]] * 2))
            kept = ~(low > self.level)
            rest = np.ones(len(boxes), dtype=bool)
            rest[worst] = False
            boxes = np.concatenate([boxes[rest], halves[kept]])
            bounds = np.concatenate([bounds[rest], upper[kept]])
        return float(bounds.max()) if len(bounds) else occurring

    def _curvature_at(self, points: NDArray[np.float64]) -> float:
        """The largest eigenvalue at those of the points that are not above the level."""
        found, _ = self.curvature(points)
        _, high = self.values(points)
        inside = found[(high <= self.level) & np.isfinite(found)]
        return float(inside.max()) if len(inside) else 0.0


def _flat(bounds: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    return np.broadcast_to(bounds, (count, 1))[:, 0]


def _faces(box: NDArray[np.float64]) -> NDArray[np.float64]:
    """The faces of a box, (2*P, P, 2): the lower and the upper one of every parameter."""
    faces = np.repeat(box[None], box.size, axis=0)
    for number, (k, side) in enumerate(np.ndindex(box.shape)):
        faces[number, k, 1 - side] = box[k, side]
    return faces


def _halves(boxes: NDArray[np.float64], widest: NDArray[np.intp]) -> NDArray[np.float64]:
    """Both halves of every box, cut across the side that is given for it."""
    each = np.arange(len(boxes))
    middle = boxes[each, widest].mean(axis=1)
    lower, upper = boxes.copy(), boxes.copy()
    lower[each, widest, 1] = middle
    upper[each, widest, 0] = middle
    return np.concatenate([lower, upper])
