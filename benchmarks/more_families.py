"""More families of test problems: sums of neighbors, and functions of several sums.

As in `benchmarks.families`. L. Luksan, C. Matonoha, J. Vlcek, Modified CUTE problems for sparse
unconstrained optimization, Report 1081, Academy of Sciences of the Czech Republic, 2010.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.family import Family, counted


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


NEIGHBORS = (
    *(
        _dixmaan("abcdefghijklmnop"[4 * row + column], powers, own)
        for row, powers in enumerate(_POWERS)
        for column, own in enumerate(_COEFFICIENTS)
    ),
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
        lambda m, x, n: m.sum((counted(m, 1, 2 * n) * m.sum(counted(m, 1, n) * x) - 1) ** 2),
    ),
    Family(
        "arglinc",
        "s = sum(j*x[j], j=2..n-1); 2 + sum(((i-1)*s - 1)^2, i=2..2*n-1)",
        lambda m, x, n: (
            2 + m.sum((counted(m, 1, 2 * n - 2) * m.sum((counted(m, 1, n) * x)[1:-1]) - 1) ** 2)
        ),
    ),
    Family(
        "argtrig",
        "n - sum(cos(x[j]) + j*(1 - cos(x[j])) - sin(x[j]), j=1..n)",
        lambda m, x, n: n - m.sum(m.cos(x) + counted(m, 1, n) * (1 - m.cos(x)) - m.sin(x)),
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
        lambda m, x, n: (
            m.sum(
                m.abs(
                    1
                    - m.concatenate([m.zeros(1), x[:-1]])
                    - 2 * m.concatenate([x[1:], m.zeros(1)])
                    + (3 - x / 2) * x
                )
                ** (7 / 3)
            )
            + m.sum(m.abs(x[: n // 2] + x[n // 2 :]) ** (7 / 3))
        ),
        step=2,
    ),
    Family(
        "chainwoo",
        "1 + sum(100*(x[2*i] - x[2*i-1]^2)^2 + (1 - x[2*i-1])^2 + 90*(x[2*i+2] - x[2*i+1]^2)^2"
        " + (1 - x[2*i+1])^2 + 10*(x[2*i] + x[2*i+2] - 2)^2 + (x[2*i] - x[2*i+2])^2/10,"
        " i=1..2*k-1)",
        lambda m, x, n: (
            1
            + m.sum(
                100 * (x[1:-2:2] - x[:-2:2] ** 2) ** 2
                + (1 - x[:-2:2]) ** 2
                + 90 * (x[3::2] - x[2::2] ** 2) ** 2
                + (1 - x[2::2]) ** 2
                + 10 * (x[1:-2:2] + x[3::2] - 2) ** 2
                + (x[1:-2:2] - x[3::2]) ** 2 / 10
            )
        ),
        step=4,
    ),
    Family(
        "chebyquad",
        "sum((sum(cos(2*i*acos(x[j])), j=1..2*k)/(2*k) + 1/((2*i)^2 - 1))^2, i=1..k)/2"
        " + sum((sum(cos((2*i-1)*acos(x[j])), j=1..2*k)/(2*k))^2, i=1..k)/2",
        lambda m, x, n: (
            lambda t, i: (
                m.sum((t.mean(1) + m.where(i % 2 == 0, 1 / (i**2 - 1 + (i == 1)), 0)) ** 2) / 2
            )
        )(m.cos(counted(m, 1, n)[:, None] * m.arccos(x)), counted(m, 1, n)),
        step=2,
        most=1000,
        tolerance=1e-11,
    ),
    Family(
        "chnrosnb_mod",
        "16*sum((x[i-1] - x[i]^2)^2*(1.5 + sin(i))^2, i=2..n) + sum((1 - x[i])^2, i=2..n)",
        lambda m, x, n: (
            16 * m.sum((x[:-1] - x[1:] ** 2) ** 2 * (1.5 + m.sin(counted(m, 2, n))) ** 2)
            + m.sum((1 - x[1:]) ** 2)
        ),
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
    Family(
        "dixon3dq",
        "(x[1] - 1)^2 + (x[n] - 1)^2 + sum((x[i] - x[i+1])^2, i=2..n-1)",
        lambda m, x, n: (x[0] - 1) ** 2 + (x[-1] - 1) ** 2 + m.sum((x[1:-1] - x[2:]) ** 2),
    ),
    Family(
        "fletcbv3_mod",
        "h = 1/(n+1); 0.5e-8*(x[1]^2 + sum((x[i] - x[i+1])^2, i=1..n-1) + x[n]^2)"
        " - 1e-8*sum(100*(1 + 2/h^2)*sin(x[i]/100) + cos(x[i])/h^2, i=1..n)",
        lambda m, x, n: (
            0.5e-8 * (x[0] ** 2 + m.sum((x[:-1] - x[1:]) ** 2) + x[-1] ** 2)
            - 1e-8 * m.sum(100 * (1 + 2 * (n + 1) ** 2) * m.sin(x / 100) + m.cos(x) * (n + 1) ** 2)
        ),
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
        "penalty2",
        "(x[1] - 0.2)^2 + sum(1e-5*(exp(x[i]/10) + exp(x[i-1]/10) - exp(i/10)"
        " - exp((i-1)/10))^2, i=2..n) + sum(1e-5*(exp(x[i]/10) - exp(-1/10))^2, i=2..n)"
        " + (sum((n - j + 1)*x[j]^2, j=1..n) - 1)^2",
        lambda m, x, n: (
            (x[0] - 0.2) ** 2
            + 1e-5
            * m.sum(
                (
                    m.exp(x[1:] / 10)
                    + m.exp(x[:-1] / 10)
                    - m.exp(counted(m, 2, n) / 10)
                    - m.exp(counted(m, 1, n - 1) / 10)
                )
                ** 2
            )
            + 1e-5 * m.sum((m.exp(x[1:] / 10) - m.exp(-0.1)) ** 2)
            + (m.sum((n - counted(m, 0, n - 1)) * x**2) - 1) ** 2
        ),
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
        "trigb",
        "sum(i*(1 - cos(x[i])), i=1..n) + sum(i*sin(x[i-1]), i=2..n)"
        " - sum(i*sin(x[i+1]), i=1..n-1)",
        lambda m, x, n: (
            m.sum(counted(m, 1, n) * (1 - m.cos(x)))
            + m.sum(counted(m, 2, n) * m.sin(x[:-1]))
            - m.sum(counted(m, 1, n - 1) * m.sin(x[1:]))
        ),
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
        lambda m, x, n: (
            -20 * m.exp(-0.2 * m.sqrt(m.mean(x**2))) - m.exp(m.mean(m.cos(2 * m.pi * x))) + 20 + m.e
        ),
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
        lambda m, x, n: (lambda u, v: -0.5 * m.sum(u * m.roll(v, -1) - v * m.roll(u, -1)))(
            x[: n // 2], x[n // 2 :]
        ),
        step=2,
    ),
)
