"""The program around the commands of `cli.py`: its start, its streams, its last words."""

import _thread
import errno
import gc
import io
import os
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sys import UnraisableHookArgs
    from types import FrameType

CLOSED_PIPE = 141  # what a shell reports for a program that SIGPIPE ended
_BARE = {"<module>", "convert", "from_float"}  # of mpmath, whose `except:` takes Ctrl-C for a miss
USAGE = 2  # usage, formula, data: whatever the person at the keyboard can mend


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


class OutputError(Exception):
    """Standard output took no more.

    exit_code: 141 for a closed pipe, 2 for anything else. rescued: what must not be lost.
    """

    rescued = ""

    def __init__(self, cause: OSError) -> None:
        # Windows reports a closed pipe as EINVAL.
        closed = {errno.EPIPE} | ({errno.EINVAL} if os.name == "nt" else set())
        self.exit_code = CLOSED_PIPE if cause.errno in closed else USAGE
        super().__init__(f"cannot write the output: {cause.strerror or cause}")


class _Output(io.TextIOWrapper):
    """A text stream whose failures are `OutputError`s, which Typer does not swallow."""

    def write(self, text: str, /) -> int:
        try:
            return super().write(text)
        except OSError as error:
            raise OutputError(error) from error

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            raise OutputError(error) from error


class _Messages(io.TextIOWrapper):
    """A text stream whose failures nobody can be told of: they are ignored."""

    def write(self, text: str, /) -> int:
        with suppress(OSError):
            return super().write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            super().flush()


@contextmanager
def console() -> Iterator[None]:
    """Within it, stdout takes every character (in escapes where it must) and fails politely.

    What stderr does not take is lost, and changes no exit code.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout = _instead(sys.stdout, _Output)
        vars(sys)["__stdout__"] = sys.stdout  # the help asks this one for the terminal's width
    if sys.stderr is None:  # closed: what is said there must not end up among the results
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - open to the end
    elif isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr = vars(sys)["__stderr__"] = _instead(sys.stderr, _Messages)
    try:
        try:
            yield
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except OutputError as error:
        _abandon_stdout()
        if error.exit_code != CLOSED_PIPE:
            complain("\n".join(filter(None, [str(error), error.rescued])))
        sys.exit(error.exit_code)


def _instead(stream: io.TextIOWrapper, kind: type[io.TextIOWrapper]) -> io.TextIOWrapper:
    """A stream of this kind to the same place, in the same encoding."""
    lines, through, encoding = stream.line_buffering, stream.write_through, stream.encoding
    return kind(
        stream.detach(),
        encoding=encoding,
        errors="backslashreplace",
        line_buffering=lines,
        write_through=through,
    )


def emit(lines: Iterable[str]) -> None:
    """Write the lines to standard output, all the way to the operating system."""
    if sys.stdout is None:
        raise OutputError(OSError(errno.EBADF, "standard output is closed"))
    for line in lines:
        sys.stdout.write(line + "\n")
    sys.stdout.flush()


def complain(message: str) -> None:
    """Write a message for people to standard error, if there is one that takes it."""
    if sys.stderr is not None:
        with suppress(OSError):
            sys.stderr.write(f"symgd: {message}\n")
            sys.stderr.flush()


def _abandon_stdout() -> None:
    """Point file 1 at nothing, so that the flush at the end of the interpreter succeeds."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 1)
    finally:
        os.close(nothing)
