"""Program: the intermediate representation between formulas and backends.

A program is a short list of blocks, and a block a list of operations (`symgd.backends.operations`)
over inputs, earlier results and numbers, in order of evaluation. A straight line is evaluated once,
a nest for all values of its indices. A Program has nests over the rows of the data, whose results
are sums; those over the elements of arrays are in a `symgd.backends.nests.NestProgram`.
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
from symgd.formula.indices import Affine, Index
from symgd.formula.nodes import Column, Name
from symgd.formula.printing.precedence import ATOM, OR, POWER, PRODUCT, SUM


@dataclass(frozen=True)
class StraightLine:
    """Operations in order of evaluation; a name is assigned once, before it is read."""

    body: tuple[Operation, ...]


#: Affine in indices and sizes; or the name of a value of the body, a whole number from the data.
Subscript: TypeAlias = "Affine | str"


@dataclass(frozen=True)
class Load:
    """The element of an array that a name of the body stands for.

    array: the identifier of a parameter array, of data, or of a temporary. subscripts: as many as
    the array has axes, each from 1 up; a temporary is read at its axes. A column of the data,
    `Column` or `ColumnVector`, has the row as its first axis.
    """

    array: str
    subscripts: tuple[Subscript, ...] = ()


@dataclass(frozen=True)
class Store:
    """target[subscripts] mode value.

    target: a temporary, or the gradient of an array of parameters ("g_" + identifier).
    mode: `=`; or what accumulates: `+=` from 0, `*=` from 1, `max=` from -inf, which is nan where a
    value is nan, `peak=` from -inf, which ignores nan. Gradients are accumulated with `+=` from 0.
    A temporary has one store in the whole program.
    """

    target: str
    subscripts: tuple[Subscript, ...]
    mode: str
    value: Operand


@dataclass(frozen=True)
class Nest:
    """For all values of `indices`, outermost first: the loads, the body, the stores.

    indices: empty for a straight line, which is evaluated once. loads: by name; a subscript of one
    may be another load, or a result of the body that depends on other loads. body: over loaded
    names, scalars and numbers of the program, and the identifiers of indices, as numbers.
    """

    indices: tuple[Index, ...]
    loads: Mapping[str, Load]
    body: tuple[Operation, ...]
    stores: tuple[Store, ...]


Block: TypeAlias = StraightLine | Nest


@dataclass(frozen=True)
class Program:
    """Inputs -> blocks -> outputs.

    inputs: the symbols that the caller gives values. blocks: what to evaluate, in order.
    outputs: name -> the name or number that holds it. columns: of the data, that its nests read.
    """

    inputs: tuple[Name, ...]
    blocks: tuple[Block, ...]
    outputs: Mapping[str, Operand]
    columns: tuple[Column, ...] = ()

    def __str__(self) -> str:
        printer = FormulaPrinter([*self.inputs, *self.columns])
        lines = [f"inputs {', '.join(names.escape(s.text) for s in self.inputs)}"]
        for block, kept in zip(self.blocks, self.read_after, strict=True):
            if isinstance(block, Nest):
                lines += _nest(block, printer)
            else:
                lines += [printer.statement(s) for s in statements(block.body, kept)]
        lines += [f"output {names.escape(n)} = {printer.write(o)}" for n, o in self.outputs.items()]
        return "\n".join(lines)

    @cached_property
    def loops(self) -> tuple[Nest, ...]:
        """The passes over the data."""
        return tuple(b for b in self.blocks if isinstance(b, Nest))

    def read_by(self, nest: Nest) -> list[Column]:
        """The columns that a nest reads."""
        return [c for c in self.columns if c.name in nest.loads]

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

        stores = [b.stores if isinstance(b, Nest) else () for b in self.blocks]
        bodies = [[tuple(o) for o in block.body] for block in self.blocks]
        texts = [(s.name, s.text) for s in (*self.inputs, *self.columns)]
        whole = repr((texts, bodies, stores, list(self.outputs.items())))
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
    """The names that a block reads and does not assign or load itself, in order."""
    own = {o.result for o in block.body}
    read = [name for o in block.body for name in o.names]
    if isinstance(block, Nest):
        own.update(block.loads)
        read += [store.value for store in block.stores if isinstance(store.value, str)]
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


def _nest(nest: Nest, printer: FormulaPrinter) -> list[str]:
    """A nest over the rows."""
    lines = [printer.statement(s) for s in statements(nest.body, [s.value for s in nest.stores])]
    lines += [f"{s.target} {s.mode} {printer.write(s.value)}" for s in nest.stores]
    listed = ", ".join(printer.shown[name] for name in nest.loads)
    return [f"for each row of {listed}:", *(f"    {line}" for line in lines)]
