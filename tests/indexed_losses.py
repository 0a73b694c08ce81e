"""Losses with indices, each with the same loss written for JAX."""
# ruff: noqa: N803 - arguments are called as in the formulas

from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)

_RNG = np.random.default_rng(16)
ROWS = 37
X = {f"X{k}": _RNG.normal(size=ROWS) for k in (1, 2, 3)}
XS = np.stack([*X.values()], axis=1)
DATA = X | {
    "x": _RNG.normal(size=ROWS),
    "y": _RNG.normal(size=ROWS),
    "count": _RNG.poisson(2.0, ROWS).astype(float),
    "hit": (_RNG.random(ROWS) < 0.5).astype(float),
    "label": _RNG.integers(1, 5, ROWS).astype(float),
    "site": _RNG.integers(1, 7, ROWS).astype(float),
    "item": _RNG.integers(1, 6, ROWS).astype(float),
}
DATA["label"][0], DATA["site"][0], DATA["item"][0] = 4, 6, 5


def column(name):
    return jnp.asarray(DATA[name])


def place(name):
    return DATA[name].astype(int) - 1


@dataclass(frozen=True)
class Indexed:
    """text: of the loss. jax: the same of the parameters by name. sizes, shapes: as for Loss."""

    name: str
    text: str
    jax: object
    sizes: dict = field(default_factory=dict)
    shapes: dict = field(default_factory=dict)
    data: bool = False


def _logistic(z, hit):
    return jnp.mean(jnp.logaddexp(0.0, z) - hit * z)


def _cross_entropy(z):
    own = jnp.take_along_axis(z, place("label")[:, None], axis=1)[:, 0]
    return jnp.mean(jax.scipy.special.logsumexp(z, axis=1) - own)


def _even(f):
    """A sum over four neighbours, from every second element on."""
    return lambda x: jnp.sum(f(x[:-2:2], x[1:-2:2], x[2::2], x[3::2]))


def _sum(f):
    return lambda *args: jnp.sum(f(*args))


_CHAINS = [
    Indexed(
        "chained Rosenbrock",
        "sum(100*(x[i+1] - x[i]^2)^2 + (1 - x[i])^2, i=1..n-1)",
        lambda x: jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2),
        {"n": 9},
    ),
    Indexed(
        "chained Wood",
        "sum(100*(x[2*i-1]^2 - x[2*i])^2 + (x[2*i-1] - 1)^2 + 90*(x[2*i+1]^2 - x[2*i+2])^2"
        " + (x[2*i+1] - 1)^2 + 10*(x[2*i] + x[2*i+2] - 2)^2 + (x[2*i] - x[2*i+2])^2/10, i=1..m)",
        _even(
            lambda a, b, c, d: (
                100 * (a**2 - b) ** 2
                + (a - 1) ** 2
                + 90 * (c**2 - d) ** 2
                + (c - 1) ** 2
                + 10 * (b + d - 2) ** 2
                + (b - d) ** 2 / 10
            )
        ),
        {"m": 5},
    ),
    Indexed(
        "chained Powell singular",
        "sum((x[2*i-1] + 10*x[2*i])^2 + 5*(x[2*i+1] - x[2*i+2])^2 + (x[2*i] - 2*x[2*i+1])^4"
        " + 10*(x[2*i-1] - x[2*i+2])^4, i=1..m)",
        _even(
            lambda a, b, c, d: (
                (a + 10 * b) ** 2 + 5 * (c - d) ** 2 + (b - 2 * c) ** 4 + 10 * (a - d) ** 4
            )
        ),
        {"m": 4},
    ),
    Indexed(
        "chained Cragg and Levy",
        "sum((exp(x[2*i-1]) - x[2*i])^4 + 100*(x[2*i] - x[2*i+1])^6 + tan(x[2*i+1] - x[2*i+2])^4"
        " + x[2*i-1]^8 + (x[2*i+2] - 1)^2, i=1..m)",
        _even(
            lambda a, b, c, d: (
                (jnp.exp(a) - b) ** 4
                + 100 * (b - c) ** 6
                + jnp.tan(c - d) ** 4
                + a**8
                + (d - 1) ** 2
            )
        ),
        {"m": 3},
    ),
    Indexed(
        "generalized Broyden",
        "sum(abs((3 - 2*x[i])*x[i] - x[i-1] - x[i+1] + 1)^(7/3), i=2..n-1)",
        lambda x: jnp.sum(jnp.abs((3 - 2 * x[1:-1]) * x[1:-1] - x[:-2] - x[2:] + 1) ** (7 / 3)),
        {"n": 11},
    ),
    Indexed(
        "trigonometric, with counters and ends",
        "sum(i*(1 - cos(x[i]) + sin(x[i-1]) - sin(x[i+1])), i=2..n-1) + x[1]*x[n]/n",
        lambda x: (
            jnp.sum(jnp.arange(2, 10) * (1 - jnp.cos(x[1:-1]) + jnp.sin(x[:-2]) - jnp.sin(x[2:])))
            + x[0] * x[-1] / 10
        ),
        {"n": 10},
    ),
]

_NETWORKS = [
    Indexed(
        "one hidden layer",
        "mean((y - sum(v[h]*tanh(sum(W[h,j]*X[j], j) + b[h]), h=1..H) - c)^2)",
        lambda W, b, c, v: jnp.mean((column("y") - jnp.tanh(XS @ W.T + b) @ v - c) ** 2),
        {"H": 5},
        data=True,
    ),
    Indexed(
        "two hidden layers",
        "z[h] = tanh(sum(W[h,j]*X[j], j) + b[h]), h=1..H;"
        " u[g] = tanh(sum(V[g,h]*z[h], h=1..H) + c[g]), g=1..G;"
        " mean((y - sum(w[g]*u[g], g=1..G))^2)",
        lambda W, b, V, c, w: jnp.mean(
            (column("y") - jnp.tanh(jnp.tanh(XS @ W.T + b) @ V.T + c) @ w) ** 2
        ),
        {"H": 4, "G": 3},
        data=True,
    ),
    Indexed(
        "rectified network with weight decay",
        "mean((y - sum(v[h]*relu(sum(W[h,j]*X[j], j) + b[h]), h=1..H))^2)"
        " + 0.1*(sum(W^2) + sum(v^2))",
        lambda W, b, v: (
            jnp.mean((column("y") - jax.nn.relu(XS @ W.T + b) @ v) ** 2)
            + 0.1 * (jnp.sum(W**2) + jnp.sum(v**2))
        ),
        {"H": 6},
        data=True,
    ),
    Indexed(
        "classifier of one hidden layer",
        "z[h] = tanh(sum(W[h,j]*X[j], j) + b[h]), h=1..H;"
        " s[k] = sum(V[k,h]*z[h], h=1..H) + c[k], k=1..4;"
        " mean(logsumexp(s[k], k) - s[label])",
        lambda W, b, V, c: _cross_entropy(jnp.tanh(XS @ W.T + b) @ V.T + c),
        {"H": 3},
        data=True,
    ),
    Indexed(
        "network of a logistic output",
        "z = sum(v[h]*sigmoid(sum(W[h,j]*X[j], j)), h=1..H) + c; mean(log(1 + exp(z)) - hit*z)",
        lambda W, c, v: _logistic(jax.nn.sigmoid(XS @ W.T) @ v + c, column("hit")),
        {"H": 4},
        data=True,
    ),
    Indexed(
        "autoencoder",
        "z[h] = tanh(sum(W[h,j]*X[j], j)), h=1..2;"
        " mean(sum((X[j] - sum(V[j,h]*z[h], h=1..2))^2, j))",
        lambda W, V: jnp.mean(jnp.sum((XS - jnp.tanh(XS @ W.T) @ V.T) ** 2, axis=1)),
        data=True,
    ),
]

_LINEAR = [
    Indexed(
        "ridge",
        "mean((y - sum(w[j]*X[j], j) - b)^2) + 0.1*sum(w[j]^2, j)",
        lambda w, b: jnp.mean((column("y") - XS @ w - b) ** 2) + 0.1 * jnp.sum(w**2),
        data=True,
    ),
    Indexed(
        "logistic",
        "z = sum(w[j]*X[j], j) + b; mean(log(1 + exp(z)) - hit*z)",
        lambda w, b: _logistic(XS @ w + b, column("hit")),
        data=True,
    ),
    Indexed(
        "Poisson",
        "z = sum(w[j]*X[j], j) + b; sum(exp(z) - count*z)",
        lambda w, b: jnp.sum(jnp.exp(XS @ w + b) - column("count") * (XS @ w + b)),
        data=True,
    ),
    Indexed(
        "Huber and lasso",
        "mean(huber(y - sum(w[j]*X[j], j), 1)) + 0.2*sum(abs(w[j]), j)",
        lambda w: (
            jnp.mean(
                jnp.where(
                    jnp.abs(column("y") - XS @ w) <= 1,
                    (column("y") - XS @ w) ** 2 / 2,
                    jnp.abs(column("y") - XS @ w) - 0.5,
                )
            )
            + 0.2 * jnp.sum(jnp.abs(w))
        ),
        data=True,
    ),
    Indexed(
        "softmax",
        "z[k] = sum(W[k,j]*X[j], j) + b[k], k=1..4; mean(logsumexp(z[k], k) - z[label])",
        lambda W, b: _cross_entropy(XS @ W.T + b),
        data=True,
    ),
    Indexed(
        "log of a mean over rows",
        "log(mean(exp(sum(w[j]*X[j], j)))) - mean(y*sum(w[j]*X[j], j))",
        lambda w: jnp.log(jnp.mean(jnp.exp(XS @ w))) - jnp.mean(column("y") * (XS @ w)),
        data=True,
    ),
]

_MIXED = [
    Indexed(
        "random intercepts",
        "mean((y - a[site] - b*x)^2)",
        lambda a, b: jnp.mean((column("y") - a[place("site")] - b * column("x")) ** 2),
        data=True,
    ),
    Indexed(
        "random intercepts with a prior",
        "sum((y - a[site] - b*x)^2)/(2*s^2) + sum((a[g] - m)^2, g)/(2*t^2) + 37*log(s) + 6*log(t)",
        lambda a, b, s, m, t: (
            jnp.sum((column("y") - a[place("site")] - b * column("x")) ** 2) / (2 * s**2)
            + jnp.sum((a - m) ** 2) / (2 * t**2)
            + 37 * jnp.log(s)
            + 6 * jnp.log(t)
        ),
        data=True,
    ),
    Indexed(
        "matrix factorisation",
        "sum((y - dot(U[site], V[item]))^2) + 0.1*(sum(U^2) + sum(V^2))",
        lambda U, V: (
            jnp.sum((column("y") - jnp.sum(U[place("site")] * V[place("item")], axis=1)) ** 2)
            + 0.1 * (jnp.sum(U**2) + jnp.sum(V**2))
        ),
        {"f": 3},
        {"U": ("site", "f"), "V": ("item", "f")},
        data=True,
    ),
    Indexed(
        "item responses of two parameters",
        "z = a[item]*(u[site] - d[item]); mean(log(1 + exp(z)) - hit*z) + 0.01*sum(u[p]^2, p)",
        lambda a, u, d: (
            _logistic(a[place("item")] * (u[place("site")] - d[place("item")]), column("hit"))
            + 0.01 * jnp.sum(u**2)
        ),
        data=True,
    ),
    Indexed(
        "random slopes",
        "mean((y - sum(B[site,j]*X[j], j))^2) + sum(sum((B[g,j] - m[j])^2, j), g=1..6)",
        lambda B, m: (
            jnp.mean((column("y") - jnp.sum(B[place("site")] * XS, axis=1)) ** 2)
            + jnp.sum((B - m) ** 2)
        ),
        data=True,
    ),
    Indexed(
        "product of two sums over rows",
        "mean(x*v[item])*sum((y - v[item] - u[site])^2)",
        lambda u, v: (
            jnp.mean(column("x") * v[place("item")])
            * jnp.sum((column("y") - v[place("item")] - u[place("site")]) ** 2)
        ),
        data=True,
    ),
    Indexed(
        "a cell of two categories",
        "mean((y - T[site,item]*x)^2) + sum(T[1,k]^2, k)",
        lambda T: (
            jnp.mean((column("y") - T[place("site"), place("item")] * column("x")) ** 2)
            + jnp.sum(T[0] ** 2)
        ),
        data=True,
    ),
]

_STENCILS = [
    Indexed(
        "total variation, smoothed",
        "sum((u[i] - y[i])^2, i)/2 + 0.3*sum(sqrt((u[i+1] - u[i])^2 + 0.01), i=1..37-1)",
        lambda u: (
            jnp.sum((u - column("y")) ** 2) / 2 + 0.3 * jnp.sum(jnp.sqrt(jnp.diff(u) ** 2 + 0.01))
        ),
        data=True,
    ),
    Indexed(
        "Laplace",
        "sum(sum((4*u[i,j] - u[i-1,j] - u[i+1,j] - u[i,j-1] - u[i,j+1] - i*j/9)^2,"
        " j=2..n-1), i=2..m-1)",
        lambda u: jnp.sum(
            (
                4 * u[1:-1, 1:-1]
                - u[:-2, 1:-1]
                - u[2:, 1:-1]
                - u[1:-1, :-2]
                - u[1:-1, 2:]
                - jnp.outer(jnp.arange(2, 6), jnp.arange(2, 5)) / 9
            )
            ** 2
        ),
        {"m": 6, "n": 5},
    ),
    Indexed(
        "minimal surface",
        "sum(sum(sqrt(1 + (u[i+1,j] - u[i,j])^2 + (u[i,j+1] - u[i,j])^2), j=1..n-1), i=1..n-1)",
        lambda u: jnp.sum(
            jnp.sqrt(1 + (u[1:, :-1] - u[:-1, :-1]) ** 2 + (u[:-1, 1:] - u[:-1, :-1]) ** 2)
        ),
        {"n": 5},
    ),
    Indexed(
        "springs",
        "sum((norm(p[i+1,k] - p[i,k], k=1..2) - 0.5)^2, i=1..n-1) + sum(p[i,2], i)",
        lambda p: (
            jnp.sum((jnp.linalg.norm(jnp.diff(p, axis=0), axis=1) - 0.5) ** 2) + jnp.sum(p[:, 1])
        ),
        {"n": 6},
    ),
    Indexed(
        "convolution",
        "sum((y[i+1] - sum(k[a]*u[i+a-1], a=1..3))^2, i=1..37-2)",
        lambda k, u: jnp.sum((column("y")[1:-1] - jnp.convolve(u, k[::-1], "valid")) ** 2),
        data=True,
    ),
    Indexed(
        "every third element, backwards",
        "sum((x[3*i] - x[10-i])^2*exp(x[3*i-2]), i=1..3)",
        lambda x: jnp.sum((x[2:9:3] - x[8:5:-1]) ** 2 * jnp.exp(x[0:7:3])),
    ),
]

_CONTRACTIONS = [
    Indexed(
        "bilinear form",
        "sum(sum(A[i,j]*x[i]*z[j], j=1..n), i=1..m)^2 + sum(A^2)",
        lambda A, x, z: (x @ A @ z) ** 2 + jnp.sum(A**2),
        {"m": 4, "n": 3},
    ),
    Indexed(
        "trace of a product of three",
        "sum(sum(sum(A[i,j]*B[j,k]*C[k,i], k=1..p), j=1..n), i=1..m)",
        lambda A, B, C: jnp.trace(A @ B @ C),
        {"m": 4, "n": 3, "p": 5},
    ),
    Indexed(
        "Gram matrix",
        "sum(sum((sum(U[i,a]*U[j,a], a=1..r) - where(i == j, 1, 0))^2, j=1..n), i=1..n)",
        lambda U: jnp.sum((U @ U.T - jnp.eye(5)) ** 2),
        {"n": 5, "r": 3},
    ),
    Indexed(
        "residuals of a matrix and a vector",
        "log(1 + sum((sum(A[i,j]*x[j], j=1..n) - b[i])^2, i=1..m))",
        lambda A, x, b: jnp.log1p(jnp.sum((A @ x - b) ** 2)),
        {"m": 3, "n": 4},
    ),
    Indexed(
        "attention",
        "s[i,j] = sum(Q[i,a]*K[j,a], a=1..d), i=1..n, j=1..n;"
        " sum(sum((sum(exp(s[i,j])*V[j,b], j=1..n)/sum(exp(s[i,j]), j=1..n))^2, b=1..2), i=1..n)",
        lambda Q, K, V: jnp.sum((jax.nn.softmax(Q @ K.T, axis=1) @ V) ** 2),
        {"n": 4, "d": 3},
    ),
    Indexed(
        "product of three vectors",
        "sum(a[i], i=1..n)*sum(exp(b[j]), j=1..n)*norm(c[i]*a[i], i=1..n)",
        lambda a, b, c: jnp.sum(a) * jnp.sum(jnp.exp(b)) * jnp.linalg.norm(c * a),
        {"n": 4},
    ),
]

_OTHERS = [
    Indexed(
        "nearest centre",
        "mean(min(sum((X[j] - C[k,j])^2, j), k=1..3))",
        lambda C: jnp.mean(jnp.min(jnp.sum((XS[:, None] - C[None]) ** 2, axis=2), axis=1)),
        data=True,
    ),
    Indexed(
        "products",
        "prod(1 + x[i]^2, i=1..n) + sum(prod(x[i] + y[j], j=1..n), i=1..n)",
        lambda x, y: jnp.prod(1 + x**2) + jnp.sum(jnp.prod(x[:, None] + y[None], axis=1)),
        {"n": 4},
    ),
    Indexed(
        "largest of sums",
        "max(sum(A[i,j]*x[j], j=1..n), i=1..m) + logsumexp(x[j], j=1..n)",
        lambda A, x: jnp.max(A @ x) + jax.scipy.special.logsumexp(x),
        {"m": 4, "n": 3},
    ),
    Indexed(
        "mixture of normal distributions",
        "-mean(logsumexp(a[k] - (x - m[k])^2*exp(s[k]), k=1..3)) + logsumexp(a[k], k=1..3)",
        lambda a, m, s: (
            jax.scipy.special.logsumexp(a)
            - jnp.mean(
                jax.scipy.special.logsumexp(
                    a - (column("x")[:, None] - m) ** 2 * jnp.exp(s), axis=1
                )
            )
        ),
        data=True,
    ),
]

LOSSES = [*_CHAINS, *_NETWORKS, *_LINEAR, *_MIXED, *_STENCILS, *_CONTRACTIONS, *_OTHERS]
