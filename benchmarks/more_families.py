"""More families of test problems: those of several sums, grids, windows, and subscripts in data.

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


def _nzf1(m: Any, x: Any, n: int) -> Any:
    k = n // 13
    a = [x[s : s + k] for s in range(13)]
    return m.sum(
        (3 * a[0] - 60 + (a[1] - a[2]) ** 2 / 10) ** 2
        + (a[1] ** 2 + a[2] ** 2 + a[3] ** 2 * (1 + a[3]) ** 2 + a[6]
           + a[5] / (1 + a[4] ** 2 + m.sin(a[4] / 1000))) ** 2
        + (a[6] + a[7] - a[8] ** 2 + a[10]) ** 2
        + (m.log(1 + a[10] ** 2) + a[11] - 5 * a[12] + 20) ** 2
        + (a[4] + a[5] + a[5] * a[9] + 10 * a[9] - 50) ** 2
    ) + m.sum((x[6 : k + 5] - x[19 : k + 18]) ** 2)  # fmt: skip


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


def _dixmaan(letter: str, powers: tuple[int, ...], own: tuple[float, ...]) -> Family:
    a, b, c, d = own
    p = [f"(i/(3*m))^{k}*" if k else "" for k in powers]

    def jax(jnp: Any, x: Any, n: int) -> Any:
        m, i = n // 3, counted(jnp, 1, n) / n
        return (
            1
            + a * jnp.sum(i ** powers[0] * x**2)
            + b * jnp.sum((i ** powers[1] * x**2)[:-1] * (x[1:] + x[1:] ** 2) ** 2)
            + c * jnp.sum((i ** powers[2] * x**2)[: 2 * m] * x[m:] ** 4)
            + d * jnp.sum((i ** powers[3] * x)[:m] * x[2 * m :])
        )

    return Family(
        f"dixmaan{letter}",
        f"1 + {a}*sum({p[0]}x[i]^2, i=1..3*m)"
        f" + {b}*sum({p[1]}x[i]^2*(x[i+1] + x[i+1]^2)^2, i=1..3*m-1)"
        f" + {c}*sum({p[2]}x[i]^2*x[i+m]^4, i=1..2*m) + {d}*sum({p[3]}x[i]*x[i+2*m], i=1..m)",
        jax,
        step=3,
        sizes=lambda n: {"m": n // 3},
    )


_COEFFICIENTS = ((1, 0, 0.125, 0.125), *((1, c, c, c) for c in (0.0625, 0.125, 0.26)))
_POWERS = ((0, 0, 0, 0), (1, 0, 0, 1), (2, 0, 0, 2), (2, 1, 1, 2))


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


def _penalty3(m: Any, x: Any, n: int) -> Any:
    a = m.sum((x[:-2] + 2 * x[1:-1] + 10 * x[2:] - 1) ** 2)
    b = m.sum((2 * x[:-2] + x[1:-1] - 3) ** 2)
    rest = 1 + m.sum((x[: n // 2] - 1) ** 2) + m.sum(x**2 - n) ** 2
    return rest + m.exp(x[-1]) * a + a * b + m.exp(x[-2]) * b


def _variational(m: Any, x: Any, n: int) -> Any:
    z = m.concatenate([m.zeros(1), x, m.zeros(1)])
    d = z[1:] - z[:-1]
    one = m.sum(x * (x - z[2:])) * (n + 1)
    return 2 * one + n / (n + 1) * m.sum(m.exp(z[:-1]) * m.expm1(d) / d)


def _windows(m: Any, x: Any, n: int, last: int) -> Any:
    """The sums over 20 elements of ncb20 and ncb20b, from the first `last` ones on."""
    u = x / (1 + x**2)
    one = sum(u[k : k + last] for k in range(20))
    return m.sum(10 / counted(m, 1, last) * one**2 - 0.2 * sum(x[k : k + last] for k in range(20)))


_WINDOW = "sum(10/i*sum(x[j]/(1 + x[j]^2), j=i..i+19)^2 - 0.2*sum(x[j], j=i..i+19), i=1..n-{})"

MORE = (
    Family(
        "NZF1",
        "sum((3*x[i] - 60 + (x[i+1] - x[i+2])^2/10)^2 + (x[i+1]^2 + x[i+2]^2"
        " + x[i+3]^2*(1 + x[i+3])^2 + x[i+6] + x[i+5]/(1 + x[i+4]^2 + sin(x[i+4]/1000)))^2"
        " + (x[i+6] + x[i+7] - x[i+8]^2 + x[i+10])^2"
        " + (log(1 + x[i+10]^2) + x[i+11] - 5*x[i+12] + 20)^2"
        " + (x[i+4] + x[i+5] + x[i+5]*x[i+9] + 10*x[i+9] - 50)^2, i=1..k)"
        " + sum((x[i+6] - x[i+19])^2, i=1..k-1)",
        _nzf1,
        step=13,
        least=26,
    ),
    Family(
        "arglinb",
        "s = sum(j*x[j], j=1..n); sum((i*s - 1)^2, i=1..2*n)",
        lambda m, x, n: m.sum(
            (counted(m, 1, 2 * n) * m.sum(counted(m, 1, n) * x) - 1) ** 2
        ),
    ),
    Family(
        "arglinc",
        "s = sum(j*x[j], j=2..n-1); 2 + sum(((i-1)*s - 1)^2, i=2..2*n-1)",
        lambda m, x, n: 2 + m.sum(
            (counted(m, 1, 2 * n - 2) * m.sum((counted(m, 1, n) * x)[1:-1]) - 1) ** 2
        ),
    ),
    Family(
        "argtrig",
        "n - sum(cos(x[j]) + j*(1 - cos(x[j])) - sin(x[j]), j=1..n)",
        lambda m, x, n: n - m.sum(m.cos(x) + counted(m, 1, n) * (1 - m.cos(x)) - m.sin(x)),
    ),
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
        "brownal",
        "s = sum(x[j], j=1..n); sum((x[i] + s - (n+1))^2, i=1..n-1)/2"
        " + (prod(x[j], j=1..n) - 1)^2/2",
        lambda m, x, n: m.sum((x[:-1] + m.sum(x) - (n + 1)) ** 2) / 2 + (m.prod(x) - 1) ** 2 / 2,
    ),
    Family(
        "browngen1",
        "sum((x[i-1] - 3)^2 + (x[i-1] - x[i])^2 + exp(20*(x[i-1] - x[i])), i=2..n)",
        lambda m, x, n: m.sum(
            (x[:-1] - 3) ** 2 + (x[:-1] - x[1:]) ** 2 + m.exp(20 * (x[:-1] - x[1:]))
        ),
    ),
    Family(
        "browngen2",
        "sum((x[i-1]^2)^(x[i]^2 + 1) + (x[i]^2)^(x[i-1]^2 + 1), i=2..n)",
        lambda m, x, n: m.sum(
            (x[:-1] ** 2) ** (x[1:] ** 2 + 1) + (x[1:] ** 2) ** (x[:-1] ** 2 + 1)
        ),
    ),
    Family(
        "broydn7d",
        "abs(1 - 2*x[2] + (3 - x[1]/2)*x[1])^(7/3)"
        " + sum(abs(1 - x[i-1] - 2*x[i+1] + (3 - x[i]/2)*x[i])^(7/3), i=2..2*k-1)"
        " + abs(1 - x[2*k-1] + (3 - x[2*k]/2)*x[2*k])^(7/3)"
        " + sum(abs(x[i] + x[i+k])^(7/3), i=1..k)",
        lambda m, x, n: m.sum(
            m.abs(
                1
                - m.concatenate([m.zeros(1), x[:-1]])
                - 2 * m.concatenate([x[1:], m.zeros(1)])
                + (3 - x / 2) * x
            )
            ** (7 / 3)
        )
        + m.sum(m.abs(x[: n // 2] + x[n // 2 :]) ** (7 / 3)),
        step=2,
    ),
    Family(
        "chainwoo",
        "1 + sum(100*(x[2*i] - x[2*i-1]^2)^2 + (1 - x[2*i-1])^2 + 90*(x[2*i+2] - x[2*i+1]^2)^2"
        " + (1 - x[2*i+1])^2 + 10*(x[2*i] + x[2*i+2] - 2)^2 + (x[2*i] - x[2*i+2])^2/10,"
        " i=1..2*k-1)",
        lambda m, x, n: 1 + m.sum(
            100 * (x[1:-2:2] - x[:-2:2] ** 2) ** 2
            + (1 - x[:-2:2]) ** 2
            + 90 * (x[3::2] - x[2::2] ** 2) ** 2
            + (1 - x[2::2]) ** 2
            + 10 * (x[1:-2:2] + x[3::2] - 2) ** 2
            + (x[1:-2:2] - x[3::2]) ** 2 / 10
        ),
        step=4,
    ),
    Family(
        "chebyquad",
        "sum((sum(cos(2*i*acos(x[j])), j=1..2*k)/(2*k) + 1/((2*i)^2 - 1))^2, i=1..k)/2"
        " + sum((sum(cos((2*i-1)*acos(x[j])), j=1..2*k)/(2*k))^2, i=1..k)/2",
        lambda m, x, n: (
            lambda t, i: m.sum((t.mean(1) + m.where(i % 2 == 0, 1 / (i**2 - 1 + (i == 1)), 0)) ** 2)
            / 2
        )(m.cos(counted(m, 1, n)[:, None] * m.arccos(x)), counted(m, 1, n)),
        step=2,
        most=1000,
        tolerance=1e-11,
    ),
    Family(
        "chnrosnb_mod",
        "16*sum((x[i-1] - x[i]^2)^2*(1.5 + sin(i))^2, i=2..n) + sum((1 - x[i])^2, i=2..n)",
        lambda m, x, n: 16 * m.sum(
            (x[:-1] - x[1:] ** 2) ** 2 * (1.5 + m.sin(counted(m, 2, n))) ** 2
        )
        + m.sum((1 - x[1:]) ** 2),
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
            lambda m, v, p: m.sum(
                p**2 / 2 * (v[1:, 1:] - v[1:, :-1]) ** 2 + (v[1:, 1:] - v[1:, :-1]) ** 4
            )
            + m.sum(0.5 * (v[2:, 1:] - v[1:-1, 1:]) ** 2 + (v[2:, 1:] - v[1:-1, 1:]) ** 4)
            + m.sum(0.5 * v[1, 1:] ** 2 + v[1, 1:] ** 4)
            - 0.099 * v[-1, -1]
            - 0.001 * v[-1, 0]
        ),
        grid=True,
    ),
    Family(
        "cragglvy2",
        "sum((exp(x[2*i-1]) - x[2*i])^4 + 100*(x[2*i] - x[2*i+1])^6"
        " + tan(x[2*i+1] - x[2*i+2])^4 + x[2*i-1]^8 + (x[2*i+2] - 1)^2, i=1..k-1)",
        lambda m, x, n: m.sum(
            (m.exp(x[:-2:2]) - x[1:-2:2]) ** 4
            + 100 * (x[1:-2:2] - x[2::2]) ** 6
            + m.tan(x[2::2] - x[3::2]) ** 4
            + x[:-2:2] ** 8
            + (x[3::2] - 1) ** 2
        ),
        step=2,
    ),
    *map(_curly, (10, 20, 30)),
    *(
        _dixmaan("abcdefghijklmnop"[4 * row + column], powers, own)
        for row, powers in enumerate(_POWERS)
        for column, own in enumerate(_COEFFICIENTS)
    ),
    Family(
        "dixon3dq",
        "(x[1] - 1)^2 + (x[n] - 1)^2 + sum((x[i] - x[i+1])^2, i=2..n-1)",
        lambda m, x, n: (x[0] - 1) ** 2 + (x[-1] - 1) ** 2 + m.sum((x[1:-1] - x[2:]) ** 2),
    ),
    Family(
        "fletcbv3_mod",
        "h = 1/(n+1); 0.5e-8*(x[1]^2 + sum((x[i] - x[i+1])^2, i=1..n-1) + x[n]^2)"
        " - 1e-8*sum(100*(1 + 2/h^2)*sin(x[i]/100) + cos(x[i])/h^2, i=1..n)",
        lambda m, x, n: 0.5e-8 * (x[0] ** 2 + m.sum((x[:-1] - x[1:]) ** 2) + x[-1] ** 2)
        - 1e-8 * m.sum(
            100 * (1 + 2 * (n + 1) ** 2) * m.sin(x / 100) + m.cos(x) * (n + 1) ** 2
        ),
    ),
    Family(
        "fminsrf2",
        "sum(100*sqrt((p-1)^2/2*((x[i,j] - x[i+1,j+1])^2 + (x[i+1,j] - x[i,j+1])^2) + 1)"
        "/(p-1)^2, i=1..p-1, j=1..p-1) + 100*x[mid,mid]^2/p^2",
        _square(
            lambda m, v, p: m.sum(
                100
                * m.sqrt(
                    (p - 1) ** 2 / 2
                    * ((v[:-1, :-1] - v[1:, 1:]) ** 2 + (v[1:, :-1] - v[:-1, 1:]) ** 2)
                    + 1
                )
                / (p - 1) ** 2
            )
            + 100 * v[p // 2 - 1, p // 2 - 1] ** 2 / p**2
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
        "genbroydentri",
        "abs((3 - 2*x[1])*x[1] - x[2] + 1)^(7/3)"
        " + sum(abs((3 - 2*x[i])*x[i] - x[i-1] - x[i+1] + 1)^(7/3), i=2..n-1)"
        " + abs((3 - 2*x[n])*x[n] - x[n-1] + 1)^(7/3)",
        lambda m, x, n: m.sum(
            m.abs(
                (3 - 2 * x) * x
                - m.concatenate([m.zeros(1), x[:-1]])
                - m.concatenate([x[1:], m.zeros(1)])
                + 1
            )
            ** (7 / 3)
        ),
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
        lambda m, x, n: 2
        + _windows(m, x, n, n - 30)
        + m.sum(x[:-10] ** 4 + 2)
        + 1e-4 * m.sum(x[:10] * x[10:20] * x[-10:] + 2 * x[-10:] ** 2),
        least=31,
    ),
    Family(
        "ncb20b",
        f"{_WINDOW.format(19)} + sum(100*x[i]^4 + 2, i=1..n)",
        lambda m, x, n: _windows(m, x, n, n - 19) + m.sum(100 * x**4 + 2),
        least=20,
    ),
    Family(
        "penalty2",
        "(x[1] - 0.2)^2 + sum(1e-5*(exp(x[i]/10) + exp(x[i-1]/10) - exp(i/10)"
        " - exp((i-1)/10))^2, i=2..n) + sum(1e-5*(exp(x[i]/10) - exp(-1/10))^2, i=2..n)"
        " + (sum((n - j + 1)*x[j]^2, j=1..n) - 1)^2",
        lambda m, x, n: (x[0] - 0.2) ** 2
        + 1e-5 * m.sum(
            (
                m.exp(x[1:] / 10)
                + m.exp(x[:-1] / 10)
                - m.exp(counted(m, 2, n) / 10)
                - m.exp(counted(m, 1, n - 1) / 10)
            )
            ** 2
        )
        + 1e-5 * m.sum((m.exp(x[1:] / 10) - m.exp(-0.1)) ** 2)
        + (m.sum((n - counted(m, 0, n - 1)) * x**2) - 1) ** 2,
        most=1000,
    ),
    Family(
        "penalty3",
        "a = sum((x[i] + 2*x[i+1] + 10*x[i+2] - 1)^2, i=1..2*k-2);"
        " b = sum((2*x[i] + x[i+1] - 3)^2, i=1..2*k-2);"
        " 1 + sum((x[i] - 1)^2, i=1..k) + exp(x[2*k])*a + a*b + exp(x[2*k-1])*b"
        " + sum(x[i]^2 - 2*k, i=1..2*k)^2",
        _penalty3,
        step=2,
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
                (3, "m", (-6, -3)), (2, "m", (-5, -3), (-3, -2)), (1, "m", (-2, -2)),
                (2, "m", (-4, -3)), (1, "m-1", (0, -1)), (1, "m-1", (1, -1), (-1, -2)),
                (1, "m-2", (2, -1)),
            )
        ),
        _spmsrtls,
        sizes=lambda n: {"m": (n + 2) // 3},
        number=lambda n: 3 * ((n + 2) // 3) - 2,
    ),
    Family(
        "trigb",
        "sum(i*(1 - cos(x[i])), i=1..n) + sum(i*sin(x[i-1]), i=2..n)"
        " - sum(i*sin(x[i+1]), i=1..n-1)",
        lambda m, x, n: m.sum(counted(m, 1, n) * (1 - m.cos(x)))
        + m.sum(counted(m, 2, n) * m.sin(x[:-1]))
        - m.sum(counted(m, 1, n - 1) * m.sin(x[1:])),
    ),
    Family(
        "variational",
        "h = 1/(n+1); d[j] = x[j+1] - x[j], j=1..n-1;"
        " 2*(sum(x[i]*(x[i] - x[i+1])/h, i=1..n-1) + x[n]^2/h) + n*h*(expm1(x[1])/x[1]"
        " + sum(exp(x[j])*expm1(d[j])/d[j], j=1..n-1) + exp(x[n])*expm1(-x[n])/(-x[n]))",
        _variational,
        tolerance=1e-10,
    ),
    Family(
        "watson",
        "sum((sum((j-1)*x[j]*(i/29)^(j-2), j=2..n) - sum(x[j]*(i/29)^(j-1), j=1..n)^2 - 1)^2,"
        " i=1..29)/2 + x[1]^2/2 + (x[2] - x[1]^2 - 1)^2/2",
        _watson,
        most=31,
    ),
    Family(
        "elec",
        "sum(1/sqrt((x[j] - x[i])^2 + (x[k+j] - x[k+i])^2 + (x[2*k+j] - x[2*k+i])^2),"
        " i=1..k-1, j=i+1..k)",
        lambda m, x, n: (
            lambda v, i, j: m.sum(1 / m.sqrt(m.sum((v[:, j] - v[:, i]) ** 2, axis=0)))
        )(x.reshape(3, -1), *np.triu_indices(n // 3, 1)),
        step=3,
        most=999,
        tolerance=1e-10,
    ),
    Family(
        "ackley",
        "-20*exp(-0.2*sqrt(mean(x[i]^2, i=1..n))) - exp(mean(cos(2*pi*x[i]), i=1..n)) + 20 + e",
        lambda m, x, n: -20 * m.exp(-0.2 * m.sqrt(m.mean(x**2)))
        - m.exp(m.mean(m.cos(2 * m.pi * x)))
        + 20
        + m.e,
    ),
    Family(
        "rastrigin",
        "10*n + sum(x[i]^2 - 10*cos(2*pi*x[i]), i=1..n)",
        lambda m, x, n: 10 * n + m.sum(x**2 - 10 * m.cos(2 * m.pi * x)),
    ),
    Family(
        "griewank",
        "sum(x[i]^2, i=1..n)/4000 - prod(cos(x[i]/sqrt(i)), i=1..n) + 1",
        lambda m, x, n: m.sum(x**2) / 4000 - m.prod(m.cos(x / m.sqrt(counted(m, 1, n)))) + 1,
    ),
    Family(
        "polygon3",
        "-0.5*sum(x[i]*x[k+i+1] - x[k+i]*x[i+1], i=1..k-1) - 0.5*(x[k]*x[k+1] - x[2*k]*x[1])",
        lambda m, x, n: (
            lambda u, v: -0.5 * m.sum(u * m.roll(v, -1) - v * m.roll(u, -1))
        )(x[: n // 2], x[n // 2 :]),
        step=2,
    ),
)  # fmt: skip
