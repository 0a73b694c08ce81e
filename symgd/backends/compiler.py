"""Compile graph nodes to a Program: straight-line blocks, and loops over the rows of the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from symgd.backends.lowering import Lowering, Reads
from symgd.backends.program import Block, Load, Nest, Program, Store, StraightLine
from symgd.formula.indices import ROW, Affine, FreeIndices
from symgd.formula.nodes import REDUCTIONS, Column, Name, Node, RowSum, topological


def compile_program(inputs: Sequence[Name], outputs: Mapping[str, Node]) -> Program:
    """The program that evaluates `outputs`, every shared node once.

    Sums over rows are in the form of `symgd.calculus.reductions.lower`. Those that do not wait for
    one another share one loop; in between stand the straight lines that they wait for.
    """
    roots = list(outputs.values())
    lowering = Lowering(roots)
    reads = lowering.reads
    order = topological(roots, reads=reads)
    if all(node.func not in REDUCTIONS for node in order):
        return compile_per_row(inputs, outputs)
    free = FreeIndices()
    varies = {id(n) for n in order if ROW in free(n)}
    level = _levels(order, reads)
    read = _read_later(order, reads, varies, level) | {id(r) for r in roots}
    blocks: list[Block] = []
    for k in range(max(level.values(), default=0) + 1):
        nodes = [n for n in order if n.func in REDUCTIONS and level[id(n)] == k]
        sums, peaks = ([n for n in nodes if n.func is kind] for kind in REDUCTIONS)
        if sums:
            blocks.append(_nest(lowering, sums, "+="))
        if peaks:
            blocks.append(_nest(lowering, peaks, "peak="))
        nodes = [n for n in order if level[id(n)] == k and id(n) in read and id(n) not in varies]
        if not blocks:  # one straight line: in the order of the outputs
            nodes = roots if not varies else nodes
        blocks.append(StraightLine(lowering.lower(nodes)))
    if len(blocks) > 1:
        blocks = [b for b in blocks if isinstance(b, Nest) or b.body]
    columns = tuple([n for n in order if isinstance(n, Column)])
    return Program(tuple(inputs), tuple(blocks), lowering.known(outputs), columns)


def compile_per_row(inputs: Sequence[Name], outputs: Mapping[str, Node]) -> Program:
    """The program without sums over rows: a straight line, in the order of the outputs.

    inputs: among them the columns, in one row.
    """
    roots = list(outputs.values())
    lowering = Lowering(roots)
    line = StraightLine(lowering.lower(roots))
    return Program(tuple(inputs), (line,), lowering.known(outputs))


def _nest(lowering: Lowering, totals: Sequence[Node], mode: str) -> Nest:
    """The nest over the rows that accumulates these sums or peaks."""
    outside = dict(lowering.names)  # what varies is known within the nest only
    terms = [node.args[0] for node in totals]
    body = lowering.lower(terms)
    stores = tuple([Store(lowering.fresh(), (), mode, lowering.names[id(t)]) for t in terms])
    below = topological(terms, known=outside, reads=lowering.reads)
    row = (Affine(0, ((ROW, 1),)),)
    loads = {n.name: Load(n.name, row) for n in below if isinstance(n, Column)}
    lowering.names = outside | {id(n): s.target for n, s in zip(totals, stores, strict=True)}
    return Nest((ROW,), loads, body, stores)


def _levels(order: Sequence[Node], reads: Reads) -> dict[int, int]:
    """For each node, after which of the loops it is known.

    A sum that no later loop needs joins the last one, to minimize the number of passes.
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
    order: Sequence[Node], reads: Reads, varies: set[int], level: Mapping[int, int]
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
