"""Runs many descents of one rule in machine code: lanes of vectors, groups of lanes, threads."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symgd.backends.native import lanes as native
from symgd.backends.native.finite_box import finite_box, widened
from symgd.backends.native.machine import compile_module, interrupted, lanes
from symgd.backends.native.packs import sweep_module
from symgd.backends.native.steps import Code
from symgd.intervals import Interval
from symgd.program import Program
from symgd.threads import default_threads
from symgd.together import together

_NANOSECONDS = 1e8  # about how long a call may last: Ctrl-C waits for its end
_FEW = 60  # operations of a step that leave processors waiting, whatever it computes
_WORTH = 1e5  # nanoseconds of work that are worth another thread
_PIECES = 8  # calls for each thread: some end earlier than others


@dataclass(frozen=True)
class Outcome:
    """Where N descents of P parameters ended.

    theta: (N, P), the last point with a finite loss. value, grad_norm: (N,), there. steps: (N,).
    code: (N,), a `Code` each. before: of the kernel, (group, P, lane).
    """

    theta: NDArray[np.float64]
    value: NDArray[np.float64]
    grad_norm: NDArray[np.float64]
    steps: NDArray[np.int64]
    code: NDArray[np.int64]
    before: NDArray[np.float64]

    @cached_property
    def beyond(self) -> NDArray[np.float64]:
        """(N, P), where the code is NONFINITE_LOSS the point after theta, where the loss is not."""
        return _flat(self.before, len(self.theta))


class LanesKernel:
    """The compiled sweep of one step program.

    own: which of the tail values (lr, hyperparameters) differ between the descents.
    """

    def __init__(
        self, program: Program, params: int, own: Sequence[bool], settles: bool, certificate: bool
    ) -> None:
        states = len(program.inputs) - params - 1 - len(own)
        width, pack = _sizes(program.operations, params + states)
        self.what = native.Lanes(
            program, params, states, tuple(own), settles, certificate, width, pack
        )
        module = compile_module(sweep_module(self.what))
        self.sweep, self.look = module.function("sweep", 8), module.function("look", 3)
        self.boxes: dict[tuple[Interval, ...], float] = {}

    def run(
        self,
        start: NDArray[np.float64],
        tail: Mapping[int, NDArray[np.float64]],
        shared: Sequence[float],
        steps: int,
        tol: float | None,
        threads: int | None,
    ) -> Outcome:
        """All descents. start: (N, P). tail: the k-th own value of each, (N,). shared: the rest."""
        what, count = self.what, len(start)
        wide = what.lanes
        packs = -(-count // (wide * what.pack))
        groups = packs * what.pack
        own = np.column_stack([*tail.values()]) if tail else np.empty((count, 0))
        x = _grouped(start, groups, wide)
        radius = self._radius(tail, shared, steps) if what.boxed else 0.0
        data = _Arrays(
            u=np.array([-1.0 if tol is None else tol, radius, *shared]),
            w=_grouped(own, groups, wide),
            x=x,
            s=np.zeros((groups, what.states, wide)),
            before=x.copy(),
            code=np.full((groups, wide), native.RUNNING, dtype=np.int64),
            steps=np.full((groups, wide), steps, dtype=np.int64),
            out=np.empty((groups, 2 + what.params, wide)),
        )
        self._advance(data, packs, steps, threads or default_threads())
        return self._end(data, count, steps, tol)

    def _advance(self, data: _Arrays, packs: int, steps: int, threads: int) -> None:
        """All steps of all packs: each thread takes some packs after the other."""
        what = self.what
        cost = what.pack * (5 + what.program.cost * what.lanes / 4)  # nanoseconds, or so
        span = max(64, int(_NANOSECONDS / cost))  # steps of a call
        threads = max(1, min(threads, int(cost * packs * steps / _WORTH)))
        share = packs if threads == 1 else -(-packs // (_PIECES * threads))
        most = int(_NANOSECONDS / cost / min(span, steps + 1))
        portion = max(1, min(share, most))
        pieces = [(p, min(p + portion, packs)) for p in range(0, packs, portion)]

        stopped: list[bool] = []

        def work() -> None:
            while pieces:
                try:
                    first, last = pieces.pop()
                except IndexError:  # another thread was faster
                    return
                for t in range(0, steps, span):
                    if stopped or interrupted.error is not None:
                        return
                    self._call((first, last, t, min(t + span, steps)), data)
                self._look(data, first * what.pack, last * what.pack)

        together(work, threads, lambda: stopped.append(True))
        interrupted.check()

    def _radius(
        self, tail: Mapping[int, NDArray[np.float64]], shared: Sequence[float], steps: int
    ) -> float:
        """Within what |theta| and |state| the next steps are finite, for sure; 0: unknown."""
        what = self.what
        moving, rest = what.params + what.states, iter(shared)
        ends: list[Interval] = [widened(1.0, steps)]  # the numbers of the steps
        for k, own in enumerate(what.own):
            values = tail[k] if own else np.array([next(rest)])
            ends.append(widened(float(values.min()), float(values.max())))
        key = tuple(ends)
        if key not in self.boxes:
            others = dict(zip(what.program.inputs[moving:], ends, strict=True))
            self.boxes[key] = finite_box(what.program, moving, others, native.AHEAD)
        return self.boxes[key]

    def _call(self, call: tuple[int, int, int, int], data: _Arrays) -> None:
        k = np.array(call, dtype=np.int64)
        self.sweep(k.ctypes.data, *(a.ctypes.data for a in data.all()))

    def _end(self, data: _Arrays, count: int, steps: int, tol: float | None) -> Outcome:
        """See to last points that are not finite: they give way to the one before."""
        params, out, code = self.what.params, data.out, data.code
        running = code == native.RUNNING
        lost = np.zeros_like(running)
        with np.errstate(over="ignore", invalid="ignore"):
            total = out[:, 0].sum() + out[:, 1].sum()
        if not math.isfinite(total):  # the sum alone may be infinite
            lost = running & ~(np.isfinite(out[:, 0]) & np.isfinite(out[:, 1]))
        if lost.any():
            code[lost] = Code.NONFINITE_LOSS
            data.steps[lost] = max(0, steps - 1)
            swap = lost[:, None, :] & np.ones((1, params, 1), dtype=bool)
            data.x[swap], data.before[swap] = data.before[swap], data.x[swap].copy()
            self._look(data, 0, len(out))
            interrupted.check()
        if tol is not None:
            small = (np.abs(out[:, 2:]) <= tol).all(axis=1)
            code[running & ~lost & small] = Code.CONVERGED
        np.copyto(code, Code.DONE, where=code == native.RUNNING)
        return Outcome(
            theta=_flat(data.x, count),
            value=out[:, 0].reshape(-1)[:count],
            grad_norm=out[:, 1].reshape(-1)[:count],
            steps=data.steps.reshape(-1)[:count],
            code=data.code.reshape(-1)[:count],
            before=data.before,
        )

    def _look(self, data: _Arrays, first: int, last: int) -> None:
        """Loss and slopes where these groups are."""
        k = np.array([first, last, 0, 0], dtype=np.int64)
        self.look(k.ctypes.data, data.x.ctypes.data, data.out.ctypes.data)


def _sizes(operations: int, moving: int) -> tuple[int, int]:
    """(lanes of a group, groups that advance together) for steps that carry so many numbers.

    Small steps wait for their own results: others fill the time, as long as what they carry stays
    in registers.
    """
    if operations > _FEW:
        return max(lanes(), 2), 2 if operations <= 4 * _FEW else 1
    return max(lanes(), 2), max(4, min(8, 12 // moving))


@dataclass
class _Arrays:
    u: NDArray[np.float64]
    w: NDArray[np.float64]
    x: NDArray[np.float64]
    s: NDArray[np.float64]
    before: NDArray[np.float64]
    code: NDArray[np.int64]
    steps: NDArray[np.int64]
    out: NDArray[np.float64]  # (group, [loss, |g|, g..], lane)

    def all(self) -> tuple[NDArray[Any], ...]:
        """In the order of the arguments of `sweep`."""
        return self.u, self.w, self.x, self.s, self.before, self.code, self.steps


def _grouped(rows: NDArray[np.float64], groups: int, wide: int) -> NDArray[np.float64]:
    """(N, K) as (group, K, lane), the last row repeated to fill the last groups."""
    count, width = rows.shape
    if not width:
        return np.zeros((groups, 0, wide))
    grouped = np.empty((groups, width, wide))
    full = np.empty(groups * wide)
    for k in range(width):
        full[:count], full[count:] = rows[:, k], rows[-1, k]
        grouped[:, k] = full.reshape(groups, wide)
    return grouped


def _flat(groups: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """(group, K, lane) as (N, K)."""
    flat = np.empty((len(groups) * groups.shape[2], groups.shape[1]))
    for k in range(groups.shape[1]):  # several times faster than a transposed copy
        flat[:, k] = groups[:, k].reshape(-1)
    return flat[:count]
