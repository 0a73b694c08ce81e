"""Lower graph nodes to operations, in the order and association of the formula.

Only this module decodes SymPy's representation of a - b as Add(a, Mul(-1, b)), of a/b as
Mul(a, Pow(b, -1)) and of sqrt(a) as Pow(a, 1/2).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import sympy

from symgd.backends.operations import Guard, Operand, Operation
from symgd.formula.functions.table import BY_CLASS
from symgd.formula.nodes import (
    RELATIONS,
    Conjunction,
    Disjunction,
    Negation,
    Node,
    Norm,
    ParamMax,
    ParamSum,
    Where,
    float_of,
    is_inverse,
    is_negation,
    topological,
)

_NESTING = 24  # levels below a node that are lowered together with it, by recursion

#: The operation of nodes that are no functions and have its arguments.
_SAME: dict[type, str] = {
    **{cls: operator for operator, cls in RELATIONS.items()},
    Where: "select",
    Negation: "not",
    Norm: "norm",
    ParamSum: "total",
    ParamMax: "peak",
}
_POWERS = {0.5: "sqrt", 2.0: "square"}


#: The nodes whose values the operations of a node read.
Reads: TypeAlias = Callable[[Node], Sequence[Node]]


class Lowering:
    """Writes the operations of one block after the other.

    outputs: all that the program returns. names: by id of a node, what holds its value.
    """

    def __init__(self, outputs: Sequence[Node]) -> None:
        self._outputs = {id(node) for node in outputs}
        self.names: dict[int, Operand] = {}
        self._count = 0
        self._body: list[Operation] = []
        self._conditions: dict[int, list[tuple[Node, bool]]] = {}

    def fresh(self) -> str:
        """A name that nothing has yet."""
        self._count += 1
        return f"t{self._count - 1}"

    def known(self, nodes: Mapping[str, Node]) -> dict[str, Operand]:
        """What holds the value of each node."""
        return {name: self.names[id(node)] for name, node in nodes.items()}

    def reads(self, node: Node) -> Sequence[Node]:
        """The nodes whose values the operations of `node` read.

        The order of evaluation, the counts of uses and the guards all come from this one list, so
        that no operation can read a value outside its guard.
        """
        if node.func is not sympy.Mul:
            return node.args  # type: ignore[no-any-return]
        first, *rest = node.args
        return [first, *(a.args[0] if self._divides(a) else a for a in rest)]

    def _divides(self, factor: Node) -> bool:
        """Whether a product divides by b where this factor is 1/b.

        A reciprocal that is an output is read as it is: a step lr*g is that of the reported g.
        """
        return is_inverse(factor) and id(factor) not in self._outputs

    def lower(self, roots: Sequence[Node]) -> tuple[Operation, ...]:
        """The operations that make `roots` known, every shared node once.

        What is read once is computed where it is read, so that no more numbers wait at a time than
        the formula asks for.
        """
        names, self._body = self.names, []
        order = topological(roots, known=names, reads=self.reads)
        uses = _count_uses(order, self.reads)
        self._conditions = _needs(order, self.reads, roots, names)
        root_ids = {id(r) for r in roots}
        depth: dict[int, int] = {}
        for node in order:
            if not node.args:
                value = float_of(node)
                names[id(node)] = node.name if value is None else value
                continue
            level = 1 + max((depth.get(id(a), 0) for a in self.reads(node)), default=0)
            if uses.get(id(node), 0) > 1 or id(node) in root_ids or level >= _NESTING:
                self._value(node, ())
            else:
                depth[id(node)] = level
        return tuple(self._body)

    def _value(self, node: Node, outer: Guard) -> Operand:
        """What holds the value of a node. outer: the guard of the only operation that reads it."""
        known = self.names.get(id(node))
        if known is None:
            guard = self._guard(node, outer)
            known = self.names[id(node)] = _LOWER.get(node.func, Lowering._call)(self, node, guard)
        return known

    def _guard(self, node: Node, outer: Guard) -> Guard:
        """The conditions under which a node is read."""
        wanted = self._conditions.get(id(node))
        if wanted is None:
            return outer
        return tuple((self._condition(c), truth) for c, truth in wanted)

    def _condition(self, node: Node) -> str:
        name = self._value(node, ())
        assert isinstance(name, str)
        return name

    def _put(self, operation: str, arguments: tuple[Operand, ...], guard: Guard) -> str:
        name = self.fresh()
        self._body.append(Operation(name, operation, arguments, guard))
        return name

    # -- one node ---------------------------------------------------------------------------

    def _call(self, node: Node, guard: Guard) -> Operand:
        arguments = tuple([self._value(a, guard) for a in node.args])
        name = _SAME[node.func] if node.func in _SAME else BY_CLASS[node.func].name
        return self._put(name, arguments, guard)

    def _sum(self, node: Node, guard: Guard) -> Operand:
        total = self._value(node.args[0], guard)
        for term in node.args[1:]:
            value = float_of(term)
            if is_negation(term) and id(term) not in self.names:
                total = self._put("sub", (total, self._negated(term, guard)), guard)
            elif value is not None and value < 0:
                total = self._put("sub", (total, -value), guard)
            else:
                total = self._put("add", (total, self._value(term, guard)), guard)
        return total

    def _product(self, node: Node, guard: Guard) -> Operand:
        if is_negation(node):
            return self._put("neg", (self._negated(node, guard),), guard)
        return self._factors(self._value(node.args[0], guard), node.args[1:], guard)

    def _negated(self, product: Node, outer: Guard) -> Operand:
        """b*c of the product -1*b*c."""
        guard = self._guard(product, outer)
        first, *rest = product.args[1:]
        if self._divides(first):
            return self._factors(1.0, (first, *rest), guard)
        return self._factors(self._value(first, guard), rest, guard)

    def _factors(self, product: Operand, factors: Sequence[Node], guard: Guard) -> Operand:
        """The product times each factor, or over what a factor is the inverse of."""
        for factor in factors:
            inverse = self._divides(factor)
            other = self._value(factor.args[0] if inverse else factor, guard)
            product = self._put("div" if inverse else "mul", (product, other), guard)
        return product

    def _power(self, node: Node, guard: Guard) -> Operand:
        base = self._value(node.args[0], guard)
        exponent = float_of(node.args[1])
        if exponent == -1:
            return self._put("div", (1.0, base), guard)
        if exponent in _POWERS:
            return self._put(_POWERS[exponent], (base,), guard)
        return self._put("pow", (base, self._value(node.args[1], guard)), guard)

    def _pairs(self, node: Node, guard: Guard) -> Operand:
        operation = "and" if node.func is Conjunction else "or"
        result = self._value(node.args[0], guard)
        for part in node.args[1:]:
            result = self._put(operation, (result, self._value(part, guard)), guard)
        return result


_LOWER: dict[type, Callable[[Lowering, Any, Guard], Operand]] = {
    sympy.Add: Lowering._sum,
    sympy.Mul: Lowering._product,
    sympy.Pow: Lowering._power,
    Conjunction: Lowering._pairs,
    Disjunction: Lowering._pairs,
}


def _count_uses(order: Sequence[Node], reads: Reads) -> dict[int, int]:
    uses: dict[int, int] = {}
    for node in order:
        for arg in reads(node):
            uses[id(arg)] = uses.get(id(arg), 0) + 1
    return uses


_Literal = tuple[int, bool]


def _needs(
    order: Sequence[Node], reads: Reads, roots: Sequence[Node], known: Iterable[int]
) -> dict[int, list[tuple[Node, bool]]]:
    """For each node used only inside branches: the conditions under which it is needed.

    A shared node is needed where all of the returned (condition, truth) hold; that is the
    intersection over its uses. known: what earlier blocks evaluated, in their order.
    """
    if not any(node.func is Where for node in order):
        return {}
    place = {key: k for k, key in enumerate((*known, *map(id, order)))}
    conditions = {id(n.args[0]): n.args[0] for n in order if n.func is Where}
    literals: dict[int, frozenset[_Literal]] = {id(r): frozenset() for r in roots}
    for node in reversed(order):
        own_literals = literals[id(node)]
        for k, arg in enumerate(reads(node)):
            use = own_literals
            if node.func is Where and k > 0:
                use = own_literals | {(id(node.args[0]), k == 1)}
            others = literals.get(id(arg))
            literals[id(arg)] = use if others is None else others & use
    lists: dict[frozenset[_Literal], list[tuple[Node, bool]]] = {}
    for wanted in set(literals.values()):
        # outer conditions first: an inner one may fail where they do not hold
        inward = sorted(wanted, key=lambda literal: (place[literal[0]], literal[1]))
        lists[wanted] = [(conditions[c], truth) for c, truth in inward]
    return {key: lists[wanted] for key, wanted in literals.items()}
