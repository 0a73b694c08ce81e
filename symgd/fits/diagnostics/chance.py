"""What a model explains of rows in random order: whether a fit is better than chance.

The rows of the predictors are shuffled against those of the response and fitted again, quickly (R.
Fisher, 1935, The Design of Experiments). With nu degrees of freedom u = -nu/2*log(1 - R**2) is half
the likelihood ratio; its tail falls like exp(-u), whatever number of places the search looks at, so
that a few shuffles tell what is exceeded once in some hundred times (E. Gumbel, 1958).
"""

from __future__ import annotations

import math

from symgd._numpy import np
from symgd.fits.least_squares_problem import LeastSquaresProblem
from symgd.fits.row_sample import SEED, sample_rows, with_columns
from symgd.fits.starts.initial_guess import Search
from symgd.fits.starts.projection import linear_parameters
from symgd.fits.starts.steps import scan_steps, step_parameters
from symgd.formula.nodes import Node
from symgd.model.data_binding import columns_below

_ROWS = 500  # rows that are shuffled
_SHUFFLES = 16  # at most
_FEW = 4  # of them, after which a clear answer is taken
_WEAK = 0.5  # R**2, below which a fit has to be better than chance more clearly
_TAIL = {True: 5.0, False: 2.4}  # above the mean of u: exceeded 4 times of 1000, 5 of 100
_CLEAR = 4.0  # standard deviations of that mean


def chance_level(problem: LeastSquaresProblem, share: float, dof: int) -> float | None:
    """R**2 that shuffled rows hardly exceed, where `share`, that of the fit, is no more; else None.

    problem: with all its parameters free. dof: of the residuals.
    """
    model = problem.model
    predictors = columns_below([model.predicted, *(p for p, _ in model.further)])
    observed: list[Node] = [n for n in (model.response, model.weight, model.sigma) if n is not None]
    others = columns_below([*observed, *(r for _, r in model.further)])
    if not 0 < share < 1 or dof <= 0 or model.nested or {*predictors} & {*others}:
        return None
    found, tail = -dof / 2 * math.log1p(-share), _TAIL[share < _WEAK]
    linear = len(linear_parameters(model, problem.residuals))
    places = (len(model.params) - linear) * math.log(dof + len(model.params))
    if found > tail + linear + places:
        return None  # more than the best of all places in all parameters
    rows = sample_rows(model.rows, _ROWS)
    columns = rows.table.columns
    total = problem.on(rows).response_summary.squares
    left = rows.table.rows - len(model.params)
    generator = np.random.default_rng(SEED)
    levels: list[float] = []
    while len(levels) < _SHUFFLES:
        order = generator.permutation(rows.table.rows)
        shuffled = {c.text: columns[c.text][order] for c in predictors}
        rss = _quick_fit(problem.on(with_columns(rows, {**columns, **shuffled})))
        levels.append(-left / 2 * math.log(max(rss, 1e-300) / total))
        limit = float(np.mean(levels)) + tail
        if len(levels) >= _FEW and abs(found - limit) > _CLEAR * 1.3 / math.sqrt(len(levels)):
            break
    return -math.expm1(-2 * limit / dof) if found < limit else None


def _quick_fit(problem: LeastSquaresProblem) -> float:
    """The sum of squares after a short search."""
    x, rss = Search(problem.model, problem.residuals, {}).quick()
    if steps := step_parameters(problem):
        begin, _ = scan_steps(problem, steps, x)
        rss = min(rss, problem.residuals.rss(begin))
    return rss
