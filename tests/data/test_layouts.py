"""Files and objects as people have them: each is read as a person reads it, or refused."""

import datetime
import io
import pickle

import numpy as np
import pytest

from symgd import fit
from symgd.data import read_table
from symgd.errors import DataError

# name: (text, columns by name, a word of the remarks, "" where nothing had to be interpreted)
READ = {
    "savetxt": ("# x y\n1 2\n3 4\n", {"x": [1, 3], "y": [2, 4]}, ""),
    "savetxt, commas in the header": ("#x,y\n1 2\n3 4\n", {"x": [1, 3], "y": [2, 4]}, ""),
    "aligned": ("  x    y \n 1.5  2 # a note\n\t30\t4  \n", {"x": [1.5, 30], "y": [2, 4]}, ""),
    "aligned by tabs": ("x\t\ty\n1\t\t2\n", {"x": [1], "y": [2]}, ""),
    "tabs, a missing cell": ("x\ty\tz\n1\t\t2\n", {"x": [1], "z": [2]}, ""),
    "bars": ("x|y\n1|2\n", {"x": [1], "y": [2]}, ""),
    "comments": ("# of today\n# a b\nx,y\n1,2\n# off\n3,4\n", {"x": [1, 3]}, "1 comment skipped"),
    "commented names, units": ("# x y\n# [m] [s]\n1 2\n", {"x": [1], "y": [2]}, ""),
    "commented names, text": ("#id,who\n1,bo\n2,al\n", {"id": [1, 2]}, ""),
    "percent signs": ("% x y\n1 2\n", {"y": [2]}, ""),
    "names with units": ("x [a, b];y [V]\n0,5;1\n1,25;2\n", {"x [a, b]": [0.5, 1.25]}, "comma"),
    "a row of units": ("x,y\nmm,V\n1,2\n", {"x": [1], "y": [2]}, "line 2 was taken for units"),
    "no names": ("1,2\n3,4\n", {"x1": [1, 3], "x2": [2, 4]}, "no line of names"),
    "no names, decimal commas": ("1,5;2\n3;4\n", {"x1": [1.5, 3], "x2": [2, 4]}, "decimal commas"),
    "no names, spaces": ("1,5 2\n3 4\n", {"x1": [1.5, 3]}, "decimal commas"),
    "spreadsheet": ("sep=|\nx|y\n1|2\n", {"x": [1], "y": [2]}, ""),
    "decimal commas in tabs": ("x\ty\n1,5\t2\n2\t,25\n", {"x": [1.5, 2], "y": [2, 0.25]}, "comma"),
    "in quotes": ('x,y\n"1,5",2\n"0,125",3\n', {"x": [1.5, 0.125]}, "decimal commas"),
    "three digits after the comma": ("x;y\n1,234;2\n", {"x": [1.234]}, "decimal commas"),
    "German": ("x;y\n1.234,5;2.000\n", {"x": [1234.5], "y": [2000]}, "points that group"),
    "American": ('x,y\n"1,234.5",2\n"12,000",3\n', {"x": [1234.5, 12000]}, "commas that group"),
    "Swiss": ("x,y\n1'234.5,2\n", {"x": [1234.5]}, "apostrophes"),
    "French": ("x;y\n1 234,5;2\n1\u202f000;3\n", {"x": [1234.5, 1000]}, "spaces that group"),
    "days": ("t,y\n2024-02-28,1\n2024-03-01,2\n", {"t": [0, 2]}, "days since 2024-02-28"),
    "months": ("t,y\n2024-01,1\n2024-03,2\n", {"t": [0, 60]}, "days since 2024-01"),
    "not in order": ("t,y\n2024-02-03,1\n2024-02-01,2\n", {"t": [2, 0]}, "2024-02-01"),
    "seconds": ("t,y\n2024-02-28T23:59:59,1\n2024-02-29T00:00:00.25,2\n", {"t": [0, 1.25]}, "s"),
    "zones": ("t,y\n2024-01-01 12:00+01:00,1\n2024-01-01T12:00Z,2\n", {"t": [0, 3600]}, "seconds"),
    "spaces inside": ("a day,y\n2024-1-1 1:00,1\n2024-1-1 1:01,2\n", {"a day": [0, 60]}, "s"),
    "day first": ("t,y\n1/2/2024,1\n15/2/2024,2\n", {"t": [0, 14]}, "days since 1/2/2024"),
    "month first": ("t,y\n2/1/2024,1\n2/15/2024,2\n", {"t": [0, 14]}, "days"),
    "points": ("t;y\n01.02.2024;1,5\n02.02.2024;2\n", {"t": [0, 1], "y": [1.5, 2]}, "days"),
    "months in words": ("t,y\n28 Feb 2024,1\n1 March 2024,2\n", {"t": [0, 2]}, "days"),
    "times": ("t,y\n9:30,1\n9:30:15,2\n", {"t": [0, 15]}, "seconds since 9:30"),
    "half days": ("t,y\n11:59 am,1\n12:01 PM,2\n", {"t": [0, 120]}, "seconds"),
}  # fmt: skip

REFUSED = {
    "one reading or the other": ("x\ty\n1,234\t2\n", "'1,234' is 1.234 or 1234"),
    "two styles": ("x;y\n0,5;1.25\n", "not written in one style"),
    "day or month": ("t,y\n1/2/2024,1\n3/2/2024,2\n", "tell day from month"),
    "no such day": ("t,y\n2024-02-30,1\n", "'2024-02-30' is no date"),
    "a word among dates": ("t,y\n2024-02-03,1\nlater,2\n", "line 3, column 't': 'later' is not a"),
    "zones for some": ("t,y\n2024-01-01 12:00Z,1\n2024-01-01 12:00,2\n", "time zone"),
    "a row too long": ("x y\n1 2\n1 2 3\n", "line 3, column 'y': the row has 3 cells"),
    "a comment in a row": ("x,y\n1,2 # off\n", "line 2, column 'y'"),
}


@pytest.mark.parametrize("name", READ)
def test_file_is_read(name, engine, tmp_path):
    text, columns, word = READ[name]
    path = tmp_path / "p.csv"
    path.write_text(text, "utf-8")
    for source in (path, io.StringIO(text), io.BytesIO(text.encode())):
        table = read_table(source, list(columns))
        assert {n: c.tolist() for n, c in table.columns.items()} == columns
        assert word in " ".join(table.remarks) if word else not table.remarks
    in_blocks = read_table(path, list(columns), block_rows=1)
    assert {n: c.tolist() for n, c in in_blocks.columns.items()} == columns


@pytest.mark.parametrize("name", REFUSED)
def test_file_with_two_readings_is_refused(name, engine):
    text, word = REFUSED[name]
    with pytest.raises(DataError) as caught:
        read_table(io.StringIO(text))
    assert word in str(caught.value)


def test_large_table_separated_by_spaces_is_read_in_chunks(engine, tmp_path):
    path = tmp_path / "p.txt"
    path.write_text("x  y\n" + "".join(f"  {k}\t {k / 7} \r\n" for k in range(30_000)))
    table = read_table(path)
    assert table.columns["x"].tolist() == list(range(30_000))
    assert table.columns["y"].tolist() == [k / 7 for k in range(30_000)]


def test_names_are_given():
    assert list(read_table(io.StringIO("1 2\n"), names=["t", "u"]).columns) == ["t", "u"]
    assert list(read_table(np.ones((3, 2)), names=["t", "u"]).columns) == ["t", "u"]
    replaced = read_table(io.StringIO("a,b\n1,2\n"), names=["t", "u"])
    assert (replaced.columns["u"].tolist(), "replaced" in replaced.remarks[0]) == ([2.0], True)
    for source, names in ((io.StringIO("1,2\n"), ["a"]), ({"x": [1]}, ["a"])):
        with pytest.raises(DataError, match="names"):
            read_table(source, names=names)


def test_arrays_and_frames_of_several_levels():
    assert read_table(np.eye(2)).columns["x2"].tolist() == [0, 1]
    assert read_table([[1, 2], [3, 4]]).columns["x1"].tolist() == [1, 3]
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame([[1, 2], [3, 4]], columns=pd.MultiIndex.from_product([["a"], ["x", "y"]]))
    assert read_table(frame).columns["a_y"].tolist() == [2, 4]
    days = pd.to_datetime(["2024-01-15", "2024-01-17"])
    frame = pd.DataFrame({"y": [1, 2]}, pd.MultiIndex.from_arrays([days, [5, 6]], names=["t", "k"]))
    table = read_table(frame)
    assert (table.columns["t"].tolist(), table.columns["k"].tolist()) == ([0, 2], [5, 6])
    assert "days since 2024-01-15" in table.remarks[0]


def test_dates_of_other_libraries():
    dates = [datetime.date(2024, 1, 1), datetime.date(2024, 1, 3)]
    assert read_table({"t": dates}).columns["t"].tolist() == [0, 2]
    times = np.array(["2024-01-01T00", "2024-01-01T06"], "M8[h]")
    assert read_table({"t": times}).columns["t"].tolist() == [0, 21600]
    pa = pytest.importorskip("pyarrow")
    assert read_table(pa.table({"t": dates})).columns["t"].tolist() == [0, 2]


def test_predictions_count_from_the_first_date_of_the_fit():
    data = io.StringIO("t,y\n2024-01-01,1\n2024-01-02,3\n2024-01-04,7\n")
    found = pickle.loads(pickle.dumps(fit("y = a*t + b", data)))
    assert found.predict(io.StringIO("t\n2024-01-03\n")) == pytest.approx([5])
    assert found.predict({"t": [2.0]}) == pytest.approx([5])


def test_long_file_with_decimal_commas_has_the_bits_of_one_with_points(tmp_path):
    values = np.random.default_rng(4).normal(0, 100, (2000, 2))
    points = "x;y\n" + "".join(f"{a!r};{b!r}\n" for a, b in values.tolist())
    for last in ("", "1.234,5;6\n"):  # a cell with a group: no plain decimal comma
        path = tmp_path / "commas.csv"
        path.write_text(points.replace(".", ",") + last)
        table = read_table(path)
        assert (table.columns["x"][:2000] == values[:, 0]).all()
        assert (table.columns["y"][:2000] == values[:, 1]).all()
        assert "decimal commas" in table.remarks[0]
        assert table.rows == 2000 + bool(last)
    assert table.columns["x"][-1] == 1234.5
