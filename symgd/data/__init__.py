"""Tables: CSV, Parquet, Feather, ORC, arrays, frames and Arrow objects -> named columns of floats.

    from symgd.data import read_table
    table = read_table("points.csv", ["x", "y"])
    table.columns["x"]              # (rows,) float64

A table is read strictly: what is not a finite number in a column that is used is a `DataError`
that names file, line, column and cell. Nothing in a file is executed or followed.

CSV as symgd reads it: UTF-8 (a byte order mark is fine); the first line names the columns;
cells are separated by commas, or by tabs or semicolons where the header shows it; cells may stand
in double quotes (RFC 4180); lines end in LF, CRLF or CR. There are no comments: a line that
begins with # is a row. Blank lines are no rows, except in a file of one column, where a blank line
before the last row is an empty cell. A number is what Python's float() reads, written with the
digits 0-9, a decimal point and an exponent; spaces around it do not count. A file compressed with
gzip, bzip2 or xz is unpacked while it is read.
"""

from __future__ import annotations

from symgd.data.table import Table, column_names, open_source, read_table

__all__ = ["Table", "column_names", "open_source", "read_table"]
