"""Emit a large formula as loops over arrays (loop rerolling), split into functions and modules.

    int64 evaluate(double *x, double *w, double *c, double *out)

x: the program's inputs, w: work space of `Layout.work` doubles, c: its constants, out: its outputs.
LLVM's compile time grows superlinearly with the length of a function, so straight-line code is
split into functions of a few hundred statements and into modules, between which Ctrl-C is handled.
"""

from __future__ import annotations

import logging
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from symgd._numpy import NDArray, np
from symgd.backends.native import jit
from symgd.backends.native.array_function import ArrayFunction
from symgd.backends.native.dead_store_elimination import eliminate_dead_stores
from symgd.backends.native.loop_rerolling import (
    LaidOutSum,
    Layout,
    LayoutBlock,
    reroll,
)
from symgd.backends.program import Program

log = logging.getLogger("symgd")

_Item = TypeVar("_Item")

_FUNCTION = 200  # statements in one function,
_MODULE = 2000  # and in one module
_SECONDS = 0.001  # to compile a statement
_PATIENCE = 20.0  # seconds of compilation before a message


class ArrayProgram:
    """A compiled program, and what has to live as long as it is called.

    call: the entry point, with the addresses of x, w, c and out.
    """

    def __init__(self, program: Program, layout: Layout, modules: list[jit.Module]) -> None:
        self.program, self.layout, self.modules = program, layout, modules
        self.constants = array("d", layout.constants or [0.0])
        self.address = modules[-1].address("evaluate")
        self.call = modules[-1].function("evaluate", 4)
        self._spare: list[_CallArrays] = []  # those that no other thread is using

    def evaluate(self, x: Any) -> NDArray[np.float64]:
        """The outputs at these inputs, a new array."""
        if len(x) != len(self.program.inputs):
            raise ValueError(f"x has {len(x)} numbers, not {len(self.program.inputs)}")
        arrays = self._arrays()
        arrays.x[...] = x
        self.call(*arrays.addresses)
        out: NDArray[np.float64] = arrays.out.copy()
        self._spare.append(arrays)
        jit.interrupted.check()
        return out

    @contextmanager
    def entered(self) -> Iterator[tuple[int, int, int]]:
        """The addresses of the function, w and c, for other machine code that calls it."""
        arrays = self._arrays()
        _, work, constants, _ = arrays.addresses
        yield self.address, work, constants
        self._spare.append(arrays)
        jit.interrupted.check()

    def _arrays(self) -> _CallArrays:
        try:
            return self._spare.pop()
        except IndexError:
            return _CallArrays(self)

    def at(self, *x: float) -> list[float]:
        """The outputs at these inputs."""
        return self.evaluate(x).tolist()  # type: ignore[no-any-return]


class _CallArrays:
    """The arguments of one call."""

    def __init__(self, code: ArrayProgram) -> None:
        self.x, self.out = np.empty(len(code.program.inputs)), np.empty(len(code.layout.outputs))
        self.work = np.empty(max(1, code.layout.work))
        x, work, out = (a.ctypes.data for a in (self.x, self.work, self.out))
        self.addresses = (x, work, code.constants.buffer_info()[0], out)


def compile_arrays(program: Program) -> ArrayProgram:
    """The compiled program, from the cache where it was compiled before."""
    # by identity: the hash of a program of 10^5 lines costs as much as its compilation, and what
    # is in the cache keeps the program alive
    return jit.remembered(("array program", id(program)), lambda: _compile(program))


def _compile(program: Program) -> ArrayProgram:
    layout = reroll(program)
    eliminate_dead_stores(layout)
    pieces = _chunks(layout.blocks, _is_loop, _statements, _FUNCTION)
    total = sum(map(_statements, layout.blocks))
    if total * _SECONDS > _PATIENCE:
        log.warning(
            "compiling %d statements takes about %.0f s; Ctrl-C stops it", total, total * _SECONDS
        )
    modules: list[jit.Module] = []
    addresses: dict[int, int] = {}
    loops = [_is_loop(piece[0]) for piece in pieces]
    sizes = [sum(map(_statements, piece)) for piece in pieces]
    order = sorted(range(len(pieces)), key=lambda k: not loops[k])
    for chunk in _chunks(order, loops.__getitem__, sizes.__getitem__, _MODULE):
        # straight-line code is not worth LLVM's time
        speed = 3 if loops[chunk[0]] else 1
        modules.append(_module(layout, [pieces[k] for k in chunk], speed))
        addresses |= {k: modules[-1].address(f"part{n}") for n, k in enumerate(chunk)}
    modules.append(_entry(layout, [addresses[k] for k in range(len(pieces))]))
    return ArrayProgram(program, layout, modules)


def _is_loop(block: LayoutBlock) -> bool:
    return isinstance(block, LaidOutSum) or block.count > 1


def _statements(block: LayoutBlock) -> int:
    return len(block.parts) if isinstance(block, LaidOutSum) else 1


def _chunks(
    items: Iterable[_Item], key: Callable[[_Item], bool], size: Callable[[_Item], int], limit: int
) -> list[list[_Item]]:
    """Neighbors of equal keys, as many as reach the limit of their sizes together."""
    found: list[list[_Item]] = []
    total = 0
    for item in items:
        if not found or total >= limit or key(item) != key(found[-1][0]):
            found.append([])
            total = 0
        found[-1].append(item)
        total += size(item)
    return found


def _module(layout: Layout, pieces: Sequence[Sequence[LayoutBlock]], speed: int) -> jit.Module:
    functions: list[str] = []
    declared: set[str] = set()
    for k, piece in enumerate(pieces):
        writer = ArrayFunction(layout, f"part{k}", k)
        functions += writer.text(piece)
        declared |= writer.e.declared
    return jit.compile_alone(jit.source(functions, declared), speed)


def _entry(layout: Layout, addresses: Iterable[int]) -> jit.Module:
    """The function that calls all the others and puts the outputs in their places."""
    writer = ArrayFunction(layout, "evaluate", 0)
    for address in addresses:
        target = f"inttoptr (i64 {address} to ptr)"
        writer.e.add_line(f"call i64 {target}(ptr %x, ptr %w, ptr %c, ptr %out)")
    return jit.compile_alone(jit.source(writer.text(outputs=layout.outputs), writer.e.declared))
