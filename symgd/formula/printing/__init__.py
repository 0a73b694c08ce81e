"""Print nodes as formulas and as LaTeX."""
