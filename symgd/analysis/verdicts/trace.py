"""How an error falls from step to step: straight lines in three coordinates, and what is bounded.

An error that is multiplied by the same factor in every step is a straight line of its logarithm
against t, a power of t one against log(t), steps of one length one of the error itself. A law is
claimed where both halves of a window have the same slope.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

Point = tuple[int, float]  # (t, error at step t)

_EPS = 2.0**-52
_PEAKS = 16  # of a window, so that an error that swings is judged by its envelope
_FEW = 8  # points, below which only an exact line counts
_BEND, _EXACT = 0.05, 1e-3  # the difference of the slopes of both halves, as a part of them
_FLAT = 64 * _EPS  # a change of the logarithm that is rounding
_TURN = 24  # errors, to which the recurrence of a heavy ball is fitted
_EARLIEST = 16  # steps, before which powers of t look like factors

#: law -> its coordinates (of t, of the error); the first one that fits as well as any is taken
LAWS: dict[str, tuple[Callable[[float], float], Callable[[float], float]]] = {
    "geometric": (float, math.log),
    "power": (math.log, math.log),
    "constant": (float, float),
}


@dataclass(frozen=True)
class Fall:
    """A law that an error follows over a window of `span` steps.

    slope: of the line in the coordinates of the law. bend: the difference of the slopes of both
    halves, as a part of the larger. rival: the least bend of another law.
    """

    law: str
    slope: float
    bend: float
    span: int
    rival: float = 1.0

    @property
    def factor(self) -> float:
        """What each step multiplies the error by, of a geometric law."""
        return math.exp(self.slope)

    def reaches(self, steps: float) -> bool:
        """Whether the line may be extended by so many steps: straight enough, and no other is."""
        return self.bend * steps <= 0.3 * self.span and self.rival >= 10 * self.bend


def fall(window: Callable[[int], Sequence[Point]], steps: int) -> Fall | None:
    """The law of the longest of the last halves, quarters, ... of a run that follows one.

    window: a number of steps -> the points of the last so many, of ascending steps, errors > 0.
    steps: of the whole run.
    """
    spans = [steps >> k for k in range(1, steps.bit_length()) if steps >> k >= _FEW - 1]
    for span in spans or [min(steps, _FEW - 1)]:
        points = window(span)
        if len(points) < 3:
            return None
        laws = ["geometric", "constant"]
        if steps >= _EARLIEST and 0 < points[0][0] <= 0.6 * steps:
            laws.insert(1, "power")
        best, second, *_ = sorted((_line(law, points) for law in laws), key=lambda line: line.bend)
        if best.bend <= (_BEND if len(points) >= _FEW else _EXACT):
            return replace(best, rival=second.bend)
    return None


def _line(law: str, window: Sequence[Point]) -> Fall:
    tops = peaks(window)
    span = window[-1][0] - window[0][0]
    half = len(tops) // 2
    if abs(math.log(tops[-1][1]) - math.log(tops[0][1])) <= _FLAT:
        return Fall("geometric", 0.0, 0.0, span)
    parts = slope(tops[: half + 1], law), slope(tops[half:], law)
    steepest = max(map(abs, parts))
    bend = abs(parts[0] - parts[1]) / steepest if steepest > 0 else math.inf
    return Fall(law, slope(tops, law), bend, span)


def slope(points: Sequence[Point], law: str = "geometric") -> float:
    """Of the least-squares line in the coordinates of a law."""
    along, up = LAWS[law]
    line = [(along(t), up(e)) for t, e in points]
    x0 = sum(x for x, _ in line) / len(line)
    y0 = sum(y for _, y in line) / len(line)
    return sum((x - x0) * (y - y0) for x, y in line) / sum((x - x0) ** 2 for x, _ in line)


def peaks(points: Sequence[Point]) -> list[Point]:
    """The largest error of each of 16 parts of a window; all points of a short one."""
    size = max(1, len(points) // _PEAKS)
    cut = len(points) % size  # the oldest ones are left out
    parts = [points[k : k + size] for k in range(cut, len(points), size)]
    return [max(part, key=lambda p: p[1]) for part in parts]


def shrinks(points: Sequence[Point]) -> bool:
    """Whether the later half of the points stays below the earlier one."""
    half = len(points) // 2
    return _top(points[half:]) < 0.98 * _top(points[:half])


def bounded(points: Sequence[Point]) -> bool:
    """Whether the later half of the points reaches as far as the earlier one, and no farther."""
    half = len(points) // 2
    return 0.9 * _top(points[:half]) <= _top(points[half:]) <= 2.0 * _top(points[:half])


def _top(points: Sequence[Point]) -> float:
    return max((e for _, e in points), default=math.nan)


def turns_back(path: Sequence[Sequence[float]]) -> bool:
    """Whether points go to and fro: they are far less apart at the end than their path is long."""
    length = sum(math.dist(a, b) for a, b in pairwise(path))
    return len(path) > 2 and math.dist(path[0], path[-1]) <= 0.5 * length


def alternates(errors: Sequence[Sequence[float]]) -> bool:
    """Whether each of the last errors points against the one before."""
    sizes = [math.hypot(*e) or 1.0 for e in errors[-9:]]
    last = [[v / size for v in e] for e, size in zip(errors[-9:], sizes, strict=True)]
    return len(last) > 1 and all(_dot(p, q) < 0 for p, q in pairwise(last))


def modulus(errors: Sequence[Sequence[float]]) -> float | None:
    """|z| of errors that obey e'' = 2 Re(z) e' - |z|**2 e, as of a heavy ball, or None.

    The recurrence is fitted to the last errors; z is the complex root of its polynomial. They must
    have gone round half a turn.
    """
    rows = []
    last = errors[-_TURN:]
    for before, middle, after in zip(last, last[1:], last[2:], strict=False):
        size = math.hypot(*middle)
        if not 1e-290 < size < 1e290:
            return None
        rows.append([[v / size for v in e] for e in (before, middle, after)])
    if len(rows) < 3:
        return None
    aa, ab, bb, ac, bc, cc = (
        sum(_dot(row[i], row[j]) for row in rows)
        for i, j in ((1, 1), (1, 0), (0, 0), (1, 2), (0, 2), (2, 2))
    )
    det = aa * bb - ab * ab
    if not det > 1e-9 * aa * bb:
        return None
    p, q = (ac * bb - bc * ab) / det, (ac * ab - bc * aa) / det
    misfit = sum(
        (z - p * y + q * x) ** 2
        for before, middle, after in rows
        for x, y, z in zip(before, middle, after, strict=True)
    )
    if misfit > 1e-6 * cc or p * p >= 4 * q:
        return None
    turned = math.acos(0.5 * p / math.sqrt(q)) * len(rows)
    if turned < math.pi:
        return None
    return math.sqrt(q)


def _dot(a: Sequence[float], b: Sequence[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))
