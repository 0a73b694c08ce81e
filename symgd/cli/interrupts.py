"""Ctrl-C: the end with exit code 130, by way of the result so far where there is one."""

import _thread
import atexit
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from sys import UnraisableHookArgs
    from types import FrameType

INTERRUPTED = 130  # what a shell reports for a program that SIGINT ended

T = TypeVar("T")


def listen() -> None:
    """From now on Ctrl-C ends the process at once, or the `interruptible` command that runs.

    It is ignored where it was, as in the background of a shell, and when all is done.
    """
    sys.unraisablehook = _interrupt_again
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)  # runs last
        signal.signal(signal.SIGINT, _interrupt)


def interruptible(command: Callable[[], T]) -> T:
    """What the command returns; Ctrl-C is a KeyboardInterrupt in it, and here the end.

    Also where the command ended first, or swallowed it.
    """
    try:
        result = command()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    if _signals:
        sys.exit(INTERRUPTED)
    return result


_signals: list[int] = []  # SIGINT, as often as it came while a command ran


def _interrupt(number: int, frame: "FrameType | None") -> None:
    """Raise KeyboardInterrupt, but only where it arrives.

    Outside of a command nobody waits for it: the process ends at once. Within an import it might
    be swallowed (mpmath looks for gmpy2 in a bare `except:`) or changed (a class statement makes a
    RuntimeError of it), and modules would be left half made: a moment later then.
    """
    innermost, unsafe = frame, False
    while frame is not None and frame.f_code is not interruptible.__code__:
        code = frame.f_code
        bare = code.co_name in _BARE and str(frame.f_globals.get("__name__")).startswith("mpmath.")
        unsafe = unsafe or bare or code.co_filename.startswith("<frozen importlib")
        frame = frame.f_back
    if frame is None or frame is innermost:
        os._exit(INTERRUPTED)
    _signals.append(number)
    if unsafe:
        _later()
    else:
        raise KeyboardInterrupt


_BARE = {"convert", "from_float"}  # of mpmath, whose `except:` takes Ctrl-C for a miss


def _interrupt_again(unraisable: "UnraisableHookArgs") -> None:
    """Raise a Ctrl-C once more that came where Python can only drop it.

    Such places are `__del__` and the callbacks of weak references.
    """
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        _later()
    else:
        sys.__unraisablehook__(unraisable)


def _later() -> None:
    """Ctrl-C, a moment later, by another thread; at once where none can be had."""
    try:
        _thread.start_new_thread(_soon, ())
    except RuntimeError:
        os._exit(INTERRUPTED)


def _soon() -> None:
    time.sleep(0.01)
    _thread.interrupt_main()
