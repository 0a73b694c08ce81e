"""The result of a fit as plain data."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from symgd._numpy import NDArray, np
from symgd.data import Table
from symgd.errors import ArgumentError, DescentError, excerpt
from symgd.fits import profiles, statistics
from symgd.fits.curve import FittedCurve
from symgd.fits.profiles import Deviance, Profile
from symgd.fits.settings import Options
from symgd.fits.student_t import two_sided_quantile
from symgd.model.checks import finite_or_none
from symgd.model.elements import named
from symgd.model.present import Pictured, draw
from symgd.model.result import Status

LEAST_SQUARES = "sigma**2 * (J'J)**-1, sigma from the residuals"


@dataclass(frozen=True)
class Estimate:
    """A parameter: its value, its standard error (None where it is unknown), its constraint.

    held: "", "fixed", "tied", "derived" or "at its bound".
    """

    value: float
    stderr: float | None
    held: str = ""


@dataclass(frozen=True, repr=False)
class FitResult(Pictured):
    """The end of a fit.

    params: name -> Estimate, fixed and tied ones last. names: the free parameters, in the order of
    covariance and correlation, (P, P); nan where they are unknown. n: rows. loss: the minimized
    sum. rss: the (weighted) residual sum of squares; tss: that of the response about its mean;
    log_likelihood: at the end; each None where it is not defined. dropped: rows left out for a
    missing cell. weighted: rss is of weighted squares. absolute: sigma was given absolutely, not up
    to a factor. basis: how the standard errors are computed; "" for sigma**2*(J'J)**-1. factor: by
    which a mean(...) was multiplied to give `loss`. shapes: of the arrays whose elements the
    parameters are.
    """

    text: str
    params: Mapping[str, Estimate]
    names: tuple[str, ...]
    covariance: NDArray[np.float64]
    correlation: NDArray[np.float64]
    n: int
    loss: float
    rss: float | None
    tss: float | None
    log_likelihood: float | None
    status: Status
    message: str
    steps: int
    method: str
    warnings: tuple[str, ...]
    start: Mapping[str, float]
    columns: tuple[str, ...]
    table: Table
    curve: FittedCurve | None = None
    dropped: int = 0
    weighted: bool = False
    absolute: bool = False
    basis: str = ""
    factor: float = 1.0
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    deviance: Deviance | None = field(default=None, compare=False, repr=False)
    options: Options | None = field(default=None, compare=False, repr=False)

    def __repr__(self) -> str:
        values = ", ".join(f"{name} = {e.value:.6g}" for name, e in self.params.items())
        return f"<FitResult: {self.status.value}, {excerpt(self.text)}: {excerpt(values, 500)}>"

    @property
    def x(self) -> NDArray[np.float64]:
        """(P,) float64: the free parameters, in the order of `names`."""
        return np.array([self.params[name].value for name in self.names])

    @property
    def fun(self) -> float:
        """The minimized sum: `loss`, by SciPy's name."""
        return self.loss

    @property
    def nit(self) -> int:
        """How many iterations were made: `steps`, by SciPy's name."""
        return self.steps

    @property
    def success(self) -> bool:
        """Whether a minimum is certified."""
        return self.status is Status.CONVERGED

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "deviance": None}  # it is compiled

    @property
    def dof(self) -> int:
        """The degrees of freedom n - P."""
        return self.n - len(self.names)

    @property
    def sigma(self) -> float | None:
        """The residual standard error sqrt(rss/dof), or None."""
        return statistics.residual_standard_error(self.rss, self.dof)

    @property
    def reduced_chi2(self) -> float | None:
        """rss/dof, near 1 where weights are 1/sigma**2 of the right sigma; or None."""
        return None if self.sigma is None else self.sigma**2

    @property
    def r2(self) -> float | None:
        """The coefficient of determination 1 - rss/tss, or None."""
        if self.rss is None or not self.tss:
            return None
        return 1 - self.rss / self.tss

    @property
    def aic(self) -> float | None:
        """Akaike's information criterion, or None."""
        if self.log_likelihood is None:
            return None
        return 2 * self._likelihood_params - 2 * self.log_likelihood

    @property
    def bic(self) -> float | None:
        """The Bayesian information criterion, or None."""
        if self.log_likelihood is None:
            return None
        return self._likelihood_params * math.log(self.n) - 2 * self.log_likelihood

    @property
    def _likelihood_params(self) -> int:
        """The parameters of the likelihood: sigma is one where it is estimated, as in R."""
        return len(self.names) + (self.rss is not None and not self.absolute)

    @property
    def theta(self) -> dict[str, float]:
        """The value of every parameter, also fixed and tied; `a` is the array of `a[1]`, .."""
        return named(list(self.params), [e.value for e in self.params.values()], self.shapes)

    @property
    def stderr(self) -> dict[str, float | None]:
        """The standard error of every parameter."""
        return {name: e.stderr for name, e in self.params.items()}

    def intervals(self, level: float = 0.95) -> dict[str, tuple[float, float]]:
        """The interval value ± t*stderr of every parameter that has a standard error."""
        dof = self._error_dof if self._error_dof > 0 else math.inf
        t = two_sided_quantile(profiles.checked_level(level), dof)
        errors = {name: e.stderr for name, e in self.params.items() if e.stderr is not None}
        return {
            name: (self.params[name].value - t * error, self.params[name].value + t * error)
            for name, error in errors.items()
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fit and its data to a JSON file, which `symgd.load` reads."""
        draw(self, "file", path)

    def to_pandas(self) -> Any:
        """A pandas DataFrame by parameter: value, stderr, low and high of 95 %, held."""
        import pandas as pd

        between, nowhere = self.intervals(), (math.nan, math.nan)
        rows = [
            (e.value, math.nan if e.stderr is None else e.stderr, *between.get(n, nowhere), e.held)
            for n, e in self.params.items()
        ]
        names = ["value", "stderr", "low", "high", "held"]
        return pd.DataFrame(rows, index=pd.Index(self.params, name="parameter"), columns=names)

    def predict(self, data: Any) -> NDArray[np.float64]:
        """The model at rows of new data with the columns of its right side: (rows,)."""
        return self._curve().predict(data)

    def band(
        self, data: Any, level: float = 0.95
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The confidence band of the fitted curve at rows of new data: (low, high), (rows,) each.

        level: the probability that it contains the value of the model at a row (not a new
        observation). nan where the data do not determine the parameters.
        """
        curve = self._curve()
        profiles.checked_level(level)
        middle, error = curve.predict_with_error(data)
        dof = self._error_dof if self._error_dof > 0 else math.inf
        half = two_sided_quantile(level, dof) * error
        return middle - half, middle + half

    def prediction_band(
        self, data: Any, level: float = 0.95
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The band of new observations at rows of new data: (low, high), (rows,) each.

        level: the probability that it contains an observation, of the residuals' spread.
        ArgumentError for a fit with weights, which a new observation does not have.
        """
        low, high = self.band(data, level)
        if self.weighted or self.sigma is None:
            raise ArgumentError("a new observation has no weight: the fit has weights, or no sigma")
        spread = two_sided_quantile(level, self._error_dof) * self.sigma
        middle, half = 0.5 * (low + high), np.hypot(0.5 * (high - low), spread)
        return middle - half, middle + half

    def error_bars(self) -> NDArray[np.float64] | None:
        """The standard deviation of each observation, (N,), where the fit has weights.

        As they are given where absolute, else times the residual standard error.
        """
        from symgd.fits.influence import standard_deviations

        if not isinstance(self.deviance, profiles.SquaresDeviance):
            return None
        scale = 1.0 if self.absolute else (self.sigma or math.nan)
        return standard_deviations(self.deviance.problem, scale)

    def rows(self) -> dict[str, NDArray[np.float64]]:
        """By row of the data, (N,) each: its columns, observed, predicted, residual, and influence.

        residual: observed - predicted. standardized: in units of its own standard error. leverage:
        the change of the prediction with the observation. cook: Cook's distance. A loss of several
        squares has residual_2, standardized_2, .. of the further ones.
        """
        from symgd.fits.influence import influence

        observed, predicted = self._curve().observed_and_predicted()
        found = {name: self._curve().column(name) for name in self.columns}
        found |= {"observed": observed, "predicted": predicted, "residual": observed - predicted}
        deviance = self._search().deviance
        if not isinstance(deviance, profiles.SquaresDeviance):
            return found
        x = [self.params[name].value for name in self.names]
        return found | influence(deviance.problem, x, self.covariance, deviance.variance)

    def profile(self, name: str, level: float = 0.95) -> Profile:
        """The interval of a free parameter by the profile of the sum of squares or likelihood.

        level: the probability that it contains the parameter. ArgumentError for a loss of
        residuals, which is no likelihood.
        """
        return profiles.interval(self._search(), self.names, name, level, self._error_dof)

    def contour(
        self, first: str, second: str, level: float = 0.95, points: int = 48
    ) -> NDArray[np.float64]:
        """The boundary of the joint region of two free parameters: (points + 1, 2), closed.

        level: the probability that it contains both; nan where the region is open.
        """
        dof = self._error_dof
        return profiles.region(self._search(), self.names, (first, second), level, dof, points)

    @property
    def _error_dof(self) -> float:
        """The degrees of freedom with which sigma is estimated; inf where it is known."""
        return self.dof if self.rss is not None and not self.absolute else math.inf

    def _search(self) -> profiles.ProfileSearch:
        if self.deviance is None:
            sentence = "profiles need least squares or a negative log-likelihood at its minimum"
            raise ArgumentError(f"{sentence}; a result that was loaded is fitted again for them")
        x = np.array([self.params[name].value for name in self.names])
        return profiles.ProfileSearch(self.deviance, x, self.covariance)

    def _curve(self) -> FittedCurve:
        if self.curve is None:
            raise DescentError("a loss has no model to predict with; fit 'y = model'")
        return self.curve

    def raise_for_status(self) -> FitResult:
        """The result itself, or DescentError if the fit did not converge."""
        if self.status is not Status.CONVERGED:
            raise DescentError(f"{self.status.value}: {self.message}")
        return self

    def _fields(self, *names: str) -> dict[str, Any]:
        return {name: getattr(self, name) for name in names}

    def to_dict(self) -> dict[str, Any]:
        """The result as plain data, ready for JSON; non-finite numbers are None."""
        data = {
            "model": self.text,
            "params": {
                name: {"value": e.value, "stderr": e.stderr} | ({"held": e.held} if e.held else {})
                for name, e in self.params.items()
            },
            "free": list(self.names),
            "columns": list(self.columns),
            "covariance": self.covariance.tolist(),
            "correlation": self.correlation.tolist(),
            **self._fields("loss", "rss", "n", "dof", "sigma", "reduced_chi2", "r2"),
            **self._fields("aic", "bic"),
            "status": self.status.value,
            **self._fields("message", "steps", "method", "start"),
            "warnings": list(self.warnings),
            "remarks": list(self.table.remarks),
            "dropped": self.dropped,
            "stderr_from": self.basis or LEAST_SQUARES,
        }
        return dict(finite_or_none(data))
