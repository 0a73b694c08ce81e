"""CONTRIBUTING's tables name files and tables that are there."""

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / ".github" / "CONTRIBUTING.md").read_text("utf-8")
PLACES = re.findall(r"`(\w+)` (?:in|of) `(symgd/[\w/]+\.py)`", TEXT)


def test_every_room_is_in_the_table():
    rooms = {p.name for p in (ROOT / "symgd").iterdir() if (p / "__init__.py").is_file()}
    assert set(re.findall(r"^\| `symgd/(\w+)/` \|", TEXT, re.M)) == rooms


@pytest.mark.parametrize(("table", "path"), PLACES)
def test_the_tables_where_changes_go_are_there(table, path):
    module = path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
    assert len(getattr(importlib.import_module(module), table)) > 1


def test_every_row_names_its_place():
    rows = TEXT.split("| to add |")[1].split("\n\n")[0].splitlines()[2:]
    assert len(rows) >= 7
    for row in rows:
        documents = re.findall(r"`(docs/[\w/.]+)`", row)  # no code holds a table of them
        assert re.search(r"`\w+` (in|of) `symgd/[\w/]+\.py`", row) or documents, row
        assert all((ROOT / name).exists() for name in documents), row
