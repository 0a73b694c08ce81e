"""Arrays between unreadable pages."""

import ctypes
import mmap
import sys

import numpy as np

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
