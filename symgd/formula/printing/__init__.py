"""Nodes -> text that can be typed, and LaTeX."""
