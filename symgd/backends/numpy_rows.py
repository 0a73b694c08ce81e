"""A Program with loops over rows -> a Python function, in NumPy over blocks of rows.

Rows are taken in blocks of `BLOCK`, each summed by NumPy's pairwise summation; the sums of the
blocks are added exactly and rounded once (math.fsum), in whatever order they came. So the bits
depend neither on how a table is cut into pieces (of a multiple of BLOCK rows) nor on who adds,
and the error of a sum of N terms is about 16 roundings of the sum of their magnitudes, whatever N
(N. Higham, 1993, The accuracy of floating point summation, SIAM J. Sci. Comput. 14(4), eq. 3.6).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from symgd.backends import lambdified
from symgd.backends.program import Loop, Program, StraightLine
from symgd.formula.nodes import Column, Name, Node, float_of, topological

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLOCK = 8192  # rows: what a few float64 columns need stays in the cache

Rows = Mapping[str, "NDArray[Any]"]


class Source(Protocol):
    """What a loop goes over: the rows in one or more pieces, the same ones at every pass."""

    def blocks(self) -> Iterable[Rows]: ...


def pieces(
    source: Source, columns: Sequence[str], most: int = BLOCK
) -> Iterator[list[NDArray[Any]]]:
    """The columns, as float64, in blocks of at most `most` rows."""
    import numpy as np

    for rows in source.blocks():
        arrays = [rows[name] for name in columns]
        count = len(arrays[0]) if arrays else len(next(iter(rows.values())))
        for start in range(0, count, most):
            yield [np.asarray(a[start : start + most], dtype=np.float64) for a in arrays]


class Step(Protocol):
    """A block that is ready to run. inputs: what it reads. symbols: what it computes."""

    inputs: list[Name]
    symbols: list[Name]

    def run(self, values: Sequence[float], source: Source) -> Iterable[float]:
        """The numbers that the block computes from those that it reads."""


RowFunction = Callable[[Sequence[float], Source], list[float]]


def compile_rows(program: Program, over: Callable[[Loop], Step] | None = None) -> RowFunction:
    """A function (inputs, source) -> outputs in order, in IEEE semantics: nothing raises.

    over: what runs a loop; NumPy, if it is left out.
    """
    later = _read_after(program)
    over = over or _Pass
    steps: list[Step] = [
        over(block) if isinstance(block, Loop) else _Line(block, keep)
        for block, keep in zip(program.blocks, later, strict=True)
    ]
    place = {name: k for k, name in enumerate(program.inputs)}  # in the list of what is known
    plan = []
    for step in steps:
        plan.append((step.run, [place[name] for name in step.inputs]))
        for symbol in step.symbols:
            place[symbol] = len(place)
    ends = [
        place[node] if isinstance(node, Name) else float(float_of(node) or 0.0)
        for node in program.outputs.values()
    ]

    def run(values: Sequence[float], source: Source) -> list[float]:
        known = list(values)
        for step, reads in plan:
            known += step([known[k] for k in reads], source)
        return [known[end] if isinstance(end, int) else end for end in ends]

    return run


def _read_after(program: Program) -> list[set[Node]]:
    """For each block, the symbols that later blocks or the outputs read."""
    needed = {o for o in program.outputs.values() if isinstance(o, Name)}
    found: list[set[Node]] = []
    for block in reversed(program.blocks):
        found.append(set(needed))
        needed |= set(names_read(block))
    return found[::-1]


def names_read(block: StraightLine | Loop) -> list[Name]:
    """The symbols that a block reads and does not assign itself, in a fixed order."""
    assigned = {symbol for symbol, _ in block.assignments}
    expressions = [e for _, e in block.assignments]
    if isinstance(block, Loop):
        expressions += [e for _, e in block.sums]
    leaves = [n for n in topological(expressions) if isinstance(n, Name)]
    return [n for n in leaves if n not in assigned and not isinstance(n, Column)]


class _Line:
    """A straight-line block over floats."""

    def __init__(self, block: StraightLine, keep: set[Node]) -> None:
        self.inputs = names_read(block)
        self.symbols = [symbol for symbol, _ in block.assignments if symbol in keep]
        outputs = {s.name: s for s in self.symbols}
        self.program = Program(tuple(self.inputs), (block,), outputs)
        self.fast = lambdified.compile_scalar(self.program)

    def run(self, values: Sequence[float], source: Source) -> Iterable[float]:
        try:
            out = self.fast(*values)
        except lambdified.ARITHMETIC_ERRORS:
            out = lambdified.evaluate(self.program, values)
        return [o if isinstance(o, bool) else float(o) for o in out]  # a condition stays one


class _Pass:
    """A loop: NumPy over blocks of rows."""

    def __init__(self, block: Loop) -> None:
        self.inputs = names_read(block)
        self.columns = [c.text for c in block.columns]
        self.symbols = [symbol for symbol, _ in block.sums]
        self.joined = peak if block.peaks else total
        self.function = row_function(
            [*block.columns, *self.inputs], block.assignments, [e for _, e in block.sums]
        )

    def run(self, values: Sequence[float], source: Source) -> Iterable[float]:
        import numpy as np

        fixed = [np.bool_(v) if isinstance(v, bool) else np.float64(v) for v in values]
        partial: list[list[float]] = [[] for _ in self.symbols]
        reduce = np.fmax.reduce if self.joined is peak else np.add.reduce
        with np.errstate(all="ignore"):
            for columns in pieces(source, self.columns):
                for sums, term in zip(partial, self.function(*columns, *fixed), strict=True):
                    sums.append(float(reduce(term)))
        return map(self.joined, partial)


def row_function(
    inputs: Sequence[Name], assignments: Sequence[tuple[Name, Node]], outputs: Sequence[Node]
) -> Callable[..., list[Any]]:
    """A function of the inputs, arrays of one length and numbers, that returns the outputs."""
    line = StraightLine(tuple(assignments))
    named = {str(k): node for k, node in enumerate(outputs)}
    return lambdified.compile_array(Program(tuple(inputs), (line,), named))


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
