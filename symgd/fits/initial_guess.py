"""Where a fit begins when nobody says: linear parameters are solved for, the others are tried.

Given the parameters that enter nonlinearly, the linear ones follow by least squares (G. Golub, V.
Pereyra, 1973, The differentiation of pseudo-inverses and nonlinear least squares problems whose
variables separate, SIAM J. Numer. Anal. 10(2)). So only the former are tried, at magnitudes that
the columns suggest: 1, typical values of a column, and one over them, on a sample of the rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from symgd.fits.qr_reduction import Residuals
from symgd.fits.row_sample import SEED, draw
from symgd.formula.nodes import Name, Node, topological
from symgd.model.data_binding import RowData
from symgd.solvers.levenberg_marquardt import Subsystem, minimize
from symgd.solvers.objectives import Box

_SAMPLE = 500  # rows
_TRIALS = 200
_BEST = 5  # of the trials, which are then fitted to the sample


def linear_parameters(leaves: Sequence[Name], slopes: Sequence[Node]) -> list[int]:
    """The indices of parameters in which the residual is jointly linear, found one by one."""
    inside = [{n for n in topological([s]) if isinstance(n, Name)} for s in slopes]
    chosen: list[int] = []
    for k, leaf in enumerate(leaves):
        joint = [*chosen, k]
        if all(leaf not in inside[j] and leaves[j] not in inside[k] for j in joint):
            chosen.append(k)
    return chosen


@dataclass(frozen=True)
class Starter:
    """Finds starts. linear: the indices of the linear parameters. predictors: columns' names."""

    residuals: Residuals
    rows: RowData
    leaves: Sequence[Name]
    residual: Node
    slopes: Sequence[Node]
    box: Box
    predictors: Sequence[str]

    @property
    def linear(self) -> list[int]:
        """The parameters that least squares gives."""
        found = linear_parameters(self.leaves, self.slopes)
        inner = self.residuals.inner
        held = set() if inner is None else inner.parameters
        return [k for k in found if self.leaves[k] not in held]

    def solved(self, start: Sequence[float]) -> list[float] | None:
        """`start` with its linear parameters solved for on all rows, or None."""
        found = _solve(self.residuals, start, self.linear, self.box)
        return None if found is None else found[0]

    def default(self) -> list[float]:
        """The best start that was found, ones where none is finite."""
        count, linear = len(self.leaves), self.linear
        if len(linear) == count:
            return self.solved([0.0] * count) or [0.0] * count
        sample = draw(self.rows, _SAMPLE)
        residuals = self.residuals.on(sample)
        curved = [k for k in range(count) if k not in linear]
        typical = _magnitudes(sample, self.predictors)
        generator = np.random.default_rng(SEED)
        found: list[tuple[float, list[float]]] = []
        for trial in range(_TRIALS):
            x = np.zeros(count)
            x[curved] = _trial(trial, len(curved), typical, generator)
            x = self.box.clip(x)
            solved = _solve(residuals, x.tolist(), linear, self.box)
            if solved is not None:
                found.append((solved[1], solved[0]))
        found.sort()
        for start in self._refined(residuals, found[:_BEST]):
            if self.residuals.linear(start) is not None:  # on all rows, too
                return start
        return [1.0] * count

    def _refined(
        self, residuals: Residuals, found: Sequence[tuple[float, list[float]]]
    ) -> list[list[float]]:
        """The starts after some steps on the sample, the best first, and as they were."""
        fitted: list[tuple[float, list[float]]] = []
        for _, start in found:
            ended = minimize(residuals, start, self.box, steps=60)
            if ended is not None:
                fitted.append((ended.linear.rss, ended.x.tolist()))
        least = min((rss for rss, _ in fitted), default=0.0)

        def rank(pair: tuple[float, list[float]]) -> tuple[float, int]:
            rss, start = pair  # among equals, that with fewer signs: a/b is -a/-b
            return (least if rss <= least * (1 + 1e-6) else rss), sum(v < 0 for v in start)

        return [start for _, start in [*sorted(fitted, key=rank), *found]]


def _trial(
    trial: int, count: int, typical: Sequence[float], generator: np.random.Generator
) -> list[float]:
    """Values of the nonlinear parameters: first those of one magnitude, then mixed ones."""
    if trial < len(typical):
        # equal rates or places would make two terms one: spread them
        return [typical[trial] * (1.0 + 0.5 * k) for k in range(count)]
    chosen = generator.integers(0, len(typical), count)
    spread = generator.uniform(0.3, 2.0, count)
    signs = generator.choice([1.0, 1.0, 1.0, -1.0], count)
    values: list[float] = (np.asarray(typical)[chosen] * spread * signs).tolist()
    return values


def _magnitudes(rows: RowData, predictors: Sequence[str]) -> list[float]:
    """Magnitudes that a parameter may have beside these columns."""
    found = [1.0]
    columns = rows.table.columns
    for name in predictors:
        column = np.asarray(columns[name], dtype=np.float64)
        places = np.quantile(column, [0.1, 0.5, 0.9])
        spread = [float(np.std(column)), float(np.mean(np.abs(column)))]
        sizes = [abs(v) for v in (*places, *spread) if v]
        found += [float(p) for p in places if p]
        found += [float(np.std(column)) / 3] if spread[0] else []
        found += [1 / s for s in sizes] + [5 / sizes[-1]] if sizes else []
    found += [0.1, 10.0, 0.01, 100.0]
    return list(dict.fromkeys(v for v in found if math.isfinite(v)))


def _solve(
    residuals: Residuals, start: Sequence[float], linear: Sequence[int], box: Box
) -> tuple[list[float], float] | None:
    """`start` with the linear parameters at their least-squares values, and the sum of squares."""
    x = np.array(start, dtype=np.float64)
    if linear:
        mask = np.zeros(len(x), dtype=bool)
        mask[list(linear)] = True
        x = np.where(mask, box.clip(np.zeros(len(x))), x)
        for _ in linear:  # those that meet a bound stay there, and the others are solved for again
            system = residuals.linear(x.tolist())
            if system is None:
                return None
            new = x + Subsystem(system, mask).full()
            x = box.clip(new)
            if (x == new).all():
                break
            mask &= x == new
    rss = residuals.rss(x.tolist())
    return (x.tolist(), rss) if math.isfinite(rss) else None
