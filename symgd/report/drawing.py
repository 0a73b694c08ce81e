"""A second process that imports matplotlib while this one imports SymPy and descends.

Either import takes a third of a second and neither needs the other, so a command that is asked
for a picture starts the child first and sends it the scene at the end. Whatever goes wrong with
the child, this process draws by itself.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from symgd._processes import end_child

if TYPE_CHECKING:
    from symgd.report.scenes import FitScene, RateScene, Scene

_PATIENCE = 60.0  # seconds for one picture, the first of which may build matplotlib's font cache


class Painter:
    """The child from the first line of a command to its end; close() may be called twice."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None
        if "matplotlib" in sys.modules or not sys.executable:
            return  # nothing to gain, or nothing to start
        home = str(Path(__file__).resolve().parent.parent.parent)
        path = os.pathsep.join([home, *filter(None, sys.path)])
        command = [sys.executable, "-P", "-m", "symgd.report._painter"]
        wanted = {k: v for k, v in os.environ.items() if k != "MPLBACKEND"}  # it opens no window
        with suppress(OSError):  # no processes to be had here
            self._child = subprocess.Popen(  # noqa: S603 - this interpreter, this package
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**wanted, "PYTHONPATH": path},
                start_new_session=True,  # Ctrl-C ends the descent, whose picture is drawn then
            )

    def paint(self, scene: Scene | RateScene | FitScene, form: str) -> bytes:
        """The picture's file as "png", "svg" or "gif"; b"" where the child could not make it."""
        child = self._child
        if child is None:
            return b""
        try:
            # pickle: the child runs this very code, and nobody else can write to its stdin
            data = child.communicate(pickle.dumps((form, scene), 5), timeout=_PATIENCE)[0]
        except (OSError, subprocess.TimeoutExpired):
            data = b""
        failed = child.returncode != 0
        self.close()
        return b"" if failed else data

    def close(self) -> None:
        """End the child, if it still runs."""
        child, self._child = self._child, None
        end_child(child)
