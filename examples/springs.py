"""A spring network: a hanging chain of masses takes the shape of the least energy."""

import numpy as np

import symgd

# masses 1..n between hooks at (0, 0) and (1, 0); springs of stiffness k without a length at rest
ENERGY = """bend = (x[1]^2 + y[1]^2) + ((1 - x[n])^2 + y[n]^2)
k/2*(bend + sum((x[i+1] - x[i])^2 + (y[i+1] - y[i])^2, i=1..n-1)) + sum(m*y[i], i=1..n)"""
energy = symgd.Loss(ENERGY, sizes={"n": 9}, constants={"k": 50.0, "m": 1.0})
result = symgd.descend(energy, lr="auto", steps=4000, tol=1e-9)
x, y = result.theta["x"], result.theta["y"]
print("x", np.round(x, 6))
print("y", np.round(y, 6))
print("the lowest mass hangs at", y.min())
