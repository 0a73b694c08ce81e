"""Least squares from start to result."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from symgd import names
from symgd.errors import ArgumentError, DataError
from symgd.fits import label_switching, statistics
from symgd.fits.assemble import Pieces, assemble
from symgd.fits.certificate import certificate
from symgd.fits.fit_result import FitResult
from symgd.fits.initial_guess import Starter
from symgd.fits.least_squares_problem import Squares
from symgd.fits.row_sample import draw
from symgd.fits.rule_fit import descend_on
from symgd.fits.settings import Settings, place_start
from symgd.formula.nodes import RowMean
from symgd.model.result import Status
from symgd.solvers import levenberg_marquardt
from symgd.solvers.objectives import Vector

_LONG = 200_000  # rows from which the first steps go over a sample
_SAMPLE = 16_384  # of so many


def least_squares(squares: Squares, settings: Settings) -> FitResult:
    """The fit of a model by least squares."""
    model = squares.model
    given = place_start(settings.start, model.params)
    starter = squares.starter
    guess = starter.default() if len(given) < len(model.params) else []
    start = [given.get(p, guess[k] if guess else 0.0) for k, p in enumerate(model.params)]
    if settings.method != "lm":
        return _by_descent(squares, settings, start)
    watch = Watch()
    try:
        told = ""
        ended = None if settings.steps else _sampled(squares, start, watch)
        if ended is not None:
            told = f" (begun on a sample of {_SAMPLE:,} rows)"
        else:
            most = settings.steps or 500
            ended = levenberg_marquardt.minimize(squares.residuals, start, squares.box, most, watch)
        if ended is None:
            _refuse_start(squares, start, bool(given))
        assert ended is not None
        status, message = certificate(squares, ended)
        message += told
        if status is not Status.CONVERGED and settings.steps is None:
            again = _again(squares, starter, start, ended)
            if again is not None:
                ended = replace(again, steps=ended.steps + again.steps)
                status, message = certificate(squares, ended)
                message += " (begun again from a start of its own)"
    except KeyboardInterrupt:
        if watch.x is None:
            raise
        linear = squares.residuals.linear(watch.x.tolist())
        assert linear is not None
        ended = levenberg_marquardt.Ended(
            watch.x, linear, np.full(len(start), math.nan), watch.step
        )
        status, message = Status.INTERRUPTED, f"interrupted at step {watch.step}"
    return _least_squares_result(squares, settings, ended, start, status, message)


def _sampled(
    squares: Squares, start: Sequence[float], watch: Callable[[int, Vector, float], None]
) -> levenberg_marquardt.Ended | None:
    """The end from where a sample of a long table leads, or None where that is not a minimum.

    The first steps are long, so that they need not be exact: on a sample they cost next to
    nothing, and those on all rows begin some standard errors from the end.
    """
    if squares.residuals.size < _LONG:
        return None
    sample = draw(squares.model.rows, _SAMPLE)
    some = squares.residuals.on(sample, like=True)
    few = levenberg_marquardt.minimize(some, start, squares.box, polish=False)
    try:
        told = None if few is None else certificate(squares.on(sample), few)[0]
    except DataError:  # where few rows have a weight, a sample may have none of them
        return None
    if few is None or told is not Status.CONVERGED:
        return None
    ended = levenberg_marquardt.minimize(
        squares.residuals, few.x.tolist(), squares.box, watch=watch
    )
    if ended is None or certificate(squares, ended)[0] is not Status.CONVERGED:
        return None
    return ended


class Watch:
    """Remembers the last point, for Ctrl-C."""

    def __init__(self) -> None:
        self.x: Vector | None = None
        self.step = 0

    def __call__(self, step: int, x: Vector, value: float) -> None:
        self.x, self.step = x, step


def _refuse_start(squares: Squares, start: Sequence[float], given: bool) -> None:
    model = squares.model
    row = 0
    for count, columns in squares.residuals.columns(start):
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


def _again(
    squares: Squares, starter: Starter, start: Sequence[float], ended: levenberg_marquardt.Ended
) -> levenberg_marquardt.Ended | None:
    """A certified end in other ways that is no worse, or None.

    First shorter steps from the same start, then its linear parameters solved for, then a start
    of our own, whose exchangeable terms are put in the order of the given one.
    """

    def ends() -> Iterator[levenberg_marquardt.Ended | None]:
        run = partial(levenberg_marquardt.minimize, squares.residuals, box=squares.box)
        yield run(start, factor=1.0)
        yield run(start, factor=0.01)
        if (solved := starter.solved(start)) is not None:
            yield run(solved)
        found = run(starter.default())
        if found is not None:
            yield run(label_switching.nearest(squares.model, found.x.tolist(), start))

    for found in ends():
        if found is None or certificate(squares, found)[0] is not Status.CONVERGED:
            continue
        if found.linear.rss <= ended.linear.rss * (1 + 1e-6):
            return found
    return None


def _least_squares_result(
    squares: Squares,
    settings: Settings,
    ended: levenberg_marquardt.Ended,
    start: Sequence[float],
    status: Status,
    message: str,
) -> FitResult:
    model, linear, totals = squares.model, ended.linear, squares.totals
    rows = totals.counted
    free = squares.box.free(ended.x, linear.triangle.T @ linear.vector)
    inverse, condition, unknown = statistics.inverse_gram(linear.triangle, free)
    dof = rows - len(model.params)
    sigma = math.sqrt(linear.rss / dof) if dof > 0 else None
    spread = 1.0 if settings.absolute_sigma else (sigma**2 if sigma is not None else math.nan)
    aic, bic = statistics.gaussian_criteria(
        linear.rss, rows, len(model.params), totals.log_weight, settings.absolute_sigma
    )
    return assemble(
        Pieces(
            model=model,
            x=ended.x,
            covariance=inverse * spread,
            held=~free,
            condition=condition,
            unknown=unknown,
            rows=rows,
            dof=dof,
            loss=linear.rss,
            rss=linear.rss,
            sigma=sigma,
            r2=1 - linear.rss / totals.squares if totals.squares > 0 else None,
            aic=aic,
            bic=bic,
            status=status,
            message=message,
            steps=ended.steps,
            method=settings.method,
            start=start,
            absolute=settings.absolute_sigma,
            basis="(J'J)**-1, the given sigma taken as it is" if settings.absolute_sigma else "",
            perfect=statistics.perfect(linear.rss, totals.about_zero),
            near_perfect=statistics.near_perfect(linear.rss, totals.about_zero),
        )
    )


def _by_descent(squares: Squares, settings: Settings, start: Sequence[float]) -> FitResult:
    """The mean of squares by a rule of the catalogue; the certificate is that of least squares."""
    model = squares.model
    graph = model.graph
    root = graph.node(RowMean, graph.pow(squares.residual, 2))
    if model.inner is not None:
        if settings.batch is not None:
            raise ArgumentError("a sum inside the model is of all rows, not of those of a batch")
        root = model.inner.whole(root)
    x, steps, status, message = descend_on(model, root, settings, start)
    linear = squares.residuals.linear(x.tolist())
    if linear is None:
        raise ArgumentError(f"{message}; give another --start or a smaller --lr")
    step = levenberg_marquardt.gauss_newton(linear, squares.box, x)
    ended = levenberg_marquardt.Ended(x, linear, step, steps)
    certified, told = certificate(squares, ended)
    if certified is Status.CONVERGED:
        status, message = certified, told
    return _least_squares_result(squares, settings, ended, start, status, message)
