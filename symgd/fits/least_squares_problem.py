"""A model as a least-squares problem: residuals, Jacobian, bounds, checked weights."""

from __future__ import annotations

from dataclasses import dataclass, replace

from symgd._locks import cached_property
from symgd.fits import initial_guess
from symgd.fits.per_row_function import PerRowFunction
from symgd.fits.qr_reduction import RowResiduals
from symgd.fits.regression_model import Model
from symgd.fits.settings import Options, place_start
from symgd.fits.summary_statistics import ResponseSummary, summarize_response
from symgd.model.data_binding import RowData
from symgd.solvers.objectives import Box


@dataclass(frozen=True)
class LeastSquaresProblem:
    """A least-squares problem. observed: response, weight, sigma of a row."""

    model: Model
    residuals: RowResiduals
    observed: PerRowFunction

    def on(self, rows: RowData) -> LeastSquaresProblem:
        """The same problem over other rows of the same columns, without compiling again."""
        model = replace(self.model, rows=rows)
        residuals, observed = self.residuals.on(rows), self.observed.on(rows)
        return replace(self, model=model, residuals=residuals, observed=observed)

    @property
    def box(self) -> Box:
        """The bounds of the free parameters."""
        return self.model.box

    @cached_property
    def response_summary(self) -> ResponseSummary:
        """Statistics of the response and its weights, or DataError for an invalid weight."""
        return summarize_response(self.observed)

    def start(self, options: Options) -> tuple[list[float], bool]:
        """(the start, (P,), whether any of it was given); what is not given is searched for."""
        params = self.model.params
        given = place_start(options.start, params)
        guess = [0.0] * len(params)
        if len(given) < len(params):
            guess = initial_guess.search(self.model, self.residuals)
        return [given.get(p, v) for p, v in zip(params, guess, strict=True)], bool(given)


def build_problem(model: Model) -> LeastSquaresProblem:
    """The least-squares problem of a model, its weights unchecked."""
    outputs = [n for n in (model.response, model.weight, model.sigma) if n is not None]
    return LeastSquaresProblem(model, RowResiduals(model), PerRowFunction(model.rows, [], outputs))
