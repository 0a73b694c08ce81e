"""Runs every kind of kernel with its buffers against unreadable pages; dies by a signal if it
reads or writes one element too far. Called by test_native.py."""

import ctypes
import mmap
import sys

import numpy as np

import symgd
from symgd.descent import native_kernel, native_sweep

PAGE = mmap.PAGESIZE
libc = ctypes.CDLL(None)
kept = []


def guarded(data):
    """A copy of the bytes that ends where an unreadable page begins, its address."""
    size = data.nbytes
    pages = -(-max(size, 1) // PAGE)
    block = mmap.mmap(-1, (pages + 1) * PAGE)
    start = ctypes.addressof(ctypes.c_char.from_buffer(block))
    if libc.mprotect(ctypes.c_void_p(start + pages * PAGE), PAGE, 0) != 0:
        sys.exit("mprotect failed")
    at = start + pages * PAGE - size
    ctypes.memmove(at, data.ctypes.data, size)
    kept.append(block)
    return at


class Guarded:
    """A compiled function whose buffers are copied against guards, and back."""

    def __init__(self, function):
        self.function = function

    def __call__(self, *addresses):
        views = [live[a] for a in addresses]
        copies = [guarded(v) for v in views]
        code = self.function(*copies)
        for view, at in zip(views, copies, strict=True):
            ctypes.memmove(view.ctypes.data, at, view.nbytes)
        return code


live = {}


class Module:
    """A module whose functions are guarded."""

    def __init__(self, module):
        self.module = module

    def function(self, name, arguments):
        """The function, guarded."""
        return Guarded(self.module.function(name, arguments))


def watch(kernel):
    """Guard the calls of a kernel, whose buffers are remembered."""

    class Watched(kernel._Buffers):
        def __new__(cls, **buffers):
            for buffer in buffers.values():
                remember(buffer)
            return super().__new__(cls, **buffers)

    kernel._Buffers = Watched


def remember(buffer):
    """Note where a buffer is."""
    view = np.frombuffer(buffer, dtype=np.uint8) if len(buffer) else np.zeros(0, np.uint8)
    live[buffer.buffer_info()[0]] = view


watch(native_kernel)
ROSENBROCK = "(1-x)**2 + 100*(y-x**2)**2"
init = native_kernel.NativeKernel.__init__


def small(self, *args):
    """A kernel in registers, guarded."""
    init(self, *args)
    self.module = Module(self.module)


native_kernel.NativeKernel.__init__ = small
for rule in ("gd", "adam"):
    for steps in (1, 47, 48, 49, 5000):
        symgd.descend(ROSENBROCK, rule=rule, lr=1e-3, steps=steps, start=0.5, backend="native")
symgd.descend("theta**2", lr=10, steps=500, backend="native")
print("small")

large_init = native_kernel.ArrayKernel.__init__


def large(self, *args):
    """A kernel over arrays, guarded."""
    large_init(self, *args)
    self.module = Module(self.module)
    for buffer in self.more:
        remember(buffer)
    machine = self.gradient.machine  # its own arrays are those of the next call
    room = machine._arrays() if hasattr(machine, "_arrays") else machine._room()
    machine._spare.append(room)
    for own in (room.work, getattr(room, "slots", None)):
        if own is not None:
            live[own.ctypes.data] = own.view(np.uint8)
    if hasattr(machine, "constants"):
        remember(machine.constants)


native_kernel.ArrayKernel.__init__ = large
chain = " + ".join(f"100*(x{i + 1}-x{i}**2)**2 + sin(x{i})/{i}" for i in range(1, 150))
for rule in ("gd", "clip_norm+adam"):
    symgd.descend(chain, rule=rule, lr=1e-4, steps=200, start=0.5, backend="native")
print("large")

table = {"x": np.linspace(0, 2, 37), "y": np.exp(-np.linspace(0, 2, 37))}
for rule in ("gd", "adam"):
    symgd.descend("mean((y - a*exp(-b*x))^2)", data=table, rule=rule, lr=0.01, steps=200,
                  start=0.5, backend="native")  # fmt: skip
print("rows")

lanes_init = native_sweep.LanesKernel.__init__


def lanes(self, *args):
    """A sweep, guarded."""
    lanes_init(self, *args)
    self.sweep, self.look = Guarded(self.sweep), Guarded(self.look)


addresses = native_sweep._addresses


def seen(*arrays):
    """The arrays, remembered."""
    for a in arrays:
        live[a.ctypes.data] = a.reshape(-1).view(np.uint8) if a.size else np.zeros(0, np.uint8)
    return addresses(*arrays)


native_sweep.LanesKernel.__init__ = lanes
native_sweep._addresses = seen
empty, array = np.empty, np.array


def remembered(make):
    """An array that the guard knows."""

    def call(*args, **how):
        made = make(*args, **how)
        if made.size:
            live[made.ctypes.data] = made.reshape(-1).view(np.uint8)
        return made

    return call


native_sweep.np.empty, native_sweep.np.array = remembered(empty), remembered(array)
for count, tol in ((1, 1e-3), (3, None), (70, 1e-3), (70, None)):
    symgd.sweep(
        ROSENBROCK,
        lr=np.geomspace(1e-5, 1.0, count),
        rule=["gd", "adam"],
        steps=100,
        tol=tol,
        start=0.3,
        threads=1,
    )
print("lanes")
