"""Cost of value + gradient over the cost of the value alone: operations, weighted, and time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from benchmarks import losses
from benchmarks.measure import Row, check, close, seconds
from symgd.errors import SymgdError
from symgd.formula.functions.table import FUNCTIONS, Function
from symgd.model.loss import Loss

TARGET = 4.0
ROSENBROCK = (10, 30, 100, 300, 1000, 3000)
SPEELPENNING = (10, 30, 100, 300, 1000)
LOGISTIC = (5, 10, 20, 50, 100)
REPEATED = (3, 30, 299)  # times the same factor
MANY = (3, 5, 40)  # arguments of a function that takes any number
_TRIED = (0.6, 1.7, 0.3, -0.6, -1.7, 2.9)  # arguments: some are in every function's domain


@dataclass(frozen=True)
class Ratio:
    """What value + gradient cost in units of the value, by three scales."""

    name: str
    operations: float
    cost: float
    time: float


def rows() -> Iterator[Row]:
    """The families of losses, then the table of functions with its worst."""
    yield from family("chained Rosenbrock", ROSENBROCK, rosenbrock)
    yield from family("Speelpenning", SPEELPENNING, speelpenning)
    yield from family("logistic map", LOGISTIC, logistic)
    yield from family("(x*y + 1) times itself", REPEATED, repeated)
    ratios, failed = [], []
    for function in FUNCTIONS.values():
        try:
            ratios.append(of_function(function))
            if function.arity[1] is None:
                ratios += [of_function(function, count) for count in MANY]
        except SymgdError as error:
            failed.append(f"{function.name} ({str(error).splitlines()[0]})")
    yield from worst(f"{len(ratios)} functions", ratios)
    yield Row("functions without a gradient", len(failed), "", 0, "; ".join(failed))


def family(name: str, sizes: Sequence[int], make: Callable[[int], Ratio]) -> Iterator[Row]:
    """The worst over the sizes."""
    yield from worst(f"{name}, {sizes[0]} to {sizes[-1]}", [make(n) for n in sizes])


def worst(what: str, ratios: Sequence[Ratio]) -> Iterator[Row]:
    """One row per scale: the largest ratio, whose it is, and who else is above the target."""
    for scale in ("operations", "cost", "time"):
        ranked = sorted(ratios, key=lambda r: -getattr(r, scale))
        above = [f"{r.name} {getattr(r, scale):.2f}" for r in ranked if getattr(r, scale) > TARGET]
        note = "above the target: " + ", ".join(above) if above else f"largest: {ranked[0].name}"
        goal = None if scale == "time" else TARGET
        yield Row(f"{what}: {scale}", getattr(ranked[0], scale), "x", goal, note)


def ratio(name: str, loss: Loss, point: Sequence[float]) -> Ratio:
    """The three ratios of a loss at a point where everything is finite."""
    value, both = loss.internals.value_program, loss.program
    return Ratio(
        name,
        both.operations / max(1, value.operations),
        both.cost / max(1, value.cost),
        seconds(lambda: loss.internals.evaluate(*point))
        / seconds(lambda: loss.internals.evaluate_value(*point)),
    )


def rosenbrock(n: int) -> Ratio:
    """The ratios at n parameters, the gradient checked first."""
    loss, point = Loss(losses.chained_rosenbrock_text(n)), losses.standard_start(n)
    expected = losses.chained_rosenbrock_gradient(point)
    check(close(loss.internals.evaluate(*point)[1:], expected), f"chained Rosenbrock, n = {n}")
    return ratio(f"n = {n}", loss, point)


def speelpenning(n: int) -> Ratio:
    """The ratios at n factors, the gradient checked first."""
    loss = Loss(losses.speelpenning_text(n))
    point = [1.0 + 0.5 * (-1) ** i / (i + 1) for i in range(n)]
    expected = losses.speelpenning_gradient(point)
    check(close(loss.internals.evaluate(*point)[1:], expected), f"Speelpenning, n = {n}")
    return ratio(f"n = {n}", loss, point)


def logistic(iterations: int) -> Ratio:
    """The ratios after so many iterations of a Python callable, the gradient checked first."""
    loss, at = Loss(losses.logistic_map(iterations)), {"x": 0.3, "r": 2.9}  # not chaotic there
    expected = losses.logistic_map_gradient(iterations, **at)
    point = [at[p] for p in loss.params]
    same = close(loss.internals.evaluate(*point)[1:], [expected[p] for p in loss.params], 1e-10)
    check(same, f"logistic map, {iterations} iterations")
    return ratio(f"{iterations} iterations", loss, point)


def repeated(count: int) -> Ratio:
    """The ratios of one factor multiplied with itself, the gradient checked first."""
    loss, x, y = Loss("*".join(["(x*y + 1)"] * count)), 0.5, 0.01
    slope = count * (x * y + 1) ** (count - 1)
    check(
        close(loss.internals.evaluate(x, y)[1:], [slope * y, slope * x], 1e-11),
        f"{count} equal factors",
    )
    return ratio(f"{count} times", loss, (x, y))


def of_function(row: Function, many: int = 2) -> Ratio:
    """The ratios of one call of a function of the table, with a parameter for every argument."""
    count = many if row.arity[1] is None else row.arity[1]
    args = [f"x{k}" for k in range(count)]
    if row.order:
        args[0] = "2"
    if row.name == "where":
        args[0] = "x0 < 1"
    loss = Loss(f"{row.name}({', '.join(args)})")
    name = row.name if many == 2 else f"{row.name} of {many}"
    return ratio(name, loss, finite_point(loss))


def finite_point(loss: Loss) -> tuple[float, ...]:
    """A point at which the compiled code itself gives finite value and gradient."""
    few = min(len(loss.params), 3)
    for start in product(_TRIED, repeat=few):
        point = (*start, *(0.1 * k for k in range(len(loss.params) - few)))
        if all(map(math.isfinite, loss.internals.evaluate(*point))):
            return point
    raise ValueError(f"{loss.text} is finite nowhere that was tried")
