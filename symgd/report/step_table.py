"""The steps of a descent as a table that fits the width of the window."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from symgd.names import escape
from symgd.report.wrap import wrap_if_narrow

if TYPE_CHECKING:
    from symgd.model.result import Result

Row = tuple[int, tuple[float, ...], float, float]  # t, theta in the order of params, loss, |grad|

_MOST_ROWS = 200  # without `every`; of a longer table the first and last rows are shown
_FIRST_ROWS, _LAST_ROWS = 15, 10
_NARROW = 80  # columns; in a narrower window numbers are shortened
_DIGITS = range(15, 4, -1)  # significant digits that are tried, in turn


def step_table(result: Result, *, every: int | None = None, width: int = 80) -> Iterator[str]:
    """The history as a table, right-aligned, at most `width` columns wide.

    Without `every`, only the beginning and the end of a long history are shown. Columns that do not
    fit are left out, with a note; below 80 columns numbers are shortened first. If not even one
    parameter fits beside the loss, each number has its own line.
    """
    first_rows, last_rows = _split_rows(result, every)
    names = [escape(name) for name in result.loss.params]
    table = _cells(names, first_rows + last_rows, float_text)
    shown, left_out = _columns(names, table, width)
    digits = 0
    for fewer in _DIGITS if left_out and width < _NARROW else ():
        if left_out == ["|grad|"] and _fits(table, shown, width):
            break
        digits, table = fewer, _cells(names, first_rows + last_rows, with_digits(fewer))
        shown, left_out = _columns(names, table, width)
    if not _fits(table, shown, width) and width < _NARROW:
        yield from _vertical_layout(names, first_rows, last_rows, width)
        return
    widths = _widths(table)
    for index, cells in enumerate(table):
        if last_rows and index == len(first_rows) + 1:
            yield from wrap_if_narrow([_gap_line(first_rows[-1][0], last_rows[0][0])], width)
        yield "  ".join(cells[i].rjust(widths[i]) for i in shown)
    notes = [f"left out to fit {width} columns: {_name_list(left_out)}"] if left_out else []
    notes += [f"numbers shortened to {digits} digits"] if digits else []
    if notes:
        yield from wrap_if_narrow([f"{'; '.join(notes)} (--format csv has all)"], width)


def thin(rows: Iterable[Row], every: int | None) -> Iterator[Row]:
    """Every `every`-th row, and always the first and the last."""
    last: Row | None = None
    for index, row in enumerate(rows):
        wanted = index == 0 or row[0] % (every or 1) == 0
        last = None if wanted else row
        if wanted:
            yield row
    if last is not None:
        yield last


def float_text(value: float) -> str:
    """The shortest text that reads back as the same float."""
    return repr(float(value))


def with_digits(digits: int) -> Callable[[float], str]:
    """A function that formats a number with at most so many significant digits."""

    def write(value: float) -> str:
        return min(float_text(value), f"{value:.{digits}g}", key=len)

    return write


def _cells(
    names: Sequence[str], rows: Sequence[Row], write: Callable[[float], str]
) -> list[list[str]]:
    """The table with its header: t, the parameters, loss, |grad|."""
    body = [[str(t), *map(write, (*theta, loss, g))] for t, theta, loss, g in rows]
    return [["t", *names, "loss", "|grad|"], *body]


def _widths(table: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(len, column)) for column in zip(*table, strict=True)]


def _fits(table: Sequence[Sequence[str]], columns: Sequence[int], width: int) -> bool:
    """Whether these columns of the table fit side by side."""
    widths = _widths(table)
    return sum(widths[i] + 2 for i in columns) - 2 <= width


def _columns(
    names: Sequence[str], table: Sequence[Sequence[str]], width: int
) -> tuple[list[int], list[str]]:
    """(indices of the columns that fit, names of the others); |grad| is dropped first."""
    step, loss, grad = 0, len(names) + 1, len(names) + 2
    params = list(range(1, loss))
    if _fits(table, [step, *params, loss, grad], width):
        return [step, *params, loss, grad], []
    left_out: list[str] = []
    while len(params) > 1 and not _fits(table, [step, *params, loss], width):
        left_out.insert(0, names[params.pop() - 1])
    return [step, *params, loss], [*left_out, "|grad|"]


def _vertical_layout(
    names: Sequence[str], first_rows: Sequence[Row], last_rows: Sequence[Row], width: int
) -> Iterator[str]:
    """A line for each number."""
    for index, (t, theta, loss, norm) in enumerate([*first_rows, *last_rows]):
        if last_rows and index == len(first_rows):
            yield from wrap_if_narrow([_gap_line(first_rows[-1][0], last_rows[0][0])], width)
        yield f"t = {t}"
        values = zip([*names, "loss", "|grad|"], [*theta, loss, norm], strict=True)
        yield from wrap_if_narrow(
            (f"  {name} = {float_text(value)}" for name, value in values), width
        )


def _split_rows(result: Result, every: int | None) -> tuple[list[Row], list[Row]]:
    """The rows before a gap, and those after it (none if there is no gap)."""
    rows = list(thin(result.history.rows(), every))
    if every is not None or len(rows) <= _MOST_ROWS:
        return rows, []
    return rows[:_FIRST_ROWS], rows[-_LAST_ROWS:]


def _gap_line(before: int, after: int) -> str:
    missing = after - before - 1
    every = next(n * 10**k for k in range(99) for n in (5, 10, 20) if n * 10**k * 50 > missing)
    return f"... {missing:,} steps left out (--every {every} shows each {every}th) ..."


def _name_list(names: Sequence[str], most: int = 4) -> str:
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[: most - 1])} and {len(names) - most + 1} more"
