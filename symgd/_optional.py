"""Optional packages: what to say when one cannot be imported."""

from __future__ import annotations

from importlib import import_module


def import_problem(package: str, install: str) -> str:
    """Why a package cannot be imported, to stand after "... needs PACKAGE"; "" if it can.

    install: what pip installs. A broken package may raise anything, and is no fault of symgd's.
    """
    try:
        import_module(package.partition(".")[0])
        import_module(package)
    except Exception as error:
        return describe(error, package, install)
    return ""


def describe(error: Exception, package: str, install: str) -> str:
    """The same for what importing the package raised."""
    if isinstance(error, ModuleNotFoundError) and error.name == package.partition(".")[0]:
        return f": pip install {install}"
    first = str(error).partition("\n")[0]
    return f", which cannot be imported: {type(error).__name__}: {first}"
