"""Critical points: exact for quadratics, by SymPy where it is quick, else numeric; classified."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from symgd.analysis.certify_point import refuted
from symgd.analysis.critical_point import CriticalPoint, CriticalPoints
from symgd.analysis.minima import eigenvalues, find_minimum
from symgd.analysis.solver_sizes import SECONDS, solvable
from symgd.calculus.intervals import ranges
from symgd.calculus.polynomial import (
    Polynomial,
    degree,
    derivative,
    polynomial,
    solve_linear,
    to_double,
    to_node,
    value,
)
from symgd.formula.nodes import ZERO
from symgd.formula.printing.plain import write
from symgd.model.loss import Loss
from symgd.solvers import symmetric

if TYPE_CHECKING:
    from symgd.analysis.nonsmooth import Candidate
    from symgd.analysis.sympy_solver import Solution

_LINEAR = 150  # parameters of a quadratic, whose equations are linear
_LARGEST = 60  # parameters of any other loss, as for the verdict
_LONGEST = 60_000  # operations times parameters
_MANY = 300_000  # operations of a look at a loss over rows that is not searched everywhere
_MOST = 12  # points that are listed
_FLAT = 1e-8  # an eigenvalue below this part of the largest is none


def critical_points(loss: Loss, start: Sequence[float], seconds: float = SECONDS) -> CriticalPoints:
    """What can be found.

    start: where the search begins. seconds: the processor time after which SymPy's solver is
    stopped; 0: it is not asked.
    """
    if not loss.params:
        note = "the loss is constant: every point is a minimum and a maximum"
        return CriticalPoints((), "exact", True, note=note)
    if all(g is ZERO for g in loss.internals.derivatives):
        note = "the gradient is 0 wherever it exists: the loss is constant between its jumps"
        return CriticalPoints((), "exact", True, note=note)
    terms = polynomial(loss.internals.root, loss.internals.leaves)
    if terms is not None and degree(terms) <= 2 and len(loss.params) <= _LINEAR:
        return _of_quadratic(len(loss.params), terms, loss)
    operations = loss.internals.value_program.operations
    if len(loss.params) > _LARGEST or operations * len(loss.params) > _LONGEST:
        size = f"{len(loss.params)} parameters, {operations:,} operations"
        note = f"not looked for ({size}); a run with --lr auto --tol 1e-6 looks for one"
        return CriticalPoints((), "numeric", False, note=note)
    if loss.internals.work * len(loss.params) > _MANY and loss.internals.rows is not None:
        return _near(loss, start)
    from symgd.analysis.critical_point_search import search  # what quadratics do without
    from symgd.analysis.sympy_solver import Solver

    wanted = seconds > 0 and solvable(loss, terms)
    with Solver(loss, seconds if wanted else 0.0) as solver:
        found = search(loss, start)
        solved = solver.answer()
    return replace(_joined(loss, start, found, solved), incomplete=solver.incomplete)


def _near(loss: Loss, start: Sequence[float]) -> CriticalPoints:
    """The minimum near the start only, where every look at the loss goes over many rows."""
    found = find_minimum(loss, start) or find_minimum(loss, start, careful=True)
    points = () if found is None else (classified(loss, found.x),)
    rows = loss.table.rows if loss.table is not None else 0
    note = f"of {rows:,} rows only a minimum near the start was looked for"
    return CriticalPoints(points, "numeric", False, note=note if points else f"none found: {note}")


def _of_quadratic(count: int, terms: Polynomial, loss: Loss) -> CriticalPoints:
    slopes = [derivative(terms, k) for k in range(count)]
    rows = [[derivative(slope, j).get((), Fraction(0)) for j in range(count)] for slope in slopes]
    solved = solve_linear(rows, [-slope.get((), Fraction(0)) for slope in slopes])
    if solved is None:
        note = "none: the gradient is never 0, and the loss has no lower bound"
        return CriticalPoints((), "exact", True, note=note)
    x, free = solved
    bends = tuple(symmetric.eigenvalues([[to_double(v) for v in row] for row in rows]))
    exact = tuple(write(to_node(loss.internals.graph, {(): v} if v else {}, ())) for v in x)
    at, level = tuple(map(to_double, x)), to_double(value(terms, x))
    point = CriticalPoint(at, level, kind_of(bends), bends, exact)
    if not free:
        return CriticalPoints((point,), "exact", True)
    shape = {1: "a line", 2: "a plane"}.get(len(free), f"a subspace of dimension {len(free)}")
    lowest = min(point.eigenvalues) >= -_FLAT * max(map(abs, point.eigenvalues), default=0.0)
    what = "minima" if lowest else "critical points"
    family = f"infinitely many {what} of the same value: {shape} through this point"
    note = "a minimum, not the only one" if lowest else "no minimum: some direction leads down"
    return CriticalPoints((replace(point, note=note),), "exact", True, (family,))


def classified(loss: Loss, x: Sequence[float]) -> CriticalPoint:
    """The critical point at x, by the eigenvalues of its Hessian."""
    size = max(map(abs, x))
    at = tuple(float(v) if abs(v) > 1e-15 * size else 0.0 for v in x)
    level = loss.internals.evaluate_value(*at)[0]
    values = tuple(eigenvalues(loss, at))
    kind = kind_of(values)
    note = _around(loss, at, level) if kind == "degenerate" else ""
    return CriticalPoint(at, level, kind, values, note=note)


def kind_of(values: Sequence[float]) -> str:
    """minimum, maximum, saddle or degenerate, from eigenvalues."""
    flat = _FLAT * max(map(abs, values), default=0.0)
    if any(v < -flat for v in values) and any(v > flat for v in values):
        return "saddle"
    if not values or any(abs(v) <= flat for v in values):
        return "degenerate"
    return "minimum" if values[0] > 0 else "maximum"


def _around(loss: Loss, x: Sequence[float], level: float) -> str:
    """What the neighborhood of a point shows where the curvature does not tell."""
    size = 1e-2 * max(1.0, *map(abs, x))
    rises = falls = same = 0
    for k in range(len(x)):
        for step in (size, -size, 0.1 * size, -0.1 * size):
            there = loss.internals.evaluate_value(*(v + step * (j == k) for j, v in enumerate(x)))[
                0
            ]
            rises, falls = rises + (there > level), falls + (there < level)
            same += there == level
    if rises and falls:
        return "neither a minimum nor a maximum: the loss falls on one side"
    if same and not falls and not rises:
        return "the loss is flat here"
    side = "a minimum" if rises else "a maximum"
    return f"{side} as far as its neighbors show; the curvature vanishes"


def _joined(
    loss: Loss, start: Sequence[float], found: Sequence[Candidate], solved: Solution | None
) -> CriticalPoints:
    points = [_kinked(loss, f) if f.kink else classified(loss, f.x) for f in found]
    points = [p for p in points if math.isfinite(p.value) and not refuted(loss, p)]
    if solved is None or not solved.families:
        points = _one_of_each_level(points, start)
    if solved is None:
        shown = _nearest(_distinct(points), start)
        more = len(shown) < len(_distinct(points))
        note = "others are not excluded" + (": these are the nearest found" if more else "")
        if not points:
            note = "none found; others are not excluded"
        return CriticalPoints(tuple(shown), "numeric", False, note=note)
    exact = []
    for x, texts in zip(solved.points, solved.texts, strict=True):
        kink = next((p for p in points if p.kinked and _same(p.x, x)), None)
        if kink is not None or _vanishes(loss, x):
            exact.append(replace(kink or classified(loss, x), exact=tuple(texts)))
    extra = [p for p in points if not any(_same(p.x, q.x) for q in exact)]
    if solved.families:  # what the search found are members of them
        extra = [p for p in extra if p.kinked]
    complete = solved.complete and not extra
    shown = _nearest(_distinct(exact + extra), start)
    note = "none: the gradient is never 0" if complete and not shown else ""
    if not complete:
        note = "others are not excluded"
    return CriticalPoints(tuple(shown), "symbolic", complete, tuple(solved.families), note)


def _kinked(loss: Loss, found: Candidate) -> CriticalPoint:
    level = loss.internals.evaluate_value(*found.x)[0]
    note = "at a kink: the gradient jumps here"
    return CriticalPoint(tuple(found.x), level, found.kink, note=note)


def _vanishes(loss: Loss, x: Sequence[float]) -> bool:
    """Whether the gradient at x is 0 up to rounding of x itself."""
    level, *grad = loss.internals.evaluate(*x)
    if not all(map(math.isfinite, [level, *grad])):
        return False
    size = max(map(abs, grad))
    if size == 0:
        return True
    rows = loss.internals.hess_rows(x)
    bend = max((abs(v) for row in rows for v in row if math.isfinite(v)), default=0.0)
    return size <= 1e-9 * max(bend, 1e-3) * max(1.0, *map(abs, x))


def _distinct(points: Sequence[CriticalPoint]) -> list[CriticalPoint]:
    kept: list[CriticalPoint] = []
    for point in points:
        if not any(_same(point.x, other.x) for other in kept):
            kept.append(point)
    return kept


def _same(a: Sequence[float], b: Sequence[float]) -> bool:
    gap = math.hypot(*(u - v for u, v in zip(a, b, strict=True)))
    return gap <= 1e-5 * (1 + math.hypot(*a))


def _one_of_each_level(
    points: Sequence[CriticalPoint], start: Sequence[float]
) -> list[CriticalPoint]:
    """The points, but of degenerate ones on one level (a curve of them) only the nearest."""
    kept: list[CriticalPoint] = []
    scale = max((abs(p.value) for p in points), default=0.0)
    for point in sorted(points, key=lambda p: math.dist(p.x, start)):
        level = [
            p
            for p in kept
            if p.kind == "degenerate" == point.kind
            and abs(p.value - point.value) <= 1e-9 * (abs(point.value) + 1e-9 * scale)
        ]
        if not level:
            kept.append(point)
        elif not any(_same(point.x, p.x) for p in level) and "alike" not in level[0].note:
            at = kept.index(level[0])
            kept[at] = replace(level[0], note=f"{level[0].note}; others alike on the same level")
    return kept


def _nearest(points: Sequence[CriticalPoint], start: Sequence[float]) -> list[CriticalPoint]:
    """The lowest minimum and the nearest others, lowest first."""
    if len(points) > _MOST:
        lowest = min(points, key=lambda p: p.value)
        near = sorted(points, key=lambda p: math.dist(p.x, start))
        points = [lowest, *[p for p in near if p is not lowest][: _MOST - 1]]
    return sorted(points, key=lambda p: (p.value, p.x))


def lower_bound(loss: Loss) -> float:
    """A number that the loss never falls below, by the ranges of its parts; -inf if unknown."""
    return max(
        *(ranges([root], {})[id(root)][0] for root in (loss.internals.root, loss.internals.stable))
    )
