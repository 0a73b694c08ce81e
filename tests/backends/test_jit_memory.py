"""Compiling again and again, each time something else, takes no more and more memory."""

import subprocess
import sys
from pathlib import Path

import pytest
from llvmlite.binding.ffi import ObjectRef

from symgd.backends.native import jit

pytestmark = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="Linux's statm")

COMPILE = """
import gc
from pathlib import Path
from resource import getpagesize
from symgd.backends.native.jit import compile_module

def resident():
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * getpagesize()

def compile_many(numbers):
    for k in numbers:
        compile_module(
            "define double @f(double %x, i64 %n) {\\n"
            "entry:\\n br label %loop\\n"
            "loop:\\n %i = phi i64 [0, %entry], [%next, %loop]\\n"
            " %a = phi double [%x, %entry], [%b, %loop]\\n"
            f" %b = fmul double %a, {k}.0\\n %next = add i64 %i, 1\\n"
            " %more = icmp slt i64 %next, %n\\n"
            " br i1 %more, label %loop, label %out\\n"
            "out:\\n ret double %b\\n}\\n"
        )

compile_many(range(100))  # more than are kept
before = resident()
compile_many(range(100, 250))
print(resident() - before)
"""


def test_compiled_modules_leave_no_pass_managers_behind():
    """They took 73 kB each, 11 MB of the 150; a few pages come and go."""
    done = subprocess.run([sys.executable, "-c", COMPILE], capture_output=True, text=True)
    assert int(done.stdout) < 3_000_000, done.stderr


def test_a_pass_manager_is_freed_once():
    freed = []

    class Freeing:
        def _dispose(self):
            freed.append(id(self))

    class Owned(ObjectRef, Freeing):
        pass

    passes = Owned(1)
    jit._free(passes)
    assert passes.closed
    passes.close()
    assert freed == [id(passes)]
