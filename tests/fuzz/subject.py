"""What is tested: the calls into symgd that are not in the public interface, and their order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import symgd

from .oracle import Point

if TYPE_CHECKING:
    from .case import Case


class RefusedError(Exception):
    """symgd refuses the formula: the check `numbers` asks why, the others have nothing to do."""


def load(text: str, point: Point) -> symgd.Loss:
    """The loss of a text, over the point's data where it has some."""
    if point.columns is None:
        return symgd.Loss(text)
    return symgd.Loss(text, {k: list(v) * point.copies for k, v in point.columns.items()})


def loss_of(case: Case) -> symgd.Loss:
    """The loss of a case, or RefusedError."""
    try:
        return case.loss
    except symgd.FormulaError as error:
        raise RefusedError from error


def numbers(loss: symgd.Loss, point: Point) -> list[float]:
    """Value, gradient and upper triangle of the Hessian in doubles, in the order of the point."""
    theta = point.params
    value, grad = loss.value_and_grad(dict(theta))
    rows = loss.hess(dict(theta)).tolist()
    triangle = [rows[a][b] for a in range(len(rows)) for b in range(a, len(rows))]
    return in_order(loss, theta, [value, *map(float, grad)], triangle)


def in_order(
    loss: symgd.Loss, theta: Mapping[str, float], first: Sequence[float], triangle: Sequence[float]
) -> list[float]:
    """Value and gradient, upper triangle: from the order of the loss to that of the point."""
    count = len(loss.params)
    pairs = [(a, b) for a in range(count) for b in range(a, count)]
    entries = dict(zip(pairs, triangle, strict=True))
    places = {p: k for k, p in enumerate(loss.params)}
    order = [places[p] for p in theta]
    second = [entries[min(a, b), max(a, b)] for k, a in enumerate(order) for b in order[k:]]
    return [first[0], *(first[1 + k] for k in order), *second]


def javascript(loss: symgd.Loss) -> tuple[str, list[str]]:
    """The functions that the programs call, and the programs: value and gradient, Hessian."""
    from symgd.backends import javascript

    sources = [javascript.function(p) for p in (loss.program, loss.internals.hessian_program)]
    return javascript.library(sources), sources
