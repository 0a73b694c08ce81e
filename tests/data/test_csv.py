"""CSV by Arrow and by the standard library: the same numbers and errors."""

import sys
import threading

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from symgd.data import csv_arrow, read_table
from symgd.errors import DataError
from tests.line_count import lines_of

quick = settings(max_examples=120, suppress_health_check=list(HealthCheck))


def outcome(way, path, columns, drop):
    """(rows dropped, the columns' bits), or the message of the error."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_arrow, "CHUNK", 50)
        if way == "exact":
            patch.setitem(sys.modules, "pyarrow", None)
        try:
            table = read_table(path, columns, drop_missing=drop)
        except DataError as error:
            return str(error)
        bits = {n: v.view(np.uint64).tolist() for n, v in table.columns.items()}
        return table.dropped, bits


def agree(path, columns, drop=False):
    """The outcome that is the same both ways."""
    if "pyarrow" not in sys.modules:
        pytest.importorskip("pyarrow")
    found = outcome("arrow", path, columns, drop)
    assert outcome("exact", path, columns, drop) == found
    return found


CELL = st.one_of(
    st.floats(allow_nan=False).map(repr),
    st.sampled_from(
        ["", " ", "NA", "nan", "inf", "1e400", "1_0", "0x1p3", "1,5", '"1"', "1d3", "٣", "1\u00a0",
         "\u20091", "1\x0b", "1\x0c", "\x1c1", "\x851", "1j", "true", "#1", "+-1", "1 2", ".", "-",
         "1e", "é", "'1'", "\ufeff1", "\x7f1", "infinity", "-0", "1\t", "1.e5", "00012", "5e-324"]
    ),
)  # fmt: skip
END = st.sampled_from(["\n", "\r\n", "\n\n", "\r", " \n", ",\n"])


@quick
@given(
    st.lists(st.tuples(CELL, CELL, END), min_size=1, max_size=6),
    st.sampled_from([["x"], ["y"], ["y", "x"]]),
    st.booleans(),
)
def test_three_ways_agree_on_two_columns(tmp_path_factory, rows, wanted, drop):
    path = tmp_path_factory.getbasetemp() / "three.csv"
    path.write_bytes(("x,y\n" + "".join(f"{a},{b}{end}" for a, b, end in rows)).encode())
    agree(path, wanted, drop)


@quick
@given(st.lists(st.tuples(CELL, END), min_size=1, max_size=6), st.booleans())
def test_three_ways_agree_on_one_column(tmp_path_factory, rows, drop):
    path = tmp_path_factory.getbasetemp() / "one.csv"
    path.write_bytes(("x\n" + "".join(a + end for a, end in rows)).encode())
    agree(path, ["x"], drop)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_numbers_of_many_pieces_are_those_of_float(delimiter, end, tmp_path):
    rng = np.random.default_rng(3)
    rows = [[repr(x) for x in row] for row in rng.standard_normal((300, 3)).tolist()]
    text = "".join(delimiter.join([*row, "téxt"]) + end for row in rows)
    path = tmp_path / "p.csv"
    path.write_bytes((delimiter.join("abcd") + end + text).encode())
    _, bits = agree(path, ["c", "a"])
    for name, k in (("c", 2), ("a", 0)):
        assert bits[name] == np.array([float(row[k]) for row in rows]).view(np.uint64).tolist()


@pytest.mark.parametrize("fault", ["7,8,9", "7", "7,z,9,10", "7,,9", "", "7,8,9,1,2"])
def test_first_fault_behind_many_pieces_is_found_by_its_line(fault, tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("a,b,c,d\n" + "1,2,3,4\n" * 100 + fault + "\n" + "1,2,3,4\n" * 100)
    found = agree(path, ["a", "b"])
    if fault:
        assert "line 102" in found
    else:
        assert found[0] == 0


def test_rows_that_make_up_for_each_other_are_ragged(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("a,b,c\n1,2,3\n1,2\n3,4,5,6\n1,2,3\n")
    for wanted in (["a"], ["a", "b", "c"]):
        assert "line 3" in agree(path, wanted)


def test_threads_do_not_change_what_is_read(tmp_path, monkeypatch):
    pytest.importorskip("pyarrow")
    monkeypatch.setattr(csv_arrow, "CHUNK", 500)
    path = tmp_path / "p.csv"
    path.write_text("x,y\n" + "".join(f"{k},{k / 7!r}\n" for k in range(2000)))
    for threads in ("1", "2", "5", "100"):
        monkeypatch.setenv("SYMGD_THREADS", threads)
        table = read_table(path)
        assert table.columns["x"].tolist() == list(range(2000))
        assert table.columns["y"].tolist() == [k / 7 for k in range(2000)]


@pytest.mark.parametrize("row", [b"", b"1,2\n"])
def test_blank_lines_below_a_header_are_skipped_by_chunks(row, tmp_path):
    """One by one, each of these 2**25 lines took several lines of Python."""
    pytest.importorskip("pyarrow")
    path = tmp_path / "p.csv"
    path.write_bytes(b"x,y\n" + b"\n" * (1 << 25) + row)
    if row:
        table, _ = lines_of(lambda: read_table(path), 100_000)
        assert table.columns["y"].tolist() == [2.0]
    else:
        with pytest.raises(DataError, match="line 2: there are no rows below the header"):
            lines_of(lambda: read_table(path), 100_000)


@pytest.mark.parametrize("most", [0, 1, 3])
def test_rows_are_read_where_no_more_threads_are_to_be_had(most, tmp_path, monkeypatch):
    pytest.importorskip("pyarrow")
    path = tmp_path / "a.csv"
    path.write_text("x\n" + "".join(f"{k}\n" for k in range(1000)))
    monkeypatch.setattr(csv_arrow, "CHUNK", 50)
    monkeypatch.setenv("SYMGD_THREADS", "8")
    start, started = threading.Thread.start, []

    def limited(thread):
        if len(started) == most:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)
    assert read_table(path).columns["x"].tolist() == list(map(float, range(1000)))
    assert len(started) == most
