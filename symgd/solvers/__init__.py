"""Numerical solvers: Newton and Levenberg-Marquardt. They know no formulas."""
