"""Why a descent did what it did: the factor per step, observed and predicted, and the verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from symgd.gradient import gradient
from symgd.graph import Graph, Name, Node, trace
from symgd.loss import Loss
from symgd.result import Verdict
from symgd.rules import Rule

_LARGEST = 60  # parameters up to which a Hessian is formed for the verdict,
_LONGEST = 20_000  # and operations of the loss times parameters: about a second of compilation
_SLOW = 0.98  # a digit costs more than 114 steps
_EPS = 2.0**-52


@dataclass(frozen=True)
class Facts:
    """What a verdict is drawn from.

    tail: the last (step, point) pairs. nonfinite, runaway: the sentence about the sub-expression
    that left the numbers, or "". first_loss: the loss at the start.
    """

    loss: Loss | None
    rule: Rule
    hyperparameters: Mapping[str, float]
    lr: float | None
    start: Sequence[float]
    x: Sequence[float]
    grad: Sequence[float]
    value: float
    first_loss: float
    tail: Sequence[tuple[int, Sequence[float]]]
    steps: int
    tol: float | None = None
    converged: bool = False
    interrupted: bool = False
    auto: bool = False  # a line search chose every learning rate
    nonfinite: str = ""
    runaway: str = ""

    @property
    def largest_slope(self) -> float:
        """max|g| at the end."""
        return max(map(abs, self.grad), default=math.nan)

    @cached_property
    def small(self) -> bool:
        """Whether the loss is a formula whose Hessian is cheap enough to look at."""
        if self.loss is None or len(self.x) > _LARGEST:
            return False
        return self.loss.value_program.operations * len(self.x) <= _LONGEST

    @cached_property
    def eigenvalues(self) -> list[float]:
        """Of the Hessian at the returned point, ascending; [] where too large or not finite."""
        return _eigenvalues(self.loss, self.x) if self.loss and self.small else []

    @cached_property
    def near(self) -> Minimum | None:
        """The minimum that Newton's method reaches downhill from the end of the run."""
        return find_minimum(self.loss, self.x) if self.loss and self.small else None

    @cached_property
    def minimum(self) -> Minimum | None:
        """That minimum, or else one that a careful search reaches from the start."""
        if self.near or self.loss is None or not self.small:
            return self.near
        return find_minimum(self.loss, self.start, careful=True)

    @cached_property
    def saddle(self) -> bool:
        """Whether the end is stationary (max|g| <= tol, or exactly 0) and curves downward."""
        if self.loss is None or not self.largest_slope <= (self.tol or 0.0):
            return False
        values = self.eigenvalues
        if not values or values[0] >= -1e-9 * max(1.0, abs(values[-1])):
            return False
        return leads_down(self.loss, self.x, self.value)


def leads_down(loss: Loss, x: Sequence[float], value: float) -> bool:
    """Whether a short way along the most negative curvature the loss is really smaller."""
    direction = [1.0]
    if len(x) > 1:
        import numpy as np

        direction = [float(v) for v in np.linalg.eigh(np.array(loss.hess_rows(x)))[1][:, 0]]
    size = max(1.0, *map(abs, x))
    for length in (1e-4 * size, 1e-3 * size, 1e-2 * size, -1e-4 * size, -1e-3 * size, -1e-2 * size):
        there = loss.evaluate_value(*(v + length * d for v, d in zip(x, direction, strict=True)))[0]
        if there < value - 4 * _EPS * abs(value):
            return True
    return False


@dataclass(frozen=True)
class Minimum:
    """A point with vanishing gradient and positive definite Hessian, and its eigenvalues."""

    x: list[float]
    eigenvalues: list[float]


# -- around a minimum -------------------------------------------------------------------------


def find_minimum(
    loss: Loss, x: Sequence[float], careful: bool = False, iterations: int = 60
) -> Minimum | None:
    """The minimum that Newton's method reaches from x, if it goes downhill all the way.

    careful: flip the sign of negative curvatures and shorten steps, so as to get there from afar.
    """
    point = [float(v) for v in x]
    value, *grad = loss.evaluate(*point)
    before = math.inf
    for _ in range(iterations):
        if not _all_finite([value, *grad]):
            return None
        step = _newton(loss.hess_rows(point), grad, careful)
        if step is None:
            return None
        length, size = math.hypot(*step), math.hypot(*point)
        close = length <= 1e-9 * max(size, 1e-9 * math.hypot(*x))
        if close or length == 0:
            # Newton's steps shrink ever faster at a minimum, but only by a constant factor where
            # the curvature vanishes with the gradient (x**4 at 0): that is none to linearize at.
            values = _eigenvalues(loss, point)
            good = bool(values) and values[0] > 1e-12 * abs(values[-1])
            return Minimum(point, values) if good and length <= 0.05 * before else None
        for _ in range(40 if careful else 1):
            new = [p - s for p, s in zip(point, step, strict=True)]
            new_value, *grad = loss.evaluate(*new)
            downhill = new_value <= value + abs(value) * 1e-12
            if downhill:
                break
            step = [0.5 * s for s in step]
        if not downhill:
            return None
        point, value, before = new, new_value, length
    return None


def _newton(rows: list[list[float]], grad: Sequence[float], careful: bool) -> list[float] | None:
    """The Newton step, or None where the Hessian is not positive definite (nor made so)."""
    if not _all_finite([v for row in rows for v in row]):
        return None
    if len(rows) == 1:
        curvature = abs(rows[0][0]) if careful else rows[0][0]
        return [grad[0] / curvature] if curvature > 0 else None
    import numpy as np

    values, vectors = np.linalg.eigh(np.array(rows))
    if careful:
        values = np.maximum(np.abs(values), 1e-10 * np.abs(values).max())
    if not values[0] > 0:
        return None
    return [float(v) for v in vectors @ ((vectors.T @ np.array(grad)) / values)]


def _eigenvalues(loss: Loss, x: Sequence[float]) -> list[float]:
    rows = loss.hess_rows(x)
    if not _all_finite([v for row in rows for v in row]):
        return []
    if len(rows) == 1:
        return [rows[0][0]]
    import numpy as np

    return [float(v) for v in np.linalg.eigvalsh(np.array(rows))]


# -- the rule as a linear map -----------------------------------------------------------------


class LinearRule:
    """A rule near a minimum: on the error along one eigenvector of the Hessian, a linear map.

    With g = curvature * error, one step takes (error, state) to J (error, state); J is the
    Jacobian of the rule's own equations at error = state = 0 in the long run (t -> infinity),
    from the same reverse sweep as any gradient. B. Polyak, 1964, does this by hand for the heavy
    ball.
    """

    def __init__(self, rule: Rule, hyperparameters: Mapping[str, float]) -> None:
        graph = Graph()
        names = ["error", "curvature", "lr", "t", *rule.state, *rule.hyperparameters]
        nodes: dict[str, Node] = {n: graph.atom(Name(f"a{k}", n)) for k, n in enumerate(names)}
        slope = graph.mul(nodes["curvature"], nodes["error"])
        state = {name: [nodes[name]] for name in rule.state}
        shared = {n: nodes[n] for n in ("lr", "t", *rule.hyperparameters)}
        theta, after = rule.step(graph, [nodes["error"]], [slope], state, shared)
        results = [*theta, *(after[name][0] for name in rule.state)]
        wrt = [nodes["error"], *(nodes[name] for name in rule.state)]
        self._rows = [gradient(graph, result, wrt) for result in results]
        self._nodes = nodes
        self._fixed = {nodes[n]: 0.0 for n in ("error", *rule.state)}
        self._fixed |= {nodes["t"]: 1e9}
        self._fixed |= {nodes[n]: hyperparameters[n] for n in rule.hyperparameters}

    def jacobian(self, curvature: float, lr: float) -> list[list[float]]:
        """J: (1 + states, 1 + states), at this curvature and learning rate."""
        at = self._fixed | {self._nodes["curvature"]: curvature, self._nodes["lr"]: lr}
        entries = [entry for row in self._rows for entry in row]
        found = trace(entries, at)
        return [[float(found[id(e)]) for e in row] for row in self._rows]

    def factor(self, curvature: float, lr: float) -> float:
        """What one step multiplies the error by in the long run, signed where that is real."""
        rows = self.jacobian(curvature, lr)
        if len(rows) == 1 or not _all_finite([v for row in rows for v in row]):
            return rows[0][0]
        import numpy as np

        values = np.linalg.eigvals(np.array(rows))
        largest = values[np.argmax(np.abs(values))]
        return float(largest.real) if abs(largest.imag) < 1e-12 else float(abs(largest))

    def dominant(self, eigenvalues: Sequence[float], lr: float) -> float:
        """The factor of largest magnitude over the eigenvectors."""
        return max((self.factor(v, lr) for v in eigenvalues), key=abs)

    def limit(self, eigenvalues: Sequence[float]) -> float | None:
        """The least upper bound of the stable learning rates, or None if all or none are stable."""
        ends = [eigenvalues[0], eigenvalues[-1]]
        if len(self._rows) == 1:
            slopes = [self.factor(v, 1.0) - self.factor(v, 0.0) for v in ends]
            straight = all(
                math.isclose(self.factor(v, 2.0) - self.factor(v, 0.0), 2 * s, rel_tol=1e-9)
                for v, s in zip(ends, slopes, strict=True)
            )
            if straight and min(slopes) < 0 and all(self.factor(v, 0.0) == 1.0 for v in ends):
                return 2.0 / -min(slopes)
        high = 1.0 / max(map(abs, ends))
        for _ in range(200):
            if abs(self.dominant(ends, high)) >= 1:
                break
            high *= 2
        else:
            return None
        low = high
        for _ in range(200):
            low /= 2
            if abs(self.dominant(ends, low)) < 1:
                break
        else:
            return None
        for _ in range(60):
            middle = 0.5 * (low + high)
            if abs(self.dominant(ends, middle)) < 1:
                low = middle
            else:
                high = middle
        return 0.5 * (low + high)


@dataclass(frozen=True)
class Prediction:
    """At a minimum: the factor per step at the given lr, and the largest stable lr."""

    rate: float | None
    lr_max: float | None


def predict(facts: Facts) -> Prediction | None:
    """The prediction at the facts' minimum, where linearizing the rule says anything."""
    if not facts.rule.smooth or facts.minimum is None:
        return None
    linear = LinearRule(facts.rule, facts.hyperparameters)
    values = facts.minimum.eigenvalues
    probe = linear.jacobian(values[-1], 1e-3 / values[-1])
    if not _all_finite([v for row in probe for v in row]):
        return None  # adam's square root of a second moment that is 0 at the minimum, for example
    far = facts.near is None
    rate = None if facts.lr is None or far else linear.dominant(values, facts.lr)
    return Prediction(rate, linear.limit(values))


# -- what was seen ----------------------------------------------------------------------------


def observed_rate(tail: Sequence[tuple[int, Sequence[float]]]) -> float | None:
    """The factor by which successive steps shrink, from the last ones: signed, or None.

    Steps that are rounding noise, or zero, say nothing. In the long run differences of iterates
    shrink like the error itself.
    """
    points = [x for _, x in tail]
    steps = [[b - a for a, b in zip(p, q, strict=True)] for p, q in pairwise(points)]
    sizes = [math.hypot(*s) for s in steps]
    noise = [16 * _EPS * math.hypot(*p) for p in points[1:]]
    last = len(steps)
    while last and not sizes[last - 1] > noise[last - 1]:
        last -= 1
    first = last
    while first and sizes[first - 1] > noise[first - 1] and math.isfinite(sizes[first - 1]):
        first -= 1
    if last - first < 2:
        return None
    return _rate_of(steps[first:last], sizes[first:last])


def _rate_of(steps: Sequence[Sequence[float]], sizes: Sequence[float]) -> float:
    """The factor per step of a sequence of steps: one mode, a pair of modes, or the trend."""
    unit = [[v / size for v in step] for step, size in zip(steps, sizes, strict=True)]
    grown = [b / a for a, b in pairwise(sizes)]  # sizes[k + 1]/sizes[k]
    turn = [_dot(a, b) for a, b in pairwise(unit)]
    single = sum(t * r for t, r in zip(turn[-8:], grown[-8:], strict=True)) / len(turn[-8:])
    misfit = sum(
        r * r * (1 - t * t) + (t * r - single) ** 2
        for t, r in zip(turn[-8:], grown[-8:], strict=True)
    )
    if misfit <= 1e-6 * sum(r * r for r in grown[-8:]):
        return single
    if len(steps) >= 4 and (pair := _pair_of_modes(unit, grown)) is not None:
        return pair
    count = len(sizes)
    mean = (count - 1) / 2
    logs = [math.log(s) for s in sizes]
    trend = sum((k - mean) * v for k, v in enumerate(logs)) / sum(
        (k - mean) ** 2 for k in range(count)
    )
    return math.copysign(math.exp(trend), -1.0 if max(turn[-8:]) < 0 else 1.0)


def _pair_of_modes(unit: Sequence[Sequence[float]], grown: Sequence[float]) -> float | None:
    """The factor of steps that obey d'' = p*d' - q*d, as heavy balls do along one direction."""
    rows = []
    for k in range(max(0, len(unit) - 12), len(unit) - 2):
        # in units of the middle step
        rows.append(
            (unit[k + 1], [v / grown[k] for v in unit[k]], [v * grown[k + 1] for v in unit[k + 2]])
        )
    aa = sum(_dot(m, m) for m, _, _ in rows)
    ab = sum(_dot(m, b) for m, b, _ in rows)
    bb = sum(_dot(b, b) for _, b, _ in rows)
    ac = sum(_dot(m, n) for m, _, n in rows)
    bc = sum(_dot(b, n) for _, b, n in rows)
    det = aa * bb - ab * ab
    if not det > 1e-9 * aa * bb:
        return None
    p, q = (ac * bb - bc * ab) / det, (ac * ab - bc * aa) / det
    misfit = sum(
        (z - p * y + q * x) ** 2
        for middle, before, after in rows
        for x, y, z in zip(before, middle, after, strict=True)
    )
    if misfit > 1e-6 * sum(_dot(n, n) for _, _, n in rows):
        return None
    inside = p * p / 4 - q
    if inside < 0:
        return math.sqrt(q)
    return p / 2 + math.copysign(math.sqrt(inside), p)


def _dot(a: Sequence[float], b: Sequence[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


# -- the verdict ------------------------------------------------------------------------------


def verdict(facts: Facts) -> Verdict:
    """The verdict of a finished run."""
    if facts.interrupted:
        return Verdict("converging", f"interrupted: the best of {facts.steps} steps is shown")
    if facts.nonfinite:
        return Verdict("nonfinite", f"not finite: {facts.nonfinite}")
    seen = observed_rate(facts.tail)
    told = predict(facts)
    rate, limit = (told.rate, told.lr_max) if told else (None, None)
    kind, sentence = _judge(facts, seen, told)
    return Verdict(kind, sentence, rate, seen, limit)


def _judge(facts: Facts, seen: float | None, told: Prediction | None) -> tuple[str, str]:
    stable = "" if facts.auto else _stable(told)
    slope = facts.largest_slope
    if facts.runaway:
        return "diverging", f"diverging: {facts.runaway}{_growth(seen)}{stable}"
    if facts.converged:
        how = f"converged: max|g| = {slope:.3g}"
        if facts.saddle:
            return (
                "flat",
                f"stationary, but not a minimum: max|g| = {slope:.3g}, {_downhill(facts)}",
            )
        return "converged", how + _each(seen) + _doubt(facts) + stable
    if slope == 0:
        return _at_rest(facts, stable)
    if seen is None or (facts.auto and _at_floor(facts)):
        return _without_rate(facts, stable)
    size = abs(seen)
    if size > 1.0 + 1e-6 and _runs_away(facts):
        why = (
            "" if facts.value > facts.first_loss else "; the loss falls without a minimum in sight"
        )
        return "diverging", f"diverging: each step multiplies the error by {seen:.6g}{why}{stable}"
    if seen < 0 and size >= _SLOW:
        text = f"oscillating: each step multiplies the error by {seen:.6g}"
        return "oscillating", f"{text}: it jumps from side to side{stable}"
    predicted = _predicted(told)
    if size > 1.0 + 1e-6:
        return "converging", f"on its way: each step is {seen:.6g} times the one before{stable}"
    if size > 1.0 - 1e-6:
        return "slow", f"slow: the steps do not get shorter, no minimum is in sight yet{stable}"
    if size >= _SLOW:
        digit = f"one more digit costs {math.log(10) / -math.log(size):.0f} steps"
        return "slow", f"slow: each step keeps {seen:.6g} of the error{predicted}; {digit}{stable}"
    return (
        "converging",
        f"converging: each step multiplies the error by {seen:.6g}{predicted}{stable}",
    )


def _at_rest(facts: Facts, stable: str) -> tuple[str, str]:
    values = facts.eigenvalues
    if facts.saddle:
        return "flat", f"at rest, but not at a minimum: the gradient is 0 and {_downhill(facts)}"
    if values and values[0] > 0:
        return "converged", f"converged: the gradient is exactly 0 at a minimum{stable}"
    return "flat", "flat: the gradient is exactly 0 here, so no step moves"


def _without_rate(facts: Facts, stable: str) -> tuple[str, str]:
    slope = facts.largest_slope
    if facts.steps == 0:
        return "flat", f"no step was taken: max|g| = {slope:.3g} at the start{stable}"
    moved = max((abs(b - a) for a, b in zip(facts.start, facts.x, strict=True)), default=0.0)
    if moved == 0:
        return "flat", f"flat: max|g| = {slope:.3g}, too small to move theta{stable}"
    values = facts.eigenvalues
    if values and values[0] > 0 and facts.steps > 2:
        return "converged", f"converged to rounding: max|g| = {slope:.3g}{stable}"
    return "converging", f"too few steps to tell: max|g| = {slope:.3g}{stable}"


def _at_floor(facts: Facts) -> bool:
    """Whether the end is as close to a minimum as a comparison of losses can tell."""
    near = facts.near
    if near is None:
        return False
    gap = math.hypot(*(a - b for a, b in zip(facts.x, near.x, strict=True)))
    return gap <= 8 * math.sqrt(_EPS) * (1 + math.hypot(*near.x))


def _runs_away(facts: Facts) -> bool:
    if facts.value > facts.first_loss:
        return True
    if facts.auto or (facts.eigenvalues and facts.eigenvalues[0] >= 0):
        return False  # a long way down a valley, not away from a summit
    moved = max((abs(b - a) for a, b in zip(facts.start, facts.x, strict=True)), default=0.0)
    return moved > 100 * (1 + max(map(abs, facts.start), default=0.0))


def _each(seen: float | None) -> str:
    return "" if seen is None else f"; each step multiplied the error by {seen:.6g}"


def _growth(seen: float | None) -> str:
    return "" if seen is None else f"; each step was {abs(seen):.6g} times the one before"


def _predicted(told: Prediction | None) -> str:
    if told is None or told.rate is None:
        return ""
    return f" (predicted {told.rate:.6g})"


def _stable(told: Prediction | None) -> str:
    if told is None or told.lr_max is None:
        return ""
    return f"; stable for 0 < lr < {told.lr_max:.6g}"


def _doubt(facts: Facts) -> str:
    if not facts.small or facts.near is not None:
        return ""
    return "; no minimum is confirmed there: the curvature vanishes or the loss has a kink"


def _downhill(facts: Facts) -> str:
    return f"the loss curves downward (smallest curvature {facts.eigenvalues[0]:.6g})"


def _all_finite(values: Sequence[float]) -> bool:
    return all(map(math.isfinite, values))
