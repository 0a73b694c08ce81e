"""The end of the stable learning rates as a formula in the rule's letters: 2*(1 + beta)/λ_max.

At the end an eigenvalue of the step map's Jacobian J crosses the unit circle: at -1, at 1, or, of
a pair, anywhere (then the determinant of a 2 x 2 matrix is 1). Each is an equation in lr.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import sympy

from symgd.analysis.stability import LinearRule
from symgd.calculus.polynomial import polynomial, to_node
from symgd.formula import sympy_bridge
from symgd.formula.from_sympy import from_sympy
from symgd.formula.graph import Graph
from symgd.formula.nodes import Name, Node, topological
from symgd.formula.printing.plain import write

_LARGEST = 3  # rows of J
_NODES = 200


def formula_of_limit(linear: LinearRule, eigenvalues: Sequence[float], limit: float) -> str:
    """The formula whose value at these eigenvalues is `limit`, or "" where none is short."""
    entries = [entry for row in linear.rows for entry in row]
    order = topological(entries)
    leaves = [node for node in order if isinstance(node, Name)]
    if len(linear.rows) > _LARGEST or len(order) > _NODES or any(n.text == "t" for n in leaves):
        return ""
    if len(entries) == 1 and (short := _of_monomials(linear, entries[0], leaves)):
        return short
    symbols = {n: sympy.Symbol(n.name, positive=True) for n in leaves}
    matrix = sympy.Matrix(
        [[_rational(e) for e in sympy_bridge.to_sympy(row, symbols)] for row in linear.rows]
    ).subs({symbols[n]: 0 for n in leaves if linear.at_rest(n)})
    lr = next((symbols[n] for n in leaves if n.text == "lr"), None)
    if lr is None:
        return ""
    texts = {symbols[n]: n for n in leaves}
    for condition in _conditions(matrix):
        solved = _solve(condition, lr)
        if solved is None:
            continue
        free = solved.free_symbols
        for mark, value in (("max", eigenvalues[-1]), ("min", eigenvalues[0])):
            numbers = {s: linear.number(n, value) for s, n in texts.items() if s in free}
            at = solved.subs(numbers)
            if at.is_number and math.isclose(float(at), limit, rel_tol=1e-6):
                return _written(linear, solved, texts, mark)
    return ""


def _of_monomials(linear: LinearRule, entry: Node, leaves: Sequence[Name]) -> str:
    """2/λ_max from 1 - lr*λ, without SymPy, whose first sum costs a tenth of a second; or ""."""
    terms = polynomial(entry, leaves)
    places = [k for k, n in enumerate(leaves) if n.text == "lr"]
    if terms is None or len(terms) != 2 or len(places) != 1 or terms.get(()) != 1:
        return ""
    [(monomial, coefficient)] = [(m, c) for m, c in terms.items() if m]
    powers = dict(monomial)
    if powers.pop(places[0], 0) != 1 or coefficient >= 0:
        return ""
    graph = Graph()
    shown = [Name(n.name, "lambda_max" if linear.is_curvature(n) else n.text) for n in leaves]
    below = to_node(graph, {tuple(powers.items()): -coefficient}, [graph.atom(n) for n in shown])
    return write(graph.div(graph.number(2.0), below), limit=200)


def _conditions(matrix: sympy.Matrix) -> list[sympy.Expr]:
    size = matrix.shape[0]
    if size == 1:
        return [matrix[0, 0] + 1, matrix[0, 0] - 1]
    one = sympy.eye(size)
    found = [(matrix + one).det(), (matrix - one).det()]
    return [*found, matrix.det() - 1] if size == 2 else found


def _solve(condition: sympy.Expr, lr: sympy.Symbol) -> sympy.Expr | None:
    """lr from an equation that is linear in it."""
    expanded = sympy.expand(condition)
    slope = expanded.coeff(lr, 1)
    rest = expanded.coeff(lr, 0)
    if slope == 0 or rest == 0 or sympy.expand(expanded - slope * lr - rest) != 0:
        return None
    return sympy.factor(-rest / slope)


def _rational(expr: sympy.Expr) -> sympy.Expr:
    return expr.xreplace({f: sympy.Rational(repr(float(f))) for f in expr.atoms(sympy.Float)})


def _written(
    linear: LinearRule, solved: sympy.Expr, texts: dict[sympy.Symbol, Name], mark: str
) -> str:
    graph = Graph()
    root, variables = from_sympy(solved, graph)
    by_ident = {symbol.name: name for symbol, name in texts.items()}
    places = {}
    for ident, variable in variables.items():
        text = by_ident[ident].text
        shown = f"lambda_{mark}" if linear.is_curvature(by_ident[ident]) else text
        places[variable] = Name(variable.name, shown)

    def opened(node: Node, args: tuple[Node, ...]) -> Node:
        """2*((1 + beta)/x) as 2*(1 + beta)/x."""
        if not args:
            return places.get(node, node)
        if node.func is sympy.Mul:
            args = tuple(f for a in args for f in (a.args if a.func is sympy.Mul else (a,)))
        return graph.same(node, args)

    return write(graph.rebuild([root], opened)[0], limit=200)
