"""What the tests of tables share."""

import sys

import pytest


@pytest.fixture(params=["arrow", "plain"])
def engine(request, monkeypatch):
    """Both ways of reading CSV."""
    if request.param == "arrow":
        pytest.importorskip("pyarrow")
    else:
        monkeypatch.setitem(sys.modules, "pyarrow", None)
    return request.param
