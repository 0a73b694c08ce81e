"""What is known at the end of a run: the points, the loss and its derivatives there."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from symgd._locks import cached_property
from symgd.analysis import gradient_only
from symgd.analysis.minima import eigenvalues
from symgd.model.history import History
from symgd.model.loss import Loss
from symgd.model.rules import Rule

EPS = 2.0**-52
_DRAWN = 32  # points, over which a rule that draws random numbers moves
FLOOR = 16  # times the rounding error of the minimum: an error below is rounding
_LARGEST = 60  # parameters up to which a Hessian is formed for the verdict,
_LONGEST = 20_000  # and operations of the loss times parameters: about a second of compilation
_MOST_ROWS = 10_000_000  # the same times rows: about a second for a minimum

#: Continues the run by up to so many steps: (t, point) after each, without a trace in its result.
Ahead = Callable[[int], Sequence[tuple[int, Sequence[float]]]]


@dataclass(frozen=True)
class EndedRun:
    """What is known at the end of a run.

    rule: None where a solver ran, for which auto holds. x: the returned point, with its value.
    grad: the gradient there, in bounds the projected one; pull: the gradient as it is. tail: the
    last (step, point) pairs. lr: None where it is no constant. rate_at: a step -> its learning
    rate, of a formula of t. ahead: None where the run cannot be continued. nonfinite, runaway: the
    sentence about the sub-expression that left the numbers, or ""; remedy: what keeps it finite.
    first_loss: the loss at the start. own_rates: the learning rate of each parameter, where they
    differ. auto: a line search chose every learning rate. batches: each step saw some rows only.
    stuck: the step changes nothing. curves_up: a solver that leaves saddles has found no way out of
    the end. reported: the point that the rule returns in place of x.
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
    reported: Sequence[float] | None = None
    nonfinite: str = ""
    remedy: str = ""
    runaway: str = ""

    @property
    def moving(self) -> bool:
        """Whether any of the last steps changed theta.

        Momentum may cancel in a single one, directions that are drawn in some.
        """
        if self.stuck:
            return False
        last = self.path[-_DRAWN if self.rule is not None and self.rule.random else -4 :]
        return any(x != last[-1] for x in last)

    @cached_property
    def trembles(self) -> bool:
        """Whether gradient and steps are rounding errors: at one of many minima, they never end."""
        size = FLOOR * EPS * math.hypot(*self.x)
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

    @property
    def lost(self) -> bool:
        """Whether a solver ran away on a falling loss."""
        size = max(map(abs, self.x), default=0.0)
        return self.rule is None and size > 1e8 * (1 + math.hypot(*self.start))

    @property
    def strides(self) -> list[float]:
        """The lengths of the last steps."""
        return [math.dist(a, b) for a, b in pairwise(self.path)]

    def strides_on(self, steps: int) -> bool:
        """Whether, so many steps later, the steps are as long as now; True where it is not seen."""
        later = [] if self.ahead is None else self.ahead(steps)
        later = later[-max(9, min(33, len(later) // 4)) :]
        last = [math.dist(a, b) for (_, a), (_, b) in pairwise(later)]
        return not last or max(last) >= 0.9 * max(self.strides[-8:], default=0.0)
