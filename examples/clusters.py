"""Clusters: every point belongs to the nearest of K centres (the loss of k-means)."""

import numpy as np

import symgd

random = np.random.default_rng(4)
points = np.repeat([[0, 0], [4, 0], [2, 3]], 30, axis=0) + 0.5 * random.normal(size=(90, 2))
data = {"X1": points[:, 0], "X2": points[:, 1]}
result = symgd.descend(
    "mean(min(sum((X[j] - C[k,j])^2, j=1..2), k=1..K))", data=data, sizes={"K": 3},
    start="C~normal(1.5,1.5)", seed=2, lr=0.3, steps=300, tol=1e-9,
)  # fmt: skip
print("within-cluster sum of squares:", 90 * result.value)
print(result.theta["C"])
