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
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from symgd.backends.native import jit
from symgd.backends.native.array_function import ArrayFunction
from symgd.backends.native.dead_store_elimination import arrange
from symgd.backends.native.loop_rerolling import (
    Layout,
    Roll,
    Total,
    roll,
)
from symgd.backends.program import Program

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

log = logging.getLogger("symgd")

_FUNCTION = 200  # statements in one function,
_MODULE = 2000  # and in one module
_SECONDS = 0.001  # to compile a statement
_PATIENCE = 20.0  # seconds of compilation before a message


@dataclass
class Large:
    """A compiled program: its entry point, and what has to live as long as it is called."""

    layout: Layout
    constants: array[float]
    modules: list[jit.Module]
    address: int
    program: Program

    def __post_init__(self) -> None:
        self.call = self.modules[-1].function("evaluate", 4)

    def arrays(self) -> Callable[[Any], NDArray[np.float64]]:
        """The same from a float64 array to a new one, for callers who have and want arrays."""
        import numpy as np

        inputs, count = len(self.program.inputs), len(self.layout.outputs)
        room, fixed = max(1, self.layout.work), self.constants.buffer_info()[0]
        call, caught = self.call, jit.interrupted

        def buffers() -> tuple[Any, Any, Any, list[int]]:
            x, work, out = np.empty(inputs), np.empty(room), np.empty(count)
            places = [a.ctypes.data for a in (x, work, out)]
            return x, work, out, [places[0], places[1], fixed, places[2]]

        spare = [buffers()]  # those that no other thread is using

        def evaluate(x: Any) -> NDArray[np.float64]:
            if len(x) != inputs:
                raise ValueError(f"x has {len(x)} numbers, not {inputs}")
            try:
                arrays = spare.pop()
            except IndexError:
                arrays = buffers()
            arrays[0][...] = x
            call(*arrays[3])
            out: NDArray[np.float64] = arrays[2].copy()
            spare.append(arrays)
            if caught.error is not None:
                caught.check()
            return out

        return evaluate

    def at(self, *x: float) -> list[float]:
        """The same with the inputs one by one."""
        return self.evaluate(x)

    def evaluate(self, x: Sequence[float]) -> list[float]:
        """The outputs at these inputs."""
        inputs, work = array("d", x), array("d", bytes(8 * max(1, self.layout.work)))
        out = array("d", bytes(8 * len(self.layout.outputs)))
        buffers = (inputs, work, self.constants, out)
        self.call(*(b.buffer_info()[0] for b in buffers))
        jit.interrupted.check()
        return out.tolist()


def compile_large(program: Program) -> Large:
    """The compiled program, from memory where it was compiled before."""
    # by identity: the hash of a program of 10^5 lines costs as much as its compilation, and what
    # is remembered keeps the program alive
    return jit.remembered(("large", id(program)), lambda: _compile(program))


def _compile(program: Program) -> Large:
    layout = roll(program)
    arrange(layout)
    pieces = _pieces(layout)
    total = sum(p.statements for p in pieces)
    if total * _SECONDS > _PATIENCE:
        log.warning(
            "compiling %d statements takes about %.0f s; Ctrl-C stops it", total, total * _SECONDS
        )
    modules: list[jit.Module] = []
    names: dict[int, int] = {}
    for kind in (True, False):
        chosen = [k for k, piece in enumerate(pieces) if piece.loops is kind]
        for group in _groups(chosen, pieces):
            modules.append(_module(layout, [pieces[k] for k in group], speed=3 if kind else 1))
            names |= {k: modules[-1].address(f"part{n}") for n, k in enumerate(group)}
    modules.append(_entry(layout, [names[k] for k in range(len(pieces))]))
    constants = array("d", layout.constants or [0.0])
    return Large(layout, constants, modules, modules[-1].address("evaluate"), program)


@dataclass
class _Piece:
    """What goes into one function: loops, which are worth optimizing, or straight-line code."""

    loops: bool
    blocks: list[Roll | Total] = field(default_factory=list)
    statements: int = 0


def _pieces(layout: Layout) -> list[_Piece]:
    pieces: list[_Piece] = []
    for block in layout.blocks:
        loops = isinstance(block, Total) or block.count > 1
        full = bool(pieces) and pieces[-1].statements >= _FUNCTION
        if not pieces or full or pieces[-1].loops is not loops:
            pieces.append(_Piece(loops))
        pieces[-1].blocks.append(block)
        pieces[-1].statements += len(block.parts) if isinstance(block, Total) else 1
    return pieces


def _groups(chosen: Sequence[int], pieces: Sequence[_Piece]) -> Iterator[list[int]]:
    """The pieces of one module after the other."""
    group: list[int] = []
    for k in chosen:
        group.append(k)
        if sum(pieces[g].statements for g in group) > _MODULE:
            yield group
            group = []
    if group:
        yield group


def _module(layout: Layout, pieces: Sequence[_Piece], speed: int) -> jit.Module:
    functions: list[str] = []
    declared: set[str] = set()
    for k, piece in enumerate(pieces):
        writer = ArrayFunction(layout, f"part{k}", k)
        functions += writer.text(piece.blocks)
        declared |= writer.e.declared
    return jit.compile_alone(jit.source(functions, declared), speed)


def _entry(layout: Layout, addresses: Iterable[int]) -> jit.Module:
    """The function that calls all the others and puts the outputs in their places."""
    writer = ArrayFunction(layout, "evaluate", 0)
    for address in addresses:
        target = f"inttoptr (i64 {address} to ptr)"
        writer.e.add_line(f"call i64 {target}(ptr %x, ptr %w, ptr %c, ptr %out)")
    return jit.compile_alone(jit.source(writer.text(outputs=layout.outputs), writer.e.declared))
