"""Optional packages that are missing, or raise whatever they like when they are imported."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from symgd.errors import import_problem
from tests.hang_guard import HUNG

#: What a package's __init__.py holds -> what is said of it.
CODES = {
    "import": ("raise ImportError('libx.so.1: lost')", "ImportError: libx.so.1: lost"),
    "other": ("raise RuntimeError('numpy 1?\\nOr 2?')", "RuntimeError: numpy 1?"),
    "attribute": ("(1).two", "AttributeError: 'int' object has no attribute 'two'"),
    "name": ("import other_package", "ModuleNotFoundError: No module named 'other_package'"),
}


@pytest.fixture(params=CODES)
def broken(request, tmp_path, monkeypatch):
    """A folder that stands before all others, and what an import of a package in it raises."""
    code, message = CODES[request.param]
    for package in ("pyarrow", "matplotlib", "sklearn", "pandas"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text(code)
    return tmp_path, message


SCRIPT = """
import contextlib, io, json, sys
sys.path.insert(0, sys.argv[1])
told = []
for code, *arguments in json.load(sys.stdin):
    sys.argv, out, err = ["symgd", *arguments], io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            exec(code)
            status = 0
        except SystemExit as end:
            status = end.code or 0
        except ImportError as error:
            status = f"ImportError: {error}"
    told.append([status, out.getvalue(), err.getvalue()])
print(json.dumps(told))
"""
COMMAND = "from symgd.__main__ import main; main()"


def runs(folder, *calls):
    """[exit code or error, stdout, stderr] of each call, (code, *arguments), one after the other
    in a process to which the folder's packages come first."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(folder)],
        input=json.dumps(calls), capture_output=True, text=True, timeout=HUNG, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


def test_a_broken_package_is_said_in_one_sentence(broken, tmp_path):
    folder, message = broken
    csv, parquet, png = (str(tmp_path / name) for name in ("d.csv", "d.parquet", "p.png"))
    Path(csv).write_text("t,counts\n1,2\n2,4\n3,7\n")
    Path(parquet).write_bytes(b"PAR1")
    line = [COMMAND, "mean((counts - a*t)**2)", "--data", csv, "-n", "1"]
    read, quiet, of_parquet, picture, pandas, sklearn = runs(
        folder,
        line,
        [*line, "-q"],
        [COMMAND, "mean(x)*a**2", "--data", parquet],
        [COMMAND, "theta**2", "-q", "--plot", png],
        ["import symgd; symgd.descend('x**2').to_pandas()"],
        ["import symgd.sklearn"],
    )
    assert read[0] == 0
    assert f"is read slowly, without pyarrow, which cannot be imported: {message}\n" in read[2]
    assert (quiet[0], quiet[2]) == (0, "")
    sentence = f"reading Parquet files needs pyarrow, which cannot be imported: {message}"
    assert of_parquet == [2, "", f"symgd: {parquet}: {sentence}\n"]
    sentence = f"pictures need matplotlib, which cannot be imported: {message}"
    assert (picture[0], picture[2]) == (2, f"symgd: {sentence}\n")
    sentence = f"to_pandas() needs pandas, which cannot be imported: {message}"
    assert pandas == [f"ImportError: {sentence}", "", ""]
    sentence = f"symgd.sklearn needs scikit-learn, which cannot be imported: {message}"
    assert sklearn == [f"ImportError: {sentence}", "", ""]


def test_what_is_not_installed_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert import_problem("pyarrow.csv", '"symgd[data]"') == ': pip install "symgd[data]"'
    assert import_problem("no_such_package", "it") == ": pip install it"
    assert import_problem("math", "") == ""
