"""Whole processes in turn, A B A B: medians and their ratio."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from benchmarks.measure import SYMGD, Row, check, in_turn, json_of, process

RUNS = 15
_EXERCISE = [*SYMGD, "theta**2", "--lr", "0.2"]
_VERSION = [*SYMGD, "--version"]
_IMPORTED = """
import json, sys
sys.argv = ["symgd", "--version"]
from symgd._console import main
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
    yield from compared('symgd "theta**2" --lr 0.2', _EXERCISE, "import sympy", 1.5)
    yield from compared("symgd --version", _VERSION, "import typer", 2.5)
    found = json_of([sys.executable, "-c", _IMPORTED])
    yield Row("SymPy and NumPy imported by --version", len(found), "", 0, ", ".join(found))


def compared(name: str, ours: list[str], statement: str, target: float) -> Iterator[Row]:
    """Two times and their ratio."""
    a, b = in_turn(ours, [sys.executable, "-c", statement], RUNS)
    yield Row(name, 1000 * a, "ms")
    yield Row(f'python -c "{statement}"', 1000 * b, "ms")
    yield Row("ratio", a / b, "x", target, f"medians of {RUNS} runs each, in turn")
