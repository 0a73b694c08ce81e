"""Graph -> program: blocks that evaluate every shared node once, loops over rows where needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import sympy

from symgd.backends.program import Block, Loop, Program, StraightLine
from symgd.calculus.row_sums import row_valued
from symgd.formula.functions.table import BY_CLASS
from symgd.formula.graph import Graph
from symgd.formula.nodes import (
    MINUS_ONE,
    REDUCTIONS,
    Both,
    Column,
    Name,
    Negated,
    Node,
    RowSum,
    Where,
    is_inverse,
    topological,
)

_TERMS = 64  # addends or factors in one expression; longer ones run on in the next assignment
_NESTING = 24  # levels in one expression: what readers and Python's own parser digest


def compile_program(graph: Graph, inputs: Sequence[Name], outputs: Mapping[str, Node]) -> Program:
    """The program that evaluates `outputs`, every shared node once.

    Sums over rows are in the form of `symgd.calculus.row_sums.lower`. Those that do not wait for
    one another share one loop; in between stand the straight lines that they wait for.
    """
    roots = list(outputs.values())
    varies = row_valued(topological(roots))
    reads = _reads_for(roots)
    order = topological(roots, reads=reads)
    level = _levels(order, reads)
    read = _read_later(order, reads, varies, level) | {id(r) for r in roots}
    emitter = _Emitter(graph, reads)
    blocks: list[Block] = []
    for k in range(max(level.values(), default=0) + 1):
        here = [n for n in order if n.func in REDUCTIONS and level[id(n)] == k]
        sums, peaks = ([n for n in here if n.func is kind] for kind in REDUCTIONS)
        if sums:
            blocks.append(emitter.loop(sums))
        if peaks:
            blocks.append(replace(emitter.loop(peaks), peaks=True))
        here = [n for n in order if level[id(n)] == k and id(n) in read and id(n) not in varies]
        if not blocks:  # one straight line: in the order of the outputs
            here = roots if not varies else here
        blocks.append(StraightLine(emitter.assign(here)))
    if len(blocks) > 1:
        blocks = [b for b in blocks if isinstance(b, Loop) or b.assignments]
    named = {name: emitter.names[id(node)] for name, node in outputs.items()}
    return Program(tuple(inputs), tuple(blocks), named, frozenset(emitter.guarded))


def compile_per_row(graph: Graph, inputs: Sequence[Name], outputs: Mapping[str, Node]) -> Program:
    """The program of one row: a straight line over inputs among which the columns are.

    There are no sums over rows in it.
    """
    roots = list(outputs.values())
    emitter = _Emitter(graph, _reads_for(roots))
    line = StraightLine(emitter.assign(roots))
    named = {name: emitter.names[id(node)] for name, node in outputs.items()}
    return Program(tuple(inputs), (line,), named, frozenset(emitter.guarded))


def _levels(order: Sequence[Node], reads: _Reads) -> dict[int, int]:
    """For each node, after which of the loops it is known.

    A sum that no loop waits for joins the last one, so that there are as few as can be.
    """
    level: dict[int, int] = {}
    awaited: set[int] = set()  # what reductions lie above
    for node in reversed(order):
        if node.func in REDUCTIONS or id(node) in awaited:
            awaited.update(map(id, reads(node)))
    for join in (False, True):
        last = max(level.values(), default=0)
        for node in order:
            below = max((level[id(a)] for a in reads(node)), default=0)
            late = join and node.func is RowSum and id(node) not in awaited
            level[id(node)] = last if late else below + (node.func in REDUCTIONS)
    return level


def _read_later(
    order: Sequence[Node], reads: _Reads, varies: set[int], level: Mapping[int, int]
) -> set[int]:
    """The nodes with one value that loops, or straight lines after a later loop, read."""
    found: set[int] = set()
    for node in order:
        for arg in reads(node):
            if id(arg) in varies or not arg.args or arg.func in REDUCTIONS:
                continue
            if id(node) in varies or node.func in REDUCTIONS or level[id(node)] > level[id(arg)]:
                found.add(id(arg))
    return found


class _Emitter:
    """Writes assignments, block after block.

    names: by node, what it is known as by now. guarded: see `Program`.
    """

    def __init__(self, graph: Graph, reads: _Reads) -> None:
        self.graph = graph
        self.reads = reads
        self.names: dict[int, Node] = {}
        self.guarded: set[Name] = set()
        self.count = 0

    def symbol(self) -> Name:
        """A symbol that no block has assigned yet."""
        self.count += 1
        return Name(f"t{self.count - 1}")

    def loop(self, totals: Sequence[Node]) -> Loop:
        """The loop that adds up these sums."""
        outside = dict(self.names)  # what varies is known within the loop only
        terms = [node.args[0] for node in totals]
        assignments = self.assign(terms)
        pairs = [(self.symbol(), self.names[id(term)]) for term in terms]
        below = topological(terms, known=outside, reads=self.reads)
        columns = tuple(n for n in below if isinstance(n, Column))
        self.names = outside | {
            id(node): symbol for node, (symbol, _) in zip(totals, pairs, strict=True)
        }
        return Loop(columns, assignments, tuple(pairs))

    def operands(self, node: Node) -> list[Node]:
        """The arguments of the expression of `node`, over the names of what it reads."""
        return [
            self.names[id(read)]
            if read is arg
            else self.graph.node(sympy.Pow, self.names[id(read)], MINUS_ONE)
            for arg, read in zip(node.args, self.reads(node), strict=True)
        ]

    def assign(self, roots: Sequence[Node]) -> tuple[tuple[Name, Node], ...]:
        """The assignments that make `roots` known."""
        graph, names = self.graph, self.names
        order = topological(roots, known=names, reads=self.reads)
        uses = _count_uses(order, self.reads)
        needs = _needs(order, self.reads, roots, names)
        depth: dict[int, int] = {}
        assignments: list[tuple[Name, Node]] = []

        def assign(expression: Node, node: Node | None = None) -> Name:
            symbol = self.symbol()
            guard = needs.get(id(node)) if node is not None else None
            if guard:
                self.guarded.add(symbol)
                expression = graph.node(Where, _all_of(graph, guard, names), expression, _ZERO)
            assignments.append((symbol, expression))
            return symbol

        root_ids = {id(r) for r in roots}
        for node in order:
            if not node.args:
                names[id(node)] = node
                continue
            args = self.operands(node)
            level = 1 + max((depth.get(id(a), 0) for a in self.reads(node)), default=0)
            if node.func in (sympy.Add, sympy.Mul) and len(args) > _TERMS:
                head = args[:_TERMS]
                for start in range(_TERMS, len(args), _TERMS - 1):
                    rest = args[start : start + _TERMS - 1]
                    head = [assign(graph.node(node.func, *head)), *rest]
                args, level = head, 1
            expression = graph.node(node.func, *args)
            hoist = uses.get(id(node), 0) > 1 or level >= _NESTING
            if hoist or id(node) in root_ids:
                names[id(node)] = assign(expression, node)
                depth[id(node)] = 0
            else:
                names[id(node)] = expression
                depth[id(node)] = level
        return tuple(assignments)


_ZERO = sympy.Integer(0)


#: The nodes whose values the expression of a node reads.
_Reads: TypeAlias = Callable[[Node], Sequence[Node]]


def _reads_for(outputs: Sequence[Node]) -> _Reads:
    """What expressions read: a product divides by b where a factor is 1/b, so it reads b.

    A reciprocal that is an output is read as it is: a step lr*g is that of the g that is told.

    The order of evaluation, the counts of uses, the guards and the expressions themselves all come
    from this one list, so that no expression can read a value outside its guard.
    """
    told = {id(node) for node in outputs}

    def reads(node: Node) -> Sequence[Node]:
        if node.func is not sympy.Mul:
            return node.args  # type: ignore[no-any-return]
        first, *rest = node.args
        return [first, *(a.args[0] if is_inverse(a) and id(a) not in told else a for a in rest)]

    return reads


def _count_uses(order: Sequence[Node], reads: _Reads) -> dict[int, int]:
    uses: dict[int, int] = {}
    for node in order:
        for arg in reads(node):
            uses[id(arg)] = uses.get(id(arg), 0) + 1
    return uses


_Literal = tuple[int, bool]


def _needs(
    order: Sequence[Node], reads: _Reads, roots: Sequence[Node], known: Iterable[int]
) -> dict[int, list[tuple[Node, bool]]]:
    """For each node used only inside branches: the conditions under which it is needed.

    A shared node is needed where all of the returned (condition, truth) hold; that is the
    intersection over its uses. Only nodes that may fail or cost are returned: the rest is
    evaluated always. known: what earlier blocks evaluated, in their order.
    """
    if not any(node.func is Where for node in order):
        return {}
    place = {key: k for k, key in enumerate((*known, *map(id, order)))}
    below = {id(n): n for n in order}
    conditions = {id(n.args[0]): n.args[0] for n in order if n.func is Where}
    literals: dict[int, frozenset[_Literal]] = {id(r): frozenset() for r in roots}
    for node in reversed(order):
        mine = literals[id(node)]
        for k, arg in enumerate(reads(node)):
            use = mine
            if node.func is Where and k > 0:
                use = mine | {(id(node.args[0]), k == 1)}
            others = literals.get(id(arg))
            literals[id(arg)] = use if others is None else others & use
    return {
        # outer conditions first: an inner one may fail where they do not hold
        key: [
            (conditions[c], truth)
            for c, truth in sorted(wanted, key=lambda literal: (place[literal[0]], literal[1]))
        ]
        for key, wanted in literals.items()
        if wanted and key in below and _may_fail(below[key])
    }


def _may_fail(node: Node) -> bool:
    cls = node.func
    return cls is sympy.Pow or cls in BY_CLASS or any(is_inverse(a) for a in node.args)


def _all_of(graph: Graph, guard: Sequence[tuple[Node, bool]], names: Mapping[int, Node]) -> Node:
    parts = []
    for condition, truth in guard:
        here = names[id(condition)]
        parts.append(here if truth else graph.node(Negated, here))
    return parts[0] if len(parts) == 1 else graph.node(Both, *parts)
