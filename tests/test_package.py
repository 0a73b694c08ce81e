"""What the package promises as a whole: all its files are in the wheel."""

import fnmatch
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

import symgd

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


def test_wheel_and_sdist_hold_what_they_should(tmp_path):
    """The wheel the package and nothing else; the sdist all of it, so that tests run there."""
    pytest.importorskip("setuptools", "77")
    tree = tmp_path / "tree"
    kept = shutil.ignore_patterns("__pycache__", "*.egg-info", "build", "dist", ".*_cache", ".git")
    shutil.copytree(ROOT, tree, ignore=kept)
    code = "import setuptools.build_meta as b, sys; to = sys.argv[1]; b.build_wheel(to)"
    code += "; b.build_sdist(to)"
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=tree, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    [wheel], [sdist] = tmp_path.glob("*.whl"), tmp_path.glob("*.tar.gz")
    inside = zipfile.ZipFile(wheel).namelist()
    package = {
        p.relative_to(ROOT).as_posix()
        for p in PACKAGE.rglob("*") if p.is_file() and "__pycache__" not in p.parts
    }  # fmt: skip
    assert {name for name in inside if not re.match(r"symgd-[^/]*\.dist-info/", name)} == package
    with tarfile.open(sdist) as archive:
        found = {name.partition("/")[2] for name in archive.getnames()}
    folders = ("tests", "examples", "docs", "benchmarks", ".github", ".ci")
    whole = package | {"README.md", "CHANGELOG.md", "LICENSE", "pyproject.toml"} | {
        p.relative_to(ROOT).as_posix()
        for folder in folders for p in (ROOT / folder).rglob("*")
        if p.is_file() and not {"__pycache__", ".pytest_cache"} & {*p.parts}
    }  # fmt: skip
    assert whole <= found


def test_the_classifiers_name_every_python_that_is_tested():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    prefix = "Programming Language :: Python :: 3."
    named = {int(c.removeprefix(prefix)) for c in project["classifiers"] if c.startswith(prefix)}
    assert named == {11, 12, 13, 14}
    assert any(d.startswith("llvmlite>=0.45;") for d in project["dependencies"])


PUBLIC = """
CATALOGUE FUNCTIONS ArgumentError BackendError Comparison DataError DescentError Estimate
Explanation FitResult FormulaError History Loss Program Result Rule RuleError Status Step Sweep
SymgdError Verdict __version__ compare descend descend_with explain fit gradient_descent
single_step_gradient_descent sweep
"""  # what version 0.1 offered


def test_the_public_names_of_version_0_1_are_there():
    assert set(PUBLIC.split()) <= set(symgd.__all__)
    assert all(hasattr(symgd, name) for name in symgd.__all__)
    assert len(set(symgd.__all__)) == len(symgd.__all__)


@pytest.mark.parametrize(
    "statement",
    [
        "symgd.data.read_table({'x': [1.0]})",
        "symgd.data.Table, symgd.data.column_names, symgd.data.open_source",
        "symgd.sklearn.FormulaRegressor('y = a*x')",
        "__import__('symgd.report.plot').report.plot.overlay",
        "symgd.Limits(depth=400)",
    ],
)
def test_public_modules_need_no_import_of_their_own(statement):
    code = f"import symgd; {statement}"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_version_needs_neither_sympy_nor_numpy():
    code = "import sys, symgd; symgd.__version__; assert not {'sympy', 'numpy'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
