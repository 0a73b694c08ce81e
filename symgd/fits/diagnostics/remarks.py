"""Remarks on the end of a fit: what its status does not say, and the remedy that was tried.

Nothing is said that was not shown: other values fit as well where they did, a start of our own ends
lower where it did.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from symgd import names
from symgd._numpy import np
from symgd.analysis.minima import LossObjective
from symgd.analysis.symmetries import symmetries
from symgd.data import Table
from symgd.errors import SymgdError
from symgd.fits import statistics
from symgd.fits.certificate import certificate
from symgd.fits.diagnostics.chance import chance_level
from symgd.fits.least_squares_problem import LeastSquaresProblem
from symgd.fits.residual_order import correlation_of_neighbors
from symgd.fits.row_sample import sample_rows
from symgd.fits.starts.initial_guess import Search
from symgd.fits.starts.projection import linear_parameters
from symgd.fits.starts.steps import held
from symgd.formula.nodes import Column, RowSum
from symgd.model.data_binding import columns_below
from symgd.model.loss import Loss
from symgd.model.loss_internals import LossInternals
from symgd.model.result import Status
from symgd.solvers.levenberg_marquardt import LeastSquaresResult, minimize
from symgd.solvers.objectives import Vector

_ROWS = 5_000  # rows on which the order of the residuals is looked at
_FEW = 10  # rows, of which no order is said
_HALF = 0.5  # of it too, where chance gives as much
_SERIAL = 5.0  # standard errors of the correlation of neighbors, and
_STRONG = 0.4  # the correlation, from which a warning names it
_HARDLY = 0.1  # of the sum of squares about the mean
_LOWER = 1e-3  # of the sum of squares, by which another end is worth a warning
_SAME = 1e-6  # of it: another end fits as well


def remarks(problem: LeastSquaresProblem, result: LeastSquaresResult) -> Iterator[str]:
    """Sentences about what a least-squares fit leaves unexplained."""
    summary, rss, model = problem.response_summary, result.system.rss, problem.model
    if statistics.is_exact(rss, summary.about_zero) or not columns_below([model.predicted]):
        return
    share = 1 - rss / summary.squares if summary.squares > 0 else math.nan
    count = len(model.params)
    dof = summary.counted - count
    chance = None if share < _HARDLY else chance_level(problem, share, dof)
    linear = len(linear_parameters(model, problem.residuals)) == count
    elsewhere = "" if linear else ", or a better minimum lies elsewhere: give --start or --bound"
    if share < _HARDLY or (share < _HALF and chance is not None):
        how = "is worse than" if share < 0 else "hardly beats"
        level = "" if chance is None else f", by chance up to {chance:.3g}"
        yield (
            f"the fit {how} the mean of the response (R² {share:.3g}{level}): "
            f"the model says little of it{elsewhere}"
        )
    elif chance is not None:
        yield (
            f"R² {share:.3g} may be chance: of these rows in random order the model explains up to "
            f"{chance:.3g}; {names.counted(dof, 'row')} more than parameters are few"
        )
    elif (few := _few_rows(problem, result.x)) is not None:
        yield few
    else:
        yield from _order(problem, result.x)


def _few_rows(problem: LeastSquaresProblem, x: Vector) -> str | None:
    """A sentence where the fit describes one or two rows, and of the others only their mean."""
    rows, summary = problem.model.rows, problem.response_summary
    table = sample_rows(rows, _ROWS).table
    if rows.table.rows > _ROWS or len(problem.residuals.each) > 1 or summary.counted < _FEW:
        return None
    model = problem.model
    observed = {*columns_below([model.response])}
    if not observed or observed & {*columns_below([model.predicted])}:
        return None  # the squares are not those of a response about its model
    response, *more = problem.observed[0].all_rows([])
    weight = more[0] if more else np.ones(len(response))
    squares = problem.residuals.values(x.tolist())[0] ** 2
    gain = weight * (response - summary.mean) ** 2 - squares
    order = np.argsort(-gain)
    for count in (1, 2):
        few, others = np.sort(order[:count]), order[count:]
        mean = np.average(response[others], weights=weight[others])
        about = float(np.sum(weight[others] * (response[others] - mean) ** 2))
        if not float(np.sum(squares[others])) < (1 - _HARDLY) * about:
            columns = columns_below([problem.model.predicted])[:2]
            places = " and ".join(_row(table, int(k), columns) for k in few)
            return (
                f"the fit rests on {'row' if count == 1 else 'rows'} {places}: "
                "of the others it explains no more than their mean"
            )
    return None


def _row(table: Table, row: int, columns: Sequence[Column]) -> str:
    """A row by its number and its values in some columns."""
    values = (f"{names.escape(c.text)} = {table.columns[c.text][row]:.6g}" for c in columns)
    return f"{row + 1:,} ({', '.join(values)})"


def _order(problem: LeastSquaresProblem, x: Vector) -> Iterator[str]:
    """A remark where residuals follow one another along a column."""
    model = problem.model
    rows = sample_rows(model.rows, _ROWS)
    if rows.table.rows < _FEW or not columns_below([model.response]):
        return  # along the response itself residuals always have an order
    residuals = problem.residuals.on(rows).values(x.tolist())
    residuals = residuals[: len(residuals) - model.penalties]
    for column in columns_below([model.predicted]):
        values = np.asarray(rows.table.columns[column.text], dtype=np.float64)
        for each in residuals:
            errors = correlation_of_neighbors(each, values)
            strength = errors / math.sqrt(len(each))
            if errors > _SERIAL and strength > _STRONG:
                yield (
                    f"the residuals follow one another along {names.escape(column.text)} "
                    f"(correlation of neighbors {strength:.2f}): the model misses something there, "
                    "or a better minimum lies elsewhere"
                )
                return


def lower_end(
    problem: LeastSquaresProblem, result: LeastSquaresResult, given: bool
) -> Iterator[str]:
    """A remark where a start of our own ends lower than the given one."""
    if not given or statistics.is_exact(result.system.rss, problem.response_summary.about_zero):
        return
    search = Search(problem.model, problem.residuals, {})
    guess = search.best()
    here = float(search.projection.rss(result.x[None, :])[0])
    rows = search.sample.size
    # a sample is fitted better by its own minimum than by that of all rows
    chance = 0.0 if rows == problem.residuals.size else 10 * len(result.x) / rows
    if not guess.rss < here * (1 - _LOWER - chance):
        return
    found = minimize(problem.residuals, guess.x, problem.box)
    if found is None or not found.system.rss < result.system.rss * (1 - _LOWER):
        return
    where = ", ".join(
        f"{names.escape(p)} = {v:.6g}" for p, v in zip(problem.model.params, found.x, strict=True)
    )
    yield (
        f"without the given start the fit ends lower: {found.system.rss:.6g} in place of "
        f"{result.system.rss:.6g}, at {where}"
    )


def remedy(problem: LeastSquaresProblem, result: LeastSquaresResult, unknown: Sequence[int]) -> str:
    """What to do where the data do not determine these parameters: what was tried, or ""."""
    for k in sorted(unknown, key=lambda k: -k):
        for value in (0.0, 1.0):
            start = result.x.copy()
            start[k] = value
            if problem.box.clip(start)[k] != value or value == result.x[k]:
                continue
            pinned = held(problem, [k], start)
            found = minimize(problem.residuals, start.tolist(), pinned.box)
            if found is None or certificate(pinned, found)[0] is not Status.CONVERGED:
                continue
            if found.system.rss <= result.system.rss * (1 + _SAME):
                name = names.escape(problem.model.params[k])
                return f"other values fit as well, as those with {name} = {value:g}: fix it"
    return ""


def symmetry(problem: LeastSquaresProblem) -> tuple[str, ...]:
    """What only matters together, by algebra."""
    model, graph = problem.model, problem.model.graph
    if model.nested is not None:
        return ()
    squares = [graph.pow(r, 2) for r in problem.residuals.each]
    root = graph.node(RowSum, graph.add(*squares))
    rows = replace(model.rows, table=sample_rows(model.rows, 50).table)
    loss = LossInternals(graph, root, model.leaves, rows, by_rows=True)
    try:
        return symmetries(Loss.of(loss, model.text, model.columns))
    except (SymgdError, np.linalg.LinAlgError):
        return ()


def run_away(objective: LossObjective, x: Sequence[float], params: Sequence[str]) -> Iterator[str]:
    """A remark where a loss goes on falling as all parameters grow, without a minimum."""
    here, double, fourfold = (objective.value([factor * v for v in x]) for factor in (1, 2, 4))
    if fourfold <= double < here:
        largest = names.escape(max(zip(map(abs, x), params, strict=True))[1])
        yield (
            "the loss still falls as the parameters grow, as where classes are separated: they run "
            f"away; --bound, or a penalty such as + 0.001*{largest}^2, holds them"
        )
