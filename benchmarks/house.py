"""The size of the package, and warm calls of a known Loss, beside version 0.1's.

Version 0.1 is taken from git's history. Its numbers and those of today are measured in turn, in
fresh processes, and their answers compared first.
"""

from __future__ import annotations

import ast
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import ROOT, Row, check, json_of, skipped

BEFORE = "f1e7de4d01e6ae6b2e5f7913b6086d62a1d9a0f8"  # the last commit of version 0.1
RUNS = 5
_WARM = """
import json, sys, timeit
sys.path.insert(0, {path!r})
import numpy as np
import symgd
assert symgd.__file__.startswith({path!r})
loss = symgd.Loss("(1 - x)**2 + 100*(y - x**2)**2")
at, start = np.array([-1.2, 1.0]), {{"x": -1.2, "y": 1.0}}
calls = {{
    "descend": lambda: symgd.descend(loss, start=start, lr=1e-3, steps=20),
    "value_and_grad": lambda: loss.value_and_grad(at),
    "value": lambda: loss.value(at),
}}
answers = [*calls["descend"]().x.tolist(), *loss.value_and_grad(at)[1].tolist()]
for call in calls.values():
    timeit.timeit(call, number=60)
def least(call):
    count = max(1, int(0.02 / timeit.timeit(call, number=5) * 5))
    return min(timeit.repeat(call, number=count, repeat=7)) / count
print(json.dumps([answers, {{name: least(call) for name, call in calls.items()}}]))
"""
_UNITS = {"descend": ("ms", 1e3), "value_and_grad": ("us", 1e6), "value": ("us", 1e6)}
_TARGETS = {"descend": 1.0, "value_and_grad": 5.0, "value": None}
_WORDS = {
    "descend": "warm descend(loss, 20 steps)",
    "value_and_grad": "loss.value_and_grad, two parameters",
    "value": "loss.value, two parameters",
}


def rows() -> Iterator[Row]:
    """Counts of today's package, then times of both versions."""
    with tempfile.TemporaryDirectory() as folder:
        there = unpacked(folder)
        before = None if there is None else size(there / "symgd")
        for name, (value, target) in size(ROOT / "symgd").items():
            yield Row(name, value, "", target)
            if before is not None:
                yield Row("    version 0.1", before[name][0])
        if there is None:
            yield skipped("version 0.1", f"git does not give {BEFORE[:7]}")
        yield from _warm(there)


def size(package: Path) -> dict[str, tuple[float, float | None]]:
    """What can be counted of a package: name -> (count, target)."""
    texts = {path: path.read_text("utf-8") for path in sorted(package.rglob("*.py"))}
    lengths = [len(text.splitlines()) for text in texts.values()]
    functions = [
        node.end_lineno - node.lineno + 1
        for text in texts.values()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.end_lineno
    ]
    folders = {path.parent for path in texts}
    modules = max(
        sum(p.parent == folder and p.stem != "__init__" for p in texts) for folder in folders
    )
    return {
        "Python lines": (sum(lengths), 28_500),
        "lines of the median file": (statistics.median(lengths), 200),
        "most modules in a folder": (modules, 30),
        "lines of the longest function": (max(functions), 80),
    }


def unpacked(folder: str) -> Path | None:
    """Version 0.1 below this folder, or None where git does not have it."""
    archive = ["git", "-C", str(ROOT), "archive", BEFORE, "symgd"]
    try:
        packed = subprocess.run(archive, check=True, capture_output=True, timeout=60).stdout
        subprocess.run(["tar", "-xC", folder], input=packed, check=True, timeout=60)
    except (OSError, subprocess.CalledProcessError):
        return None
    return Path(folder)


def _warm(there: Path | None) -> Iterator[Row]:
    homes = {"now": ROOT} | ({} if there is None else {"0.1": there})
    found: dict[str, list[dict[str, float]]] = {home: [] for home in homes}
    answers: set[str] = set()
    for _ in range(RUNS):
        for home, path in homes.items():
            answer, times = json_of([sys.executable, "-c", _WARM.format(path=str(path))])
            answers.add(json.dumps(answer))
            found[home].append(times)
    check(len(answers) == 1, "the two versions give different answers")
    for name, words in _WORDS.items():
        unit, factor = _UNITS[name]
        note = f"median of {RUNS} processes, each the least of 7 loops"
        for home, runs in found.items():
            value = factor * statistics.median(run[name] for run in runs)
            target = _TARGETS[name] if home == "now" else None
            yield Row(words if home == "now" else "    version 0.1", value, unit, target, note)
