"""One piece of work in several threads at once; the helpers stay for the next."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from queue import SimpleQueue

_BRIEF = 3e-4  # seconds; to be put to sleep and woken takes about as long


def together(work: Callable[[], None], threads: int, halt: Callable[[], None]) -> None:
    """Call `work` in as many threads at once, of which the caller's is one.

    halt: called when the caller's is interrupted; the others must then soon come to their end.
    """
    tasks = [_Task(work) for _ in range(threads - 1)]
    try:
        _helpers.give(tasks)
        work()
    except BaseException:
        halt()
        raise
    finally:
        for task in tasks:
            task.end()


class _Task:
    """Work that one helper does once, if nobody tells it before it begins that it need not."""

    def __init__(self, work: Callable[[], None]) -> None:
        self.work = work
        self.error: BaseException | None = None
        self.begun, self.done = threading.Lock(), threading.Lock()
        self.done.acquire()

    def run(self) -> None:
        """The helper's part."""
        if self.begun.acquire(blocking=False):
            try:
                self.work()
            except BaseException as error:
                self.error = error
            finally:
                self.done.release()

    def end(self) -> None:
        """Wait until it has ended, or see to it that it never begins; raise what it raised."""
        if self.begun.acquire(blocking=False):
            return
        until = time.perf_counter() + _BRIEF
        while not self.done.acquire(blocking=False):
            if time.perf_counter() > until:
                self.done.acquire()
                break
            time.sleep(0)  # lets the helper have the interpreter
        if self.error is not None:
            raise self.error


class _Helpers:
    """Threads that take one task after the other, as many as were ever wanted at once."""

    def __init__(self) -> None:
        self.tasks: SimpleQueue[_Task] = SimpleQueue()
        self.count = 0

    def give(self, tasks: Sequence[_Task]) -> None:
        """Have these done, each by another helper if they are free."""
        while self.count < len(tasks):
            self.count += 1
            name = f"symgd_{self.count}"
            threading.Thread(target=self._serve, args=(self.tasks,), name=name, daemon=True).start()
        for task in tasks:
            self.tasks.put(task)

    @staticmethod
    def _serve(tasks: SimpleQueue[_Task]) -> None:
        while True:
            tasks.get().run()  # no name for it: what it holds is let go when it is done


_helpers = _Helpers()

if hasattr(os, "register_at_fork"):  # a child process has no threads but its own
    os.register_at_fork(after_in_child=_helpers.__init__)  # type: ignore[misc]
