"""The rooms of the package stand in one order, and every import points up it."""

import ast
import importlib
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


def imports(path):
    """The modules of the package that a file imports: at its top, lazily, or for types only."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found = [f"{node.module}.{alias.name}" for alias in node.names]
            found = [name if name in FILES else node.module for name in found]
        else:
            continue
        yield from (name for name in found if name.split(".")[0] == "symgd")


GRAPH = {name: set(imports(path)) - {name} for name, path in FILES.items()}


def test_the_walk_sees_lazy_imports_and_those_of_type_checkers():
    assert "symgd.cli.app" in GRAPH["symgd.cli.main"]
    assert "symgd.descent.descend" in GRAPH["symgd"]


@pytest.mark.parametrize("name", sorted(set(FILES) - ROOF))
def test_imports_point_up_the_order_of_rooms(name):
    assert not GRAPH[name] & ROOF
    assert GRAPH[name] <= set(FILES)
    assert [target for target in GRAPH[name] if room(target) > room(name)] == []


def test_no_circle():
    # CycleError names the modules of a circle
    TopologicalSorter({n: t for n, t in GRAPH.items() if n not in ROOF}).prepare()


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
    for path in FILES.values():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef):
                assert seen.setdefault(node.name, path) == path, f"{node.name}: {path}"


def test_no_folder_holds_more_than_thirty_modules():
    for folder in {path.parent for path in FILES.values()}:
        assert len([p for p in folder.glob("*.py") if p.stem != "__init__"]) <= 30, folder


@pytest.mark.parametrize(("key", "place"), DRAWN_BY.items(), ids=lambda part: str(part))
def test_the_door_leads_to_functions_that_are_there(key, place):
    module, function = place.split(":")
    assert callable(getattr(importlib.import_module(module), function))
    assert hasattr(symgd, key[0])


def test_the_rooms_below_report_name_it_nowhere_else():
    for name, path in FILES.items():
        if name in ROOF or room(name) >= ROOMS.index("report") or name == "symgd.model.present":
            continue
        assert "symgd.report" not in path.read_text("utf-8"), name
