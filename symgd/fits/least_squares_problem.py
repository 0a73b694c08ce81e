"""A model as a least-squares problem: residuals, Jacobian, bounds, checked weights; and a cache."""

from __future__ import annotations

from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from symgd._locks import cached_property
from symgd.fits.per_row_function import PerRowFunction
from symgd.fits.qr_reduction import RowResiduals
from symgd.fits.regression_model import Model, read_model
from symgd.fits.row_sample import with_columns
from symgd.fits.settings import Options, place_start
from symgd.fits.starts import initial_guess
from symgd.fits.summary_statistics import ResponseSummary, stacked, summarize_response
from symgd.model.data_binding import RowData, open_columns
from symgd.solvers.objectives import Box


@dataclass(frozen=True)
class LeastSquaresProblem:
    """A least-squares problem. observed: response, weight, sigma of a row, of each residual."""

    model: Model
    residuals: RowResiduals
    observed: tuple[PerRowFunction, ...]

    def on(self, rows: RowData) -> LeastSquaresProblem:
        """The same problem over other rows of the same columns, without compiling again."""
        model = replace(self.model, rows=rows)
        residuals = self.residuals.on(rows)
        observed = tuple(function.on(rows) for function in self.observed)
        return replace(self, model=model, residuals=residuals, observed=observed)

    @property
    def box(self) -> Box:
        return self.model.box

    @cached_property
    def response_summary(self) -> ResponseSummary:
        """Statistics of the response and its weights, or DataError for an invalid weight."""
        found = [summarize_response(function) for function in self.observed]
        rows = len(found) - self.model.penalties
        return stacked([*found[:rows], *[ResponseSummary(1.0, counted=1)] * self.model.penalties])

    def start(self, options: Options) -> tuple[list[float], bool, str]:
        """(the start, (P,); whether any of it was given; where the rest comes from)."""
        params = self.model.params
        given = place_start(options.start, params)
        if len(given) == len(params):
            return [given[p] for p in params], True, ""
        guess = initial_guess.Search(self.model, self.residuals, given).best()
        return guess.x, bool(given), guess.reason


def build_problem(model: Model) -> LeastSquaresProblem:
    """The least-squares problem of a model, its weights unchecked."""
    outputs = [n for n in (model.response, model.weight, model.sigma) if n is not None]
    each = [outputs, *([response] for _, response in model.further)]
    observed = tuple(PerRowFunction(model.rows, [], nodes) for nodes in each)
    return LeastSquaresProblem(model, RowResiduals(model), observed)


_CAPACITY = 128  # problems
_problems: OrderedDict[tuple[Any, ...], LeastSquaresProblem] = OrderedDict()  # least recent first


def read_problem(text: str, data: Any, options: Options) -> LeastSquaresProblem:
    """The least-squares problem of the model `text` over `data`, or a SymgdError.

    A model over the same columns is compiled once: formulas and machine code are kept, no rows. Not
    kept are models with sums over rows, which are constants of their data, and with arrays, which
    are as long as the data say.
    """
    opened, columns = open_columns(data)
    key = _key(text, columns, options)
    cached = _problems.get(key)
    if cached is None:
        problem = build_problem(read_model(text, opened, options))
        model = problem.model
        if key and not (model.arrays or model.rows.constants or model.nested):
            _problems[key] = problem.on(with_columns(model.rows, {}))
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
            for mapping in (options.fixed, options.tied, options.bounds, options.derived)
        ]
        texts = (text, options.weight, options.sigma, options.loss)
        key = (*texts, tuple(columns), tuple(options.parameter_names), *parts)
        hash(key)
    except (TypeError, AttributeError):
        return ()
    # 1, 1.0 and True are equal keys, but are not read alike
    return (*key, repr(parts), options.backend, options.threads)
