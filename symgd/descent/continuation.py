"""A finished run, continued out of its result's sight: what the verdict says is seen to happen."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from symgd._locks import cached_property
from symgd.descent.kernel import Kernel, Run
from symgd.model.history import History
from symgd.model.loss_internals import LossInternals

_OPERATIONS = 200_000  # that a continuation may take: some milliseconds of Python
_OVERHEAD = 20  # operations that a step takes besides those of the loss
_FEWEST = 8  # steps, below which it is not worth beginning


def longest(loss: LossInternals) -> int:
    """How many steps a run on this loss is continued, at most."""
    if loss.program.operations > _OPERATIONS:
        return 0
    operations = max(1, loss.value_program.operations)
    costly = max(1.0, loss.program.cost / (3 * operations))  # as gamma and its like are
    most = _OPERATIONS // (3 * int(loss.work * costly) + _OVERHEAD)
    return most if most >= _FEWEST else 0


class Continuation:
    """Called with a number of steps: (t, point) after each of them, or of as many as it may take.

    loss: says how many these are at most, when they are asked for. The run itself stays as it is.
    """

    def __init__(self, kernel: Kernel, run: Run, loss: LossInternals) -> None:
        self._loss = loss
        self._kernel, self._first = kernel, run.t
        self._run = replace(
            run,
            x=run.x if not isinstance(run.x, list) else list(run.x),
            state=list(run.state),
            tol=None,
            history=History(len(run.x)),
            tail=deque(maxlen=1),
        )
        self._points: list[tuple[int, Sequence[float]]] = []
        self._over = False

    @cached_property
    def _most(self) -> int:
        most = longest(self._loss)
        self._run.history = History(len(self._run.x), limit=most + 3)
        return most

    def __call__(self, steps: int) -> Sequence[tuple[int, Sequence[float]]]:
        """The points of the next steps, the end of the run itself left out."""
        steps, run = min(steps, self._most), self._run
        # a point is noted when the step from it is taken: one step more
        while len(self._points) < steps and not self._over:
            before, end = run.t, self._first + steps + 1
            stop = self._kernel.advance(run, end - before)
            self._over = stop is not None or run.t == before
            if self._over or run.t >= end:
                rows = list(run.history.rows())[len(self._points) + 1 :]
                self._points += [(self._first + t, theta) for t, theta, _, _ in rows]
        return self._points[:steps]
