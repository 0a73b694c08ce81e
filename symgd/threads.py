"""How many threads this process may use."""

from __future__ import annotations

import os

THREADS = "SYMGD_THREADS"  # the environment's word on how many


def default_threads() -> int:
    """$SYMGD_THREADS where that is a whole number, else the processors of this process."""
    told = os.environ.get(THREADS, "")
    if told.isdecimal() and int(told) > 0:
        return int(told)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
