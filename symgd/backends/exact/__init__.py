"""Correctly rounded evaluation of formulas in multiprecision arithmetic."""
