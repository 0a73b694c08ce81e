"""Starts of periodic models: a scan of the frequency, from a fifth of a cycle to Nyquist's.

The sum of squares over a frequency has a minimum per cycle, and only one of them is right; so all
are looked at, with the linear parameters solved for (N. Lomb, 1976, Least-squares frequency
analysis of unequally spaced data, Astrophys. Space Sci. 39; here for any formula). Which parameter
is a frequency, a period or a phase is seen from what it does to the angle.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import sympy

from symgd._numpy import np
from symgd.fits.per_row_function import PerRowFunction
from symgd.formula.nodes import Name, Node, topological
from symgd.model.data_binding import RowData, columns_below
from symgd.solvers.objectives import Matrix, Vector

_PER_CYCLE = 5  # frequencies, for each cycle that the data span
_PHASES = (0.0, math.pi / 3, 2 * math.pi / 3)  # the sign of a linear amplitude does the rest
_WORK = 2e7  # residuals of a scan


@dataclass(frozen=True)
class Oscillation:
    """An angle whose range is base*parameter**power; phases: parameters that shift all of it.

    others: further frequencies, as those of a chirp, where it is so at 0 of them.
    """

    angle: PerRowFunction
    parameter: int
    power: float
    phases: tuple[int, ...]
    others: tuple[int, ...] = ()


def oscillations(
    rows: RowData, inputs: Sequence[Name], roots: Sequence[Node], point: Vector
) -> list[Oscillation]:
    """The angles of sines and cosines in the roots; inputs: the parameters, (P,) first."""
    found: dict[int, Oscillation] = {}
    angles = {
        id(n.args[0]): n.args[0] for n in topological(roots) if n.func in (sympy.sin, sympy.cos)
    }
    for angle in angles.values():
        if not columns_below([angle]):
            continue
        function = PerRowFunction(rows, inputs, [angle])
        below = set(topological([angle]))
        inside = [k for k in range(len(point)) if inputs[k] in below]
        powers = {k: _power_of(function, point, k) for k in inside}
        mixed = [k for k, power in powers.items() if power is None]
        alone = point.copy()
        alone[mixed] = 0.0
        apart = {k: _power_of(function, alone, k) for k in mixed}
        if len(mixed) > 1 and all(apart.values()):
            powers |= apart
        phases = tuple(k for k, power in powers.items() if power == 0)
        for k, power in powers.items():
            if power:
                others = tuple(j for j in mixed if j != k) if k in mixed else ()
                found.setdefault(k, Oscillation(function, k, power, phases, others))
    return list(found.values())


def _power_of(function: PerRowFunction, point: Vector, k: int) -> float | None:
    """The exponent of the range of an angle in parameter k, or None."""
    points = np.repeat(point[None, :], 3, axis=0)
    points[:, k] = 1.0, 2.0, 4.0
    return _power(np.ptp(function.at_points(points)[0], axis=1))


def _power(ranges: Vector) -> float | None:
    """The exponent of a power law through values at 1, 2 and 4, 0 of a constant, or None."""
    if not (np.isfinite(ranges).all() and (ranges > 0).all()):
        return None
    first, second = np.log2(ranges[1:] / ranges[:-1])
    if abs(first - second) > 1e-6:
        return None
    return 0.0 if abs(first) < 1e-6 else float(first)


def scan(
    found: Oscillation, bases: Matrix, rows: int, phases: Collection[int]
) -> tuple[Matrix, Vector]:
    """(points to look at, (T, P); how many cycles each has, (T,)).

    bases: values of the other parameters, (D, P), each tried with every frequency. rows: of the
    whole table. phases: the parameters that may be chosen.
    """
    points = bases[:1].copy()
    points[:, found.parameter] = 1.0
    (angle,) = found.angle.at_points(points)[0]
    width = float(np.ptp(angle))
    places = len(np.unique(angle))
    if places == len(angle):  # a sample of the rows knows all frequencies of the table
        places = rows
    most = max(places / 2, 1.0)
    shifts = _PHASES if (chosen := [k for k in found.phases if k in phases]) else (0.0,)
    room = _WORK / (len(angle) * len(bases) * len(shifts))
    count = int(min(most * _PER_CYCLE, max(room, 100)))
    cycles = np.linspace(0.0, most, count + 1)[1:]
    values = (2 * math.pi * cycles / width) ** (1 / found.power)
    out = np.repeat(bases, count * len(shifts), axis=0)
    grid = np.repeat(values, len(shifts))
    out[:, found.parameter] = np.tile(grid, len(bases))
    if chosen:
        rate = _rate(found, out[0], chosen[0], 1.0), _rate(found, out[0], chosen[0], 2.0)
        power = math.log2(abs(rate[1] / rate[0]))
        slope = rate[0] * out[:, found.parameter] ** power
        out[:, chosen[0]] += np.tile(shifts, len(out) // len(shifts)) / slope
    return out, np.tile(np.repeat(cycles, len(shifts)), len(bases))


def _rate(found: Oscillation, point: Vector, phase: int, value: float) -> float:
    """How fast a phase shifts the angle, where the frequency has this value."""
    points = np.repeat(point[None, :], 2, axis=0)
    points[:, found.parameter] = value
    points[1, phase] += 1.0
    values = found.angle.at_points(points)[0]
    return float(np.median(values[1] - values[0])) or 1.0


def best_of_each_cycle(rss: Vector, cycles: Vector, count: int) -> list[int]:
    """The indices of the best points, at least half a cycle apart; of equals the slowest."""
    least = float(rss.min())
    chosen: list[int] = []
    for k in np.lexsort((cycles, np.where(rss <= least * (1 + 1e-9), least, rss))).tolist():
        if all(abs(cycles[k] - cycles[j]) > 0.5 for j in chosen):
            chosen.append(k)
        if len(chosen) == count:
            break
    return chosen
