"""The engine runs under any gradient function, here NumPy's, on an array."""

import numpy as np

import symgd

matrix = np.array([[3.0, 1.0], [1.0, 2.0]])
target = np.array([1.0, -1.0])

result = symgd.descend_with(
    lambda x: matrix @ x - target, np.zeros(2), lr=0.4, steps=200, tol=1e-10
)
print(
    result.status.value, np.round(result.x, 6), "exact:", np.linalg.solve(matrix, target).round(6)
)
