"""The C references, compiled by this system's own compiler into a temporary directory."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
FLAGS = ("-O3", "-march=native")


def compiler() -> str | None:
    """The C compiler: $CC, or cc."""
    return shutil.which(os.environ.get("CC", "cc"))


def load(name: str, *more: str) -> ctypes.CDLL:
    """The functions of NAME.c. more: flags after -O3 -march=native."""
    cc = compiler()
    assert cc, "the caller asks compiler() first"
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder, f"{name}.so")
        files = ["-o", str(library), str(HERE / f"{name}.c")]
        words = [cc, *FLAGS, *more, "-shared", "-fPIC", "-pthread", *files, "-lm"]
        subprocess.run(words, check=True, timeout=60)
        return ctypes.CDLL(str(library))


def pointer(array: object) -> ctypes.c_void_p:
    """Where the numbers of a NumPy array lie."""
    return ctypes.c_void_p(array.ctypes.data)
