"""Starts: draws at plausible magnitudes, frequency scans, and equal terms one after another.

The linear parameters are solved for at every point that is looked at, on a sample of the rows. The
best points are then fitted to the sample, until the best end has been found twice.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count, islice

from symgd import names
from symgd._locks import cached_property
from symgd._numpy import np
from symgd.fits.per_row_function import PerRowFunction
from symgd.fits.qr_reduction import RowResiduals
from symgd.fits.regression_model import Model
from symgd.fits.residual_order import SERIAL, correlation_of_neighbors
from symgd.fits.row_sample import SEED, sample_rows
from symgd.fits.starts.chirp_growth import grown
from symgd.fits.starts.frequency_scan import Oscillation, best_of_each_cycle, oscillations, scan
from symgd.fits.starts.magnitudes import Magnitudes
from symgd.fits.starts.normal_form import normal_form
from symgd.fits.starts.projection import Projection
from symgd.formula.nodes import Column, Name, Node
from symgd.solvers.levenberg_marquardt import minimize
from symgd.solvers.objectives import Box, Matrix, Vector

_SAMPLE_ROWS = 500  # rows
_DRAWS = 300
_BASES = 5  # values of the other parameters, at which a frequency is scanned
_SIGNS = 4  # combinations of signs whose best point is fitted to the sample
_STEPS = 60  # of each
_RUNAWAY = 1e7  # condition number of the scaled Jacobian, where two terms have become one
_SAME = 1e-5  # of the sum of squares: two ends are one


@dataclass(frozen=True)
class Guess:
    """A start, (P,), its sum of squares on the sample, and where it comes from.

    settled: whether its steps had come to an end, and not on the way to infinity.
    """

    x: list[float]
    rss: float
    reason: str
    settled: bool = False


def solve_linear(
    model: Model, residuals: RowResiduals, start: Sequence[float]
) -> list[float] | None:
    """`start` with its linear parameters solved for on a sample of the rows, or None."""
    search = Search(model, residuals, {})
    rss, points = search.projection.solve(np.array([start], dtype=np.float64))
    return points[0].tolist() if np.isfinite(rss[0]) else None


class Search:
    """A search for the start of a fit; held: the values, by name, that are given."""

    def __init__(self, model: Model, residuals: RowResiduals, held: Mapping[str, float]) -> None:
        self.model, self.residuals = model, residuals
        self.rows = sample_rows(model.rows, _SAMPLE_ROWS)
        self.sample = residuals.on(self.rows)
        self.projection = Projection(model, residuals, self.rows)
        low, high = model.box.low.copy(), model.box.high.copy()
        for k, name in enumerate(model.params):
            if name in held:
                low[k] = high[k] = held[name]
        self.box = Box(low, high)
        self.held = {k for k, name in enumerate(model.params) if name in held}
        self.linear = [k for k in self.projection.linear if k not in self.held]
        every = range(len(model.params))
        self.nonlinear = [k for k in every if k not in self.linear and k not in self.held]
        self.generator = np.random.default_rng(SEED)
        self._values: dict[int, Vector] = {}
        self._places: set[Name] = set()

    def best(self) -> Guess:
        """The best start found; ones where none has finite residuals."""
        ends: list[Guess] = []
        for guess in self._candidates():
            result = minimize(
                self.sample, guess.x, self.box, steps=_STEPS, polish=False, precision=1e-6
            )
            if result is None:
                continue
            scaled = result.system.triangle / np.maximum(result.system.scales, 1e-300)
            settled = not result.reason and float(np.linalg.cond(scaled)) < _RUNAWAY
            ends.append(Guess(result.x.tolist(), result.system.rss, guess.reason, settled))
            least = min(ends, key=lambda end: end.rss)
            found = sum(e.settled and e.rss <= least.rss * (1 + _SAME) for e in ends)
            enough = found > 1 and len(ends) >= (4 if len(self._groups) > 1 else 2)
            if least.rss <= self._rounding or (enough and self._is_noise(least)):
                break
        for end in sorted(ends, key=lambda end: self._rank(end, ends)):
            if self.residuals.linearize(end.x) is not None:  # finite on all rows
                fits = f", the best of {len(ends)} fits" if len(ends) > 1 else ""
                return replace(end, x=self._normal_form(end.x), reason=end.reason + fits)
        return Guess(self.box.clip(np.ones(len(self.model.params))).tolist(), np.inf, "")

    def quick(self) -> tuple[list[float], float]:
        """The better end of steps from the two most promising points, (P,), and its squares."""
        ends = [(np.inf, self._start_values()[0].tolist())]
        for guess in islice(self._candidates(), 2):
            result = minimize(
                self.sample, guess.x, self.box, steps=_STEPS // 2, polish=False, precision=1e-4
            )
            if result is not None:
                ends.append((result.system.rss, result.x.tolist()))
        rss, x = min(ends)
        return x, rss

    def _normal_form(self, x: Sequence[float]) -> list[float]:
        found = oscillations(self.rows, self.residuals.inputs, self._roots, np.array(x))
        phases = {k for each in found for k in each.phases}
        places = [k for k in self.nonlinear if self.model.leaves[k] in self._places]
        first = [*places, *(k for k in self.nonlinear if k not in phases), *phases, *self.linear]

        def rss(point: Vector) -> float:
            return float(self.projection.rss(point[None, :])[0])

        clusters = [(*sorted(group), *linear) for group, linear in self._groups.items()]
        return normal_form(self.model, x, rss, phases, first, self.held, self._rounding, clusters)

    def _is_noise(self, end: Guess) -> bool:
        """Whether what the end leaves shows no pattern along any column."""
        left = self.projection.residuals(np.array(end.x))
        left = left[: len(left) - self.model.penalties]
        columns = list(self.rows.table.columns.values())
        return all(correlation_of_neighbors(r, c) < SERIAL for r in left for c in columns)

    def _rank(self, end: Guess, ends: Sequence[Guess]) -> tuple[float, int]:
        """By sum of squares; among equals fewer negative values: a/b equals -a/-b."""
        least = min(end.rss for end in ends)
        same = end.rss <= least * (1 + _SAME)
        return least if same else end.rss, sum(v < 0 for v in end.x)

    @cached_property
    def _rounding(self) -> float:
        """A sum of squares that is rounding."""
        return 1e-24 * self.sample.size * (self._response_size or 0.0) ** 2

    def _candidates(self) -> Iterator[Guess]:
        """Points to begin at, the most promising first."""
        if not self.nonlinear:
            base = self._start_values()
            yield from self._best_of(base, None, "linear least squares", 0)
            return
        drawn = self._draws(self.nonlinear, self.linear)
        points = self._start_values(len(drawn))
        points[:, self.nonlinear] = drawn
        found = self._best_of(points, None, f"best of {len(points)} draws")
        if not found:
            return
        base = np.array(found[0].x)
        scanned = [
            guess
            for each in oscillations(self.rows, self.residuals.inputs, self._roots, base)
            if each.parameter in self.nonlinear
            for guess in self._scanned(each, points[:_BASES], None)
        ]
        yield from scanned[:3]
        by_terms = self._by_terms(base)
        yield from islice(by_terms, 2)
        yield from found
        yield from scanned[3:]
        yield from islice(by_terms, 4)

    def _diverse(self, ranked: Matrix) -> list[int]:
        """The best point of each combination of signs, then others that are not near the best."""
        signs = ranked[:, self.nonlinear] < 0
        _, first = np.unique(signs, axis=0, return_index=True)
        chosen = [*sorted(first.tolist())[:_SIGNS], 1, 2, 4, 8, 16, 32, 64]
        return [k for k in dict.fromkeys(chosen) if k < len(ranked)]

    @property
    def _roots(self) -> list[Node]:
        return [self.model.predicted, *(predicted for predicted, _ in self.model.further)]

    def _start_values(self, points: int = 1) -> Matrix:
        """(points, P): what is given, and 0 within the bounds."""
        return np.repeat(self.box.clip(np.zeros(len(self.model.params)))[None, :], points, axis=0)

    def _best_of(
        self,
        points: Matrix,
        active: Collection[int] | None,
        reason: str,
        rank: int | None = None,
    ) -> list[Guess]:
        """Points with their linear parameters solved for, of this rank or diverse ones."""
        chosen = self.linear if active is None else active
        rss, solved = self.projection.solve(points, chosen, self.box)
        order = np.argsort(rss)
        order = order[np.isfinite(rss[order])]
        wanted = order[self._diverse(solved[order]) if rank is None else slice(rank, rank + 1)]
        return [Guess(solved[k].tolist(), float(rss[k]), reason) for k in wanted.tolist()]

    def _draws(
        self, wanted: Sequence[int], active: Collection[int], base: Vector | None = None
    ) -> Matrix:
        """Draws of parameters, where what the rest of the model leaves is large."""
        leaves = self.model.leaves
        begin = self._start_values() if base is None else base[None, :]
        background = [k for k in self.linear if not self._depends(k)]
        if base is None:
            _, begin = self.projection.solve(begin, background, self.box)
        weights = np.sum(self.projection.residuals(begin[0]) ** 2, axis=0)
        usable = np.isfinite(weights).all() and weights.sum() > 0
        weights = weights if usable else np.ones(self.rows.table.rows)
        drawn = Magnitudes(self.rows, leaves, _DRAWS, self.generator, weights, self._values)
        for root in self._roots:
            drawn.read(root, self._response_size)
        self._places |= drawn.switches.keys()
        solved = {leaves[k] for k in range(len(leaves)) if k not in wanted}
        box = Box(self.box.low[list(wanted)], self.box.high[list(wanted)])
        return drawn.draw([leaves[k] for k in wanted], solved, box)

    @cached_property
    def _response_size(self) -> float | None:
        """The largest magnitude of the response, where the model has one."""
        response = self.model.response
        if isinstance(response, Column):
            values = np.asarray(self.rows.table.columns[response.text], dtype=np.float64)
        else:
            (values,) = PerRowFunction(self.rows, [], [response]).all_rows([])
        size = float(np.max(np.abs(values), initial=0.0))
        return size if np.isfinite(size) and size > 0 else None

    def _depends(self, linear: int) -> set[int]:
        """The searched parameters that the column of a linear one holds."""
        found = self.projection.depends[self.projection.linear.index(linear)]
        return found & set(self.nonlinear)

    def _scanned(
        self, each: Oscillation, bases: Matrix, active: Collection[int] | None
    ) -> list[Guess]:
        """The best points of a scan of one frequency."""
        others = set(self.nonlinear) - {each.parameter, *each.others, *each.phases}
        bases = bases if others else bases[:1]
        if each.others:
            return self._grown(each, bases)
        total = self.model.rows.table.rows
        points, cycles = scan(each, bases, total, self.nonlinear)
        rss, solved = self.projection.solve(
            points, self.linear if active is None else active, self.box
        )
        name = names.escape(self.model.params[each.parameter])
        reason = f"frequency scan over {len(np.unique(cycles))} values of {name}"
        best = best_of_each_cycle(rss, cycles, 4)
        return [
            Guess(solved[k].tolist(), float(rss[k]), reason) for k in best if np.isfinite(rss[k])
        ]

    def _grown(self, each: Oscillation, bases: Matrix) -> list[Guess]:
        """The best ends of a chirp, followed from a few rows to all of the sample."""
        searched = self.model, self.residuals, self.rows
        ends = sorted(grown(each, *searched, bases, self.box, self.nonlinear))
        return [Guess(x, rss, "frequency scan over a few rows, then more") for rss, x in ends[:3]]

    # -- one term after another -----------------------------------------------------------

    @cached_property
    def _groups(self) -> Mapping[frozenset[int], list[int]]:
        """The linear parameters by the nonlinear ones in their columns, where there are some."""
        groups: dict[frozenset[int], list[int]] = {}
        for k in self.linear:
            if depends := self._depends(k):
                groups.setdefault(frozenset(depends), []).append(k)
        return groups

    def _by_terms(self, base: Vector) -> Iterator[Guess]:
        """Starts of a sum of terms, each placed where the terms before it leave most."""
        groups = self._groups
        if len(groups) < 2 or set().union(*groups) != set(self.nonlinear):
            return
        found = oscillations(self.rows, self.residuals.inputs, self._roots, base)
        found = [each for each in found if not each.others]
        for attempt in count():
            if (guess := self._one_by_one(groups, base, found, 2 * attempt + 1)) is None:
                return
            yield guess

    def _one_by_one(
        self,
        groups: Mapping[frozenset[int], list[int]],
        base: Vector,
        periodic: Sequence[Oscillation],
        choices: int,
    ) -> Guess | None:
        """One such start; choices: from how many of the best points of a term one is drawn."""
        active = {k for k in self.linear if not self._depends(k)}
        point, placed = base.copy(), set[int]()
        point[self.linear] = self.box.clip(np.zeros(len(point)))[self.linear]
        left = dict(groups)
        point = self.projection.solve(point[None, :], active, self.box)[1][0]
        while left:
            best: tuple[float, list[float], frozenset[int]] | None = None
            take = int(self.generator.integers(0, choices))
            for group, linear in left.items():
                new = sorted(group - placed)
                points = np.repeat(point[None, :], _DRAWS if new else 1, axis=0)
                found = []
                if new:
                    points[:, new] = self._draws(new, active, point)
                    for each in periodic:
                        if each.parameter in new:
                            found += self._scanned(each, points[:_BASES], [*active, *linear])
                found += self._best_of(points, [*active, *linear], "", take if new else 0)
                for guess in found:
                    if best is None or guess.rss < best[0]:
                        best = guess.rss, guess.x, group
            if best is None:
                return None
            placed |= best[2]
            active |= set(left.pop(best[2]))
            point = self._refined(np.array(best[1]), active | placed)
        return Guess(point.tolist(), 0.0, f"{len(groups)} terms one after another")

    def _refined(self, point: Vector, free: Collection[int]) -> Vector:
        """The point after some steps of these parameters only."""
        low, high = self.box.low.copy(), self.box.high.copy()
        fixed = [k for k in range(len(point)) if k not in free]
        low[fixed] = high[fixed] = point[fixed]
        result = minimize(
            self.sample, point.tolist(), Box(low, high), steps=15, polish=False, precision=1e-4
        )
        return point if result is None else result.x
