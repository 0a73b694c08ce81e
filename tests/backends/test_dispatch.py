"""A backend that was asked for by name and cannot run is said once, whatever asked for it."""

import subprocess
import sys

import numpy as np
import pytest

import symgd
from symgd.backends.native import jit
from tests.hang_guard import HUNG

COLUMNS = {"x": [1.0, 2.0, 3.0], "y": [2.0, 4.0, 7.0]}
CALLS = {
    "descend": lambda backend: symgd.descend("theta**2", backend=backend),
    "line search": lambda backend: symgd.descend("theta**2", lr="auto", backend=backend),
    "rows": lambda backend: symgd.descend("mean((y - a*x)**2)", data=COLUMNS, backend=backend),
    "sweep": lambda backend: symgd.sweep("theta**2", lr=[0.1, 0.2], backend=backend),
    "sweep of rows": lambda backend: symgd.sweep(
        symgd.Loss("mean((y - a*x)**2)", COLUMNS), lr=[0.1, 0.2], backend=backend
    ),
    "fit": lambda backend: symgd.fit("y = a*x", COLUMNS, backend=backend),
    "fit of a loss": lambda backend: symgd.fit("sum((y - a*x)**2)", COLUMNS, backend=backend),
}


@pytest.mark.parametrize("call", CALLS)
def test_machine_code_that_was_asked_for_by_name_is_missed_once(call, monkeypatch, caplog):
    monkeypatch.setattr(jit, "unavailable", lambda: "no llvmlite here")
    for _ in range(2):
        CALLS[call]("native")
    [record] = [r for r in caplog.records if r.levelname == "WARNING"]
    assert record.getMessage() == (
        "no machine code (no llvmlite here); Python's lambdified functions run instead"
    )


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("backend", ["auto", "lambdify"])
def test_machine_code_that_was_not_asked_for_is_not_missed(call, backend, monkeypatch, caplog):
    monkeypatch.setattr(jit, "unavailable", lambda: "no llvmlite here")
    CALLS[call](backend)
    assert not [r for r in caplog.records if r.levelname == "WARNING"]


@pytest.mark.parametrize(
    "arguments", [["theta**2"], ["mean((y-a*x)**2)", "--data"], ["fit", "y=a*x"]]
)
def test_command_line_says_so_also_when_it_is_quiet(arguments, tmp_path):
    (tmp_path / "llvmlite.py").write_text("raise ImportError('no llvmlite here')")
    (tmp_path / "rows.csv").write_text("x,y\n1,2\n2,4\n3,7\n")
    if len(arguments) > 1:
        arguments = [*arguments, str(tmp_path / "rows.csv")]
    run = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r});"
        "from symgd.__main__ import main; sys.argv[0] = 'symgd'; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", run, *arguments, "-q", "--backend", "native"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0
    assert done.stderr == (
        "symgd: no machine code (ImportError: no llvmlite here); "
        "Python's lambdified functions run instead\n"
    )


ROWS = {"x": np.linspace(0.2, 3.0, 2000)}
ROWS["y"] = 2 * np.exp(-ROWS["x"]) + np.cos(40 * ROWS["x"])
DECAY = "mean((y - a*exp(-b*x) - c)**2)"


def answers():
    """What comes out of work that pays for compiling, but not for the import of llvmlite too."""
    many = {name: np.tile(column, 60) for name, column in ROWS.items()}
    yield repr(symgd.Loss(DECAY, many).grad([1.0, 1.1, 1.2]).tolist())
    for steps in (600, 900):
        yield repr(symgd.descend(DECAY, data=ROWS, lr=0.05, steps=steps).theta)
    loss = "(1 - x)**2 + 100*(y - x**2)**2 + exp(x*y)"
    yield repr(symgd.descend(loss, rule="adam", lr=1e-3, start=0.5, steps=25_000).theta)


def test_the_choice_of_a_backend_does_not_depend_on_what_ran_before():
    """Sums over rows by NumPy and by machine code differ in their last bits."""
    code = "import sys; from tests.backends.test_dispatch import answers; "
    code += "assert 'llvmlite' not in sys.modules; print(*answers(), sep='\\n')"
    fresh = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=HUNG, check=True
    )
    symgd.descend("theta**2", backend="native")
    assert "llvmlite" in sys.modules
    assert list(answers()) == fresh.stdout.splitlines()


def test_an_llvmlite_that_is_too_old_is_not_asked_to_compile(monkeypatch):
    import llvmlite.binding as llvm

    monkeypatch.setattr(llvm, "llvm_version_info", (15, 0, 7))
    assert jit.unavailable.__wrapped__() == "llvmlite is too old: 0.45 or later is needed"
