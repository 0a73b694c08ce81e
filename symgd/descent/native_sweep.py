"""Runs many descents of one rule in machine code: lanes of vectors, groups of lanes, threads.

The machine code itself takes pack after pack of groups, so that a sweep costs each thread a call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from symgd._locks import cached_property
from symgd._numpy import NDArray, np
from symgd._threads import run_in_threads, worthwhile
from symgd.backends.native import sweep_lanes as native
from symgd.backends.native.finite_box import finite_box
from symgd.backends.native.jit import compile_module, interrupted, lanes
from symgd.backends.native.lane_packs import sweep_module
from symgd.backends.program import Program
from symgd.backends.step_checks import RUNNING, Stop

_NANOSECONDS = 1e8  # about how long a call may last: Ctrl-C waits for its end
_FEW = 60  # operations of a step that leave processors waiting, whatever it computes
_SHARES = 16  # times that a thread takes some packs


@dataclass(frozen=True)
class Outcome:
    """Where N descents of P parameters ended.

    theta: (N, P), the last point with a finite loss. value, grad_norm: (N,), there. steps: (N,).
    code: (N,), a `Stop` or RUNNING each. kept: of the kernel, the theta before, (group, P, lane).
    """

    theta: NDArray[np.float64]
    value: NDArray[np.float64]
    grad_norm: NDArray[np.float64]
    steps: NDArray[np.int64]
    code: NDArray[np.int64]
    kept: NDArray[np.float64]

    @cached_property
    def beyond(self) -> NDArray[np.float64]:
        """(N, P), where the code is NONFINITE_LOSS the point after theta, where the loss is not."""
        flat = self.kept.transpose(0, 2, 1).reshape(-1, self.kept.shape[1])
        return flat[: len(self.theta)]


class LanesKernel:
    """The compiled sweep of one step program.

    own: which of the tail values (lr, hyperparameters) differ between the descents.
    """

    def __init__(
        self, program: Program, params: int, own: Sequence[bool], settles: bool, has_tol: bool
    ) -> None:
        states = len(program.inputs) - params - 1 - len(own)
        width, pack = _sizes(program.operations, params + states)
        self.what = native.Lanes(
            program,
            params,
            states,
            tuple(own),
            settles,
            has_tol,
            width,
            pack,
            finite_box(program, params),
        )
        module = compile_module(sweep_module(self.what))
        self.sweep, self.look = module.function("sweep", 10), module.function("look", 4)
        self.calls_python = module.calls_python

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
        x = _grouped(list(start.T), groups, wide)
        data = _Arrays(
            u=np.array([-1.0 if tol is None else tol, *shared]),
            w=_grouped(list(tail.values()), groups, wide),
            x=x,
            s=np.zeros((groups, what.states, wide)),
            before=x.copy(),
            code=np.full((groups, wide), RUNNING, dtype=np.int64),
            steps=np.full((groups, wide), steps, dtype=np.int64),
            theta=np.empty((groups * wide, what.params)),
            out=np.empty((2 + what.params, groups, wide)),
        )
        failed = self._advance(data, packs, steps, threads)
        if failed:
            self._step_back(data, steps)
        return self._end(data, count, tol)

    def _advance(self, data: _Arrays, packs: int, steps: int, threads: int | None) -> bool:
        """All steps of all packs, in calls of machine code that do not last long.

        Whether the loss or the gradient's norm is not finite at an end.
        """
        what = self.what
        cost = what.pack * (5 + what.program.cost * what.lanes / 4)  # nanoseconds, or so
        span = max(64, int(_NANOSECONDS / cost))  # steps of a call
        threads = worthwhile(1 if self.calls_python else threads, cost * packs * steps)
        turn = max(1, int(_NANOSECONDS / cost / min(span, steps + 1)))  # packs of a call
        share = max(1, min(turn, packs // (_SHARES * threads)))
        failed = 0
        for t in range(0, max(1, steps), span):  # without steps there still is an end
            end = min(t + span, steps)
            k = np.array([0, packs, len(data.x), t, end, share, turn], dtype=np.int64)
            failed |= self._run(k, data, threads)
        return bool(failed)

    def _run(self, k: NDArray[np.int64], data: _Arrays, threads: int) -> int:
        """Call the machine code in as many threads until no pack is left; what it returned."""
        pointers = (*_addresses(k), *data.changed)
        found: list[int] = []

        def work(alive: object = (k, data)) -> None:  # the machine code may outlast the caller
            more = True
            while more:
                what = self.sweep(*pointers)
                interrupted.check()
                found.append(what)
                more = bool(what & native.MORE)

        def halt() -> None:
            k[native.NEXT] = k[native.LAST]

        run_in_threads(work, threads, halt)
        return int(any(f & native.NONFINITE for f in found))

    def _step_back(self, data: _Arrays, steps: int) -> None:
        """Last points that are not finite give way to those before."""
        code = data.code
        lost = (code == RUNNING) & ~np.isfinite(data.out[:2]).all(axis=0)
        code[lost] = Stop.NONFINITE_LOSS
        data.steps[lost] = max(0, steps - 1)
        swap = lost[:, None, :] & np.ones((1, self.what.params, 1), dtype=bool)
        data.x[swap], data.before[swap] = data.before[swap], data.x[swap].copy()
        k = np.array([0, len(code), len(code)], dtype=np.int64)
        self.look(k.ctypes.data, *data.seen)
        interrupted.check()

    def _end(self, data: _Arrays, count: int, tol: float | None) -> Outcome:
        out, code = data.out, data.code
        if tol is not None:
            small = (np.abs(out[2:]) <= tol).all(axis=0)
            code[(code == RUNNING) & small] = Stop.CONVERGED
        return Outcome(
            theta=data.theta[:count],
            value=out[0].reshape(-1)[:count],
            grad_norm=out[1].reshape(-1)[:count],
            steps=data.steps.reshape(-1)[:count],
            code=code.reshape(-1)[:count],
            kept=data.before,
        )


def _sizes(operations: int, moving: int) -> tuple[int, int]:
    """(lanes of a group, groups that advance together) for steps that carry so many numbers.

    Small steps wait for their own results: others fill the time, as long as what they carry stays
    in registers.
    """
    if operations > _FEW:
        return max(lanes(), 2), 2 if operations <= 4 * _FEW else 1
    return max(lanes(), 2), max(4, 8 // moving)


@dataclass
class _Arrays:
    u: NDArray[np.float64]
    w: NDArray[np.float64]
    x: NDArray[np.float64]
    s: NDArray[np.float64]
    before: NDArray[np.float64]
    code: NDArray[np.int64]
    steps: NDArray[np.int64]
    theta: NDArray[np.float64]  # (group and lane, P)
    out: NDArray[np.float64]  # ([loss, |g|, g..], group, lane)

    @cached_property
    def changed(self) -> tuple[int, ...]:
        """Their addresses in the order of the arguments of `sweep`."""
        changed = (self.u, self.w, self.x, self.s, self.before, self.code, self.steps)
        return _addresses(*changed, self.theta, self.out)

    @cached_property
    def seen(self) -> tuple[int, ...]:
        """Their addresses in the order of the arguments of `look`."""
        return _addresses(self.x, self.theta, self.out)


def _addresses(*arrays: NDArray[Any]) -> tuple[int, ...]:
    return tuple(a.__array_interface__["data"][0] for a in arrays)  # faster than ctypes.data


def _grouped(columns: Sequence[NDArray[np.float64]], groups: int, wide: int) -> NDArray[np.float64]:
    """Columns of N numbers as (group, column, lane), the last of each repeated at the end."""
    grouped = np.empty((groups, len(columns), wide))
    for k, column in enumerate(columns):
        if column.strides == (0,):  # one number for all
            grouped[:, k] = column[0]
            continue
        full = grouped.reshape(-1) if len(columns) == 1 else np.empty(groups * wide)
        full[: len(column)], full[len(column) :] = column, column[-1]
        if len(columns) > 1:
            grouped[:, k] = full.reshape(groups, wide)
    return grouped
