"""The verdict on a descent over so many parameters that no path of theta is kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

from symgd._locks import cached_property
from symgd._numpy import NDArray, np
from symgd.analysis.large_minima import certified, most_products
from symgd.analysis.smooth_loss import SmoothLoss
from symgd.analysis.stability import linear_rule
from symgd.analysis.verdicts.sentences import part, tell
from symgd.analysis.verdicts.stationary import far_down, stays_down
from symgd.backends.step_checks import Stop
from symgd.descent.kernel import Run, largest_of, norm_of
from symgd.model.loss import Loss
from symgd.model.result import Status, Verdict
from symgd.model.rules import Rule

Floats: TypeAlias = "NDArray[np.float64]"

_FLOOR = 16  # times the rounding error of the minimum: an error below is rounding


@dataclass
class LongEnd:
    """How a run ended, after so many steps at a point of this value and gradient.

    at_start: the loss there, where the history has those of batches. cause: what was not finite.
    """

    run: Run
    steps: int
    status: Status | None
    stop: Stop | None
    at_start: float | None = None
    value: float = math.nan
    grad: Any = None
    cause: str = ""

    @cached_property
    def slope(self) -> float:
        """max|g|."""
        return largest_of(self.grad)

    @property
    def first(self) -> float:
        """The loss at the start."""
        if self.at_start is not None:
            return self.at_start
        return self.run.history.loss_at(0) if len(self.run.history) else math.nan

    @property
    def found(self) -> Status:
        """The status."""
        if self.status is not None:
            return self.status
        if self.stop is Stop.CONVERGED:
            return Status.CONVERGED
        if self.stop in (Stop.STUCK, Stop.NO_DESCENT):
            return Status.STALLED
        if self.value > self.first and self._rises:
            return Status.DIVERGED
        return Status.COMPLETED if self.run.tol is None else Status.MAX_STEPS

    @property
    def _rises(self) -> bool:
        """Whether the loss rose in each of the last rows."""
        last = [row.loss for row in self.run.history[-8:]]
        return all(b > a for a, b in pairwise(last))


@dataclass(frozen=True)
class Nearest:
    """The certified minimum downhill of the end: how far it is, and the limit of lr there."""

    distance: float
    rounding: float
    lr_max: float | None


def nearest(
    loss: Loss | None, x: Floats, rule: Rule | None, values: Mapping[str, float]
) -> Nearest | None:
    """That of the end x. loss: None where none is looked for: in bounds, and of batches."""
    minimum = certified(loss, x) if loss is not None and most_products(loss) else None
    if minimum is None:
        return None
    limit = None
    if rule is not None and minimum.eigenvalues:
        linear = linear_rule(rule, {n: v for n, v in values.items() if "[" not in n})
        if linear.applies(minimum.eigenvalues[-1]):
            limit = linear.limit(minimum.eigenvalues)
    return Nearest(float(np.linalg.norm(x - np.array(minimum.x))), minimum.rounding, limit)


def falls_on(loss: Loss | None, x: Floats, grad: Floats) -> bool:
    """Whether the loss falls along its negative gradient as far as is looked."""
    if loss is None or not grad.any():
        return False
    gradient = SmoothLoss(loss).gradient
    step = far_down(max(1.0, largest_of(x)), norm_of(grad)) * grad
    with np.errstate(all="ignore"):
        return stays_down(lambda times: float(np.dot(gradient(x + times * step)[1], step)))


def verdict(
    end: LongEnd, find: Callable[[], Nearest | None], goes_on: Callable[[], bool]
) -> Verdict:
    """The outcome by loss and gradient; the distance of the minimum, where one is found.

    goes_on: whether the loss falls on from the end, as far as is looked.
    """
    if end.cause and end.found is Status.NONFINITE:
        return Verdict(*tell("nonfinite", why=end.cause))
    if end.cause:
        return Verdict(*tell("overflow", why=end.cause))
    slope = f"{end.slope:.3g}"
    fields: dict[str, object] = {"first": end.first, "value": end.value, "slope": slope}
    if end.found is Status.DIVERGED:
        return Verdict(*tell("rising", **fields, ever=""))
    if end.value > end.first:
        return Verdict(*tell("risen", **fields))
    found = find()
    away = None if found is None else found.distance
    if end.found is Status.CONVERGED and found is None and goes_on():
        kind, sentence = tell("within tol only", slope=slope, how=part("falls on"), reason="")
    elif end.found is Status.CONVERGED:
        why = part("unseen") if away is None else part("away", error=away)
        kind, sentence = tell("within tol", slope=slope, each="", reason=why)
    elif found is None:
        kind, sentence = tell("descending large", **fields, last="")
    elif found.distance <= _FLOOR * found.rounding:
        kind, sentence = tell("rounding", slope=slope, how=part("how rounding"))
    else:
        kind, sentence = tell("descending from afar", **fields, last="", error=away)
    limit = None if found is None else found.lr_max
    if limit is not None:
        sentence += part("stable there", limit=limit)
    return Verdict(kind, sentence, lr_max=limit, distance=away)
