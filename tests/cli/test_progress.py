"""The bar of long passes: seen on a terminal only, and never left there."""

import io
import json
import os
import signal
import sys
from types import SimpleNamespace

import pytest

from symgd.cli import progress
from symgd.data import read_table, table
from symgd.errors import DataError
from tests.pseudo_terminal import run_on_terminal


class Terminal(io.StringIO):
    """Standard error that is a terminal. frames: what its last line showed, one after another."""

    def isatty(self):
        return True

    def frames(self):
        return [frame.rstrip() for frame in self.getvalue().split("\r")]


@pytest.fixture
def terminal(monkeypatch):
    made = Terminal()
    monkeypatch.setattr(progress, "sys", SimpleNamespace(stderr=made))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(progress, "DELAY", 0.0)
    monkeypatch.setattr(progress, "_INTERVAL", 0.0)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    return made


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("x,y\n" + "1.5,2\n" * 200_000)
    return path


def test_every_pass_is_shown_with_its_rows_and_then_gone(terminal, path, monkeypatch):
    monkeypatch.chdir(path.parent)
    with progress.with_progress("p.csv", quiet=False) as source:
        read = read_table(source, block_rows=50_000)
        sums = [sum(float(b["x"].sum()) for b in read.blocks()) for _ in range(2)]
    assert sums == [300_000.0] * 2
    frames = [frame for frame in terminal.frames() if frame]
    for number, of in ((1, "of about "), (2, "of 200,000 rows"), (3, "of 200,000 rows")):
        there = [f for f in frames if f.startswith(f"p.csv, pass {number} [")]
        assert len(there) > 2
        assert all(of in frame for frame in there)
        assert "100% 200,000" in there[-1]
        shares = [int(f.split("%")[0].split()[-1]) for f in there]
        assert shares == sorted(shares)
    assert all(len(frame) < 80 for frame in frames)
    assert terminal.frames()[-1] == ""


def test_short_passes_are_not_shown(terminal, path, monkeypatch):
    monkeypatch.setattr(progress, "DELAY", 1e9)
    with progress.with_progress(str(path), quiet=False) as source:
        read_table(source)
    assert terminal.getvalue() == ""


@pytest.mark.parametrize("ending", [KeyboardInterrupt, DataError("x"), SystemExit])
def test_bar_goes_whatever_ends_the_pass(ending, terminal, path):
    passes = []
    expected = (KeyboardInterrupt, DataError, SystemExit)
    with pytest.raises(expected), progress.with_progress(str(path), quiet=False) as source:  # noqa: PT012
        passes.append(read_table(source, block_rows=10_000).blocks())  # it stays open
        next(passes[0])
        assert terminal.frames()[-1]
        raise ending
    assert terminal.frames()[-1] == ""


def test_fault_late_in_the_file_leaves_no_bar(terminal, path):
    path.write_bytes(path.read_bytes() + b"3,z\n")
    with progress.with_progress(str(path), quiet=False) as source:
        with pytest.raises(DataError, match=r"line 200,002, column 'y': 'z'"):
            read_table(source)
        assert terminal.frames()[-1] == ""
    assert len(terminal.frames()) > 3


@pytest.mark.parametrize("why", ["quiet", "no terminal", "dumb", "no stderr"])
def test_where_nobody_looks_the_data_stay_as_they_are(why, terminal, path, monkeypatch):
    if why == "dumb":
        monkeypatch.setenv("TERM", "dumb")
    elif why == "no terminal":
        progress.sys.stderr = io.StringIO()
    elif why == "no stderr":
        progress.sys.stderr = None
    with progress.with_progress(str(path), quiet=why == "quiet") as source:
        assert source == str(path)
    with progress.with_progress(None, quiet=False) as source:
        assert source is None


COMMAND = """
import json, sys
from symgd.cli import progress
from symgd.data import table
progress.DELAY = 0
table.IN_MEMORY = 1000
from symgd.__main__ import main

for words in json.loads(sys.argv[1]):
    sys.argv = ["symgd", *words]
    try:
        main()
    except SystemExit as end:
        if end.code:
            raise
    print(end="\\0", file=sys.stderr, flush=True)
"""


def run(calls, interrupt=0):
    """(exit code, what the terminal saw on standard error) of commands, one after the other.

    interrupt: by Ctrl-C in that pass.
    """
    left = [interrupt] if interrupt else []

    def watch(child, seen):
        if left and f"pass {interrupt} [".encode() in seen:
            child.send_signal(signal.SIGINT)
            left.pop()

    env = {**os.environ, "TERM": "xterm"}
    return run_on_terminal(COMMAND, json.dumps(calls), "stderr", env, watch)


LOSS = "mean(tanh(a*x - y)**2)"


@pytest.mark.skipif(os.name == "nt", reason="needs a pseudoterminal")
@pytest.mark.parametrize("number", [1, 3])
def test_ctrl_c_in_a_pass_ends_it_well(number, path):
    code, seen = run([[LOSS, "--data", str(path), "--steps", "1000000"]], interrupt=number)
    assert code == 130, seen
    assert "Traceback" not in seen
    last = seen.replace("\r\n", "\n").rsplit("pass ", 1)[1]
    assert "\r" in last  # the bar was taken away before anything else was said


@pytest.mark.skipif(os.name == "nt", reason="needs a pseudoterminal")
def test_commands_show_the_bar_to_people_only(path):
    file = str(path)
    calls = [
        ([LOSS, "--data", file, "--steps", "2"], True),
        ([LOSS, "--data", file, "--steps", "2", "--quiet"], False),
        ([LOSS, "--data", file, "--steps", "2", "--format", "json"], False),
        (["fit", "y = a*x", file], True),
        (["explain", "mean((y - a*x)**2)", "--data", file], True),
        (["compare", "mean((y - a*x)**2)", "--data", file, "--lr", "0.1"], True),
    ]
    code, seen = run([words for words, _ in calls])
    assert code == 0
    *shown, last = seen.split("\0")
    assert last == ""
    for (words, bar), text in zip(calls, shown, strict=True):
        assert ("pass 1 [" in text) == bar, words


def test_table_larger_than_memory_calls_progress_on_every_pass(path, monkeypatch):
    monkeypatch.setattr(table, "IN_MEMORY", 1000)
    seen = []
    read = read_table(path, progress=seen.append)
    for _ in range(2):
        assert sum(len(b["x"]) for b in read.blocks()) == 200_000
    assert [seen[k] for k in range(len(seen)) if k + 1 == len(seen) or seen[k + 1] < seen[k]] == (
        [1.0] * 3
    )
