"""What a verdict is drawn from: the run, the minimum near its end, and what comes after its end."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from symgd._locks import cached_property
from symgd.analysis import gradient_only
from symgd.analysis.minima import (
    LossObjective,
    Minimum,
    certified_minimum,
    eigenvalues,
    solver_box,
)
from symgd.analysis.stability import LinearRule, linear_rule
from symgd.analysis.verdicts.trace import Fall, Point, alternates, fall, modulus, peaks, slope
from symgd.calculus.polynomial import degree, polynomial
from symgd.model.history import History
from symgd.model.loss import Loss
from symgd.model.rules import Rule
from symgd.solvers.newton import evaluate_at

_EPS = 2.0**-52
_LARGEST = 60  # parameters up to which a Hessian is formed for the verdict,
_LONGEST = 20_000  # and operations of the loss times parameters: about a second of compilation
_MOST_ROWS = 10_000_000  # the same times rows: about a second for a minimum
_SAMPLES = 128  # points of a window of the history
_SWINGING = 24  # points of a window whose envelope is compared with a prediction
_SETTLED = 1e-7  # of x: Newton's step at the end of a solver
_FLOOR = 16  # times the rounding error of the minimum: an error below is rounding

#: Continues the run by up to so many steps: (t, point) after each, without a trace in its result.
Ahead = Callable[[int], Sequence[tuple[int, Sequence[float]]]]


@dataclass(frozen=True)
class Facts:
    """What is known at the end of a run.

    rule: None where a solver ran, for which auto holds. x: the returned point, with its value.
    grad: the gradient there, in bounds the projected one; pull: the gradient as it is. tail: the
    last (step, point) pairs. lr: None where it is no constant. rate_at: a step -> its learning
    rate, of a formula of t. ahead: None where the run cannot be continued. nonfinite, runaway: the
    sentence about the sub-expression that left the numbers, or ""; remedy: what keeps it finite.
    first_loss: the loss at the start. own_rates: the learning rate of each parameter, where they
    differ. auto: a line search chose every learning rate. batches: each step saw some rows only.
    stuck: the step changes nothing. curves_up: a solver that leaves saddles has found no way out of
    the end.
    """

    loss: Loss | None
    rule: Rule | None
    hyperparameters: Mapping[str, float]
    lr: float | None
    start: Sequence[float]
    x: Sequence[float]
    grad: Sequence[float]
    pull: Sequence[float]
    value: float
    first_loss: float
    evaluate: gradient_only.Evaluate
    tail: Sequence[tuple[int, Sequence[float]]]
    history: History
    steps: int
    own_rates: tuple[float, ...] = ()
    rate_at: Callable[[int], float] | None = None
    ahead: Ahead | None = None
    tol: float | None = None
    converged: bool = False
    stuck: bool = False
    interrupted: bool = False
    auto: bool = False
    batches: bool = False
    curves_up: bool = False
    nonfinite: str = ""
    remedy: str = ""
    runaway: str = ""

    @property
    def moving(self) -> bool:
        """Whether any of the last steps changed theta; momentum may cancel in a single one."""
        if self.stuck:
            return False
        last = self.path[-4:]
        return any(x != last[-1] for x in last)

    @cached_property
    def trembles(self) -> bool:
        """Whether gradient and steps are rounding errors: at one of many minima, they never end."""
        size = _FLOOR * _EPS * math.hypot(*self.x)
        if self.loss is None or not max(self.strides[-4:], default=0.0) <= size:
            return False
        return self.slope <= size * max(map(abs, self.eigenvalues), default=0.0)

    @property
    def slope(self) -> float:
        """max|g| at the returned point."""
        return max(map(abs, self.grad), default=math.nan)

    @cached_property
    def held(self) -> list[bool]:
        """Of each parameter, whether it is at a bound and the gradient points out of the box."""
        box = None if self.loss is None else self.loss.internals.box
        return [] if box is None else box.held(self.x, self.pull)

    @cached_property
    def end(self) -> list[float]:
        """The last point of the run; of an interrupted run another one may be returned."""
        return [float(v) for v in (self.tail[-1][1] if len(self.tail) else self.x)]

    @cached_property
    def path(self) -> list[list[float]]:
        """The last points."""
        return [[float(v) for v in x] for _, x in self.tail]

    @cached_property
    def small(self) -> bool:
        """Whether the loss is a formula whose Hessian is cheap enough to look at."""
        if self.loss is None or len(self.x) > _LARGEST:
            return False
        internals = self.loss.internals
        work = internals.value_program.operations * len(self.x)
        if self.loss.table is None or not internals.value_program.loops:
            return work <= _LONGEST
        return work <= _LONGEST and work * self.loss.table.rows <= _MOST_ROWS

    @cached_property
    def large(self) -> bool:
        """Whether products of the Hessian with vectors stand for it."""
        if self.loss is None or self.small or len(self.x) == 1:
            return False
        from symgd.analysis.large_minima import most_products

        return most_products(self.loss) > 0

    @cached_property
    def eigenvalues(self) -> list[float]:
        """Of the Hessian at the returned point, ascending; [] where not known or not finite.

        Of a large one the ends only.
        """
        if self.loss is None:
            return gradient_only.eigenvalues(self.evaluate, self.x)
        if self.large:
            from symgd.analysis.large_minima import curvature_ends

            ends = curvature_ends(self.loss, self.x)
            return [] if ends is None else [ends.low, ends.high]
        return eigenvalues(self.loss, self.x) if self.small else []

    @cached_property
    def climbed(self) -> bool:
        """Whether the loss is above that at the start."""
        if self.loss is None and math.isnan(self.value):
            return gradient_only.rise(self.evaluate, self.start, self.x) > 0
        return self.value > self.first_loss

    @cached_property
    def far(self) -> bool:
        """Whether the run moved more than a hundred times the size of its start."""
        moved = max((abs(b - a) for a, b in zip(self.start, self.x, strict=True)), default=0.0)
        return moved > 100 * (1 + max(map(abs, self.start), default=0.0))

    @cached_property
    def settled(self) -> bool:
        """Whether a further Newton step is rounding: of a minimum, or with a definite Hessian."""
        if self.at_floor or not self.small:
            return self.at_floor
        assert self.loss is not None
        here = evaluate_at(LossObjective(self.loss.internals), self.x, solver_box(self.loss))
        return here.finite and here.definite and here.is_close(_SETTLED, self.start)

    @property
    def lost(self) -> bool:
        """Whether a solver ran away on a falling loss."""
        size = max(map(abs, self.x), default=0.0)
        return self.rule is None and size > 1e8 * (1 + math.hypot(*self.start))

    @cached_property
    def near(self) -> Minimum | None:
        """The certified minimum that damped Newton steps reach downhill from the end of the run."""
        return self._downhill(self.end) if self.tail else None

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
            return self.error <= 8 * math.sqrt(_EPS) * (1 + math.hypot(*self.near.x))
        return self.stays_within(_FLOOR * self.near.rounding)

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

    @property
    def strides(self) -> list[float]:
        """The lengths of the last steps."""
        return [math.dist(a, b) for a, b in pairwise(self.path)]

    def strides_on(self, steps: int) -> bool:
        """Whether, so many steps later, the steps are as long as now; True where it is not seen."""
        later = [] if self.ahead is None else self.ahead(steps)[-9:]
        last = [math.dist(a, b) for (_, a), (_, b) in pairwise(later)]
        return not last or max(last) >= 0.9 * max(self.strides[-8:], default=0.0)

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
