"""The steps of a descent as a table: as many columns and digits as the window is wide."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from symgd.names import escape
from symgd.report.wrap import folded

if TYPE_CHECKING:
    from symgd.model.result import Result

Row = tuple[int, tuple[float, ...], float, float]  # t, theta in the order of params, loss, |grad|

_MOST_ROWS = 200  # of a table that nobody asked to thin
_HEAD, _TAIL = 15, 10  # rows of a longer one
_USUAL = 80  # columns; in a narrower window numbers are shortened
_DIGITS = range(15, 4, -1)  # significant ones that numbers are shortened to, in turn


def steps(result: Result, *, every: int | None = None, width: int = 80) -> Iterator[str]:
    """The history as a table, right-aligned, at most `width` columns wide.

    Without `every`, a long history shows its beginning and its end. Columns that do not fit are
    left out, and a line says which; below 80 columns numbers are shortened first. Where not even
    one parameter fits beside the loss, each number has its own line.
    """
    head, tail = _select(result, every)
    names = [escape(name) for name in result.loss.params]
    table = _cells(names, head + tail, number)
    shown, left_out = _columns(names, table, width)
    digits = 0
    for fewer in _DIGITS if left_out and width < _USUAL else ():
        if left_out == ["|grad|"] and _fit(table, shown, width):
            break
        digits, table = fewer, _cells(names, head + tail, shortened(fewer))
        shown, left_out = _columns(names, table, width)
    if not _fit(table, shown, width) and width < _USUAL:
        yield from _stacked(names, head, tail, width)
        return
    widths = _widths(table)
    for index, cells in enumerate(table):
        if tail and index == len(head) + 1:
            yield from folded([_gap(head[-1][0], tail[0][0])], width)
        yield "  ".join(cells[i].rjust(widths[i]) for i in shown)
    told = [f"left out to fit {width} columns: {_listed(left_out)}"] if left_out else []
    told += [f"numbers shortened to {digits} digits"] if digits else []
    if told:
        yield from folded([f"{'; '.join(told)} (--format csv has all)"], width)


def select(rows: Iterable[Row], every: int | None) -> Iterator[Row]:
    """Each `every`-th step, and always the first and the last."""
    last: Row | None = None
    for index, row in enumerate(rows):
        wanted = index == 0 or row[0] % (every or 1) == 0
        last = None if wanted else row
        if wanted:
            yield row
    if last is not None:
        yield last


def number(value: float) -> str:
    """The shortest text that reads back as the same float."""
    return repr(float(value))


def shortened(digits: int) -> Callable[[float], str]:
    """Writes a number with at most so many significant digits."""

    def write(value: float) -> str:
        return min(number(value), f"{value:.{digits}g}", key=len)

    return write


def _cells(
    names: Sequence[str], rows: Sequence[Row], write: Callable[[float], str]
) -> list[list[str]]:
    """The table with its head: t, the parameters, loss, |grad|."""
    body = [[str(t), *map(write, (*theta, loss, g))] for t, theta, loss, g in rows]
    return [["t", *names, "loss", "|grad|"], *body]


def _widths(table: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(len, column)) for column in zip(*table, strict=True)]


def _fit(table: Sequence[Sequence[str]], columns: Sequence[int], width: int) -> bool:
    """Whether these columns of the table fit side by side."""
    widths = _widths(table)
    return sum(widths[i] + 2 for i in columns) - 2 <= width


def _columns(
    names: Sequence[str], table: Sequence[Sequence[str]], width: int
) -> tuple[list[int], list[str]]:
    """Which columns fit, and the names of those that do not: |grad| goes first, then parameters."""
    step, loss, grad = 0, len(names) + 1, len(names) + 2
    params = list(range(1, loss))
    if _fit(table, [step, *params, loss, grad], width):
        return [step, *params, loss, grad], []
    left_out: list[str] = []
    while len(params) > 1 and not _fit(table, [step, *params, loss], width):
        left_out.insert(0, names[params.pop() - 1])
    return [step, *params, loss], [*left_out, "|grad|"]


def _stacked(
    names: Sequence[str], head: Sequence[Row], tail: Sequence[Row], width: int
) -> Iterator[str]:
    """A line for each number."""
    for index, (t, theta, loss, norm) in enumerate([*head, *tail]):
        if tail and index == len(head):
            yield from folded([_gap(head[-1][0], tail[0][0])], width)
        yield f"t = {t}"
        values = zip([*names, "loss", "|grad|"], [*theta, loss, norm], strict=True)
        yield from folded((f"  {name} = {number(value)}" for name, value in values), width)


def _select(result: Result, every: int | None) -> tuple[list[Row], list[Row]]:
    """The rows before a gap, and those after it (none where there is no gap)."""
    rows = list(select(result.history.rows(), every))
    if every is not None or len(rows) <= _MOST_ROWS:
        return rows, []
    return rows[:_HEAD], rows[-_TAIL:]


def _gap(before: int, after: int) -> str:
    missing = after - before - 1
    every = next(n * 10**k for k in range(99) for n in (5, 10, 20) if n * 10**k * 50 > missing)
    return f"... {missing:,} steps left out (--every {every} shows each {every}th) ..."


def _listed(names: Sequence[str], most: int = 4) -> str:
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[: most - 1])} and {len(names) - most + 1} more"
