"""Standard streams that survive closed pipes, full disks and unencodable text."""

import errno
import io
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from symgd.cli.colors import has_color, paint, painted_message

CLOSED_PIPE = 141  # as a shell reports a program ended by SIGPIPE
USAGE = 2  # errors of usage, formula or data


class OutputError(Exception):
    """Standard output cannot be written.

    exit_code: 141 for a closed pipe, else 2. final_lines: results to write to stderr instead.
    """

    final_lines = ""

    def __init__(self, cause: OSError) -> None:
        # Windows reports a closed pipe as EINVAL.
        closed = {errno.EPIPE} | ({errno.EINVAL} if os.name == "nt" else set())
        self.exit_code = CLOSED_PIPE if cause.errno in closed else USAGE
        super().__init__(f"cannot write the output: {cause.strerror or cause}")


class _Output(io.TextIOWrapper):
    """A text stream whose OSErrors are OutputErrors, which Typer does not swallow."""

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
    """A text stream that ignores its OSErrors."""

    def write(self, text: str, /) -> int:
        with suppress(OSError):
            return super().write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            super().flush()


@contextmanager
def console() -> Iterator[None]:
    """A context in which stdout escapes unencodable characters, and its errors set the exit code.

    Errors of stderr are ignored.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout = _replacement(sys.stdout, _Output)
        vars(sys)["__stdout__"] = sys.stdout  # the help reads the terminal width from this one
    if sys.stderr is None:  # closed: a new file must not get its descriptor
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - open to the end
    elif isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr = vars(sys)["__stderr__"] = _replacement(sys.stderr, _Messages)
    try:
        try:
            yield
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except OutputError as error:
        _redirect_stdout_to_null()
        if error.exit_code != CLOSED_PIPE:
            write_message("\n".join(filter(None, [str(error), error.final_lines])))
        sys.exit(error.exit_code)


def _replacement(stream: io.TextIOWrapper, stream_type: type[io.TextIOWrapper]) -> io.TextIOWrapper:
    """A stream of this type to the same file, in the same encoding."""
    lines, through, encoding = stream.line_buffering, stream.write_through, stream.encoding
    return stream_type(
        stream.detach(),
        encoding=encoding,
        errors="backslashreplace",
        line_buffering=lines,
        write_through=through,
    )


def emit(lines: Iterable[str]) -> None:
    """Write the lines to standard output and flush it."""
    if sys.stdout is None:
        raise OutputError(OSError(errno.EBADF, "standard output is closed"))
    for line in lines:
        sys.stdout.write(line + "\n")
    sys.stdout.flush()


def write_message(message: str, style: str = "") -> None:
    """Write a message to standard error, ignoring failures. style: "error" or "hint"."""
    if sys.stderr is None:
        return
    name = "symgd"
    if style and has_color(sys.stderr):
        name = paint(name, "error") if style == "error" else name
        message = painted_message(message) if style == "error" else paint(message, style)
    with suppress(OSError):
        sys.stderr.write(f"{name}: {message}\n")
        sys.stderr.flush()


def _redirect_stdout_to_null() -> None:
    """Redirect file descriptor 1, so that the flush at exit succeeds."""
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, 1)
    finally:
        os.close(null)
