"""The files that a run is asked to write, checked before the run starts."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

from symgd.errors import ArgumentError, BackendError
from symgd.names import escape

PICTURES = (".png", ".svg", ".gif")
PAGES = (".html", ".htm")


def check_picture(path: str | os.PathLike[str]) -> Path:
    """The path of a picture that can be drawn and written, or ArgumentError or BackendError."""
    checked = _suffix(path, PICTURES, "a picture")
    check_matplotlib()
    return _writable(checked)


def check_page(path: str | os.PathLike[str]) -> Path:
    """The path of a page that can be written, or ArgumentError."""
    return _writable(_suffix(path, PAGES, "a page"))


def check_matplotlib() -> None:
    """See that matplotlib is installed, without importing it, or BackendError."""
    try:
        there = find_spec("matplotlib") is not None
    except ValueError:  # something else stands under that name
        there = False
    if not there:
        raise BackendError('pictures need matplotlib: pip install "symgd[plot]"')


def write_picture(path: Path, data: bytes) -> None:
    """The bytes to the file, or ArgumentError."""
    try:
        path.write_bytes(data)
    except OSError as error:
        raise cannot_write(path, error) from None


def cannot_write(path: Path, error: OSError) -> ArgumentError:
    """The error of a file that the operating system refuses."""
    return ArgumentError(f"cannot write '{escape(str(path))}': {error.strerror or error}")


def _suffix(path: str | os.PathLike[str], known: tuple[str, ...], what: str) -> Path:
    checked = Path(path)
    if checked.suffix.lower() not in known:
        shown = escape(os.fspath(path))  # "" as it is: its Path is "."
        raise ArgumentError(f"'{shown}': {what} ends in {', '.join(known[:-1])} or {known[-1]}")
    return checked


def _writable(path: Path) -> Path:
    """The path, once a trial has opened it for writing; its content is left as it is."""
    there = path.exists()
    try:
        with path.open("ab"):
            pass
        if not there:
            path.unlink()
    except OSError as error:
        raise cannot_write(path, error) from None
    except ValueError:  # a null character
        raise ArgumentError(f"'{escape(str(path))}' is not the name of a file") from None
    return path
