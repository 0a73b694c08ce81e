"""SymPy's solver at arm's length: in a process of its own, killed when its time is up.

SymPy may not terminate, or fill the memory, on an equation that looks harmless. The child gets
the formula as a text of the formula language over the internal names p0, p1, ..., and answers
with JSON; nothing that it prints is executed.
"""

from __future__ import annotations

import json
import math
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from symgd.formula.nodes import Name
from symgd.formula.printing.plain import show, write
from symgd.model.loss import Loss

OUT_OF_TIME, OUT_OF_MEMORY = 8, 9  # exit codes of the child


@dataclass(frozen=True)
class Solution:
    """Where the gradient vanishes, as SymPy solved it.

    points: numbers, in the order of Loss.params. texts: the same as formulas, "" where too long.
    families: sets of infinitely many, in words; points then holds members of them. complete:
    whether there are no others.
    """

    points: Sequence[Sequence[float]]
    texts: Sequence[Sequence[str]]
    families: Sequence[str]
    complete: bool


class Solver:
    """The child process, from `with` to the end of it. seconds: of processor time; 0: no child."""

    def __init__(self, loss: Loss, seconds: float) -> None:
        self._params = loss.params
        self._leaves = loss.internals.leaves
        self._seconds = seconds
        self._child: subprocess.Popen[str] | None = None
        self.incomplete = ""  # why there is no answer, where that is a matter of this machine
        inside = {leaf: Name(leaf.name) for leaf in loss.internals.leaves}
        self._text = write(
            loss.internals.graph.replace([loss.internals.root], inside)[0], limit=10_000
        )

    def __enter__(self) -> Solver:
        if self._seconds <= 0 or "…" in self._text or not sys.executable:
            return self
        home = str(Path(__file__).resolve().parents[3])
        path = os.pathsep.join([home, *filter(None, sys.path)])
        command = [
            sys.executable,
            "-P",
            "-m",
            "symgd.analysis.critical._sympy_solver_process",
            str(self._seconds),
        ]
        try:
            self._child = subprocess.Popen(  # noqa: S603 - this interpreter, this package
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": path},
                encoding="utf-8",
            )
            assert self._child.stdin is not None
            names = [leaf.name for leaf in self._leaves]
            with suppress(BrokenPipeError):  # it has ended already; `answer` says why
                self._child.stdin.write(json.dumps({"loss": self._text, "params": names}))
                self._child.stdin.close()
        except OSError:
            self._stop()  # the numeric search answers alone
            self.incomplete = "SymPy's solver could not be started"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def _stop(self) -> None:
        """Kill the child if it still runs, close its pipes, and wait for it."""
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        for stream in (child.stdin, child.stdout, child.stderr):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
        child.wait()

    def answer(self) -> Solution | None:
        """What the child found, or None: it could not, or `incomplete` says why.

        RuntimeError where the child ended by an exception, whose trace it holds: that is a bug.
        """
        if self._child is None:
            return None
        child = self._child
        child.stdin = None  # closed above; communicate() must not flush it
        output, errors = child.communicate()  # the child ends itself: no clock of ours decides
        code = child.returncode
        if code in (OUT_OF_TIME, -getattr(signal, "SIGVTALRM", -OUT_OF_TIME)):
            limit = f"{self._seconds:g} s of processor time"
            self.incomplete = f"SymPy's solver was stopped after {limit}"
        elif code == OUT_OF_MEMORY:
            self.incomplete = "SymPy's solver ran out of memory"
        elif code < 0:
            self.incomplete = f"SymPy's solver was ended by signal {-code}"
        elif code:
            raise RuntimeError(f"SymPy's solver failed on {self._text}:\n{errors.rstrip()}")
        found = {} if code else json.loads(output)
        if "failed" in found:
            self.incomplete = f"SymPy's solver failed: {found['failed']}"
        if "complete" not in found:
            return None
        points = [[float(v) for v in point] for point in found["points"]]
        families = [self._named(text) for text in found["families"]]
        if not all(math.isfinite(v) for point in points for v in point):
            return None
        return Solution(points, found["texts"], families, bool(found["complete"]))

    def _named(self, text: str) -> str:
        names = {leaf.name: name for leaf, name in zip(self._leaves, self._params, strict=True)}

        def change(match: re.Match[str]) -> str:
            return show(names.get(match.group(), match.group()))

        return re.sub(r"\bp\d+\b", change, text)
