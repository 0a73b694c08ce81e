"""The chained Rosenbrock function: one line for any number of parameters, minimum 0 at x = 1."""

import symgd

LOSS = "sum(100*(x[i+1] - x[i]^2)^2 + (1 - x[i])^2, i=1..n-1)"
result = symgd.descend(
    LOSS, sizes={"n": 10}, start="x[i]=i/10", rule="nesterov", lr=5e-4, steps=4000
)
print(result.verdict.sentence)
print("x =", result.theta["x"].round(6), "loss =", result.value)

# the compiled loss and gradient of 100,000 parameters, for any optimizer
large = symgd.Loss(LOSS, sizes={"n": 100_000})
value, gradient = large.value_and_grad({"x": -1.2})
print(value, gradient[:3])
