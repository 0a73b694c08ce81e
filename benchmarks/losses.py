"""The losses that grow: chained Rosenbrock, Speelpenning's product, the iterated logistic map."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import prod
from typing import Any

ROSENBROCK = "(1 - x)**2 + 100*(y - x**2)**2"


def chained_rosenbrock(x: Sequence[Any]) -> Any:
    """sum of 100*(x[i+1] - x[i]**2)**2 + (1 - x[i])**2 in any arithmetic that has operators."""
    return sum(100 * (b - a**2) ** 2 + (1 - a) ** 2 for a, b in pairwise(x))


def chained_rosenbrock_text(n: int) -> str:
    """The same as a formula of x1, ..., xn."""
    terms = (f"100*(x{i + 1} - x{i}**2)**2 + (1 - x{i})**2" for i in range(1, n))
    return " + ".join(terms)


def chained_rosenbrock_gradient(x: Sequence[float]) -> list[float]:
    """Its gradient, worked by hand."""
    g = [0.0] * len(x)
    for i in range(len(x) - 1):
        rest = x[i + 1] - x[i] ** 2
        g[i] += -400 * x[i] * rest - 2 * (1 - x[i])
        g[i + 1] += 200 * rest
    return g


def standard_start(n: int) -> list[float]:
    """Rosenbrock's start (-1.2, 1), repeated."""
    return [-1.2 if i % 2 == 0 else 1.0 for i in range(n)]


def speelpenning_text(n: int) -> str:
    """x1*x2*...*xn (B. Speelpenning, 1980, Compiling fast partial derivatives, PhD thesis)."""
    return "*".join(f"x{i}" for i in range(1, n + 1))


def speelpenning_gradient(x: Sequence[float]) -> list[float]:
    """Its gradient: the product without the one."""
    whole = prod(x)
    return [whole / value for value in x]


def logistic_map(iterations: int) -> Callable[[Any, Any], Any]:
    """A Python function (x, r) -> x after so many times x = r*x*(1 - x)."""

    def loss(x: Any, r: Any) -> Any:
        for _ in range(iterations):
            x = r * x * (1 - x)
        return x

    return loss


def logistic_map_gradient(iterations: int, x: float, r: float) -> dict[str, float]:
    """Its derivatives in x and r, carried along by hand."""
    dx, dr = 1.0, 0.0
    for _ in range(iterations):
        slope = r * (1 - 2 * x)
        dx, dr, x = slope * dx, x * (1 - x) + slope * dr, r * x * (1 - x)
    return {"x": dx, "r": dr}
