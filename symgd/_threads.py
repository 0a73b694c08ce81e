"""Work in several threads at once, how many are worthwhile, and linear algebra in one."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from math import isqrt
from queue import SimpleQueue
from threading import Lock, Thread
from typing import TYPE_CHECKING

from symgd._numpy import np

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

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


def run_in_threads(
    work: Callable[[], None],
    threads: int,
    halt: Callable[[], None],
) -> None:
    """Call `work` in as many threads at once, of which the caller's is one.

    halt: called when one of them fails, in that thread, or the caller's is interrupted, also while
    it waits for the others; all must then end soon. Idempotent.
    """
    calls: list[_ThreadTask] = []
    try:
        with suppress(RuntimeError):  # no more threads for this process, or none at its end
            for _ in range(threads - 1):
                calls.append(_ThreadTask(work, halt))
                _helper().calls.put(calls[-1])
        work()
        for call in calls:
            call.join()
    except BaseException:
        halt()
        for call in calls:
            call.wait()
        raise


def begin_in_thread(work: Callable[[], None]) -> None:
    """Call `work` in another thread, for which nobody waits. RuntimeError: there can be none."""
    _helper().calls.put(_ThreadTask(work, _nothing))


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Inside, NumPy factors a matrix in one thread; after it, in as many as before.

    Matrices of some hundred rows gain nothing from more: OpenBLAS wakes its threads for each of
    them, and where other processes want the processors, too, a factorization of 140 rows takes
    11 ms in place of 0.1.
    """
    with _blas().limit(limits=1):
        yield


@cache
def _blas() -> ThreadpoolController:
    from threadpoolctl import ThreadpoolController

    np.linalg.norm  # noqa: B018 - loads NumPy
    return ThreadpoolController().select(user_api="blas")


class _ThreadTask:
    """Work for a helper, which it begins unless the caller has no need of it any more."""

    def __init__(self, work: Callable[[], None], halt: Callable[[], None]) -> None:
        self.work, self.halt = work, halt
        self.claim, self.done = Lock(), Lock()
        self.error: BaseException | None = None
        self.done.acquire()

    def run(self) -> None:
        """What the helper does."""
        if not self.claim.acquire(blocking=False):
            return
        try:
            self.work()
        except BaseException as error:
            self.error = error
            self.halt()
        finally:
            self.work = self.halt = _nothing  # the helper keeps this call until the next one
            self.done.release()

    def wait(self) -> None:
        """Until it has ended; it never begins if it has not yet."""
        if self.claim.acquire(blocking=False):
            self.work = self.halt = _nothing
            self.done.release()
        with self.done:
            pass

    def join(self) -> None:
        """Wait for it, and raise its error."""
        self.wait()
        if self.error:
            raise self.error


class _Helper(Thread):
    """A thread for calls, one after the other."""

    def __init__(self) -> None:
        super().__init__(name="symgd", daemon=True)
        self.calls: SimpleQueue[_ThreadTask] = SimpleQueue()
        self.start()

    def run(self) -> None:
        """Run what comes, and be idle in between."""
        while True:
            self.calls.get().run()
            _idle.append(self)


def _helper() -> _Helper:
    """One that is idle, or a new one; others may take one at the same time."""
    try:
        return _idle.pop()
    except IndexError:
        return _Helper()


def _nothing() -> None:
    pass


_idle: deque[_Helper] = deque()

if hasattr(os, "register_at_fork"):  # a child process has no threads but its own
    os.register_at_fork(after_in_child=_idle.clear)
