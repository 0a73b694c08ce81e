"""Matrix factorisation: the taste of each user and the kind of each film from some ratings."""

import numpy as np

import symgd

random = np.random.default_rng(2)
USERS = ["Ada", "Ben", "Cleo", "Dan", "Eve", "Finn"]
FILMS = [f"film {k}" for k in range(8)]
truth = np.outer(random.normal(size=6), random.normal(size=8))  # one taste explains all
seen = random.random((6, 8)) < 0.7
user, film = np.nonzero(seen)
ratings = {
    "user": [USERS[k] for k in user],  # text: one element for each
    "film": [FILMS[k] for k in film],
    "r": truth[seen],
}
result = symgd.descend(
    "mean((r - sum(U[user,f]*V[film,f], f=1..F))^2)", data=ratings, sizes={"F": 1},
    start="U~normal(0,1), V~normal(0,1)", seed=3, lr="auto", steps=4000, tol=1e-9,
)  # fmt: skip
error = np.abs(result.theta["U"] @ result.theta["V"].T - truth)[~seen].max()
print(f"loss {result.value:.3g}; largest error of the ratings not seen {error:.3g}")
print("Ada's taste:", result.theta["U[Ada,1]"])
