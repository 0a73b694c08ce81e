"""A loss meets its data: which names are columns, and programs that run over the rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from symgd import names
from symgd._numpy import np
from symgd.backends.bound_nests import NestLayout, bind_native
from symgd.backends.compiler import compile_program
from symgd.backends.dispatch import choose_rows
from symgd.backends.lambdified import compile_total
from symgd.backends.nest_compiler import compile_nests
from symgd.backends.numpy_rows import BLOCK
from symgd.backends.program import Program
from symgd.calculus.reductions import constant_sums, lower
from symgd.calculus.stabilize import stabilize
from symgd.errors import ArgumentError, DataError, excerpt
from symgd.formula.graph import Graph
from symgd.formula.nodes import ROWS, Column, Name, Node, topological
from symgd.formula.parse import Formula
from symgd.formula.symbol_table import Columns

if TYPE_CHECKING:
    from symgd.backends.native.nests.nest_machine import BoundNests
    from symgd.data import Table

PASSES = 10  # over the rows, where their number is not known in advance

Function = Callable[..., list[float]]  # numbers -> numbers


def open_columns(data: Any, names: Sequence[str] | None = None) -> tuple[Any, Columns]:
    """The data as `read_columns` takes them, and their columns by name."""
    from symgd.data import Table, open_source

    opened = data if isinstance(data, Table) else open_source(data, names)
    return opened, Columns([name for name in opened.names if name])


def read_columns(
    opened: Any,
    columns: Sequence[str],
    drop_missing: bool = False,
    categories: Sequence[Collection[str]] = (),
    labels: Mapping[str, Sequence[str]] | None = None,
    origins: Mapping[str, Any] | None = None,
) -> Table:
    """These columns of what `open_columns` opened, or DataError; as `read_table` reads them."""
    from symgd.data import Table, read_table

    if not columns:
        raise DataError("the formula reads no column of the data")
    if isinstance(opened, Table):
        return opened
    try:
        return read_table(
            opened,
            columns,
            drop_missing=drop_missing,
            categories=categories,
            labels=labels,
            origins=origins,
        )
    except DataError as error:
        is_first = error.cell is not None and (error.row or error.line or 0) <= 2
        if (
            error.column in (labels or ())
            or not is_first
            or (error.hint and "is text" not in error.message)
        ):
            raise
        column, cell = (excerpt(str(text)) for text in (error.column, error.cell))
        hint = f"texts stand beside == and !=, or as subscripts: {column} == '{cell}', a[{column}]"
        raise replace(error, hint=hint) from None


def check_parameters(formula: Formula, columns: Columns, given: Sequence[str], what: str) -> None:
    """Refuse names given as parameters or constants that are columns, or ArgumentError."""
    spelled = {names.canonical(c) for c in formula.columns}
    for name in given:
        if name in spelled or (name not in formula.variables and name in columns):
            shown = names.escape(name)
            raise ArgumentError(
                f"'{shown}' is a column of the data, not {what}; it has a value in every row"
            )


@dataclass
class RowData:
    """The table of a loss, and the sums over it that hold no parameter, computed once.

    constants: by the id of such a sum, the input that stands for it. values: of the inputs.
    backend: what runs over the rows: auto, lambdify or native. threads: of machine code, at most;
    None: $SYMGD_THREADS, or as many as there are processors.
    """

    graph: Graph
    table: Table
    constants: dict[int, Name] = field(default_factory=dict)
    values: dict[Name, float] = field(default_factory=dict)
    backend: str = "auto"
    threads: int | None = None

    def __post_init__(self) -> None:
        self.values[ROWS] = float(self.table.rows)

    def portable(self) -> dict[str, Any]:
        """What pickles of it, to be given to `RowData` again: all but what a graph identifies."""
        names = ("table", "values", "backend", "threads")
        return {name: getattr(self, name) for name in names}

    @property
    def one_block(self) -> bool:
        """Whether the rows are in memory, and so few that a sum over them is one block's."""
        return not self.table.streamed and self.table.rows <= BLOCK

    def lower(self, roots: Sequence[Node]) -> list[Node]:
        """The roots as they run over rows: numerically stable, every mean a sum."""
        return lower(self.graph, stabilize(self.graph, roots))

    def settle(self, roots: Sequence[Node]) -> list[Node]:
        """The roots with every sum that holds no parameter replaced by an input."""
        found = [s for s in constant_sums(roots) if id(s) not in self.constants]
        if found:
            program = compile_program([ROWS], {str(k): s for k, s in enumerate(found)})
            sums = self.run(program, passes=1)(self.values[ROWS])
            for node, value in zip(found, sums, strict=True):
                self.constants[id(node)] = self.give(value)
        inputs = {key: self.graph.atom(name) for key, name in self.constants.items()}
        return self.graph.substitute(roots, inputs)

    def give(self, value: float) -> Name:
        """A new input of this value."""
        name = Name(f"k{len(self.values)}", f"#{len(self.values)}")
        self.values[name] = value
        return name

    def ranges(self, roots: Sequence[Node]) -> dict[Node, tuple[float, float]]:
        """(least, greatest) value of every column that the roots read, and the number of rows."""
        columns = columns_below(roots)
        ends: dict[Node, tuple[float, float]] = dict.fromkeys(columns, (math.inf, -math.inf))
        for rows in self.table.blocks():
            for column in columns:
                low, high = ends[column]
                values = rows[column.text]
                ends[column] = (min(low, float(values.min())), max(high, float(values.max())))
        return ends | {ROWS: (self.values[ROWS], self.values[ROWS])}

    def inputs(self, roots: Sequence[Node]) -> list[Name]:
        """The inputs among the leaves of `roots` that the data give."""
        return [n for n in topological(roots) if isinstance(n, Name) and n in self.values]

    def program(self, inputs: Sequence[Name], outputs: Mapping[str, Node]) -> Program:
        """The program over `inputs`, followed by what the data give (`more` has the values)."""
        roots = self.settle(list(outputs.values()))
        named = dict(zip(outputs, roots, strict=True))
        return compile_program([*inputs, *self.inputs(roots)], named)

    def more(self, program: Program) -> list[float]:
        """The values of the inputs of `program` that the data give."""
        return [self.values[name] for name in program.inputs if name in self.values]

    def run(self, program: Program, passes: int = PASSES) -> Function:
        """The program as a function of all its inputs; it never raises.

        passes: how often it is about to be called.
        """
        if not program.loops:
            return compile_total(program)
        function = choose_rows(self.backend, program, self.table.rows, passes, self.threads)
        return lambda *x: function(x, self.table)

    def bind(self, leaves: Sequence[Name], roots: Sequence[Node]) -> BoundNests:
        """Machine code, in one thread, that writes the roots: (leaves) -> (roots)."""
        roots = self.settle(roots)
        known = {n: self.graph.number(self.values[n]) for n in self.inputs(roots) if n is not ROWS}
        roots = self.graph.replace(roots, known)
        columns = columns_below(roots)
        outputs = {str(k): root for k, root in enumerate(roots)}
        layout = NestLayout(
            sizes={ROWS: self.table.rows},
            extents={},
            offsets={leaf.name: k for k, leaf in enumerate(leaves)},
            places={name: k for k, name in enumerate(outputs)},
            length=len(outputs),
        )
        data = {c.name: np.asarray(self.table.columns[c.text]) for c in columns}
        return bind_native(compile_nests(leaves, columns, outputs), layout, data, threads=1)

    def compile(self, program: Program, passes: int = PASSES) -> Function:
        """The program as a function of those inputs that the data do not give."""
        function, more = self.run(program, passes), self.more(program)
        return lambda *x: function(*x, *more)


def columns_below(roots: Sequence[Node]) -> list[Column]:
    """The columns that the roots read."""
    return [n for n in topological(roots) if isinstance(n, Column)]
