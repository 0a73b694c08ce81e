"""A fit that is saved and loaded has the same numbers; other files are refused."""

import io
import json

import numpy as np
import pytest

import symgd
from symgd.errors import ArgumentError, DataError

X = np.linspace(0.0, 4.0, 30)
Y = 2.5 * np.exp(-1.3 * X) + 0.5 + 0.03 * np.sin(9 * X)
DATA = {"x": X, "y": Y, "set": ["a", "b", "c"] * 10}
DATES = "t,y\n2024-01-01,1\n2024-01-02,3.1\n2024-01-04,7\n2024-01-05,9.2\n"

FITS = {
    "curve": lambda: symgd.fit("y = a*exp(-b*x) + c", DATA, derived={"half": "ln(2)/b"}),
    "weights": lambda: symgd.fit("y = a*x + b", DATA, sigma=0.1 + X, absolute_sigma=True),
    "fixed": lambda: symgd.fit("y = a*exp(-b*x) + c", DATA, fixed={"c": 1}, bounds={"b": (0, 9)}),
    "groups": lambda: symgd.fit("y = a[set]*exp(-b*x)", DATA),
    "category": lambda: symgd.fit("y = where(set == b, p, q)*exp(-r*x)", DATA),
    "dates": lambda: symgd.fit("y = a*t + b", io.StringIO(DATES)),
    "exact": lambda: symgd.fit("y = a*x + e", {"x": [1, 2, 3], "y": [1, 2, 3]}, start={"e": 1}),
    "loss": lambda: symgd.fit("sum(exp(a + b*x) - y*(a + b*x))", DATA),
}  # fmt: skip


@pytest.mark.parametrize("name", FITS)
def test_loaded_fit_is_the_saved_one(name, tmp_path):
    found = FITS[name]()
    found.save(tmp_path / "fit.json")
    again = symgd.load(tmp_path / "fit.json")
    assert again.to_dict() == found.to_dict()
    assert str(again) == str(found)
    assert again.table.labels == found.table.labels
    if found.curve is not None:
        rows = {column: found.table.columns[column] for column in found.curve.predictors}
        rows |= {c: np.array(t)[rows[c].astype(int) - 1] for c, t in found.table.labels.items()}
        assert again.predict(rows).tolist() == found.predict(rows).tolist()
    if name in ("curve", "weights", "loss"):
        assert again.profile("a").high == found.profile("a").high
        if name != "loss":
            assert again.rows()["cook"].tolist() == found.rows()["cook"].tolist()
    again.save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "fit.json").read_bytes()


@pytest.mark.parametrize(
    "text", ["", "{}", "[1]", '{"format": "symgd fit 1"}', '{"format": 3}', "\0"]
)
def test_other_file_is_refused(text, tmp_path):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(DataError, match="a.json"):
        symgd.load(path)
    with pytest.raises(DataError, match="No such file"):
        symgd.load(tmp_path / "none.json")


def test_changed_file_is_refused_or_read_as_data(tmp_path):
    path = tmp_path / "a.json"
    FITS["curve"]().save(path)
    document = json.loads(path.read_text())
    document["result"]["text"] = "y = __import__('os')"
    path.write_text(json.dumps(document))
    with pytest.raises(DataError, match="no fit that symgd has saved"):
        symgd.load(path)


def test_frame_of_parameters():
    pytest.importorskip("pandas")
    found = FITS["curve"]()
    frame = found.to_pandas()
    assert list(frame.index) == ["a", "b", "c", "half"]
    assert frame.loc["b", "stderr"] == found.stderr["b"]
    assert tuple(frame.loc["a", ["low", "high"]]) == found.intervals()["a"]
    with pytest.raises(ArgumentError, match="level"):
        found.intervals(2)
