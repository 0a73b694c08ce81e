"""`FormulaRegressor`: a formula as an estimator of scikit-learn (the extra `sklearn`)."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from symgd._numpy import NDArray, np
from symgd.errors import ArgumentError, describe_import_error

try:
    from sklearn.base import BaseEstimator, RegressorMixin
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data
except Exception as error:
    _problem = describe_import_error(error, "sklearn", '"symgd[sklearn]"')
    raise ImportError(f"symgd.sklearn needs scikit-learn{_problem}") from error

from symgd.fits.curve import evaluate_model
from symgd.fits.fit import fit
from symgd.fits.model_reader import ModelReader
from symgd.formula.symbol_table import Columns
from symgd.model.arguments import BackendName
from symgd.model.array_options import ArrayOptions

_WEIGHT = "sample weight"  # two words: no feature of a formula without back quotes


class FormulaRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A model `y = formula` of the features, fitted by `symgd.fit`.

    formula: the right side, or "y = ..."; its names are the features' where X has names (a data
    frame), else x0, x1, ...; the others are parameters. None: a linear model of all features,
    b + a0*x0 + a1*x1 + ... The other arguments are those of `symgd.fit`.

    After fit: params_ (name -> value), stderr_ (name -> standard error or None), covariance_ (P, P)
    in the order of free_, status_, report_ (text), n_features_in_, feature_names_in_.

    >>> X, y = np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([2.0, 1.0, 0.5, 0.25])
    >>> model = FormulaRegressor("a*exp(-b*x0)").fit(X, y)
    >>> round(model.params_["a"], 6), round(float(model.predict(X)[1]), 6)
    (2.0, 1.0)
    """

    def __init__(
        self,
        formula: str | None = None,
        *,
        start: float | str | Mapping[str, float] | Sequence[float] | None = None,
        loss: str | None = None,
        fixed: Mapping[str, float] | None = None,
        tied: Mapping[str, str] | None = None,
        bounds: Mapping[str, tuple[float | None, float | None]] | None = None,
        method: str = "lm",
        steps: int | None = None,
        lr: float | str | None = None,
        backend: BackendName = "auto",
        threads: int | None = None,
    ) -> None:
        self.formula = formula
        self.start = start
        self.loss = loss
        self.fixed = fixed
        self.tied = tied
        self.bounds = bounds
        self.method = method
        self.steps = steps
        self.lr = lr
        self.backend = backend
        self.threads = threads

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> FormulaRegressor:  # noqa: N803
        """The estimator itself, fitted to X (rows, features) and y (rows,)."""
        X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True)  # noqa: N806
        columns = self._columns(X)
        response = _free_name("y", columns)
        data: dict[str, Any] = {**columns, response: np.asarray(y, dtype=np.float64)}
        weight = None
        if sample_weight is not None:
            data[_WEIGHT] = _check_sample_weight(sample_weight, X, ensure_non_negative=True)
            weight = f"`{_WEIGHT}`"
        self.model_ = self._model(list(columns))
        self._check_features(list(columns))
        options = self.get_params(deep=False)
        del options["formula"]
        result = fit(f"`{response}` = {self.model_}", data, weight=weight, **options)
        self.params_ = result.theta
        self.stderr_ = result.stderr
        self.free_ = result.names
        self.covariance_ = result.covariance
        self.status_ = result.status.value
        self.report_ = str(result)
        if self.status_ != "converged":
            warnings.warn(result.message, ConvergenceWarning, stacklevel=2)
        return self

    def predict(self, X: Any) -> NDArray[np.float64]:  # noqa: N803
        """The model at the rows of X: (rows,) float64."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)  # noqa: N806
        return evaluate_model(self.model_, self.params_, self._columns(X))

    def _columns(self, X: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:  # noqa: N803
        found = getattr(self, "feature_names_in_", None)
        names = [f"x{k}" for k in range(X.shape[1])] if found is None else list(map(str, found))
        return {name: np.ascontiguousarray(X[:, k]) for k, name in enumerate(names)}

    def _check_features(self, features: Sequence[str]) -> None:
        """ArgumentError for a formula that reads no feature, with the reason."""
        columns = Columns(features)
        formula = ModelReader(
            columns, list(self.fixed or ()), ArrayOptions().symbols(columns)
        ).read(self.model_)
        if formula.columns or (formula.indexed is not None and formula.indexed.columns_read()):
            return
        listed = ", ".join(features[:5]) + (", ..." if len(features) > 5 else "")
        hint = f"they are {listed}"
        if getattr(self, "feature_names_in_", None) is None:
            hint = (
                f"X has no names, so that {hint}; a step before it may have dropped them: give it "
                '.set_output(transform="pandas"), or write x0, x1 in the formula'
            )
        raise ArgumentError(f"the formula reads no feature\n{hint}")

    def _model(self, features: Sequence[str]) -> str:
        """The right side of the model."""
        if self.formula is None:
            bad = next((name for name in features if "`" in name or not name), None)
            if bad is not None:
                raise ArgumentError(f"the feature {bad!r} cannot be written in a formula")
            derivatives = [_free_name(f"a{k}", features) for k in range(len(features))]
            terms = [f"{a}*`{name}`" for a, name in zip(derivatives, features, strict=True)]
            return " + ".join([_free_name("b", features), *terms])
        if not isinstance(self.formula, str):
            raise ArgumentError(f"formula is a text, not {type(self.formula).__name__}")
        left, equals, right = self.formula.partition("=")
        return right if equals and left.strip() == "y" else self.formula


def _free_name(name: str, taken: Any) -> str:
    while name in taken:
        name += "_"
    return name
