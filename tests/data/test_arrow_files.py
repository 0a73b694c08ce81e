"""Feather, Arrow and ORC files: pyarrow's own numbers, in blocks, and every fault by its file."""

import contextlib
import datetime
import decimal
import sys

import numpy as np
import pytest

from symgd.data import read_table
from symgd.errors import DataError
from tests.outcome import Outcome

pa = pytest.importorskip("pyarrow")
from pyarrow import feather, orc, parquet  # noqa: E402

RNG = np.random.default_rng(3)
TABLE = pa.table(
    {
        "name": [f"n{k}" for k in range(5000)],
        "x": RNG.standard_normal(5000),
        "a.b": pa.array(RNG.integers(-9, 9, 5000), pa.int16()),
        "f": pa.array(RNG.standard_normal(5000), pa.float32()),
        "d": pa.array([decimal.Decimal(k) / 8 for k in range(5000)]),
        "t": pa.array([k % 3 == 0 for k in range(5000)]),
    }
)
NUMBERS = ["d", "x", "a.b", "f", "t"]


def write_feather(table, path):
    feather.write_feather(table, path, chunksize=700)


def write_plain(table, path):
    feather.write_feather(table, path, compression="uncompressed", chunksize=1 << 20)


def write_stream(table, path):
    with pa.OSFile(str(path), "wb") as out, pa.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table, max_chunksize=700)


def write_orc(table, path):
    orc.write_table(table, path, compression="zlib", stripe_size=1 << 14, batch_size=256)


WAYS = {
    ".feather": write_feather,
    ".arrow": write_plain,
    ".arrows": write_stream,
    ".orc": write_orc,
    ".parquet": parquet.write_table,
}


@pytest.fixture(params=WAYS)
def suffix(request):
    return request.param


@pytest.fixture
def written(suffix, tmp_path):
    """A file of the kind, and its bytes."""
    path = tmp_path / f"points{suffix}"
    WAYS[suffix](TABLE, path)
    return path, path.read_bytes()


def refusal(source, *args, **options):
    with pytest.raises(DataError) as caught:
        read_table(source, *args, **options)
    return caught.value


@pytest.mark.parametrize("block_rows", [None, 999])
@pytest.mark.parametrize("named", [True, False])
def test_numbers_are_those_that_were_written(block_rows, named, written, tmp_path):
    path, data = written
    if not named:  # by its content alone
        path = tmp_path / "points.csv"
        path.write_bytes(data)
    progress = []
    found = read_table(path, NUMBERS, block_rows=block_rows, progress=progress.append)
    assert progress == sorted(progress)
    assert progress[-1] == pytest.approx(1, abs=0.1)
    assert found.rows == 5000
    assert found.streamed == (block_rows is not None)
    assert found.remarks == ()
    for name in NUMBERS:
        expected = [float(v) for v in TABLE[name].to_pylist()]
        np.testing.assert_array_equal(found.columns[name], expected)


@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.9, 0.99])
def test_truncated_file_is_refused_or_told(part, written):
    path, data = written
    path.write_bytes(data[: int(part * len(data))])
    if path.suffix == ".arrows" and part >= 0.1:  # which may end at any batch
        with contextlib.suppress(DataError):
            assert "may be missing" in read_table(path, ["x"]).remarks[0]
        return
    told = str(refusal(path, ["x"]))
    assert told.startswith(str(path))
    assert "cannot be read" in told
    assert "damaged or cut off" in told


@pytest.mark.parametrize("seed", range(40))
def test_flipped_bits_never_end_otherwise_than_in_a_table_or_an_error(seed, written):
    path, data = written
    damaged = bytearray(data)
    generator = np.random.default_rng(seed)
    ends = generator.integers(2)  # half of them in the descriptions at the ends
    for _ in range(3):
        place = generator.integers(400) if ends else generator.integers(len(data))
        damaged[-place if generator.integers(2) else place] ^= 1 << generator.integers(8)
    path.write_bytes(damaged)
    try:
        found = read_table(path, NUMBERS, drop_missing=True)
    except DataError as refused:
        assert str(refused).startswith(str(path))  # noqa: PT017 - either outcome is right
    else:
        assert all(np.isfinite(found.columns[name]).all() for name in NUMBERS)


def test_rows_that_are_missing_in_an_arrow_stream_are_told(tmp_path):
    path = tmp_path / "p.arrows"
    write_stream(TABLE, path)
    path.write_bytes(path.read_bytes()[:-8])
    assert "last rows may be missing" in read_table(path, ["x"]).remarks[0]


def test_dates_are_days_since_the_earliest(suffix, tmp_path):
    days = pa.array(
        [datetime.date(2026, 2, 27), datetime.date(2026, 3, 1), datetime.date(2026, 1, 1)]
    )
    path = tmp_path / f"p{suffix}"
    WAYS[suffix](pa.table({"day": days}), path)
    table = read_table(path, ["day"])
    assert table.columns["day"].tolist() == [57.0, 59.0, 0.0]
    assert "day is read as days since 2026-01-01" in table.remarks


def test_cells_are_refused_by_row_and_column(suffix, tmp_path):
    columns = {
        "empty": pa.array([1.0, None, 3.0]),
        "nan": [1.0, 2.0, float("nan")],
        "text": ["a", "b", "c"],
        "big": [1, 2**53 + 1, 3],
        "list": [[1], [2], [3]],
        "record": [{"a": 1}] * 3,
        "x": [1.0, 2.0, 3.0],
    } | ({"nothing": pa.nulls(3)} if suffix != ".orc" else {})
    path = tmp_path / f"p{suffix}"
    WAYS[suffix](pa.table(columns), path)
    rows = dict.fromkeys(columns, 1) | {"empty": 2, "nan": 3, "big": 2}
    for name in set(columns) - {"x"}:
        error = refusal(path, ["x", name])
        assert (error.row, error.column, error.source) == (rows[name], name, str(path))
    assert read_table(path, ["x"]).columns["x"].tolist() == [1.0, 2.0, 3.0]
    assert read_table(path, ["x", "empty"], drop_missing=True).dropped == 1


def test_row_of_an_error_counts_the_batches_before(suffix, tmp_path):
    path = tmp_path / f"p{suffix}"
    values = [None if k == 4321 else float(k) for k in range(5000)]
    WAYS[suffix](pa.table({"x": values}), path)
    assert refusal(path).row == 4322
    assert refusal(path, block_rows=100).row == 4322


def test_no_rows_and_two_columns_of_a_name_are_refused(suffix, tmp_path):
    path = tmp_path / f"p{suffix}"
    WAYS[suffix](pa.table({"x": pa.array([], pa.float64())}), path)
    assert "no rows" in str(refusal(path))
    if suffix == ".arrows":  # pyarrow writes no other such file
        twice = pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["x", "x"])
        write_stream(twice, path)
        assert refusal(path).column == "x"


def test_no_such_column_is_refused(written):
    path, _ = written
    assert "did you mean 'a.b'?" in str(refusal(path, ["a.c"]))


@pytest.mark.parametrize("name", ["p.feather", "p.arrow", "p.arrows", "p.orc"])
@pytest.mark.parametrize("data", [b"", b"x,y\n1,2\n", b"\0" * 5000, b"ORC", b"ARROW1"])
def test_another_content_than_the_name_says_is_refused(name, data, tmp_path):
    path = tmp_path / name
    path.write_bytes(data)
    assert str(refusal(path)).startswith(str(path))


def test_without_pyarrow_it_is_said_what_to_install(written, monkeypatch):
    path, _ = written
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert 'pip install "symgd[data]"' in str(refusal(path))


@pytest.mark.parametrize("name", ["ORC", "ORCID", "PAR1", "PAR1x", "ARROW1"])
def test_column_named_like_the_mark_of_a_file_is_a_column(name, tmp_path):
    path = tmp_path / "p.csv"
    path.write_text(f"{name},y\n1,2\n")
    assert read_table(path).names == (name, "y")


def test_command_fits_to_every_kind(written):
    path, _ = written
    command = ["fit", "f = a*x + b", str(path), "--format", "plain"]
    ran = Outcome(*command)
    slope, intercept = np.polyfit(TABLE["x"].to_numpy(), TABLE["f"].to_numpy(), 1)
    assert ran.code == 0
    assert list(map(float, ran.out.split())) == pytest.approx([slope, intercept], rel=1e-9)
    path.write_bytes(path.read_bytes()[:50])
    assert Outcome(*command).code == 2  # any other exception would be raised
