"""Arrays between unreadable pages."""

import ctypes
import mmap
import subprocess
import sys
from pathlib import Path

import numpy as np

from tests.hang_guard import HUNG

PAGE = mmap.PAGESIZE
libc = ctypes.CDLL(None)
kept = []


def guarded(values, end):
    """A copy of the array between unreadable pages, against the one after or the one before it."""
    pages = -(-values.nbytes // PAGE)
    block = mmap.mmap(-1, (pages + 2) * PAGE)
    start = ctypes.addressof(ctypes.c_char.from_buffer(block))
    offset = (pages + 1) * PAGE - values.nbytes if end else PAGE
    copy = np.frombuffer(block, values.dtype, len(values), offset)
    copy[:] = values
    for at in (start, start + (pages + 1) * PAGE):
        if libc.mprotect(ctypes.c_void_p(at), PAGE, 0) != 0:
            sys.exit("mprotect failed")
    kept.append(block)
    return copy


def output_of(script):
    """What a script of this folder prints; it is killed by a signal where it reads too far."""
    words = [sys.executable, "-m", f"tests.backends.{script}"]
    root = Path(__file__).parents[2]
    done = subprocess.run(words, capture_output=True, timeout=HUNG, cwd=root)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    return done.stdout
