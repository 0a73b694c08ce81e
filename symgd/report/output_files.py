"""Checks of output files before a run starts."""

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
    """BackendError if matplotlib is not installed; it is not imported."""
    try:
        exists = find_spec("matplotlib") is not None
    except ValueError:  # sys.modules has something else under that name
        exists = False
    if not exists:
        raise BackendError('pictures need matplotlib: pip install "symgd[plot]"')


def write_picture(path: Path, data: bytes) -> None:
    """Write the bytes to the file, or ArgumentError."""
    try:
        path.write_bytes(data)
    except OSError as error:
        raise cannot_write(path, error) from None


def cannot_write(path: Path, error: OSError) -> ArgumentError:
    """The error about a file that the operating system does not write."""
    return ArgumentError(f"cannot write '{escape(str(path))}': {error.strerror or error}")


def _suffix(path: str | os.PathLike[str], known: tuple[str, ...], what: str) -> Path:
    checked = Path(path)
    if checked.suffix.lower() not in known:
        shown = escape(os.fspath(path))  # "" as it is: its Path is "."
        raise ArgumentError(f"'{shown}': {what} ends in {', '.join(known[:-1])} or {known[-1]}")
    return checked


def _writable(path: Path) -> Path:
    """The path if it can be opened for writing, or ArgumentError; its content is not changed."""
    exists = path.exists()
    try:
        with path.open("ab"):
            pass
        if not exists:
            path.unlink()
    except OSError as error:
        raise cannot_write(path, error) from None
    except ValueError:  # a null character
        raise ArgumentError(f"'{escape(str(path))}' is not the name of a file") from None
    return path
