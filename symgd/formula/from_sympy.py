"""The SymPy expressions and Python functions that people write, on the shared graph."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import sympy

from symgd import names
from symgd.errors import FormulaError
from symgd.formula.functions.table import BY_CLASS, FUNCTIONS
from symgd.formula.graph import Graph
from symgd.formula.nodes import Name, Node, float_of, is_inverse, topological
from symgd.formula.sympy_bridge import symbol

# SymPy classes that mean a function of the table under another class.
_ALSO = {
    "log10": "log10",
    "log2": "log2",
    "log1p": "log1p",
    "expm1": "expm1",
    "Cbrt": "cbrt",
    "hypot": "hypot",
    "Max": "max",
    "Min": "min",
    "Heaviside": "heaviside",
}


def from_sympy(expr: sympy.Basic, graph: Graph) -> tuple[Node, dict[str, Name]]:
    """A SymPy expression as a node of `graph`, and its variables by name, in natural order."""
    expr = sympy.sympify(expr, strict=True)
    if isinstance(expr, sympy.logic.boolalg.Boolean):
        raise _refuse(expr, "a loss is a real number, not a condition")
    nodes = topological([expr])  # free_symbols would walk the tree, exponential in its sharing
    symbols = {node for node in nodes if isinstance(node, sympy.Symbol)}
    found = sorted(symbols, key=lambda s: names.natural(s.name))
    variables = {s.name: Name(f"p{k}", s.name) for k, s in enumerate(found)}
    if len(variables) < len(found):
        raise _refuse(expr, "two different symbols have the same name")
    place = {id(node): k for k, node in enumerate(nodes)}
    done: dict[int, Node] = {}
    for node in nodes:
        ordered = sorted(node.args, key=lambda a: place[id(a)]) if node.is_Mul else node.args
        args = [done[id(a)] for a in ordered if id(a) in done]
        converted = _convert(node, args, graph, variables)
        if converted is not None:
            done[id(node)] = converted
    if id(expr) not in done:
        raise _refuse(expr, "a loss is a real number, not a condition")
    return done[id(expr)], variables


def _convert(
    node: Node, args: list[Node], graph: Graph, variables: Mapping[str, Name]
) -> Node | None:
    cls = node.func
    if isinstance(node, sympy.Symbol):
        return graph.atom(variables[node.name])
    if not node.args:
        return _constant(node, graph)
    if isinstance(
        node, (sympy.functions.elementary.piecewise.ExprCondPair, sympy.logic.boolalg.Boolean)
    ):
        if isinstance(node, sympy.core.relational.Relational):
            return graph.node(cls, *args)
        return None  # handled by the Piecewise around it
    if cls is sympy.Mul:
        return _product(graph, args)
    if cls in (sympy.Add, sympy.Pow):
        if cls is sympy.Pow and node.args[0] is sympy.E:
            return graph.node(sympy.exp, args[1])
        return graph.node(cls, *args)
    if isinstance(node, sympy.Piecewise):
        return _piecewise(node, graph, variables)
    name = _ALSO.get(cls.__name__)
    row = FUNCTIONS[name] if name else BY_CLASS.get(cls)
    if row is None:
        raise _refuse(node, f"'{names.escape(cls.__name__)}' is not a function that symgd knows")
    if row.order and float_of(args[0]) is None:
        raise _refuse(node, f"the order of {row.name} must be a number")
    if row.order and not row.has_order(order := float_of(args[0]) or 0.0):
        hint = f"orders end at {row.last_order:g}"
        raise _refuse(node, f"{row.name} has no order {order:g}", hint)
    if row.pairwise:
        result = args[0]
        for arg in args[1:]:
            result = graph.node(row.node, result, arg)
        return result
    if row.name == "heaviside":
        args = args[:1]
    return graph.node(row.node, *args)


def _product(graph: Graph, factors: list[Node]) -> Node:
    """A product of SymPy's, its factors paired up from the left in order of appearance.

    SymPy opens nested products, so l*(1 - l) iterated arrives as ever longer ones that repeat each
    other's factors; as a chain of pairs the common beginning is one shared node again.
    """
    numbers = [f for f in factors if float_of(f) is not None]
    rest = [f for f in factors if float_of(f) is None]
    if not rest:
        return graph.times(numbers)
    ordered = [f for f in rest if not is_inverse(f)] + [f for f in rest if is_inverse(f)]
    chain = ordered[0]
    for factor in ordered[1:]:
        chain = graph.node(sympy.Mul, chain, factor)
    return graph.times([*numbers, chain])


def _constant(node: Node, graph: Graph) -> Node | None:
    if isinstance(node, sympy.logic.boolalg.BooleanAtom):
        return None
    if node in (sympy.pi, sympy.E):
        return graph.atom(node)
    if node.is_number and node.is_real and node.is_finite:
        value = float(node)
        if value - value == 0:
            return graph.number(value)
    raise _refuse(node, "this is not a finite real number")


def _piecewise(node: sympy.Piecewise, graph: Graph, variables: Mapping[str, Name]) -> Node:
    *pairs, last = node.args
    if last.cond is not sympy.true:
        raise _refuse(node, "this Piecewise has no last case for True")

    def inner(expr: sympy.Basic) -> Node:
        done: dict[int, Node] = {}
        for part in topological([expr]):
            new = _convert(
                part, [done[id(a)] for a in part.args if id(a) in done], graph, variables
            )
            if new is not None:
                done[id(part)] = new
        return done[id(expr)]

    result = inner(last.expr)
    for expr, cond in reversed(pairs):
        result = _choose(cond, inner(expr), result, inner, graph)
    return result


def _choose(
    cond: Any, yes: Node, no: Node, inner: Callable[[sympy.Basic], Node], graph: Graph
) -> Node:
    if isinstance(cond, sympy.And):
        for part in cond.args:
            yes = _choose(part, yes, no, inner, graph)
        return yes
    if isinstance(cond, sympy.Or):
        for part in cond.args:
            no = _choose(part, yes, no, inner, graph)
        return no
    if isinstance(cond, sympy.Not):
        return _choose(cond.args[0], no, yes, inner, graph)
    return graph.where(inner(cond), yes, no)


def from_callable(function: Callable[..., Any], graph: Graph) -> tuple[Node, dict[str, Name]]:
    """The loss that a Python function computes: it is called once, with SymPy symbols."""
    name = getattr(function, "__name__", "the loss")
    try:
        params = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        raise _refuse(name, "this callable does not tell its parameters") from None
    if any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in params):
        raise _refuse(name, "a loss names its parameters; *args and **kwargs have no names")
    free = [p for p in params if p.default is p.empty]
    symbols = {p.name: symbol(p.name) for p in free}
    try:
        by_place = [symbols[p.name] for p in free if p.kind is not p.KEYWORD_ONLY]
        by_name = {p.name: symbols[p.name] for p in free if p.kind is p.KEYWORD_ONLY}
        result = function(*by_place, **by_name)
        expr = sympy.sympify(result, strict=True)
    except (TypeError, sympy.SympifyError) as error:
        hint = "use SymPy's functions inside (sympy.sin, sympy.exp), not math's or NumPy's"
        raise _refuse(name, f"the function failed on symbols: {error}", hint) from error
    root, found = from_sympy(expr, graph)
    for known in symbols:
        found.setdefault(known, Name(f"p{len(found)}", known))
    return root, found


def _refuse(what: object, sentence: str, hint: str = "") -> FormulaError:
    text = str(what)
    return FormulaError(text if len(text) < 200 else text[:200] + "…", 0, sentence, hint)
