"""The minimum of a convex loss over data whose rows have kinks, certified by its subgradient.

Median and quantile regression, hinges, least squares with such terms: L = F + sum(J*max(u, 0)), F
smooth, every u linear in the parameters, every J >= 0. Active sets: Newton steps of F along the
kinks that are active, to the exact minimum along a line, where another kink may become active;
one whose multiplier is outside of [0, J] is left. J. Nocedal, S. Wright, 2006, Numerical
Optimization, section 16.5; for F = 0: I. Barrodale, F. Roberts, 1973, An improved algorithm for
discrete l1 linear approximation, SIAM J. Numer. Anal. 10(5).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import sympy

from symgd._numpy import NDArray, np
from symgd.analysis.certified.interval_tape import IntervalTape
from symgd.analysis.critical.critical_point import CriticalPoint
from symgd.analysis.critical.kinks import Value, broken, has_kinks
from symgd.calculus.dcp import curvature
from symgd.calculus.gradient import gradient
from symgd.formula.functions.table import BY_CLASS
from symgd.formula.graph import Graph
from symgd.formula.nodes import ZERO, Column, Name, Node, RowSum, Where, depends, topological
from symgd.model.loss import Loss
from symgd.model.loss_internals import LossInternals

Array: TypeAlias = "NDArray[np.float64]"

_TURNING = ("abs", "relu", "max", "min")
_MOST = 10**6  # kinks of all rows, times parameters
_TURNS = 50  # of the active set, for each parameter, and
_FIRST = 200  # before these
_TIED = 1e-12  # of the sizes that are added in u: no distance from the kink
_ZERO = 1e-9  # of the sizes that are added in a subgradient
_HALVINGS = 100
_STANDS = 20


def convex_minimum(loss: Loss, start: list[float]) -> CriticalPoint | None:
    """The minimum of a convex loss with kinks in rows; None where it is none, or is not found."""
    if loss.table is None or not has_kinks(loss):
        return None
    if not curvature(loss.internals.root).is_convex:
        return None
    split = _split(loss)
    if split is None or split.slopes.size > _MOST:
        return None
    found = _ActiveSet(split, np.array(start, dtype=np.float64)).run()
    if found is None:
        return None
    x, active, unique = found
    level = loss.internals.evaluate_value(*x.tolist())[0] + 0.0
    note = "" if unique else "; not the only one"
    if active:
        note = f"at a kink: the gradient jumps here, and 0 is one of the subgradients{note}"
        return CriticalPoint(tuple(x.tolist()), level, "minimum", note=note, shape="kink")
    values = tuple(np.linalg.eigvalsh(split.hessian(x)).tolist())
    kind = "minimum" if unique else "degenerate"
    return CriticalPoint(tuple(x.tolist()), level, kind, values, note="a minimum" + note)


@dataclass(frozen=True)
class _Split:
    """F and the kinks of all rows: J (K,), u = offsets (K,) + slopes (K, P) @ x."""

    smooth: LossInternals
    jumps: Array
    offsets: Array
    slopes: Array

    def gradient(self, x: Array) -> Array:
        """Of F."""
        return np.array(self.smooth.evaluate(*x.tolist())[1:])

    def hessian(self, x: Array) -> Array:
        """Of F."""
        return np.array(self.smooth.hess_rows(x.tolist()))


def _split(loss: Loss) -> _Split | None:
    """The parts of a loss, None where it has kinks of another kind."""
    internals = loss.internals.by_rows()
    graph, leaves, root = internals.graph, internals.leaves, internals.stable
    rows = internals.rows
    assert rows is not None
    count, origin = rows.table.rows, np.zeros((len(leaves), 1))
    data = {
        node: np.asarray(rows.table.columns[node.text], dtype=np.float64)
        for node in topological([root])
        if isinstance(node, Column)
    }
    below, parts = {}, []
    for node in _kinked(root):
        turned = _turned(graph, node)
        if turned is None:
            return None
        u, beneath, times = turned
        weight = _weight(graph, root, node)
        tilt = gradient(graph, u, leaves)
        if weight is None or any(depends(n, leaves) for n in (weight, *tilt)):
            return None
        below[id(node)] = beneath
        nodes = weight, u, *tilt
        tape = IntervalTape(nodes, leaves, data, count)
        low, high = tape.enclose(origin, origin)
        known = [(low + high)[tape.slots(n), 0] / 2 for n in nodes]
        length = max(map(len, known))
        wide = [np.broadcast_to(values, length) for values in known]
        parts.append(np.stack([times * wide[0], *wide[1:]]))
    if not parts:
        return None
    table = np.concatenate(parts, axis=1)

    def change(node: Node, args: tuple[Node, ...]) -> Node:
        return below[id(node)](args) if id(node) in below else graph.simplified(node, args)

    smooth = LossInternals(graph, graph.rebuild([root], change)[0], leaves, rows, by_rows=True)
    kept = table[0] != 0
    if not np.isfinite(table).all() or (table[0] < 0).any():
        return None
    return _Split(smooth, table[0, kept], table[1, kept], table[2:, kept].T.copy())


def _kinked(root: Node) -> Iterator[Node]:
    for node in topological([root]):
        row = BY_CLASS.get(node.func)
        name = "" if row is None else row.name
        power = node.func is sympy.Pow and broken(node.args[1])
        kink = name in _TURNING or (row is not None and row.kink and name != "huber")
        if kink or power or node.func is Where:
            yield node


def _turned(graph: Graph, node: Node) -> tuple[Node, Value, float] | None:
    """u, the node where u < 0, from its arguments, and its slope in u > 0 less that in u < 0."""
    row = BY_CLASS.get(node.func)
    name = "" if row is None else row.name
    if name == "abs":
        return node.args[0], lambda args: graph.mul(graph.number(-1.0), args[0]), 2.0
    if name == "relu":
        return node.args[0], lambda args: ZERO, 1.0
    if name in ("max", "min") and len(node.args) == 2:
        u = graph.sub(*node.args)
        return (u, lambda args: args[1], 1.0) if name == "max" else (u, lambda args: args[0], -1.0)
    return None


def _weight(graph: Graph, root: Node, node: Node) -> Node | None:
    """The derivative of the loss by the value of a node in one row."""
    sums = [n for n in topological([root]) if n.func is RowSum and node in topological(n.args)]
    if len(sums) > 1:
        return None
    leaf = graph.atom(Name("q", "#q"))

    def slope(of: Node, by: Node) -> Node:
        [alone] = graph.substitute([of], {id(by): leaf})
        [found] = gradient(graph, alone, [leaf])
        return graph.substitute([found], {id(leaf): by})[0]

    if not sums:
        return slope(root, node)
    return graph.mul(slope(root, sums[0]), slope(sums[0].args[0], node))


class _ActiveSet:
    """Active sets from a start: `run` has the minimum, how many kinks meet, whether it is alone."""

    def __init__(self, split: _Split, x: Array) -> None:
        self.split, self.x = split, x
        self.active: list[int] = []
        self.on = np.zeros(len(split.offsets), dtype=bool)  # u > 0; where u is 0, its last side
        self.stands = 0  # turns without a step

    def run(self) -> tuple[Array, int, bool] | None:
        for _ in range(_FIRST + _TURNS * len(self.x)):
            normal = self.split.slopes[self.active]
            gradient_ = self._gradient()
            tangent = _null_space(normal)
            slope = tangent.T @ gradient_
            if np.abs(slope).max(initial=0.0) > _ZERO * self.scale:
                if not self._move(tangent @ self._newton(tangent, slope)):
                    return None
                continue
            multipliers = np.linalg.lstsq(normal.T, -gradient_, rcond=None)[0]
            jumps, slack = self.split.jumps[self.active], _ZERO * self.scale
            off = np.maximum(-multipliers, multipliers - jumps)
            off = off * np.linalg.norm(normal, axis=1)
            if not len(off) or off.max() <= slack:
                return self.x, len(self.active), self._alone(tangent, normal, off < -slack)
            worst = int(off.argmax())
            if self.stands > _STANDS:  # Bland's rule ends the cycles of ties
                worst = min(np.flatnonzero(off > slack).tolist(), key=self.active.__getitem__)
            self.on[self.active.pop(worst)] = multipliers[worst] > 0
        return None

    def _gradient(self) -> Array:
        """Of the loss on the side where it is, without the active kinks; the scale of its terms."""
        split = self.split
        u = split.offsets + split.slopes @ self.x
        size = np.abs(split.slopes) @ np.abs(self.x) + np.abs(split.offsets)
        u[np.abs(u) <= _TIED * size] = 0.0
        u[self.active] = 0.0
        self.u, self.on = u, (u > 0) | ((u == 0) & self.on)
        self.on[self.active] = False
        smooth = split.gradient(self.x)
        sizes = np.abs(split.slopes).T @ split.jumps
        self.scale = max(float(np.abs(smooth).max()), float(sizes.max()), 1e-300)
        return smooth + split.slopes.T @ np.where(self.on, split.jumps, 0.0)

    def _newton(self, tangent: Array, slope: Array) -> Array:
        curved = tangent.T @ self.split.hessian(self.x) @ tangent
        values, vectors = np.linalg.eigh(curved)
        part = vectors.T @ slope
        flat = values <= 1e-10 * max(values[-1], 0.0)
        if np.abs(part[flat]).max(initial=0.0) > _ZERO * self.scale:  # downhill without an end
            return np.asarray(-vectors[:, flat] @ part[flat])
        return np.asarray(-vectors[:, ~flat] @ (part[~flat] / values[~flat]))

    def _move(self, way: Array) -> bool:
        """To the minimum along a line; False where there is none."""
        split, x = self.split, self.x
        tilt = split.slopes @ way
        tilt[self.active] = 0.0
        tilt[np.abs(tilt) <= _TIED * (np.abs(split.slopes) @ np.abs(way))] = 0.0
        with np.errstate(divide="ignore", invalid="ignore"):
            times = np.where(tilt != 0, -self.u / tilt, np.inf)
        times[(times < 0) | (self.on & (tilt > 0)) | (~self.on & (tilt < 0))] = np.inf
        order = np.argsort(times, kind="stable")
        order = order[np.isfinite(times[order])]
        change = np.cumsum(np.abs(tilt[order]) * split.jumps[order])
        rounding = _TIED * self.scale * float(np.linalg.norm(way))
        base = float(tilt @ np.where(self.on, split.jumps, 0.0))

        def slope(t: float, passed: int) -> float:
            """The derivative along the line at t, so many kinks passed."""
            found = float(split.gradient(x + t * way) @ way) + base
            found += float(change[passed - 1]) if passed else 0.0
            return found if abs(found) > rounding else 0.0

        low, high = 0, len(order)  # the first kink after which the loss rises
        while low < high:
            middle = (low + high) // 2
            if slope(float(times[order[middle]]), middle + 1) >= 0:
                high = middle
            else:
                low = middle + 1
        end = float(times[order[low]]) if low < len(order) else np.inf
        begin = float(times[order[low - 1]]) if low else 0.0
        self.on[order[:low]] = tilt[order[:low]] > 0
        if np.isfinite(end) and slope(end, low) < 0:
            self.stands = 0 if end > 0 else self.stands + 1
            self.x = x + end * way
            self._enter(int(order[low]))
            return True
        self.stands = 0
        newton = begin <= 1 <= end and slope(1.0, low) == 0
        t = 1.0 if newton else _zero(lambda t: slope(t, low), begin, end)
        self.x = x + t * way
        return bool(np.isfinite(t))

    def _enter(self, kink: int) -> None:
        """A kink becomes active; x is moved on all of them, as exactly as doubles allow."""
        self.active.append(kink)
        normal = self.split.slopes[self.active]
        gap = self.split.offsets[self.active] + normal @ self.x
        self.x = self.x - np.linalg.lstsq(normal, gap, rcond=None)[0]

    def _alone(self, tangent: Array, normal: Array, inside: NDArray[np.bool_]) -> bool:
        """Whether the loss is larger in every direction: by a slope, or else by its curvature."""
        ways = [tangent]
        if not inside.all():
            ways.append(np.asarray(np.linalg.pinv(normal)[:, ~inside], dtype=np.float64))
        others = np.concatenate(ways, axis=1)
        if not others.shape[1]:
            return True
        curved = others.T @ self.split.hessian(self.x) @ others
        return bool(np.linalg.eigvalsh(curved)[0] > _ZERO * self.scale)


def _null_space(normal: Array) -> Array:
    _, sizes, vectors = np.linalg.svd(normal)
    rank = int((sizes > 1e-12 * max(1e-300, sizes.max(initial=0.0))).sum())
    return np.asarray(vectors[rank:].T)


def _zero(slope: Callable[[float], float], low: float, high: float) -> float:
    """Where an increasing function changes its sign, by bisection; inf where it does not."""
    step = max(low, 1.0)
    while high == np.inf:
        low, step = low, 2 * step
        if step > 1e100:
            return np.inf
        if slope(low + step) >= 0:
            high = low + step
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        if not low < middle < high:
            break
        low, high = (low, middle) if slope(middle) >= 0 else (middle, high)
    return 0.5 * (low + high)
