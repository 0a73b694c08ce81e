"""A small thread pool, and how many threads are worthwhile."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from math import isqrt
from queue import SimpleQueue

THREADS = "SYMGD_THREADS"  # environment variable: the number of threads

_WAKE = 5e4  # nanoseconds until one more thread runs: they begin one after the other


def default_threads() -> int:
    """$SYMGD_THREADS where that is a whole number, else the processors of this process."""
    setting = os.environ.get(THREADS, "")
    if setting.isdecimal() and int(setting) > 0:
        return int(setting)
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


def run_in_threads(work: Callable[[], None], threads: int, halt: Callable[[], None]) -> None:
    """Call `work` in as many threads at once, of which the caller's is one.

    halt: called when one of them fails, in that thread, or the caller's is interrupted, also while
    it waits for the others; all must then end soon. Idempotent.
    """
    tasks = [_Task(work, halt) for _ in range(threads - 1)]
    try:
        _pool.give(tasks)
        work()
        for task in tasks:
            task.end()
    except BaseException:
        halt()
        for task in tasks:
            task.wait()
        raise


class _Task:
    """One call of `work` by a pool thread, unless it is canceled before it begins."""

    def __init__(self, work: Callable[[], None], halt: Callable[[], None]) -> None:
        self.work, self.halt = work, halt
        self.error: BaseException | None = None
        self.claims: list[bool] = []  # whether a worker claims it; the first has it
        self.over = False
        self.done = threading.Lock()
        self.done.acquire()

    def _claim(self, worker: bool) -> bool:
        """Whether this side (worker or caller) claimed it first; idempotent for the caller."""
        self.claims.append(worker)
        return self.claims[0] is worker

    def run(self) -> None:
        """Run in the worker thread."""
        if self._claim(True):
            try:
                self.work()
            except BaseException as error:
                self.error = error
                self.halt()
            finally:
                self.over = True
                self.done.release()

    def wait(self) -> None:
        """Wait until it has ended, or cancel it if it has not begun."""
        if self._claim(False):
            self.work = self.halt = _nothing  # it may lie in the queue for long
            return
        until = time.perf_counter() + _BRIEF
        while not (self.over or self.done.acquire(blocking=False)):
            if time.perf_counter() > until:
                self.done.acquire()
                return
            time.sleep(0)  # lets the worker have the interpreter

    def end(self) -> None:
        """Wait, and raise what it raised."""
        self.wait()
        if self.error is not None:
            raise self.error


def _nothing() -> None:
    pass


class _Pool:
    """The pool: daemon threads that serve a queue; it grows to the most in use."""

    def __init__(self) -> None:
        self.tasks: SimpleQueue[_Task] = SimpleQueue()
        self.count = 0

    def give(self, tasks: Sequence[_Task]) -> None:
        """Have these done, each by another worker if they are free and can be had."""
        while self.count < len(tasks):
            name = f"symgd_{self.count + 1}"
            worker = threading.Thread(
                target=self._serve, args=(self.tasks,), name=name, daemon=True
            )
            try:
                worker.start()
            except RuntimeError:  # no more threads for this process, or none at its end
                break
            self.count += 1
        for task in tasks[: self.count]:
            self.tasks.put(task)

    @staticmethod
    def _serve(tasks: SimpleQueue[_Task]) -> None:
        while True:
            tasks.get().run()  # no name for it: what it holds is let go when it is done


_pool = _Pool()

if hasattr(os, "register_at_fork"):  # a child process has no threads but its own
    os.register_at_fork(after_in_child=_pool.__init__)  # type: ignore[misc]
