"""What the package promises as a whole: all its files are in the wheel."""

import fnmatch
import subprocess
import sys
import tomllib
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
