"""Threads: how many are worthwhile, and one piece of work in several at once."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from math import isqrt
from queue import SimpleQueue

THREADS = "SYMGD_THREADS"  # the environment's word on how many

_WAKE = 5e4  # nanoseconds until one more thread runs: they begin one after the other


def default_threads() -> int:
    """$SYMGD_THREADS where that is a whole number, else the processors of this process."""
    told = os.environ.get(THREADS, "")
    if told.isdecimal() and int(told) > 0:
        return int(told)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def worthwhile(threads: int | None, nanoseconds: float) -> int:
    """How many threads to share out so much work to. threads: at most; None: `default_threads`.

    n threads take nanoseconds/n + n*_WAKE, which is least at the root of nanoseconds/_WAKE. On 16
    processors a sweep of 3.4 ms in one thread took 1.5, 1.3, 1.4 ms in 4, 8, 16.
    """
    return max(1, min(threads or default_threads(), isqrt(int(nanoseconds / _WAKE))))


_BRIEF = 3e-4  # seconds; to be put to sleep and woken takes about as long


def together(work: Callable[[], None], threads: int, halt: Callable[[], None]) -> None:
    """Call `work` in as many threads at once, of which the caller's is one.

    halt: called when one of them fails, in that thread, or the caller's is interrupted, also while
    it waits for the others; all must then soon come to their end. Once more is as good as once.
    """
    tasks = [_Task(work, halt) for _ in range(threads - 1)]
    try:
        _helpers.give(tasks)
        work()
        for task in tasks:
            task.end()
    except BaseException:
        halt()
        for task in tasks:
            task.wait()
        raise


class _Task:
    """Work that one helper does once, if nobody tells it before it begins that it need not."""

    def __init__(self, work: Callable[[], None], halt: Callable[[], None]) -> None:
        self.work, self.halt = work, halt
        self.error: BaseException | None = None
        self.claims: list[bool] = []  # whether a helper claims it; the first has it
        self.over = False
        self.done = threading.Lock()
        self.done.acquire()

    def _mine(self, helper: bool) -> bool:
        """Whether it is the helper's, or the caller's, who may ask again after an interruption."""
        self.claims.append(helper)
        return self.claims[0] is helper

    def run(self) -> None:
        """The helper's part."""
        if self._mine(True):
            try:
                self.work()
            except BaseException as error:
                self.error = error
                self.halt()
            finally:
                self.over = True
                self.done.release()

    def wait(self) -> None:
        """Wait until it has ended, or see to it that it never begins."""
        if self._mine(False):
            self.work = self.halt = _nothing  # it may lie in the queue for long
            return
        until = time.perf_counter() + _BRIEF
        while not (self.over or self.done.acquire(blocking=False)):
            if time.perf_counter() > until:
                self.done.acquire()
                return
            time.sleep(0)  # lets the helper have the interpreter

    def end(self) -> None:
        """Wait, and raise what it raised."""
        self.wait()
        if self.error is not None:
            raise self.error


def _nothing() -> None:
    pass


class _Helpers:
    """Threads that take one task after the other, as many as were ever wanted at once."""

    def __init__(self) -> None:
        self.tasks: SimpleQueue[_Task] = SimpleQueue()
        self.count = 0

    def give(self, tasks: Sequence[_Task]) -> None:
        """Have these done, each by another helper if they are free and can be had."""
        while self.count < len(tasks):
            name = f"symgd_{self.count + 1}"
            helper = threading.Thread(
                target=self._serve, args=(self.tasks,), name=name, daemon=True
            )
            try:
                helper.start()
            except RuntimeError:  # no more threads for this process, or none at its end
                break
            self.count += 1
        for task in tasks[: self.count]:
            self.tasks.put(task)

    @staticmethod
    def _serve(tasks: SimpleQueue[_Task]) -> None:
        while True:
            tasks.get().run()  # no name for it: what it holds is let go when it is done


_helpers = _Helpers()

if hasattr(os, "register_at_fork"):  # a child process has no threads but its own
    os.register_at_fork(after_in_child=_helpers.__init__)  # type: ignore[misc]
