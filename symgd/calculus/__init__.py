"""Graph -> graph: derivatives, stable forms, sums over rows, ranges, convexity rules."""
