"""Critical points: exact for quadratics, by SymPy where it is quick, else numeric; classified."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from symgd._numpy import np
from symgd.analysis.critical.certify_point import certified
from symgd.analysis.critical.critical_point import CriticalPoint, CriticalPoints
from symgd.analysis.critical.curvature_signs import decided
from symgd.analysis.critical.solver_sizes import SECONDS, solvable
from symgd.analysis.minima import find_minimum
from symgd.calculus.polynomial import (
    Polynomial,
    degree,
    derivative,
    inertia,
    polynomial,
    solve_linear,
    to_double,
    to_node,
    value,
)
from symgd.formula.nodes import ZERO
from symgd.formula.printing.plain import write
from symgd.model.array_internals import ArrayInternals
from symgd.model.bounds import ParameterBox
from symgd.model.loss import Loss

if TYPE_CHECKING:
    from symgd.analysis.critical.sympy_solver import Solution

_PROJECTIONS = 1000
_LINEAR = 150  # parameters of a quadratic, whose equations are linear
_LARGEST = 60  # parameters of any other loss, as for the verdict
_LONGEST = 60_000  # operations times parameters
_COMPILED = 200_000  # operations of a loss whose gradient is compiled to look for a minimum
_MANY = 300_000  # operations of a look at a loss over rows that is not searched everywhere


def critical_points(
    loss: Loss, start: Sequence[float], seconds: float = SECONDS, bounded: bool | None = None
) -> CriticalPoints:
    """What can be found.

    start: where the search begins. seconds: the processor time after which SymPy's solver is
    stopped; 0: it is not asked. bounded: False where the loss is known to have no lower bound, so
    that no point is the lowest. Of a loss in bounds only what is inside of them.
    """
    if not loss.params:
        note = "the loss is constant: every point is a minimum and a maximum"
        return CriticalPoints((), "exact", True, note=note)
    if isinstance(loss.internals, ArrayInternals):
        from symgd.analysis.critical.large_losses import near_start

        return near_start(loss, start)
    if all(g is ZERO for g in loss.internals.derivatives):
        note = "the gradient is 0 wherever it exists: the loss is constant between its jumps"
        return CriticalPoints((), "exact", True, note=note)
    terms = polynomial(loss.internals.root, loss.internals.leaves)
    if terms is not None and degree(terms) <= 2 and len(loss.params) <= _LINEAR:
        return _inside(loss, _of_quadratic(len(loss.params), terms, loss))
    if loss.table is not None and (at_kink := _of_convex_kinks(loss, start)) is not None:
        return at_kink
    operations = loss.internals.value_program.operations
    if len(loss.params) > _LARGEST or operations * len(loss.params) > _LONGEST:
        from symgd.analysis.critical.large_losses import near_start
        from symgd.analysis.large_minima import most_products

        if operations <= _COMPILED and most_products(loss):
            return _inside(loss, near_start(loss, start))
        size = f"{len(loss.params)} parameters, {operations:,} operations"
        note = f"not looked for ({size}); a run with --lr auto --tol 1e-6 looks for one"
        return CriticalPoints((), "numeric", False, note=note)
    if loss.internals.work * len(loss.params) > _MANY and loss.internals.rows is not None:
        return _inside(loss, _near(loss, start))
    from symgd.analysis.critical.critical_point_list import joined  # what quadratics do without
    from symgd.analysis.critical.critical_point_search import search, unexplored
    from symgd.analysis.critical.sympy_solver import Solver

    wanted = seconds > 0 and solvable(loss, terms)
    with Solver(loss, seconds if wanted else 0.0) as solver:
        found = [c for c in search(loss, start) if _near_bounds(loss, c.x)]
        solved = _solved_inside(loss, solver.answer())
    points = _inside(loss, joined(loss, start, found, solved, lowest=bounded is not False))
    if solver.incomplete or points.complete or points.families:
        return replace(points, incomplete=solver.incomplete)
    return replace(points, incomplete=points.incomplete or unexplored(loss, found))


def _of_convex_kinks(loss: Loss, start: Sequence[float]) -> CriticalPoints | None:
    from symgd.analysis.critical.convex_kinks import convex_minimum  # needs NumPy

    point = convex_minimum(loss, list(start))
    box = loss.internals.box
    if point is None or (box is not None and not box.contains(point.x)):
        return None
    several = point.note.endswith("not the only one")
    families = ("infinitely many minima of the same value: a convex set",) if several else ()
    return CriticalPoints((point,), "numeric", True, families)


def _near_bounds(loss: Loss, x: Sequence[float]) -> bool:
    """Whether a point that is not yet exact may be within the bounds."""
    box = loss.internals.box
    if box is None:
        return True
    margin = 1e-6 * (1 + max(map(abs, x)))
    return max(abs(a - b) for a, b in zip(box.clip(x), x, strict=True)) <= margin


def _solved_inside(loss: Loss, solved: Solution | None) -> Solution | None:
    """Of what SymPy's solver found the points within the bounds."""
    if solved is None or loss.internals.box is None:
        return solved
    pairs = zip(solved.points, solved.texts, strict=True)
    kept = [pair for pair in pairs if _near_bounds(loss, pair[0])]
    return replace(solved, points=[p for p, _ in kept], texts=[t for _, t in kept])


def _inside(loss: Loss, found: CriticalPoints) -> CriticalPoints:
    """Of what was found the points within the bounds."""
    box = loss.internals.box
    if box is None or all(box.contains(p.x) for p in found.points):
        return found
    points = tuple(p for p in found.points if box.contains(p.x))
    none = "none within the bounds" if found.complete else "none found within the bounds"
    note = found.note if points else none
    complete = found.complete and not found.families  # a line may cross the box elsewhere
    return replace(found, points=points, note=note, complete=complete)


def _near(loss: Loss, start: Sequence[float]) -> CriticalPoints:
    """The minimum near the start only, where every look at the loss goes over many rows."""
    found = find_minimum(loss, start) or find_minimum(loss, start, globalized=True)
    point = None if found is None else certified(loss, found.x)
    points = () if point is None else (point,)
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
    solution, free = solved
    bends = decided([[to_double(v) for v in row] for row in rows], 0.0, inertia(rows))
    exact = tuple(write(to_node(loss.internals.graph, {(): v} if v else {}, ())) for v in solution)
    at, level = tuple(map(to_double, solution)), to_double(value(terms, solution))
    point = CriticalPoint(at, level, bends.kind, bends.values, exact)
    if not free:
        return CriticalPoints((point,), "exact", True)
    shape = {1: "a line", 2: "a plane"}.get(len(free), f"a subspace of dimension {len(free)}")
    box = loss.internals.box
    if box is not None and not box.contains(at) and (x := _meeting(rows, at, box)) is not None:
        point = replace(point, x=tuple(x), exact=())
    lowest = point.eigenvalues[0] >= 0
    what = "minima" if lowest else "critical points"
    family = f"infinitely many {what} of the same value: {shape} through this point"
    note = "a minimum, not the only one" if lowest else "no minimum: some direction leads down"
    return CriticalPoints((replace(point, note=note),), "exact", True, (family,))


def _meeting(
    rows: Sequence[Sequence[Fraction]], at: Sequence[float], box: ParameterBox
) -> list[float] | None:
    """A point of the box where the gradient of a singular quadratic vanishes, as it does at `at`.

    By projections to and fro: J. von Neumann, 1933; H. Bauschke, J. Borwein, 1996, SIAM Review 38.
    """
    hess = np.array([[to_double(v) for v in row] for row in rows])
    values, vectors = np.linalg.eigh(hess)
    null = vectors[:, abs(values) <= 1e-12 * abs(values).max()]
    origin = np.array(at)
    x = np.array(box.clip(at))
    for _ in range(_PROJECTIONS):
        on = origin + null @ (null.T @ (x - origin))
        x = np.clip(on, box.low, box.high)
        if np.abs(x - on).max() <= 1e-14 * (1 + np.abs(x).max()):
            return list(x.tolist())
    return None
