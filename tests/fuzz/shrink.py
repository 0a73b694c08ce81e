"""A failing case -> the smallest one found that fails the same check."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator

from .case import Case
from .compare import Disagreement, Tally
from .oracle import Point
from .subject import RefusedError
from .tree import RELATIONS, Tree, name, names_of, nodes, num, replaced, size

Check = Callable[[Case, Tally], Disagreement | None]


def shrink(case: Case, check: Check, seconds: float = 20) -> tuple[Case, Disagreement | None]:
    """The smallest failing case found, and how it fails; greedy, until nothing smaller fails.

    A smaller case counts only if it disagrees in the same kind of number.
    """
    end = time.monotonic() + seconds
    found = failure(case, check)
    plain = case.smaller(case.tree, case.point)
    if found is None:
        return case, None
    if (as_plain := failure(plain, check)) is not None:
        case, found = plain, as_plain
    moved = True
    while moved and time.monotonic() < end:
        moved = False
        for tree, point in _candidates(case):
            if time.monotonic() > end:
                break
            smaller = case.smaller(tree, point)
            if _means_nothing(smaller):
                continue
            failed = failure(smaller, check)
            if failed is not None and failed.check == found.check:
                case, found, moved = smaller, failed, True
                break
    return case, found


def failure(case: Case, check: Check) -> Disagreement | None:
    """How the case fails; an exception is a failure, too."""
    try:
        return check(case, Counter())
    except RefusedError:
        return None
    except Exception as error:
        return Disagreement(type(error).__name__, "symgd", str(error)[:200], "no exception")


def _candidates(case: Case) -> Iterator[tuple[Tree, Point]]:
    """Smaller trees first, then simpler numbers, then simpler points."""
    root, point = case.tree, case.point
    every = sorted(nodes(root), key=size, reverse=True)
    for node in every:
        if node.op in RELATIONS or node.op in ("and", "or", "not"):
            continue
        for part in node.args:
            inner = part.args if part.op in RELATIONS else (part,)
            for smaller in inner:
                if not _rows_differ(node, smaller):
                    yield replaced(root, node, smaller), point
    known = names_of(root)
    for node in every:
        if node.args and node.op not in RELATIONS and node.op not in ("and", "or", "not"):
            for leaf in (num(1.0), num(2.0), *(name(n) for n in known)):
                yield replaced(root, node, leaf), point
    for node in every:
        if node.op == "number":
            for simple in (1.0, 2.0, 3.0, 0.0, 0.5):
                if _complexity(simple) < _complexity(float(node.value)):
                    yield replaced(root, node, num(simple)), point
    for node in every:
        if node.op == "name" and len(known) > 1 and node.value != known[0]:
            yield replaced(root, node, name(known[0])), point
    yield from _simpler_points(root, point)


def _means_nothing(case: Case) -> bool:
    """Whether nothing varies, or there is a sum over the rows of no data."""
    sums = any(node.op in ("sum", "mean") for node in nodes(case.tree))
    return not case.point.params or (sums and not case.point.columns)


def _rows_differ(node: Tree, part: Tree) -> bool:
    """Whether `part` has a value in every row, and `node` has one."""
    return node.op in ("sum", "mean") and bool(names_of(part, "column"))


def _simpler_points(root: Tree, point: Point) -> Iterator[tuple[Tree, Point]]:
    for key, value in point.params.items():
        for simple in (1.0, -1.0, 2.0, -2.0, 0.5, -0.5, 0.0, *(round(value, d) for d in range(4))):
            if _complexity(simple) < _complexity(value):
                yield root, Point({**point.params, key: simple}, point.columns, point.copies)
    if point.columns:
        count = len(next(iter(point.columns.values())))
        for k in range(count if count > 1 else 0):
            fewer = {c: [*v[:k], *v[k + 1 :]] for c, v in point.columns.items()}
            yield root, Point(point.params, fewer, point.copies)
        if point.copies > 1:
            yield root, Point(point.params, point.columns, 1)


def _complexity(value: float) -> tuple[int, float]:
    return len(f"{value!r}"), abs(value)
