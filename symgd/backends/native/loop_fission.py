"""A long row in stages: what leads to its functions, the functions, and its sums in groups.

A processor overlaps rows as long as the instructions of a few of them fit its window, keeps as many
sums as it has registers, and as many streams as its first cache has ways: large arrays begin at the
same place of a page, so that cells of one row fall on one set of that cache and drive each other
out (20 columns that lie so take 2.5 times as long to read row by row). So a few hundred rows at a
time go through one stage after the other, each of which reads a few columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import sympy

from symgd.backends.program import Loop
from symgd.formula.functions.table import BY_CLASS, ELEMENTARY
from symgd.formula.graph import Graph
from symgd.formula.nodes import Column, Name, Node, float_of, topological

SUMS = 5  # of one group: in two registers each, and something to add to them
COLUMNS = 5  # of one stage before the functions

Assignments = tuple[tuple[Name, Node], ...]


@dataclass(frozen=True)
class Stage:
    """assignments, then the places of the sums that are added to. keeps: what later stages read."""

    assignments: Assignments
    sums: tuple[int, ...]
    keeps: tuple[Name, ...]
    functions: bool = False


def stages(loop: Loop) -> list[Stage]:
    """The stages of a loop, one after the other."""
    last = _of_one_sum(loop)
    heavy: set[Node] = set()
    for symbol, expression in loop.assignments:
        if _calls(expression) or any(n in heavy for n in topological([expression])):
            heavy.add(symbol)
    rest = [(s, x) for s, x in loop.assignments if s not in last]
    second = tuple((s, x) for s, x in rest if s in heavy)
    parts: list[_Part] = [(a, (), False) for a in _first([p for p in rest if p[0] not in heavy])]
    if second:
        parts.append((second, (), True))
    parts += [(*_group(loop, last, k), False) for k in range(0, len(loop.sums), SUMS)]
    found = []
    for k, (own, places, functions) in enumerate(parts):
        later = [x for a, p, _ in parts[k + 1 :] for x in _expressions(loop, a, p)]
        read = set(topological(later))
        found.append(Stage(own, places, tuple(s for s, _ in own if s in read), functions))
    return found


_Part = tuple[Assignments, tuple[int, ...], bool]


def _first(assignments: Iterable[tuple[Name, Node]]) -> list[Assignments]:
    """The assignments in order, cut into parts that read a few columns each."""
    found: list[list[tuple[Name, Node]]] = []
    seen: set[Node] = set()
    for symbol, expression in _cut(assignments):
        columns = _columns(expression)
        if not found or len(seen | columns) > COLUMNS:
            found.append([])
            seen = set()
        seen |= columns
        found[-1].append((symbol, expression))
    return [tuple(part) for part in found]


def _cut(assignments: Iterable[tuple[Name, Node]]) -> Iterable[tuple[Name, Node]]:
    """Sums of many columns as sums of sums: the same additions in the same order."""
    graph, count = Graph(), 0
    for symbol, expression in assignments:
        terms: list[Node] = []
        seen: set[Node] = set()
        for term in expression.args if expression.func is sympy.Add else ():
            columns = _columns(term)
            if len(terms) > 1 and len(seen | columns) > COLUMNS:
                part = Name(f"part{count}")
                count += 1
                yield part, graph.node(sympy.Add, *terms)
                terms, seen = [part], set()
            terms.append(term)
            seen |= columns
        whole = len(terms) in (0, len(expression.args)) and not any(t is expression for t in terms)
        yield symbol, expression if whole else graph.node(sympy.Add, *terms)


def _columns(expression: Node) -> set[Node]:
    return {n for n in topological([expression]) if isinstance(n, Column)}


def _group(loop: Loop, last: set[Node], start: int) -> tuple[Assignments, tuple[int, ...]]:
    places = tuple(range(start, min(start + SUMS, len(loop.sums))))
    needed: set[Node] = {n for k in places for n in topological([loop.sums[k][1]])}
    own = []
    for symbol, expression in reversed(loop.assignments):
        if symbol in last and symbol in needed:
            own.append((symbol, expression))
            needed.update(topological([expression]))
    return tuple(own[::-1]), places


def _expressions(loop: Loop, own: Assignments, places: Sequence[int]) -> Iterable[Node]:
    return [*(x for _, x in own), *(loop.sums[k][1] for k in places)]


def _of_one_sum(loop: Loop) -> set[Node]:
    """The symbols of light expressions that are read once, on the way to a sum."""
    users: dict[Node, list[Node | None]] = {}  # None: a sum
    for _, term in loop.sums:
        for node in topological([term]):
            users.setdefault(node, []).append(None)
    found: set[Node] = set()
    for symbol, expression in reversed(loop.assignments):
        mine = users.get(symbol, [])
        if len(mine) == 1 and (mine[0] is None or mine[0] in found) and not _calls(expression):
            found.add(symbol)
        for node in topological([expression]):
            users.setdefault(node, []).append(symbol)
    return found


def _calls(expression: Node) -> bool:
    """Whether it has a function that costs as much as a dozen operations."""
    for node in topological([expression]):
        if node.func is sympy.Pow:
            power = float_of(node.args[1])
            if power not in (-1, 0.5) and (power is None or power != int(power)):
                return True
        row = BY_CLASS.get(node.func)
        if row is not None and row.cost >= ELEMENTARY:
            return True
    return False
