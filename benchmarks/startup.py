"""Whole processes in turn, A B A B: medians and their ratio."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator

from benchmarks.measure import ROOT, SYMGD, Row, check, in_turn, json_of, process, skipped

RUNS = 25
BEFORE = "08b29d9714e73296c702c6393b931de20326f4a4"  # the last commit without machine code
NOISE = 1.05  # what medians of so many runs of one program differ by
_EXERCISE = [*SYMGD, "theta**2", "--lr", "0.2"]
_VERSION = [*SYMGD, "--version"]
_IMPORTED = """
import json, sys
sys.argv = ["symgd", "--version"]
from symgd.__main__ import main
try:
    main()
except SystemExit as end:
    assert not end.code
print()
print(json.dumps([name for name in ("sympy", "numpy") if name in sys.modules]))
"""


def rows() -> Iterator[Row]:
    """The exercise against SymPy's import, --version against Typer's."""
    output, _ = process(_EXERCISE)
    check("theta after 20 steps: 3.656158440062973e-05" in output, "the exercise's output")
    check("symgd" in process(_VERSION)[0], "the output of --version")
    yield from compared('symgd "theta**2" --lr 0.2', _EXERCISE, "import sympy", 1.1)
    yield from since_before()
    yield from compared("symgd --version", _VERSION, "import typer", 2.5)
    found = json_of([sys.executable, "-c", _IMPORTED])
    yield Row("SymPy and NumPy imported by --version", len(found), "", 0, ", ".join(found))


def compared(name: str, ours: list[str], statement: str, target: float) -> Iterator[Row]:
    """Two times and their ratio."""
    a, b = in_turn(ours, [sys.executable, "-c", statement], RUNS)
    yield Row(name, 1000 * a, "ms")
    yield Row(f'python -c "{statement}"', 1000 * b, "ms")
    yield Row("ratio", a / b, "x", target, f"medians of {RUNS} runs each, in turn")


def since_before() -> Iterator[Row]:
    """The exercise now against the exercise at BEFORE, where git has it."""
    with tempfile.TemporaryDirectory() as folder:
        archive = ["git", "-C", str(ROOT), "archive", BEFORE, "symgd"]
        try:
            packed = subprocess.run(archive, check=True, capture_output=True, timeout=60).stdout
            subprocess.run(["tar", "-xC", folder], input=packed, check=True, timeout=60)
        except (OSError, subprocess.CalledProcessError) as error:
            yield skipped(f"the same at {BEFORE[:7]}", f"git does not give it: {error}")
            return
        there = f"import sys; sys.path.insert(0, {folder!r}); "
        then = [SYMGD[0], "-c", there + SYMGD[2], *_EXERCISE[3:]]
        check(process(then)[0] == process(_EXERCISE)[0], f"the exercise's output at {BEFORE[:7]}")
        a, b = in_turn(_EXERCISE, then, RUNS)
    yield Row(f"the exercise at {BEFORE[:7]}", 1000 * b, "ms")
    yield Row("ratio of now to then", a / b, "x", NOISE, f"medians of {RUNS} runs each, in turn")
