"""Program: the intermediate representation between formulas and backends.

A program is a short list of blocks, and a block a list of operations (`symgd.backends.operations`)
over inputs, earlier results and numbers, in order of evaluation. A straight-line block is evaluated
once. A loop is evaluated once per row of the data; its results are sums over the rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from symgd import names
from symgd._locks import cached_property
from symgd.backends.expressions import (
    ARITHMETIC,
    OperationPrinter,
    Spelling,
    Statement,
    statements,
)
from symgd.backends.operations import Operand, Operation
from symgd.formula.nodes import Column, Name
from symgd.formula.printing.precedence import ATOM, OR, POWER, PRODUCT, SUM


@dataclass(frozen=True)
class StraightLine:
    """Operations in order of evaluation; a name is assigned once, before it is read."""

    body: tuple[Operation, ...]


@dataclass(frozen=True)
class Loop:
    """Operations once per row of the data, and the sums over the rows that are kept.

    columns: what is read in each row. body: as in a straight line; it may read columns, inputs and
    results of earlier blocks. sums: (result, term of one row). peaks: it is not the sum that is
    kept, but the largest value, or 0 where that is not finite.
    """

    columns: tuple[Column, ...]
    body: tuple[Operation, ...]
    sums: tuple[tuple[str, Operand], ...]
    peaks: bool = False

    def __str__(self) -> str:
        return "\n".join(_loop(self, FormulaPrinter(self.columns)))


Block: TypeAlias = StraightLine | Loop


@dataclass(frozen=True)
class Program:
    """Inputs -> blocks -> outputs.

    inputs: the symbols that the caller gives values. blocks: what to evaluate, in order.
    outputs: name -> the name or number that holds it.
    """

    inputs: tuple[Name, ...]
    blocks: tuple[Block, ...]
    outputs: Mapping[str, Operand]

    def __str__(self) -> str:
        symbols = [*self.inputs, *(c for loop in self.loops for c in loop.columns)]
        printer = FormulaPrinter(symbols)
        lines = [f"inputs {', '.join(names.escape(s.text) for s in self.inputs)}"]
        for block, kept in zip(self.blocks, self.read_after, strict=True):
            if isinstance(block, Loop):
                lines += _loop(block, printer)
            else:
                lines += [printer.statement(s) for s in statements(block.body, kept)]
        lines += [f"output {names.escape(n)} = {printer.write(o)}" for n, o in self.outputs.items()]
        return "\n".join(lines)

    @cached_property
    def loops(self) -> tuple[Loop, ...]:
        """The passes over the data."""
        return tuple(b for b in self.blocks if isinstance(b, Loop))

    @cached_property
    def body(self) -> tuple[Operation, ...]:
        """The operations of all blocks, in order."""
        return tuple(operation for block in self.blocks for operation in block.body)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the inputs, as operations read them."""
        return tuple(symbol.name for symbol in self.inputs)

    @cached_property
    def read_after(self) -> list[set[str]]:
        """For each block, the names that later blocks or the outputs read."""
        needed = {o for o in self.outputs.values() if isinstance(o, str)}
        found = [needed]
        for block in reversed(self.blocks[1:]):
            needed = needed.union(names_read(block))
            found.append(needed)
        return found[::-1]

    @cached_property
    def key(self) -> str:
        """A hash of what is computed: equal programs have equal keys in every process."""
        import hashlib  # what short runs do without

        symbols = [*self.inputs, *(c for loop in self.loops for c in loop.columns)]
        loops = [(b.sums, b.peaks) if isinstance(b, Loop) else () for b in self.blocks]
        bodies = [[tuple(o) for o in block.body] for block in self.blocks]
        texts = [(s.name, s.text) for s in symbols]
        whole = repr((texts, bodies, loops, list(self.outputs.items())))
        return hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()

    @cached_property
    def operations(self) -> int:
        """How many operations one evaluation takes.

        A sum of n terms is n - 1, a call is 1, a call of a function of any number of arguments
        (hypot, logsumexp) as many as it has arguments. A loop counts once, as for data of one row.
        """
        return sum(o.weight for o in self.body)

    @cached_property
    def cost(self) -> int:
        """The same, each operation weighted by its usual time in multiplications."""
        return sum(o.cost for o in self.body)


def names_read(block: Block) -> list[str]:
    """The names that a block reads and does not assign itself, without columns, in order."""
    own = {o.result for o in block.body}
    read = [name for o in block.body for name in o.names]
    if isinstance(block, Loop):
        own.update(column.name for column in block.columns)
        read += [term for _, term in block.sums if isinstance(term, str)]
    return [name for name in dict.fromkeys(read) if name not in own]


_SPELLINGS = ARITHMETIC | {
    "square": Spelling("{}**2", POWER, (ATOM,)),
    "pow": Spelling("{}**{}", POWER, (ATOM, POWER)),
    "select": Spelling("where({}, {}, {})", ATOM, (OR, OR, OR)),
    "and": Spelling("{} and {}", PRODUCT, (PRODUCT, ATOM)),
    "or": Spelling("{} or {}", SUM, (SUM, PRODUCT)),
    "not": Spelling("not {}", PRODUCT, (ATOM,)),
    "guarded": Spelling("{1} if {0}", OR, (OR, OR)),
}


class FormulaPrinter(OperationPrinter):
    """Writes operations in the formula language, with the names of the inputs."""

    def __init__(self, symbols: Sequence[Name]) -> None:
        super().__init__(_SPELLINGS)
        self.shown = {s.name: _shown(s) for s in symbols}

    def name(self, name: str) -> str:
        return self.shown.get(name, name)

    def number(self, value: float) -> str:
        return repr(int(value)) if value == int(value) and abs(value) < 2**53 else repr(value)

    def statement(self, statement: Statement) -> str:
        return f"{statement.result} = {self.write(statement.guarded)}"


def _shown(symbol: Name) -> str:
    quoted = isinstance(symbol, Column) and not names.is_variable(symbol.text)
    return f"`{names.escape(symbol.text)}`" if quoted else names.escape(symbol.text)


def _loop(loop: Loop, printer: FormulaPrinter) -> list[str]:
    lines = [printer.statement(s) for s in statements(loop.body, [term for _, term in loop.sums])]
    kept = "max=" if loop.peaks else "+="
    lines += [f"{result} {kept} {printer.write(term)}" for result, term in loop.sums]
    listed = ", ".join(printer.shown[c.name] for c in loop.columns)
    return [f"for each row of {listed}:", *(f"    {line}" for line in lines)]
