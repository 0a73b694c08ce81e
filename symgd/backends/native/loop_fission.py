"""Loop fission: split the body of a long loop over rows into stages.

A processor overlaps iterations that fit its reorder window, keeps as many sums as it has registers,
and as many streams as its L1 cache has ways: large arrays are page-aligned, so the values of one
row map to one cache set and evict each other (reading 20 such columns row by row takes 2.5 times as
long). So a few hundred rows at a time pass through the stages: arguments of the functions, the
functions, groups of sums; each reads a few columns.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from symgd.backends.operations import Operation, live
from symgd.backends.program import Loop
from symgd.formula.functions.table import ELEMENTARY

_REGISTERS = 8  # sums
SUMS = 5  # of one group: two registers each, and registers for the terms
COLUMNS = 5  # of one stage before the functions


@dataclass(frozen=True)
class Stage:
    """Operations, then the places of the sums that are added to. keeps: what later stages read."""

    body: tuple[Operation, ...]
    sums: tuple[int, ...]
    keeps: tuple[str, ...]
    functions: bool = False


def stages(loop: Loop) -> list[Stage]:
    """The stages of a loop, one after the other; one where its sums fit the registers."""
    if len(loop.sums) <= _REGISTERS:
        return [Stage(loop.body, tuple(range(len(loop.sums))), ())]
    last = _of_one_sum(loop)
    heavy: set[str] = set()
    for operation in loop.body:
        if _is_call(operation) or not heavy.isdisjoint(operation.names):
            heavy.add(operation.result)
    rest = [o for o in loop.body if o.result not in last]
    second = tuple(o for o in rest if o.result in heavy)
    light = [o for o in rest if o.result not in heavy]
    parts: list[_Part] = [(body, (), False) for body in _first(light, loop)]
    if second:
        parts.append((second, (), True))
    parts += [(*_group(loop, last, k), False) for k in range(0, len(loop.sums), SUMS)]
    found = []
    for k, (own, places, functions) in enumerate(parts):
        read = {name for body, _, _ in parts[k + 1 :] for o in body for name in o.names}
        read.update(str(loop.sums[p][1]) for _, later, _ in parts[k + 1 :] for p in later)
        kept = tuple(o.result for o in own if o.result in read)
        found.append(Stage(own, places, kept, functions))
    return found


_Part = tuple[tuple[Operation, ...], tuple[int, ...], bool]


def _first(operations: Iterable[Operation], loop: Loop) -> list[tuple[Operation, ...]]:
    """The operations in order, cut into parts that read a few columns each."""
    columns = {column.name for column in loop.columns}
    found: list[list[Operation]] = []
    seen: set[str] = set()
    for operation in operations:
        read = columns.intersection(operation.names)
        if not found or len(seen | read) > COLUMNS:
            found.append([])
            seen = set()
        seen |= read
        found[-1].append(operation)
    return [tuple(part) for part in found]


def _group(loop: Loop, last: set[str], start: int) -> tuple[tuple[Operation, ...], tuple[int, ...]]:
    places = tuple(range(start, min(start + SUMS, len(loop.sums))))
    own = [o for o in loop.body if o.result in last]
    return tuple(live(own, [loop.sums[k][1] for k in places])), places


def _of_one_sum(loop: Loop) -> set[str]:
    """The results of light operations that are read once, on the way to a sum."""
    users: dict[str, list[str | None]] = {}  # None: a sum
    for _, term in loop.sums:
        users.setdefault(str(term), []).append(None)
    found: set[str] = set()
    for operation in reversed(loop.body):
        readers = users.get(operation.result, [])
        once = len(readers) == 1 and (readers[0] is None or readers[0] in found)
        if once and not _is_call(operation):
            found.add(operation.result)
        for name in operation.names:
            users.setdefault(name, []).append(operation.result)
    return found


def _is_call(operation: Operation) -> bool:
    """Whether it is a function that costs as much as a dozen operations."""
    if operation.name == "pow":
        power = operation.arguments[1]
        return isinstance(power, str) or power != int(power)
    return operation.function is not None and operation.function.cost >= ELEMENTARY
