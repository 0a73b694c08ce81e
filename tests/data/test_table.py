"""Tables: what is read is what is written, whatever holds it, whole or in blocks."""

import csv as python_csv
import io
import os
import signal
import subprocess
import sys
import threading
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from symgd.data import Table, column_names, csv_arrow, open_source, read_table, table
from symgd.data.spool import Spool
from symgd.errors import ArgumentError, DataError


def written(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


def plain(source, *args, **options):
    """What `read_table` gives without pyarrow."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "pyarrow", None)
        return read_table(source, *args, **options)


# CSV: dialects

XY = {"x": [1.0, -2.5], "y": [20.0, 0.001]}

DIALECTS = {
    "commas": "x,y\n1,20\n-2.5,1e-3\n",
    "no end of the last line": "x,y\n1,20\n-2.5,1e-3",
    "CRLF": "x,y\r\n1,20\r\n-2.5,1e-3\r\n",
    "CR": "x,y\r1,20\r-2.5,1e-3\r",
    "byte order mark": "\ufeffx,y\n1,20\n-2.5,1e-3\n",
    "semicolons": "x;y\n1;20\n-2.5;1e-3\n",
    "tabs": "x\ty\n1\t20\n-2.5\t1e-3\n",
    "quoted cells": '"x","y"\n"1","20"\n"-2.5","1e-3"\n',
    "quoted names": '"x","y"\n1,20\n-2.5,1e-3\n',
    "spaces around cells": "x , y\n 1, 20 \n-2.5 ,\t1e-3\n",
    "blank lines": "\n\nx,y\n\n1,20\n   \n-2.5,1e-3\n\n\n",
    "plus signs": "x,y\n+1,+20\n-2.5,+1e-03\n",
    "points at the ends": "x,y\n1.,20.\n-2.5,.001\n",
    "capital exponent": "x,y\n1,2E1\n-2.5,1E-3\n",
    "leading zeros": "x,y\n001,020\n-02.50,0.0010\n",
    "columns of text beside": "t,x,y,u\nred,1,20,\n\"a,b\nc\",-2.5,1e-3,NA\n",
    "pandas' index": ",x,y\n0,1,20\n1,-2.5,1e-3\n",
    "separators in the names": '"a,b;c",x,y\n0,1,20\n0,-2.5,1e-3\n',
    "comma in a bare name": "dose (mg, oral);x;y\n0;1;20\n0;-2.5;1e-3\n",
    "semicolon in a bare name": "a;b,x,y\n0,1,20\n0,-2.5,1e-3\n",
    "quotes in a name": '"a ""b""",x,y\n0,1,20\n0,-2.5,1e-3\n',
    "two lines in a name": '"a\nb",x,y\n0,1,20\n0,-2.5,1e-3\n',
}  # fmt: skip


@pytest.mark.parametrize("name", DIALECTS)
def test_dialect_reads_the_same_numbers(name, engine, tmp_path):
    path = written(tmp_path / "p.csv", DIALECTS[name])
    read = read_table(path, ["x", "y"])
    assert {k: v.tolist() for k, v in read.columns.items()} == XY
    assert (read.names, read.rows, read.dropped) == (("x", "y"), 2, 0)
    assert {v.dtype for v in read.columns.values()} == {np.dtype(float)}


def test_python_csv_agrees_on_the_dialects(tmp_path):
    for name in ("commas", "CRLF", "quoted cells", "columns of text beside", "quotes in a name"):
        rows = list(python_csv.DictReader(io.StringIO(DIALECTS[name], newline="")))
        assert {n: [float(row[n]) for row in rows] for n in "xy"} == XY


def test_tsv_is_separated_by_tabs(engine, tmp_path):
    path = written(tmp_path / "p.tsv", "a,b\tx\n1,2\t3\n")
    assert read_table(path, ["x"]).columns["x"].tolist() == [3.0]


def test_file_that_may_be_cut_off_is_remarked_on(engine, tmp_path):
    assert read_table(written(tmp_path / "p.csv", "x\n1\n2\n")).remarks == ()
    [remark] = read_table(written(tmp_path / "p.csv", "x\n1\n2")).remarks
    assert "cut off" in remark


# Names


def test_columns_come_in_the_order_that_was_asked_for(engine, tmp_path):
    path = written(tmp_path / "p.csv", "a,b,c\n1,2,3\n4,5,6\n")
    read = read_table(path, ["c", "a", "c"])
    assert {k: v.tolist() for k, v in read.columns.items()} == {"c": [3, 6], "a": [1, 4]}
    assert read.names == ("c", "a")


@pytest.mark.parametrize(("there", "asked"), [("θ", "theta"), ("theta", "θ"), ("é", "e\u0301")])
def test_spellings_of_one_name_find_each_other(there, asked, tmp_path):
    path = written(tmp_path / "p.csv", f"{there},y\n1,2\n")
    assert read_table(path, [asked]).columns[asked].tolist() == [1.0]


def test_names_are_known_before_the_rows_are_read(tmp_path):
    path = written(tmp_path / "p.csv", ",dose (mg),y\n0,red,text\n")
    assert open_source(path).names == ("", "dose (mg)", "y")
    assert column_names(path) == ("dose (mg)", "y")
    assert column_names({"x": ["text"], 3: [1]}) == ("x",)


def test_open_source_is_read_like_what_it_was_opened_from(tmp_path):
    opened = open_source(written(tmp_path / "p.csv", "x\n1\n"))
    for _ in range(2):
        assert read_table(opened, ["x"]).columns["x"].tolist() == [1.0]


def test_no_wanted_column_is_an_error(tmp_path):
    with pytest.raises(DataError, match="no column"):
        read_table({"x": [1]}, [])


# Numbers


def is_read(text):
    """Whether it is a finite number, and no integer that float64 lacks."""
    is_integer = text.lstrip("+-").isdecimal()
    return np.isfinite(float(text)) and not (is_integer and int(text) != float(text))


FLOATS = st.floats(allow_nan=False, allow_infinity=False)
SPELLINGS = st.sampled_from([repr, "{:.20e}".format, "{:.17g}".format, "{:+.3f}".format, str])
NUMBERS = st.one_of(
    st.builds(lambda spell, x: spell(x), SPELLINGS, FLOATS),
    st.from_regex(
        r"[+-]?([0-9]{1,40}\.?[0-9]{0,40}|\.[0-9]{1,40})([eE][+-]?[0-9]{1,3})?", fullmatch=True
    ),
).filter(is_read)
NOISE = st.text(alphabet="0123456789+-.eExnaif()_,;\"' \t#٣\u00a0\u2212", max_size=8)
quick = settings(max_examples=60, suppress_health_check=list(HealthCheck))


def bits(values):
    return np.asarray(values, float).view(np.uint64).tolist()


@quick
@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=30))
def test_numbers_are_those_of_float_to_the_bit(tmp_path_factory, rows):
    path = tmp_path_factory.getbasetemp() / "numbers.csv"
    written(path, "x,y\n" + "".join(f"{a},{b}\n" for a, b in rows))
    for read in (read_table(path), plain(path), read_table(path, block_rows=7)):
        for k, name in enumerate("xy"):
            assert bits(read.columns[name]) == bits([float(row[k]) for row in rows])


@quick
@given(
    st.lists(st.tuples(st.one_of(NUMBERS, NOISE), NOISE), min_size=1, max_size=4),
    st.sampled_from([["x"], ["x", "y"]]),
    st.booleans(),
)
def test_arrow_and_the_standard_library_agree_on_anything(tmp_path_factory, rows, wanted, drop):
    path = tmp_path_factory.getbasetemp() / "noise.csv"
    written(path, "x,y\n" + "".join(f"{a},{b}\n" for a, b in rows))
    outcomes = []
    for read in (read_table, plain):
        try:
            got = read(path, wanted, drop_missing=drop)
            outcomes.append([got.dropped, *(bits(got.columns[n]) for n in wanted)])
        except DataError as error:
            outcomes.append(str(error))
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("cell", ["nan(1)", "NaN(abc)", "-nan(0x7ff)", "nan()", "inf(1)"])
@pytest.mark.parametrize("drop", [False, True])
def test_a_nan_of_the_c_library_is_text(engine, tmp_path, cell, drop):
    """strtod reads nan(1), and so does Arrow: to drop it would be to lose a row silently."""
    path = written(tmp_path / "p.csv", f"x,y\n1,2\n3,{cell}\n4,nan\n")
    with pytest.raises(DataError, match="line 3, column 'y': .* is not a number"):
        read_table(path, drop_missing=drop)


@quick
@given(st.lists(st.tuples(FLOATS, st.text()), min_size=1, max_size=20))
def test_what_python_csv_writes_is_read_back(tmp_path_factory, rows):
    path = tmp_path_factory.getbasetemp() / "texts.csv"
    rows = [(x, text) for x, text in rows if "\0" not in text and text.isprintable()]
    with open(path, "w", newline="", encoding="utf-8") as file:
        python_csv.writer(file).writerows([("x", "t"), (1.5, "first"), *rows])
    read = read_table(path, ["x"])
    assert bits(read.columns["x"]) == bits([1.5, *(x for x, _ in rows)])


def test_what_pandas_writes_is_read_back(engine, tmp_path):
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    frame = pandas.DataFrame({"x": rng.standard_normal(999), "t": ['a,"b"\nc'] * 999})
    frame.to_csv(tmp_path / "p.csv")
    read = read_table(tmp_path / "p.csv", ["x"])
    assert bits(read.columns["x"]) == bits(frame["x"])


def test_numpy_and_symgd_read_the_same(engine, tmp_path):
    rng = np.random.default_rng(1)
    rows = rng.standard_normal((500, 3)) * 10.0 ** rng.integers(-300, 300, (500, 3))
    np.savetxt(tmp_path / "p.csv", rows, "%.17g", ",", header="x,y,z", comments="")
    oracle = np.loadtxt(tmp_path / "p.csv", delimiter=",", skiprows=1)
    read = read_table(tmp_path / "p.csv")
    for k, name in enumerate("xyz"):
        assert bits(read.columns[name]) == bits(oracle[:, k])


# Missing cells


def test_missing_cells_are_dropped_and_counted(engine, tmp_path):
    text = "x,y,t\n1,2,\n,3,\n4,NA,\n5,nan,\n6,-inf,\n7,1e400,\n8, n/A ,\n9,10,NULL\n"
    read = read_table(written(tmp_path / "p.csv", text), ["x", "y"], drop_missing=True)
    assert {k: v.tolist() for k, v in read.columns.items()} == {"x": [1, 9], "y": [2, 10]}
    assert (read.rows, read.dropped) == (2, 6)


def test_blank_lines_of_a_single_column_are_missing_cells(engine, tmp_path):
    path = written(tmp_path / "p.csv", "x\n1\n\n\n2\n\n\n")
    read = read_table(path, drop_missing=True)
    assert (read.columns["x"].tolist(), read.dropped) == ([1, 2], 2)


def test_table_of_missing_cells_only_is_an_error(engine, tmp_path):
    with pytest.raises(DataError, match="all 2 rows have a missing cell"):
        read_table(written(tmp_path / "p.csv", "x,y\nNA,1\nNA,2\n"), drop_missing=True)


# Objects

SOURCES = {}


def source(make):
    SOURCES[make.__name__] = make
    return make


@source
def mapping(data):
    return data


@source
def structured(data):
    kinds = [(name, values.dtype) for name, values in data.items()]
    array = np.empty(len(data["f8"]), kinds)
    for name, values in data.items():
        array[name] = values
    return array


@source
def pandas(data):
    return pytest.importorskip("pandas").DataFrame(data)


@source
def polars(data):
    return pytest.importorskip("polars").DataFrame(data)


@source
def arrow_table(data):
    return pytest.importorskip("pyarrow").table(data)


@source
def arrow_batch(data):
    return pytest.importorskip("pyarrow").record_batch(data)


@source
def arrow_chunks(data):
    pa = pytest.importorskip("pyarrow")
    whole = pa.table(data)
    return pa.concat_tables([whole.slice(0, 3), whole.slice(3)])


@source
def arrow_stream(data):
    """Anything that exports Arrow's stream and nothing else."""
    whole = pytest.importorskip("pyarrow").table(data)

    class Stream:
        def __arrow_c_stream__(self, requested_schema=None):
            return whole.__arrow_c_stream__(requested_schema)

    return Stream()


@source
def interchange(data):
    """Anything that exports the frames' interchange protocol and nothing else."""
    whole = pytest.importorskip("pyarrow").table({k: v for k, v in data.items() if k != "b1"})

    class Frame:
        def __dataframe__(self, *args, **options):
            return whole.__dataframe__(*args, **options)

    return Frame()


@pytest.mark.filterwarnings("ignore:.*interchange:DeprecationWarning")
@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("block_rows", [None, 2])
def test_objects_give_their_numbers_unchanged(name, block_rows):
    data = {
        "f8": np.array([0.1, -1e300, 5e-324, 1.0, 2.0]),
        "f4": np.array([0.1, 1e30, -2, 3, 4], np.float32),
        "i8": np.array([-(2**53), 2**62, 0, 1, 2]),
        "u8": np.array([2**63, 2**53, 0, 1, 2], np.uint64),
        "i1": np.array([-128, 127, 0, 1, 2], np.int8),
        "b1": np.array([True, False, True, True, False]),
    }
    made = SOURCES[name](data)
    wanted = [column for column in data if column in column_names(made)]
    read = read_table(made, wanted, block_rows=block_rows)
    assert (read.rows, read.streamed) == (5, False)
    for column in wanted:
        got = read.columns[column]
        assert got.dtype == (np.float32 if column == "f4" else np.float64)
        assert got.flags.c_contiguous
        assert [Fraction(v) for v in got.tolist()] == [Fraction(v) for v in data[column].tolist()]
    parts = list(read.blocks())
    assert len(parts) == (3 if block_rows else 1)
    for column in wanted:
        joined = np.concatenate([part[column] for part in parts])
        np.testing.assert_array_equal(joined, read.columns[column])


@pytest.mark.parametrize("name", ["mapping", "pandas", "polars", "arrow_table", "arrow_chunks"])
def test_objects_refuse_and_drop_missing_cells(name):
    made = SOURCES[name]({"f8": np.array([1.0, 2.0, np.nan, np.inf, 5.0])})
    with pytest.raises(DataError, match="row 3, column 'f8'"):
        read_table(made)
    read = read_table(made, drop_missing=True)
    assert (read.columns["f8"].tolist(), read.dropped) == ([1, 2, 5], 2)


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_nulls_leave_large_integers_exact(library):
    big = 2**53 + 2
    frames = pytest.importorskip(library)
    kind = {"pandas": "Int64", "polars": None, "pyarrow": None}[library]
    if library == "pandas":
        frame = frames.DataFrame({"k": frames.array([big, None, 3], dtype=kind)})
    else:
        frame = getattr(frames, "DataFrame" if library == "polars" else "table")(
            {"k": [big, None, 3]}
        )
    with pytest.raises(DataError, match="row 2, column 'k'"):
        read_table(frame)
    read = read_table(frame, drop_missing=True)
    assert read.columns["k"].tolist() == [big, 3]


OBJECTS = {
    "integer that float64 lacks": ({"x": [1, 2**53 + 1]}, 2, "9007199254740993"),
    "largest int64": ({"x": np.array([2**63 - 1])}, 1, "9223372036854775807"),
    "largest uint64": ({"x": np.array([0, 2**64 - 1], np.uint64)}, 2, "18446744073709551615"),
    "integer among floats": ({"x": [1.5, 2**64 + 1]}, 2, "18446744073709551617"),
    "text in a list": ({"x": [1, "2"]}, 2, "'2' is text"),
    "text array": ({"x": np.array(["1"])}, 1, "'1' is text"),
    "bytes": ({"x": [b"1"]}, 1, "text"),
    "None": ({"x": [1.5, None]}, 2, "empty"),
    "complex": ({"x": [1j]}, 1, "complex"),
    "durations": ({"x": np.array([1], "m8[s]")}, 1, "duration"),
    "objects": ({"x": [object()]}, 1, "object"),
    "huge integer": ({"x": [10**400]}, 1, "too large"),
    "scalar": ({"x": 1.0}, None, "1-D"),
    "matrix": ({"x": np.ones((2, 2))}, None, "1-D"),
    "ragged list": ({"x": [[1], [2, 3]]}, None, "not an array"),
    "masked": ({"x": np.ma.array([1.0, 2.0], mask=[False, True])}, 2, "empty"),
    "no rows": ({"x": []}, None, "no rows"),
}


@pytest.mark.parametrize("name", OBJECTS)
def test_object_that_is_no_column_of_numbers_is_refused(name):
    data, row, word = OBJECTS[name]
    with pytest.raises(DataError) as caught:
        read_table(data)
    assert caught.value.row == row
    assert word in str(caught.value)
    assert "the dict" in str(caught.value)


def test_lengths_that_differ_are_refused():
    with pytest.raises(DataError, match="'y': it has 1 rows, 'x' has 2"):
        read_table({"x": [1, 2], "y": [1]})


@pytest.mark.parametrize("data", [3, None, [1, 2], np.ones((3, 2, 1)), object()])
def test_object_without_columns_is_refused(data):
    with pytest.raises(DataError, match="not a table"):
        read_table(data)


def test_frame_that_is_not_computed_is_refused():
    lazy = pytest.importorskip("polars").DataFrame({"x": [1]}).lazy()
    with pytest.raises(DataError, match="collect"):
        read_table(lazy)


def test_python_numbers_of_any_kind_are_read():
    read = read_table({"x": [Decimal("0.1"), Fraction(1, 4), True, np.float32(0.5), 7]})
    assert read.columns["x"].tolist() == [0.1, 0.25, 1.0, 0.5, 7.0]


def test_arrays_that_are_floats_already_are_not_copied():
    x = np.arange(5.0)
    assert np.shares_memory(read_table({"x": x}).columns["x"], x)
    strided = np.arange(10.0)[::2]
    assert read_table({"x": strided}).columns["x"].flags.c_contiguous
    swapped = x.astype(">f8")
    assert read_table({"x": swapped}).columns["x"].dtype == np.dtype("=f8")


# Blocks


@pytest.mark.parametrize("rows", [1, 2, 99, 100, 101, 250, 1000])
def test_blocks_of_a_file_are_the_whole_in_order(rows, engine, tmp_path, monkeypatch):
    monkeypatch.setattr(csv_arrow, "CHUNK", 700)
    count = 250
    lines = "".join(f"{k},{k / 7!r},{'NA' if k % 10 == 3 else k}\n" for k in range(count))
    path = written(tmp_path / "p.csv", "k,x,z\n" + lines)
    whole = read_table(path, drop_missing=True)
    read = read_table(path, drop_missing=True, block_rows=rows)
    assert (read.rows, read.dropped, read.streamed) == (225, 25, True)
    for _ in range(2):
        blocks = list(read.blocks())
        assert [len(b["k"]) for b in blocks[:-1]] == [rows] * (len(blocks) - 1)
        for name in "kxz":
            joined = np.concatenate([block[name] for block in blocks])
            assert bits(joined) == bits(whole.columns[name])
    assert bits(read.columns["x"]) == bits([k / 7 for k in range(count) if k % 10 != 3])


def test_passes_may_run_side_by_side(engine, tmp_path):
    path = written(tmp_path / "p.csv", "x\n" + "".join(f"{k}\n" for k in range(100)))
    read = read_table(path, block_rows=9)
    for a, b in zip(read.blocks(), read.blocks(), strict=True):
        np.testing.assert_array_equal(a["x"], b["x"])


def test_file_that_needs_much_memory_is_read_in_blocks(engine, tmp_path, monkeypatch):
    path = written(tmp_path / "p.csv", "x,y\n" + "1.25,2.5\n" * 5000)
    assert not read_table(path).streamed
    monkeypatch.setattr(table, "IN_MEMORY", 50_000)
    assert read_table(path).streamed
    assert not read_table(path, ["x"]).streamed


@pytest.mark.parametrize("change", ["longer", "gone", "shorter"])
def test_file_that_changes_between_passes_is_refused(change, engine, tmp_path):
    path = written(tmp_path / "p.csv", "x\n1\n2\n3\n")
    read = read_table(path, block_rows=2)
    if change == "gone":
        path.unlink()
    else:
        written(path, "x\n1\n2\n3\n4\n" if change == "longer" else "x\n1\n")
    with pytest.raises(DataError, match=r"changed|no such file"):
        list(read.blocks())


def test_arrow_hands_over_to_the_exact_reader_within_a_file(tmp_path, monkeypatch):
    pytest.importorskip("pyarrow")
    monkeypatch.setattr(csv_arrow, "CHUNK", 1000)
    rows = [(k / 3, "plain") for k in range(2000)]
    rows[1234] = (rows[1234][0], 'a "quoted"\ntext')
    with open(tmp_path / "p.csv", "w", newline="") as file:
        python_csv.writer(file).writerows([("x", "t"), *rows, ("oops", "end")])
    with pytest.raises(DataError, match="line 2,003, column 'x': 'oops'"):
        read_table(tmp_path / "p.csv", ["x"])
    text = (tmp_path / "p.csv").read_bytes().replace(b"oops", b"0.5")
    (tmp_path / "p.csv").write_bytes(text)
    read = read_table(tmp_path / "p.csv", ["x"])
    assert bits(read.columns["x"]) == bits([*(x for x, _ in rows), 0.5])


def test_parquet_is_read_whole_and_in_blocks(tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    rng = np.random.default_rng(2)
    data = {"x": rng.standard_normal(1000), "f": rng.standard_normal(1000).astype(np.float32)}
    data |= {"k": np.arange(1000), "t": ["text"] * 1000}
    parquet.write_table(pa.table(data), tmp_path / "p.parquet", row_group_size=77)
    whole = read_table(tmp_path / "p.parquet", ["f", "k", "x"])
    read = read_table(tmp_path / "p.parquet", ["f", "k", "x"], block_rows=128)
    assert read.streamed
    assert whole.columns["f"].dtype == np.float32
    for name in ("f", "k", "x"):
        np.testing.assert_array_equal(whole.columns[name], data[name])
        joined = np.concatenate([block[name] for block in read.blocks()])
        np.testing.assert_array_equal(joined, data[name])
        assert joined.dtype == whole.columns[name].dtype


def test_columns_of_a_parquet_record_do_not_shadow_others(tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    data = pa.table({"a": [{"b": 1.0}, {"b": 2.0}], "a.b": [3.0, 4.0]})
    parquet.write_table(data, tmp_path / "p.parquet")
    assert read_table(tmp_path / "p.parquet", ["a.b"]).columns["a.b"].tolist() == [3.0, 4.0]


@pytest.mark.parametrize("rows", [0, -1])
def test_length_of_a_block_is_one_or_more(rows):
    with pytest.raises(ArgumentError, match="block_rows"):
        read_table({"x": [1]}, block_rows=rows)


def test_progress_runs_from_0_to_1(engine, tmp_path, monkeypatch):
    monkeypatch.setattr(csv_arrow, "CHUNK", 50_000)
    path = written(tmp_path / "p.csv", "x\n" + "1.5\n" * 60_000)
    seen = []
    read_table(path, progress=seen.append)
    assert len(seen) > 2
    assert seen == sorted(seen)
    assert 0 < seen[0] < 1
    assert seen[-1] == 1


def test_table_says_what_it_is():
    assert repr(read_table({"x": [1, 2]})) == "<Table of 2 rows x 1 columns, in memory>"
    assert isinstance(read_table({"x": [1]}), Table)


# Standard input and pipes


def test_standard_input_is_read_once_and_used_often(engine, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"x,y\n1,2\n3,4\n")))
    assert column_names("-") == ("x", "y")
    read = read_table("-", ["y"], block_rows=1)
    for _ in range(2):
        assert [block["y"].tolist() for block in read.blocks()] == [[2.0], [4.0]]


def test_fault_in_standard_input_is_named(engine, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"x,y\n1,2\n3,four\n")))
    with pytest.raises(DataError, match="standard input, line 3, column 'y': 'four'"):
        read_table("-")


def test_no_standard_input_is_an_error(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(DataError, match="standard input"):
        read_table("-")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_named_pipe_is_read(engine, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_text, args=("x\n1\n2\n",))
    writer.start()
    assert read_table(tmp_path / "pipe").columns["x"].tolist() == [1.0, 2.0]
    writer.join()


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("how", ["SIGTERM", "SIGHUP", "SIGKILL"])
def test_what_came_in_by_a_pipe_does_not_outlive_a_killed_process(how, tmp_path):
    child = subprocess.Popen(
        [sys.executable, "-m", "symgd", "fit", "y=a*x", "-"],
        stdin=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    child.stdin.write(b"x,y\n" + b"1,2\n" * (1 << 20))
    child.stdin.flush()  # no pipe holds that much: it is being copied
    child.send_signal(getattr(signal, how))
    assert child.wait() == -getattr(signal, how)
    child.stdin.close()
    assert list(tmp_path.iterdir()) == []


def test_passes_over_a_pipe_have_places_of_their_own():
    spool = Spool(io.BytesIO(bytes(range(100))), 100)
    one, other = io.BufferedReader(spool.open(), 8), spool.open()
    assert one.read(3) == b"\x00\x01\x02"
    assert other.seek(-2, os.SEEK_END) == 98
    assert other.read() == b"\x62\x63"
    assert one.read(1) == b"\x03"
    assert other.read(1) == b""
    with pytest.raises(OverflowError):
        Spool(io.BytesIO(bytes(100)), 99)


# Weight


def test_data_module_imports_nothing_heavy():
    code = "import sys, symgd.data, symgd.data.in_memory, symgd.data.arrow_files, symgd.data.csv\n"
    code += "print([m for m in ('sympy', 'pyarrow', 'pandas', 'polars') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
