"""Malformed tables: each one message that names file, line and column, with and without Arrow."""

import os
import pickle
import sys

import numpy as np
import pytest

from symgd.data import csv_arrow, open_source, read_table
from symgd.errors import DataError, SymgdError

# name: (bytes of the file, columns that are wanted or None for all, line, column, a word of the
# message). line and column are None where the fault lies with the whole file, or with a name.
FILES = {
    "empty": (b"", None, 1, None, "empty"),
    "only a mark": (b"\xef\xbb\xbf", None, 1, None, "empty"),
    "only blank lines": (b"\n\r\n  \n", None, 1, None, "empty"),
    "blank lines before the header": (b"\n\r\n \t\n\r  x,y\n\n1,a\n", None, 7, "y", "'a'"),
    "blank lines after a mark": (b"\xef\xbb\xbf\n\nx,x\n1,2\n", None, 3, "x", "2 columns"),
    "header only": (b"x,y\n", None, 2, None, "no rows"),
    "header without its end": (b"x,y", None, 2, None, "no rows"),
    "header and blank lines": (b"x,y\n\n\n", None, 2, None, "no rows"),
    "nameless header": (b",,\n1,2,3\n", None, 1, None, "no names"),
    "duplicate names": (b"x,y,x\n1,2,3\n", ["y"], 1, "x", "2 columns"),
    "duplicate after stripping": (b"x, x\n1,2\n", None, 1, "x", "2 columns"),
    "short row": (b"x,y,z\n1,2,3\n1,2\n", None, 3, "z", "2 cells"),
    "short row, unused column": (b"x,y,z\n1,2,3\n1,2\n", ["x"], 3, "z", "2 cells"),
    "long row": (b"x,y\n1,2\n3,4,5\n", None, 3, "y", "3 cells"),
    "long row, unused": (b"x,y\n1,2\n3,4,5\n", ["x"], 3, "y", "3 cells"),
    "short and long rows": (b"x,y\n1,2,3\n4\n", None, 2, "y", "3 cells"),
    "trailing comma": (b"x,y\n1,2\n3,4,\n", None, 3, "y", "3 cells"),
    "truncated row": (b"x,y\n1,2\n3", None, 3, "y", "1 cell"),
    "text cell": (b"x,y\n1,2\n3,four\n", None, 3, "y", "'four'"),
    "text column": (b"x,y\n1,red\n2,blue\n", ["x", "y"], 2, "y", "'red'"),
    "empty cell": (b"x,y\n1,\n", None, 2, "y", "empty"),
    "blank cell": (b"x,y\n1,  \n", None, 2, "y", "empty"),
    "quoted empty cell": (b'x,y\n1,""\n', None, 2, "y", "empty"),
    "blank line in one column": (b"x\n1\n\n2\n", None, 3, "x", "empty"),
    "row of commas": (b"x,y\n1,2\n,\n", None, 3, "x", "empty"),
    "NA": (b"x,y\n1,NA\n", None, 2, "y", "missing"),
    "NULL": (b"x,y\nNULL,1\n", None, 2, "x", "missing"),
    "nan": (b"x,y\n1,2\n1,nan\n", None, 3, "y", "missing"),
    "-nan": (b"x,y\n1,-nan\n", None, 2, "y", "not finite"),
    "inf": (b"x,y\n1,2\ninf,1\n", None, 3, "x", "not finite"),
    "-Infinity": (b"x,y\n1,-Infinity\n", None, 2, "y", "not finite"),
    "1e400": (b"x,y\n1,1e400\n", None, 2, "y", "too large"),
    "-1e999": (b"x,y\n1,-1e999\n", None, 2, "y", "too large"),
    "four hundred nines": (b"x,y\n1," + b"9" * 400 + b"\n", None, 2, "y", "too large"),
    "NUL in a number": (b"x,y\n1,2\n3,\x004\n", None, 3, "y", "NUL"),
    "NUL in an unused cell": (b"x,y\n1,a\n3,\x00b\n", ["x"], 3, "y", "NUL"),
    "NUL in the header": (b"x,\x00y\n1,2\n", None, 1, None, "NUL"),
    "zeros": (b"\0" * 5000, None, 1, None, "UTF-16"),
    "decimal comma, bare": (b"x,y\n1,5,2,5\n", None, 2, "y", "decimal commas"),
    "underscores": (b"x,y\n1_000,2\n", None, 2, "x", "without _"),
    "hexadecimal": (b"x,y\n0x10,2\n", None, 2, "x", "decimal"),
    "Fortran exponent": (b"x,y\n1d5,2\n", None, 2, "x", "'1d5'"),
    "two points": (b"x,y\n1.2.3,2\n", None, 2, "x", "'1.2.3'"),
    "two signs": (b"x,y\n--1,2\n", None, 2, "x", "'--1'"),
    "sign alone": (b"x,y\n1,-\n", None, 2, "y", "'-'"),
    "exponent alone": (b"x,y\n1,1e\n", None, 2, "y", "'1e'"),
    "percent": (b"x,y\n1,12%\n", None, 2, "y", "%"),
    "money": (b"x,y\n1,$3\n", None, 2, "y", "'$3'"),
    "boolean": (b"x,y\n1,true\n", None, 2, "y", "'true'"),
    "mark before a row": ("x,y\n\ufeff1,2\n".encode(), None, 2, "x", r"\ufeff1"),
    "Arabic digits": ("x,y\n1,٣\n".encode(), None, 2, "y", "not a number"),
    "no-break space": ("x,y\n1,\u00a02\n".encode(), None, 2, "y", r"\xa02"),
    "typographic minus": ("x,y\n1,−2\n".encode(), None, 2, "y", "as -"),
    "form feed": (b"x,y\n1,\x0c2\n", None, 2, "y", r"\x0c2"),
    "Ctrl-Z at the end": (b"x,y\n1,2\n\x1a", None, 3, "y", "1 cell"),
    "terminal escape": (b"x,y\n1,\x1b[2Jgone\n", None, 2, "y", r"\x1b[2J"),
    "right-to-left override": ("x,y\n1,\u202e2\n".encode(), None, 2, "y", r"\u202e"),
    "spreadsheet formula": (b"x,y\n1,=1+1\n", None, 2, "y", "'=1+1'"),
    "code": (b"x,y\n1,__import__('os').system('id')\n", None, 2, "y", "__import__"),
    "UTF-16": ("x,y\n1,2\n".encode("utf-16"), None, 1, None, "UTF-16"),
    "UTF-16 without a mark": ("x,y\n1,2\n".encode("utf-16-le"), None, 1, None, "UTF-16"),
    "UTF-16, big end first": (b"\xfe\xff" + "x,y\n".encode("utf-16-be"), None, 1, None, "UTF-16"),
    "UTF-32": ("x,y\n1,2\n".encode("utf-32"), None, 1, None, "UTF-32"),
    "Latin-1 header": ("größe,y\n1,2\n".encode("latin-1"), None, 1, None, "0xf6"),
    "Latin-1 cell": ("x,y\n1,2\n1,é\n".encode("latin-1"), None, 3, "y", "0xe9"),
    "Latin-1, unused": ("x,y\n1,a\n1,é\n".encode("latin-1"), ["x"], 3, "y", "0xe9"),
    "surrogate": (b"x,y\n1,\xed\xa0\x80\n", None, 2, "y", "0xed"),
    "cut character": ("x,y\n1,θ".encode()[:-1], ["x"], 2, "y", "0xce"),
    "open quote": (b'x,y\n1,2\n"3,4\n5,6\n', None, 3, "x", "not closed"),
    "open quote, unused": (b'x,y\n1,a\n3,"b\n5,c\n', ["x"], 3, "y", "not closed"),
    "open quote in the header": (b'x,"y\n1,2\n', None, 1, None, "quote"),
    "text behind a quote": (b'x,y\n"1"2,3\n', None, 2, "x", "closing quote"),
    "quote inside a number": (b'x,y\n1,2"3\n', None, 2, "y", "2\"3"),
    "space before a quote": (b'x,y\n1, "2"\n', None, 2, "y", "not a number"),
    "huge field": (b"x,y\n1," + b"a" * 200_000 + b"\n", ["x"], 2, "y", "131,072"),
    "huge number": (b"x,y\n1," + b"0" * 200_000 + b"\n", None, 2, "y", "131,072"),
    "huge line": (b"x,y\n1," + b"a," * 700_000 + b"\n", ["x"], 2, None, "1,048,576"),
    "huge header": (b"x" * (1 << 21), None, 1, None, "1,048,576"),
    "mixed separators": (b"x,y\n1;2,3\n", None, 2, "x", "separated"),
    "no such name": (b"dose,Time\n1,2\n", ["time"], None, None, "did you mean 'Time'?"),
    "name like a function": (b"sin,y\n1,2\nx,3\n", ["sin"], 3, "sin", "'x'"),
    "name like a parameter": (b"a,theta\n1,2\n1,\n", ["a", "theta"], 3, "theta", "empty"),
    "name like code": (b"__import__('os')\nx\n", None, 2, "__import__('os')", "'x'"),
    "name like HTML": (b"<script>alert(1)</script>\nx\n", None, 2, "<script>alert(1)</script>", ""),
    "name that clears": (b"\x1b[2J\nx\n", None, 2, "\x1b[2J", r"\x1b[2J"),
    "two spellings": ("θ,ϑ\n1,2\n".encode(), ["theta"], None, "theta", "one name"),
    "gzip": (b"\x1f\x8b\x08\0\0\0\0\0", None, None, None, "gzip"),
    "NumPy's array": (b"\x93NUMPY\x01\0v\0{'descr'", None, 1, None, "NumPy"),
    "Feather": (b"FEA1\0\0\0\0", None, 1, None, "Feather"),
    "JSON, columns": (b'{"x": [1, 2]}\n', None, 1, None, "JSON"),
    "JSON, rows": (b'[{"x": 1},\n{"x": 2}]\n', None, 1, None, "JSON"),
    "spreadsheet": (b"PK\x03\x04\x14\0\x06\0", None, 1, None, "spreadsheet"),
    "HTML page": (b"<!DOCTYPE html>\n<html>\n", ["x"], None, None, "no column"),
    "late in the file": (b"x,y\n" + b"1,2\n" * 70_000 + b"1,z\n", None, 70_002, "y", "'z'"),
    "late, in a quoted file": (
        b'x,t\n' + b'1,"a\nb"\n' * 20_000 + b'z,"c"\n', ["x"], 40_002, "x", "'z'"
    ),
    "late ragged row": (b"x,y\n" + b"1,2\n" * 70_000 + b"1\n", None, 70_002, "y", "1 cell"),
    "CR only": (b"x,y\r1,2\r3,z\r", None, 3, "y", "'z'"),
    "CR and CRLF": (b"x,y\r\n1,2\r3,4\r\n5,z\r\n", None, 4, "y", "'z'"),
    "first of two faults": (b"x,y\n1,z\n1,2,3\n", None, 2, "y", "'z'"),
    "first of two in a row": (b"x,y\na,b\n", ["y", "x"], 2, None, "not a number"),
}  # fmt: skip


def refusal(source, *args, **options):
    with pytest.raises(DataError) as caught:
        read_table(source, *args, **options)
    return caught.value


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("block_rows", [None, 7])
def test_malformed_file_is_refused_by_its_place(name, block_rows, engine, tmp_path):
    data, columns, line, column, word = FILES[name]
    path = tmp_path / "points.csv"
    path.write_bytes(data)
    error = refusal(path, columns, block_rows=block_rows)
    assert (error.source, error.line) == (str(path), line)
    assert column is None or error.column == column
    assert word in str(error)
    assert "points.csv" in str(error)
    assert line is None or f"line {line:,}" in str(error)
    assert all(text.isprintable() for text in str(error).split("\n"))
    assert len(str(error)) < 600 + len(str(path))
    assert path.read_bytes() == data


def test_sixty_files_are_malformed():
    assert len(FILES) >= 60


@pytest.mark.parametrize("name", FILES)
def test_dropping_missing_cells_refuses_all_other_faults(name, engine, tmp_path):
    data, columns, line, *_ = FILES[name]
    missing = {
        "empty cell", "blank cell", "quoted empty cell", "blank line in one column",
        "row of commas", "NA", "NULL", "nan", "-nan", "inf", "-Infinity", "1e400", "-1e999",
        "four hundred nines", "name like a parameter",
    }  # fmt: skip
    path = tmp_path / "points.csv"
    path.write_bytes(data)
    if name not in missing:
        assert refusal(path, columns, drop_missing=True).line == line
        return
    path.write_bytes(data + (b"7\n" if name == "blank line in one column" else b"7,7\n"))
    table = read_table(path, columns, drop_missing=True)
    assert table.dropped == 1
    assert all(column[-1] == 7 for column in table.columns.values())


def test_message_reads_well(engine, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.csv").write_text("dose (mg);y\n1;2\n12%;3\n")
    assert str(refusal("p.csv", ["dose (mg)"])) == (
        "p.csv, line 3, column 'dose (mg)': '12%' is not a number\nwrite it without the % sign"
    )
    assert str(refusal("p.csv", ["dose"])) == (
        "p.csv: there is no column 'dose'; there are 'dose (mg)' and 'y'\ndid you mean 'dose (mg)'?"
    )


def test_error_keeps_its_parts(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("x\n1\nno\n")
    error = refusal(path)
    again = pickle.loads(pickle.dumps(error))
    assert isinstance(error, SymgdError)
    for one in (error, again):
        assert (one.line, one.column, one.cell, one.source) == (3, "x", "no", str(path))
        assert str(one) == str(error)


def test_names_are_listed_within_bounds(tmp_path):
    path = tmp_path / "wide.csv"
    names = [f"{'n' * 100}{k}" for k in range(3000)]
    path.write_text(",".join(names) + "\n" + ",".join("1" for _ in names) + "\n")
    assert "(3,000 in all)" in str(refusal(path, ["y"]))
    assert len(str(refusal(path, ["y"]))) < 1200
    assert len(str(refusal(path, ["y" * 10_000]))) < 1200


# Paths


def test_directory_is_refused(tmp_path):
    assert "directory" in str(refusal(tmp_path))


def test_missing_file_is_refused(tmp_path):
    error = refusal(tmp_path / "none\x1b.csv")
    assert "there is no such file" in str(error)
    assert "\x1b" not in str(error)


def test_missing_folder_and_file_as_folder_are_refused(tmp_path):
    (tmp_path / "p.csv").write_text("x\n1\n")
    for path in (tmp_path / "no" / "p.csv", tmp_path / "p.csv" / "q.csv"):
        assert str(path) in str(refusal(path))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads any file")
def test_unreadable_file_is_refused(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("x\n1\n")
    path.chmod(0)
    assert "cannot be read" in str(refusal(path))


@pytest.mark.skipif(os.name == "nt", reason="a POSIX device")
def test_device_is_refused_before_it_is_read():
    assert "device" in str(refusal("/dev/zero"))


@pytest.mark.parametrize("path", ["a\0b.csv", "", "n" * 5000])
def test_impossible_path_is_refused(path):
    assert isinstance(refusal(path), DataError)


@pytest.mark.skipif(not hasattr(os, "symlink") or os.name == "nt", reason="needs symbolic links")
def test_link_to_itself_is_refused(tmp_path):
    (tmp_path / "p.csv").symlink_to(tmp_path / "p.csv")
    assert "cannot be read" in str(refusal(tmp_path / "p.csv"))


@pytest.mark.skipif(not os.path.exists("/proc/self/mem"), reason="a file that opens and fails")
def test_file_that_fails_when_it_is_read_is_refused(engine):
    assert "cannot be read" in str(refusal("/proc/self/mem"))


@pytest.mark.parametrize("change", ["cut off", "longer"])
@pytest.mark.parametrize("block_rows", [None, 100])
def test_file_that_changes_within_a_pass_is_refused(
    change, block_rows, engine, tmp_path, monkeypatch
):
    monkeypatch.setattr(csv_arrow, "CHUNK", 500)
    path = tmp_path / "p.csv"
    path.write_text("x,y\n" + "1,2\n" * 5000)
    began = []

    def meddle(done):
        if not began:
            began.append(done)
            with open(path, "r+b") as file:
                file.truncate(10_000) if change == "cut off" else file.seek(0, 2)
                if change == "longer":
                    file.write(b"3,4\n")

    error = refusal(path, block_rows=block_rows, progress=meddle)
    assert 0 < began[0] < 1
    assert "changed" in str(error)


# Parquet


@pytest.fixture
def parquet(tmp_path):
    """A Parquet file with checksums, and its bytes."""
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet as pq

    path = tmp_path / "points.parquet"
    rng = np.random.default_rng(1)
    table = pa.table({"x": rng.standard_normal(500), "k": np.arange(500)})
    pq.write_table(table, path, write_page_checksum=True)
    return path, path.read_bytes(), table


@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_truncated_parquet_is_refused(part, parquet):
    path, data, _ = parquet
    path.write_bytes(data[: int(part * len(data))])
    assert "points.parquet: the Parquet file cannot be read" in str(refusal(path))


@pytest.mark.parametrize("seed", range(60))
def test_flipped_bit_in_parquet_changes_nothing_silently(seed, parquet):
    path, data, table = parquet
    rng = np.random.default_rng(seed)
    damaged = bytearray(data)
    damaged[rng.integers(len(data))] ^= 1 << rng.integers(8)
    path.write_bytes(damaged)
    try:
        read = read_table(path, ["x", "k"])
    except DataError as refused:
        assert str(refused).startswith(str(path))  # noqa: PT017 - either outcome is right
    else:
        for name in ("x", "k"):
            np.testing.assert_array_equal(read.columns[name], table[name].to_numpy())


def test_text_file_with_the_name_of_a_parquet_file_is_refused(tmp_path):
    pytest.importorskip("pyarrow")
    (tmp_path / "p.parquet").write_text("x,y\n1,2\n")
    assert "Parquet" in str(refusal(tmp_path / "p.parquet"))


def test_parquet_without_pyarrow_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "p.parquet").write_bytes(b"PAR1")
    assert 'pip install "symgd[data]"' in str(refusal(tmp_path / "p.parquet"))


def test_parquet_with_two_columns_of_a_name_and_without_rows_is_refused(tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet as pq

    path = tmp_path / "p.parquet"
    pq.write_table(pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["x", "x"]), path)
    assert refusal(path).column == "x"
    pq.write_table(pa.table({"x": pa.array([], pa.float64())}), path)
    assert "no rows" in str(refusal(path))


# Nothing is run, nothing is opened besides the file itself


def test_reading_starts_no_process_and_opens_only_the_file(engine, tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("@/etc/passwd,=cmd()\n1,2\n")
    read_table(path)  # what is imported is imported now
    events = []
    watching = True

    def hook(event, args):
        if watching and event.split(".")[0] in {"open", "exec", "compile", "subprocess", "os"}:
            events.append((event, str(args[0]) if args else ""))

    sys.addaudithook(hook)
    read_table(path)
    watching = False
    assert {name for name, _ in events} <= {"open"}
    assert {what for _, what in events} == {str(path)}


def test_names_stay_text(engine, tmp_path):
    names = ["sin", "lambda", "__class__", "x; drop table y", "<b>", "a\u202eb", "{0}", "%s"]
    path = tmp_path / "p.csv"
    path.write_text(",".join(names) + "\n" + ",".join("1" for _ in names) + "\n", "utf-8")
    assert open_source(path).names == tuple(names)
    assert read_table(path).names == tuple(names)
