"""Reading tables: 10^6 x 3 of CSV against Arrow and NumPy, and peak memory of a large Parquet."""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import Row, check, json_of, missing, process, skipped
from symgd.data import read_table

ROWS = 1_000_000
GROUPS = int(os.environ.get("SYMGD_BENCH_GROUPS", "30"))  # of the Parquet file, ROWS rows each
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


# A command of symgd; its last line is the peak of the process.
_COMMAND = """
import sys
from benchmarks.peak import peak
from symgd.__main__ import main
sys.argv = ["symgd", *{words!r}]
try:
    main()
except SystemExit as end:
    if end.code:
        raise
print(peak())
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
    """The peak of whole processes that go over a file larger than `IN_MEMORY`."""
    moments, total = write_parquet(path)
    size = f"{path.stat().st_size / 2**20:,.0f} MB of file"
    found = json_of([sys.executable, "-c", _PEAK.format(path=str(path))])
    check(found["rows"] == GROUPS * ROWS, "the rows of the Parquet file")
    check(abs(found["total"] - total) < 1e-6 * GROUPS, "the sum of the Parquet file's column x")
    note = f"{size}, read twice"
    yield Row("peak of the process, Parquet in blocks", found["peak"], "MB", 500, note)
    expected = np.linalg.solve(moments[:3, :3], moments[:3, 3])
    fit = ["fit", "y = a*x + b*z + c", str(path), "--format", "json"]
    answer, peak, took = command(fit)
    theta = [answer["params"][name]["value"] for name in "abc"]
    check(np.allclose(theta, expected, rtol=1e-9, atol=1e-9), "the least squares of the file")
    yield Row('symgd fit "y = a*x + b*z + c"', peak, "MB", 500, f"{size}, {took:.0f} s")
    run = ["mean((y - (a*x + b*z + c))**2)", "--data", str(path), "--lr", "0.3", "--format", "json"]
    answer, peak, took = command(run)
    theta = [answer["theta"][name] for name in "abc"]
    check(np.allclose(theta, expected, rtol=1e-6, atol=1e-6), "the end of the descent")
    yield Row("20 steps on the mean square of it", peak, "MB", 500, f"{size}, {took:.0f} s")


def write_parquet(path: Path) -> tuple[np.ndarray, float]:
    """(sums of products of the columns x, z, 1, y, (4, 4); sum of x) of the file it writes."""
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    rng = np.random.default_rng(1)
    moments, total = np.zeros((4, 4)), 0.0
    schema = pa.schema([(name, pa.float64()) for name in "xyz"])
    with ParquetWriter(path, schema, compression="none", use_dictionary=False) as writer:
        for _ in range(GROUPS):
            x, z, noise = rng.standard_normal((3, ROWS))
            y = 3 * x - 2 * z + 1 + noise
            columns = np.stack([x, z, np.ones(ROWS), y])
            moments += columns @ columns.T
            total += float(x.sum())
            writer.write_table(pa.table({"x": x, "y": y, "z": z}))
    return moments, total


def command(words: list[str]) -> tuple[Any, float, float]:
    """(what a command of symgd answers in JSON, MB at its peak, seconds)."""
    out, took = process([sys.executable, "-c", _COMMAND.format(words=words)])
    answer, peak = out.strip().split("\n")
    return json.loads(answer), float(peak), took
