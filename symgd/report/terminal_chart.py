"""Sparklines and logarithmic charts in terminal characters."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

_BLOCKS = "▁▂▃▄▅▆▇█"
_PLAIN = "_.-=+*#@"


def sparkline(values: Sequence[float], width: int = 16, pretty: bool = True) -> str:
    """A sparkline of the logarithms of positive values, at most `width` characters.

    Non-finite values are drawn as !. pretty: block characters instead of ASCII.
    """
    marks = _BLOCKS if pretty else _PLAIN
    chosen = _thinned(values, width)
    logs = _logs(chosen)
    finite = [v for v in logs if math.isfinite(v)]
    if not finite:
        return "!" * len(chosen)
    low, high = min(finite), max(finite)
    span = high - low or 1.0
    return "".join(
        marks[round((v - low) / span * (len(marks) - 1))] if math.isfinite(v) else "!" for v in logs
    )


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
