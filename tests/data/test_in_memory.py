"""Columns of the libraries' own types: the numbers as they are, what is missing missing."""

from decimal import Decimal

import numpy as np
import pytest

from symgd.data import read_table
from symgd.errors import DataError

BIG = 2**53 + 1  # no float64


def pandas(values, kind):
    frames = pytest.importorskip("pandas")
    return frames.DataFrame({"x": frames.array(values, dtype=kind)}, index=[0] * len(values))


def sparse(values):
    frames = pytest.importorskip("pandas")
    return frames.DataFrame({"x": frames.arrays.SparseArray(values)})


def categories(values):
    frames = pytest.importorskip("pandas")
    return frames.DataFrame({"x": frames.Categorical(values)})


def bare_categories(values):
    return {"x": pytest.importorskip("pandas").Categorical(values)}


def arrow(values, kind=None):
    pa = pytest.importorskip("pyarrow")
    return pa.table({"x": pa.array(values, None if kind is None else getattr(pa, kind)())})


def arrow_column(values):
    return {"x": pytest.importorskip("pyarrow").array(values)}


def dictionary(values):
    pa = pytest.importorskip("pyarrow")
    return pa.table({"x": pa.array(values).dictionary_encode()})


def run_ends(values):
    pa = pytest.importorskip("pyarrow")
    from pyarrow.compute import run_end_encode

    return pa.table({"x": run_end_encode(pa.array(values))})


def polars(values, kind=None):
    frames = pytest.importorskip("polars")
    return frames.DataFrame({"x": frames.Series(values, dtype=kind and getattr(frames, kind))})


# name: (table, the numbers without the missing ones, how many are missing)
NUMBERS = {
    "pandas Int64": (lambda: pandas([1, None, BIG + 1], "Int64"), [1, BIG + 1], 1),
    "pandas UInt8": (lambda: pandas([1, None, 255], "UInt8"), [1, 255], 1),
    "pandas Float64": (lambda: pandas([0.1, None], "Float64"), [0.1], 1),
    "pandas boolean": (lambda: pandas([True, None, False], "boolean"), [1, 0], 1),
    "pandas, Arrow's integers": (
        lambda: pandas([1, None, BIG + 1], "int64[pyarrow]"), [1, BIG + 1], 1,
    ),
    "pandas, sparse": (lambda: sparse([np.nan, 1.0, 0.0]), [1, 0], 1),
    "pandas, categories": (lambda: categories([BIG + 1, None, 3]), [BIG + 1, 3], 1),
    "pandas, categories alone": (lambda: bare_categories([2.5, None]), [2.5], 1),
    "Arrow, halves": (lambda: arrow(np.array([0.5, 1], np.float16)), [0.5, 1], 0),
    "Arrow, a column": (lambda: arrow_column([1, None, BIG + 1]), [1, BIG + 1], 1),
    "Arrow, dictionary": (lambda: dictionary([1.5, None, 1.5]), [1.5, 1.5], 1),
    "Arrow, run ends": (lambda: run_ends([1.5, 1.5, None, 2.0]), [1.5, 1.5, 2], 1),
    "Arrow, decimals": (lambda: arrow([Decimal("0.1"), None]), [0.1], 1),
    "Arrow, part of": (lambda: arrow([9, 1, None, 4]).slice(1, 2), [1], 1),
    "polars, decimals": (lambda: polars([Decimal("0.1"), None]), [0.1], 1),
    "polars Int8": (lambda: polars([1, None, -128], "Int8"), [1, -128], 1),
    "structured, masked": (
        lambda: np.ma.array([(1.0,), (2.0,)], dtype=[("x", float)], mask=[(True,), (False,)]),
        [2], 1,
    ),
    "masked where no float64 is": (
        lambda: {"x": np.ma.array([BIG, 2], mask=[True, False])}, [2], 1,
    ),
    "range": (lambda: {"x": range(3)}, [0, 1, 2], 0),
    "read only": (lambda: {"x": np.broadcast_to(np.float64(2.5), 3)}, [2.5] * 3, 0),
    "backwards": (lambda: {"x": np.arange(3.0)[::-1]}, [2, 1, 0], 0),
    "big end first": (lambda: {"x": np.array([1, 2], ">i8")}, [1, 2], 0),
    "long doubles": (lambda: {"x": np.array([0.1, 2], np.longdouble)}, [0.1, 2], 0),
}  # fmt: skip


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_are_unchanged_and_missing_ones_missing(name):
    make, numbers, missing = NUMBERS[name]
    table = read_table(make(), drop_missing=True)
    assert (table.columns["x"].tolist(), table.dropped) == (numbers, missing)
    if missing:
        with pytest.raises(DataError, match=r"row \d, column 'x': the cell is empty"):
            read_table(make())


# name: (table, what the message says)
REFUSED = {
    "pandas Int64, not a float64": (lambda: pandas([BIG, None], "Int64"), str(BIG)),
    "pandas, Arrow's, not a float64": (lambda: pandas([None, BIG], "int64[pyarrow]"), str(BIG)),
    "pandas, categories, not a float64": (lambda: categories([BIG, None]), str(BIG)),
    "pandas, categories of text": (lambda: categories(["a", "b"]), "'a' is text"),
    "pandas, text": (lambda: pandas(["a", None], "str"), "'a' is text"),
    "pandas, a column": (lambda: pandas([1.0], "float64")["x"], "not a table"),
    "pandas, no column": (lambda: pandas([1.0], "float64").groupby("x"), "not a table"),
    "polars, a column": (lambda: polars([1.0])["x"], "not a table"),
    "polars Int128": (lambda: polars([5], "Int128"), "column 'x'"),
    "polars, lists": (lambda: polars([[1.0]]), "row 1, column 'x'"),
    "Arrow, an array": (lambda: arrow([1.0])["x"].chunk(0), "not a table"),
    "Arrow, bytes": (lambda: arrow([b"1"]), "binary"),
    "Arrow, records": (lambda: arrow([{"a": 1}]), "struct"),
    "Arrow, dictionary of text": (lambda: dictionary(["1", "2"]), "'1' is not a number"),
    "Arrow, nothing": (lambda: arrow([None, None]), "empty"),
    "generator": (lambda: {"x": (k for k in range(3))}, "one generator is not a column"),
    "set": (lambda: {"x": {1, 2}}, "one set is not a column"),
    "text": (lambda: {"x": "123"}, "one str is not a column"),
    "None": (lambda: {"x": None}, "one NoneType is not a column"),
    "signalling NaN": (lambda: {"x": [Decimal("sNaN")]}, "not finite"),
    "long doubles that are none": (lambda: wide(), "not a float64"),
    "records in records": (lambda: np.zeros(2, [("x", [("a", float)])]), "no number"),
    "arrays in records": (lambda: np.zeros(2, [("x", float, (3,))]), "1-D"),
    "rows as a list": (lambda: [{"x": 1.0}], "not a table"),
    "columns that are a method": (lambda: Method(), "not a table"),
    "columns that fail": (lambda: Failing(), "column 'x'"),
}


def wide():
    if np.finfo(np.longdouble).nmant <= 52:
        pytest.skip("long doubles are doubles here")
    return {"x": np.array([0, 1], np.longdouble) + np.longdouble(2) ** -60}


class Method:
    def columns(self):
        return ["x"]

    def __getitem__(self, name):
        return [1.0]


class Failing:
    columns = ("x",)

    def __getitem__(self, name):
        raise LookupError("it is gone")


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_column_of_numbers_is_refused(name):
    make, word = REFUSED[name]
    with pytest.raises(DataError) as caught:
        read_table(make())
    assert word in str(caught.value)
