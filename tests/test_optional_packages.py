"""Optional packages that are missing, or raise whatever they like when they are imported."""

import subprocess
import sys

import pytest

from symgd.errors import import_problem

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


def run(folder, code, *arguments):
    """(exit code, stdout, stderr) of Python code to which the folder's packages come first."""
    code = f"import sys; sys.path.insert(0, {str(folder)!r}); {code}"
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


COMMAND = "from symgd.__main__ import main; sys.argv[0] = 'symgd'; main()"


def test_csv_is_read_without_a_broken_pyarrow(broken, tmp_path):
    folder, message = broken
    (tmp_path / "d.csv").write_text("t,counts\n1,2\n2,4\n3,7\n")
    arguments = ["mean((counts - a*t)**2)", "--data", str(tmp_path / "d.csv"), "-n", "1"]
    code, out, err = run(folder, COMMAND, *arguments)
    assert (code, "Traceback" in err) == (0, False)
    assert f"is read slowly, without pyarrow, which cannot be imported: {message}\n" in err
    assert run(folder, COMMAND, *arguments, "-q")[2] == ""


def test_parquet_and_pictures_say_what_is_broken_in_one_sentence(broken, tmp_path):
    folder, message = broken
    (tmp_path / "d.parquet").write_bytes(b"PAR1")
    code, _, err = run(folder, COMMAND, "mean(x)*a**2", "--data", str(tmp_path / "d.parquet"))
    assert code == 2
    sentence = f"reading Parquet files needs pyarrow, which cannot be imported: {message}"
    assert err == f"symgd: {tmp_path / 'd.parquet'}: {sentence}\n"
    code, _, err = run(folder, COMMAND, "theta**2", "-q", "--plot", str(tmp_path / "p.png"))
    assert code == 2
    assert err == f"symgd: pictures need matplotlib, which cannot be imported: {message}\n"


def test_pandas_and_scikit_learn_say_what_is_broken(broken):
    folder, message = broken
    code, _, err = run(folder, "import symgd; symgd.descend('x**2').to_pandas()")
    last = err.splitlines()[-1]
    assert last == f"ImportError: to_pandas() needs pandas, which cannot be imported: {message}"
    code, _, err = run(folder, "import symgd.sklearn")
    assert err.splitlines()[-1] == (
        f"ImportError: symgd.sklearn needs scikit-learn, which cannot be imported: {message}"
    )


def test_what_is_not_installed_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert import_problem("pyarrow.csv", '"symgd[data]"') == ': pip install "symgd[data]"'
    assert import_problem("no_such_package", "it") == ": pip install it"
    assert import_problem("math", "") == ""
