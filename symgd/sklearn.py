"""The estimator of scikit-learn: `from symgd.sklearn import FormulaRegressor`."""

from symgd.fits.sklearn import FormulaRegressor

__all__ = ["FormulaRegressor"]
