"""The steps of a descent as a table that fits the width of the window."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from symgd.model.result import Result
from symgd.names import escape

Row = tuple[int, tuple[float, ...], float, float]  # t, theta in the order of params, loss, |grad|

_MOST_ROWS = 200  # without `every`; of a longer table the first and last rows are shown
_FIRST_ROWS, _LAST_ROWS = 15, 10


def step_table(result: Result, *, every: int | None = None, width: int = 80) -> Iterator[str]:
    """The history as a table, right-aligned.

    Without `every`, only the beginning and the end of a long history are shown. Columns that do not
    fit `width` are left out, with a note: |grad|, and parameters other than the first.
    """
    first_rows, last_rows = _split_rows(result, every)
    names = [escape(name) for name in result.loss.params]
    table = [["t", *names, "loss", "|grad|"]]
    for t, theta, loss, norm in first_rows + last_rows:
        table.append([str(t), *map(float_text, (*theta, loss, norm))])
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    shown, left_out = _columns(names, widths, width)
    for index, cells in enumerate(table):
        if last_rows and index == len(first_rows) + 1:
            yield _gap_line(first_rows[-1][0], last_rows[0][0])
        yield "  ".join(cells[i].rjust(widths[i]) for i in shown)
    if left_out:
        yield f"left out to fit {width} columns: {_name_list(left_out)} (--format csv has all)"


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


def _columns(
    names: Sequence[str], widths: Sequence[int], width: int
) -> tuple[list[int], list[str]]:
    """(indices of the columns that fit, names of the others); |grad| is dropped first."""
    shown, left_out = list(range(len(widths))), list[str]()

    def fits() -> bool:
        return sum(widths[i] + 2 for i in shown) - 2 <= width

    if not fits():
        shown.pop()
        left_out.append("|grad|")
    while len(shown) > 3 and not fits():  # t, a parameter, the loss
        last = shown.pop(-2)
        left_out.insert(0, names[last - 1])
    return shown, left_out


def _split_rows(result: Result, every: int | None) -> tuple[list[Row], list[Row]]:
    """The rows before a gap, and those after it (none if there is no gap)."""
    history = result.history
    if every is None and len(history) > _MOST_ROWS:
        return list(history[:_FIRST_ROWS]), list(history[-_LAST_ROWS:])
    return list(thin(history.rows(), every)), []


def _gap_line(before: int, after: int) -> str:
    missing = after - before - 1
    every = next(n * 10**k for k in range(99) for n in (5, 10, 20) if n * 10**k * 50 > missing)
    return f"... {missing:,} steps left out (--every {every} shows each {every}th) ..."


def _name_list(names: Sequence[str]) -> str:
    if len(names) <= 4:
        return ", ".join(names)
    return f"{', '.join(names[:3])} and {len(names) - 3} more"
