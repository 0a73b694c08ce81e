"""Construct the nodes of a formula while it is parsed; constant sub-expressions must be finite."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import reduce

import sympy

from symgd.errors import FormulaError
from symgd.formula.constants import ValuePair, is_infinite, may_be_infinite
from symgd.formula.evaluate import evaluate
from symgd.formula.functions.table import BY_CLASS, POWERS, Function
from symgd.formula.graph import Graph
from symgd.formula.nodes import Node, float_of, is_inverse
from symgd.formula.other_names import call_meaning
from symgd.formula.token_stream import TokenStream
from symgd.formula.tokens import Token
from symgd.names import counted


@dataclass
class Builder:
    """Adds nodes to a graph; an error points at the current token, or at the token `at`.

    table: the text is a formula of the function table, where names may stand for orders.
    """

    graph: Graph
    stream: TokenStream
    table: bool
    constants: dict[int, float] = field(default_factory=dict)  # of nodes without names, by id
    exact: dict[int, ValuePair] = field(default_factory=dict)  # the same with more digits

    def build(self, cls: type, *args: Node, at: Token | None = None) -> Node:
        """The node of this class; one of constants alone must have a finite value."""
        node = self.graph.node(cls, *args)
        if len(self.graph) > self.stream.limits.nodes:
            sentence = f"the formula has too many parts (limit nodes={self.stream.limits.nodes})"
            raise self.stream.error(sentence, "", at)
        constants = self.constants
        for arg in args:
            if id(arg) not in constants:
                return node
        if id(node) not in constants:
            value = evaluate(node, self._value)
            if value - value != 0:
                raise self._bad_constant(node, value, at)
            if may_be_infinite(node) and is_infinite(node, self.exact):
                raise self._infinite(node, at)
            constants[id(node)] = value
        return node

    def _value(self, node: Node) -> float:
        return self.constants[id(node)]

    def number(self, value: float) -> Node:
        """The atom of a number."""
        node = self.graph.number(value)
        self.constants[id(node)] = value
        return node

    def named_constant(self, constant: Node) -> Node:
        """The atom of pi or e."""
        if id(constant) not in self.constants:  # SymPy takes long to evaluate it
            self.constants[id(constant)] = float(constant)
        return self.graph.atom(constant)

    def negate(self, node: Node) -> Node:
        """-node; the sign is merged into a leading number."""
        value = float_of(node)
        if value is not None and not isinstance(node, sympy.NumberSymbol):
            return self.number(-value)
        if isinstance(node, sympy.Mul):
            lead = float_of(node.args[0])
            if lead is not None and not isinstance(node.args[0], sympy.NumberSymbol):
                first = self.number(-lead)
                rest = node.args[1:]
                if first is sympy.S.One:
                    return rest[0] if len(rest) == 1 else self.build(sympy.Mul, *rest)
                return self.build(sympy.Mul, first, *rest)
        minus_one = self.number(-1.0)
        return self.build(sympy.Mul, minus_one, node)

    def power(self, base: Node, exponent: Node, at: Token) -> Node:
        """base to the power of exponent; of e, its exp."""
        value, limit = self.constants.get(id(exponent)), self.stream.limits.exponent
        if value is not None and abs(value) > limit:
            sentence = f"the exponent {value:g} is too large (limit exponent={limit:g})"
            raise self.stream.error(sentence, "", at)
        if base is sympy.E:
            return self.build(sympy.exp, exponent, at=at)
        return self.build(sympy.Pow, base, exponent, at=at)

    def call_of_power(self, name: str, args: list[Node], token: Token) -> Node:
        """sqrt(x), square(x) or pow(x, y)."""
        power = POWERS[name]
        count = 1 if power.exponent is not None else 2
        if len(args) != count:
            sentence = f"{name} takes {counted(count, 'argument')}, not {len(args)}"
            raise self.stream.error(sentence, f"write {name}{power.signature}", token)
        if power.exponent is None:
            base, exponent = args
            return self.power(base, exponent, token)
        return self.build(sympy.Pow, args[0], self.number(power.exponent), at=token)

    def apply(self, row: Function, args: list[Node], token: Token) -> Node:
        """The call of a function of the table, whose arity and order are checked."""
        low, high = row.arity
        if len(args) < low or (high is not None and len(args) > high):
            wanted = f"at least {low}" if high is None else f"{low} to {high}"
            wanted = f"{low}" if high == low else wanted
            plural = "" if wanted in {"1", "at least 1"} else "s"
            sentence = f"{row.name} takes {wanted} argument{plural}, not {len(args)}"
            hint = call_meaning(row.name, len(args)) or f"write {row.signature}"
            raise self.stream.error(sentence, hint, token)
        args += map(self.number, row.omitted_defaults(len(args)))
        if row.order and not self.table:
            problem = row.order_problem(self.constants.get(id(args[0])))
            if problem is not None:
                raise self.stream.error(*problem, token)
        if row.pairwise:
            return reduce(lambda a, b: self.build(row.node, a, b, at=token), args)
        return self.build(row.node, *args, at=token)

    def _bad_constant(self, node: Node, value: float, at: Token | None) -> FormulaError:
        if is_inverse(node):
            return self.stream.error("this divides by zero", "", at)
        if is_infinite(node, self.exact):
            return self._infinite(node, at)
        if value != value:
            return self.stream.error("this constant is not a real number", "", at)
        operands = [abs(self._value(a)) for a in node.args]
        if node.func is sympy.Pow and operands[0] == 0:
            return self.stream.error("this divides by zero", "", at)
        row = BY_CLASS.get(node.func)
        if row is not None and max(operands) < 100:  # too small for an overflow
            return self._infinite(node, at)
        return self.stream.error("this constant is too large for a double (1.8e308)", "", at)

    def _infinite(self, node: Node, at: Token | None) -> FormulaError:
        row = BY_CLASS.get(node.func)
        sentence = "this divides by zero" if row is None else f"{row.name} is infinite there"
        return self.stream.error(sentence, "", at)
