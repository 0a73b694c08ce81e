"""Work in several threads at once, and how many threads are worthwhile."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from math import isqrt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

THREADS = "SYMGD_THREADS"  # environment variable: the number of threads

_WAKE = 5e4  # nanoseconds until one more thread runs: they begin one after the other
_MOST = 64  # threads of the pool


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


def run_in_threads(work: Callable[[], None], threads: int, halt: Callable[[], None]) -> None:
    """Call `work` in as many threads at once, of which the caller's is one.

    halt: called when one of them fails, in that thread, or the caller's is interrupted, also while
    it waits for the others; all must then end soon. Idempotent.
    """

    def call() -> None:
        try:
            work()
        except BaseException:
            halt()
            raise

    helpers: list[Future[None]] = []
    try:
        with suppress(RuntimeError):  # no more threads for this process, or none at its end
            for _ in range(threads - 1):
                helpers.append(_pool().submit(call))
        work()
        for helper in helpers:
            if not helper.cancel():
                helper.result()
    except BaseException:
        from concurrent.futures import wait

        halt()
        wait([helper for helper in helpers if not helper.cancel()])
        raise
    finally:
        work = halt = _nothing  # a call that has not begun may lie in the queue for long


def _nothing() -> None:
    pass


@cache
def _pool() -> ThreadPoolExecutor:
    """Threads that are started as they are needed, and kept."""
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(_MOST, "symgd")


if hasattr(os, "register_at_fork"):  # a child process has no threads but its own
    os.register_at_fork(after_in_child=_pool.cache_clear)
