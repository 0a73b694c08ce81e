"""The end of a child process that worked beside this one."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from subprocess import Popen


def end_child(child: Popen[Any] | None) -> None:
    """Kill it if it still runs, close its pipes, and wait for it."""
    if child is None:
        return
    child.kill()
    for stream in (child.stdin, child.stdout):
        if stream is not None:
            with suppress(OSError):
                stream.close()
    child.wait()
