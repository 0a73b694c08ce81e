"""What the package promises as a whole: imports of one direction, all its files in the wheel."""

import ast
import fnmatch
import tomllib
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "symgd"


def modules():
    """Every module of the package by its dotted name, with its file."""
    for path in PACKAGE.rglob("*.py"):
        dotted = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        yield dotted.removesuffix(".__init__"), path


def imported(path, known):
    """The modules of the package that a file imports when it is loaded."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module in known:
            names = [f"{node.module}.{a.name}" for a in node.names]
            yield from (n if n in known else node.module for n in names)


def test_imports_point_one_way():
    known = dict(modules())
    assert "symgd.cli.app" in known
    graph = {name: set(imported(path, known)) - {name} for name, path in known.items()}
    assert "symgd.backends.program" in graph["symgd.backends.compiler"]
    TopologicalSorter(graph).prepare()  # CycleError names the modules of a cycle


def test_every_file_is_in_the_wheel():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = settings["tool"]["setuptools"]["package-data"]["symgd"]
    files = [p for p in PACKAGE.rglob("*") if p.is_file() and "__pycache__" not in p.parts]
    data = [p.relative_to(PACKAGE).as_posix() for p in files if p.suffix != ".py"]
    assert "py.typed" in data
    for name in data:
        assert any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns), name
    for path in files:
        assert (path.parent / "__init__.py").is_file(), path
