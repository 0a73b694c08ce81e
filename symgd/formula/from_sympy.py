"""Convert SymPy expressions and Python functions to nodes of the shared graph."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

import sympy
from sympy.functions.elementary.piecewise import ExprCondPair
from sympy.logic.boolalg import BooleanAtom

from symgd import names
from symgd.errors import FormulaError
from symgd.formula.functions.table import BY_CLASS, FUNCTIONS
from symgd.formula.graph import Graph
from symgd.formula.nodes import Name, Node, Where, float_of, is_inverse, topological
from symgd.formula.sympy_bridge import symbol
from symgd.formula.sympy_conditions import can_convert, condition, if_then_else, is_boolean

# SymPy classes that correspond to a function of the table with another class.
_SYMPY_NAMES = {
    name: name.lower()
    for name in (
        *("log10", "log2", "log1p", "expm1", "hypot"),
        *("Cbrt", "Heaviside", "Max", "Min", "Mod"),
    )
}


def from_sympy(expr: sympy.Basic, graph: Graph) -> tuple[Node, dict[str, Name]]:
    """A SymPy expression as a node of `graph`, and its variables by name, in natural order."""
    expr = sympy.sympify(expr, strict=True)
    nodes = topological([expr])  # free_symbols would walk the tree, exponential in its sharing
    for node in reversed(nodes):  # outermost first: the error names that function
        if node.args and not _can_convert(node.func):
            name = names.escape(node.func.__name__)
            raise _error(node, f"'{name}' is not a function that symgd knows")
    symbols = {node for node in nodes if isinstance(node, sympy.Symbol)}
    found = sorted(symbols, key=lambda s: names.natural(s.name))
    variables = {s.name: Name(f"p{k}", s.name) for k, s in enumerate(found)}
    if len(variables) < len(found):
        raise _error(expr, "two different symbols have the same name")
    place = {id(node): k for k, node in enumerate(nodes)}
    done: dict[int, Any] = {}  # nodes, truth values, and (value, condition) of a Piecewise
    for node in nodes:
        ordered = sorted(node.args, key=lambda a: place[id(a)]) if node.is_Mul else node.args
        done[id(node)] = _convert(node, [done[id(a)] for a in ordered], graph, variables)
    root = done[id(expr)]
    if is_boolean(root):
        raise _error(expr, "a loss is a real number, not a condition")
    return root, variables


def _can_convert(cls: type) -> bool:
    structure = (sympy.Add, sympy.Mul, sympy.Pow, sympy.Piecewise, ExprCondPair)
    known = cls in structure or cls.__name__ in _SYMPY_NAMES or can_convert(cls)
    return known or (cls in BY_CLASS and cls is not Where)


def _convert(node: Node, args: list[Any], graph: Graph, variables: Mapping[str, Name]) -> Any:
    cls = node.func
    if isinstance(node, sympy.Symbol):
        return graph.atom(variables[node.name])
    if not args:
        return _constant(node, graph)
    if cls is ExprCondPair:
        if not is_boolean(args[1]):
            raise _error(node.args[1], "this is no condition")
        return tuple(args)
    if cls is sympy.Piecewise:
        return _piecewise(node, args, graph)
    if can_convert(cls):
        found = condition(graph, cls, args)
        if found is None:
            raise _error(node, "conditions and numbers are mixed here")
        return found
    if any(map(is_boolean, args)):
        raise _error(node, "a condition is no number")
    if cls is sympy.Mul:
        return _product(graph, args)
    if cls in (sympy.Add, sympy.Pow):
        if cls is sympy.Pow and node.args[0] is sympy.E:
            return graph.node(sympy.exp, args[1])
        return graph.node(cls, *args)
    if cls is sympy.Heaviside:
        return _heaviside(graph, *args)
    return _function(node, args, graph)


def _function(node: Node, args: list[Node], graph: Graph) -> Node:
    """The call of a function of the table."""
    name = _SYMPY_NAMES.get(node.func.__name__)
    row = FUNCTIONS[name] if name else BY_CLASS[node.func]
    low, high = row.arity
    if len(args) < low or (high is not None and len(args) > high and not row.pairwise):
        raise _error(node, f"{row.name} does not take {len(args)} arguments")
    if row.order and (problem := row.order_problem(float_of(args[0]))) is not None:
        raise _error(node, *problem)
    if row.pairwise:
        return reduce(lambda a, b: graph.node(row.node, a, b), args)
    return graph.node(row.node, *args)


def _heaviside(graph: Graph, x: Node, at_zero: Node) -> Node:
    step = graph.node(FUNCTIONS["heaviside"].node, x)
    if float_of(at_zero) == 0.5:
        return step
    return graph.where(graph.compare("==", x, graph.number(0.0)), at_zero, step)


def _product(graph: Graph, factors: list[Node]) -> Node:
    """A SymPy product as a left-associated chain of binary products.

    SymPy flattens nested products, so iterating l*(1 - l) gives longer and longer products with
    common prefixes; in chains of binary products the common prefix is one shared node.
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


def _constant(node: Node, graph: Graph) -> Node | bool:
    if isinstance(node, BooleanAtom):
        return node is sympy.true
    if node in (sympy.pi, sympy.E):
        return graph.atom(node)
    if isinstance(node, (sympy.Number, sympy.NumberSymbol)) and node.is_finite:
        value = float(node)
        if value - value == 0:
            return graph.number(value)
    raise _error(node, "this is not a finite real number")


def _piecewise(node: sympy.Piecewise, pairs: list[tuple[Any, Any]], graph: Graph) -> Any:
    """Nested where(); the conditions must be exhaustive, or the last one True."""
    *before, (result, last) = pairs
    if last is not True and sympy.Or(*(pair.cond for pair in node.args)) is not sympy.true:
        raise _error(node, "this Piecewise has no last case for True")
    for value, test in reversed(before):
        result = if_then_else(graph, test, value, result)
        if result is None:
            raise _error(node, "conditions and numbers are mixed here")
    return result


def from_callable(function: Callable[..., Any], graph: Graph) -> tuple[Node, dict[str, Name]]:
    """The loss that a Python function computes: it is called once, with SymPy symbols."""
    name = getattr(function, "__name__", "the loss")
    try:
        params = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        raise _error(name, "this callable does not tell its parameters") from None
    if any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in params):
        raise _error(name, "a loss names its parameters; *args and **kwargs have no names")
    free = [p for p in params if p.default is p.empty]
    symbols = {p.name: symbol(p.name) for p in free}
    try:
        by_place = [symbols[p.name] for p in free if p.kind is not p.KEYWORD_ONLY]
        by_name = {p.name: symbols[p.name] for p in free if p.kind is p.KEYWORD_ONLY}
        result = function(*by_place, **by_name)
        expr = sympy.sympify(result, strict=True)
    except (TypeError, sympy.SympifyError) as error:
        hint = "use SymPy's functions inside (sympy.sin, sympy.exp), not math's or NumPy's"
        raise _error(name, f"the function failed on symbols: {error}", hint) from error
    root, found = from_sympy(expr, graph)
    for known in symbols:
        found.setdefault(known, Name(f"p{len(found)}", known))
    return root, found


def _error(what: object, sentence: str, hint: str = "") -> FormulaError:
    text = str(what)
    return FormulaError(text if len(text) < 200 else text[:200] + "…", 0, sentence, hint)
