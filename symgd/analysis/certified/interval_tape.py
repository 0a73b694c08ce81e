"""A graph of nodes as array instructions on intervals: enclosures and hull consistency of boxes.

All nodes of one depth and one operation are one array operation, over many boxes at once. Forward,
a tape encloses the values of the nodes; backward, bounds of a result bound the arguments (HC4;
Benhamou, Goualard, Granvilliers, Puget 1999, Revising hull and box consistency).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import sympy

from symgd._locks import cached_property
from symgd._numpy import NDArray, np
from symgd.analysis.certified import interval_arrays as ia
from symgd.analysis.certified.interval_arrays import Array, Bounds, IntervalOperation
from symgd.formula.functions.compile_formula import LETTERS
from symgd.formula.functions.table import BY_CLASS, Function
from symgd.formula.nodes import (
    ROWS,
    Node,
    RowMean,
    RowSum,
    Where,
    float_of,
    relation,
    topological,
)
from symgd.formula.parse import substituted


@dataclass(frozen=True)
class _Block:
    """The slots of a node: one, or one per row. level: the depth. constant: reads no parameter."""

    slots: NDArray[np.intp]
    level: int = 0
    constant: bool = False

    def __getitem__(self, part: slice) -> _Block:
        return _Block(self.slots[part], self.level, self.constant)


class IntervalTape:
    """Enclosures of nodes over N boxes: lower and upper bounds of slots, (slots, N) each.

    params: the leaves that boxes bound, the first slots. data: values of other leaves, (1,) or
    (rows,). base: a tape whose slots come next, and are only read.
    """

    def __init__(
        self,
        roots: Sequence[Node],
        params: Sequence[Node],
        data: Mapping[Node, Array],
        rows: int = 1,
        base: IntervalTape | None = None,
    ) -> None:
        self._data, self._rows = data, rows
        self._blocks = {id(p): _Block(np.array([k])) for k, p in enumerate(params)}
        self.size = len(params)
        if base is not None:
            self._blocks, self.size = dict(base._blocks), base.size
        self._given = self.size
        self._constants: list[tuple[NDArray[np.intp], Array, Array]] = []
        self._groups: dict[tuple[object, ...], _Group] = {}
        self._nodes: list[Node] = [*roots, *params]  # keeps the ids alive
        self._compile(roots, self._blocks)
        groups = [self._groups[key] for key in sorted(self._groups)]
        number = self._numbers([np.concatenate(group.out) for group in groups])
        self.steps = [_Step(group, number) for group in groups]
        self._constants = [(number[of], low, high) for of, low, high in self._constants]
        self._blocks = {key: replace(b, slots=number[b.slots]) for key, b in self._blocks.items()}

    def _numbers(self, outs: Sequence[NDArray[np.intp]]) -> NDArray[np.intp]:
        """New numbers of the slots, such that those that a step writes are consecutive."""
        number = np.arange(self.size)
        order = [number[: self._given], *(slots for slots, _, _ in self._constants), *outs]
        number[np.concatenate(order)] = np.arange(self.size)
        return number

    def slot(self, node: Node) -> int:
        """The slot of a node that is the same in all rows."""
        return int(self.slots(node)[0])

    def slots(self, node: Node) -> NDArray[np.intp]:
        """The slots of a node: one, or one per row."""
        return self._blocks[id(node)].slots

    # -- running -----------------------------------------------------------------------------------

    def enclose(self, low: Array, high: Array) -> Bounds:
        """All slots enclosed. low, high: of the parameters, (P, N), or of the base's slots."""
        bottom, top = np.empty((2, self.size, low.shape[1]))
        bottom[: self._given], top[: self._given] = low, high
        for slots, least, most in self._constants:
            bottom[slots], top[slots] = least[:, None], most[:, None]
        with np.errstate(all="ignore"):
            for step in self.steps:
                bottom[step.out], top[step.out] = step.enclosure(bottom, top)
        return bottom, top

    def forward(self, bounds: Bounds) -> None:
        """Every slot intersected with the enclosure of its operation, in place."""
        low, high = bounds
        with np.errstate(all="ignore"):
            for step in self.steps:
                bottom, top = step.enclosure(low, high)
                np.maximum(low[step.out], bottom, out=low[step.out])
                np.minimum(high[step.out], top, out=high[step.out])

    def backward(self, bounds: Bounds) -> None:
        """Every argument intersected with what the result leaves of it, in place."""
        low, high = bounds
        with np.errstate(all="ignore"):
            for step in reversed(self.steps):
                if not step.inverses:
                    continue
                args = [(a.among(low), a.among(high)) for a in step.args]
                result = low[step.out], high[step.out]
                for arg, inverse in step.inverses:
                    bottom, top = inverse(result, *args)
                    arg.intersect(low, bottom, np.maximum)
                    arg.intersect(high, top, np.minimum)

    def at_edge(self, bounds: Bounds) -> NDArray[np.bool_]:
        """In which boxes an argument reaches a finite end of its function's domain, (N,)."""
        found = np.zeros(bounds[0].shape[1], dtype=bool)
        for step in self.steps:
            least, most = step.operation.domain
            if math.isfinite(least):
                found |= (bounds[0][step.args[0].of] <= least).any(axis=0)
            if math.isfinite(most):
                found |= (bounds[1][step.args[0].of] >= most).any(axis=0)
        return found

    # -- compiling ---------------------------------------------------------------------------------

    def _compile(self, roots: Sequence[Node], blocks: dict[int, _Block]) -> None:
        for node in topological(roots):
            if id(node) not in blocks:
                self._nodes.append(node)
                blocks[id(node)] = self._node(node, blocks)

    def _node(self, node: Node, blocks: Mapping[int, _Block]) -> _Block:
        if not node.args:
            return self._leaf(node)
        args = [blocks[id(a)] for a in node.args]
        if node.func is sympy.Add:
            return self._tree(ia.ADD, args)
        if node.func is sympy.Mul:
            counts = Counter(map(id, node.args))  # x*x is a square
            return self._tree(ia.MULTIPLY, [self._power(blocks[k], n) for k, n in counts.items()])
        if node.func is sympy.Pow:
            p = float_of(node.args[1])
            return self._emit(ia.POWERS, args) if p is None else self._power(args[0], p)
        if node.func in (RowSum, RowMean):
            total = self._sum(args[0])
            if node.func is RowSum:
                return total
            return self._emit(ia.MULTIPLY, [total, self._power(self._number(self._rows), -1.0)])
        if node.func is Where:
            return self._emit(ia.CHOICE, args)
        sign = relation(node)
        if sign is not None:
            return self._emit(ia.relation(sign), args)
        row = BY_CLASS.get(node.func)
        return self._emit(ia.UNKNOWN, args) if row is None else self._function(row, args)

    def _function(self, row: Function, args: Sequence[_Block]) -> _Block:
        operation = ia.of_function(row)
        if operation is not None or not row.formula or row.even or row.monotone:
            return self._emit(operation or ia.one_by_one(row), args)
        omitted = [self._number(value) for value in row.omitted_defaults(len(args))]
        root, leaves = substituted(row.formula, dict(zip(LETTERS, [*args, *omitted], strict=False)))
        inner = {id(leaf): block for leaf, block in leaves.items()}
        self._compile([root], inner)
        return self._emit(ia.within(*row.range), [inner[id(root)]])

    def _leaf(self, node: Node) -> _Block:
        if node is ROWS:
            return self._number(self._rows)
        if node in self._data:
            return self._constant(self._data[node], self._data[node])
        value = float_of(node)
        if value is None:
            return self._constant(np.array([-np.inf]), np.array([np.inf]))
        exact = (isinstance(node, sympy.Integer) and abs(value) < 2**53) or node.is_Float
        return (
            self._number(value) if exact else self._constant(*ia.rounded(*np.full((2, 1), value)))
        )

    def _number(self, value: float) -> _Block:
        return self._constant(np.array([float(value)]), np.array([float(value)]))

    def _constant(self, low: Array, high: Array) -> _Block:
        slots = self._new(len(low))
        self._constants.append((slots, low, high))
        return _Block(slots, 0, True)

    def _new(self, count: int) -> NDArray[np.intp]:
        self.size += count
        return np.arange(self.size - count, self.size)

    def _emit(self, operation: IntervalOperation, args: Sequence[_Block]) -> _Block:
        out = self._new(max(len(a.slots) for a in args))
        level, known = 1 + max(a.level for a in args), tuple(a.constant for a in args)
        key = level, operation.number, known
        group = self._groups.setdefault(key, _Group(operation, known))
        group.out.append(out)
        group.args.append([np.broadcast_to(a.slots, out.shape) for a in args])
        return _Block(out, level, all(known))

    def _tree(self, operation: IntervalOperation, blocks: Sequence[_Block]) -> _Block:
        """The operation over all blocks, in pairs: few levels."""
        left = sorted(blocks, key=lambda block: block.level)
        while len(left) > 1:
            pairs = zip(left[::2], left[1::2], strict=False)
            left = [*(self._emit(operation, pair) for pair in pairs), *left[len(left) // 2 * 2 :]]
        return left[0]

    def _sum(self, block: _Block) -> _Block:
        """The sum over the rows, in pairs."""
        slots = np.broadcast_to(block.slots, (self._rows,))
        left = [_Block(slots, block.level, block.constant)]
        while len(left[0].slots) > 1:
            half = len(left[0].slots) // 2
            odd = [left[0][2 * half :]] if len(left[0].slots) % 2 else []
            left = [self._emit(ia.ADD, [left[0][:half], left[0][half : 2 * half]]), *odd, *left[1:]]
        return self._tree(ia.ADD, left)

    def _power(self, base: _Block, p: float) -> _Block:
        if p == 1:
            return base
        if p < 0:
            return self._emit(ia.RECIPROCAL, [self._power(base, -p)])
        return self._emit(ia.power(p), [base])


@dataclass
class _Group:
    """The operations of one kind and depth. known: which of the arguments are constants."""

    operation: IntervalOperation
    known: tuple[bool, ...]
    out: list[NDArray[np.intp]] = field(default_factory=list)
    args: list[list[NDArray[np.intp]]] = field(default_factory=list)


class _Argument:
    """The slots of one argument in all operations of a step, maybe repeated."""

    def __init__(self, of: NDArray[np.intp]) -> None:
        self.of = of
        apart = np.diff(of) if len(of) > 1 else np.ones(1, dtype=np.intp)
        even = apart[0] > 0 and (apart == apart[0]).all()
        self._range = slice(of[0], of[-1] + 1, apart[0]) if even else None

    def among(self, ends: Array) -> Array:
        """Its ends among those of all slots: a view, where they are evenly apart."""
        return ends.take(self.of, axis=0) if self._range is None else ends[self._range]

    @cached_property
    def _sorted(self) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
        order = np.argsort(self.of, kind="stable")
        return order, *np.unique(self.of[order], return_index=True)

    def intersect(self, ends: Array, found: Array, tighter: np.ufunc) -> None:
        """The tightest of the ends found for each slot, in place."""
        if self._range is not None:
            tighter(ends[self._range], found, out=ends[self._range])
            return
        order, each, begin = self._sorted
        if len(each) < len(order):
            found = tighter.reduceat(found[order], begin, axis=0)
        else:
            each = self.of
        ends[each] = tighter(ends[each], found)


class _Step:
    """One array operation. inverses: of the arguments that depend on parameters."""

    def __init__(self, group: _Group, number: NDArray[np.intp]) -> None:
        self.operation, out = group.operation, number[np.concatenate(group.out)]
        self.out = slice(out[0], out[-1] + 1)
        args = zip(*group.args, strict=True)
        self.args = [_Argument(number[np.concatenate(of)]) for of in args]
        self.inverses = list(self._inverses(group.known))

    def _inverses(self, known: Sequence[bool]) -> Iterator[tuple[_Argument, Callable[..., Bounds]]]:
        for arg, inverse, constant in zip(self.args, self.operation.backward, known, strict=False):
            if not constant:
                yield arg, inverse

    def enclosure(self, low: Array, high: Array) -> Bounds:
        """Bounds of the results, (operations, N) each."""
        return self.operation.forward(*((a.among(low), a.among(high)) for a in self.args))
