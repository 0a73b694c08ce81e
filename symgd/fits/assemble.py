"""The end of a fit and its covariance -> FitResult."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from symgd._numpy import np
from symgd.calculus.gradient import gradient
from symgd.calculus.reductions import lower
from symgd.fits import statistics
from symgd.fits.curve import FittedCurve
from symgd.fits.fit_result import Estimate, FitResult
from symgd.fits.regression_model import Model
from symgd.formula.evaluate import evaluate_all
from symgd.formula.nodes import Node, topological
from symgd.model.checks import finite_or_none
from symgd.model.result import Status
from symgd.names import escape
from symgd.solvers.objectives import Mask, Matrix, Vector


def assemble(
    model: Model,
    x: Vector,
    covariance: Matrix,
    *,
    free: Mask,
    condition: float,
    unknown: Sequence[int],
    start: Sequence[float],
    status: Status,
    precision: str = "",
    intervals: Mapping[int, tuple[float, str]] = MappingProxyType({}),
    more_warnings: Sequence[str] = (),
    remedy: str = "",
    slopes: Sequence[Node] | None = None,
    **facts: Any,
) -> FitResult:
    """The result at x, (P,), with fixed and tied parameters after the free ones.

    free: (P,), false for parameters at a bound. condition, unknown, precision: as of
    `symgd.fits.statistics`. intervals: of `symgd.fits.starts.steps`.
    more_warnings: those of the caller.
    remedy: what to do about unknown parameters. slopes: the derivatives of the model, where they
    are known. facts: other fields of FitResult.
    """
    errors = statistics.standard_errors(covariance)
    known = finite_or_none(errors.tolist())
    params = {
        name: Estimate(
            intervals[k][0] if k in intervals else float(x[k]),
            stderr,
            intervals[k][1] if k in intervals else "" if free[k] else "at its bound",
        )
        for k, (name, stderr) in enumerate(zip(model.params, known, strict=True))
    }
    params |= _fixed_and_tied(model, x, covariance)
    correlation = statistics.correlations(covariance)
    arrays = model.arrays
    diverging = [] if status is Status.CONVERGED else statistics.large_relative_errors(x, errors)
    return FitResult(
        text=model.text,
        params=params,
        names=model.params,
        covariance=covariance,
        correlation=correlation,
        status=status,
        warnings=(
            *(f"{escape(model.params[k])}: {text}" for k, (_, text) in intervals.items()),
            *more_warnings,
            *statistics.warnings(
                [escape(name) for name in model.params],
                [k for k in np.flatnonzero(~free).tolist() if k not in intervals],
                unknown,
                condition,
                correlation,
                facts["n"] - len(model.params),
                precision,
                diverging,
                remedy,
            ),
        ),
        start=dict(zip(model.params, map(float, start), strict=True)),
        columns=model.columns,
        table=model.table,
        dropped=model.table.dropped,
        weighted=model.weight is not None,
        shapes={} if arrays is None else {name: arrays.shape(name) for name in arrays.arrays},
        curve=None
        if model.typed is model.response
        else FittedCurve.of(model, x, covariance, slopes),
        **facts,
    )


def _fixed_and_tied(model: Model, x: Vector, covariance: Matrix) -> dict[str, Estimate]:
    """Fixed parameters; tied ones and derived quantities with errors by linear propagation."""
    leaves = dict(zip(model.leaves, map(float, x), strict=True))
    found = {}
    for name, typed in {**model.derived, **model.quantities}.items():
        (node,) = model.rows.settle(lower(model.graph, [typed]))  # means of columns are numbers
        derivatives = gradient(model.graph, node, model.atoms)
        values = evaluate_all([node, *derivatives], {**leaves, **model.rows.values})
        value = float(values[id(node)])
        if not any(leaf in leaves for leaf in topological([node])):
            held = "fixed" if name in model.derived else "derived"
            found[name] = Estimate(value, None, held)
            continue
        g = np.array([values[id(d)] for d in derivatives])
        used = g != 0
        variance = float(g[used] @ covariance[np.ix_(used, used)] @ g[used])
        error = math.sqrt(variance) if variance >= 0 else math.nan
        held = "tied" if name in model.derived else "derived"
        found[name] = Estimate(value, finite_or_none(error), held)
    return found
