"""Tables from CSV, Parquet, Feather, ORC, arrays, data frames and Arrow: named float columns.

    from symgd.data import read_table
    table = read_table("points.csv", ["x", "y"])
    table.columns["x"]              # (rows,) float64

Tables are read strictly: a cell of a used column that is not a finite number is a `DataError` with
file, line, column and cell. Nothing in a file is executed, and no link in it is followed.

CSV: UTF-8, with or without a byte order mark. Commas, tabs, semicolons, bars, or any number of
spaces separate the cells, whichever gives all first lines as many cells (`symgd.data.layout`);
cells may be in double quotes (RFC 4180). Lines end in LF, CRLF or CR. The first line that is no
comment names the columns; where it holds numbers, the names are in the comment above it, or are
x1, x2, ... A line below the names that holds only texts, above numbers, tells units. Lines that
begin with #, % or // are comments. Blank lines are ignored, except in a file of one column, where a
blank line before the last row is an empty cell. A number is what Python's float() reads, with the
digits 0-9, a decimal point and an exponent, and may have spaces around it; decimal commas and
groups of digits are read where the numbers of the file tell which is which
(`symgd.data.written_numbers`), dates and times as days or seconds since the first
(`symgd.data.dates`); `Table.remarks` says so. Files compressed with gzip, bzip2 or xz are
decompressed while they are read.
"""

from __future__ import annotations

from symgd.data.detect_format import open_source
from symgd.data.table import Table, column_names, read_table

__all__ = ["Table", "column_names", "open_source", "read_table"]
