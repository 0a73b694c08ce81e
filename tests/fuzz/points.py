"""Random points: of moderate size, on kinks and ties, very small, far out."""

from __future__ import annotations

from random import Random

from .oracle import Point


def draw_number(rng: Random) -> float:
    """A coordinate: mostly of moderate size, sometimes on a kink, very small or far out."""
    r = rng.random()
    if r < 0.55:
        return rng.uniform(-3, 3)
    if r < 0.7:
        return round(rng.uniform(-3, 3), 1)
    if r < 0.85:
        return float(rng.choice((0, 1, -1, 2, -2, 0.5, -0.5, 3)))
    if r < 0.95:
        return rng.choice((1, -1)) * 10 ** rng.uniform(-9, 2)
    return rng.choice((1, -1)) * rng.uniform(10, 800)


def draw_far(rng: Random) -> float:
    """A coordinate far out."""
    return rng.choice((1, -1)) * rng.choice((rng.uniform(20, 800), 10 ** rng.uniform(1, 5)))


def draw_whole(rng: Random) -> float:
    """A small whole number, on kinks and ties."""
    return float(rng.randint(-3, 3))


def draw_point(rng: Random, names: list[str], columns: list[str], rows: int) -> Point:
    """A point, and data where there are columns."""
    params = {n: draw_number(rng) for n in names}
    if not columns:
        return Point(params)
    data = {c: [draw_number(rng) for _ in range(rows)] for c in columns}
    return Point(params, data)
