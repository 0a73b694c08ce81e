"""Locks and forks, and the standard library's cached_property without its lock.

A forked child process has no threads but the one that forked, yet all locks as held. So a fork
waits for the locks that matter and for imports in other threads, and what they guard is consistent
in the child. The lock in Python 3.11's functools.cached_property is one for all instances of a
class: threads wait for one another, and it stays locked in a child that was forked meanwhile. From
3.12 on there is none.
"""

from __future__ import annotations

import importlib
import logging  # noqa: F401 - while a fork waits, nobody may register what it does at forks
import os
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from threading import RLock, get_ident
from typing import TYPE_CHECKING, Any

_held: list[AbstractContextManager[Any]] = []  # while this process forks
_PATIENCE = 10.0  # seconds that a fork waits for imports in other threads


def hold_in_forks(lock: AbstractContextManager[Any]) -> None:
    """Let every fork of this process wait until no other thread holds the lock."""
    _held.append(lock)


def _before_fork() -> None:
    """Take the locks at a moment when no other thread imports a module.

    An import may take one of them, and is not waited for while they are held.
    """
    end = time.monotonic() + _PATIENCE
    while True:
        locks = list(_held)
        for lock in locks:
            lock.__enter__()
        _taken[:] = locks
        if not _imports_elsewhere() or time.monotonic() > end:
            return
        _after_fork()
        time.sleep(0.001)


def _after_fork() -> None:
    while _taken:
        _taken.pop().__exit__(None, None, None)


def _imports_elsewhere() -> bool:
    """Whether another thread imports a module: its lock would stay locked in the child for ever."""
    locks = getattr(getattr(importlib, "_bootstrap", None), "_module_locks", {})
    owners = (getattr(ref(), "owner", None) for ref in list(locks.values()))
    return any(owner not in (None, get_ident()) for owner in owners)


_taken: list[AbstractContextManager[Any]] = []  # of the thread that forks; guarded by the first
hold_in_forks(RLock())  # for forks in several threads at once
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork, after_in_child=_after_fork, after_in_parent=_after_fork
    )

MPMATH = RLock()  # its functions change the precision of their context on the way
hold_in_forks(MPMATH)


if TYPE_CHECKING or sys.version_info >= (3, 12):
    from functools import cached_property
else:

    class cached_property:  # noqa: N801 - as in functools
        """A method whose value, once computed, is an attribute of the instance."""

        def __init__(self, function: Callable[[Any], Any]) -> None:
            self._function, self.__doc__ = function, function.__doc__

        def __set_name__(self, owner: type, name: str) -> None:
            self._name = name

        def __get__(self, instance: object, owner: type) -> Any:
            if instance is None:
                return self
            value = instance.__dict__[self._name] = self._function(instance)
            return value


__all__ = ["MPMATH", "cached_property", "hold_in_forks"]
