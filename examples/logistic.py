"""Logistic regression is its loss: the negative log-likelihood, typed."""

import symgd

data = {"hours": [0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4], "passed": [0, 0, 1, 0, 1, 0, 1, 1]}
print(symgd.fit("sum(softplus(a + b*hours) - passed*(a + b*hours))", data))
