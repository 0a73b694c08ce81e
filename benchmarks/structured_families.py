"""Families of test problems on grids, of windows, and with subscripts that are read from data.

As in `benchmarks.families`. L. Luksan, C. Matonoha, J. Vlcek, Modified CUTE problems for sparse
unconstrained optimization, Report 1081, Academy of Sciences of the Czech Republic, 2010.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from benchmarks.family import Family, counted

_PLATE = "(0.5*({0})^2 + {1}*({0})^4)"
_BROYDEN = "u[i] = {x}*(1 + {x}), i=1..n; d[i] = (2 + 5*({x})^2)*{x} + 1 {s} u[i], i=1..n; "

_RESIDUALS = (  # with the sum over i - 5 .. i + 1 within 1..n, and a power of each
    "sum({0}(d[i] {1} sum(u[j], j=1..i+1)){2}, i=1..5)"
    " + sum({0}(d[i] {1} sum(u[j], j=i-5..i+1)){2}, i=6..n-1)"
    " + {0}(d[n] {1} sum(u[j], j=n-5..n)){2}"
)


def _window(m: Any, u: Any) -> Any:
    """The sum of u[j] over j = i - 5 .. i + 1 within 1..n."""
    padded = m.concatenate([m.zeros(5), u, m.zeros(1)])
    return sum(padded[k : k + len(u)] for k in range(7))


def _genbroydenb(m: Any, x: Any, n: int) -> Any:
    u = x * (1 + x)
    return m.sum(m.abs((2 + 5 * x**2) * x + 1 + _window(m, u) - u) ** (7 / 3))


def _sbrybnd(m: Any, x: Any, n: int) -> Any:
    x = m.exp(6 * (counted(m, 1, n) - 1) / (n - 1)) * x
    u = x * (1 + x)
    return m.sum(((2 + 5 * x**2) * x + 1 - _window(m, u) + u) ** 2)


def _square(f: Any) -> Any:
    """A function of a square grid, by rows."""
    return lambda m, x, n: f(m, x.reshape(round(n**0.5), -1), round(n**0.5))


def _plate(m: Any, v: Any, p: int, ends: Any, first: float, second: float) -> Any:
    def strain(d: Any, scale: float, square: float = 0.5) -> Any:
        return m.sum(square * d**2 + scale * d**4)

    across = v[1:, 1:] - v[1:, :-1]
    down = v[2:, 1:] - v[1:-1, 1:]
    of_row = strain(v[1, 1:], second)
    square = 0.5 if first == second else 0.5 * p**2
    return ends(v, p) + strain(across, first, square) + of_row + strain(down, second)


_HALF = "p^2/2"
_ACROSS = f"sum({_PLATE.format('x[i,j] - x[i,j-1]', _HALF)}, i=2..p, j=2..p)"

_OF_ROW = f" + sum({_PLATE.format('x[2,j]', _HALF)}, j=2..p)"
_DOWN = f" + sum({_PLATE.format('x[i,j] - x[i-1,j]', _HALF)}, i=3..p, j=2..p)"


def _curly(b: int) -> Family:
    def jax(m: Any, x: Any, n: int) -> Any:
        padded = m.concatenate([x, m.zeros(b)])
        q = sum(padded[k : k + n] for k in range(b + 1))
        return m.sum(q * (q * (q**2 - 20) - 0.1))

    return Family(
        f"curly{b}",
        f"q[i] = sum(x[j], j=i..i+{b}), i=1..n-{b}; r[i] = sum(x[j], j=i..n), i=n-{b - 1}..n;"
        f" sum(q[i]*(q[i]*(q[i]^2 - 20) - 0.1), i=1..n-{b})"
        f" + sum(r[i]*(r[i]*(r[i]^2 - 20) - 0.1), i=n-{b - 1}..n)",
        jax,
        least=b + 5,
    )


def _wrapped(first: tuple[int, ...], n: int) -> Mapping[str, Any]:
    """Columns of subscripts that go round: i, and mod(k*i - c, n) + 1."""
    i = np.arange(1.0, n + 1)
    pairs = zip(first[::2], first[1::2], strict=True)
    own = {f"c{k}": (factor * i - minus) % n + 1 for k, (factor, minus) in enumerate(pairs)}
    return {"i": i, **own}


def _round(name: str, text: str, places: tuple[int, ...], of: Any) -> Family:
    """A family whose subscripts are remainders: they are read from data."""

    def jax(m: Any, x: Any, n: int) -> Any:
        columns = [np.asarray(c, int) - 1 for c in _wrapped(places, n).values()]
        return of(m, [x[c] for c in columns], counted(m, 1, n))

    return Family(name, text, jax, least=10, data=partial(_wrapped, places), sizes=lambda n: {})


_FIVE = (2, 1, 3, 1, 5, 1, 7, 1, 11, 1)
_OF_FIVE = [f"x[{c}]" for c in ("i", "c0", "c1", "c2", "c3", "c4")]


def _spmsrtls(m: Any, x: Any, n: int) -> Any:
    p = m.sin(counted(m, 1, n))

    def at(z: Any, k: int, first: int, last: int) -> Any:  # z[3*i + k], i = first..last
        return z[3 * first + k - 1 : 3 * last + k : 3]

    k = (n + 2) // 3

    def pairs(first: int, last: int, *places: tuple[int, int]) -> Any:
        found = [
            at(x, a, first, last) * at(x, b, first, last)
            - at(p, a, first, last) * at(p, b, first, last)
            for a, b in places
        ]
        return m.sum(sum(found) ** 2)

    return (
        pairs(3, k, (-6, -3)) + pairs(2, k, (-5, -3), (-3, -2)) + pairs(1, k, (-2, -2))
        + pairs(2, k, (-4, -3)) + pairs(1, k - 1, (0, -1))
        + pairs(1, k - 1, (1, -1), (-1, -2)) + pairs(1, k - 2, (2, -1))
    )  # fmt: skip


def _pairs_text(first: int, last: str, *places: tuple[int, int]) -> str:
    one = [f"{z}[3*i{a:+}]*{z}[3*i{b:+}]" for z in "xp" for a, b in places]
    half = len(one) // 2
    return f"sum(({' + '.join(one[:half])} - {' - '.join(one[half:])})^2, i={first}..{last})"


def _watson(m: Any, x: Any, n: int) -> Any:
    j = counted(m, 1, n)

    def residual(t: Any) -> Any:
        powers = t ** (j[1:] - 2)
        return m.sum((j[1:] - 1) * x[1:] * powers) - m.sum(x * t ** (j - 1)) ** 2 - 1

    fixed = sum(residual(i / 29) ** 2 for i in range(1, 30))
    return fixed / 2 + x[0] ** 2 / 2 + (x[1] - x[0] ** 2 - 1) ** 2 / 2


def _integreq(m: Any, x: Any, n: int) -> Any:
    h, t = 1 / (n + 1), counted(m, 1, n) / (n + 1)
    c = (x + t + 1) ** 3
    below = m.cumsum(t * c)
    above = m.sum((1 - t) * c) - m.cumsum((1 - t) * c)
    return m.sum((x + h * ((1 - t) * below + t * above) / 2) ** 2) / 2


def _bearing(m: Any, v: Any, p: int) -> Any:
    hx, hy = 2 * m.pi / (p - 1), 20 / (p - 1)
    w = (1 + 0.1 * m.cos(counted(m, 0, p - 1) * hx)) ** 3
    x, y = ((v[1:] - v[:-1]) / hx) ** 2, ((v[:, 1:] - v[:, :-1]) / hy) ** 2
    lower = (w[:-1] + 2 * w[1:])[:, None] * (x[:, :-1] + y[:-1])
    upper = (2 * w[1:] + 2 * w[:-1])[:, None] * (x[:, 1:] + y[1:])
    force = m.sin(counted(m, 0, p - 1) * hx)[:, None] * v
    return hx * hy * (m.sum(lower) / 12 + m.sum(upper) / 12 - 0.1 * m.sum(force))


def _windows(m: Any, x: Any, n: int, last: int) -> Any:
    """The sums over 20 elements of ncb20 and ncb20b, from the first `last` ones on."""
    u = x / (1 + x**2)
    one = sum(u[k : k + last] for k in range(20))
    return m.sum(10 / counted(m, 1, last) * one**2 - 0.2 * sum(x[k : k + last] for k in range(20)))


_WINDOW = "sum(10/i*sum(x[j]/(1 + x[j]^2), j=i..i+19)^2 - 0.2*sum(x[j], j=i..i+19), i=1..n-{})"

STRUCTURED = (
    Family(
        "bearing",
        "hx = 2*pi/(p-1); hy = 20/(p-1); w[i] = (1 + 0.1*cos((i-1)*hx))^3, i=1..p;"
        " hx*hy/12*sum((w[i] + 2*w[i+1])*(((x[i+1,j] - x[i,j])/hx)^2"
        " + ((x[i,j+1] - x[i,j])/hy)^2), i=1..p-1, j=1..p-1)"
        " + hx*hy/12*sum((2*w[i] + 2*w[i-1])*(((x[i-1,j] - x[i,j])/hx)^2"
        " + ((x[i,j-1] - x[i,j])/hy)^2), i=2..p, j=2..p)"
        " - hx*hy*sum(0.1*sin((i-1)*hx)*x[i,j], i=1..p, j=1..p)",
        _square(_bearing),
        grid=True,
    ),
    Family(
        "clplatea",
        f"-0.1*x[p,p] + {_ACROSS}{_OF_ROW}{_DOWN}",
        _square(lambda m, v, p: _plate(m, v, p, lambda v, p: -0.1 * v[-1, -1], p**2 / 2, p**2 / 2)),
        grid=True,
    ),
    Family(
        "clplateb",
        f"-0.1/(p-1)*sum(x[p,j], j=1..p) + {_ACROSS}{_OF_ROW}{_DOWN}",
        _square(
            lambda m, v, p: _plate(
                m, v, p, lambda v, p: -0.1 / (p - 1) * m.sum(v[-1]), p**2 / 2, p**2 / 2
            )
        ),
        grid=True,
    ),
    Family(
        "clplatec",
        "-0.099*x[p,p] - 0.001*x[p,1]"
        " + sum(p^2/2*(x[i,j] - x[i,j-1])^2 + (x[i,j] - x[i,j-1])^4, i=2..p, j=2..p)"
        " + sum(0.5*(x[i,j] - x[i-1,j])^2 + (x[i,j] - x[i-1,j])^4, i=3..p, j=2..p)"
        " + sum(0.5*x[2,j]^2 + x[2,j]^4, j=2..p)",
        _square(
            lambda m, v, p: (
                m.sum(p**2 / 2 * (v[1:, 1:] - v[1:, :-1]) ** 2 + (v[1:, 1:] - v[1:, :-1]) ** 4)
                + m.sum(0.5 * (v[2:, 1:] - v[1:-1, 1:]) ** 2 + (v[2:, 1:] - v[1:-1, 1:]) ** 4)
                + m.sum(0.5 * v[1, 1:] ** 2 + v[1, 1:] ** 4)
                - 0.099 * v[-1, -1]
                - 0.001 * v[-1, 0]
            )
        ),
        grid=True,
    ),
    *map(_curly, (10, 20, 30)),
    Family(
        "fminsrf2",
        "sum(100*sqrt((p-1)^2/2*((x[i,j] - x[i+1,j+1])^2 + (x[i+1,j] - x[i,j+1])^2) + 1)"
        "/(p-1)^2, i=1..p-1, j=1..p-1) + 100*x[mid,mid]^2/p^2",
        _square(
            lambda m, v, p: (
                m.sum(
                    100
                    * m.sqrt(
                        (p - 1) ** 2
                        / 2
                        * ((v[:-1, :-1] - v[1:, 1:]) ** 2 + (v[1:, :-1] - v[:-1, 1:]) ** 2)
                        + 1
                    )
                    / (p - 1) ** 2
                )
                + 100 * v[p // 2 - 1, p // 2 - 1] ** 2 / p**2
            )
        ),
        grid=True,
        sizes=lambda n: {"p": round(n**0.5), "mid": round(n**0.5) // 2},
    ),
    Family(
        "genbroydenb",
        _BROYDEN.format(x="x[i]", s="-") + _RESIDUALS.format("abs", "+", "^(7/3)"),
        _genbroydenb,
        least=7,
    ),
    Family(
        "integreq",
        "h = 1/(n+1); c[j] = (x[j] + j*h + 1)^3, j=1..n;"
        " sum((x[i] + h*((1 - i*h)*sum(j*h*c[j], j=1..i)"
        " + i*h*sum((1 - j*h)*c[j], j=i+1..n))/2)^2, i=1..n)/2",
        _integreq,
        most=1000,
    ),
    Family(
        "ncb20",
        f"2 + {_WINDOW.format(30)} + sum(x[i]^4 + 2, i=1..n-10)"
        " + 1e-4*sum(x[i]*x[i+10]*x[i+n-10] + 2*x[i+n-10]^2, i=1..10)",
        lambda m, x, n: (
            2
            + _windows(m, x, n, n - 30)
            + m.sum(x[:-10] ** 4 + 2)
            + 1e-4 * m.sum(x[:10] * x[10:20] * x[-10:] + 2 * x[-10:] ** 2)
        ),
        least=31,
    ),
    Family(
        "ncb20b",
        f"{_WINDOW.format(19)} + sum(100*x[i]^4 + 2, i=1..n)",
        lambda m, x, n: _windows(m, x, n, n - 19) + m.sum(100 * x**4 + 2),
        least=20,
    ),
    Family(
        "sbrybnd",
        "y[i] = exp(6*(i-1)/(n-1))*x[i], i=1..n; "
        + _BROYDEN.format(x="y[i]", s="+")
        + _RESIDUALS.format("", "-", "^2"),
        _sbrybnd,
        least=7,
    ),
    _round(
        "sparsine",
        f"sum(i*({' + '.join(f'sin({x})' for x in _OF_FIVE)})^2)/2",
        _FIVE,
        lambda m, parts, i: m.sum(i * sum(map(m.sin, parts)) ** 2) / 2,
    ),
    _round(
        "sparsqur",
        f"sum(i*({' + '.join(f'{x}^2' for x in _OF_FIVE)})^2)/8",
        _FIVE,
        lambda m, parts, i: m.sum(i * sum(x**2 for x in parts) ** 2) / 8,
    ),
    *(
        _round(
            name,
            "sum((x[i] + x[c0] + x[c1])^2 + 4*cos(x[i] + x[c0] + x[c1]))",
            places,
            lambda m, parts, i: m.sum(sum(parts) ** 2 + 4 * m.cos(sum(parts))),
        )
        for name, places in (("noncvxun", (2, 1, 3, 1)), ("noncvxu2", (3, 2, 7, 3)))
    ),
    Family(
        "spmsrtls",
        "p[i] = sin(i), i=1..3*m-2; "
        + " + ".join(
            _pairs_text(*own)
            for own in (
                (3, "m", (-6, -3)),
                (2, "m", (-5, -3), (-3, -2)),
                (1, "m", (-2, -2)),
                (2, "m", (-4, -3)),
                (1, "m-1", (0, -1)),
                (1, "m-1", (1, -1), (-1, -2)),
                (1, "m-2", (2, -1)),
            )
        ),
        _spmsrtls,
        sizes=lambda n: {"m": (n + 2) // 3},
        number=lambda n: 3 * ((n + 2) // 3) - 2,
    ),
    Family(
        "watson",
        "sum((sum((j-1)*x[j]*(i/29)^(j-2), j=2..n) - sum(x[j]*(i/29)^(j-1), j=1..n)^2 - 1)^2,"
        " i=1..29)/2 + x[1]^2/2 + (x[2] - x[1]^2 - 1)^2/2",
        _watson,
        most=31,
    ),
)
