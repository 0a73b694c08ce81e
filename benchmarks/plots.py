"""Pictures from the command line, matplotlib's import included: whole processes, medians."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import SYMGD, Row, check, missing, process, skipped

RUNS = 7
_TARGET = 1500.0  # milliseconds
_PICTURES = {
    "one parameter, PNG": ("one.png", ["theta**2", "--lr", "0.2"]),
    "two parameters, 500 steps, PNG": (
        "two.png",
        ["(1-x)^2 + 100*(y-x^2)^2", "-s", "x=-1.2,y=1", "-l", "0.001", "-n", "500"],
    ),
    "two parameters, 500 steps, SVG": (
        "two.svg",
        ["(1-x)^2 + 100*(y-x^2)^2", "-s", "x=-1.2,y=1", "-l", "0.001", "-n", "500"],
    ),
    "four parameters, PNG": ("four.png", ["a^2 + 2*b^2 + 3*c^2 + (a*d - 1)^2", "-l", "0.05"]),
    "one parameter, GIF of 21 frames": ("one.gif", ["theta**2", "--lr", "0.2"]),
}


def rows() -> Iterator[Row]:
    """One row per picture; GIFs have no target."""
    if why := missing("matplotlib"):
        yield skipped("pictures", why)
        return
    with tempfile.TemporaryDirectory() as folder:
        for what, (name, words) in _PICTURES.items():
            file = Path(folder) / name
            command = [*SYMGD, *words, "-q", "--plot", str(file)]
            process(command)  # warms the caches
            check(file.stat().st_size > 1000, f"there is no picture in {name}")
            took = statistics.median(process(command)[1] for _ in range(RUNS))
            target = None if name.endswith("gif") else _TARGET
            note = f"median of {RUNS} runs; {file.stat().st_size / 1000:.0f} kB"
            yield Row(what, 1000 * took, "ms", target, note)
