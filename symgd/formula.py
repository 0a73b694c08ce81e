"""Text -> formula: a precedence parser that builds the shared graph (`symgd.graph`).

The grammar (EBNF) is docs/formulas.md. Nothing is ever evaluated as code: characters become
tokens, tokens become nodes of a fixed table of operations, names become internal symbols.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import sympy

from symgd import names
from symgd.errors import FormulaError
from symgd.evaluation import evaluate
from symgd.functions import BY_CLASS, CALLABLE, Function
from symgd.graph import Graph
from symgd.nodes import Column, Name, Node, Norm, RowMean, RowSum, float_of, is_inverse
from symgd.slopes import SLOPES
from symgd.tokens import Limits, Token, tokens, value_of

DEFAULT_LIMITS = Limits()

_CONSTANTS: dict[str, Node] = {"pi": sympy.pi, "e": sympy.E}
_RELATIONS = {"<", "<=", ">", ">=", "==", "!="}
_ROWS = {"sum": RowSum, "mean": RowMean}
# beta and gamma are functions only before a parenthesis: their bare names are Greek letters
_FUNCTIONS_ONLY = {*CALLABLE, *_ROWS, "sqrt", "norm"} - {"beta", "gamma"}


@dataclass(frozen=True)
class Formula:
    """A formula as it was read.

    text: as typed. graph and root: its nodes. variables: canonical name -> internal symbol, in
    order of first appearance, also those that cancel or are multiplied by 0. columns: those of
    the data that it reads, as the data name them -> internal symbol.
    """

    text: str
    graph: Graph
    root: Node
    variables: Mapping[str, Name]
    columns: Mapping[str, Column] = field(default_factory=dict)


def parse(
    text: str,
    *,
    graph: Graph | None = None,
    variables: Mapping[str, Name] | None = None,
    own: Iterable[str] = (),
    limits: Limits = DEFAULT_LIMITS,
    rule: bool = False,
    table: bool = False,
    columns: Columns | None = None,
    per_row: bool = False,
) -> Formula:
    """The formula that `text` spells, or FormulaError with the place of the first mistake.

    graph: where to build (default: a new one). variables: symbols that are known already.
    own: names that are variables even if they are a constant's (pi, e). rule: allow norm(...).
    table: a derivative of the function table, where names may stand for orders. columns: those of
    the data, if there are any. per_row: the whole formula is the term of one row.
    """
    return _Parser(
        text,
        graph or Graph(),
        dict(variables or {}),
        set(own),
        limits,
        rule,
        table,
        columns,
        rows=int(per_row),
    ).parse()


class Columns:
    """The columns of a table as a formula finds them: by canonical name, or quoted as they are.

    names: as the data spell them.
    """

    def __init__(self, names_: Iterable[str]) -> None:
        self.symbols = {name: Column(f"c{k}", name) for k, name in enumerate(names_)}
        self._spelled: dict[str, list[str]] = {}
        for name in self.symbols:
            self._spelled.setdefault(names.canonical(name), []).append(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.symbols)

    def find(self, token: Token) -> list[str]:
        """The names of the columns that a token may mean."""
        if token.kind == "quoted":
            return [token.text] if token.text in self.symbols else []
        return self._spelled.get(token.text, [])


def variable_name(text: str) -> str:
    """The canonical spelling of one variable's name, or FormulaError."""
    stripped = text.strip()
    stream = tokens(stripped, DEFAULT_LIMITS)
    first = next(stream)
    if first.kind != "name" or next(stream).kind != "end":
        raise FormulaError(
            text, 0, f"'{names.escape(text)}' is not a name", "use letters and digits"
        )
    return first.text


@dataclass
class _Parser:
    text: str
    graph: Graph
    variables: dict[str, Name]
    own: set[str]
    limits: Limits
    rule: bool
    table: bool
    columns: Columns | None = None
    rows: int = 0  # how many sums over rows are open
    read: dict[str, Column] = field(default_factory=dict)
    constants: dict[int, float] = field(default_factory=dict)
    depth: int = 0
    bars: int = 0

    def parse(self) -> Formula:
        try:
            return self.formula()
        except RecursionError:
            sentence = "the formula is nested too deeply for Python's recursion limit"
            raise self.error(sentence, "") from None

    def formula(self) -> Formula:
        if len(self.text) > self.limits.length:
            sentence = (
                f"{len(self.text)} characters are too many (limit length={self.limits.length})"
            )
            raise FormulaError(self.text[:80], 0, sentence)
        self.stream = tokens(self.text, self.limits)
        self.token = next(self.stream)
        self.before = ""  # what stood before the operand just read: its operator, or ""
        if self.token.kind == "end":
            raise self.error("there is no formula", 'write one, for example "theta**2"')
        root = self.expression()
        if self.token.kind != "end":
            raise self.unexpected()
        return Formula(self.text, self.graph, root, self.variables, self.read)

    # -- the grammar, from the loosest binding to the tightest ----------------------------
    # Few and fat functions on purpose: each level of nesting costs two Python frames, so that
    # the default depth fits well into Python's recursion limit.

    def expression(self) -> Node:
        """term { ("+" | "-") term }, where a term is factors joined by * / or next to another."""
        terms: list[Node] = []
        minus = False
        while True:
            negative = self.signs() ^ minus
            self.before = "-" if negative else ""
            factors = [self.operand()]
            while True:
                if self.token.kind in {"*", "/"}:
                    operator = self.advance()
                    flip = self.signs()
                    self.before = operator.kind
                    factor = self.operand()
                    factor = self.negate(factor) if flip else factor
                    if operator.kind == "/":
                        factor = self.build(sympy.Pow, factor, self.number(-1.0), at=operator)
                    factors.append(factor)
                elif self.juxtaposed():
                    self.before = "next to"
                    factors.append(self.operand())
                else:
                    break
            term = factors[0] if len(factors) == 1 else self.build(sympy.Mul, *factors)
            terms.append(self.negate(term) if negative else term)
            if self.token.kind not in {"+", "-"}:
                return terms[0] if len(terms) == 1 else self.build(sympy.Add, *terms)
            minus = self.advance().kind == "-"

    def operand(self) -> Node:
        """number | name | call | "(" … ")" | "|" … "|" | "√" operand, then powers."""
        before, start = self.before, self.advance()
        if start.kind == "number":
            base = self.number(value_of(start, self.text))
        elif start.kind == "name":
            base = self.named(start)
        elif start.kind == "quoted":
            base = self.column(start)
        elif start.kind in {"(", "|"}:
            outer, self.bars = self.bars, int(start.kind == "|")
            self.enter(start)
            if start.kind == "(" and self.token.kind == ")":
                raise self.error("there is nothing between '(' and ')'", "")
            base = self.expression()
            self.close(start, ")" if start.kind == "(" else "|")
            self.bars = outer
            if start.kind == "|":
                base = self.build(sympy.Abs, base, at=start)
        elif start.kind == "√":
            base = self.root(start)
        else:
            self.token = start
            raise self.unexpected()
        self.before = before
        if self.token.kind not in {"superscript", "**"}:
            return base
        if start.kind == "√":
            raise self.two_readings(start, "√(x^2)", "(√x)^2")
        operator = self.advance()
        if operator.kind == "superscript":
            if self.token.kind in {"**", "superscript"}:
                raise self.two_readings(operator, "x^(2^3)", "(x^2)^3")
            return self.power(base, self.number(float(operator.text)), operator)
        self.enter(operator)
        negative = self.signs()
        self.before = "**"
        exponent = self.operand()
        self.depth -= 1
        return self.power(base, self.negate(exponent) if negative else exponent, operator)

    def root(self, sign: Token) -> Node:
        if self.token.kind == "√":
            raise self.error("two roots in a row", "write √(√(x))")
        if self.token.kind not in {"number", "name", "(", "|"}:
            raise self.unexpected()
        number = self.token.kind == "number"
        self.enter(sign)
        if number:
            radicand = self.number(value_of(self.advance(), self.text))
        elif self.token.kind == "name":
            radicand = self.named(self.advance())
        else:
            opening = self.advance()
            outer, self.bars = self.bars, int(opening.kind == "|")
            radicand = self.expression()
            self.close(opening, ")" if opening.kind == "(" else "|")
            self.enter(opening)
            self.bars = outer
            if opening.kind == "|":
                radicand = self.build(sympy.Abs, radicand, at=opening)
        self.depth -= 1
        if number and self.token.kind in {"name", "("}:
            raise self.two_readings(sign, "√(2*x)", "(√2)*x")
        return self.build(sympy.Pow, radicand, self.number(0.5), at=sign)

    def named(self, token: Token) -> Node:
        name = token.text
        if self.token.kind == "(":
            return self.call(token)
        if self.columns is not None and self.columns.find(token):
            return self.column(token)
        mine = name in self.own or name in self.variables
        if not mine and name in _FUNCTIONS_ONLY:
            raise self.bare_function(token)
        if not mine and name in _CONSTANTS:
            node = self.graph.atom(_CONSTANTS[name])
            value = float_of(node)
            assert value is not None
            self.constants[id(node)] = value
            return node
        symbol = self.variables.get(name)
        if symbol is None:
            symbol = Name(f"p{len(self.variables)}", name)
            self.variables[name] = symbol
        return self.graph.atom(symbol)

    def column(self, token: Token) -> Node:
        """The column that a name means; it stands only where there is a row."""
        shown = names.escape(token.text)
        if self.columns is None:
            hint = "names in back quotes are for data columns, and there are no data"
            raise self.error(f"there is no column '{shown}'", hint, token)
        found = self.columns.find(token)
        if not found:
            listed = names.escape(", ".join(list(self.columns)[:20])) or "none"
            hint = names.suggest(token.text, self.columns) or f"the data have {listed}"
            raise self.error(f"the data have no column '{shown}'", hint, token)
        if len(found) > 1:
            both = " and ".join(f"`{names.escape(name)}`" for name in found)
            raise self.error(f"'{shown}' may be the column {both}", "put it in back quotes", token)
        if not self.rows:
            sentence = f"'{shown}' is a column of the data: it has a value in every row"
            raise self.error(sentence, f"put it inside sum(...) or mean(...): mean({shown})", token)
        symbol = self.read.setdefault(found[0], self.columns.symbols[found[0]])
        return self.graph.atom(symbol)

    def call(self, token: Token) -> Node:
        name = token.text
        row = CALLABLE.get(name) or (SLOPES.get(name) if self.table else None)
        if row is None and not (name == "sqrt" or name in _ROWS or (name == "norm" and self.rule)):
            raise self.not_a_function(token)
        self.advance()
        self.enter(token)
        if name in _ROWS and self.columns is None:
            sentence = f"{name}(...) goes over the rows of a data file, and there is none"
            hint = "give the data (--data FILE), or write the terms out, joined by +"
            raise self.error(sentence, hint, token)
        self.rows += name in _ROWS
        outer, self.bars = self.bars, 0
        args: list[Node] = []
        while self.token.kind != ")" or args:
            arg = self.expression()
            if name == "where" and not args:
                arg = self.graph.compare(self.relation().kind, arg, self.expression())
                if self.token.kind in _RELATIONS:
                    hint = "nest: where(a < x, where(x < b, ...), ...)"
                    raise self.error("one comparison per condition", hint)
            args.append(arg)
            if self.token.kind != ",":
                break
            self.advance()
        self.close(token, ")")
        self.bars = outer
        if row is not None:
            return self.apply(row, args, token)
        if len(args) != 1:
            raise self.error(f"{name} takes 1 argument, not {len(args)}", f"write {name}(x)", token)
        if name in _ROWS:
            self.rows -= 1
            return self.graph.node(_ROWS[name], *args)
        if name == "norm":
            return self.build(Norm, *args, at=token)
        return self.build(sympy.Pow, args[0], self.number(0.5), at=token)

    def relation(self) -> Token:
        if self.token.kind not in _RELATIONS:
            hint = "for example where(x > 0, x, -x)"
            raise self.error("a condition needs a comparison", hint)
        return self.advance()

    def apply(self, row: Function, args: list[Node], token: Token) -> Node:
        low, high = row.arity
        if len(args) < low or (high is not None and len(args) > high):
            wanted = (
                f"{low}"
                if high == low
                else f"at least {low}"
                if high is None
                else f"{low} to {high}"
            )
            plural = "" if wanted in {"1", "at least 1"} else "s"
            sentence = f"{row.name} takes {wanted} argument{plural}, not {len(args)}"
            raise self.error(sentence, f"write {row.signature}", token)
        if high is not None and row.defaults:
            args += [self.number(v) for v in row.defaults[len(row.defaults) - high + len(args) :]]
        if row.order and not self.table and id(args[0]) not in self.constants:
            sentence = f"the order of {row.name} must be a number"
            raise self.error(sentence, "there is no derivative with respect to it", token)
        if row.order and not self.table:
            order = self.constants[id(args[0])]
            if not row.has_order(order):
                sentence = f"{row.name} has no order {order:g}"
                raise self.error(sentence, f"orders end at {row.last_order:g}", token)
        if row.pairwise:
            node = args[0]
            for arg in args[1:]:
                node = self.build(row.node, node, arg, at=token)
            return node
        return self.build(row.node, *args, at=token)

    # -- building, with constants checked before anybody relies on them --------------------

    def build(self, cls: type, *args: Node, at: Token | None = None) -> Node:
        node = self.graph.node(cls, *args)
        if len(self.graph) > self.limits.nodes:
            sentence = f"the formula has too many parts (limit nodes={self.limits.nodes})"
            raise self.error(sentence, "", at)
        constants = self.constants
        if all(id(a) in constants for a in args) and id(node) not in constants:
            value = evaluate(node, self.constant)
            if value - value != 0:
                raise self.bad_constant(node, value, at)
            constants[id(node)] = value
        return node

    def constant(self, node: Node) -> float:
        return self.constants[id(node)]

    def number(self, value: float) -> Node:
        node = self.graph.number(value)
        self.constants[id(node)] = value
        return node

    def negate(self, node: Node) -> Node:
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
        value = self.constants.get(id(exponent))
        if value is not None and abs(value) > self.limits.exponent:
            sentence = (
                f"the exponent {value:g} is too large (limit exponent={self.limits.exponent:g})"
            )
            raise self.error(sentence, "", at)
        if base is sympy.E:
            return self.build(sympy.exp, exponent, at=at)
        return self.build(sympy.Pow, base, exponent, at=at)

    # -- tokens ---------------------------------------------------------------------------

    def advance(self) -> Token:
        self.last = self.token
        if self.token.kind != "end":
            self.token = next(self.stream)
        return self.last

    def enter(self, token: Token) -> None:
        self.depth += 1
        if self.depth > self.limits.depth:
            sentence = f"the formula is nested too deeply (limit depth={self.limits.depth})"
            raise self.error(sentence, "", token)

    def close(self, opening: Token, closing: str) -> None:
        if self.token.kind == closing:
            self.depth -= 1
            self.advance()
        elif self.token.kind == "end":
            sentence = f"'{opening.text}' is never closed"
            raise self.error(sentence, f"add '{closing}'", opening)
        else:
            raise self.unexpected()

    def signs(self) -> bool:
        """Read any + and - signs; whether they amount to a minus."""
        negative, count = False, 0
        while self.token.kind in {"+", "-"}:
            count += 1
            if count > self.limits.depth:
                raise self.error(f"too many signs in a row (limit depth={self.limits.depth})", "")
            negative ^= self.advance().kind == "-"
        return negative

    def juxtaposed(self, check: bool = True) -> bool:
        """Whether the next token multiplies the operand just read without a sign: 2x, (a)(b)."""
        next_kind, last = self.token.kind, self.last
        after_number = last.kind == "number" and next_kind in {"name", "(", "√", "|"}
        if next_kind == "|" and self.bars:
            return False
        if not (after_number or (last.kind == ")" and next_kind == "(")):
            if last.kind in {")", "|"} and next_kind == "name" and self.token.text in CALLABLE:
                hint = f"write * before {self.token.text}"
                raise self.error("two factors without an operator between them", hint)
            return False
        if check and self.before in {"/", "**"}:
            left = self.text[: self.token.column].rstrip()[-12:]
            operator = "/" if self.before == "/" else "^"
            shown = f"'{names.escape(left)}' next to '{names.escape(self.token.text)}'"
            hint = f"write a{operator}(b*c) or (a{operator}b)*c"
            raise self.error(f"{shown} has two readings", hint)
        return True

    # -- errors ---------------------------------------------------------------------------

    def error(self, sentence: str, hint: str, token: Token | None = None) -> FormulaError:
        return FormulaError(self.text, (token or self.token).column, sentence, hint)

    def two_readings(self, token: Token, one: str, other: str) -> FormulaError:
        return self.error("this has two readings", f"write it as {one} or as {other}", token)

    def unexpected(self) -> FormulaError:
        token = self.token
        if token.kind == "end":
            return self.error("the formula ends too early", "something is missing here")
        if token.kind in _RELATIONS:
            hint = "write where(condition, a, b)"
            return self.error("a comparison stands only inside where(...)", hint)
        if token.kind == ",":
            hint = "a decimal number takes a point: 0.5"
            return self.error("a comma stands only between the arguments of a function", hint)
        if token.kind in {")", "|"}:
            return self.error(f"this '{token.text}' closes nothing", "delete it or open it")
        if token.kind in {"name", "quoted", "number", "(", "√", "superscript"}:
            last = getattr(self, "last", None)
            if last is not None and last.kind == "name" and last.text in CALLABLE:
                return self.bare_function(last)
            sentence = "two factors without an operator between them"
            return self.error(sentence, "write * between them")
        if self.text[: token.column + 1].endswith("//"):
            hint = "write a/b, or floor(a/b) for the quotient rounded down"
            return self.error("'//' is not part of a formula", hint)
        return self.error(f"'{token.text}' has nothing to work on", "a value is missing before it")

    def bare_function(self, token: Token) -> FormulaError:
        name = token.text
        hint = f"write {name}(x)"
        if self.token.kind == "name":
            hint = f"write {name}({names.escape(self.token.text)})"
        elif self.token.kind in {"superscript", "**"}:
            hint = f"write {name}(x)^2"
        return self.error(f"'{name}' is a function and needs its argument", hint, token)

    def not_a_function(self, token: Token) -> FormulaError:
        name = names.escape(token.text)
        near = (
            names.suggest(token.text, [*CALLABLE, "sqrt", "sum", "mean"]) if len(name) > 2 else ""
        )
        hint = near or f"to multiply, write {name}*(...); `symgd functions` lists the functions"
        return self.error(f"'{name}' is not a function", hint, token)

    def bad_constant(self, node: Node, value: float, at: Token | None) -> FormulaError:
        if is_inverse(node):
            return self.error("this divides by zero", "", at)
        if value != value:
            return self.error("this constant is not a real number", "", at)
        operands = [abs(self.constant(a)) for a in node.args]
        if node.func is sympy.Pow and operands[0] == 0:
            return self.error("this divides by zero", "", at)
        row = BY_CLASS.get(node.func)
        if row is not None and max(operands) < 100:  # an overflow takes more than that
            return self.error(f"{row.name} is infinite there", "", at)
        return self.error("this constant is too large for a double (1.8e308)", "", at)
