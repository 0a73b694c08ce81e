"""The progress of long computations: what runs tells, and who shows it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from symgd.model.present import draw

Listener = Callable[["Progress"], None]

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


@dataclass(frozen=True)
class Progress:
    """How far a computation has come: `done` of `total` units, since `began` (time.monotonic).

    total: 0 where nobody knows it.

    note: in a few words where it is. about: what runs, for who wants to say more of it.
    """

    done: float
    total: float
    unit: str
    began: float
    note: str = ""
    about: Any = None

    @property
    def seconds(self) -> float:
        """How long it has run."""
        return time.monotonic() - self.began

    @property
    def share(self) -> float:
        """The part that is done, from 0 to 1."""
        return min(1.0, self.done / self.total) if self.total else 0.0

    @property
    def seconds_left(self) -> float | None:
        """How long it will run at the rate so far; None before anything is done."""
        return self.seconds * (1 / self.share - 1) if self.share else None


@dataclass
class Meter:
    """What a loop tells of itself, to whoever listens where it was made.

    In a notebook that is a bar, unless somebody else listens.
    """

    total: float
    unit: str
    about: Any = None
    began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self._listener = _listener.get()
        if self._listener is None and "IPython" in sys.modules:
            self._listener = draw(self, "bar")

    def tell(self, done: float, note: str = "") -> None:
        """So much is done."""
        if self._listener is not None:
            self._listener(Progress(done, self.total, self.unit, self.began, note, self.about))

    @contextmanager
    def part(self, done: float) -> Iterator[None]:
        """Inside, what other meters tell is a part of the next unit of this one."""
        if self._listener is None:
            yield
            return
        with listening(lambda inner: self.tell(done + inner.share, inner.note)):
            yield


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Inside, long computations of this thread call the listener several times a second."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)
