"""Loop rerolling: assignments of equal structure with evenly spaced operands become one loop.

The gradient of a sum of thousands of similar terms is thousands of similar assignments, t17 = x18 -
x17**2 and so on. Assignments of equal structure and depth whose operands have a constant stride are
merged, so code size and compile time do not grow with the number of parameters. Operands without a
constant stride are gathered through an index table. All other assignments stay straight-line code.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, pairwise
from typing import TypeAlias

from symgd.backends.expressions import Expression, Tree, statements
from symgd.backends.operations import OPERATORS
from symgd.backends.program import Program

_LEAST = 8  # fewer alike assignments are not worth a loop
_SUM = 8  # longer sums become loops over their terms


Operands: TypeAlias = "Strided | Gathered"
LayoutBlock: TypeAlias = "Rerolled | LaidOutSum"

#: The places of operands in a shape: a number, or a condition, which is 1 or 0 in memory.
LEAF, CONDITION = "x", "c"


@dataclass(frozen=True)
class Place:
    """Where an operand is: element `index` of the array x (inputs), w (work) or c (constants)."""

    array: str
    index: int


@dataclass(frozen=True)
class Item:
    """One statement: its shape, and the operands that stand in the places of its leaves."""

    shape: Expression
    operands: tuple[object, ...]


@dataclass
class Rerolled:
    """`count` items of one shape, the k-th of them called w[first + k].

    shape: the expression, with LEAF or CONDITION in place of each operand.
    operands: per leaf (array, start, stride), or (array, table of places) where they are scattered.
    into: where the first is stored, the others after it; None: nothing but its sum is read.
    total: the element of w that becomes the sum of all, if one wants it.
    """

    shape: Expression
    first: int
    count: int
    operands: list[Operands]
    into: Place | None
    total: int | None = None


@dataclass(frozen=True)
class Strided:
    """Operand k is array[start + stride*k]."""

    array: str
    start: int
    stride: int


@dataclass(frozen=True)
class Gathered:
    """Operand k is array[places[k]]."""

    array: str
    places: tuple[int, ...]


@dataclass
class LaidOutSum:
    """w[target] = a sum of signed operands, in order; even runs of them are loops."""

    target: int
    parts: list[tuple[int, Operands, int]]  # sign, operands, count


@dataclass
class Layout:
    """A program as loops and sums over arrays: x (inputs), c (constants) and w (work).

    outputs: where each output is, in the order of the program's.
    """

    blocks: list[LayoutBlock] = field(default_factory=list)
    constants: list[float] = field(default_factory=list)
    work: int = 0
    outputs: list[Place] = field(default_factory=list)


def reroll(program: Program) -> Layout:
    """The layout of a program, with its assignments rerolled into loops."""
    return _Reroller(program).layout()


@dataclass
class _Sum:
    """A long sum: signs and terms, each an input, a number or the key of an item."""

    terms: list[tuple[int, object]]


class _Reroller:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.inputs = {name: k for k, name in enumerate(program.names)}
        reads = Counter(chain.from_iterable([o.arguments for o in program.body]))
        reads.update({o: 2 for o in program.outputs.values() if isinstance(o, str)})
        self.once = {name for name, count in reads.items() if count == 1}
        self.items: dict[object, Item | _Sum] = {}
        self.level: dict[object, int] = {}
        self.constant: dict[float, int] = {}
        self.place: dict[object, int] = {}
        self.out = Layout()
        self.shapes: dict[Expression, Expression] = {}

    def layout(self) -> Layout:
        for statement in statements(self.program.body, self.program.outputs.values()):
            self._add(statement.result, statement.expression)
        for level in self._levels():
            self._emit(level)
        self.out.outputs = [self._where(o) for o in self.program.outputs.values()]
        return self.out

    # -- items ----------------------------------------------------------------------------

    def _add(self, name: str, expression: Expression) -> None:
        parts = _terms(expression)
        if len(parts) <= _SUM:
            self._item(name, expression)
            return
        terms = [(sign, self._term(name, k, part)) for k, (sign, part) in enumerate(parts)]
        self.items[name] = _Sum(self._flatten(terms))
        self.level[name] = 1 + max(self.level.get(key, 0) for _, key in terms)

    def _flatten(self, terms: list[tuple[int, object]]) -> list[tuple[int, object]]:
        """A sum that goes on with another one, used nowhere else, is one long sum."""
        sign, key = terms[0]
        inner = self.items.get(key)
        if sign == 1 and isinstance(inner, _Sum) and key in self.once:
            del self.items[key]
            return [*inner.terms, *terms[1:]]
        return terms

    def _term(self, name: str, k: int, term: Tree) -> object:
        """The key of a term of a sum: itself if it is a leaf, else an item of its own."""
        if not isinstance(term, Expression):
            return term
        key = (name, k)
        self._item(key, term)
        return key

    def _item(self, key: object, expression: Expression) -> None:
        operands: list[object] = []
        shape = _shape(expression, operands)
        shape = self.shapes.setdefault(shape, shape)
        self.items[key] = Item(shape, tuple(operands))
        self.level[key] = 1 + max((self.level.get(o, 0) for o in operands), default=0)

    # -- places ---------------------------------------------------------------------------

    def _levels(self) -> Iterator[list[object]]:
        """The keys by depth; what is deeper needs what is not."""
        by_level: dict[int, list[object]] = {}
        for key in self.items:
            by_level.setdefault(self.level[key], []).append(key)
        for level in sorted(by_level):
            yield by_level[level]

    def _emit(self, keys: Sequence[object]) -> None:
        shapes: dict[Expression, list[object]] = {}
        for key in keys:
            item = self.items[key]
            if isinstance(item, Item):
                shapes.setdefault(item.shape, []).append(key)
        for alike in shapes.values():
            self._reroll_shape(alike)
        for key in keys:
            item = self.items[key]
            if isinstance(item, _Sum):
                target = self._new(key)
                self.out.blocks.append(LaidOutSum(target, list(self._parts(item.terms))))

    def _new(self, key: object) -> int:
        self.place[key] = self.out.work
        self.out.work += 1
        return self.place[key]

    def _where(self, operand: object) -> Place:
        if isinstance(operand, float):
            if operand not in self.constant or str(operand) == "-0.0":
                self.constant[operand] = len(self.out.constants)
                self.out.constants.append(operand)
            return Place("c", self.constant[operand])
        if isinstance(operand, str) and operand in self.inputs:
            return Place("x", self.inputs[operand])
        return Place("w", self.place[operand])

    def _reroll_shape(self, keys: Sequence[object]) -> None:
        """The items of one shape and depth: even runs, then one scattered loop or single ones."""
        found: list[Item] = [self.items[k] for k in keys]  # type: ignore[misc]
        rows = [tuple(self._where(o) for o in item.operands) for item in found]
        scattered: list[int] = []
        for start, stop in runs(rows):
            if stop - start >= _LEAST:
                self._add_loop(found[start], keys[start:stop], rows[start:stop])
            else:
                scattered += range(start, stop)
        if len(scattered) < _LEAST or not _same_arrays([rows[k] for k in scattered]):
            for k in scattered:
                self._add_loop(found[k], [keys[k]], [rows[k]])
        else:
            self._add_loop(found[0], [keys[k] for k in scattered], [rows[k] for k in scattered])

    def _add_loop(
        self, item: Item, keys: Sequence[object], rows: Sequence[tuple[Place, ...]]
    ) -> None:
        first = self.out.work
        for key in keys:
            self._new(key)
        columns = [column(places) for places in zip(*rows, strict=True)]
        into = Place("w", first)
        self.out.blocks.append(Rerolled(item.shape, first, len(keys), columns, into))

    def _parts(self, terms: Sequence[tuple[int, object]]) -> Iterator[tuple[int, Operands, int]]:
        """A sum's terms, sorted into even runs: those of one array and sign with one stride."""
        kinds: dict[tuple[int, str], list[int]] = {}
        for sign, key in terms:
            place = self._where(key)
            kinds.setdefault((sign, place.array), []).append(place.index)
        for (sign, array), indices in kinds.items():
            indices.sort()  # the order of terms is free here, as in every parallel sum
            rows = [(Place(array, i),) for i in indices]
            rest: list[int] = []
            for start, stop in runs(rows):
                if stop - start >= _LEAST:
                    yield sign, column([r[0] for r in rows[start:stop]]), stop - start
                else:
                    rest += indices[start:stop]
            if rest:
                yield sign, column([Place(array, i) for i in rest]), len(rest)


def _terms(expression: Tree) -> list[tuple[int, Tree]]:
    """The terms of a sum from left to right, each with its sign."""
    found: list[tuple[int, Tree]] = []
    while isinstance(expression, Expression) and expression.name in ("add", "sub"):
        sign = 1 if expression.name == "add" else -1
        expression, last = expression.arguments
        found.append((sign, last))
    if isinstance(expression, Expression) and expression.name == "neg":
        return [(-1, expression.arguments[0]), *reversed(found)]
    return [(1, expression), *reversed(found)]


def _shape(tree: Expression, operands: list[object]) -> Expression:
    """The expression with its operands left out, which are names, and numbers but for exponents."""
    arguments: list[Tree] = []
    letters = OPERATORS[tree.name].reads if tree.name in OPERATORS else LEAF * len(tree.arguments)
    for k, (letter, argument) in enumerate(zip(letters, tree.arguments, strict=True)):
        if isinstance(argument, Expression):
            arguments.append(_shape(argument, operands))
        elif tree.name == "pow" and k == 1 and isinstance(argument, float):
            arguments.append(argument)
        else:
            operands.append(argument)
            arguments.append(letter)
    return Expression(tree.name, tuple(arguments))


def runs(rows: Sequence[tuple[Place, ...]]) -> Iterator[tuple[int, int]]:
    """[start, stop) of the longest stretches in which every operand moves by a constant stride."""
    start = 0
    while start < len(rows):
        stop = start + 1
        if stop < len(rows):
            strides = [b.index - a.index for a, b in zip(rows[start], rows[stop], strict=True)]
            while stop < len(rows) and _steps(rows[stop - 1], rows[stop], strides):
                stop += 1
        if stop - start == 2 and stop < len(rows):  # the second may begin a longer run
            stop = start + 1
        yield start, stop
        start = stop


def _steps(before: tuple[Place, ...], after: tuple[Place, ...], strides: Sequence[int]) -> bool:
    return all(
        a.array == b.array and b.index - a.index == s
        for a, b, s in zip(before, after, strides, strict=True)
    )


def _same_arrays(rows: Sequence[tuple[Place, ...]]) -> bool:
    return all(a.array == b.array for row in rows for a, b in zip(rows[0], row, strict=True))


def column(places: Sequence[Place]) -> Operands:
    """The operands at these places of one array."""
    indices = [p.index for p in places]
    stride = indices[1] - indices[0] if len(indices) > 1 else 0
    if all(b - a == stride for a, b in pairwise(indices)):
        return Strided(places[0].array, indices[0], stride)
    return Gathered(places[0].array, tuple(indices))
