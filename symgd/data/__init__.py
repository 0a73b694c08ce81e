"""Tables from CSV, Parquet, Feather, ORC, arrays, data frames and Arrow: named float columns.

    from symgd.data import read_table
    table = read_table("points.csv", ["x", "y"])
    table.columns["x"]              # (rows,) float64

Tables are read strictly: a cell of a used column that is not a finite number is a `DataError` with
file, line, column and cell. Nothing in a file is executed, and no link in it is followed.

CSV: UTF-8, with or without a byte order mark. The first line names the columns. Cells are separated
by commas, or by tabs or semicolons if the header is; they may be in double quotes (RFC 4180). Lines
end in LF, CRLF or CR. There are no comments: a line that begins with # is a row. Blank lines are
ignored, except in a file of one column, where a blank line before the last row is an empty cell. A
number is what Python's float() reads, with the digits 0-9, a decimal point and an exponent, and may
have spaces around it. Files compressed with gzip, bzip2 or xz are decompressed while they are read.
"""

from __future__ import annotations

from symgd.data.detect_format import open_source
from symgd.data.table import Table, column_names, read_table

__all__ = ["Table", "column_names", "open_source", "read_table"]
