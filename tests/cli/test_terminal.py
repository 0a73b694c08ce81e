"""The terminal around a command, and the remarks about rows that it shows."""

import io
import re
import shlex
from pathlib import Path
from types import SimpleNamespace

import pytest

from symgd import ArgumentError, descend
from symgd.analysis.verdicts.sentences import OUTCOMES
from symgd.cli import colors, progress, terminal
from symgd.cli.app import EXAMPLES_OF
from symgd.cli.options import option
from symgd.model.progress_meter import Progress
from symgd.report import progress_bar
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


@pytest.mark.parametrize("variables", [{}, {"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colors_are_for_terminals_that_want_them(variables, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert colors.has_color(Terminal()) == (not variables)
    assert not colors.has_color(io.StringIO())


def test_what_is_colored_is_the_head_of_the_verdict_the_caret_and_the_hint():
    painter = colors.verdict_painter("slow: each step keeps 0.998", "slow")
    assert painter("slow: each step keeps") == "\x1b[33mslow:\x1b[0m each step keeps"
    assert painter("theta = 1") == "theta = 1"
    assert colors.style_of("converged") == "good"
    assert {colors.style_of(kind) for kind, _ in OUTCOMES.values()} == {"good", "fair", "bad"}
    assert colors.table_painter({"slow"})("1  slow").endswith("\x1b[33mslow\x1b[0m")
    message = colors.painted_message("never closed\n  sin(y\n     ^\nadd ')'").split("\n")
    assert message[:2] == ["never closed", "  sin(y"]
    assert message[2:] == ["\x1b[1;32m     ^\x1b[0m", "\x1b[36madd ')'\x1b[0m"]


def test_a_long_run_shows_its_heading_then_a_bar(monkeypatch):
    stderr = Terminal()
    monkeypatch.setattr(progress, "sys", SimpleNamespace(stderr=stderr))
    monkeypatch.setattr(progress, "DELAY", 0.0)
    monkeypatch.setattr(progress, "_INTERVAL", 0.0)
    monkeypatch.setenv("TERM", "xterm")
    headings = []
    with progress.run_progress(False, headings.append):
        result = descend("theta**2", lr=1e-9, steps=20_000_000)
    assert result.steps == 20_000_000
    assert [heading.loss.text for heading in headings] == ["theta**2"]
    frames = [frame for frame in stderr.getvalue().split("\r") if frame.strip()]
    bar = re.compile(r"\[#*-*\] \d+%, ([\d:]+|\d+ days) left, [\d,]+ of 20,000,000 steps, .*/s")
    assert all(map(bar.match, frames))
    assert stderr.getvalue().endswith("\r")


def test_a_bar_of_a_notebook_lives_in_one_place():
    class Handle:
        def update(self, shown):
            seen.append(shown._repr_html_())

    seen = []

    def display(shown, display_id):
        seen.append(shown._repr_html_())
        return Handle()

    bar = progress_bar.NotebookBar(display)
    for done in (0, 40, 100):
        bar(Progress(done, 100, "steps", began=-1e9, note="loss <1>"))
        bar._next = 0.0
    assert 'value="0.4000"' in seen[1]
    assert "loss &lt;1&gt;" in seen[1]
    assert seen[-1] == ""


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["--rule", "clip_norm+ad"], "clip_norm+adam"),
        (["--method", "n"], "newton"),
        (["--lr", "cos"], "cosine("),
        (["--family", "po"], "poisson"),
        (["--history", "a"], "all"),
        (["--data", "examples/dec"], "examples/decay.csv"),
    ],
)
def test_values_are_completed(words, found, monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[2])
    name, text = words
    complete = option(name[2:]).autocompletion
    assert found in complete(text)


def test_every_command_has_examples_that_parse():
    """Each line is a command line that is at least read: options and formats exist."""
    for name, lines in EXAMPLES_OF.items():
        shown = Outcome(name, "--help").out
        for line in lines.split("\n"):
            if not line.strip():
                continue
            assert " ".join(line.split()) in " ".join(shown.split())
            words = [w for w in shlex.split(line)[1:] if not w.startswith("/")]
            outcome = Outcome(*words, "--nonsense")
            assert "No such option: --nonsense" in outcome.err
