"""The entry point: run the command line, end with its exit code, whenever Ctrl-C comes."""

import _thread
import gc
import signal
import sys
import time
from typing import TYPE_CHECKING

from symgd.cli.console import USAGE, complain, console

if TYPE_CHECKING:
    from sys import UnraisableHookArgs
    from types import FrameType

_BARE = {"<module>", "convert", "from_float"}  # of mpmath, whose `except:` takes Ctrl-C for a miss


def main() -> None:
    """Run the command line and leave with its exit code (the console script's entry point)."""
    sys.unraisablehook = _interrupt_again
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)
    gc.disable()  # imports make much and free nothing; the commands enable it before a run
    try:
        with console():
            from symgd.cli.app import app

            app(prog_name="symgd")
    except KeyboardInterrupt:
        sys.exit(130)
    except MemoryError as error:
        complain(f"there is not enough memory: {error}".rstrip(": "))
        sys.exit(USAGE)


def _interrupt(_: int, frame: "FrameType | None") -> None:
    """Raise KeyboardInterrupt, but never where it would be swallowed: a moment later then.

    mpmath looks for gmpy2 within a bare `except:` while it is imported.
    """
    while frame is not None:
        module = str(frame.f_globals.get("__name__"))
        if frame.f_code.co_name in _BARE and module.startswith("mpmath."):
            _thread.start_new_thread(_soon, ())
            return
        frame = frame.f_back
    raise KeyboardInterrupt


def _interrupt_again(unraisable: "UnraisableHookArgs") -> None:
    """Raise a Ctrl-C once more that came where Python can only drop it.

    Such places are `__del__` and the callbacks of weak references, which imports are full of. A
    thread does it, a moment later: what is raised in here is dropped as well.
    """
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        _thread.start_new_thread(_soon, ())
    else:
        sys.__unraisablehook__(unraisable)


def _soon() -> None:
    """Ctrl-C, a moment later."""
    time.sleep(0.01)
    _thread.interrupt_main()
