"""Columns of texts as numbers of their categories; pandas' categories are the oracle."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pyarrow import feather, parquet

from symgd.data import read_table
from symgd.errors import DataError

SITES = ["b", "a", "ü c", "b", "a", "b", "it's"]
CODED = pa.array([*SITES, "z"]).dictionary_encode()[:7]
FRAME = pd.DataFrame({"s": SITES, "y": np.arange(7.0)})


def csv(path, frame=FRAME, **options):
    frame.to_csv(path / "t.csv", index=False, **options)
    return path / "t.csv"


def written(write, name):
    def source(path):
        write(pa.table({"s": SITES, "y": FRAME.y.to_numpy()}), path / name)
        return path / name

    return source


SOURCES = {
    "CSV": csv,
    "CSV, quoted": lambda path: csv(path, quoting=2),
    "CSV, semicolons": lambda path: csv(path, sep=";"),
    "Parquet": written(parquet.write_table, "t.parquet"),
    "Feather": written(feather.write_feather, "t.feather"),
    "pandas": lambda path: FRAME,
    "pandas, categories": lambda path: FRAME.astype({"s": "category"}),
    "pandas, string": lambda path: FRAME.astype({"s": "string"}),
    "polars": lambda path: pl.DataFrame({"s": SITES, "y": FRAME.y.to_numpy()}),
    "Arrow": lambda path: pa.table({"s": SITES}),
    "Arrow, dictionary": lambda path: pa.table({"s": CODED}),
    "lists": lambda path: {"s": SITES},
    "array": lambda path: {"s": np.array(SITES)},
}  # fmt: skip


@pytest.mark.parametrize("rows", [None, 2])
@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_texts_are_numbered_in_sorted_order(source, rows, tmp_path):
    expected = pd.Categorical(SITES)
    table = read_table(source(tmp_path), ["s"], block_rows=rows, categories=[["s"]])
    assert table.labels == {"s": tuple(expected.categories)}
    for _ in range(2):
        found = np.concatenate([block["s"] for block in table.blocks()])
        assert found.tolist() == (expected.codes + 1).tolist()
    assert table.columns["s"].tolist() == found.tolist()


@pytest.mark.parametrize("arrow", [True, False])
def test_many_rows_of_csv_in_both_readers(tmp_path, monkeypatch, arrow):
    if not arrow:
        monkeypatch.setattr("symgd.data.csv.import_problem", lambda *_: ": no")
    random = np.random.default_rng(1)
    frame = pd.DataFrame({"y": random.normal(size=20_000), "s": random.integers(0, 500, 20_000)})
    frame.s = frame.s.map("site {}".format)
    table = read_table(csv(tmp_path, frame), categories=[["s"]])
    expected = frame.s.astype("category")
    assert table.labels["s"] == tuple(expected.cat.categories)
    assert (table.columns["s"] == expected.cat.codes.to_numpy() + 1).all()
    assert (table.columns["y"] == frame.y.to_numpy()).all()


def test_a_column_of_numbers_stays_one_and_columns_share_their_categories():
    table = read_table({"s": [3, 1], "t": ["x", "y"]}, categories=[["s"], ["t"]])
    assert table.columns["s"].tolist() == [3, 1]
    assert list(table.labels) == ["t"]
    table = read_table({"home": ["a", "b"], "away": ["b", "c"]}, categories=[["home", "away"]])
    assert table.columns["home"].tolist() == [1, 2]
    assert table.columns["away"].tolist() == [2, 3]


MISSING = ["b", None, "a"]


@pytest.mark.parametrize("kind", [dict, pd.DataFrame, pl.DataFrame, pa.table, "category", "CSV"])
def test_missing_texts(kind, tmp_path):
    frame = pd.DataFrame({"s": MISSING, "y": [1.0, 2.0, 3.0]})
    if kind == "CSV":
        data = csv(tmp_path, frame, na_rep="NA")
    else:
        data = frame.astype({"s": "category"}) if kind == "category" else kind({"s": MISSING})
    with pytest.raises(DataError, match="is empty|missing value"):
        read_table(data, categories=[["s"]])
    table = read_table(data, categories=[["s"]], drop_missing=True)
    assert table.columns["s"].tolist() == [2, 1]
    assert table.dropped == 1


def test_a_category_of_dropped_rows_alone_is_none():
    data = {"s": ["c", "b", "a"], "t": ["c", "a", "c"], "y": [1.0, None, 2.0]}
    table = read_table(data, drop_missing=True, categories=[["s", "t"]])
    assert table.labels == {"s": ("a", "c"), "t": ("a", "c")}
    assert table.columns["s"].tolist() == [2, 1]
    assert table.columns["t"].tolist() == [2, 2]


def test_other_columns_of_texts_are_refused_as_before():
    with pytest.raises(DataError, match="'x' is text"):
        read_table({"s": ["a"], "t": ["x"]}, categories=[["s"]])
    with pytest.raises(DataError, match="not timestamp"):
        read_table(pa.table({"s": pa.array([0], pa.timestamp("s"))}), categories=[["s"]])
