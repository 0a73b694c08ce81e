"""Ctrl-C: exit code 130 and no traceback, whenever it comes. No clock decides when that is."""

import json
import os
import signal
import subprocess
import sys

import pytest

from tests.hang_guard import HUNG
from tests.outcome import Outcome

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
ENDLESS = ["theta**2", "-l", "1e-9", "-n", "1000000000000"]


def ended(code, words):
    """The process that ran the code with these words as its arguments."""
    return subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, timeout=HUNG, check=False
    )


@pytest.mark.parametrize("form", ["table", "json"])
def test_the_result_so_far_is_printed(form):
    command = [sys.executable, "-m", "symgd", *ENDLESS, "-v", "--format", form]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    line = child.stderr.readline()
    assert b"machine code" in line  # either from this step on, or there is none and steps are run
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=HUNG)
    assert child.returncode == 130, err
    assert b"Traceback" not in err
    if form == "json":
        assert json.loads(out)["status"] == "interrupted"
    else:
        assert b"theta after " in out


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["compare", "--lr", "1e-9,0.1", "-n", "1000000000000"], "interrupted: 1 of 2 runs"),
        (["explain"], "interrupted while looking for"),
        (["fit", "y = a*exp(-b*x)", "DATA", "-s", "a=1,b=0.1"], "interrupted at step 2; the point"),
        (
            ["fit", "sum(exp(a + b*x) - y*(a + b*x))", "DATA", "-s", "9"],
            "interrupted at step 2; the point",
        ),
        ([*ENDLESS], "the best point so far is returned"),
    ],
)
def test_every_command_prints_what_there_is(words, shown, monkeypatch, tmp_path):
    """A KeyboardInterrupt in the middle of it, as Ctrl-C raises it."""
    from symgd.descent import engine, explain
    from symgd.fits import settings

    def pace_is_over(self, told=engine._Pace.is_over):
        if self._begun and told(self) and self.count > 16:
            raise KeyboardInterrupt
        return True

    def second(self, step, x, value, called=settings.Iterations.__call__):
        called(self, step, x, value)
        if step == 2:
            raise KeyboardInterrupt

    def convexity(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(engine._Pace, "is_over", pace_is_over)
    monkeypatch.setattr(settings.Iterations, "__call__", second)
    monkeypatch.setattr(explain, "convexity", convexity)
    data = tmp_path / "data.csv"
    data.write_text("x,y\n0,3\n1,2\n2,1\n3,1\n4,0\n")
    outcome = Outcome(*(str(data) if word == "DATA" else word for word in words))
    assert shown in outcome.out + outcome.err


# The call of a Python function at which the signal comes: within the first imports, those of the
# commands, those of SymPy, and steps.
@pytest.mark.parametrize(
    ("words", "calls"),
    [
        ([*ENDLESS, "-q"], (2, 300, 30_000, 100_000, 280_000)),
        (["explain", "x^4 - x^2"], (30_000, 300_000)),
        (["compare"], (150_000, 230_000)),
    ],
)
def test_the_signal_may_come_at_any_call(words, calls):
    code = """
import os, signal, sys
from symgd.__main__ import main

left = int(sys.argv.pop(1))

def count(frame, event, argument):
    global left
    left -= event == "call"
    if not left:
        sys.setprofile(None)
        os.kill(os.getpid(), signal.SIGINT)

sys.setprofile(count)
main()
"""
    for call in calls:
        done = ended(code, [str(call), *words])
        assert (call, done.returncode) == (call, 130)
        assert done.stderr == b"" or done.stderr.startswith(b"symgd: interrupted: "), call


@pytest.mark.parametrize("words", [["--version"], ["theta**2", "-q"]])
def test_the_signal_may_come_between_any_two_instructions_of_ours(words):
    """In a child process for each instruction of the modules that deal with signals."""
    code = """
import atexit, os, signal, sys
from typer.testing import CliRunner
from symgd.__main__ import main
from symgd.cli.app import app

CliRunner().invoke(app, sys.argv[1:])  # once in the parent, for what it imports

ours = ("__main__.py", "interrupts.py", os.path.join("cli", "main.py"))

def trace(frame, event, argument):
    if not frame.f_code.co_filename.endswith(ours):
        return None
    frame.f_trace_opcodes = True
    global seen
    if event == "opcode" and frame.f_code.co_name not in ("_interrupt", "listen"):
        seen += 1
        if seen == wanted:
            sys.settrace(None)
            os.kill(os.getpid(), signal.SIGINT)
    return trace

for wanted in range(2, 1000):
    seen = 0
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.settrace(trace)
        main()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code == 0:  # fewer instructions than that
        break
    assert code == 130, (wanted, code)
print(wanted)
"""
    done = ended(code, words)
    assert (done.returncode, done.stderr) == (0, b"")
    assert 20 < int(done.stdout) < 1000


def test_what_python_drops_is_raised_again():
    """In `__del__`, as in the callbacks of weak references that imports run, an error is lost."""
    code = """
import signal, symgd.cli.app
from symgd.__main__ import main
from symgd.cli.interrupts import interruptible

class Dropping:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)

def command():
    Dropping()
    while True:
        pass

symgd.cli.app.app = lambda prog_name: interruptible(command)
main()
"""
    done = ended(code, [])
    assert (done.returncode, done.stderr) == (130, b"")


def test_what_a_library_swallows_is_not_lost():
    """mpmath looks for gmpy2 within a bare `except:`; the run went on for ever."""
    code = """
import signal, sys
from symgd.__main__ import main

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "gmpy2":
            sys.meta_path.remove(self)  # others ask for it, too
            print("asked for", flush=True)
            signal.raise_signal(signal.SIGINT)

sys.meta_path.insert(0, Finder())
main()
"""
    done = ended(code, [*ENDLESS, "-q"])
    assert (done.returncode, done.stderr) == (130, b"")
    assert done.stdout.startswith(b"asked for")


def test_a_command_that_ends_in_spite_of_it_ends_with_130():
    code = """
import signal, symgd.cli.app
from symgd.__main__ import main
from symgd.cli.interrupts import interruptible

def command():
    try:
        signal.raise_signal(signal.SIGINT)
    except:
        print("swallowed")

symgd.cli.app.app = lambda prog_name: interruptible(command)
main()
"""
    done = ended(code, [])
    assert (done.returncode, done.stdout, done.stderr) == (130, b"swallowed\n", b"")


@pytest.mark.parametrize(("signals", "code"), [("1", 130), ("0", 1)])
def test_an_error_that_the_signal_became_ends_with_130_and_any_other_is_shown(signals, code):
    """A `with condition` that Ctrl-C interrupts raises RuntimeError: its lock is not acquired."""
    source = f"""
import signal, symgd.cli.app
from symgd.__main__ import main
from symgd.cli.interrupts import interruptible

def command():
    try:
        if {signals}:
            signal.raise_signal(signal.SIGINT)
    finally:
        raise RuntimeError("cannot release un-acquired lock")

symgd.cli.app.app = lambda prog_name: interruptible(command)
main()
"""
    done = ended(source, [])
    assert done.returncode == code
    assert (b"RuntimeError" in done.stderr) == (code == 1)


def test_it_is_ignored_in_the_background_and_after_the_end():
    code = """
import atexit, signal, sys, symgd.cli.app
from symgd.__main__ import main

ignored = sys.argv.pop() == "background"
if ignored:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
else:
    atexit.register(signal.raise_signal, signal.SIGINT)  # runs after what `main` has registered

def app(prog_name):
    if ignored:
        signal.raise_signal(signal.SIGINT)
    print("done")

symgd.cli.app.app = app
main()
"""
    for when in ("background", "end"):
        done = ended(code, [when])
        assert (done.returncode, done.stdout, done.stderr) == (0, b"done\n", b""), when
