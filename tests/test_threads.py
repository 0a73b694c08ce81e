"""Threads beside one another, and child processes forked while others are at work."""

import os
import subprocess
import sys
import threading

import pytest

from symgd._locks import cached_property
from tests.hang_guard import HUNG


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_waits_for_what_other_threads_hold():
    """In the child they are no more, and nobody would ever release it."""
    script = """
import os, sys, threading

os.register_at_fork(before=lambda: seen.append(released.is_set()))  # of all, the last to run
import symgd

def work(text):
    symgd.descend(text, backend="native", steps=3)
    symgd.Loss(text).value_and_grad([0.5])

work("x**2")
from llvmlite.binding import ffi
from symgd._locks import MPMATH

os.register_at_fork(before=lambda: forking.set())  # the first

def hold(lock):
    with lock:
        inside.set()
        forking.wait()
        released.set()

for number, lock in enumerate([ffi.lib._lock, MPMATH]):
    seen, inside, forking, released = [], *(threading.Event() for _ in range(3))
    thread = threading.Thread(target=hold, args=[lock])
    thread.start()
    inside.wait()
    child = os.fork()
    if child == 0:
        work(f"exp(x) - {number + 2}*x")
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert seen == [True]
    thread.join()

class Slow:  # a module that another thread imports meanwhile
    def find_spec(self, name, path=None, target=None):
        if name == "slow":
            inside.set()
            forking.wait()
            released.set()

def load():
    try:
        import slow
    except ImportError:
        pass

sys.meta_path.insert(0, Slow())
seen, inside, forking, released = [], *(threading.Event() for _ in range(3))
thread = threading.Thread(target=load)
thread.start()
inside.wait()
child = os.fork()
if child == 0:
    load()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
assert seen == [True]
thread.join()
print("all")
"""
    pytest.importorskip("llvmlite")
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=HUNG, check=False
    )
    assert done.stdout == "all\n", done.stderr


def test_threads_do_not_wait_for_each_other_at_a_property():
    class Slow:
        def __init__(self, wait):
            self.wait = wait

        @cached_property
        def value(self):
            """What it waited for."""
            self.wait.wait()
            return [self.wait]

    class Done:
        def wait(self):
            pass

    inside = threading.Event()
    first, second = Slow(inside), Slow(Done())
    thread = threading.Thread(target=lambda: first.value)
    thread.start()
    other = threading.Thread(target=lambda: second.value, daemon=True)
    other.start()
    other.join(HUNG)
    assert not other.is_alive()
    inside.set()
    thread.join()
    assert first.value is first.value
    assert Slow.value.__doc__ == "What it waited for."
