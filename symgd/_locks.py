"""Locks and forks, and the standard library's cached_property without its lock.

A forked child process has no threads but the one that forked, yet all locks as held. So a fork
waits for the locks that matter, and what they guard is consistent in the child. The lock in Python
3.11's functools.cached_property is one for all instances of a class: threads wait for one another,
and it stays locked in a child that was forked meanwhile. From 3.12 on there is none.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from threading import RLock
from typing import TYPE_CHECKING, Any


def hold_in_forks(lock: AbstractContextManager[Any]) -> None:
    """Let every fork of this process wait until no other thread holds the lock."""

    def release() -> None:
        lock.__exit__(None, None, None)

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=lock.__enter__, after_in_child=release, after_in_parent=release)


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
