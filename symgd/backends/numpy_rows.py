"""Compile a Program with loops over rows to a Python function: NumPy over blocks of rows.

Rows are taken in blocks of `BLOCK`, each summed by NumPy's pairwise summation; the sums of the
blocks are added exactly and rounded once (math.fsum), so their order does not matter. The result
depends neither on how a table is split into chunks (multiples of BLOCK rows) nor on the threads,
and the error of a sum of N terms is about 16 roundings of the sum of their magnitudes, whatever N
(N. Higham, 1993, The accuracy of floating point summation, SIAM J. Sci. Comput. 14(4), eq. 3.6).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from symgd._numpy import NDArray, np
from symgd.backends import lambdified
from symgd.backends.program import Nest, Program, StraightLine, names_read
from symgd.formula.nodes import Column, Name

BLOCK = 8192  # rows: what a few float64 columns need stays in the cache

Rows = Mapping[str, "NDArray[Any]"]


class Source(Protocol):
    """What a loop goes over: the rows in one or more pieces, the same ones at every pass."""

    def blocks(self) -> Iterable[Rows]: ...


def pieces(
    source: Source, columns: Sequence[str], most: int = BLOCK
) -> Iterator[list[NDArray[Any]]]:
    """The columns, as float64, in blocks of at most `most` rows."""
    for rows in source.blocks():
        arrays = [rows[name] for name in columns]
        count = len(arrays[0]) if arrays else len(next(iter(rows.values())))
        for start in range(0, count, most):
            yield [np.asarray(a[start : start + most], dtype=np.float64) for a in arrays]


class CompiledBlock(Protocol):
    """A compiled block. inputs: the names that it reads. results: those that it computes."""

    inputs: list[str]
    results: list[str]

    def run(self, values: Sequence[float], source: Source) -> Iterable[float]:
        """The numbers that the block computes from those that it reads."""


RowFunction = Callable[[Sequence[float], Source], list[float]]


def compile_rows(
    program: Program, over: Callable[[Nest, Sequence[Column]], CompiledBlock] | None = None
) -> RowFunction:
    """A function (inputs, source) -> outputs in order, in IEEE semantics: nothing raises.

    over: what runs a nest over these columns; NumPy, if it is left out.
    """
    over = over or RowNest
    steps: list[CompiledBlock] = [
        over(block, program.read_by(block))
        if isinstance(block, Nest)
        else _ScalarBlock(block, keep)
        for block, keep in zip(program.blocks, program.read_after, strict=True)
    ]
    place = {name: k for k, name in enumerate(program.names)}  # in the list of what is known
    plan = []
    for step in steps:
        plan.append((step.run, [place[name] for name in step.inputs]))
        for name in step.results:
            place[name] = len(place)
    ends = [place[o] if isinstance(o, str) else o for o in program.outputs.values()]

    def run(values: Sequence[float], source: Source) -> list[float]:
        known = list(values)
        for step, reads in plan:
            known += step([known[k] for k in reads], source)
        return [known[end] if isinstance(end, int) else end for end in ends]

    return run


class _ScalarBlock:
    """A straight-line block over floats."""

    def __init__(self, block: StraightLine, keep: set[str]) -> None:
        self.inputs = names_read(block)
        self.results = [o.result for o in block.body if o.result in keep]
        outputs = {name: name for name in self.results}
        self.program = Program(tuple(map(Name, self.inputs)), (block,), outputs)
        self.fast = lambdified.compile_scalar(self.program)

    def run(self, values: Sequence[float], source: Source) -> Iterable[float]:
        try:
            out = self.fast(*values)
        except lambdified.ARITHMETIC_ERRORS:
            out = lambdified.evaluate(self.program, values)
        return [o if isinstance(o, bool) else float(o) for o in out]  # a condition stays one


class RowNest:
    """A nest over rows: NumPy over blocks of them."""

    def __init__(self, nest: Nest, columns: Sequence[Column]) -> None:
        self.inputs, self.join = names_read(nest), join(nest)
        self.peaks = self.join is peak
        self.columns = [c.text for c in columns]
        self.results = [store.target for store in nest.stores]
        terms = {str(k): store.value for k, store in enumerate(nest.stores)}
        inputs, line = (*columns, *map(Name, self.inputs)), StraightLine(nest.body)
        self.function = lambdified.compile_array(Program(inputs, (line,), terms))

    def run(self, values: Sequence[float], source: Source) -> Iterable[float]:
        fixed = [np.bool_(v) if isinstance(v, bool) else np.float64(v) for v in values]
        parts = self.parts(fixed, source)
        return (self.join(list(map(float, p))) for p in parts)

    def parts(self, values: Sequence[Any], source: Source, most: int = BLOCK) -> list[list[Any]]:
        """Of each sum, that of each block of at most `most` rows.

        values: of the inputs; numbers, or (N, 1) arrays, of which the sums are (N,).
        """
        found: list[list[Any]] = [[] for _ in self.results]
        reduce = (np.fmax if self.peaks else np.add).reduce
        with np.errstate(all="ignore"):
            for columns in pieces(source, self.columns, most):
                for sums, term in zip(found, self.function(*columns, *values), strict=True):
                    sums.append(reduce(term, axis=-1))
        return found


def join(nest: Nest) -> Callable[[Sequence[float]], float]:
    """What joins the sums of blocks, or their peaks."""
    return peak if nest.stores[0].mode == "peak=" else total


def total(partial: Sequence[float]) -> float:
    """The sum, rounded once; where it is infinite or undefined, what IEEE addition says."""
    try:
        return math.fsum(partial)
    except (OverflowError, ValueError):
        return float(sum(partial))


def peak(partial: Sequence[float]) -> float:
    """The largest that is a number, or 0 where that is not finite."""
    top = max((p for p in partial if p == p), default=0.0)
    return top if math.isfinite(top) else 0.0
