"""Families: the -log L of a row for a response whose mean is the model.

One row of the table for each; `mu` is the model, `y` the response, `w` the weight of a row, and
further names are parameters that are fitted along (P. McCullagh, J. Nelder, 1989, Generalized
Linear Models, 2nd ed.; here the link is part of the model, as in y = exp(a + b*x)).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from symgd import names
from symgd._numpy import np
from symgd.errors import ArgumentError
from symgd.fits.fit_result import FitResult
from symgd.fits.least_squares_problem import LeastSquaresProblem
from symgd.fits.minimize_loss import Inference, by_newton
from symgd.fits.regression_model import Model
from symgd.fits.settings import Options, place_start
from symgd.fits.starts.likelihood_start import best_start
from symgd.formula.nodes import Name, Node, RowSum
from symgd.formula.parse import parse
from symgd.solvers import levenberg_marquardt
from symgd.solvers.objectives import Box


@dataclass(frozen=True)
class Family:
    """loss: -log L of a row. positive: its further parameters, which are above 0."""

    loss: str
    positive: tuple[str, ...] = ()


FAMILIES: dict[str, Family] = {
    "poisson": Family("w*(mu - y*log(mu) + loggamma(y + 1))"),
    "binomial": Family("-w*(y*log(mu) + (1 - y)*log(1 - mu))"),
    "negative_binomial": Family(
        "w*((y + 1/alpha)*log1p(alpha*mu) - y*log(alpha*mu)"
        " - loggamma(y + 1/alpha) + loggamma(1/alpha) + loggamma(y + 1))",
        ("alpha",),
    ),
    "exponential": Family("w*(y/mu + log(mu))"),
    "gamma": Family(
        "w*(shape*(y/mu + log(mu) - log(shape)) - (shape - 1)*log(y) + loggamma(shape))", ("shape",)
    ),
    "inverse_gaussian": Family(
        "w*((y/mu - 1)^2/(2*dispersion*y) + 0.5*log(2*pi*dispersion*y^3))", ("dispersion",)
    ),
    "lognormal": Family(
        "w*(log(y/mu)^2/(2*spread^2) + log(spread) + log(y) + 0.5*log(2*pi))", ("spread",)
    ),
}

BASIS = "the inverse Hessian of -log L of the family"


def by_family(problem: LeastSquaresProblem, family: str, options: Options) -> FitResult:
    """The maximum of the likelihood, from the least-squares fit of the model or a given start."""
    if family not in FAMILIES:
        raise ArgumentError(names.unknown("a fit has no family", family, FAMILIES))
    if options.sigma is not None or options.loss is not None or options.by_rule:
        raise ArgumentError("a family goes with weight, and not with sigma, loss, a rule or solver")
    model, row = problem.model, FAMILIES[family]
    given = place_start(
        options.start, [*model.params, *(n for n in row.positive if n not in model.params)]
    )
    start = [given.get(p, 1.0) for p in model.params]
    if any(p not in given for p in model.params):
        begun = replace(options, start={n: v for n, v in given.items() if n in model.params})
        start, *_ = problem.start(begun)
        found = levenberg_marquardt.minimize(problem.residuals, start, problem.box)
        start = start if found is None else found.x.tolist()
    fitted = _with_parameters(model, row.positive)
    root = fitted.graph.node(RowSum, fitted.restored(_loss(fitted, row), None))
    (stable,) = fitted.rows.lower([root])
    points = [[*start, *(given.get(n, v) for n in row.positive)] for v in (1.0, 0.1)]
    best = best_start(fitted, stable, given, points)
    starts: Sequence[Sequence[float]] = points if best is None else [best, *points]
    return by_newton(Inference(fitted, options, f"{BASIS} {family}"), stable, starts, starts[0])


def _with_parameters(model: Model, positive: Sequence[str]) -> Model:
    """The model with further parameters, which are above 0."""
    taken = next((n for n in positive if n in model.params or n in model.derived), None)
    if taken is not None:
        raise ArgumentError(f"'{taken}' is a parameter of the family: name that of the model anew")
    leaves = tuple(Name(f"family{k}", name) for k, name in enumerate(positive))
    low, high = [np.finfo(float).tiny] * len(leaves), [np.inf] * len(leaves)
    box = Box(np.append(model.box.low, low), np.append(model.box.high, high))
    return replace(model, leaves=(*model.leaves, *leaves), box=box)


def _loss(model: Model, row: Family) -> Node:
    """The -log L of a row as a node."""
    graph = model.graph
    further = {n: Name(f"in_family_{n}", f"#{n}") for n in ("mu", "y", "w")}
    own = {leaf.text: leaf for leaf in model.leaves if leaf.text in row.positive}
    formula = parse(row.loss, graph=graph, variables={**further, **own})
    weight = graph.number(1.0) if model.weight is None else model.weight
    values = dict(zip(further.values(), (model.predicted, model.response, weight), strict=True))
    return graph.replace([formula.root], values)[0]
