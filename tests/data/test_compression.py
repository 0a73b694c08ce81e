"""Compressed text tables: the same numbers as unpacked, and an error for every fault."""

import bz2
import gzip
import io
import lzma
import sys

import numpy as np
import pytest

from symgd.data import compression, csv_arrow, read_table, table
from symgd.errors import DataError
from tests.grids import grid
from tests.line_count import lines_of

PACK = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}
RNG = np.random.default_rng(5)
ROWS = RNG.standard_normal((3000, 2))
TEXT = ("x,y\n" + "".join(f"{a!r},{b!r}\n" for a, b in ROWS.tolist())).encode()


@pytest.fixture(params=PACK)
def suffix(request):
    return request.param


def refusal(source, *args, **options):
    with pytest.raises(DataError) as caught:
        read_table(source, *args, **options)
    return caught.value


def written(path, data):
    path.write_bytes(data)
    return path


def check(path, **options):
    found = read_table(path, ["x", "y"], **options)
    np.testing.assert_array_equal(np.column_stack([found.columns["x"], found.columns["y"]]), ROWS)
    return found


@pytest.mark.parametrize(("block_rows", "piece"), grid([None, 700], [1 << 22, 5000]))
def test_compressed_table_is_read_to_the_same_bits(
    suffix, block_rows, piece, engine, tmp_path, monkeypatch
):
    monkeypatch.setattr(csv_arrow, "CHUNK", piece)
    monkeypatch.setattr(compression, "_HEAD", 100)  # so that the size of all is only estimated
    found = check(written(tmp_path / f"p.csv{suffix}", PACK[suffix](TEXT)), block_rows=block_rows)
    assert found.streamed == (block_rows is not None)
    assert found.remarks == ()
    assert [len(block["x"]) for block in found.blocks()] == (
        [3000] if block_rows is None else [700] * 4 + [200]
    )


@pytest.mark.parametrize("piece", [1, 7, 100])
def test_archive_may_come_in_pieces_of_any_size(suffix, piece, tmp_path, monkeypatch):
    monkeypatch.setattr(compression, "_CHUNK", piece)
    monkeypatch.setattr(compression, "_MOST_DECOMPRESSED", 13)
    data = TEXT[: TEXT.index(b"\n", 2000) + 1]
    found = read_table(written(tmp_path / "p", PACK[suffix](data)))
    np.testing.assert_array_equal(found.columns["x"], ROWS[: found.rows, 0])
    assert found.rows == data.count(b"\n") - 1


def test_archive_is_known_by_its_content(suffix, tmp_path):
    check(written(tmp_path / "points.csv", PACK[suffix](TEXT)))
    check(written(tmp_path / "points", PACK[suffix](TEXT)))


def test_archive_comes_by_standard_input(suffix, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(PACK[suffix](TEXT))))
    check("-")


def test_archive_of_several_parts_and_padding_is_one_file(suffix, tmp_path):
    pack, half = PACK[suffix], len(TEXT) // 2
    data = pack(TEXT[:half]) + pack(b"") + pack(TEXT[half:]) + bytes(1 << 17)
    check(written(tmp_path / f"p.csv{suffix}", data))


def test_separator_is_that_of_the_inner_name(suffix, tmp_path):
    path = written(tmp_path / f"p.tsv{suffix}", PACK[suffix](b"a,b\tc\n1\t2\n"))
    assert read_table(path).names == ("a,b", "c")


def test_cut_off_last_line_is_remarked(suffix, tmp_path):
    path = written(tmp_path / f"p.csv{suffix}", PACK[suffix](TEXT[:-1]))
    assert "cut off" in read_table(path).remarks[0]


def test_fault_in_the_table_is_refused_by_its_line(suffix, engine, tmp_path):
    path = written(tmp_path / f"p.csv{suffix}", PACK[suffix](TEXT + b"1,two\n"))
    error = refusal(path)
    assert (error.source, error.line, error.column) == (str(path), 3002, "y")
    error = refusal(
        written(path, PACK[suffix](b"x,t\n" + b'1,"a\nb"\n' * 9000 + b'z,"c"\n')), ["x"]
    )
    assert (error.line, error.column, error.cell) == (18_002, "x", "z")


@pytest.mark.parametrize("part", [0.02, 0.3, 0.7, 0.97, 0.9999])
def test_truncated_archive_is_refused(suffix, part, tmp_path):
    data = PACK[suffix](TEXT)
    path = written(tmp_path / f"p.csv{suffix}", data[: int(part * len(data))])
    error = refusal(path)
    assert error.source == str(path)
    assert "cannot be unpacked: " in str(error)
    assert "damaged or cut off" in str(error)


@pytest.mark.parametrize("seed", range(20))
def test_flipped_bit_changes_nothing_silently(suffix, seed, tmp_path):
    damaged = bytearray(PACK[suffix](TEXT))
    generator = np.random.default_rng(seed)
    damaged[generator.integers(len(damaged))] ^= 1 << generator.integers(8)
    path = written(tmp_path / f"p.csv{suffix}", damaged)
    try:
        check(path)  # bits of a name or a time in the archive matter to nobody
    except DataError as refused:
        assert str(refused).startswith(str(path))  # noqa: PT017 - either outcome is right


@pytest.mark.parametrize("data", [b"", b"x,y\n1,2\n", b"\x1f", b"PK\x03\x04"])
def test_name_of_an_archive_without_its_content_is_refused(suffix, data, tmp_path):
    error = refusal(written(tmp_path / f"p.csv{suffix}", data))
    assert f"ends in {suffix}" in str(error)


def test_something_behind_the_archive_is_refused(suffix, tmp_path):
    error = refusal(written(tmp_path / "p.csv", PACK[suffix](TEXT) + b"more"))
    assert {".gz": "Not a gzipped file"}.get(suffix, "something else follows") in str(error)


def test_compressed_nothing_is_empty(suffix, tmp_path):
    error = refusal(written(tmp_path / f"p.csv{suffix}", PACK[suffix](b"")))
    assert (error.line, error.message) == (1, "the file is empty")


@pytest.mark.parametrize(
    ("inner", "word"),
    [
        (gzip.compress(b"x\n1\n"), "once more"),
        (b"PAR1 and so on", "another kind"),
        (b"ARROW1\0\0", "another kind"),
        (b"PK\x03\x04", "ZIP"),
        (b"points.csv".ljust(257, b"\0") + b"ustar\x0000".ljust(255, b"\0"), "tar"),
        ("x,y\n1,2\n".encode("utf-16"), "UTF-16"),
    ],
    ids=["gzip", "Parquet", "Arrow", "ZIP", "tar", "UTF-16"],
)
def test_what_is_no_text_inside_is_refused(suffix, inner, word, tmp_path):
    assert word in str(refusal(written(tmp_path / f"p.csv{suffix}", PACK[suffix](inner))))


@pytest.mark.parametrize("before", [b"", lzma.compress(b"x,y\n" * 3)])
def test_xz_that_needs_much_memory_is_refused_and_not_called_damaged(before, tmp_path):
    """A legal file: `xz --lzma2=dict=256MiB` writes it. In any of its streams."""
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 28}]
    data = before + lzma.compress(TEXT, filters=filters)
    error = refusal(written(tmp_path / "p.csv.xz", data))
    assert error.message == "to unpack what is compressed with xz needs too much memory"
    assert error.hint == "more than 256 MB; unpack it first"


def test_a_bomb_of_blank_lines_is_refused_quickly(suffix, tmp_path):
    """Line by line it took 10 s: 2**23 lines."""
    path = written(tmp_path / f"p.csv{suffix}", PACK[suffix](b"\n" * (1 << 23)))
    error, _ = lines_of(lambda: refusal(path), 100_000)
    assert error.message == "the file is empty"


def test_bomb_is_read_in_blocks(suffix, tmp_path, monkeypatch):
    """3 MB of columns in some kB: they are not in memory, where 256 kB is the limit for a table."""
    pytest.importorskip("pyarrow")
    monkeypatch.setattr(table, "IN_MEMORY", 1 << 18)
    monkeypatch.setattr(table, "_BLOCK", 1 << 16)
    head = TEXT[: TEXT.index(b"\n", 50_000) + 1]  # what tells nothing of the rest
    monkeypatch.setattr(compression, "_HEAD", 10_000)
    data = PACK[suffix](head) + PACK[suffix](b"1,2\n" * 50_000) * 4
    path = written(tmp_path / f"p.csv{suffix}", data)
    found = read_table(path)
    longest = max(len(block["y"]) for block in found.blocks())
    total = sum(float(block["y"].sum()) for block in found.blocks())
    count = head.count(b"\n") - 1
    assert found.streamed
    assert found.rows == count + 200_000
    assert total == pytest.approx(400_000 + ROWS[:count, 1].sum(), rel=1e-12)
    assert 16 * longest <= table._BLOCK


def test_file_that_changes_is_refused(suffix, tmp_path, monkeypatch):
    monkeypatch.setattr(csv_arrow, "CHUNK", 5000)
    path = written(tmp_path / f"p.csv{suffix}", PACK[suffix](TEXT))

    other = PACK[suffix](TEXT + TEXT[4:])

    def meddle(done):
        path.write_bytes(other)

    assert "changed" in str(refusal(path, progress=meddle))


def test_column_named_like_the_mark_of_an_archive_is_a_column(tmp_path):
    assert read_table(written(tmp_path / "p.csv", b"BZh9,y\n1,2\n")).names == ("BZh9", "y")
