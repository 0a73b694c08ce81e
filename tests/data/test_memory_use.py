"""Peak memory of reading tables, each in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
MB = 2**20

READ = """
import json, sys
import numpy as np
if {engine!r} == "arrow":
    import pyarrow, pyarrow.csv, pyarrow.parquet
else:
    sys.modules["pyarrow"] = None
from symgd.data import read_table

def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if "VmHWM" in line)

before = peak()
table = read_table({path!r}, {columns!r}, block_rows={block_rows!r})
sums = [0.0] * len(table.names)
for _ in range(2):
    for block in table.blocks():
        sums = [s + float(v.sum()) for s, v in zip(sums, block.values())]
print(json.dumps(dict(grown=peak() - before, rows=table.rows, sums=sums)))
"""

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="VmHWM, the peak, is Linux's"
)


def read(path, columns, block_rows=None, engine="arrow"):
    """Bytes by which the peak grew, rows, and twice the sum of each column."""
    if engine == "arrow":
        pytest.importorskip("pyarrow")
    code = READ.format(engine=engine, path=str(path), columns=columns, block_rows=block_rows)
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env
    )
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    """10^6 rows of two columns of numbers and one of text: 38 MB."""
    path = tmp_path_factory.mktemp("text") / "p.csv"
    with open(path, "w") as file:
        file.write("k,x,t\n")
        file.writelines(f"{k},{k + 0.25},some text that is long\n" for k in range(10**6))
    return path


@pytest.fixture(scope="module")
def parquet(tmp_path_factory):
    """5 x 10^6 rows of three columns in row groups of 10^6: 120 MB as columns."""
    pa = pytest.importorskip("pyarrow")
    from pyarrow.parquet import ParquetWriter

    path = tmp_path_factory.mktemp("parquet") / "p.parquet"
    rng = np.random.default_rng(0)
    rows = pa.table({name: rng.integers(0, 2**20, 10**6) / 8 for name in "xyz"})
    with ParquetWriter(path, rows.schema) as writer:
        for _ in range(5):
            writer.write_table(rows)
    return path, [10 * float(rows[name].to_numpy().sum()) for name in "xyz"]


SUMS = [2 * (10**6 * (10**6 - 1) / 2), 2 * (10**6 * (10**6 - 1) / 2 + 0.25 * 10**6)]


@pytest.mark.parametrize("engine", ["arrow", "plain"])
def test_csv_takes_its_columns_and_64_mb(engine, text):
    found = read(text, ["k", "x"], engine=engine)
    assert (found["rows"], found["sums"]) == (10**6, SUMS)
    assert found["grown"] <= 2 * 10**6 * 8 + 64 * MB


def test_csv_in_blocks_takes_no_more_than_whole(text):
    found = read(text, ["k", "x"], 2**14)
    assert (found["rows"], found["sums"]) == (10**6, SUMS)
    assert found["grown"] <= 2 * 10**6 * 8 + 64 * MB  # Arrow's own threads and code: 45 MB


def test_plain_csv_in_blocks_takes_less_than_its_columns(text):
    found = read(text, ["k", "x"], 2**12, "plain")
    assert (found["rows"], found["sums"]) == (10**6, SUMS)
    assert found["grown"] < 2 * 10**6 * 8


def test_parquet_takes_its_columns_and_64_mb(parquet):
    path, sums = parquet
    found = read(path, ["x", "y", "z"])
    assert (found["rows"], found["sums"]) == (5 * 10**6, sums)
    assert found["grown"] <= 3 * 5 * 10**6 * 8 + 64 * MB


def test_parquet_in_blocks_takes_less_than_its_columns(parquet):
    path, sums = parquet
    found = read(path, ["x", "y", "z"], 2**16)
    assert (found["rows"], found["sums"]) == (5 * 10**6, sums)
    assert found["grown"] < 100 * MB < 3 * 5 * 10**6 * 8
