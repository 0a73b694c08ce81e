"""Ctrl-C in the middle of a run: what comes back is the beginning of the whole run."""

import os
import signal
import sys
import threading

import pytest

import symgd
from symgd.backends.native.postponed_interrupts import interrupts_postponed
from symgd.descent import native_kernel
from symgd.descent.engine import engine

STEPS = 2
RUN = {"start": "x=1.5,y=-0.5", "lr": 0.05, "steps": STEPS}
LOSS = symgd.Loss("x^4 + (y - x)^2")  # falls in every step: the best point so far is the last
OURS = ("engine.py", "kernel.py", "result.py")


def interrupted(event, **more):
    """The run with Ctrl-C at an event of its loop: signals are heard at calls."""
    left, within = event, False

    def count(frame, kind, argument):
        nonlocal left, within
        if frame.f_code is engine.__code__ and kind in ("call", "return"):
            within = kind == "call"
        elif within and frame.f_code.co_filename.endswith(OURS):
            left -= 1
            if not left:
                sys.setprofile(None)
                signal.raise_signal(signal.SIGINT)

    sys.setprofile(count)
    try:
        return symgd.descend(LOSS, **RUN, **more)
    finally:
        sys.setprofile(None)


@pytest.mark.parametrize("backend", ["lambdify", "native"])
def test_an_interrupted_run_is_the_beginning_of_the_whole(backend, monkeypatch):
    monkeypatch.setattr(native_kernel, "_NANOSECONDS", 0)  # a call of machine code for each step
    more = {"rule": "adam", "backend": backend}
    whole = symgd.descend(LOSS, **RUN, **more)
    rows = list(whole.history.rows())
    assert [row[0] for row in rows] == list(range(STEPS + 1))
    seen = set()
    event = 0
    while True:
        event += 1
        run = interrupted(event, **more)
        if run.status.value != "interrupted":
            break
        best = min(rows[: run.steps + 1], key=lambda row: row[2])
        assert best[0] == run.steps
        assert list(run.history.rows()) == rows[: run.steps + 1]
        assert (*run.theta.values(), run.value) == (*best[1], best[2])
        assert (*run.best.theta.values(), run.best.value) == (*best[1], best[2])
        seen.add(run.steps)
    assert seen == set(range(STEPS + 1))


def test_ctrl_c_in_machine_code_returns_what_there_is(monkeypatch):
    running = threading.Event()
    record = native_kernel.NativeKernel._record

    def signaling(*args):
        running.set()
        return record(*args)

    def interrupt():
        running.wait()
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(native_kernel.NativeKernel, "_record", signaling)
    waiting = threading.Thread(target=interrupt)
    waiting.start()
    result = symgd.descend("theta**2", lr=1e-9, steps=10**12, backend="native")
    waiting.join()
    assert result.status.value == "interrupted"


def test_ctrl_c_waits_for_the_end_of_what_must_be_whole():
    done = []

    @interrupts_postponed()
    def whole():
        signal.raise_signal(signal.SIGINT)
        with interrupts_postponed():
            signal.raise_signal(signal.SIGINT)
        done.append("all")

    with pytest.raises(KeyboardInterrupt):
        whole()
    assert done == ["all"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    thread = threading.Thread(target=interrupts_postponed().__enter__)  # changes nothing there
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
