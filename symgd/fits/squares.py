"""Least squares from start to result."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import sympy

from symgd import names
from symgd.errors import ArgumentError
from symgd.fits import exchange, levenberg, statistics
from symgd.fits.assemble import Pieces, assemble
from symgd.fits.certificate import certificate
from symgd.fits.model import Model
from symgd.fits.problem import Squares, read_squares
from symgd.fits.result import FitResult
from symgd.fits.rule import descend_on
from symgd.fits.settings import Settings, place_start
from symgd.fits.starts import Starter
from symgd.nodes import ONE, ZERO, RowMean, RowSum
from symgd.result import Status
from symgd.rows import lower

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vector = NDArray[np.float64]


def least_squares(model: Model, settings: Settings) -> FitResult:
    """The fit of a model by least squares."""
    squares = read_squares(model)
    given = place_start(settings.start, model.params)
    starter = squares.starter
    guess = starter.default() if len(given) < len(model.params) else []
    start = [given.get(p, guess[k] if guess else 0.0) for k, p in enumerate(model.params)]
    if settings.method != "lm":
        return _by_descent(squares, settings, start)
    watch = Watch()
    try:
        ended = levenberg.minimize(
            squares.residuals, start, squares.box, settings.steps or 500, watch
        )
        if ended is None:
            _refuse_start(squares, start)
        assert ended is not None
        status, message = certificate(squares, ended)
        if status is not Status.CONVERGED and settings.steps is None:
            again = _again(squares, starter, start, ended)
            if again is not None:
                ended = again
                status, message = certificate(squares, ended)
                message += " (begun again from a start of its own)"
    except KeyboardInterrupt:
        if watch.x is None:
            raise
        linear = squares.residuals.linear(watch.x.tolist())
        assert linear is not None
        ended = levenberg.Ended(watch.x, linear, np.full(len(start), math.nan), watch.step)
        status, message = Status.INTERRUPTED, f"interrupted at step {watch.step}"
    return _least_squares_result(squares, settings, ended, start, status, message)


class Watch:
    """Remembers the last point, for Ctrl-C."""

    def __init__(self) -> None:
        self.x: Vector | None = None
        self.step = 0

    def __call__(self, step: int, x: Vector, value: float) -> None:
        self.x, self.step = x, step


def _refuse_start(squares: Squares, start: Sequence[float]) -> None:
    model = squares.model
    row = 0
    for count, columns in squares.residuals.both.blocks(start):
        for k, values in enumerate(columns):
            (bad,) = np.nonzero(~np.isfinite(np.broadcast_to(values, count)))
            if len(bad):
                what = "the residual"
                if k < len(model.params):
                    what = f"the derivative in {names.escape(model.params[k])}"
                where = ", ".join(f"{p} = {v!r}" for p, v in zip(model.params, start, strict=True))
                raise ArgumentError(
                    f"at the start ({names.escape(where)}) {what} is not finite "
                    f"in row {row + int(bad[0]) + 1:,}; give another --start"
                )
        row += count
    raise ArgumentError("the sum of squares at the start is too large for a double")


def _again(
    squares: Squares, starter: Starter, start: Sequence[float], ended: levenberg.Ended
) -> levenberg.Ended | None:
    """A certified end in other ways that is no worse, or None.

    First shorter steps from the same start, then its linear parameters solved for, then a start
    of our own, whose exchangeable terms are put in the order of the given one.
    """

    def ends() -> Iterator[levenberg.Ended | None]:
        run = partial(levenberg.minimize, squares.residuals, box=squares.box)
        yield run(start, factor=1.0)
        yield run(start, factor=0.01)
        if (solved := starter.solved(start)) is not None:
            yield run(solved)
        found = run(starter.default())
        if found is not None:
            yield run(exchange.nearest(squares.model, found.x.tolist(), start))

    for found in ends():
        if found is None or certificate(squares, found)[0] is not Status.CONVERGED:
            continue
        if found.linear.rss <= ended.linear.rss * (1 + 1e-6):
            return found
    return None


def _least_squares_result(
    squares: Squares,
    settings: Settings,
    ended: levenberg.Ended,
    start: Sequence[float],
    status: Status,
    message: str,
) -> FitResult:
    model, linear, rows = squares.model, ended.linear, squares.residuals.size
    free = squares.box.free(ended.x, linear.triangle.T @ linear.vector)
    inverse, condition, unknown = statistics.inverse_gram(linear.triangle, free)
    dof = rows - len(model.params)
    sigma = math.sqrt(linear.rss / dof) if dof > 0 else None
    spread = 1.0 if settings.absolute_sigma else (sigma**2 if sigma is not None else math.nan)
    total, log_weights = _totals(model)
    aic, bic = statistics.gaussian_criteria(linear.rss, rows, len(model.params), log_weights)
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
            r2=1 - linear.rss / total if total > 0 else None,
            aic=aic,
            bic=bic,
            status=status,
            message=message,
            steps=ended.steps,
            method=settings.method,
            start=start,
        )
    )


def _totals(model: Model) -> tuple[float, float]:
    """The weighted sum of squares of the response about its mean, and the sum of log(weight)."""
    graph = model.graph
    weight = graph.number(1.0) if model.weight is None else model.weight
    weights = graph.node(RowSum, weight)
    mean = graph.div(graph.node(RowSum, graph.mul(weight, model.response)), weights)
    squares = graph.mul(weight, graph.pow(graph.sub(model.response, mean), 2))
    outputs = {"squares": graph.node(RowSum, squares)}
    if model.weight is not None:
        safe = graph.where(graph.compare(">", weight, ZERO), weight, ONE)
        outputs["log"] = graph.node(RowSum, graph.node(sympy.log, safe))
    nodes = dict(zip(outputs, lower(graph, list(outputs.values())), strict=True))
    found = model.rows.compile(model.rows.program([], nodes), passes=1)()
    return found[0], found[1] if model.weight is not None else 0.0


def _by_descent(squares: Squares, settings: Settings, start: Sequence[float]) -> FitResult:
    """The mean of squares by a rule of the catalogue; the certificate is that of least squares."""
    model = squares.model
    graph = model.graph
    root = graph.node(RowMean, graph.pow(squares.residual, 2))
    x, steps, status, message = descend_on(model, root, settings, start)
    linear = squares.residuals.linear(x.tolist())
    if linear is None:
        raise ArgumentError(f"{message}; give another --start or a smaller --lr")
    step = levenberg.gauss_newton(linear, squares.box, x)
    ended = levenberg.Ended(x, linear, step, steps)
    certified, told = certificate(squares, ended)
    if certified is Status.CONVERGED:
        status, message = certified, told
    return _least_squares_result(squares, settings, ended, start, status, message)
