"""The kernel that runs whole chunks of steps in machine code."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

from symgd.backends.native import steps
from symgd.backends.native.machine import compile_module, interrupted
from symgd.backends.native.steps import RING, Code
from symgd.kernel import Run, Stop
from symgd.loss import Loss
from symgd.program import Program

_STOP = {
    Code.DONE: None,
    Code.CONVERGED: Stop.CONVERGED,
    Code.NONFINITE_LOSS: Stop.NONFINITE_LOSS,
    Code.NONFINITE_STEP: Stop.NONFINITE_STEP,
    Code.STUCK: Stop.STUCK,
}
_ROWS = 4096  # rows of the history per call
_NANOSECONDS = 50e6  # about how long a call may last: Ctrl-C waits for its end


@dataclass
class NativeKernel:
    """The steps of a small loss, compiled; what it records is what StepKernel records."""

    loss: Loss
    program: Program
    count: int
    tail: tuple[float, ...]
    settles: bool

    def __post_init__(self) -> None:
        self.states = len(self.program.inputs) - self.count - 1 - len(self.tail)
        source = steps.step_loop(self.program, self.count, self.states, self.settles)
        self.function = compile_module(source).function("run", 7)
        self.chunk = max(1, int(_NANOSECONDS / (5 + self.program.cost)))

    def advance(self, run: Run, count: int) -> Stop | None:
        """Up to `count` steps, as many as a call may take; the reason if it ended earlier."""
        stride = run.history.stride
        steps_now = min(count, self.chunk, stride * _ROWS)
        first = run.t
        k = array("q", [first, first + steps_now, -(-first // stride) * stride, stride, 0, -1])
        best = [run.best_loss, *([0.0] * self.count)]
        f = array("d", [-1.0 if run.tol is None else run.tol, *best])
        x, s, h = array("d", run.x), array("d", run.state or [0.0]), array("d", self.tail or (0.0,))
        rows = array("d", bytes(8 * (self.count + 2) * (steps_now // stride + 2)))
        ring = array("d", bytes(8 * self.count * RING))
        buffers = (k, f, x, s, h, rows, ring)
        code = Code(self.function(*(b.buffer_info()[0] for b in buffers)))
        run.x, run.state, run.t = list(x), list(s)[: self.states], k[steps.T]
        seen = run.t + (code not in (Code.DONE, Code.NONFINITE_LOSS))
        self._record(run, first, seen, k, f, rows, ring)
        interrupted.check()
        return _STOP[code]

    def _record(
        self,
        run: Run,
        first: int,
        seen: int,
        k: array[int],
        f: array[float],
        rows: array[float],
        ring: array[float],
    ) -> None:
        """What the kernel noted of the points of steps first <= t < seen."""
        if k[steps.ROWS]:
            run.history.extend(rows, k[steps.ROWS])
        if k[steps.BEST_T] >= 0:
            run.best_loss, run.best_t = f[steps.BEST], k[steps.BEST_T]
            run.best_x = list(f[steps.BEST_X : steps.BEST_X + self.count])
        for t in range(max(first, seen - RING), seen):
            at = (t % RING) * self.count
            run.tail.append((t, list(ring[at : at + self.count])))
        if seen > first:
            t, x = run.tail[-1]
            run.loss, *run.grad = self.loss.evaluate(*x)
            run.last = (t, x, run.loss, run.grad)
