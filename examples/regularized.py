"""A linear model of a vector of columns: least squares, ridge, lasso."""

import numpy as np

import symgd

random = np.random.default_rng(5)
data = {f"X{j}": random.normal(size=80) for j in range(1, 6)}  # X1, ..., X5 are the vector X
data["y"] = 3 * data["X1"] - 2 * data["X4"] + 0.5 * random.normal(size=80)

SQUARES = "mean((y - sum(w[j]*X[j], j) - b)^2)"
options = {"data": data, "lr": "auto", "steps": 2000, "tol": 1e-10}
least_squares = symgd.descend(SQUARES, **options)
ridge = symgd.descend(f"{SQUARES} + 0.1*sum(w[j]^2, j)", **options)
# the lasso has a kink at w[j] = 0; rprop halves its steps at each change of sign
lasso = symgd.descend(
    f"{SQUARES} + 0.5*sum(abs(w[j]), j)", data=data, rule="rprop", lr=0.01, steps=500
)
for name, result in (("least squares", least_squares), ("ridge", ridge), ("lasso", lasso)):
    print(name, result.theta["w"].round(4), round(result.theta["b"], 4))
print(symgd.fit("y = sum(w[j]*X[j], j) + b", data))  # with standard errors
