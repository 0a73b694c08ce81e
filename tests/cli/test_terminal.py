"""The terminal around a command, and the remarks about rows that it shows."""

import io

import pytest

from symgd import ArgumentError, descend
from symgd.cli import terminal
from tests.outcome import Outcome


class Terminal(io.StringIO):
    def isatty(self):
        return True

    def fileno(self):
        raise OSError


@pytest.mark.parametrize(
    ("columns", "width"), [("132", 132), ("40", 40), ("", 80), ("0", 80), ("wide", 80)]
)
def test_width_is_what_columns_says_or_80(monkeypatch, columns, width):
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr("sys.stdout", Terminal())
    assert terminal.terminal_width() == width


def test_width_of_a_file_is_80_whatever_columns_says(monkeypatch):
    monkeypatch.setenv("COLUMNS", "132")
    monkeypatch.setattr("sys.stdout", io.StringIO())
    assert terminal.terminal_width() == 80


def test_skipped_rows_are_counted_on_stderr(tmp_path):
    path = tmp_path / "holes.csv"
    path.write_text("x,y\n1,2\n2,\n3,6\n,8\n")
    words = ["mean((y - a*x)**2)", "--data", str(path), "--drop-missing", "-l", "0.01"]
    outcome = Outcome(*words)
    assert outcome.code == 0
    assert "parameters: a; columns: y, x; 2 rows" in outcome.err
    assert "2 rows with missing cells were skipped" in outcome.err


@pytest.mark.parametrize(("step", "steps"), [(1, 1), (500, 600), (600, 600), (2000, 2000)])
def test_a_learning_rate_that_fails_at_one_step_is_refused(step, steps):
    with pytest.raises(ArgumentError, match=rf"is -1\.0 at step {step};"):
        descend("x**2", lr=f"where(t == {step}, -1, 0.1)", steps=steps)
