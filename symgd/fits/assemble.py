"""The parts of a finished fit -> FitResult."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from symgd.calculus.gradient import gradient
from symgd.calculus.row_sums import lower
from symgd.fits import statistics
from symgd.fits.curve import Curve
from symgd.fits.fit_result import Estimate, FitResult
from symgd.fits.regression_model import Model
from symgd.formula.evaluate import trace
from symgd.formula.nodes import RowMean, RowSum, topological
from symgd.formula.printing.plain import write
from symgd.model.result import Status
from symgd.names import escape
from symgd.solvers.objectives import Mask, Vector


@dataclass(frozen=True)
class Pieces:
    """What a method found. See FitResult for what is not told here.

    held: the parameters at a bound. factor: what the typed loss was multiplied by. perfect,
    near_perfect: see `symgd.fits.statistics`.
    """

    model: Model
    x: Vector
    covariance: Vector
    held: Mask
    condition: float
    unknown: Sequence[int]
    rows: int
    dof: int
    loss: float
    rss: float | None
    sigma: float | None
    r2: float | None
    aic: float | None
    bic: float | None
    status: Status
    message: str
    steps: int
    method: str
    start: Sequence[float]
    absolute: bool = False
    basis: str = ""
    perfect: bool = False
    near_perfect: bool = False
    factor: float = 1.0


def assemble(pieces: Pieces) -> FitResult:
    """The result, with fixed and tied parameters beside the free ones."""
    model = pieces.model
    errors = statistics.standard_errors(pieces.covariance)
    params = {
        name: Estimate(
            float(pieces.x[k]), _known(errors[k]), "at its bound" if pieces.held[k] else ""
        )
        for k, name in enumerate(model.params)
    }
    params |= _derived(pieces)
    correlation = statistics.correlations(pieces.covariance)
    certified = pieces.status is Status.CONVERGED
    away = [] if certified else statistics.runaways(pieces.x, errors)
    shown = [escape(name) for name in model.params]
    curve = None
    if model.typed is not model.response:
        curve = Curve.of(model, pieces.x, pieces.covariance)
    at_bound = [k for k, held in enumerate(pieces.held) if held]
    whole = model.typed.func in (RowSum, RowMean) or model.typed is model.response
    echo = write(model.typed, 500) if whole else model.text
    return FitResult(
        text=model.text,
        params=params,
        names=model.params,
        covariance=pieces.covariance,
        correlation=correlation,
        n=pieces.rows,
        dof=pieces.dof,
        loss=pieces.loss,
        rss=pieces.rss,
        sigma=pieces.sigma,
        r2=pieces.r2,
        aic=pieces.aic,
        bic=pieces.bic,
        status=pieces.status,
        message=pieces.message,
        steps=pieces.steps,
        method=pieces.method,
        warnings=tuple(
            statistics.warnings(
                shown,
                at_bound,
                pieces.unknown,
                pieces.condition,
                correlation,
                pieces.dof,
                pieces.perfect,
                pieces.near_perfect,
                away,
            )
        ),
        start=dict(zip(model.params, map(float, pieces.start), strict=True)),
        columns=model.columns,
        table=model.table,
        dropped=model.table.dropped,
        weighted=model.weight is not None,
        absolute=pieces.absolute,
        basis=pieces.basis,
        factor=pieces.factor,
        model=write(model.typed, 2000),
        echo=echo,
        curve=curve,
    )


def _known(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _derived(pieces: Pieces) -> dict[str, Estimate]:
    """Fixed parameters, and tied ones with errors by the linear propagation of the covariance."""
    model = pieces.model
    leaves = dict(zip(model.leaves, map(float, pieces.x), strict=True))
    found = {}
    for name, typed in model.derived.items():
        (node,) = model.rows.settle(lower(model.graph, [typed]))  # means of columns are numbers
        slopes = gradient(model.graph, node, model.atoms)
        values = trace([node, *slopes], {**leaves, **model.rows.values})
        if not any(leaf in leaves for leaf in topological([node])):
            found[name] = Estimate(float(values[id(node)]), None, "fixed")
            continue
        g = np.array([values[id(s)] for s in slopes])
        used = g != 0
        variance = float(g[used] @ pieces.covariance[np.ix_(used, used)] @ g[used])
        error = math.sqrt(variance) if variance >= 0 else math.nan
        found[name] = Estimate(float(values[id(node)]), _known(error), "tied")
    return found
