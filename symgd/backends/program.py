"""Program: the narrow waist between formulas and the machines that run them.

A program is a short list of blocks. A straight-line block is assignments `symbol = expression`
over inputs, earlier symbols and numbers, in order of evaluation; expressions are SymPy nodes of
`symgd.formula.graph`, each sub-expression that is used twice assigned once. A loop is such
assignments once per row of the data, over its columns too; what leaves it are sums over the rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import sympy

from symgd._cached import cached_property
from symgd.formula.functions.table import BY_CLASS, CHEAP, DIVIDE
from symgd.formula.nodes import (
    Both,
    Column,
    Either,
    Name,
    Negated,
    Node,
    Where,
    float_of,
    is_inverse,
    is_negation,
    relation,
    topological,
)
from symgd.formula.printing.plain import write
from symgd.names import escape


@dataclass(frozen=True)
class StraightLine:
    """Assignments in order of evaluation; a symbol is assigned once, before it is used."""

    assignments: tuple[tuple[Name, Node], ...]


@dataclass(frozen=True)
class Loop:
    """Assignments once per row of the data, and the sums over the rows that are kept.

    columns: what is read in each row. assignments: as in a straight line; they may read columns,
    inputs and what earlier blocks assigned. sums: (symbol, expression of one row). peaks: it is not
    the sum that is kept, but the largest value, or 0 where that is not finite.
    """

    columns: tuple[Column, ...]
    assignments: tuple[tuple[Name, Node], ...]
    sums: tuple[tuple[Name, Node], ...]
    peaks: bool = False


Block: TypeAlias = StraightLine | Loop


@dataclass(frozen=True)
class Program:
    """Inputs -> blocks -> outputs.

    inputs: the symbols that the caller gives values. blocks: what to evaluate, in order.
    outputs: name -> the symbol or number that holds it. guarded: the symbols assigned
    `where(condition, expression, 0)` because only branches read them; elsewhere they are not right.
    """

    inputs: tuple[Name, ...]
    blocks: tuple[Block, ...]
    outputs: Mapping[str, Node]
    guarded: frozenset[Name] = frozenset()

    def __str__(self) -> str:
        lines = [f"inputs {', '.join(escape(s.text) for s in self.inputs)}"]
        for block in self.blocks:
            lines += _written(block)
        lines += [f"output {escape(name)} = {write(e)}" for name, e in self.outputs.items()]
        return "\n".join(lines)

    @cached_property
    def loops(self) -> tuple[Loop, ...]:
        """The passes over the data."""
        return tuple(b for b in self.blocks if isinstance(b, Loop))

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """What all its blocks evaluate, arguments before what reads them."""
        return tuple(topological([e for b in self.blocks for e in _expressions(b)]))

    @cached_property
    def key(self) -> str:
        """A hash of what is computed: equal programs have equal keys in every process."""
        import hashlib  # what short runs do without

        return hashlib.sha256(str(self).encode()).hexdigest()

    @cached_property
    def operations(self) -> int:
        """How many operations one evaluation takes.

        A sum of n terms is n - 1, a call is 1, a call of a function of any number of arguments
        (hypot, logsumexp) as many as it has arguments. A loop counts once, as for data of one row.
        """
        return sum(_operations(e) for b in self.blocks for e in _expressions(b))

    @cached_property
    def cost(self) -> int:
        """The same, each operation weighted by its usual time in multiplications."""
        return sum(_cost(e) for b in self.blocks for e in _expressions(b))


def _expressions(block: Block) -> list[Node]:
    own = [e for _, e in block.assignments]
    return own + [e for _, e in block.sums] if isinstance(block, Loop) else own


def _written(block: Block) -> list[str]:
    lines = [f"{s.text} = {write(e)}" for s, e in block.assignments]
    if isinstance(block, StraightLine):
        return lines
    kept = "max=" if block.peaks else "+="
    lines += [f"{s.text} {kept} {write(e)}" for s, e in block.sums]
    listed = ", ".join(write(c) for c in block.columns)
    return [f"for each row of {listed}:", *(f"    {line}" for line in lines)]


def _operations(node: Node) -> int:
    return sum(_own(n, 1, 1) for n in topological([node]))


def _cost(node: Node) -> int:
    return sum(_own(n, CHEAP, DIVIDE) for n in topological([node]))


def _own(node: Node, cheap: int, divide: int) -> int:
    """The price of one node without its arguments; a change of sign is free."""
    weighted = divide != 1
    cls = node.func
    if not node.args or cls in (Both, Either, Negated):
        return 0
    if cls is sympy.Add:
        return cheap * (len(node.args) - 1)
    if cls is sympy.Mul:
        inverses = sum(is_inverse(a) for a in node.args[1:])
        plain = len(node.args) - 1 - inverses - is_negation(node)
        # each divisor is priced at its own Pow node below
        return cheap * plain
    if cls is sympy.Pow:
        value = float_of(node.args[1])
        if value == 2:
            return cheap
        if value in (-1, 0.5):
            return divide
        return 10 if weighted else 1
    if relation(node) is not None or cls is Where:
        return cheap
    row = BY_CLASS.get(cls)
    if row is None:
        return 1
    return (row.cost if weighted else 1) * (len(node.args) if row.variadic else 1)
