"""Why a descent did what it did: the factor per step, observed and predicted, and the verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from symgd._locks import cached_property
from symgd.analysis import gradient_only
from symgd.analysis.minima import Minimum, eigenvalues, find_minimum, leads_down, steepest_curve
from symgd.analysis.observed_rate import observed_rate
from symgd.analysis.stability import linear_rule
from symgd.model.loss import Loss
from symgd.model.result import Verdict
from symgd.model.rules import Rule
from symgd.names import escape

_LARGEST = 60  # parameters up to which a Hessian is formed for the verdict,
_LONGEST = 20_000  # and operations of the loss times parameters: about a second of compilation
_MOST_ROWS = 10_000_000  # the same times rows: about a second for a minimum
_FLAT = 1e-6  # a slope at which a run that contracts is as good as there
_SLOW = 0.98  # a digit costs more than 114 steps
_EPS = 2.0**-52


@dataclass(frozen=True)
class Facts:
    """What a verdict is drawn from.

    tail: the last (step, point) pairs. nonfinite, runaway: the sentence about the sub-expression
    that left the numbers, or ""; remedy: what keeps it finite. first_loss: the loss at the start.
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
    evaluate: gradient_only.Evaluate
    tail: Sequence[tuple[int, Sequence[float]]]
    steps: int
    tol: float | None = None
    converged: bool = False
    interrupted: bool = False
    auto: bool = False  # a line search chose every learning rate
    batches: bool = False  # each step saw some rows of the data only
    nonfinite: str = ""
    remedy: str = ""
    runaway: str = ""

    @property
    def moving(self) -> bool:
        """Whether the last step changed theta."""
        if len(self.tail) < 2:
            return False
        return any(a != b for a, b in zip(self.tail[-2][1], self.tail[-1][1], strict=True))

    @property
    def largest_slope(self) -> float:
        """max|g| at the end."""
        return max(map(abs, self.grad), default=math.nan)

    @cached_property
    def small(self) -> bool:
        """Whether the loss is a formula whose Hessian is cheap enough to look at."""
        if self.loss is None or len(self.x) > _LARGEST:
            return False
        work = self.loss.internals.value_program.operations * len(self.x)
        table = self.loss.table
        if table is None or not self.loss.internals.value_program.loops:
            return work <= _LONGEST
        return work <= _LONGEST and work * table.rows <= _MOST_ROWS

    @cached_property
    def eigenvalues(self) -> list[float]:
        """Of the Hessian at the returned point, ascending; [] where too large or not finite."""
        if self.loss is None:
            return gradient_only.eigenvalues(self.evaluate, self.x)
        return eigenvalues(self.loss, self.x) if self.small else []

    @cached_property
    def climbed(self) -> bool:
        """Whether the loss is above that at the start."""
        if self.loss is None and math.isnan(self.value):
            return gradient_only.rise(self.evaluate, self.start, self.x) > 0
        return self.value > self.first_loss

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
        if not self.largest_slope <= (self.tol or 0.0):
            return False
        values = self.eigenvalues
        if not values or values[0] >= -1e-9 * max(1.0, abs(values[-1])):
            return False
        if self.loss is None:
            return gradient_only.leads_down(self.evaluate, self.x)
        return leads_down(self.loss, self.x, self.value)


@dataclass(frozen=True)
class Prediction:
    """At a minimum: the factor per step at the given lr, and the largest stable lr."""

    rate: float | None
    lr_max: float | None


def predict(facts: Facts) -> Prediction | None:
    """The prediction at the nearby minimum; None where the linearized rule predicts nothing."""
    if not facts.rule.smooth or facts.minimum is None:
        return None
    linear = linear_rule(facts.rule, facts.hyperparameters)
    values = facts.minimum.eigenvalues
    if not linear.applies(values[-1]):
        return None
    rate = None
    if facts.lr is not None and facts.near is not None and _like(facts.eigenvalues, values):
        rate = linear.dominant(values, facts.lr)
    return Prediction(rate, linear.limit(values))


def _like(here: Sequence[float], there: Sequence[float]) -> bool:
    """Whether the curvatures at two points agree to a quarter, so one prediction serves both."""
    if not here:
        return False
    scale = max(map(abs, there))
    return all(abs(a - b) <= 0.25 * scale for a, b in zip(here, there, strict=True))


def verdict(facts: Facts) -> Verdict:
    """The verdict of a finished run."""
    if facts.nonfinite:
        return Verdict("nonfinite", f"not finite: {facts.nonfinite}", advice=facts.remedy)
    if facts.batches and not (facts.runaway or facts.converged):
        return _on_batches(facts)
    observed = observed_rate(facts.tail)
    prediction = predict(facts)
    rate, limit = (prediction.rate, prediction.lr_max) if prediction else (None, None)
    kind, sentence = _judge(facts, observed, prediction)
    if facts.interrupted:
        sentence = f"interrupted; until then {sentence}"
    return Verdict(kind, sentence, rate, observed, limit)


def _on_batches(facts: Facts) -> Verdict:
    """What can be said of noisy steps: the loss over all rows, at the start and at the end."""
    assert facts.loss is not None
    before = facts.loss.internals.evaluate_value(*facts.start)[0]
    change = f"over all rows the loss went from {before:.6g} to {facts.value:.6g}"
    kind = "diverging" if facts.value > before else "converging"
    return Verdict(kind, f"{kind}: {change}; max|g| = {facts.largest_slope:.3g}")


def _judge(facts: Facts, observed: float | None, prediction: Prediction | None) -> tuple[str, str]:
    stable = "" if facts.auto else _stable(facts, prediction)
    slope = facts.largest_slope
    if facts.runaway:
        return "diverging", f"diverging: {facts.runaway}{_growth(observed)}{stable}"
    if facts.converged:
        how = f"converged: max|g| = {slope:.3g}"
        if facts.saddle:
            return (
                "flat",
                f"stationary, but not a minimum: max|g| = {slope:.3g}, {_downhill(facts)}",
            )
        return "converged", how + _each(None if facts.auto else observed) + _doubt(facts) + stable
    if slope == 0 and not facts.moving:
        return _at_rest(facts, stable)
    if observed is None or (facts.auto and _at_floor(facts)):
        return _without_rate(facts, prediction, stable)
    size = abs(observed)
    if size > 1.0 + 1e-6 and _runs_away(facts):
        why = "" if facts.climbed else "; the loss falls without a minimum in sight"
        return (
            "diverging",
            f"diverging: each step multiplies the error by {observed:.6g}{why}{stable}",
        )
    if observed < 0 and size >= _SLOW:
        text = f"oscillating: each step multiplies the error by {observed:.6g}"
        return "oscillating", f"{text}: it jumps from side to side{stable}"
    predicted = _predicted(prediction) + _to_a_saddle(facts)
    if size > 1.0 + 1e-6:
        return "converging", f"on its way: each step is {observed:.6g} times the one before{stable}"
    if size > 1.0 - 1e-6:
        return "slow", f"slow: the steps do not get shorter, no minimum is in sight yet{stable}"
    if size >= _SLOW:
        digit = f"one more digit costs {math.log(10) / -math.log(size):.0f} steps"
        return (
            "slow",
            f"slow: each step keeps {observed:.6g} of the error{predicted}; {digit}{stable}",
        )
    return (
        "converging",
        f"converging: each step multiplies the error by {observed:.6g}{predicted}{stable}",
    )


def _to_a_saddle(facts: Facts) -> str:
    """The remark for a run that ends where the loss curves downward."""
    values = facts.eigenvalues
    if not facts.largest_slope <= _FLAT or not values or values[0] >= -1e-9 * max(1.0, values[-1]):
        return ""
    return f", but not to a minimum: {_downhill(facts)}"


def _at_rest(facts: Facts, stable: str) -> tuple[str, str]:
    values = facts.eigenvalues
    if facts.saddle:
        return "flat", f"at rest, but not at a minimum: the gradient is 0 and {_downhill(facts)}"
    if values and values[0] > 0:
        return "converged", f"converged: the gradient is exactly 0 at a minimum{stable}"
    return "flat", "flat: the gradient is exactly 0 here, so no step moves"


def _without_rate(facts: Facts, prediction: Prediction | None, stable: str) -> tuple[str, str]:
    slope = f"max|g| = {facts.largest_slope:.3g}"
    if facts.steps == 0:
        return "flat", f"no step was taken: {slope} at the start{stable}"
    if _at_floor(facts):
        return "converging", f"as near to the minimum as rounding allows: {slope}{stable}"
    if not facts.moving:
        why = "theta no longer moves: a fixed point of the rule, or steps too small for a double"
        return "flat", f"at rest though {slope}: {why}{stable}"
    if prediction is not None and prediction.rate is not None and abs(prediction.rate) > 1:
        return (
            "diverging",
            f"diverging: each step multiplies the error by {prediction.rate:.6g}{stable}",
        )
    return "converging", f"no steady factor in the last steps: {slope}{stable}"


def _at_floor(facts: Facts) -> bool:
    """Whether the end is as close to a minimum as a comparison of losses can tell."""
    near = facts.near
    if near is None:
        return False
    gap = math.hypot(*(a - b for a, b in zip(facts.x, near.x, strict=True)))
    return gap <= 8 * math.sqrt(_EPS) * (1 + math.hypot(*near.x))


def _runs_away(facts: Facts) -> bool:
    if facts.climbed:
        return True
    if facts.eigenvalues and facts.eigenvalues[0] >= 0:
        return False  # a long way down a valley, not away from a summit
    far = 1e8 if facts.auto else 100
    moved = max((abs(b - a) for a, b in zip(facts.start, facts.x, strict=True)), default=0.0)
    return moved > far * (1 + max(map(abs, facts.start), default=0.0))


def _each(observed: float | None) -> str:
    return "" if observed is None else f"; each step multiplied the error by {observed:.6g}"


def _growth(observed: float | None) -> str:
    return "" if observed is None else f"; each step was {abs(observed):.6g} times the one before"


def _predicted(prediction: Prediction | None) -> str:
    if prediction is None or prediction.rate is None:
        return ""
    return f" (predicted {prediction.rate:.6g})"


def _stable(facts: Facts, prediction: Prediction | None) -> str:
    if (
        prediction is None
        or prediction.lr_max is None
        or facts.loss is None
        or facts.minimum is None
    ):
        return ""
    limit = f"; stable for 0 < lr < {prediction.lr_max:.6g}"
    if prediction.rate is not None:
        return limit
    pairs = zip(facts.loss.params, facts.minimum.x, strict=True)
    place = ", ".join(f"{escape(name)} = {value:.4g}" for name, value in pairs)
    return f"{limit} at the minimum {place}" if len(facts.x) <= 3 else f"{limit} at its minimum"


def _doubt(facts: Facts) -> str:
    if not facts.small or facts.near is not None:
        return ""
    return "; no minimum is confirmed there: the curvature vanishes or the loss has a kink"


def _downhill(facts: Facts) -> str:
    curve = f"the loss curves downward (smallest curvature {facts.eigenvalues[0]:.6g})"
    if facts.loss is None or not 1 < len(facts.x) <= 6:
        return curve
    along = zip(facts.loss.params, steepest_curve(facts.loss, facts.x), strict=True)
    way = ", ".join(f"{escape(name)} {d:+.3g}" for name, d in along if d)
    return f"{curve}; the way out is along {way} or its opposite"
