"""Numerical methods on numbers: Newton, Levenberg-Marquardt. No formulas, no sentences."""
