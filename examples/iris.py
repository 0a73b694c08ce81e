"""Logistic and softmax regression on Fisher's irises (1936); `species` is a column of text."""

from pathlib import Path

import symgd

IRIS = Path(__file__).parent / "data" / "iris.csv"
COLUMNS = ["sepal_length", "sepal_width", "petal_length", "petal_width"]

# z[species] is the score of the right one; W and b have an element for each
SOFTMAX = """z[k] = sum(W[k,j]*X[j], j) + b[k], k=1..3
sum(logsumexp(z[k], k) - z[species]) + 0.5*sum(W^2)"""
softmax = symgd.fit(SOFTMAX, IRIS, vectors={"X": COLUMNS}, fixed={"b[virginica]": 0.0})
print(softmax)
print(softmax.theta["W"].round(3))

# is a flower's petal long? from the sepal alone
LOGISTIC = """s = sum(w[j]*S[j], j) + c
sum(log(1 + exp(s)) - where(petal_length > 4, s, 0)) + 0.5*sum(w^2)"""
logistic = symgd.fit(LOGISTIC, IRIS, vectors={"S": COLUMNS[:2]})
print(logistic)
