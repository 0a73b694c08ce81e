"""Many starts: the minima that they lead to, and the run from next to the best of these."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from symgd import names
from symgd._numpy import NDArray, np
from symgd.analysis.minima import NearObjective, solver_box
from symgd.backends.dispatch import COMPILE, compiled
from symgd.backends.lambdified import compile_array
from symgd.descent.choose_backend import DescentTask
from symgd.descent.step_program import step_program
from symgd.errors import ArgumentError
from symgd.model.arguments import read_arguments, resolve
from symgd.model.bounds import canonical_bounds, read_bounds
from symgd.model.checks import to_count
from symgd.model.elements import element_names
from symgd.model.loss import Loss
from symgd.model.result import Starts
from symgd.model.schedule import parse_number
from symgd.solvers import newton
from symgd.solvers.objectives import Box, End
from symgd.solvers.sobol import sobol

Within = str | Sequence[float] | Mapping[str, tuple[float, float]]

_STEPS = 40  # of a solver from each start, or from where a sweep of all ends
_SWEEP = 120  # steps of a sweep; the rate falls from a part of the box, by a factor, to another
_PARTS, _FALL, _LAST = 20, 0.925, 1e-5
# nanoseconds of an operation in NumPy and of each number in it, and of compiling one
_OPERATION, _ELEMENT, _COMPILE_OPERATION = 1000, 3, 1_000_000
_FEWEST, _SWEPT = 32, 30  # starts from which on they are swept, and parameters up to which
_POLISHED = 24  # groups of ends from which a solver goes on, the lowest
_GROUP = 1e-3  # of the box: ends so near lead to one minimum
_BETWEEN = (0.5, 0.25, 0.75)  # of the way to a lower point, where a hill would be seen
_LINKED, _PAIRS = 1000, 10**8  # ends by way of which others lead to a minimum, at least; distances
_PROPOSED = 10.0  # times the size of the start, to both sides of it
_SAME = 1e-5  # of the box: minima so near are one
_LEVEL = 1e-8  # of the value: minima so low are the best


@dataclass(frozen=True)
class Found:
    """Where to begin, the counts of the starts and their minima, and a remark on a proposed box."""

    best: list[float]
    starts: Starts
    remark: str = ""


def look_around(
    loss: Loss,
    origin: Sequence[float],
    count: int,
    within: Within | None,
    seed: int,
    tol: float,
) -> Found:
    """The lowest of the minima that `count` starts in a box lead to.

    loss: of single numbers, in its bounds. within: the box; None: one is proposed.
    """
    to_count(count, "starts", 1)
    low, high, remark = _box(loss, origin, within)
    points = low + (high - low) * sobol(count, len(low), seed)
    if within is None:
        points[0] = origin
    limits, scale = solver_box(loss), high - low
    ends = _swept(loss, points, float(np.median(scale)))
    values = np.array([loss.internals.evaluate_value(*x)[0] for x in ends.tolist()])
    objective = NearObjective(loss.internals)
    groups, rest, seen = list[_Ends](), list[int](), np.empty((_POLISHED, len(scale)))
    for k in np.argsort(np.where(np.isfinite(values), values, np.inf), kind="stable"):
        if not np.isfinite(values[k]):
            break
        near = (np.abs(seen[: len(groups)] - ends[k]) <= _GROUP * scale).all(axis=1)
        place = int(near.argmax()) if near.any() else len(groups)
        if place == len(groups) < _POLISHED:
            seen[place] = ends[k]
            groups.append(_polished(objective, ends[k], limits, tol))
        if place < len(groups):
            groups[place].many += 1
        else:
            rest.append(k)
    if not groups:
        raise ArgumentError("the loss is finite at none of the starts; give another within")
    linked = min(len(rest), max(_LINKED, _PAIRS // count))
    lower, leads_to = np.empty((len(groups) + linked, len(scale))), list(groups)
    lower[: len(groups)] = [g.x for g in groups]
    for k in rest:  # without a solver: to the next lower point (nearest-better clustering)
        apart = (np.abs(lower[: len(leads_to)] - ends[k]) / scale).max(axis=1)
        place = int(apart.argmin())
        if _no_hill(loss, ends[k], float(values[k]), lower[place]):
            leads_to[place].many += 1
            if apart[place] > _GROUP and len(leads_to) < len(lower):
                lower[len(leads_to)] = ends[k]
                leads_to.append(leads_to[place])
    minima = list[_Ends]()
    for group in sorted(groups, key=lambda g: g.value):
        same = next((m for m in minima if _near(m.x, group.x, _SAME * scale)), None)
        if same is not None:
            same.many += group.many
        elif group.converged or not minima:
            minima.append(group)
    best = minima[0]
    level = best.value + _LEVEL * (1 + abs(best.value))
    share = sum(m.many for m in minima if m.value <= level) / count
    converged = sum(m.many for m in minima if m.converged)
    return Found(best.x.tolist(), Starts(count, converged, len(minima), share), remark)


@dataclass
class _Ends:
    """Ends next to one another: where a solver goes on to from the lowest of them."""

    x: NDArray[np.float64]
    value: float
    converged: bool
    many: int = 0


def _near(a: NDArray[np.float64], b: NDArray[np.float64], apart: NDArray[np.float64]) -> bool:
    return bool((np.abs(a - b) <= apart).all())


def _no_hill(loss: Loss, x: NDArray[np.float64], value: float, lower: NDArray[np.float64]) -> bool:
    """Whether the loss is nowhere higher than at x on the straight way from x to a lower point.

    R. Ursem, 1999, Multinational evolutionary algorithms, Proc. Congress on Evolutionary
    Computation: the hill-valley function.
    """
    points = (x + part * (lower - x) for part in _BETWEEN)
    return all(loss.internals.evaluate_value(*p.tolist())[0] <= value for p in points)


def _polished(
    objective: NearObjective, x: NDArray[np.float64], box: Box | None, tol: float
) -> _Ends:
    """What a solver makes of x."""
    points = newton.iterate(objective, x.tolist(), box, tol=tol)
    here, converged = next(points), False
    try:
        for _ in range(_STEPS):
            here = next(points)
    except StopIteration as ended:
        converged = ended.value is not End.BLOCKED
    lower = here.value <= objective.value(x.tolist())
    return _Ends(np.array(here.x) if lower else x, float(here.value), converged and lower)


def _swept(loss: Loss, points: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    """Where Adam with a falling rate leads from all points at once.

    The points themselves where there are few of them, or many parameters.
    """
    if len(points) < _FEWEST or loss.internals.rows is not None or len(loss.params) > _SWEPT:
        return points
    operations = loss.internals.program.operations
    arrays = _SWEEP * operations * (_OPERATION + _ELEMENT * len(points))
    found = None
    if arrays > COMPILE + _COMPILE_OPERATION * operations:
        found = compiled(lambda: _in_lanes(loss, points, width))
    if found is None:
        found = _in_arrays(loss, points, width)
    return np.where(np.isfinite(found), found, points)


def _in_lanes(loss: Loss, points: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    """By the machine code of sweeps."""
    from symgd.descent.native_sweep import LanesKernel

    rate = f"{width / _PARTS!r}*{_FALL!r}^t + {_LAST * width!r}"
    arguments = read_arguments(rate, _SWEEP, "adam", None, None)
    values, count = resolve(arguments), len(loss.params)
    program = step_program(loss, arguments.rule, arguments.schedule, list(values))
    kernel = LanesKernel(program, count, [False] * len(values), settles=False, has_tol=False)
    return kernel.run(points, {}, list(values.values()), _SWEEP, None, None).theta


def _in_arrays(loss: Loss, points: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    """In NumPy, an operation for all points at once."""
    arguments = read_arguments(1.0, _SWEEP, "adam", None, None)
    task = DescentTask(loss, arguments, resolve(arguments))
    step, count, hyper = compile_array(task.program), len(loss.params), task.tail[1:]
    state = [np.zeros(len(points))] * (len(arguments.rule.state) * count)
    x = list(points.T.copy())
    with np.errstate(all="ignore"):
        for t in range(1, _SWEEP + 1):
            lr = width / _PARTS * _FALL**t + _LAST * width
            out = step(*x, *state, float(t), lr, *hyper)
            x, state = out[:count], out[count : count + len(state)]
    return np.stack(np.broadcast_arrays(*x), axis=1)


def _box(
    loss: Loss, origin: Sequence[float], within: Within | None
) -> tuple[NDArray[np.float64], NDArray[np.float64], str]:
    """Both ends of the box of the starts; what is left open is proposed, with a remark."""
    given = _read(within)
    size = [max(1.0, abs(v)) * _PROPOSED for v in origin]
    ends = {n: (v - s, v + s) for n, v, s in zip(loss.params, origin, size, strict=True)}
    limits = loss.internals.box
    if limits is not None:
        for name, low, high in zip(loss.params, limits.low, limits.high, strict=True):
            least, most = ends[name]
            least = low if math.isfinite(low) else min(least, high - 1.0)
            ends[name] = least, high if math.isfinite(high) else max(most, least + 1.0)
    if isinstance(given, tuple):
        ends = dict.fromkeys(loss.params, given)
    else:
        named: dict[str, Any] = {}
        for name, pair in given.items():
            named |= dict.fromkeys(element_names(name, loss.shapes.get(name, ())), pair)
        box = read_bounds(named, loss.params, loss.params)
        for name, low, high in zip(loss.params, box.low, box.high, strict=True):
            if name in named:
                ends[name] = low, high
    corners = np.array(list(ends.values()), dtype=np.float64)
    if not np.isfinite(corners).all():
        raise ArgumentError("within needs both ends, as in x=-5:5")
    shown = ", ".join(f"{names.escape(n)}={a:g}:{b:g}" for n, (a, b) in islice(ends.items(), 4))
    remark = f"starts within {shown}{', ...' if len(ends) > 4 else ''}"
    return corners[:, 0], corners[:, 1], remark if within is None else ""


def _read(within: Within | None) -> tuple[float, float] | dict[str, Any]:
    """One pair for all parameters, or pairs by name."""
    if within is None:
        return {}
    if isinstance(within, Mapping):
        return canonical_bounds(within)
    if not isinstance(within, str):
        low, high = within
        within = f"{low!r}:{high!r}"
    parts = names.split_outside(within, ",")
    if parts and "=" not in parts[0]:
        return _pair(within)
    return {
        names.canonical(name.strip()): _pair(text)
        for name, _, text in (part.partition("=") for part in parts)
    }


def _pair(text: str) -> tuple[float, float]:
    low, colon, high = text.partition(":")
    pair = (parse_number(low, "within"), parse_number(high, "within")) if colon else (0.0, 0.0)
    if not pair[0] < pair[1]:
        raise ArgumentError(f"within is '{names.escape(text.strip())}'; write LOW:HIGH, as -5:5")
    return pair
