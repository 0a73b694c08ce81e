"""Problems that were read before: a formula over the same columns is compiled once.

What is kept holds formulas and machine code, no rows. A model in which a sum over the rows stands,
as in y = a*(x - mean(x)), is read anew: that sum is a number of its own data.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from symgd.fits.least_squares_problem import Squares, read_squares
from symgd.fits.regression_model import Options, read_model
from symgd.fits.row_sample import over
from symgd.model.data_binding import RowData, open_columns, read_columns

_KEPT = 32  # problems

_memory: OrderedDict[tuple[Any, ...], Squares] = OrderedDict()


def read_problem(text: str, data: Any, options: Options) -> Squares:
    """The least-squares problem that `text` spells over the columns of `data`, or a SymgdError."""
    opened, columns = open_columns(data)
    key = _key(text, columns, options)
    known = _memory.get(key)
    if known is None:
        squares = read_squares(read_model(text, opened, options))
        if key and not squares.model.rows.constants and squares.model.inner is None:
            _memory[key] = squares.on(over(squares.model.rows, {}))
            while len(_memory) > _KEPT:
                _memory.popitem(last=False)
    else:
        table = read_columns(opened, known.model.columns, options.drop_missing)
        rows = RowData(known.model.graph, table, backend=options.backend, threads=options.threads)
        squares = known.on(rows)
    if squares.model.weight is not None:
        squares.totals  # noqa: B018 - refuses a weight that is none
    return squares


def _key(text: str, columns: Any, options: Options) -> tuple[Any, ...]:
    """Whatever the problem depends on beside the rows; () where that cannot be a key."""
    try:
        parts = [
            tuple(sorted((given or {}).items()))
            for given in (options.fixed, options.tied, options.bounds)
        ]
        key = (
            text,
            tuple(columns),
            options.weight,
            options.sigma,
            options.loss,
            options.named,
            *parts,
        )
        hash(key)
    except (TypeError, AttributeError):
        return ()
    # 1, 1.0 and True are one key; what they are refused or read as differs
    return (*key, repr(parts), options.backend, options.threads)
