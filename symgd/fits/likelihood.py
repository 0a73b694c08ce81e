"""A whole loss as a fit: least squares where it is a sum of squares, else a log-likelihood."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from symgd import names
from symgd.analysis.minima import LossObjective
from symgd.errors import ArgumentError
from symgd.fits.fit_result import FitResult
from symgd.fits.least_squares import least_squares
from symgd.fits.least_squares_problem import build_problem
from symgd.fits.minimize_loss import Inference, by_newton, by_rule
from symgd.fits.model_reader import (
    PARTS,
    ModelReader,
    box_of,
    derived_parameters,
    derived_quantities,
    too_large,
)
from symgd.fits.profiles import Deviance, LossDeviance, SquaresDeviance
from symgd.fits.regression_model import Model
from symgd.fits.settings import Options, place_start
from symgd.fits.starts.likelihood_start import best_start
from symgd.fits.sums_of_squares import Squares
from symgd.formula.nodes import Node, RowMean, RowSum, topological
from symgd.model.data_binding import open_columns
from symgd.model.loss import Loss
from symgd.model.loss_internals import LossInternals
from symgd.model.result import Status

HESSIAN = "the inverse Hessian, right where the loss is -log L"
HESSIAN_OF_MEAN = "the inverse Hessian of n times the loss, right where that is -log L"


def fit_loss(text: str, data: Any, options: Options) -> FitResult:
    """The minimum of a loss: least squares where it is a bare sum of squares, else -log L."""
    loss, model = _read_loss(text, data, options)
    options = options.with_start(model.arrays)
    if not model.params:
        raise ArgumentError("the loss has no free parameter")
    squares = Squares(model.rows)
    stacked = squares.model(loss.root, model)
    if stacked is not None and options.method != "newton":
        if squares.chi_square and (stacked.weight is not None or stacked.further):
            options = replace(options, absolute_sigma=True)
        return least_squares(build_problem(stacked), options)
    factor = float(model.table.rows) if _is_mean(loss.root) else 1.0
    given = place_start(options.start, model.params)
    basis = HESSIAN if factor == 1.0 else HESSIAN_OF_MEAN
    inference = Inference(model, options, basis, factor=factor)
    starts = [[given.get(p, v) for p in model.params] for v in (0.0, 0.1, 1.0, -0.1, 10.0)]
    if options.by_rule:
        return by_rule(inference, loss.root, starts[0], factor)
    if len(given) == len(model.params):
        starts = starts[:1]
    elif (best := best_start(model, loss.stable, given, starts)) is not None:
        starts.insert(0, best)
    return by_newton(inference, loss.stable, starts, starts[0])


def loss_deviance(text: str, data: Any, options: Options, result: FitResult) -> Deviance | None:
    """The deviance of the fit of a loss that was loaded; None without a minimum."""
    loss, model = _read_loss(text, data, options)
    stacked = Squares(model.rows).model(loss.root, model)
    if stacked is not None and options.method != "newton":
        variance = 1.0 if result.absolute else result.reduced_chi2
        return SquaresDeviance(build_problem(stacked), variance) if variance else None
    if result.status is not Status.CONVERGED:
        return None
    stable = LossInternals(model.graph, loss.stable, model.leaves, model.rows, by_rows=True)
    return LossDeviance(LossObjective(stable, result.factor), model.box)


def _is_mean(root: Node) -> bool:
    """Whether all outermost sums over rows are means."""
    outer = topological([root], reads=lambda n: () if n.func in (RowSum, RowMean) else n.args)
    return all(n.func is not RowSum for n in outer)


def _read_loss(text: str, data: Any, options: Options) -> tuple[LossInternals, Model]:
    """The loss of its free parameters, and the model that predicts the loss itself."""
    own = options.parameter_names
    opened, columns = open_columns(data)
    arrays = options.arrays
    typed = Loss(
        text, opened, params=own, drop_missing=options.drop_missing,
        sizes=arrays.sizes, shapes=arrays.shapes, vectors=arrays.vectors,
    )  # fmt: skip
    inner = typed.internals if typed.arrays is None else typed.arrays.write_out(PARTS)
    if inner is None:
        raise too_large()
    loss = inner.by_rows()
    rows, graph, root, derived = loss.rows, loss.graph, loss.root, dict[str, Node]()
    assert rows is not None
    rows.backend, rows.threads = options.backend, options.threads
    quantities: dict[str, Node] = {}
    if options.fixed or options.tied or options.derived:
        params = dict(zip(loss.params, loss.leaves, strict=True))
        reader = ModelReader(columns, own, arrays.symbols(columns), graph, dict(params))
        if typed.arrays is not None:
            assert typed.arrays.formula.indexed is not None
            reader.indexed = typed.arrays.formula.indexed
            reader.columns = {name: columns.symbols[name] for name in typed.columns}
            reader.bind(typed.arrays)
        derived = derived_parameters(reader, params, options)
        quantities = derived_quantities(reader, params, derived, options)
        unknown = next((c for c in reader.columns if c not in typed.columns), None)
        if unknown is not None:
            shown = names.escape(unknown)
            raise ArgumentError(
                f"a tied parameter reads the column '{shown}', which the loss does not"
            )
        (free,) = graph.replace([root], {params[n]: node for n, node in derived.items()})
        left = sorted((n for n in params if n not in derived), key=names.natural)
        loss = LossInternals(graph, free, [params[n] for n in left], rows, by_rows=True)
    return loss, Model(
        text=typed.text,
        rows=rows,
        predicted=root,
        response=root,
        leaves=loss.leaves,
        box=box_of(options, loss.params, [*loss.params, *derived]),
        columns=typed.columns,
        derived=derived,
        typed=root,
        arrays=typed.arrays,
        quantities=quantities,
    )
