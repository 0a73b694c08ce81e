"""Emit the loop around the steps of one descent: checks, records, the ring of the last points.

The interface with the caller: k[T] is the first step, on return the step reached; k[END] the end
(exclusive). f[TOL]: the tolerance, negative for none; f[BEST]: the least loss so far, of step
k[BEST_T]; best: the theta of that step, if it is one of this call. rows: for each k[STRIDE]-th
step, first the step k[NEXT], [loss, |g|, theta..]; k[ROWS] counts them. ring: theta of step t at
t % RING, for the verdict. The function returns a `Stop`, or RUNNING.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import nullcontext

from symgd.backends.native.elementary import FunctionEmitter
from symgd.backends.native.ir import Value, Variable
from symgd.backends.native.jit import fused
from symgd.backends.step_checks import RUNNING, STEP_CHECKS, Stop, select_checks

RING = 48
T, END, NEXT, STRIDE, ROWS, BEST_T = range(6)  # k
TOL, BEST = range(2)  # f


class DescentLoop(ABC):
    """Collects the code of a loop. settles: as of `select_checks`.

    Subclasses have the tests of `symgd.backends.step_checks` as methods that return
    conditions. tol: f[TOL]. loss: at theta, once the step is evaluated. due: the step of the next
    record.
    """

    tol: Value
    loss: Value
    due: Variable
    best_loss: Variable
    code: Variable

    def __init__(self, params: int, settles: bool) -> None:
        self.params, self.checks = params, select_checks(settles)
        self.e = FunctionEmitter(fused=fused())

    def write(self, head: str) -> str:
        """The text of the function."""
        e = self.e
        self.tol, self.best_loss = e.load("%f", TOL), e.variable(value=e.load("%f", BEST))
        has_tol = e.compare("oge", self.tol, e.number(0.0))
        self.due = e.variable("i64", e.load("%k", NEXT, "i64"))
        step, self.code = e.variable("i64"), e.variable("i64", RUNNING)
        self.begin()
        first, end = e.load("%k", T, "i64"), e.load("%k", END, "i64")
        with e.for_range(end, first, index=step) as t:
            self.evaluate(t)
            for check in self.checks:
                if check is STEP_CHECKS[0]:
                    self.propose(t)
                if check.stop is None:
                    self._record(t)
                    continue
                with e.if_then(has_tol) if check.with_tol else nullcontext():
                    holds: Value = getattr(self, check.test)()
                    with e.if_then(holds if check.stops_if else e.negated(holds)):
                        self.stop(check.stop)
            self.commit()
        e.label("leave")
        self.end()
        e.store(step.get(), "%k", T, "i64")
        e.store(self.due.get(), "%k", NEXT, "i64")
        e.store(self.best_loss.get(), "%f", BEST)
        return e.define(head, f"i64 {self.code.get().text}")

    def stop(self, why: Stop) -> None:
        """End the loop."""
        self.code.set(int(why))
        self.e.goto("leave")

    def _record(self, t: Value) -> None:
        """A row of the history where one is due, theta in the ring, and whether it is the best."""
        e = self.e
        self.store_theta(e.at("%ring", e.integer("mul", e.integer("srem", t, RING), self.params)))
        with e.if_then(e.icmp("eq", t, self.due.get())):
            used = e.load("%k", ROWS, "i64")
            row = e.at("%rows", e.integer("mul", used, self.params + 2))
            e.store(self.loss, row, 0)
            e.store(self.gradient_norm(), row, 1)
            self.store_theta(e.at(row, 2))
            e.store(e.integer("add", used, 1), "%k", ROWS, "i64")
            self.due.set(e.integer("add", t, e.load("%k", STRIDE, "i64")))
        with e.if_then(e.compare("olt", self.loss, self.best_loss.get())):
            self.best_loss.set(self.loss)
            e.store(t, "%k", BEST_T, "i64")
            self.store_theta("%best")

    # -- what depends on where the numbers are --------------------------------------------

    @abstractmethod
    def begin(self) -> None:
        """Load the arguments of the caller."""

    @abstractmethod
    def evaluate(self, t: Value) -> None:
        """Evaluate loss and gradient at step t."""

    @abstractmethod
    def propose(self, t: Value) -> None:
        """Evaluate theta and state after step t."""

    @abstractmethod
    def gradient_norm(self) -> Value:
        """|g| at theta."""

    @abstractmethod
    def store_theta(self, pointer: str) -> None:
        """Write theta to an array."""

    @abstractmethod
    def commit(self) -> None:
        """Theta and state are those after the step."""

    def end(self) -> None:  # noqa: B027 - not all subclasses have something to do
        """Write back what is not in the caller's arrays."""
