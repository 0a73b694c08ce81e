"""`fit`: check the arguments, parse the model, choose the method."""

from __future__ import annotations

import numbers
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from symgd import names
from symgd._threads import one_blas_thread
from symgd.backends.dispatch import check_backend
from symgd.data import open_source
from symgd.data.added_column import AddedColumn
from symgd.errors import ArgumentError, FormulaError
from symgd.fits.fit_result import FitResult
from symgd.fits.hints import name_remarks, quote_columns
from symgd.fits.least_squares_problem import read_problem
from symgd.fits.regression_model import is_model
from symgd.fits.settings import Callback, Options, by_name, watching
from symgd.formula.index_notation import is_indexed
from symgd.model.arguments import BackendName, Start, read_start
from symgd.model.array_options import ArrayOptions
from symgd.model.bounds import BoundsByName, canonical_bounds
from symgd.model.checks import to_count
from symgd.model.data_binding import open_columns


def fit(
    model: str,
    data: Any,
    *,
    start: Start | None = None,
    columns: Sequence[str] | None = None,
    weight: Any = None,
    sigma: Any = None,
    loss: str | None = None,
    family: str | None = None,
    fixed: Mapping[str, float] | None = None,
    tied: Mapping[str, str] | None = None,
    bounds: BoundsByName | None = None,
    derived: Mapping[str, str] | None = None,
    method: str | None = None,
    rule: str | None = None,
    steps: int | None = None,
    lr: float | str | None = None,
    batch: int | None = None,
    seed: int = 0,
    absolute_sigma: bool = False,
    drop_missing: bool = False,
    backend: BackendName = "auto",
    threads: int | None = None,
    sizes: Mapping[str, int] | None = None,
    shapes: Mapping[str, Sequence[int | str]] | None = None,
    vectors: Mapping[str, Sequence[str]] | None = None,
    callback: Callback | None = None,
) -> FitResult:
    """The fit of a formula to data, with standard errors.

    model: "y = a*exp(-b*x) + c", or a whole loss such as a negative log-likelihood, "sum(exp(a +
    b*x) - y*(a + b*x))". data: what `symgd.data.read_table` reads. start: where to begin, as for
    `descend`, names left out are found; None: all are. columns: the names of the columns of a file
    without a header, or of a 2-D array. weight: a column, a formula of columns, a number or an
    array, (rows,), that multiplies squared residuals; sigma: one for the standard deviations,
    weight 1/sigma**2 (absolute_sigma: take them as they are, instead of up to a common factor).
    loss: a formula of the residual r, such as "huber(r, 1)", in place of r**2; with sigma r is
    divided by it, and a weight multiplies the loss. family: the law of the response about the
    model, its mean: poisson, binomial (of shares, with the trials as weight), negative_binomial,
    exponential, gamma, inverse_gaussian or lognormal; the likelihood is then maximized. fixed: name
    -> number. tied: name -> formula of other parameters. bounds: name -> (low, high). derived: name
    -> formula of parameters, such as {"half": "ln(2)/k"}, reported with an error beside them.
    method: a solver, "lm" (Levenberg and Marquardt; Newton's for what is no sum of squares),
    "newton", "lbfgs" or "tr". rule: in its place a rule with steps, lr, batch and seed as for
    `descend`; bounds are kept by projection after each step. backend, threads: what runs over the
    rows, as for `descend`; None: $SYMGD_THREADS threads, or one per processor. sizes, shapes,
    vectors: of a model with indices, as for `Loss`; each element of an array is a parameter of its
    own, a[2] or a[north]. callback: called with a `Step` after each iteration; a true value stops.

    A model with = is fitted by least squares. A loss is taken as -log L: its standard errors are
    those of the inverse Hessian; mean(...) counts as -log L divided by the number of rows. A loss
    that is a bare sum or mean of squares is least squares again.

    >>> found = fit("y = a*x + b", {"x": [0, 1, 2, 3], "y": [1.0, 3.1, 4.9, 7.0]})
    >>> round(found.theta["a"], 10), round(found.stderr["a"], 10)
    (1.98, 0.0424264069)
    """
    _check(model, data, callback)
    check_backend(backend)
    data, known = open_columns(data, columns)
    data, weight = _as_column(data, "weight", weight)
    data, sigma = _as_column(data, "sigma", sigma)
    method, remark = _read_method(method, rule, lr, batch, steps, threads)
    options = Options(
        weight, sigma, loss, by_name("fixed", fixed), by_name("tied", tied),
        canonical_bounds(bounds), drop_missing, backend, threads, method, steps, lr, batch, seed,
        absolute_sigma, start if start is None or is_indexed(model) else read_start(start)[0],
        ArrayOptions.of(sizes or {}, shapes or {}, vectors or {}), family,
        by_name("derived", derived),
    )  # fmt: skip
    try:
        with watching(callback):
            result = _fitted(model, data, options)
    except FormulaError as error:
        raise quote_columns(error, known) from None
    more_warnings = name_remarks(model, list(result.params), result.columns, list(known))
    more_warnings += [remark] if remark else []
    return replace(result, warnings=(*result.warnings, *more_warnings), options=options)


def _check(model: object, data: object, callback: object) -> None:
    """ArgumentError unless these are a text, some data, and a function if any."""
    if not isinstance(model, str):
        raise ArgumentError(f"a model is a text, not {type(model).__name__}")
    if data is None:
        raise ArgumentError("a fit needs data")
    if callback is not None and not callable(callback):
        raise ArgumentError(f"callback is not a function but {type(callback).__name__}")


def _as_column(data: Any, name: str, given: Any) -> tuple[Any, str | None]:
    """The data with an array as one more column, and the formula that stands for it."""
    if given is None or isinstance(given, str):
        return data, given
    if isinstance(given, numbers.Real):
        return data, repr(float(given))
    source, name = open_source(data), f"array {name}"  # two words: no name in a formula
    return AddedColumn(source, name, given), f"`{name}`"


@one_blas_thread()
def _fitted(model: str, data: Any, options: Options) -> FitResult:
    from symgd.fits.families import by_family
    from symgd.fits.least_squares import least_squares
    from symgd.fits.likelihood import fit_loss
    from symgd.fits.robust import robust

    weighted = options.sigma is not None or options.weight is not None
    if options.absolute_sigma and (options.loss is not None or not weighted):
        raise ArgumentError("absolute_sigma goes with sigma or weight, and with no loss of r")
    if is_model(model):
        read = read_problem(model, data, options)
        options = options.with_start(read.model.arrays)
        if not read.model.params:
            raise ArgumentError("the model has no free parameter")
        if options.family is not None:
            return by_family(read, options.family, options)
        return (least_squares if options.loss is None else robust)(read, options)
    if any(
        given is not None for given in (options.weight, options.sigma, options.loss, options.family)
    ):
        raise ArgumentError("weight, sigma, loss and family belong to a model 'y = ...'")
    return fit_loss(model, data, options)


def _read_method(
    method: str | None,
    rule: str | None,
    lr: float | str | None,
    batch: int | None,
    steps: int | None,
    threads: int | None,
) -> tuple[str, str]:
    """The solver or the rule, and a remark where a rule was given as a method.

    ArgumentError where it, or what belongs to it, makes no sense.
    """
    from symgd.descent.methods import NAMES
    from symgd.model.catalogue import CATALOGUE
    from symgd.model.rules import find_rule

    for name, count in (("threads", threads), ("steps", steps)):
        if count is not None:
            to_count(count, name, 1)
    if method is not None and rule is not None:
        raise ArgumentError("method is a solver and rule a rule: give one of them")
    chosen = rule or method or "lm"
    if rule is None and chosen in NAMES:
        if lr is not None or batch is not None:
            raise ArgumentError(f"lr and batch belong to the descent rules, not to {chosen}")
        return "lm" if chosen == "auto" else chosen, ""
    if rule is None and "=" not in chosen:
        rules = {part.strip() for part in chosen.split("+")}
        if not any(one in CATALOGUE or names.suggest(one, CATALOGUE) for one in rules):
            raise ArgumentError(names.unknown("there is no method", chosen, NAMES))
    find_rule(chosen)
    remark = "" if rule else f"{names.escape(chosen)} is a rule: give it as rule, not as method"
    return chosen, remark
