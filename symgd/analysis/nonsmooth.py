"""Kinks: whether a loss has any, and minima at them by a search that compares values only."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from symgd.analysis.work import Work
from symgd.formula.functions.table import BY_CLASS
from symgd.formula.nodes import Where, topological
from symgd.model.loss import Loss


@dataclass(frozen=True)
class Candidate:
    """A critical point, or a minimum or maximum where the gradient jumps (kink: which)."""

    x: tuple[float, ...]
    kink: str = ""


def has_kinks(loss: Loss) -> bool:
    """Whether the loss, as typed, may have kinks or jumps."""
    for node in topological([loss.internals.root]):
        row = BY_CLASS.get(node.func)
        if node.func is Where or (row is not None and row.kink and row.name != "huber"):
            return True
    return False


def lowest_kinks(work: Work, start: Sequence[float]) -> Iterator[Candidate]:
    """Minima where the gradient jumps, by a search that compares values only.

    R. Hooke, T. A. Jeeves, 1961, Direct search, J. ACM 8(2), with random directions added: a kink
    may run askew to the axes.
    """
    chance = random.Random(2)  # noqa: S311
    count = len(start)
    for origin in ([0.0] * count, list(start)):
        x = _compass(work, [v + 0.01 for v in origin], chance)
        near = [round(v, 6) + 0.0 for v in x]
        if work.value(near) <= work.value(x):
            x = near
        if _is_lowest(work, x, chance) and not smooth_at(work.loss, x):
            yield Candidate(tuple(x), "minimum")


def _compass(work: Work, x: list[float], chance: random.Random) -> list[float]:
    best, step = work.value(x), 1.0
    spent = 0
    while step > 1e-9 and spent < 20_000 and not work.over:
        for move in _directions(len(x), chance):
            new = [v + step * m for v, m in zip(x, move, strict=True)]
            value = work.value(new)
            spent += 1
            if value < best:
                x, best = new, value
                break
        else:
            step *= 0.5
    return x


def _directions(count: int, chance: random.Random) -> Iterator[list[float]]:
    for k in range(count):
        for sign in (1.0, -1.0):
            yield [sign * (j == k) for j in range(count)]
    for _ in range(4 * count):
        move = [chance.gauss(0, 1) for _ in range(count)]
        size = math.hypot(*move)
        yield [m / size for m in move]


def _is_lowest(work: Work, x: Sequence[float], chance: random.Random) -> bool:
    best = work.value(x)
    for step in (1e-1, 1e-3, 1e-5):
        for move in _directions(len(x), chance):
            if not work.value([v + step * m for v, m in zip(x, move, strict=True)]) > best:
                return False
    return math.isfinite(best)


def smooth_at(loss: Loss, x: Sequence[float]) -> bool:
    """Whether gradients a little to each side nearly agree."""
    for k in range(len(x)):
        sides = [
            loss.internals.evaluate(*(v + h * (j == k) for j, v in enumerate(x)))[1 + k]
            for h in (1e-6, -1e-6)
        ]
        if abs(sides[0] - sides[1]) > 1e-3 * max(map(abs, sides)) and max(map(abs, sides)) > 1e-4:
            return False
    return True
