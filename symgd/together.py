"""One piece of work in several threads at once; the helpers stay for the next."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache


def together(work: Callable[[], None], threads: int, halt: Callable[[], None]) -> None:
    """Call `work` in as many threads at once, of which the caller's is one.

    halt: called when the caller's is interrupted; the others must then soon come to their end.
    """
    others: list[Future[None]] = []
    try:
        if threads > 1:
            others = [_pool(threads - 1).submit(work) for _ in range(threads - 1)]
        work()
    except BaseException:
        halt()
        raise
    finally:
        for other in others:
            if not other.cancel():  # one that has not begun is not waited for
                other.result()


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="symgd")


if hasattr(os, "register_at_fork"):  # a child process has no threads but its own
    os.register_at_fork(after_in_child=_pool.cache_clear)
