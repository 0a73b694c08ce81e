"""What the package promises as a whole: all its files are in the wheel."""

import fnmatch
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "symgd"


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
