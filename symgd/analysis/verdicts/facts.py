"""What a verdict asks of an ended run: the minimum near its end, and the law of the error."""

from __future__ import annotations

import math
from collections.abc import Sequence

from symgd._locks import cached_property
from symgd.analysis.minima import (
    LossObjective,
    Minimum,
    approached,
    certified_minimum,
    solver_box,
)
from symgd.analysis.stability import LinearRule, linear_rule
from symgd.analysis.verdicts.ended_run import EPS, FLOOR, EndedRun
from symgd.analysis.verdicts.trace import Fall, Point, alternates, fall, modulus, peaks, slope
from symgd.calculus.polynomial import degree, polynomial
from symgd.solvers.newton import evaluate_at

_SAMPLES = 128  # points of a window of the history
_SWINGING = 24  # points of a window whose envelope is compared with a prediction
_SHORTER = 16  # times than the way to a minimum: steps that pass no nearer one by
_SETTLED = 1e-7  # of x: Newton's step at the end of a solver


class Facts(EndedRun):
    """An ended run beside the certified minimum near its end: the error, its law and factors."""

    @cached_property
    def settled(self) -> bool:
        """Whether a further Newton step is rounding: of a minimum, or with a definite Hessian."""
        if self.at_floor or not self.small:
            return self.at_floor
        assert self.loss is not None
        here = evaluate_at(LossObjective(self.loss.internals), self.x, solver_box(self.loss))
        return here.finite and here.definite and here.is_close(_SETTLED, self.start)

    @cached_property
    def near(self) -> Minimum | None:
        """The certified minimum that damped Newton steps reach downhill from the end of the run.

        Where it is farther than the run has come, shorter steps look for one that they passed by.
        """
        found = self._downhill(self.end) if self.tail else None
        if found is None or not self.small or self.quadratic:
            return found
        far = math.dist(found.x, self.end)
        if far <= math.dist(self.start, self.end):
            return found
        assert self.loss is not None
        other = certified_minimum(self.loss, approached(self.loss, self.end, far / _SHORTER))
        nearer = other is not None and math.dist(other.x, self.end) < far
        return other if nearer else found

    def _downhill(self, x: Sequence[float]) -> Minimum | None:
        if self.loss is None or not (self.small or self.large):
            return None
        if self.small:
            return certified_minimum(self.loss, x)
        from symgd.analysis.large_minima import FAR, certified

        if math.hypot(*x) > FAR * (1 + math.hypot(*self.start)):
            return None
        return certified(self.loss, x)

    @cached_property
    def minimum(self) -> Minimum | None:
        """That minimum, or else one that is reached from the start."""
        return self.near or self._downhill(self.start)

    def distance(self, x: Sequence[float]) -> float:
        """The error: how far x is from the minimum near the end."""
        assert self.near is not None
        return math.dist(x, self.near.x)

    @cached_property
    def error(self) -> float:
        """The error at the end of the run."""
        return self.distance(self.end)

    @property
    def at_floor(self) -> bool:
        """Whether the error is as small as rounding lets it be known."""
        if self.near is None:
            return False
        if self.auto:  # losses are compared: their differences vanish with the square of the error
            return self.error <= 8 * math.sqrt(EPS) * (1 + math.hypot(*self.near.x))
        return self.stays_within(FLOOR * self.near.rounding)

    def stays_within(self, limit: float) -> bool:
        """Whether the last errors are at most this; momentum may just pass by."""
        has_state = self.rule is not None and self.rule.state
        last = self.tail[-3:] if has_state else self.tail[-1:]
        return all(self.distance(x) <= limit for _, x in last)

    def window(self, span: int) -> list[Point]:
        """(t, error) over the last so many steps, at most 128 of them."""
        last = self.tail[-1][0]
        if span < len(self.tail):
            pairs = [(t, list(x)) for t, x in self.tail if last - t <= span]
        else:
            pairs = self.history.last(span, _SAMPLES)
        return [(t, e) for t, x in pairs if 0 < (e := self.distance(x)) < math.inf]

    @cached_property
    def fall(self) -> Fall | None:
        """The law of the error over the last part of the run."""
        return fall(self.window, self.steps) if self.near and self.tail else None

    @cached_property
    def errors(self) -> list[list[float]]:
        """The last points minus the minimum."""
        assert self.near is not None
        return [[a - b for a, b in zip(x, self.near.x, strict=True)] for x in self.path]

    @cached_property
    def swings(self) -> bool:
        """Whether each of the last errors points against the one before."""
        return alternates(self.errors)

    @cached_property
    def observed(self) -> float | None:
        """The factor of the error per step, negative where it changes sides; None if unsteady."""
        if self.near is None:
            return None
        steady = (self.lr is not None or bool(self.own_rates)) and not self.auto
        if steady and (found := modulus(self.errors)) is not None:
            return found
        if self.fall is not None and self.fall.law == "geometric":
            return -self.fall.factor if self.swings else self.fall.factor
        return self._envelope if steady else None

    @property
    def _envelope(self) -> float | None:
        """The factor of errors that swing about a geometric law, where it is the predicted one."""
        predicted = self.linear[0]
        window = self.window(self.steps // 2)
        if predicted is None or not abs(predicted) < 1 or len(window) < _SWINGING:
            return None
        found = math.exp(slope(peaks(window)))
        return found if _agree(found, predicted) else None

    @cached_property
    def linear(self) -> tuple[float | None, float | None]:
        """At the minimum: the factor per step at the given lr, the limit of the stable lr.

        None where the linearized rule predicts nothing.
        """
        if self.rule is None or self.minimum is None:
            return None, None
        linear = linear_rule(self.rule, self.hyperparameters)
        values = self.minimum.eigenvalues
        if not values or not linear.applies(values[-1]):
            return None, None
        if self.own_rates:
            return self._by_own_rates(linear), None
        known = self.lr is not None and self.near is not None
        return linear.dominant(values, self.lr) if known else None, linear.limit(values)  # type: ignore[arg-type]

    @cached_property
    def decays(self) -> bool:
        """Whether the rule's weight decay moves theta away from the minimum again."""
        if self.rule is None or self.near is None or not any(self.near.x):
            return False
        return linear_rule(self.rule, self.hyperparameters).decays

    def _by_own_rates(self, linear: LinearRule) -> float | None:
        """The factor per step where each parameter has its own learning rate."""
        if self.loss is None or self.near is None or any(self.held):
            return None
        return linear.whole(self.loss.internals.hess_rows(self.near.x), self.own_rates)

    @cached_property
    def quadratic(self) -> bool:
        """Whether the loss is of degree 2: what is linear near its minimum is so everywhere."""
        if self.loss is None or not self.small or self.loss.internals.box is not None:
            return False
        terms = polynomial(self.loss.internals.root, self.loss.internals.leaves)
        return terms is not None and degree(terms) <= 2

    @cached_property
    def predicted(self) -> float | None:
        """The predicted factor, where the observed one agrees: in the linear regime."""
        predicted, observed = self.linear[0], self.observed
        if not predicted or not observed or not _agree(observed, predicted):
            return None
        return predicted if self.alike else None

    @cached_property
    def alike(self) -> bool:
        """Whether the curvatures at the end and at the minimum agree to a quarter."""
        if self.near is None or not self.eigenvalues:
            return False
        there = self.near.eigenvalues
        if len(there) != len(self.eigenvalues):  # another parameter is held at its bound
            return False
        scale = max(map(abs, there))
        pairs = zip(self.eigenvalues, there, strict=True)
        return all(abs(a - b) <= 0.25 * scale for a, b in pairs)

    def future(self, steps: int) -> list[Point]:
        """(t, error) after each of up to so many steps more; [] where the run cannot go on."""
        if self.ahead is None or steps < 1:
            return []
        return [(t, self.distance(x)) for t, x in self.ahead(steps)]


def _agree(observed: float, predicted: float) -> bool:
    """Whether two factors agree to 1 %, and so do the steps that a digit costs to 20 %."""
    if observed == 0 or predicted == 0:
        return False
    ratio = abs(observed / predicted)
    return (
        abs(ratio - 1) <= 0.01
        and abs(math.log(ratio)) <= 0.2 * abs(math.log(abs(predicted))) + 1e-9
    )
