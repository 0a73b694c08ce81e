"""The tests of grids, whole: those of which the test suite runs a fixed slice (tests/grids.py)."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator

from benchmarks.measure import ROOT, Row


def rows() -> Iterator[Row]:
    """Of every file of tests with a grid, how many tests fail."""
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        if "from tests.grids import" not in path.read_text(encoding="utf-8"):
            continue
        name = path.relative_to(ROOT).as_posix()
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-n0", "-rN", "--tb=no", name],
            cwd=ROOT,
            env={**os.environ, "SYMGD_TEST_GRIDS": "whole"},
            capture_output=True,
            text=True,
        )
        last = done.stdout.strip().splitlines()[-1]
        failed = sum(int(n) for n in re.findall(r"(\d+) (?:failed|error)", last))
        if done.returncode > 1:  # nothing was run
            yield Row(name, None, note=last)
        else:
            yield Row(f"tests that fail in {name}", failed, target=0, note=last.strip("= "))
