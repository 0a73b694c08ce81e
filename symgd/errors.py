"""Every exception that symgd raises on purpose, and the texts of errors.

SymgdError
├── FormulaError    a loss, rule line or schedule that cannot be read (text, column)
├── RuleError       a rule whose lines read well but make no update rule
├── ArgumentError   a start, learning rate, tolerance, hyperparameter that makes no sense
├── DataError       a cell, row or column of a table (source, line or row, column, cell)
├── BackendError    a backend that cannot run a program
├── PrecisionError  an exact value that the highest precision does not settle
└── DescentError    raised by Result.raise_for_status() only
"""

from __future__ import annotations

import os
import traceback
import unicodedata
from dataclasses import dataclass

from symgd.names import escape

_WINDOW = 72  # columns of a long text that are shown around the place


class SymgdError(Exception):
    """The root of every error that a user of symgd can cause. Its text is safe on a terminal."""

    def __str__(self) -> str:
        return "\n".join(map(escape, self._text().split("\n")))

    def _text(self) -> str:
        return super().__str__()

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in place of a traceback: the caller's line, and the error."""
        frames = traceback.extract_tb(self.__traceback__)
        own = [f for f in frames if f.line and not _is_inside(f.filename)]
        called = [f"line {own[-1].lineno}: {escape(own[-1].line or '')}", ""] if own else []
        return [*called, f"{type(self).__name__}: {self}"]


def _is_inside(filename: str) -> bool:
    """Whether a file is one of symgd, or of the shell that called it."""
    return filename.startswith(os.path.dirname(__file__) + os.sep) or "IPython" in filename


@dataclass(eq=False, repr=False)
class FormulaError(SymgdError):
    """A text that is not a formula.

    text: what was typed. column: 0-based index into text. sentence: what is wrong there.
    hint: what to do, or "".
    """

    text: str
    column: int
    sentence: str
    hint: str = ""

    def __post_init__(self) -> None:
        self.column = max(0, min(self.column, len(self.text)))

    def _text(self) -> str:
        shown = caret(self.text, self.column) if self.text.strip() else []
        lines = [self.sentence, *shown]
        if self.hint:
            lines.append(self.hint)
        return "\n".join(lines)


class RuleError(SymgdError):
    """A rule that names no step, assigns what is reserved, or lacks a hyperparameter."""


class ArgumentError(SymgdError, ValueError):
    """An argument of a descent (start, lr, steps, tol, a constant) that makes no sense."""


@dataclass(eq=False, repr=False)
class DataError(SymgdError):
    """A table that does not hold what the loss needs.

    message: what is wrong. row: 1-based row of the data, line: 1-based line of a text file,
    column: its name, source: the file or object, cell: what stands there, hint: what to do;
    each None or "" where it does not apply. The message is shown with its place when the
    source is known.
    """

    message: str
    row: int | None = None
    column: str | None = None
    line: int | None = None
    source: str = ""
    cell: str | None = None
    hint: str = ""

    def _text(self) -> str:
        place = self._place() if self.source else ""
        return "\n".join(filter(None, [place + self.message, self.hint]))

    def _place(self) -> str:
        words = [excerpt(self.source, 200)]
        if self.line is not None:
            words.append(f"line {self.line:,}")
        elif self.row is not None:
            words.append(f"row {self.row:,}")
        if self.column is not None:
            words.append(f"column '{excerpt(self.column)}'")
        return ", ".join(words) + ": "


class BackendError(SymgdError):
    """A backend that is not there, or cannot run this program."""


class PrecisionError(SymgdError):
    """A value that `Loss.exact` cannot round correctly with the digits that it may use."""


class DescentError(SymgdError):
    """A descent that ended in a status other than converged or completed."""


def import_problem(package: str, install: str) -> str:
    """Why a package cannot be imported, to stand after "... needs PACKAGE"; "" if it can.

    install: what pip installs. A broken package may raise anything, and is no fault of symgd's.
    """
    from importlib import import_module

    try:
        import_module(package.partition(".")[0])
        import_module(package)
    except Exception as error:
        return describe_import_error(error, package, install)
    return ""


def describe_import_error(error: Exception, package: str, install: str) -> str:
    """The same for what importing the package raised."""
    if isinstance(error, ModuleNotFoundError) and error.name == package.partition(".")[0]:
        return f": pip install {install}"
    first = str(error).partition("\n")[0]
    return f", which cannot be imported: {type(error).__name__}: {first}"


def excerpt(text: str, limit: int = 60) -> str:
    """`text` on one line, escaped, and cut with "…" where it is longer than `limit`."""
    return escape(text[:limit]) + ("…" if len(text) > limit else "")


def caret(text: str, column: int) -> list[str]:
    """The line of `text` around `column`, and a line with a caret under that place.

    Control characters are shown escaped, long lines are cut to a window, wide characters count
    two columns, so that the caret stands where a terminal draws the character.
    """
    start = max(0, column - _WINDOW // 2)
    stop = min(len(text), start + _WINDOW)
    before = ("…" if start else "") + escape(text[start:column])
    after = escape(text[column:stop]) + ("…" if stop < len(text) else "")
    return [f"  {before}{after}", "  " + " " * _width(before) + "^"]


def _width(text: str) -> int:
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )
