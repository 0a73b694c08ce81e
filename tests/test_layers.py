"""The rooms of the package stand in one order, and every import points up it."""

import ast
import importlib
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import symgd
from symgd.model.present import DRAWN_BY

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "symgd"
ROOF = {"symgd", "symgd.__main__", "symgd.sklearn"}  # may import anything; nothing imports them
ROOMS = [
    "", "formula", "calculus", "data", "backends", "model", "solvers", "analysis", "descent",
    "fits", "report", "cli",
]  # fmt: skip
VERBS = {"run", "fit", "compare", "explain", "sweep", "export", "table", "sklearn", "__init__"}
FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in PACKAGE.rglob("*.py")
}


def room(module):
    """The index of a module's room; the ground is 0."""
    parts = module.split(".")
    return ROOMS.index(parts[1] if (PACKAGE / parts[1]).is_dir() else "")


@cache
def tree(name):
    """The syntax tree of a module."""
    return ast.parse(FILES[name].read_text("utf-8"))


@cache
def imports(name):
    """The other modules of the package that one imports: at its top, lazily, or for types only."""
    found = set()
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {full if full in FILES else node.module for full in names}
    return {module for module in found if module.split(".")[0] == "symgd"} - {name}


def test_the_walk_sees_lazy_imports_and_those_of_type_checkers():
    assert "symgd.cli.app" in imports("symgd.cli.main")
    assert "symgd.descent.descend" in imports("symgd")


@pytest.mark.parametrize("name", sorted(set(FILES) - ROOF))
def test_imports_point_up_the_order_of_rooms(name):
    assert not imports(name) & ROOF
    assert imports(name) <= set(FILES)
    assert [target for target in imports(name) if room(target) > room(name)] == []


def test_no_circle():
    # CycleError names the modules of a circle
    TopologicalSorter({name: imports(name) for name in FILES if name not in ROOF}).prepare()


def test_rooms_are_the_folders_of_the_package():
    folders = {p.name for p in PACKAGE.iterdir() if p.is_dir() and p.name != "__pycache__"}
    assert folders == set(ROOMS) - {""}


def test_no_base_name_stands_twice():
    seen = {}
    for path in FILES.values():
        if path.stem not in VERBS:
            assert seen.setdefault(path.stem, path) == path


def test_no_class_name_stands_twice():
    seen = {}
    for name in FILES:
        for node in ast.walk(tree(name)):
            if isinstance(node, ast.ClassDef):
                assert seen.setdefault(node.name, name) == name, f"{node.name}: {name}"


def test_no_folder_holds_more_than_thirty_modules():
    for folder in {path.parent for path in FILES.values()}:
        assert len([p for p in folder.glob("*.py") if p.stem != "__init__"]) <= 30, folder


@pytest.mark.parametrize(("key", "place"), DRAWN_BY.items(), ids=lambda part: str(part))
def test_the_door_leads_to_functions_that_are_there(key, place):
    module, function = place.split(":")
    assert callable(getattr(importlib.import_module(module), function))
    assert hasattr(symgd, key[0]) or key == ("Meter", "bar")  # what runs tell of their progress


def test_the_rooms_below_report_name_it_nowhere_else():
    for name, path in FILES.items():
        if name in ROOF or room(name) >= ROOMS.index("report") or name == "symgd.model.present":
            continue
        assert "symgd.report" not in path.read_text("utf-8"), name
