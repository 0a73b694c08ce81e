"""Rosenbrock's valley with three rules of the catalogue, then with momentum and a line search."""

import symgd

LOSS = "(1 - x)**2 + 100*(y - x**2)**2"
START = {"x": -1.2, "y": 1.0}

for rule, lr in (("gd", 0.001), ("adam", 0.02), ("momentum", "auto")):
    result = symgd.descend(LOSS, start=START, rule=rule, lr=lr, steps=5000, tol=1e-6)
    print(
        f"{rule:9} {result.status.value:10} after {result.steps:4} steps: loss {result.value:.3g}"
    )
