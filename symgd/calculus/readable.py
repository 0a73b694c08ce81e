"""Simplify derivatives for display: rewrite internal functions as functions of the language."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial, reduce

import sympy

from symgd.calculus.local_pullback import local_derivative
from symgd.calculus.reductions import restore_means
from symgd.formula.functions.derivatives import DERIVATIVES
from symgd.formula.functions.table import FUNCTIONS
from symgd.formula.graph import Graph
from symgd.formula.indices import At, Peak
from symgd.formula.nodes import ONE, ROWS, ZERO, Name, Node, RowMax, RowSum, float_of, topological

_DERIVATIVE_ROWS = {row.node: row for row in DERIVATIVES.values()}
_LARGEST, _EXP_SUM = DERIVATIVES["largest"].node, DERIVATIVES["exp_sum"].node
_SOFTMAX, _SOFTMAX_COMPLEMENT = DERIVATIVES["softmax"].node, DERIVATIVES["softmax_complement"].node
_MAX, _LOGSUMEXP = FUNCTIONS["max"].node, FUNCTIONS["logsumexp"].node


def readable(graph: Graph, roots: Sequence[Node]) -> list[Node]:
    """The roots in functions that a formula may call; equal in exact arithmetic."""

    def unshifted(node: Node, args: tuple[Node, ...]) -> Node:
        if node.func in (RowMax, Peak):  # the value does not depend on this shift
            return ZERO
        new = any(a is not b for a, b in zip(args, node.args, strict=True))
        return graph.simplified(node, args) if new else graph.same(node, args)

    if any(node.func in (RowMax, Peak) for node in topological(roots)):
        roots = graph.rebuild(roots, unshifted)

    def substitute(node: Node, args: tuple[Node, ...]) -> Node:
        row = _DERIVATIVE_ROWS.get(node.func)
        if row is None or row.variadic:
            return graph.same(node, args)
        if row.name == "softmax_term" and args[2].func is _EXP_SUM:
            total = graph.node(_LOGSUMEXP, *args[2].args)
            return graph.node(FUNCTIONS["exp"].node, graph.sub(args[0], total))
        return local_derivative(graph, row.readable_form, args, node)

    def expand(node: Node, args: tuple[Node, ...]) -> Node:
        if node.func is _LARGEST:
            return _largest(graph, args)
        if node.func in (_SOFTMAX, _SOFTMAX_COMPLEMENT):
            first = args[0] if node.func is _SOFTMAX else graph.node(_LOGSUMEXP, *args[1:])
            total = graph.node(_LOGSUMEXP, *args)
            return graph.node(FUNCTIONS["exp"].node, graph.sub(first, total))
        if node.func is _EXP_SUM:
            top = _largest(graph, args)
            parts = (graph.node(FUNCTIONS["exp"].node, graph.sub(a, top)) for a in args)
            return graph.add(*parts)
        return graph.same(node, args)

    return graph.rebuild(graph.rebuild(roots, substitute), expand)


def tidy(graph: Graph, nodes: Sequence[Node]) -> list[Node]:
    """The nodes in readable form, with products flattened and means restored."""

    def change(node: Node, args: tuple[Node, ...]) -> Node:
        """Numbers and bare names first: -400*x*(y - x**2)."""
        if node is graph.atom(ROWS):
            return graph.node(RowSum, ONE)
        if node.func is not sympy.Mul:
            return graph.simplified(node, args)
        factors = [f for a in args for f in (a.args if a.func is sympy.Mul else (a,))]
        factors = restore_means(graph, factors)
        numbers = [f for f in factors if float_of(f) is not None]
        names = [f for f in factors if isinstance(f, Name) or f.func is At]
        rest = [f for f in factors if float_of(f) is None and not any(f is n for n in names)]
        return graph.mul(*numbers, *names, *rest)

    return graph.rebuild(readable(graph, nodes), change)


def _largest(graph: Graph, args: Sequence[Node]) -> Node:
    return reduce(partial(graph.node, _MAX), args)
