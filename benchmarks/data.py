"""Reading tables: 10^6 x 3 of CSV against Arrow and NumPy, and peak memory of a large Parquet."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from benchmarks.measure import Row, check, json_of, missing, skipped
from symgd.data import read_table

ROWS = 1_000_000
GROUPS = 30  # row groups of the Parquet file, ROWS rows each: 720 MB as columns
RUNS = 9

# How far the peak rises above that of the imports. VmHWM is Linux's.
_PEAK = """
import json, sys
import numpy, pyarrow, pyarrow.csv, pyarrow.parquet
from symgd.data import read_table

def peak():
    with open("/proc/self/status") as status:
        return int(next(line for line in status if line.startswith("VmHWM")).split()[1]) / 1024

before = peak()
table = read_table({path!r})
total = sum(float(block["x"].sum()) for block in table.blocks())
print(json.dumps(dict(peak=peak(), grown=peak() - before, rows=table.rows, total=total)))
"""


def rows() -> Iterator[Row]:
    """The times of CSV in turn, then the memory."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "points.csv"
        values = write_csv(path)
        yield from csv(path, values)
        if missing("pyarrow") or not Path("/proc/self/status").exists():
            yield skipped("peak memory", missing("pyarrow") or "this system has no VmHWM")
            return
        yield from csv_memory(path, values)
        yield from parquet_memory(Path(folder) / "points.parquet")


def write_csv(path: Path) -> np.ndarray:
    """(3, ROWS) random numbers, and the file that holds them with all their digits."""
    values = np.random.default_rng(0).standard_normal((3, ROWS))
    with open(path, "w") as file:
        file.write("x,y,z\n")
        file.writelines(f"{x!r},{y!r},{z!r}\n" for x, y, z in zip(*values.tolist(), strict=True))
    return values


def csv(path: Path, values: np.ndarray) -> Iterator[Row]:
    """symgd with the extra against pyarrow.csv in turn, then the slower ones."""

    def by_symgd() -> np.ndarray:
        return np.array(list(read_table(path).columns.values()))

    def by_numpy() -> np.ndarray:
        return np.loadtxt(path, delimiter=",", skiprows=1).T

    for name, read in (("symgd", by_symgd), ("numpy", by_numpy)):
        check(np.array_equal(read(), values), f"{name} reads other numbers than were written")
    why = missing("pyarrow")
    if why:
        yield skipped("symgd against pyarrow.csv", why)
    else:
        from pyarrow.csv import read_csv

        read = np.array([column.to_numpy() for column in read_csv(path).columns])
        check(np.array_equal(read, values), "pyarrow reads other numbers than were written")
        ours, theirs = in_turn(lambda: read_table(path), lambda: read_csv(path))
        yield Row("symgd, with pyarrow", 1000 * statistics.median(ours), "ms")
        yield Row("pyarrow.csv", 1000 * statistics.median(theirs), "ms")
        ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
        yield Row("ratio", ratio, "x", 1.2, f"median of {RUNS} pairs of runs, in turn")
    yield Row("symgd, without pyarrow", 1000 * once(lambda: without_arrow(path)), "ms")
    yield Row("numpy.loadtxt", 1000 * once(by_numpy), "ms")


def in_turn(
    first: Callable[[], object], second: Callable[[], object]
) -> tuple[list[float], list[float]]:
    """Seconds of two calls, A B A B ..."""
    pairs = [(once(first), once(second)) for _ in range(RUNS)]
    return [a for a, _ in pairs], [b for _, b in pairs]


def once(call: Callable[[], object]) -> float:
    """Seconds of one call."""
    before = time.perf_counter()
    call()
    return time.perf_counter() - before


def without_arrow(path: Path) -> None:
    """Read as where pyarrow is not installed."""
    there = sys.modules.get("pyarrow")
    sys.modules["pyarrow"] = None  # type: ignore[assignment]
    try:
        read_table(path)
    finally:
        del sys.modules["pyarrow"]
        if there is not None:
            sys.modules["pyarrow"] = there


def csv_memory(path: Path, values: np.ndarray) -> Iterator[Row]:
    """How far the peak rises when the file is read."""
    found = json_of([sys.executable, "-c", _PEAK.format(path=str(path))])
    check(found["rows"] == ROWS, "the rows of the CSV file")
    check(abs(found["total"] - values[0].sum()) < 1e-6, "the sum of the CSV file's column x")
    limit = values.nbytes / 2**20 + 64
    yield Row("peak above the imports, CSV", found["grown"], "MB", limit, "columns + 64 MB")


def parquet_memory(path: Path) -> Iterator[Row]:
    """The peak of the whole process when a file larger than `IN_MEMORY` is read."""
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    rng = np.random.default_rng(1)
    total = 0.0
    schema = pa.schema([(name, pa.float64()) for name in "xyz"])
    with ParquetWriter(path, schema) as writer:
        for _ in range(GROUPS):
            group = {name: rng.standard_normal(ROWS) for name in "xyz"}
            total += float(group["x"].sum())
            writer.write_table(pa.table(group))
    found = json_of([sys.executable, "-c", _PEAK.format(path=str(path))])
    check(found["rows"] == GROUPS * ROWS, "the rows of the Parquet file")
    check(abs(found["total"] - total) < 1e-6, "the sum of the Parquet file's column x")
    size = path.stat().st_size / 2**20
    note = f"{size:.0f} MB of file, {GROUPS * ROWS * 24 / 2**20:.0f} MB as columns, read twice"
    yield Row("peak of the process, Parquet in blocks", found["peak"], "MB", 500, note)
