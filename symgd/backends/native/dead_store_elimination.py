"""Dead-store elimination for array programs: keep only the stores that are read later.

The values of a rerolled loop are stored only if another loop reads them. Sums over a whole loop are
accumulated in the loop that computes their terms; outputs are stored directly at their destination.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from symgd.backends.native.loop_rerolling import (
    Gathered,
    LaidOutSum,
    Layout,
    LayoutBlock,
    Operands,
    Place,
    Rerolled,
    Strided,
)


def eliminate_dead_stores(layout: Layout) -> None:
    """Remove the stores of a layout that nothing reads."""
    _accumulate_in_loops(layout)
    _store_once(layout)


def _accumulate_in_loops(layout: Layout) -> None:
    """Accumulate a sum in the loops all of whose values are terms of it."""
    loops = {b.first: b for b in layout.blocks if isinstance(b, Rerolled) and b.count > 1}
    for block in layout.blocks:
        if isinstance(block, LaidOutSum):
            block.parts = [part for old in block.parts for part in _split(layout, loops, *old)]


def _split(
    layout: Layout, loops: dict[int, Rerolled], sign: int, operand: Operands, count: int
) -> Iterator[tuple[int, Operands, int]]:
    """One part of a sum, split into the sums of whole loops and the terms between them."""
    if isinstance(operand, Gathered) or operand.array != "w" or operand.stride != 1:
        yield sign, operand, count
        return
    at, stop, rest = operand.start, operand.start + count, operand.start
    while at < stop:
        loop = loops.get(at)
        if loop is None or at + loop.count > stop:
            at += 1
            continue
        if at > rest:
            yield sign, Strided("w", rest, 1), at - rest
        if loop.total is None:
            loop.total = layout.work
            layout.work += 1
        yield sign, Strided("w", loop.total, 1), 1
        at = rest = at + loop.count
    if stop > rest:
        yield sign, Strided("w", rest, 1), stop - rest


def _store_once(layout: Layout) -> None:
    """Store the values of each rerolled loop where they are read, or nowhere if they are not."""
    read = sorted(place for block in layout.blocks for place in _read(block))
    wanted: dict[int, list[int]] = {}
    for k, place in enumerate(layout.outputs):
        if place.array == "w":
            wanted.setdefault(place.index, []).append(k)
    for block in layout.blocks:
        if not isinstance(block, Rerolled) or block.count == 1:
            continue
        members = range(block.first, block.first + block.count)
        at = bisect_left(read, block.first)
        if at < len(read) and read[at] in members:
            continue
        places = [wanted.get(k, []) for k in members]
        if not any(places):
            block.into = None
        elif all(p == [places[0][0] + k] for k, p in enumerate(places)):
            first = places[0][0]
            block.into = Place("out", first)
            layout.outputs[first : first + block.count] = [
                Place("out", k) for k in range(first, first + block.count)
            ]


def _read(block: LayoutBlock) -> Iterator[int]:
    """The elements of w that a block reads, except those that it computes in the same iteration."""
    columns: Sequence[tuple[Operands, int]]
    if isinstance(block, LaidOutSum):
        columns = [(operand, count) for _, operand, count in block.parts]
    else:
        columns = [(operand, block.count) for operand in block.operands]
    for operand, count in columns:
        if operand.array != "w":
            continue
        if isinstance(operand, Gathered):
            yield from operand.places
        else:
            yield from (operand.start + operand.stride * k for k in range(count))
