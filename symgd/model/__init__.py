"""Losses, rules, the catalogue, data binding, checked arguments, results as plain data."""
