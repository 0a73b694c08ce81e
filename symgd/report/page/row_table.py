"""The rows of data that a page holds: all of them, where its engine runs the loss, or a sample."""

from __future__ import annotations

from typing import Any

from symgd import names
from symgd.formula.functions.table import BY_CLASS
from symgd.formula.nodes import Category, Column, Node, RowMax, topological
from symgd.formula.printing.plain import write
from symgd.model.loss import Loss
from symgd.report.page.language import computable

_MOST_NUMBERS = 3_000  # of a table that the page runs over
_MOST_DRAWN = 300  # rows of a sample
_MOST_OPERATIONS = 200_000  # of one evaluation over all rows


def runs_over_rows(loss: Loss) -> bool:
    """Whether the page's engine reads this loss and runs over its rows."""
    rows = loss.internals.rows
    if rows is None or rows.table.streamed or loss.indexed is not None:
        return False
    small = rows.table.rows * len(rows.table.names) <= _MOST_NUMBERS
    return small and loss.internals.work <= _MOST_OPERATIONS and all(map(_is_read, _nodes(loss)))


def row_data(loss: Loss) -> dict[str, Any]:
    """text: the loss as the page reads it. table: its columns; whole: that these are all rows."""
    rows = loss.internals.rows
    if rows is None or rows.table.streamed or loss.indexed is not None:
        return {}
    if not all(map(_is_read, _nodes(loss))):
        return {}
    whole = runs_over_rows(loss)
    stride = 1 if whole else -(-rows.table.rows // _MOST_DRAWN)
    table = {
        names.escape(n): [float(v) for v in rows.table.columns[n][::stride]]
        for n in rows.table.names
    }
    return {"text": write(loss.internals.root), "table": table, "whole": whole}


def _nodes(loss: Loss) -> list[Node]:
    return topological([loss.internals.root])


def _is_read(node: Node) -> bool:
    if isinstance(node, Category) or (isinstance(node, Column) and hasattr(node, "labels")):
        return False
    row = BY_CLASS.get(node.func)
    return node.func is not RowMax and (row is None or row.name in computable())
