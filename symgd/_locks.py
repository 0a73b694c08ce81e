"""Locks and forks: a child process has no threads but the one that forked, yet all locks as held.

So a fork waits for those that matter, and what they guard is whole in the child.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from threading import RLock
from typing import Any


def hold_in_forks(lock: AbstractContextManager[Any]) -> None:
    """Let every fork of this process wait until no other thread holds the lock."""

    def release() -> None:
        lock.__exit__(None, None, None)

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=lock.__enter__, after_in_child=release, after_in_parent=release)


MPMATH = RLock()  # its functions change the precision of their context on the way
hold_in_forks(MPMATH)
