"""A measured number as a Row, and the ways to measure: in this process and in a fresh one."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
import timeit
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import symgd

ROOT = Path(__file__).resolve().parent.parent
CORPORA = ROOT.parent / "shared" / "corpora"

# The words of the console script, so that it need not be installed.
SYMGD = [sys.executable, "-c", "import sys; from symgd.__main__ import main; sys.exit(main())"]


@dataclass(frozen=True)
class Row:
    """One number. target: met when value <= target; None where there is none. value: None where
    it could not be measured, and `note` says why.
    """

    what: str
    value: float | None
    unit: str = ""
    target: float | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None where there is no target or no value."""
        if self.target is None or self.value is None:
            return None
        return self.value <= self.target


def skipped(what: str, why: str) -> Row:
    """A row without a number."""
    return Row(what, None, note=why)


def missing(module: str) -> str:
    """Why a peer cannot take part, or "" if it can."""
    return "" if find_spec(module) else f"{module} is not installed"


def check(fact: bool, what: str) -> None:
    """Refuse to time what gives a wrong answer."""
    if not fact:
        raise WrongAnswerError(what)


class WrongAnswerError(Exception):
    """Two programs that should agree do not: there is nothing to time."""


def close(actual: Sequence[float], expected: Sequence[float], tolerance: float = 1e-12) -> bool:
    """Whether two vectors differ by at most `tolerance` of the largest entry."""
    scale = max(map(abs, expected), default=0.0) or 1.0
    pairs = zip(actual, expected, strict=True)
    return all(abs(a - b) <= tolerance * scale for a, b in pairs)


def seconds(call: Callable[[], object], repeat: int = 7, least: float = 0.01) -> float:
    """The least time of one call over `repeat` loops of at least `least` seconds each."""
    timer = timeit.Timer(call)
    number, took = 1, timer.timeit(1)
    while took < least:
        number = max(2 * number, int(1.2 * number * least / max(took, 1e-9)))
        took = timer.timeit(number)
    return min(took, *timer.repeat(repeat - 1, number)) / number


def environment() -> dict[str, str]:
    """That of a child process: it finds symgd, and may write and read .pyc files."""
    env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    home = str(Path(symgd.__file__).resolve().parent.parent)
    return env | {"PYTHONPATH": os.pathsep.join(filter(None, [home, env.get("PYTHONPATH")]))}


def process(command: Sequence[str], limit: float = 600) -> tuple[str, float]:
    """(standard output, seconds from start to end) of a child process that must succeed."""
    before = time.perf_counter()
    done = subprocess.run(
        command, env=environment(), cwd=ROOT, timeout=limit, capture_output=True, text=True
    )
    took = time.perf_counter() - before
    check(done.returncode == 0, f"{command[1:4]} failed: {done.stderr.strip()[-300:]}")
    return done.stdout, took


def json_of(command: Sequence[str], limit: float = 600) -> Any:
    """What a child process printed as its last line, read as JSON."""
    return json.loads(process(command, limit)[0].splitlines()[-1])


def in_turn(first: Sequence[str], second: Sequence[str], runs: int) -> tuple[float, float]:
    """Median seconds of two commands run A B A B ..., after one run of each to warm the caches."""
    process(first), process(second)
    took = [(process(first)[1], process(second)[1]) for _ in range(runs)]
    return statistics.median(a for a, _ in took), statistics.median(b for _, b in took)
