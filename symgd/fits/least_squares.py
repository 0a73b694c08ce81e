"""Least squares: from the initial guess through the minimization to the result."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import MappingProxyType

from symgd import names
from symgd._numpy import np
from symgd.errors import ArgumentError, DataError
from symgd.fits import statistics
from symgd.fits.assemble import assemble
from symgd.fits.certificate import certificate
from symgd.fits.diagnostics import remarks
from symgd.fits.diagnostics.sloppy_directions import sloppy_directions
from symgd.fits.fit_result import FitResult
from symgd.fits.least_squares_problem import LeastSquaresProblem
from symgd.fits.minimize_loss import descend_by_rule
from symgd.fits.profiles import SquaresDeviance
from symgd.fits.row_sample import sample_rows
from symgd.fits.settings import Iterations, Options, StoppedError
from symgd.fits.starts import initial_guess, label_switching
from symgd.fits.starts.steps import held, intervals, scan_steps, step_parameters
from symgd.formula.nodes import RowMean
from symgd.model.result import Status
from symgd.solvers.levenberg_marquardt import LeastSquaresResult, gauss_newton_step, minimize
from symgd.solvers.objectives import Vector

_SAMPLE_FROM = 200_000  # rows from which the first steps use a sample
_SAMPLE_ROWS = 16_384


def least_squares(problem: LeastSquaresProblem, options: Options) -> FitResult:
    """The fit of a model by least squares."""
    start, given, reason = problem.start(options)
    if options.method != "lm":
        return _by_descent(problem, options, start)
    searched = step_parameters(problem)
    begin, whole = start, problem
    places: Mapping[int, Vector] = {}
    if searched:
        begin, places = scan_steps(problem, searched, start)
        problem = held(problem, searched, begin)
    result, status, message = _minimum(problem, options, begin, given)
    if reason:
        message += f"; start: {reason}"
    found = intervals(whole, searched, result.x, places) if searched else {}
    more_warnings = [*remarks.remarks(problem, result), *remarks.lower_end(whole, result, given)]
    return _assemble(problem, options, result, start, status, message, found, more_warnings)


def _minimum(
    problem: LeastSquaresProblem, options: Options, start: Sequence[float], given: bool
) -> tuple[LeastSquaresResult, Status, str]:
    """The end of the minimization, its status, and a sentence about it."""
    last = Iterations(problem.model.params)
    try:
        suffix = ""
        result = None if options.steps else _minimize_after_sample(problem, start, last)
        if result is not None:
            suffix = f" (begun on a sample of {_SAMPLE_ROWS:,} rows)"
        else:
            result = minimize(problem.residuals, start, problem.box, options.steps or 500, last)
        if result is None:
            _refuse_start(problem, start, given)
        assert result is not None
        status, message = certificate(problem, result)
        message += suffix
        converged = status is Status.CONVERGED
        beats_mean = not result.system.rss > problem.response_summary.squares > 0
        if options.steps is None and not (converged and (beats_mean or not given)):
            # what has converged is left for a lower end only
            most = result.system.rss * (1 - 1e-3 if converged else 1 + 1e-6)
            better = _restart(problem, start, most)
            if better is not None:
                result = replace(better, steps=result.steps + better.steps)
                status, message = certificate(problem, result)
                message += " (begun again from a start of its own)"
    except (KeyboardInterrupt, StoppedError) as error:
        if last.x is None:
            raise
        system = problem.residuals.linearize(last.x.tolist())
        assert system is not None
        result = LeastSquaresResult(last.x, system, np.full(len(start), math.nan), last.step)
        status, message = last.ended(error)
    return result, status, message


def _minimize_after_sample(
    problem: LeastSquaresProblem, start: Sequence[float], last: Iterations
) -> LeastSquaresResult | None:
    """The minimum, started from that of a sample of a long table; None if either is uncertified.

    The first steps are long and need not be exact. On a sample they cost almost nothing, and the
    steps on all rows begin a few standard errors from the minimum.
    """
    if problem.residuals.size < _SAMPLE_FROM:
        return None
    rows = sample_rows(problem.model.rows, _SAMPLE_ROWS)
    residuals = problem.residuals.on(rows, keep_method=True)
    sampled = minimize(residuals, start, problem.box, polish=False)
    try:
        status = None if sampled is None else certificate(problem.on(rows), sampled)[0]
    except DataError:  # where few rows have a positive weight, a sample may have none of them
        return None
    if sampled is None or status is not Status.CONVERGED:
        return None
    result = minimize(problem.residuals, sampled.x.tolist(), problem.box, callback=last)
    if result is None or certificate(problem, result)[0] is not Status.CONVERGED:
        return None
    return result


def _refuse_start(problem: LeastSquaresProblem, start: Sequence[float], given: bool) -> None:
    model = problem.model
    row = 0
    for count, columns in problem.residuals.columns(start):
        for k, values in enumerate(columns):
            (bad,) = np.nonzero(~np.isfinite(np.broadcast_to(values, count)))
            if len(bad):
                what = "the residual"
                if k < len(model.params):
                    what = f"the derivative in {names.escape(model.params[k])}"
                where = ", ".join(f"{p} = {v!r}" for p, v in zip(model.params, start, strict=True))
                sentence = f"{what} is not finite in row {row + int(bad[0]) + 1:,}"
                if not given:
                    raise ArgumentError(
                        f"{sentence}, whatever was tried as a start; look at that row, or give "
                        "--start"
                    )
                raise ArgumentError(
                    f"at the start ({names.escape(where)}) {sentence}; give another --start"
                )
        row += count
    raise ArgumentError("the sum of squares at the start is too large for a double")


def _restart(
    problem: LeastSquaresProblem, start: Sequence[float], most: float
) -> LeastSquaresResult | None:
    """A certified minimum from another start or radius, else the lowest end, or None.

    In turn: shorter steps from the same start, the start with its linear parameters solved for, an
    initial guess, and the latter with exchangeable terms in the order of the given start. most: the
    sum of squares of an end, at most.
    """

    def candidates() -> Iterator[LeastSquaresResult | None]:
        searched = problem.model, problem.residuals
        run = partial(minimize, problem.residuals, box=problem.box)
        yield run(start, factor=1.0)
        yield run(start, factor=0.01)
        if (solved := initial_guess.solve_linear(*searched, start)) is not None:
            yield run(solved)
        found = run(initial_guess.Search(*searched, {}).best().x)
        if found is not None:
            yield run(label_switching.closest_permutation(problem.model, found.x.tolist(), start))

    lower = None
    for found in candidates():
        if found is None or found.system.rss > most:
            continue
        if certificate(problem, found)[0] is Status.CONVERGED:
            return found
        if found.system.rss < (most if lower is None else lower.system.rss) * (1 - 1e-3):
            lower = found
    return lower


def _assemble(
    problem: LeastSquaresProblem,
    options: Options,
    result: LeastSquaresResult,
    start: Sequence[float],
    status: Status,
    message: str,
    intervals: Mapping[int, tuple[float, str]] = MappingProxyType({}),
    more_warnings: Sequence[str] = (),
) -> FitResult:
    model, rss, summary = problem.model, result.system.rss, problem.response_summary
    triangle, absolute = result.system.triangle, options.absolute_sigma
    free = problem.box.free(result.x, triangle.T @ result.system.vector)
    inverse, condition, unknown = statistics.inverse_gram(triangle, free)
    sigma = statistics.residual_standard_error(rss, summary.counted - len(model.params))
    variance = 1.0 if absolute else (sigma**2 if sigma is not None else math.nan)
    if status is Status.CONVERGED and math.isfinite(variance) and not unknown:
        more_warnings = [
            *more_warnings,
            *sloppy_directions(problem, result, inverse * variance),
        ]
    return assemble(
        model,
        result.x,
        inverse * variance,
        free=free,
        condition=condition,
        unknown=unknown,
        more_warnings=[*more_warnings, *(remarks.symmetry(problem) if unknown else ())],
        remedy=remarks.remedy(problem, result, unknown) if unknown else "",
        slopes=problem.residuals.derivatives[0] if model.weight is None else None,
        start=start,
        status=status,
        intervals=intervals,
        precision=statistics.precision_warning(rss, summary.about_zero),
        message=message,
        n=summary.counted,
        loss=rss,
        rss=rss,
        tss=summary.squares,
        log_likelihood=statistics.gaussian_log_likelihood(
            rss, summary.counted, summary.log_weight, absolute
        ),
        steps=result.steps,
        method=options.method,
        absolute=absolute,
        basis="(J'J)**-1, the given sigma taken as it is" if absolute else "",
        deviance=SquaresDeviance(problem, variance) if variance > 0 else None,
    )


def _by_descent(
    problem: LeastSquaresProblem, options: Options, start: Sequence[float]
) -> FitResult:
    """The mean of squares by a rule of the catalogue, with the certificate of least squares."""
    model = problem.model
    term = model.restored(
        model.graph.add(*(model.graph.pow(r, 2) for r in problem.residuals.each)), options.batch
    )
    root = model.graph.node(RowMean, term)
    x, steps, status, message = descend_by_rule(model, root, options, start)
    system = problem.residuals.linearize(x.tolist())
    if system is None:
        raise ArgumentError(f"{message}; give another --start or a smaller --lr")
    step = gauss_newton_step(system, problem.box, x)
    result = LeastSquaresResult(x, system, step, steps)
    certified, sentence = certificate(problem, result)
    if certified is Status.CONVERGED:
        status, message = certified, sentence
    return _assemble(problem, options, result, start, status, message)
