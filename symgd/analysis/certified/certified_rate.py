"""Learning rates for which gradient descent provably lowers the loss at every step from a start.

The proof: no path from the start, along which the loss is not above its value there, leaves a box
(`symgd.analysis.certified.sublevel_set`). Where the loss in the box is not above that value, every
eigenvalue of the Hessian is at most c. By the descent lemma (Nesterov, Lectures on Convex
Optimization, 2018, Lemma 1.2.3) a step of 0 < lr < 2/c along the negative gradient lowers the loss,
also at all points between; so it does not leave the box. All by interval arithmetic; an answer
depends on counts of operations, never on time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from symgd._numpy import NDArray, np
from symgd.analysis.certified.interval_arrays import Array
from symgd.analysis.certified.linear_predictor import predictor_curvature
from symgd.analysis.certified.sublevel_set import BATCH, SublevelSet, middles
from symgd.formula.functions.table import BY_CLASS
from symgd.formula.nodes import Column, Node, Where, topological
from symgd.model.loss import Loss

_LARGEST = 20  # parameters
_MOST_SLOTS = 200_000  # nodes times rows
_WORK = 88 * 10**6  # slots of boxes; about 1.3 s
_SOON = 10**7  # as long as there is no bound at all
_CLOSE = 1.09  # the curvature's bound is not refined below this multiple of one that occurs
_CUTS = 2  # of a box at once: its quarters
_TRIED = 4  # of the boxes that are cut, in which an occurring curvature is looked for
_LIPSCHITZ = frozenset({"huber", "softsign"})  # kinks of the second derivative only


@dataclass(frozen=True)
class CertifiedRate:
    """Every 0 < lr < lr_max descends from the start, and stays in the box; or why none is known.

    curvature: a bound of the eigenvalues of the Hessian. box: (low, high) by parameter, maybe
    infinite. everywhere: the rate holds for every start. boxes: how many parts the proof has.
    """

    lr_max: float | None = None
    curvature: float | None = None
    box: tuple[tuple[float, float], ...] | None = None
    boxes: int = 0
    why_not: str = ""
    everywhere: bool = False


def certified_rate(loss: Loss, start: Sequence[float]) -> CertifiedRate:
    """The rates that provably descend from `start`, (P,) numbers in the order of params."""
    kinks = sorted(set(_kinked(loss)))
    if kinks:
        return CertifiedRate(why_not=f"the loss has kinks ({', '.join(kinks)})")
    if not start or len(start) > _LARGEST:
        return CertifiedRate(why_not=f"more than {_LARGEST} parameters")
    data = _data(loss)
    everything = np.tile([-np.inf, np.inf], (len(start), 1))
    curvature = predictor_curvature(loss.internals, data)
    if math.isfinite(curvature):
        return _rate(curvature, everything, 1, everywhere=True)
    rows = 1 if loss.internals.rows is None else loss.internals.rows.table.rows
    nodes = topological([e for row in loss.internals.second_derivatives for e in row])
    if len(nodes) * rows > _MOST_SLOTS:
        return CertifiedRate(why_not="the loss is too large for intervals")
    search = SublevelSet(loss, start, data)
    curvature = float(
        search.curvature(search.value.enclose(*everything[None].transpose(2, 1, 0)))[0]
    )
    if math.isfinite(curvature):
        return _rate(curvature, everything, 1, everywhere=True)
    if not math.isfinite(search.level):
        return CertifiedRate(why_not="the loss is not finite at the start")
    box = search.containing_box()
    curvature, box = _largest_curvature(search, box)
    if math.isfinite(curvature):
        return _rate(curvature, box, search.boxes)
    if np.isfinite(box).all():
        return CertifiedRate(why_not="the curvature has no bound in the box around the start")
    return CertifiedRate(why_not="no box found around the start with a higher loss all around")


def _rate(
    curvature: float, box: NDArray[np.float64], boxes: int, everywhere: bool = False
) -> CertifiedRate:
    ends = tuple((float(low), float(high)) for low, high in box)
    largest = math.nextafter(2 / curvature, 0) if curvature > 0 else math.inf
    return CertifiedRate(largest, curvature, ends, boxes, everywhere=everywhere)


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


def _data(loss: Loss) -> dict[Node, Array]:
    """The columns, (rows,), and what is known of all rows, (1,)."""
    rows = loss.internals.rows
    if rows is None:
        return {}
    found: dict[Node, Array] = {n: np.array([value]) for n, value in rows.values.items()}
    for node in topological([loss.internals.stable]):
        if isinstance(node, Column):
            found[node] = np.asarray(rows.table.columns[node.text], dtype=np.float64)
    return found


def _largest_curvature(
    search: SublevelSet, box: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """A bound of the curvature where the loss in the box is not above the level, and where that is.

    Best first: the boxes of the largest bounds are cut, until one that occurs is nearly as large.
    """
    boxes, bounds, _ = search.bounded(box[None])
    occurring, began = _curvature_at(search, [search.start]), search.work
    while len(boxes) and search.work - began < (_WORK if np.isfinite(bounds.max()) else _SOON):
        worst = np.argsort(-bounds, kind="stable")[:BATCH]
        worst = worst[bounds[worst] > _CLOSE * occurring]
        if not len(worst):
            break
        tried = [search.point_below(box, point) for point in middles(boxes[worst[:_TRIED]])]
        if points := [point for point in tried if point is not None]:
            occurring = max(occurring, _curvature_at(search, points))
        parts, found, of = search.bounded(search.cut(boxes[worst], _CUTS))
        found = np.minimum(found, bounds[worst][of % len(worst)])
        rest = np.ones(len(boxes), dtype=bool)
        rest[worst] = False
        boxes = np.concatenate([boxes[rest], parts])
        bounds = np.concatenate([bounds[rest], found])
    if not len(boxes):
        return math.inf, box
    hull = np.stack([boxes[:, :, 0].min(axis=0), boxes[:, :, 1].max(axis=0)], axis=1)
    return float(bounds.max()), hull


def _curvature_at(search: SublevelSet, points: Sequence[Array]) -> float:
    """The largest curvature at some points."""
    ends = np.array(points).T
    found = search.curvature(search.value.enclose(ends, ends))
    return float(found.max(where=np.isfinite(found), initial=0.0))
