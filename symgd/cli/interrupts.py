"""Handling of Ctrl-C: exit code 130, after the report of the result so far if there is one."""

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

INTERRUPTED = 130  # as a shell reports a program ended by SIGINT

T = TypeVar("T")


def listen() -> None:
    """Install the handler: Ctrl-C interrupts the `interruptible` command, or ends the process.

    SIGINT stays ignored where it was, as in the background of a shell, and is ignored at exit.
    """
    sys.unraisablehook = _interrupt_again
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)  # runs last
        signal.signal(signal.SIGINT, _interrupt)


def interruptible(command: Callable[[], T]) -> T:
    """The result of the command; Ctrl-C raises KeyboardInterrupt in it, then exits with 130.

    So does a Ctrl-C that the command swallowed, or that came at its end.
    """
    try:
        result = command()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Exception:  # in a `with lock` of the standard library it becomes a RuntimeError
        if _signals:
            sys.exit(INTERRUPTED)
        raise
    if _signals:
        sys.exit(INTERRUPTED)
    return result


_signals: list[int] = []  # one entry for each SIGINT during a command


def _interrupt(number: int, frame: "FrameType | None") -> None:
    """Raise KeyboardInterrupt, but only where it propagates.

    Outside a command the process ends at once. During an import it could be swallowed (mpmath looks
    for gmpy2 in a bare `except:`) or changed (a class statement makes a RuntimeError of it), and
    modules would be left incomplete; it is then raised a moment later.
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


_BARE = {"convert", "from_float"}  # functions of mpmath with a bare `except:`


def _interrupt_again(unraisable: "UnraisableHookArgs") -> None:
    """Raise KeyboardInterrupt again if Python could not propagate it.

    That is so in `__del__` and in callbacks of weak references.
    """
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        _later()
    else:
        sys.__unraisablehook__(unraisable)


def _later() -> None:
    """Interrupt a moment later by another thread; end the process if none can be started."""
    try:
        _thread.start_new_thread(_soon, ())
    except RuntimeError:
        os._exit(INTERRUPTED)


def _soon() -> None:
    time.sleep(0.01)
    _thread.interrupt_main()
