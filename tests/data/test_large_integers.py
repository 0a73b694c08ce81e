"""An integer that float64 does not hold is refused by every reader, with its place; never rounded.

float64 has 53 bits: 2**53 + 1 is the first integer that it lacks.
"""

import decimal
import fractions

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symgd.data import csv_arrow, read_table
from symgd.errors import DataError

BIG = 2**53 + 1


@pytest.fixture(autouse=True)
def _short_chunks(monkeypatch):
    """Arrow reads chunks of 50 bytes."""
    monkeypatch.setattr(csv_arrow, "CHUNK", 50)


def csv(path, cells, name="x"):
    path.write_text(f"{name},y\n" + "".join(f"{cell},{k}\n" for k, cell in enumerate(cells)))
    return path


@pytest.mark.parametrize(
    "cell",
    [str(BIG), f"-{BIG}", f"+{BIG}", f" {BIG} ", str(2**63 - 1), "1700000000123456789", "9" * 40],
)
@pytest.mark.parametrize("rows", [0, 1, 40])
def test_csv_refuses_a_rounded_integer_and_says_where(engine, cell, rows, tmp_path):
    path = csv(tmp_path / "big.csv", ["1"] * rows + [cell, "2"])
    with pytest.raises(DataError) as caught:
        read_table(path)
    error = caught.value
    assert (error.line, error.column, error.cell) == (rows + 2, "x", cell)
    nearest = repr(float(int(cell)))
    assert str(error).splitlines() == [
        f"{path}, line {rows + 2}, column 'x': '{cell.strip()}' is not a float64: "
        f"the nearest is {nearest}",
        "write it with a decimal point if the nearest is meant",
    ]


def test_csv_does_not_drop_such_a_row_as_missing(engine, tmp_path):
    with pytest.raises(DataError, match="is not a float64"):
        read_table(csv(tmp_path / "big.csv", ["1", BIG, "NA"]), drop_missing=True)


@pytest.mark.parametrize(
    "cell",
    [
        str(2**53), str(2**60), str(-(2**62)), str(10**22), "0" * 20 + "12", f"{BIG}.0", f"{BIG}.",
        f"{BIG}e0", "1e23", "123456789012345678.5", "1.7976931348623157e308",
    ],
)  # fmt: skip
def test_csv_keeps_integers_that_float64_holds_and_rounds_decimals(engine, cell, tmp_path):
    table = read_table(csv(tmp_path / "big.csv", [cell, "1", cell]))
    assert table.columns["x"].tolist() == [float(cell), 1.0, float(cell)]


def test_csv_looks_at_the_columns_that_are_read_alone(engine, tmp_path):
    path = csv(tmp_path / "ids.csv", [BIG, BIG + 1, BIG + 2], "id")
    assert read_table(path, ["y"]).columns["y"].tolist() == [0.0, 1.0, 2.0]


@settings(max_examples=60)
@given(st.lists(st.integers(-(2**70), 2**70), min_size=1, max_size=8))
def test_csv_and_arrays_agree_on_integers(tmp_path_factory, values):
    path = csv(tmp_path_factory.getbasetemp() / "any.csv", values)
    exact = [int(float(v)) == v for v in values]
    for source in (path, {"x": list(values)}):
        if all(exact):
            assert read_table(source, ["x"]).columns["x"].tolist() == [float(v) for v in values]
        else:
            with pytest.raises(DataError) as caught:
                read_table(source, ["x"])
            row = exact.index(False)
            assert caught.value.cell == str(values[row])
            assert caught.value.row == row + 1 or caught.value.line == row + 2


STORED = {
    "int64": lambda pa: pa.array([1, BIG], pa.int64()),
    "uint64": lambda pa: pa.array([1, 2**64 - 1], pa.uint64()),
    "decimal": lambda pa: pa.array(
        [decimal.Decimal(1), decimal.Decimal(BIG)], pa.decimal128(20, 0)
    ),
    "categories": lambda pa: pa.array([1, BIG], pa.int64()).dictionary_encode(),
}


@pytest.mark.parametrize("kind", STORED)
@pytest.mark.parametrize("suffix", [".parquet", ".feather"])
def test_stored_tables_refuse_them_too(kind, suffix, tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import feather, parquet

    table = pa.table({"x": STORED[kind](pa)})
    write = parquet.write_table if suffix == ".parquet" else feather.write_feather
    write(table, tmp_path / f"t{suffix}")
    for source in (tmp_path / f"t{suffix}", table):
        with pytest.raises(DataError, match="is not a float64") as caught:
            read_table(source)
        assert (caught.value.row, caught.value.column) == (2, "x")


@pytest.mark.parametrize(
    "value",
    [BIG, np.int64(BIG), decimal.Decimal(BIG), fractions.Fraction(BIG), np.uint64(2**64 - 1)],
    ids=repr,
)
def test_objects_refuse_them_too(value):
    for column in ([1, value], np.array([1, value], object)):
        with pytest.raises(DataError, match="is not a float64"):
            read_table({"x": column})


@pytest.mark.parametrize("value", [decimal.Decimal("0.1"), fractions.Fraction(1, 3), 2**53])
def test_fractions_are_the_nearest_float64(value):
    assert read_table({"x": [value]}).columns["x"].tolist() == [float(value)]
