"""Whole processes: explain against SymPy's import, and on Moré, Garbow and Hillstrom's problems."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

from benchmarks.measure import ROOT, SYMGD, Row, check, in_turn, process

RUNS = 15
_EXERCISE = [*SYMGD, "explain", "theta**2", "--lr", "0.2"]
_PROBLEMS = ROOT / "tests" / "files" / "mgh.json"


def rows() -> Iterator[Row]:
    """The exercise, then the 20 problems with all that explain prints."""
    output, _ = process(_EXERCISE)
    check("stable for 0 < lr < 1" in output, "the exercise's explanation")
    ours, sympy = in_turn(_EXERCISE, [sys.executable, "-c", "import sympy"], RUNS)
    yield Row("symgd explain theta**2", 1000 * ours, "ms")
    yield Row('python -c "import sympy"', 1000 * sympy, "ms")
    yield Row("ratio", ours / sympy, "x", 1.7, f"medians of {RUNS} runs each, in turn")
    slowest, of = 0.0, ""
    for problem in json.loads(_PROBLEMS.read_text("utf-8")):
        told, took = process([*SYMGD, "explain", problem["expr"], "--format", "json"], limit=60)
        kinds = {p["kind"] for p in json.loads(told)["critical_points"]}
        lowest = "minimum" in kinds or "degenerate" in kinds
        if took > slowest:
            slowest, of = took, problem["name"]
        found = "a minimum found" if lowest else "no minimum found"
        yield Row(f"{problem['no']} {problem['name']}"[:44], took, "s", 10, found)
    yield Row("slowest", slowest, "s", 10, of)
