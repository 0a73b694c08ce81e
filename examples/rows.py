"""Descend on a loss over the rows of data, whole and in batches."""

import symgd

data = {"x": [1.0, 2.0, 3.0, 4.0], "y": [2.1, 3.9, 6.2, 7.8]}
loss = symgd.Loss("mean((y - a*x - b)**2) + 0.01*a**2", data)
print(loss.params, loss.columns)
print(loss.program)
print(symgd.descend(loss, lr=0.05, steps=2000, tol=1e-9))
print(symgd.descend("mean((y - a*x)**2)", data=data, lr=0.01, steps=200, batch=2, seed=1).theta)
