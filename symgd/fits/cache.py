"""A cache of least-squares problems: a model over the same columns is compiled once.

Cached problems hold formulas and machine code, no rows. A model with a sum over rows in it, such as
y = a*(x - mean(x)), is not cached, because that sum is a constant of its data.
"""

from __future__ import annotations

from collections import OrderedDict
from contextlib import suppress
from typing import Any

from symgd.fits.least_squares_problem import LeastSquaresProblem, build_problem
from symgd.fits.regression_model import read_model
from symgd.fits.row_sample import with_columns
from symgd.fits.settings import Options
from symgd.model.data_binding import open_columns

_CAPACITY = 32  # problems

_problems: OrderedDict[tuple[Any, ...], LeastSquaresProblem] = OrderedDict()  # least recent first


def read_problem(text: str, data: Any, options: Options) -> LeastSquaresProblem:
    """The least-squares problem of the model `text` over `data`, or a SymgdError."""
    opened, columns = open_columns(data)
    key = _key(text, columns, options)
    cached = _problems.get(key)
    if cached is None:
        problem = build_problem(read_model(text, opened, options))
        arrays = problem.model.arrays  # as long as the data say
        if (
            key
            and arrays is None
            and not problem.model.rows.constants
            and problem.model.nested is None
        ):
            _problems[key] = problem.on(with_columns(problem.model.rows, {}))
            while len(_problems) > _CAPACITY:
                _problems.popitem(last=False)
    else:
        with suppress(KeyError):  # another thread may have evicted it
            _problems.move_to_end(key)
        model = cached.model
        problem = cached.on(options.read_rows(model.graph, opened, model.columns))
    if problem.model.weight is not None:
        problem.response_summary  # noqa: B018 - raises for an invalid weight
    return problem


def _key(text: str, columns: Any, options: Options) -> tuple[Any, ...]:
    """All that the problem depends on except the rows; () where it is not hashable."""
    try:
        parts = [
            tuple(sorted(mapping.items()))
            for mapping in (options.fixed, options.tied, options.bounds)
        ]
        texts = (text, options.weight, options.sigma, options.loss)
        key = (*texts, tuple(columns), tuple(options.parameter_names), *parts)
        hash(key)
    except (TypeError, AttributeError):
        return ()
    # 1, 1.0 and True are equal keys, but are not read alike
    return (*key, repr(parts), options.backend, options.threads)
