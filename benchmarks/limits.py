"""Stable learning rates: does 0.99 of the limit converge and 1.01 not, for every smooth rule?

The limit is the one that `explain` prints, at the minimum that it lists. Each run starts beside the
minimum, askew to all eigenvectors: below the limit the error must shrink, above it grow. The factor
per step that a run at 0.3 of the limit predicts is held against that of its errors, by NumPy.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.measure import Row

if TYPE_CHECKING:
    from symgd import Loss, Result

#: rules that are linear near a minimum: those of the catalogue and others, as a user types them
RULES = (
    "gd",
    "momentum",
    "nesterov",
    "v = 0.8*v + g; theta = theta - lr*v",
    "m = where(t == 1, g, 0.7*m + 0.3*g); theta = theta - lr*m",
    "m = 0.8*m + 0.2*g; theta = theta - lr*m/(1 - 0.8^t)",
)
_STEPS = 3000
_BESIDE, _CLOSE = 1e-5, 1e-9  # of the size of the minimum: where runs start
_POLISHED = 60  # parameters up to which Newton's method takes the Hessian, beyond its products


def quadratic(count: int, seed: int) -> str:
    """A positive definite form, its minimum away from 0."""
    chance = np.random.default_rng(seed)
    matrix = chance.normal(size=(count, count))
    matrix = matrix @ matrix.T / count + 0.1 * np.eye(count)
    shifted = [f"(x{k} - {k % 3})" for k in range(count)]
    return " + ".join(
        f"{0.5 * matrix[i, j]:.6g}*{shifted[i]}*{shifted[j]}"
        for i in range(count) for j in range(count)
    )  # fmt: skip


def chain(count: int) -> str:
    """A chain of springs, of tridiagonal Hessian."""
    links = "".join(f" + (x{k + 1} - x{k})^2" for k in range(1, count))
    return f"(x1 - 1)^2{links} + x{count}^2"


def network(count: int) -> str:
    """A convex loss that is no quadratic: softplus of differences, and a penalty."""
    links = "".join(f" + log(1 + exp(x{k + 1} - x{k}))" for k in range(1, count))
    return f"0.5*(x1 + 1)^2 + log(1 + exp(-x{count})){links}" + "".join(
        f" + 0.05*x{k}^2" for k in range(1, count + 1)
    )


#: loss -> a start downhill of which its minimum lies
LOSSES: dict[str, float] = {
    "theta**2": 1.0,
    "x^2 + 100*y^2": 1.0,
    "(x-3)^2 + 10*(y+1)^2": 0.0,
    "(1-x)^2 + 100*(y-x^2)^2": 1.2,
    "log(cosh(x))": 0.5,
    "sqrt(1+(x-2)^2)": 1.5,
    "exp(x) - 2*x": 1.0,
    "x - log(x)": 1.5,
    "cosh(x-1) + y^2/50": 0.5,
    "x^2+y^2+z^2+x*y+y*z": 1.0,
    "x^4 - 2*x^2": 0.8,
    "1 - exp(-x^2)": 0.3,
    "log(1+exp(-a)) + a^2/10": 1.0,
    "(x^2+y-11)^2 + (x+y^2-7)^2": 2.5,
    "x^2 + y^4 + y^2/3": 0.5,
    "exp(x+y) + exp(x-y) + exp(-x)": 0.0,
    "tanh(x)^2 + (y-x)^2": 0.2,
    "(x-1)^2/(1+y^2) + y^2": 0.5,
    "sin(x) + cos(y)": 4.0,
    "x^2*(1+y^2) + (y-1)^2": 0.5,
    **{quadratic(n, n): 0.5 for n in (2, 3, 5, 8, 13)},
    **{chain(n): 0.5 for n in (10, 30, 60, 100, 300, 1000)},
    **{network(n): 0.0 for n in (2, 10, 40)},
}
#: Of 10^4 parameters.
LARGE = {"sum((x[i+1] - x[i])^2, i=1..9999) + sum(x[i]^2 + x[i]^4/10, i=1..10000)": 0.5}


@dataclass(frozen=True)
class Limit:
    """A limit that was tried: the last errors of a run by earlier ones, at 0.99 and 1.01 of it.

    predicted, observed: the factor per step that a run at 0.3 of it tells, and that of its errors.
    """

    loss: str
    rule: str
    below: float
    above: float
    predicted: float | None
    observed: float

    @property
    def separates(self) -> bool:
        """Whether the error shrinks below and grows above."""
        return self.below < 1 < self.above

    @property
    def off(self) -> float:
        """The difference of the predicted factor from the observed one, as a part of it."""
        return 0.0 if self.predicted is None else abs(abs(self.predicted) / self.observed - 1)


def limits(losses: dict[str, float], rules: Sequence[str] = RULES) -> Iterator[Limit]:
    """Every rule at the minimum of every loss."""
    from symgd import Loss, explain
    from symgd.analysis.stable_rates import rates
    from symgd.descent.explain import lowest
    from symgd.model.arguments import read_arguments, resolve

    for text, start in losses.items():
        loss = Loss(text).by_elements
        origin = [start] * len(loss.params)
        found = explain(loss, start=start, seconds=0).critical.points
        minima = [p for p in found if lowest(p) and p.eigenvalues]
        point = min(minima, key=lambda p: math.dist(p.x, origin))
        x = _polished(loss, point.x)
        for rule in rules:
            asked = read_arguments(0.1, 1, rule, None, None)
            known = asked.rule, resolve(asked), point.eigenvalues
            top = rates(*known, None).lr_max
            assert top is not None
            below = _change(loss, rule, x, 0.99 * top)[1]
            above = _change(loss, rule, x, 1.01 * top)[0]
            told = _told(loss, rule, x, 0.3 * top, rates(*known, 0.3 * top).rate)
            yield Limit(text[:60], rule, below, above, *told)


def _beside(x: Sequence[float], part: float) -> list[float]:
    """A point near the minimum, askew to all axes and eigenvectors."""
    way = np.random.default_rng(4).normal(size=len(x))
    size = part * (1 + math.hypot(*x)) / np.linalg.norm(way)
    return (np.array(x) + size * way).tolist()


def _polished(loss: Loss, x: Sequence[float]) -> list[float]:
    """The minimum to rounding, so that small errors are known."""
    from scipy.sparse.linalg import LinearOperator, minres

    count = len(x)
    for _ in range(3):
        at, grad = np.array(x), np.array(loss.compiled(x)[1])
        if count <= _POLISHED:
            x = at - np.linalg.solve(np.array(loss.hess(at)), grad)
        else:
            hess = LinearOperator((count, count), lambda v, at=at: loss.hvp(at, v), dtype=float)
            x = at - minres(hess, grad, rtol=1e-15, maxiter=4 * count)[0]
    return list(map(float, x))


def _run(
    loss: Loss, rule: str, x: Sequence[float], lr: float, steps: int, part: float = _BESIDE
) -> Result:
    from symgd import descend

    return descend(loss, start=_beside(x, part), rule=rule, lr=lr, steps=steps, advise=False)


def _change(loss: Loss, rule: str, x: Sequence[float], lr: float) -> tuple[float, float]:
    """The largest error of the last quarter of a run by the first error; by those before, too."""
    run = _run(loss, rule, x, lr, _STEPS, _CLOSE)
    errors = np.linalg.norm(run.history.theta - np.array(x), axis=1)
    if run.lost:
        return math.inf, math.inf
    part = len(errors) // 4
    first, before, last = errors[0], errors[part : 2 * part].max(), errors[-part:].max()
    return float(last / first), float(last / max(first, before))


def _told(
    loss: Loss, rule: str, x: Sequence[float], lr: float, factor: float | None
) -> tuple[float | None, float]:
    """The factor that a run predicts, and that of its errors, by their envelope."""
    steps = 1000 if not factor else min(1000, max(24, int(-16 / math.log(abs(factor)))))
    run = _run(loss, rule, x, lr, steps)
    errors = np.linalg.norm(run.history.theta - np.array(x), axis=1)
    part = len(errors) // 8
    tops = [int(k + errors[k : k + 2 * part].argmax()) for k in (part, 6 * part)]
    slope = math.log(errors[tops[1]] / errors[tops[0]]) / (tops[1] - tops[0])
    return run.verdict.rate_predicted, math.exp(slope)


def rows() -> Iterator[Row]:
    """How many limits separate, and how far predicted factors are off."""
    found = [*limits(LOSSES), *limits(LARGE, ("gd", "momentum"))]
    for limit in found:
        if not limit.separates or limit.off > 0.01:
            print(f"  limit: {limit}")
    told = [limit.off for limit in found if limit.predicted is not None]
    yield Row("limits of lr tried at 0.99 and 1.01", len(found), "")
    yield Row("limits that do not separate", sum(not limit.separates for limit in found), "", 0)
    yield Row("predicted factors beside observed ones", len(told), "")
    yield Row("largest difference of the two", 100 * max(told), "%", 1)
