"""The kinds of fit: least squares, robust losses, likelihoods; each from start to FitResult."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy

from symgd import names
from symgd.errors import ArgumentError, DataError
from symgd.fits import exchange, levenberg, newton, statistics
from symgd.fits.assemble import Pieces, assemble
from symgd.fits.fit import place_start
from symgd.fits.levenberg import Box
from symgd.fits.model import Model, Options
from symgd.fits.objective import Objective
from symgd.fits.reduction import Linear, Residuals, RowFunction
from symgd.fits.result import FitResult
from symgd.fits.starts import Starter
from symgd.gradient import gradient
from symgd.graph import ONE, ZERO, Column, Node, RowMean, RowSum, topological
from symgd.result import Status
from symgd.rows import lower
from symgd.stable import stabilize

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vector = NDArray[np.float64]

_CLOSE = 1e-6  # of the last step: relative to a parameter or its standard error


@dataclass(frozen=True)
class Settings:
    """How to fit. start: what was given, read but not placed."""

    method: str
    steps: int | None
    lr: float | str | None
    batch: int | None
    seed: int
    absolute_sigma: bool
    start: float | dict[str, float] | list[float] | None


def fit_model(model: Model, settings: Settings) -> FitResult:
    """`y = model` by least squares, or by another loss of the residual."""
    if not model.params:
        raise ArgumentError("the model has no free parameter")
    if model.loss is not None:
        return _robust(model, settings)
    if settings.method == "newton":
        raise ArgumentError("least squares go by lm; newton is for other losses")
    return _least_squares(model, settings)


# Least squares


@dataclass(frozen=True)
class _Squares:
    """The parts of a least-squares problem. residual: sqrt(weight)*(predicted - response)."""

    model: Model
    residual: Node
    slopes: list[Node]
    residuals: Residuals
    box: Box

    @property
    def starter(self) -> Starter:
        """Finds where to begin."""
        model = self.model
        used = _columns(topological([model.predicted]))
        return Starter(
            self.residuals, model.rows, model.leaves, self.residual, self.slopes, self.box, used
        )


def _columns(order: Sequence[Node]) -> list[str]:
    return [n.text for n in order if isinstance(n, Column)]


def _squares(model: Model) -> _Squares:
    graph = model.graph
    residual = graph.sub(model.predicted, model.response)
    if model.weight is not None:
        _check_weights(model)
        residual = graph.mul(graph.sqrt(model.weight), residual)
    slopes = gradient(graph, residual, model.atoms)
    residuals = Residuals(model.rows, model.leaves, residual, slopes)
    return _Squares(model, residual, slopes, residuals, _box(model))


def _box(model: Model) -> Box:
    return Box(np.array(model.low), np.array(model.high))


def _check_weights(model: Model) -> None:
    row = 0
    for count, (weight,) in RowFunction(model.rows, [], [model.weight]).blocks([]):
        (bad,) = np.nonzero(~((np.broadcast_to(weight, count) >= 0) & np.isfinite(weight)))
        if len(bad):
            place = f"the weight in row {row + int(bad[0]) + 1:,}"
            raise DataError(f"{place} is negative or not finite")
        row += count


def _least_squares(model: Model, settings: Settings) -> FitResult:
    squares = _squares(model)
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
        status, message = _certificate(squares, ended)
        if status is not Status.CONVERGED and settings.steps is None:
            again = _again(squares, starter, start, ended)
            if again is not None:
                ended = again
                status, message = _certificate(squares, ended)
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


def _refuse_start(squares: _Squares, start: Sequence[float]) -> None:
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
    squares: _Squares, starter: Starter, start: Sequence[float], ended: levenberg.Ended
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
        if found is None or _certificate(squares, found)[0] is not Status.CONVERGED:
            continue
        if found.linear.rss <= ended.linear.rss * (1 + 1e-6):
            return found
    return None


def _certificate(squares: _Squares, ended: levenberg.Ended) -> tuple[Status, str]:
    """Whether the end is a minimum as near as is claimed, and the sentence about it.

    Converged: the Jacobian has full rank, and the Gauss-Newton step from here would move no
    parameter by more than 1e-6 of it or of its standard error.
    """
    linear, rows = ended.linear, squares.residuals.size
    free = squares.box.free(ended.x, linear.triangle.T @ linear.vector)
    inverse, _, unknown = statistics.inverse_gram(linear.triangle, free)
    if unknown:
        listed = ", ".join(names.escape(squares.model.params[k]) for k in unknown)
        return Status.STALLED, f"the data do not determine {listed} here: no minimum is certified"
    dof = rows - int(free.sum())
    spread = linear.rss / dof if dof > 0 else 0.0
    errors = np.sqrt(np.diag(inverse)[free] * spread)
    worst = _largest(ended.step[free], np.abs(ended.x[free]))
    if worst > _CLOSE and _shrinks(squares, ended):
        # where steps do not shrink, a huge standard error is that of a flat tail
        worst = _largest(ended.step[free], np.maximum(np.abs(ended.x[free]), errors))
    offset = levenberg.relative_offset(_restricted(linear, free), rows)
    told = f"relative offset {offset:.2g}, last step {worst:.2g} of a parameter"
    if worst <= _CLOSE:
        return Status.CONVERGED, f"converged after {ended.steps} steps: {told}"
    if ended.reason:
        return Status.MAX_STEPS, f"{ended.reason}: {told}"
    return Status.STALLED, f"no minimum is certified after {ended.steps} steps: {told}"


def _largest(step: Vector, size: Vector) -> float:
    return float(np.max(np.abs(step) / np.where(size > 0, size, 1e-300), initial=0.0))


def _shrinks(squares: _Squares, ended: levenberg.Ended) -> bool:
    """Whether the Gauss-Newton step after the next one is at most half as long."""
    x, scale = ended.x + ended.step, ended.linear.scales
    there = squares.residuals.linear(squares.box.clip(x).tolist())
    if there is None:
        return False
    then = levenberg.gauss_newton(there, squares.box, squares.box.clip(x))
    length = float(np.linalg.norm(scale * ended.step))
    rounding = 1e-12 * math.sqrt(ended.linear.rss)  # steps that only shake do not shrink
    return float(np.linalg.norm(scale * then)) <= max(0.5 * length, rounding)


def _restricted(linear: Linear, free: NDArray[np.bool_]) -> Linear:
    """The system in the free parameters alone, its vector in their tangent plane."""
    if free.all():
        return linear
    q, r = np.linalg.qr(linear.triangle[:, free])
    inside = q.T @ linear.vector
    return Linear(r, inside, linear.rss, linear.scales[free])


def _least_squares_result(
    squares: _Squares,
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
    found = model.rows.compile(model.rows.program([], nodes))()
    return found[0], found[1] if model.weight is not None else 0.0


def _by_descent(squares: _Squares, settings: Settings, start: Sequence[float]) -> FitResult:
    """The mean of squares by a rule of the catalogue; the certificate is that of least squares."""
    model = squares.model
    graph = model.graph
    root = graph.node(RowMean, graph.pow(squares.residual, 2))
    x, steps, status, message = _descend(model, root, settings, start)
    linear = squares.residuals.linear(x.tolist())
    if linear is None:
        raise ArgumentError(f"{message}; give another --start or a smaller --lr")
    step = levenberg.gauss_newton(linear, squares.box, x)
    ended = levenberg.Ended(x, linear, step, steps)
    certified, told = _certificate(squares, ended)
    if certified is Status.CONVERGED:
        status, message = certified, told
    return _least_squares_result(squares, settings, ended, start, status, message)


def _descend(
    model: Model, root: Node, settings: Settings, start: Sequence[float]
) -> tuple[Vector, int, Status, str]:
    from symgd.catalogue import CATALOGUE
    from symgd.descent import descend
    from symgd.loss import Loss

    if any(map(math.isfinite, (*model.low, *model.high))):
        raise ArgumentError("bounds go with method lm; a rule takes the suffix of its catalogue")
    loss = Loss.of(model.graph, root, model.leaves, model.columns, model.rows, model.text)
    lr = settings.lr
    if lr is None:
        lr = CATALOGUE[settings.method].lr if settings.method in CATALOGUE else 0.01
    result = descend(
        loss,
        start=list(start),
        lr=lr,
        steps=settings.steps or 1000,
        rule=settings.method,
        batch=settings.batch,
        seed=settings.seed,
    )
    return result.x, result.steps, result.status, f"{result.message}; {result.verdict.sentence}"


# Other losses


def _robust(model: Model, settings: Settings) -> FitResult:
    """A loss of the residual: from the least-squares fit on, with the sandwich covariance."""
    graph = model.graph
    if settings.method not in ("lm", "newton"):
        raise ArgumentError("a loss of r goes by Newton's method (method lm or newton)")
    assert model.loss is not None
    assert model.residual is not None
    difference = graph.sub(model.response, model.predicted)
    (term,) = graph.replace([model.loss], {model.residual: difference})
    if model.weight is not None:
        _check_weights(model)
        term = graph.mul(model.weight, term)
    root = lower(graph, stabilize(graph, [graph.node(RowSum, term)]))[0]
    squares = _squares(model)
    given = place_start(settings.start, model.params)
    guess = squares.starter.default() if len(given) < len(model.params) else []
    start = [given.get(p, guess[k] if guess else 0.0) for k, p in enumerate(model.params)]
    begin = start
    if settings.start is None:
        ended = levenberg.minimize(squares.residuals, start, squares.box)
        begin = start if ended is None else ended.x.tolist()
    slopes = gradient(graph, term, model.atoms)

    def covariance(found: newton.Found, free: NDArray[np.bool_]) -> tuple[Vector, float]:
        inverse, condition = statistics.inverse_hessian(found.hessian, free)
        meat = np.zeros((len(begin), len(begin)))
        function = RowFunction(model.rows, model.leaves, slopes)
        for count, columns in function.blocks(found.x.tolist()):
            g = np.column_stack([np.broadcast_to(c, count) for c in columns])
            meat += g.T @ g
        n, p = model.table.rows, len(begin)
        filled = np.where(np.isnan(inverse), 0.0, inverse)
        sandwich = filled @ meat @ filled * (n / (n - p) if n > p else math.nan)
        return np.where(np.isnan(inverse), math.nan, sandwich), condition

    rss = squares.residuals
    return _by_newton(model, root, 1.0, settings, [begin], covariance, start, rss)


def fit_loss(text: str, data: Any, options: Options, settings: Settings) -> FitResult:
    """A whole loss: least squares where it is a bare sum of squares, else -log L."""
    from symgd.loss import Loss

    if options.tied:
        raise ArgumentError("tied parameters of a loss: write their formulas into it")
    loss = Loss(text, data, constants=options.fixed, drop_missing=options.drop_missing).by_rows()
    assert loss.rows is not None
    if not loss.params:
        raise ArgumentError("the loss has no free parameter")
    from symgd.fits.lossmodel import as_model, as_squares

    squares = as_squares(loss, options)
    if squares is not None and settings.method != "newton":
        return _least_squares(squares, settings)
    model = as_model(loss, options)
    factor = float(model.table.rows) if _is_mean(loss.root) else 1.0
    if settings.method not in ("lm", "newton"):
        return _likelihood_by_descent(model, loss.root, factor, settings)
    given = place_start(settings.start, model.params)
    if len(given) == len(model.params):
        starts = [[given[p] for p in model.params]]
    else:
        starts = [[given.get(p, v) for p in model.params] for v in (0.0, 0.1, 1.0, -0.1, 10.0)]
    return _by_newton(model, loss.stable, factor, settings, starts, None, starts[0])


def _is_mean(root: Node) -> bool:
    """Whether all outermost sums over rows are means."""
    inner = {id(n) for s in topological([root]) if s.func in (RowSum, RowMean)
             for n in topological(s.args)}  # fmt: skip
    outer = [n for n in topological([root]) if n.func in (RowSum, RowMean) and id(n) not in inner]
    return all(n.func is RowMean for n in outer)


_Covariance = Callable[[newton.Found, "NDArray[np.bool_]"], tuple["Vector", float]]


def _by_newton(
    model: Model,
    root: Node,
    factor: float,
    settings: Settings,
    starts: Sequence[Sequence[float]],
    covariance: _Covariance | None,
    start: Sequence[float],
    residuals: Residuals | None = None,
) -> FitResult:
    objective = Objective(model.graph, model.rows, model.leaves, root, factor)
    box = _box(model)
    best: tuple[newton.Found, Status, str] | None = None
    for begin in starts:
        if best is not None and best[1] is Status.CONVERGED:
            break
        found = newton.minimize(objective, begin, box, settings.steps or 200)
        if found is None:
            continue
        status, message = _newton_certificate(model, found, box)
        if best is None or status is Status.CONVERGED:
            best, start = (found, status, message), begin
    if best is None:
        raise ArgumentError("the loss or its derivatives are not finite at the start; give --start")
    found, status, message = best
    return _newton_result(
        model, found, box, settings, covariance, start, status, message, residuals
    )


def _likelihood_by_descent(
    model: Model, root: Node, factor: float, settings: Settings
) -> FitResult:
    given = place_start(settings.start, model.params)
    start = [given.get(p, 0.0) for p in model.params]
    x, steps, status, message = _descend(model, root, settings, start)
    stable = lower(model.graph, stabilize(model.graph, [root]))[0]
    objective = Objective(model.graph, model.rows, model.leaves, stable, factor)
    box = _box(model)
    found = newton.at(objective, x, box, steps)
    certified, told = _newton_certificate(model, found, box)
    if certified is Status.CONVERGED:
        status, message = certified, told
    return _newton_result(model, found, box, settings, None, start, status, message, None)


def _newton_certificate(model: Model, found: newton.Found, box: Box) -> tuple[Status, str]:
    """Converged: the Hessian is positive definite and Newton's step is negligible."""
    free = box.free(found.x, found.gradient)
    largest = float(np.max(np.abs(found.gradient[free]), initial=0.0))
    if not found.definite:
        return Status.STALLED, f"the curvature vanishes or is negative here; max|g| = {largest:.3g}"
    inverse, _ = statistics.inverse_hessian(found.hessian, free)
    errors = statistics.standard_errors(inverse)[free]
    size = np.abs(found.x[free])
    if found.shrinks:  # where steps do not, a huge standard error is that of a flat tail
        size = np.maximum(size, np.where(np.isnan(errors), 0.0, errors))
    worst = _largest(found.step[free], size)
    told = f"max|g| = {largest:.3g}, last step {worst:.2g} of a parameter"
    if worst <= _CLOSE and not np.isnan(errors).any():
        return Status.CONVERGED, f"converged after {found.steps} steps: {told}"
    if found.reason:
        return Status.MAX_STEPS, f"{found.reason}: {told}"
    return Status.STALLED, f"no minimum is certified after {found.steps} steps: {told}"


def _newton_result(
    model: Model,
    found: newton.Found,
    box: Box,
    settings: Settings,
    covariance: _Covariance | None,
    start: Sequence[float],
    status: Status,
    message: str,
    residuals: Residuals | None,
) -> FitResult:
    free = box.free(found.x, found.gradient)
    if covariance is None:
        matrix, condition = statistics.inverse_hessian(found.hessian, free)
    else:
        matrix, condition = covariance(found, free)
    rows, count = model.table.rows, len(model.params)
    rss = None if residuals is None else residuals.rss(found.x.tolist())
    dof = rows - count
    likelihood = covariance is None
    return assemble(
        Pieces(
            model=model,
            x=found.x,
            covariance=matrix,
            held=~free,
            condition=condition,
            unknown=[] if found.definite else [k for k in range(count) if free[k]],
            rows=rows,
            dof=dof,
            loss=found.value,
            rss=rss,
            sigma=math.sqrt(rss / dof) if rss is not None and dof > 0 else None,
            r2=None,
            aic=2 * count + 2 * found.value if likelihood else None,
            bic=count * math.log(rows) + 2 * found.value if likelihood else None,
            status=status,
            message=message,
            steps=found.steps,
            method="newton" if settings.method == "lm" else settings.method,
            start=start,
        )
    )
