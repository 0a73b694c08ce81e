"""functools.cached_property without the lock that Python 3.11 has in it.

That lock is one for all instances of a class: threads wait for one another, and in a child process
that was forked meanwhile it stays locked. From 3.12 on there is none.
"""

from __future__ import annotations

import sys

if sys.version_info >= (3, 12):
    from functools import cached_property
else:
    from collections.abc import Callable
    from typing import Any, Generic, Self, TypeVar, overload

    T = TypeVar("T")

    class cached_property(Generic[T]):  # noqa: N801 - as in functools
        """A method whose value, once computed, is an attribute of the instance."""

        def __init__(self, function: Callable[[Any], T]) -> None:
            self._function = function
            self.__doc__ = function.__doc__

        def __set_name__(self, owner: type, name: str) -> None:
            self._name = name

        @overload
        def __get__(self, instance: None, owner: type) -> Self: ...

        @overload
        def __get__(self, instance: object, owner: type) -> T: ...

        def __get__(self, instance: object, owner: type) -> Self | T:
            if instance is None:
                return self
            value = self._function(instance)
            instance.__dict__[self._name] = value
            return value


__all__ = ["cached_property"]
