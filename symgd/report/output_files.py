"""Output files: checked before a run starts, written atomically."""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO

from symgd.errors import ArgumentError, BackendError
from symgd.names import escape

PICTURES = (".png", ".svg", ".pdf", ".gif")
INSTALL_MATPLOTLIB = '"symgd[plot]"'
PAGES = (".html", ".htm")


def check_picture(path: str | os.PathLike[str]) -> Path:
    """The path of a picture that can be drawn and written, or ArgumentError or BackendError."""
    checked = _suffix(path, PICTURES, "a picture")
    try:
        installed = find_spec("matplotlib") is not None
    except ValueError:  # sys.modules has something else under that name
        installed = False
    if not installed:
        raise BackendError(f"pictures need matplotlib: pip install {INSTALL_MATPLOTLIB}")
    return _writable(checked)


def check_page(path: str | os.PathLike[str]) -> Path:
    """The path of a page that can be written, or ArgumentError."""
    return _writable(_suffix(path, PAGES, "a page"))


def write_whole(path: Path, data: bytes) -> None:
    """Replace the content of the file by `data`, or leave it unchanged and raise ArgumentError.

    The bytes are written to a temporary file in the same folder, which then replaces the file: a
    full disk or a killed process leaves no partial file. Permissions are kept, and so is a symbolic
    link, whose target is replaced. A pipe, a device, or the standard output of this process is
    written directly.
    """
    try:
        found = _status(path)
        if found is None or _replaceable(found):
            _replace(Path(os.path.realpath(path)), data, found)
        else:
            with path.open("ab") as stream:
                stream.write(data)
    except OSError as error:
        raise _cannot_write(path, error) from None


def _status(path: Path) -> os.stat_result | None:
    """The status of the file at the path, or None if there is none."""
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _replaceable(status: os.stat_result) -> bool:
    """Whether the file may be replaced: not if a standard stream is open on it."""
    return stat.S_ISREG(status.st_mode) and not any(
        os.path.samestat(status, other) for other in _standard_streams()
    )


def _standard_streams() -> list[os.stat_result]:
    found = []
    for number in range(3):
        with suppress(OSError):  # closed
            found.append(os.fstat(number))
    return found


def _replace(target: Path, data: bytes, old: os.stat_result | None) -> None:
    temporary = _written_nameless(target.parent, data) or _written(target.parent, data)
    try:
        if old is not None:
            _keep_owner(temporary, old)
            temporary.chmod(stat.S_IMODE(old.st_mode))
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _synchronize(target.parent)


def _written_nameless(folder: Path, data: bytes) -> Path | None:
    """A new file with this content, which had no name before it was whole: nothing is left behind.

    None where the system or the file system has no such files.
    """
    flag = getattr(os, "O_TMPFILE", None)
    if flag is None:
        return None
    path = _temporary_path(folder)
    try:
        place = os.open(folder, os.O_RDONLY)
        try:
            with open(os.open(folder, os.O_WRONLY | flag, 0o666), "wb") as stream:
                _write_through(stream, data)
                # with a folder's descriptor, os.link follows the link to the file
                os.link(f"/proc/self/fd/{stream.fileno()}", path.name, dst_dir_fd=place)
        finally:
            os.close(place)
    except OSError:  # also of a full disk, which is met again
        return None
    return path


def _written(folder: Path, data: bytes) -> Path:
    descriptor, path = _temporary(folder)
    try:
        with open(descriptor, "wb") as stream:
            _write_through(stream, data)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


def _write_through(stream: BinaryIO, data: bytes) -> None:
    stream.write(data)
    stream.flush()
    os.fsync(stream.fileno())


def _synchronize(folder: Path) -> None:
    """Have the new name in the folder survive a crash of the machine, where that can be asked."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _temporary(folder: Path) -> tuple[int, Path]:
    """A new file, open for writing, with default permissions."""
    path = _temporary_path(folder)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    return os.open(path, flags, 0o666), path


def _temporary_path(folder: Path) -> Path:
    return folder / f".symgd-{secrets.token_hex(8)}.tmp"


def _keep_owner(path: Path, old: os.stat_result) -> None:
    new = path.stat()
    if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
        with suppress(PermissionError):  # only root may change them
            os.chown(path, old.st_uid, old.st_gid)


def _cannot_write(path: Path, error: OSError) -> ArgumentError:
    return ArgumentError(f"cannot write '{escape(str(path))}': {error.strerror or error}")


def _suffix(path: str | os.PathLike[str], known: tuple[str, ...], what: str) -> Path:
    checked = Path(path)
    if checked.suffix.lower() not in known:
        shown = escape(os.fspath(path))  # "" as it is: its Path is "."
        raise ArgumentError(f"'{shown}': {what} ends in {', '.join(known[:-1])} or {known[-1]}")
    return checked


def _writable(path: Path) -> Path:
    """The path if it can be written, or ArgumentError; its content is not changed."""
    try:
        found = _status(path)
        if found is not None and not stat.S_ISFIFO(found.st_mode):  # which would wait for a reader
            with path.open("ab"):
                pass
        if found is None or _replaceable(found):
            descriptor, temporary = _temporary(Path(os.path.realpath(path)).parent)
            os.close(descriptor)
            temporary.unlink()
    except OSError as error:
        raise _cannot_write(path, error) from None
    except ValueError:  # a null character
        raise ArgumentError(f"'{escape(str(path))}' is not the name of a file") from None
    return path
