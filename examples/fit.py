"""Fit a formula to data: parameters with standard errors, predictions, a robust fit."""

import symgd

data = {
    "x": [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5],
    "y": [3.02, 1.83, 1.15, 0.89, 0.68, 0.61, 0.53, 0.52],
}
result = symgd.fit("y = a*exp(-b*x) + c", data)
print(result)
print(result.predict({"x": [0.25, 10.0]}))
print(symgd.fit("y = a*exp(-b*x) + c", data, loss="huber(r, 0.05)", fixed={"c": 0.5}).stderr)
