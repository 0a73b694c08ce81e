"""Sparklines and logarithmic charts in terminal characters."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

_BLOCKS = "▁▂▃▄▅▆▇█"
_PLAIN = "_.-=+*#@"


def sparkline(
    values: Sequence[float],
    width: int = 16,
    pretty: bool = True,
    scale: tuple[float, float] | None = None,
) -> str:
    """A sparkline of the logarithms of positive values, at most `width` characters.

    Non-finite values are drawn as !. pretty: block characters instead of ASCII. scale: the values
    of the lowest and the highest mark; None: the least and the greatest.
    """
    marks = _BLOCKS if pretty else _PLAIN
    chosen = _thinned(values, width)
    if scale is not None:  # 0 is at the bottom of the scale of all
        chosen = [scale[0] if -math.inf < v <= 0 else v for v in chosen]
    logs = _logs(chosen)
    finite = [v for v in logs if math.isfinite(v)]
    if not finite:
        return "!" * len(chosen)
    low, high = map(math.log10, scale) if scale else (min(finite), max(finite))
    span = high - low or 1.0

    def mark(v: float) -> str:
        level = round((v - low) / span * (len(marks) - 1))
        return marks[max(0, min(level, len(marks) - 1))]

    return "".join(mark(v) if math.isfinite(v) else "!" for v in logs)


def shared_scale(series: Sequence[Sequence[float]]) -> tuple[float, float] | None:
    """The ends of one scale for the sparklines of several series; None where none has one.

    From the least positive value, 16 digits below the greatest at most, to a thousand times the
    greatest first one: what runs away is above it.
    """
    positive = [[v for v in values if 0 < v < math.inf] for values in series]
    firsts = [values[0] for values in series if values and 0 < values[0] < math.inf]
    if not firsts:
        return None
    high = min(1e3 * max(firsts), max(max(values, default=0.0) for values in positive))
    low = max(min(min(values, default=math.inf) for values in positive), 1e-16 * high)
    return (low, high) if 0 < low < high < math.inf else None


def chart(
    x: Sequence[float],
    y: Sequence[float],
    *,
    vertical_line: float | None = None,
    width: int = 72,
    height: int = 12,
    pretty: bool = True,
) -> Iterator[str]:
    """The lines of a chart of y against x, both logarithmic.

    x: ascending, positive. vertical_line: an x, or None. Non-finite values are drawn as ! on the
    top line, values of 0 or less at the bottom.
    """
    dot, bar = ("●", "│") if pretty else ("o", "|")
    inner_width = max(10, width - 10)
    logs = _logs(y)
    finite = [v for v in logs if math.isfinite(v)]
    low, high = (min(finite), max(finite)) if finite else (0.0, 1.0)
    cells = [[" "] * inner_width for _ in range(height)]
    first, span = math.log10(x[0]), math.log10(x[-1] / x[0]) or 1.0

    def column(at: float) -> int:
        return round((math.log10(at) - first) / span * (inner_width - 1))

    if vertical_line is not None and x[0] <= vertical_line <= x[-1]:
        for row in cells:
            row[column(vertical_line)] = bar
    for at, value in zip(x, logs, strict=True):
        level = (value - low) / (high - low or 1.0) if math.isfinite(value) else 1.0
        line = height - 1 - round(level * (height - 1))
        cells[line][column(at)] = dot if math.isfinite(value) else "!"
    for k, row in enumerate(cells):
        label = {0: f"{10**high:.2g}", height - 1: f"{10**low:.2g}"}.get(k, "")
        yield f"{label:>8} {''.join(row)}".rstrip()
    left, right = f"{x[0]:.3g}", f"{x[-1]:.3g}"
    yield f"{'':9}{left}{right:>{inner_width - len(left)}}"


def _thinned(values: Sequence[float], width: int) -> list[float]:
    if len(values) <= width:
        return list(values)
    return [values[round(k * (len(values) - 1) / (width - 1))] for k in range(width)]


def _logs(values: Sequence[float]) -> list[float]:
    """log10 of the values; for 0 or less, a decade below the smallest positive one."""
    positive = [v for v in values if 0 < v < math.inf]
    floor = math.log10(min(positive)) - 1 if positive else 0.0
    return [
        math.log10(v) if 0 < v < math.inf else floor if v <= 0 and v > -math.inf else math.inf
        for v in values
    ]
