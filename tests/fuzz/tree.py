"""Expression trees: what the generator makes and the oracles evaluate."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

RELATIONS = ("<", "<=", ">", ">=", "==", "!=")


@dataclass(frozen=True, eq=False, slots=True)
class Tree:
    """One operation; sub-trees are shared by being the same object.

    op: "number", "constant" (pi, e), "name", "column", one of + - * / ** neg, a relation, and, or,
    not, sum, mean, norm, or a function's name. value: the number, or the name.
    """

    op: str
    args: tuple[Tree, ...] = ()
    value: float | str = ""


def num(value: float) -> Tree:
    """A number; negative ones are a sign before a number, as in the text."""
    return Tree("neg", (num(-value),)) if value < 0 else Tree("number", (), float(value))


def name(text: str) -> Tree:
    """A parameter."""
    return Tree("name", (), text)


def call(op: str, *args: Tree) -> Tree:
    """An operation on these arguments."""
    return Tree(op, args)


def nodes(root: Tree) -> Iterator[Tree]:
    """Every distinct node, arguments first."""
    seen: set[int] = set()
    stack = [(root, False)]
    while stack:
        node, ready = stack.pop()
        if ready:
            yield node
        elif id(node) not in seen:
            seen.add(id(node))
            stack.append((node, True))
            stack += [(arg, False) for arg in reversed(node.args)]


def size(root: Tree) -> int:
    """How many distinct nodes there are."""
    return sum(1 for _ in nodes(root))


def names_of(root: Tree, kind: str = "name") -> list[str]:
    """The parameters (or columns) in the order of their first appearance."""
    return list(dict.fromkeys(str(n.value) for n in nodes(root) if n.op == kind))


def rebuild(root: Tree, change: Callable[[Tree, tuple[Tree, ...]], Tree]) -> Tree:
    """The tree with change(node, new arguments) for every node, sharing kept."""
    done: dict[int, Tree] = {}
    for node in nodes(root):
        done[id(node)] = change(node, tuple(done[id(a)] for a in node.args))
    return done[id(root)]


def replaced(root: Tree, old: Tree, new: Tree) -> Tree:
    """The tree with `new` wherever `old` was."""

    def change(node: Tree, args: tuple[Tree, ...]) -> Tree:
        if node is old:
            return new
        same = all(a is b for a, b in zip(args, node.args, strict=True))
        return node if same else Tree(node.op, args, node.value)

    return rebuild(root, change)
