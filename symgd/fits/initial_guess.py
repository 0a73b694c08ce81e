"""Initial guesses: linear parameters are solved for, nonlinear ones are searched at random.

Given the nonlinear parameters, the linear ones follow by least squares (variable projection: G.
Golub, V. Pereyra, 1973, The differentiation of pseudo-inverses and nonlinear least squares problems
whose variables separate, SIAM J. Numer. Anal. 10(2)). The nonlinear ones are drawn at magnitudes
that the columns suggest: 1, typical values of a column and their reciprocals, on a sample of rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from symgd._numpy import np
from symgd.calculus.jumps import names_in_jumps
from symgd.fits.qr_reduction import RowResiduals
from symgd.fits.regression_model import Model
from symgd.fits.row_sample import SEED, sample_rows
from symgd.formula.nodes import Column, Name, topological
from symgd.model.data_binding import RowData, columns_below
from symgd.solvers.levenberg_marquardt import FreeSystem, minimize
from symgd.solvers.objectives import Box

_SAMPLE_ROWS = 500  # rows
_TRIALS = 200
_BEST = 5  # trials that are then fitted to the sample


def solve_linear(
    model: Model, residuals: RowResiduals, start: Sequence[float]
) -> list[float] | None:
    """`start` with its linear parameters solved for on all rows, or None."""
    found = _solve(residuals, start, _linear_parameters(model, residuals), model.box)
    return None if found is None else found[0]


def search(model: Model, residuals: RowResiduals) -> list[float]:
    """The best start of the search, (P,); ones where none has finite residuals."""
    count, linear = len(model.leaves), _linear_parameters(model, residuals)
    if len(linear) == count:
        return solve_linear(model, residuals, [0.0] * count) or [0.0] * count
    rows = sample_rows(model.rows, _SAMPLE_ROWS)
    sample = residuals.on(rows)
    nonlinear = [k for k in range(count) if k not in linear]
    typical = _magnitudes(rows, columns_below([model.predicted]))
    generator = np.random.default_rng(SEED)
    candidates: list[tuple[float, list[float]]] = []
    for trial in range(_TRIALS):
        x = np.zeros(count)
        x[nonlinear] = _trial(trial, len(nonlinear), typical, generator)
        x = model.box.clip(x)
        solved = _solve(sample, x.tolist(), linear, model.box)
        if solved is not None:
            candidates.append((solved[1], solved[0]))
    candidates.sort()
    for start in _refined(sample, model.box, candidates[:_BEST]):
        if residuals.linearize(start) is not None:  # finite on all rows
            return start
    return [1.0] * count


def _linear_parameters(model: Model, residuals: RowResiduals) -> list[int]:
    """The parameters in which the residual is jointly linear, chosen greedily.

    None of those in sums over rows, which are computed beforehand.
    """
    leaves = model.leaves
    inside = [{n for n in topological([d]) if isinstance(n, Name)} for d in residuals.derivatives]
    choice: list[int] = []
    for k, leaf in enumerate(leaves):
        joint = [*choice, k]
        if all(leaf not in inside[j] and leaves[j] not in inside[k] for j in joint):
            choice.append(k)
    held = names_in_jumps([residuals.residual])
    if model.nested is not None:
        held |= model.nested.parameters
    return [k for k in choice if leaves[k] not in held]


def _refined(
    residuals: RowResiduals, box: Box, candidates: Sequence[tuple[float, list[float]]]
) -> list[list[float]]:
    """The starts after some steps on the sample, best first, then those without steps."""
    fitted: list[tuple[float, list[float]]] = []
    for _, start in candidates:
        result = minimize(residuals, start, box, steps=60)
        if result is not None:
            fitted.append((result.system.rss, result.x.tolist()))
    least = min((rss for rss, _ in fitted), default=0.0)

    def rank(pair: tuple[float, list[float]]) -> tuple[float, int]:
        rss, start = pair  # among equals, fewer negative values: a/b equals -a/-b
        return (least if rss <= least * (1 + 1e-6) else rss), sum(v < 0 for v in start)

    return [start for _, start in [*sorted(fitted, key=rank), *candidates]]


def _trial(
    trial: int, count: int, typical: Sequence[float], generator: np.random.Generator
) -> list[float]:
    """Values of the nonlinear parameters: first all of one magnitude, then random mixtures."""
    if trial < len(typical):
        # two terms with equal rates or centers would be one term: spread them
        return [typical[trial] * (1.0 + 0.5 * k) for k in range(count)]
    choice = generator.integers(0, len(typical), count)
    deviation = generator.uniform(0.3, 2.0, count)
    signs = generator.choice([1.0, 1.0, 1.0, -1.0], count)
    values: list[float] = (np.asarray(typical)[choice] * deviation * signs).tolist()
    return values


def _magnitudes(rows: RowData, predictors: Sequence[Column]) -> list[float]:
    """Plausible magnitudes of a parameter, given these columns."""
    candidates = [1.0]
    for predictor in predictors:
        column = np.asarray(rows.table.columns[predictor.text], dtype=np.float64)
        places = np.quantile(column, [0.1, 0.5, 0.9])
        deviation = [float(np.std(column)), float(np.mean(np.abs(column)))]
        sizes = [abs(v) for v in (*places, *deviation) if v]
        candidates += [float(p) for p in places if p]
        candidates += [float(np.std(column)) / 3] if deviation[0] else []
        candidates += [1 / s for s in sizes] + [5 / sizes[-1]] if sizes else []
    candidates += [0.1, 10.0, 0.01, 100.0]
    return list(dict.fromkeys(v for v in candidates if math.isfinite(v)))


def _solve(
    residuals: RowResiduals, start: Sequence[float], linear_indices: Sequence[int], box: Box
) -> tuple[list[float], float] | None:
    """`start` with the linear parameters at their least-squares values, and its rss."""
    x = np.array(start, dtype=np.float64)
    if linear_indices:
        mask = np.zeros(len(x), dtype=bool)
        mask[list(linear_indices)] = True
        x = np.where(mask, box.clip(np.zeros(len(x))), x)
        for _ in linear_indices:  # parameters that reach a bound stay: solve for the others
            system = residuals.linearize(x.tolist())
            if system is None:
                return None
            new = x + FreeSystem(system, mask).gauss_newton_step()
            x = box.clip(new)
            if (x == new).all():
                break
            mask &= x == new
    rss = residuals.rss(x.tolist())
    return (x.tolist(), rss) if math.isfinite(rss) else None
