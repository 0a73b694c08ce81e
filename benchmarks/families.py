"""Families of test problems of any size, typed with indices: value and gradient against JAX.

A. Conn, N. Gould, Ph. Toint, CUTEst; the formulas are those of OptimizationProblems.jl, which
gives the source of each.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.family import Family, counted
from benchmarks.measure import Row
from benchmarks.more_families import NEIGHBORS
from benchmarks.structured_families import STRUCTURED

SIZES = (10, 100, 1000, 100_000)


ONE_SUM = (
    Family(
        "arglina",
        "s = sum(x[j], j=1..n); sum((x[i] - s/n - 1)^2, i=1..n) + n*(s/n + 1)^2",
        lambda m, x, n: m.sum((x - m.sum(x) / n - 1) ** 2) + n * (m.sum(x) / n + 1) ** 2,
    ),
    Family(
        "arwhead",
        "sum((x[i]^2 + x[n]^2)^2 - 4*x[i] + 3, i=1..n-1)",
        lambda m, x, n: m.sum((x[:-1] ** 2 + x[-1] ** 2) ** 2 - 4 * x[:-1] + 3),
    ),
    Family(
        "bdexp",
        "sum((x[i] + x[i+1])*exp(-x[i+2]*(x[i] + x[i+1])), i=1..n-2)",
        lambda m, x, n: m.sum((x[:-2] + x[1:-1]) * m.exp(-x[2:] * (x[:-2] + x[1:-1]))),
    ),
    Family(
        "bdqrtic",
        "sum((3 - 4*x[i])^2"
        " + (x[i]^2 + 2*x[i+1]^2 + 3*x[i+2]^2 + 4*x[i+3]^2 + 5*x[n]^2)^2, i=1..n-4)",
        lambda m, x, n: m.sum(
            (3 - 4 * x[:-4]) ** 2
            + (
                x[:-4] ** 2
                + 2 * x[1:-3] ** 2
                + 3 * x[2:-2] ** 2
                + 4 * x[3:-1] ** 2
                + 5 * x[-1] ** 2
            )
            ** 2
        ),
    ),
    Family(
        "broydn3d",
        "((3 - 2*x[1])*x[1] - 2*x[2] + 1)^2 + ((3 - 2*x[n])*x[n] - x[n-1] + 1)^2"
        " + sum(((3 - 2*x[i])*x[i] - x[i-1] - 2*x[i+1] + 1)^2, i=2..n-1)",
        lambda m, x, n: (
            ((3 - 2 * x[0]) * x[0] - 2 * x[1] + 1) ** 2
            + ((3 - 2 * x[-1]) * x[-1] - x[-2] + 1) ** 2
            + m.sum(((3 - 2 * x[1:-1]) * x[1:-1] - x[:-2] - 2 * x[2:] + 1) ** 2)
        ),
    ),
    Family(
        "brybnd",
        "sum((x[i]*(2 + 5*x[i]^2) + 1 - x[i-1]*(1 + x[i-1]) - x[i+1]*(1 + x[i+1]))^2, i=2..n-1)",
        lambda m, x, n: m.sum(
            (x[1:-1] * (2 + 5 * x[1:-1] ** 2) + 1 - x[:-2] * (1 + x[:-2]) - x[2:] * (1 + x[2:]))
            ** 2
        ),
    ),
    Family(
        "cosine",
        "sum(cos(-0.5*x[i+1] + x[i]^2), i=1..n-1)",
        lambda m, x, n: m.sum(m.cos(-0.5 * x[1:] + x[:-1] ** 2)),
    ),
    Family(
        "cragglvy",
        "sum((exp(x[2*i-1]) - x[2*i])^4 + 100*(x[2*i] - x[2*i+1])^6"
        " + (tan(x[2*i+1] - x[2*i+2]) + x[2*i+1] - x[2*i+2])^4 + x[2*i-1]^8"
        " + (x[2*i+2] - 1)^2, i=1..k-1)",
        lambda m, x, n: m.sum(
            (m.exp(x[:-2:2]) - x[1:-2:2]) ** 4
            + 100 * (x[1:-2:2] - x[2::2]) ** 6
            + (m.tan(x[2::2] - x[3::2]) + x[2::2] - x[3::2]) ** 4
            + x[:-2:2] ** 8
            + (x[3::2] - 1) ** 2
        ),
        step=2,
    ),
    Family(
        "dqdrtic",
        "sum(x[i]^2 + 100*x[i+1]^2 + 100*x[i+2]^2, i=1..n-2)",
        lambda m, x, n: m.sum(x[:-2] ** 2 + 100 * x[1:-1] ** 2 + 100 * x[2:] ** 2),
    ),
    Family(
        "dqrtic", "sum((x[i] - i)^4, i=1..n)", lambda m, x, n: m.sum((x - counted(m, 1, n)) ** 4)
    ),
    Family(
        "edensch",
        "16 + sum((x[i] - 2)^4 + (x[i]*x[i+1] - 2*x[i+1])^2 + (x[i+1] + 1)^2, i=1..n-1)",
        lambda m, x, n: (
            16 + m.sum((x[:-1] - 2) ** 4 + (x[:-1] * x[1:] - 2 * x[1:]) ** 2 + (x[1:] + 1) ** 2)
        ),
    ),
    Family(
        "eg2",
        "sum(sin(x[1] + x[i]^2 - 1), i=1..n-1) + 0.5*sin(x[n]^2)",
        lambda m, x, n: m.sum(m.sin(x[0] + x[:-1] ** 2 - 1)) + 0.5 * m.sin(x[-1] ** 2),
    ),
    Family(
        "engval1",
        "sum((x[i]^2 + x[i+1]^2)^2 - 4*x[i] + 3, i=1..n-1)",
        lambda m, x, n: m.sum((x[:-1] ** 2 + x[1:] ** 2) ** 2 - 4 * x[:-1] + 3),
    ),
    Family(
        "errinros_mod",
        "sum((x[i-1] - 16*x[i]^2*(1.5 + sin(i))^2)^2 + (1 - x[i])^2, i=2..n)",
        lambda m, x, n: m.sum(
            (x[:-1] - 16 * x[1:] ** 2 * (1.5 + m.sin(counted(m, 2, n))) ** 2) ** 2
            + (1 - x[1:]) ** 2
        ),
    ),
    Family(
        "extrosnb",
        "(x[1] - 1)^2 + 100*sum((x[i] - x[i-1]^2)^2, i=2..n)",
        lambda m, x, n: (x[0] - 1) ** 2 + 100 * m.sum((x[1:] - x[:-1] ** 2) ** 2),
    ),
    Family(
        "fletchcr",
        "100*sum((x[i+1] - x[i] + 1 - x[i]^2)^2, i=1..n-1)",
        lambda m, x, n: 100 * m.sum((x[1:] - x[:-1] + 1 - x[:-1] ** 2) ** 2),
    ),
    Family(
        "fletcbv2",
        "h = 1/(n+1); 0.5*(x[1]^2 + x[n]^2 + sum((x[i] - x[i+1])^2, i=1..n-1))"
        " - h^2*sum(2*x[i] + cos(x[i]), i=1..n) - x[n]",
        lambda m, x, n: (
            0.5 * (x[0] ** 2 + x[-1] ** 2 + m.sum((x[:-1] - x[1:]) ** 2))
            - m.sum(2 * x + m.cos(x)) / (n + 1) ** 2
            - x[-1]
        ),
    ),
    Family(
        "freuroth",
        "sum(((5 - x[i+1])*x[i+1]^2 + x[i] - 2*x[i+1] - 13)^2"
        " + ((1 + x[i+1])*x[i+1]^2 + x[i] - 14*x[i+1] - 29)^2, i=1..n-1)",
        lambda m, x, n: m.sum(
            ((5 - x[1:]) * x[1:] ** 2 + x[:-1] - 2 * x[1:] - 13) ** 2
            + ((1 + x[1:]) * x[1:] ** 2 + x[:-1] - 14 * x[1:] - 29) ** 2
        ),
    ),
    Family(
        "genhumps",
        "sum((sin(2*x[i])*sin(2*x[i+1]))^2 + 0.05*(x[i]^2 + x[i+1]^2), i=1..n-1)",
        lambda m, x, n: m.sum(
            (m.sin(2 * x[:-1]) * m.sin(2 * x[1:])) ** 2 + 0.05 * (x[:-1] ** 2 + x[1:] ** 2)
        ),
    ),
    Family(
        "genrose",
        "1 + 100*sum((x[i] - x[i-1]^2)^2, i=2..n) + sum((x[i] - 1)^2, i=2..n)",
        lambda m, x, n: 1 + 100 * m.sum((x[1:] - x[:-1] ** 2) ** 2) + m.sum((x[1:] - 1) ** 2),
    ),
    Family(
        "indef_mod",
        "100*sum(sin(x[i]/100), i=1..n) + 0.5*sum(cos(2*x[i] - x[n] - x[1]), i=2..n-1)",
        lambda m, x, n: (
            100 * m.sum(m.sin(x / 100)) + 0.5 * m.sum(m.cos(2 * x[1:-1] - x[-1] - x[0]))
        ),
    ),
    Family(
        "liarwhd",
        "sum(4*(x[i]^2 - x[1])^2 + (x[i] - 1)^2, i=1..n)",
        lambda m, x, n: m.sum(4 * (x**2 - x[0]) ** 2 + (x - 1) ** 2),
    ),
    Family(
        "morebv",
        "h = 1/(n+1); sum((2*x[i] - x[i-1] - x[i+1] + h^2*(x[i] + i*h + 1)^3/2)^2, i=2..n-1)"
        " + (2*x[1] - x[2] + h^2*(x[1] + h + 1)^3/2)^2"
        " + (2*x[n] - x[n-1] + h^2*(x[n] + n*h + 1)^3/2)^2",
        lambda m, x, n: m.sum(
            (
                2 * x
                - m.concatenate([m.zeros(1), x[:-1]])
                - m.concatenate([x[1:], m.zeros(1)])
                + (x + counted(m, 1, n) / (n + 1) + 1) ** 3 / (2 * (n + 1) ** 2)
            )
            ** 2
        ),
    ),
    Family(
        "nondia",
        "(x[1] - 1)^2 + 100*sum((x[1] - x[i-1]^2)^2, i=2..n)",
        lambda m, x, n: (x[0] - 1) ** 2 + 100 * m.sum((x[0] - x[:-1] ** 2) ** 2),
    ),
    Family(
        "nondquar",
        "(x[1] - x[2])^2 + (x[n-1] + x[n])^2 + sum((x[i] + x[i+1] + x[n])^4, i=1..n-2)",
        lambda m, x, n: (
            (x[0] - x[1]) ** 2 + (x[-2] + x[-1]) ** 2 + m.sum((x[:-2] + x[1:-1] + x[-1]) ** 4)
        ),
    ),
    Family(
        "penalty1",
        "1e-5*sum((x[i] - 1)^2, i=1..n) + (sum(x[i]^2, i=1..n) - 0.25)^2",
        lambda m, x, n: 1e-5 * m.sum((x - 1) ** 2) + (m.sum(x**2) - 0.25) ** 2,
    ),
    Family(
        "powellsg",
        "sum((x[4*j-3] + 10*x[4*j-2])^2 + 5*(x[4*j-1] - x[4*j])^2 + (x[4*j-2] - 2*x[4*j-1])^4"
        " + 10*(x[4*j-3] - x[4*j])^4, j=1..k)",
        lambda m, x, n: m.sum(
            (x[::4] + 10 * x[1::4]) ** 2
            + 5 * (x[2::4] - x[3::4]) ** 2
            + (x[1::4] - 2 * x[2::4]) ** 4
            + 10 * (x[::4] - x[3::4]) ** 4
        ),
        step=4,
    ),
    Family(
        "power",
        "sum(i*x[i]^2, i=1..n)^2",
        lambda m, x, n: m.sum(counted(m, 1, n) * x**2) ** 2,
    ),
    Family(
        "schmvett",
        "sum(-1/(1 + (x[i] - x[i+1])^2) - sin((pi*x[i+1] + x[i+2])/2)"
        " - exp(-((x[i] + x[i+2])/x[i+1] - 2)^2), i=1..n-2)",
        lambda m, x, n: m.sum(
            -1 / (1 + (x[:-2] - x[1:-1]) ** 2)
            - m.sin((m.pi * x[1:-1] + x[2:]) / 2)
            - m.exp(-(((x[:-2] + x[2:]) / x[1:-1] - 2) ** 2))
        ),
    ),
    Family(
        "scosine",
        "p[i] = exp(6*(i-1)/(n-1)), i=1..n; sum(cos(p[i]^2*x[i]^2 - p[i+1]*x[i+1]/2), i=1..n-1)",
        lambda m, x, n: (lambda p: m.sum(m.cos(p[:-1] ** 2 * x[:-1] ** 2 - p[1:] * x[1:] / 2)))(
            m.exp(6 * (counted(m, 1, n) - 1) / (n - 1))
        ),
        tolerance=1e-9,
    ),
    Family(
        "sinquad",
        "(x[1] - 1)^4 + (x[n]^2 - x[1]^2)^2"
        " + sum((sin(x[i] - x[n]) - x[1]^2 + x[i]^2)^2, i=2..n-1)",
        lambda m, x, n: (
            (x[0] - 1) ** 4
            + (x[-1] ** 2 - x[0] ** 2) ** 2
            + m.sum((m.sin(x[1:-1] - x[-1]) - x[0] ** 2 + x[1:-1] ** 2) ** 2)
        ),
    ),
    Family(
        "srosenbr",
        "sum(100*(x[2*i] - x[2*i-1]^2)^2 + (x[2*i-1] - 1)^2, i=1..k)",
        lambda m, x, n: m.sum(100 * (x[1::2] - x[::2] ** 2) ** 2 + (x[::2] - 1) ** 2),
        step=2,
    ),
    Family(
        "tointgss",
        "sum((10/(n+2) + x[i+2]^2)*(2 - exp(-(x[i] - x[i+1])^2/(0.1 + x[i+2]^2))), i=1..n-2)",
        lambda m, x, n: m.sum(
            (10 / (n + 2) + x[2:] ** 2)
            * (2 - m.exp(-((x[:-2] - x[1:-1]) ** 2) / (0.1 + x[2:] ** 2)))
        ),
    ),
    Family(
        "tquartic",
        "(x[1] - 1)^2 + sum((x[1]^2 - x[i]^2)^2, i=2..n)",
        lambda m, x, n: (x[0] - 1) ** 2 + m.sum((x[0] ** 2 - x[1:] ** 2) ** 2),
    ),
    Family(
        "tridia",
        "(x[1] - 1)^2 + sum(i*(2*x[i] - x[i-1])^2, i=2..n)",
        lambda m, x, n: (x[0] - 1) ** 2 + m.sum(counted(m, 2, n) * (2 * x[1:] - x[:-1]) ** 2),
    ),
    Family(
        "vardim",
        "s = sum(i*(x[i] - 1), i=1..n)/n^2; sum((x[i] - 1)^2, i=1..n) + s^2 + s^4",
        lambda m, x, n: (lambda s: m.sum((x - 1) ** 2) + s**2 + s**4)(
            m.sum(counted(m, 1, n) * (x - 1)) / n**2
        ),
    ),
    Family(
        "woods",
        "sum(100*(x[4*i-2] - x[4*i-3]^2)^2 + (1 - x[4*i-3])^2 + 90*(x[4*i] - x[4*i-1]^2)^2"
        " + (1 - x[4*i-1])^2 + 10*(x[4*i-2] + x[4*i] - 2)^2 + 0.1*(x[4*i-2] - x[4*i])^2, i=1..k)",
        lambda m, x, n: m.sum(
            100 * (x[1::4] - x[::4] ** 2) ** 2
            + (1 - x[::4]) ** 2
            + 90 * (x[3::4] - x[2::4] ** 2) ** 2
            + (1 - x[2::4]) ** 2
            + 10 * (x[1::4] + x[3::4] - 2) ** 2
            + 0.1 * (x[1::4] - x[3::4]) ** 2
        ),
        step=4,
    ),
)

FAMILIES = (*ONE_SUM, *NEIGHBORS, *STRUCTURED)


def rows() -> Iterator[Row]:
    """One row for each size."""
    for count in SIZES:
        found = {family.name: family.difference(count) for family in FAMILIES}
        worst = max(found, key=lambda name: found[name])
        wrong = [f.name for f in FAMILIES if not found[f.name] <= f.tolerance]
        yield Row(
            f"{len(FAMILIES)} families at n = {count:,}: wrong against JAX",
            float(len(wrong)),
            target=0,
            note=f"largest difference {found[worst]:.1e} ({worst}) {' '.join(wrong)}",
        )
