"""Dead-store elimination for array programs: keep only the stores that are read later.

The values of a rerolled loop are stored only if another loop reads them. Sums over a whole loop are
accumulated in the loop that computes their terms; outputs are stored directly at their destination.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from symgd.backends.native.loop_rerolling import Even, Layout, Place, Roll, Scattered, Total


def arrange(layout: Layout) -> None:
    """Change a layout so that it stores no more than that."""
    _add_up(layout)
    _store_once(layout)


def _add_up(layout: Layout) -> None:
    """Let rolls whose numbers are all terms of a sum add them up themselves."""
    rolls = {b.first: b for b in layout.blocks if isinstance(b, Roll) and b.count > 1}
    for block in layout.blocks:
        if isinstance(block, Total):
            block.parts = [part for old in block.parts for part in _split(layout, rolls, *old)]


def _split(
    layout: Layout, rolls: dict[int, Roll], sign: int, operand: Even | Scattered, count: int
) -> Iterator[tuple[int, Even | Scattered, int]]:
    """The parts of a sum instead of this one: the sums of whole rolls, and what is between."""
    if isinstance(operand, Scattered) or operand.array != "w" or operand.stride != 1:
        yield sign, operand, count
        return
    at, stop, rest = operand.start, operand.start + count, operand.start
    while at < stop:
        roll = rolls.get(at)
        if roll is None or at + roll.count > stop:
            at += 1
            continue
        if at > rest:
            yield sign, Even("w", rest, 1), at - rest
        if roll.total is None:
            roll.total = layout.work
            layout.work += 1
        yield sign, Even("w", roll.total, 1), 1
        at = rest = at + roll.count
    if stop > rest:
        yield sign, Even("w", rest, 1), stop - rest


def _store_once(layout: Layout) -> None:
    """Store the values of each rerolled loop where they are read, or nowhere if they are not."""
    read = sorted(place for block in layout.blocks for place in _read(block))
    wanted: dict[int, list[int]] = {}
    for k, place in enumerate(layout.outputs):
        if place.array == "w":
            wanted.setdefault(place.index, []).append(k)
    for block in layout.blocks:
        if not isinstance(block, Roll) or block.count == 1:
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


def _read(block: Roll | Total) -> Iterator[int]:
    """The elements of w that it reads and does not itself compute in the same turn."""
    columns: Sequence[tuple[Even | Scattered, int]]
    if isinstance(block, Total):
        columns = [(operand, count) for _, operand, count in block.parts]
    else:
        columns = [(operand, block.count) for operand in block.operands]
    for operand, count in columns:
        if operand.array != "w":
            continue
        if isinstance(operand, Scattered):
            yield from operand.places
        else:
            yield from (operand.start + operand.stride * k for k in range(count))
