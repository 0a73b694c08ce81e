"""A network of one hidden layer on two interleaved half circles ("two moons")."""

import numpy as np

import symgd

random = np.random.default_rng(0)
angle, upper = np.linspace(0, np.pi, 100), np.arange(100) % 2 == 0
data = {
    "X1": np.where(upper, np.cos(angle), 1 - np.cos(angle)) + 0.1 * random.normal(size=100),
    "X2": np.where(upper, np.sin(angle), 0.5 - np.sin(angle)) + 0.1 * random.normal(size=100),
    "moon": upper * 1.0,
}
LOSS = """h[k] = tanh(sum(W[k,j]*X[j], j) + b[k]), k=1..H
s = sum(v[k]*h[k], k) + c
mean(log(1 + exp(s)) - moon*s)"""
result = symgd.descend(
    LOSS, data=data, sizes={"H": 8}, start="W~normal(0,1), v~normal(0,1)",
    seed=1, rule="adam", lr=0.05, steps=600,
)  # fmt: skip
W, b, v, c = (result.theta[name] for name in ("W", "b", "v", "c"))
score = np.tanh(np.stack([data["X1"], data["X2"]], axis=1) @ W.T + b) @ v + c
right = np.mean((score > 0) == upper)
print(f"loss {result.value:.4g}, {right:.0%} of the points on the right side")
