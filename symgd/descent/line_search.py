"""The line search: a descent whose learning rates are found by backtracking."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from symgd.backends.step_checks import DECREASE, HALVINGS, NOISE, TURN, VALUE_CHECKS, Stop
from symgd.descent.kernel import Run, finite


@dataclass
class LineSearchKernel:
    """Steps whose learning rate is found by backtracking until the loss falls enough.

    L. Armijo, 1966, Minimization of functions having Lipschitz continuous first partial
    derivatives, Pacific J. Math. 16(1): accept lr when
    loss(new) <= loss + 1e-4 * g.(new - theta). Where rounding of the loss may hide that fall, the
    slopes decide, as in the approximate Wolfe conditions of W. W. Hager, H. Zhang, 2005, A new
    conjugate gradient method with guaranteed descent, SIAM J. Optim. 16(1), eq. 23 with delta 0.1:
    g(new).(new - theta) <= -0.8 * g.(new - theta), the same condition for a quadratic. lr is halved
    until then, and doubled after each accepted step. The rule's state is kept only from accepted
    steps. Where its direction does not lead down at all (momentum that has overshot), the state
    starts again from 0 (B. O'Donoghue, E. Candès, 2015, Adaptive restart for accelerated gradient
    schemes, Found. Comput. Math. 15).

    states: how many numbers the rule keeps. count: of the parameters. value: theta.. -> [loss].
    call: (theta.., state.., t, lr, tail..) -> (theta.., state.., loss, |g|, g..), not finite where
    it is not; neither raises.
    """

    states: int
    count: int
    tail: tuple[float, ...]
    value: Callable[..., list[float]]
    call: Callable[..., list[float]]
    uphill: bool = False  # whether a trial of this search went up the slope

    def advance(self, run: Run, count: int) -> Stop | None:
        """`count` accepted steps, or fewer and the reason."""
        params, end = self.count, self.count + self.states
        for _ in range(count):
            out = self._step(run)
            grad_norm = out[end + 1]
            stop = run.first_stop(VALUE_CHECKS, out[end], grad_norm, out[end + 2 :])
            if stop is not None:
                return stop
            if grad_norm == 0:
                run.t += 1
                continue
            if run.lr == 0:
                self._first_rate(run)
                out = self._step(run)
            out = self._search(run, out)
            if not len(out):
                return Stop.NO_DESCENT
            run.x, run.state, run.t = out[:params], out[params:end], run.t + 1
            run.lr = min(2.0 * run.lr, 1e300)
        return None

    def _first_rate(self, run: Run) -> None:
        """Begin with a step of a tenth of the parameters' size: a leap may land on a plateau."""
        size = max(1.0, *map(abs, run.x))
        run.lr = min(1.0, 0.1 * size / max(map(abs, run.grad)))

    def _search(self, run: Run, out: list[float]) -> list[float]:
        """The first trial that is accepted, or [] where even a fresh state finds none."""
        for state, restarted in ((run.state, run.restarted), ([0.0] * self.states, run.t)):
            if state is not run.state:
                if run.restarted == run.t:
                    break  # it is fresh
                run.state, run.restarted, run.lr = state, restarted, 0.0
                self._first_rate(run)
                out = self._step(run)
            first, self.uphill = run.lr, False
            for _ in range(HALVINGS):
                x = out[: self.count]
                if finite(x) and self._accepts(run, out):
                    return out
                run.lr *= 0.5
                out = self._step(run)
            run.lr = first
        return []

    def _step(self, run: Run) -> list[float]:
        return self.call(*run.x, *run.state, float(run.t + 1 - run.restarted), run.lr, *self.tail)

    def _accepts(self, run: Run, out: Sequence[float]) -> bool:
        x = out[: self.count]
        moves = [new - old for new, old in zip(x, run.x, strict=True)]
        slope, loss = _dot(run.grad, moves), self.value(*x)[0]
        self.uphill |= slope >= 0
        if slope >= 0:  # momentum may point uphill for a while: then any decrease will do
            return bool(loss < run.loss)
        room = NOISE * abs(run.loss)
        if self.uphill or -slope > room:
            return bool(loss <= run.loss + DECREASE * slope)
        if not loss <= run.loss + room:
            return False
        there = self.call(*out[: self.count + self.states], 1.0, run.lr, *self.tail)
        return _dot(there[self.count + self.states + 2 :], moves) <= -TURN * slope


def _dot(a: Sequence[float], b: Sequence[float]) -> float:
    """The sum of products, one after the other, as machine code adds them."""
    total = 0.0
    for x, y in zip(a, b, strict=True):
        total += x * y
    return total
