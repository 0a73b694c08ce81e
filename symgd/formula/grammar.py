"""The grammar of docs/formulas.md: a precedence parser from tokens to nodes."""

from __future__ import annotations

import sympy

from symgd import names
from symgd.formula.builder import Builder
from symgd.formula.columns import Columns
from symgd.formula.functions.derivatives import SLOPES
from symgd.formula.functions.table import CALLABLE, POWERS, VARIABLES
from symgd.formula.graph import Graph
from symgd.formula.nodes import (
    RELATIONS,
    Both,
    Column,
    Either,
    Name,
    Negated,
    Node,
    Norm,
    RowMean,
    RowSum,
    float_of,
    is_condition,
)
from symgd.formula.token_stream import Reader
from symgd.formula.tokens import LOGIC, Limits, Token, value_of

_CONSTANTS: dict[str, Node] = {"pi": sympy.pi, "e": sympy.E}
_ROWS = {"sum": RowSum, "mean": RowMean}
_FUNCTIONS_ONLY = {*CALLABLE, *POWERS, *_ROWS, "norm"} - VARIABLES


class Grammar:
    """Reads one formula from its text; `symgd.formula.parse.parse` says what the arguments mean.

    variables: canonical name -> internal symbol; grows by the names that the text has first.
    read: the columns that the text has, as the data name them.
    """

    def __init__(
        self,
        text: str,
        graph: Graph,
        variables: dict[str, Name],
        own: set[str],
        limits: Limits,
        *,
        rule: bool = False,
        table: bool = False,
        columns: Columns | None = None,
        rows: int = 0,
    ) -> None:
        self.reader = Reader(text, limits)
        self.builder = Builder(graph, self.reader, limits, table)
        self.graph = graph
        self.variables = variables
        self.own = own
        self.rule = rule
        self.table = table
        self.columns = columns
        self.rows = rows  # how many sums over rows are open
        self.read: dict[str, Column] = {}
        self.bars = 0
        self.before = ""  # what stood before the operand just read: its operator, or ""
        self.tested = False  # whether a condition may begin with the next token

    def formula(self) -> Node:
        """The root of the whole text, or FormulaError with the place of the first mistake."""
        reader = self.reader
        if reader.token.kind == "end":
            raise reader.error("there is no formula", 'write one, for example "theta**2"')
        try:
            root = self.expression()
        except RecursionError:
            sentence = "the formula is nested too deeply for Python's recursion limit"
            raise reader.error(sentence, "") from None
        if reader.token.kind != "end":
            raise reader.unexpected()
        return root

    # From the loosest binding to the tightest. Few and fat functions on purpose: each level of
    # nesting costs two Python frames, so that the default depth fits well into Python's recursion
    # limit.

    def expression(self) -> Node:
        """term { ("+" | "-") term }, where a term is factors joined by * / or next to another."""
        reader, builder = self.reader, self.builder
        terms: list[Node] = []
        minus = False
        tested, self.tested = self.tested, False
        while True:
            self.tested = tested and not terms and reader.token.kind == "("
            negative = reader.signs() ^ minus
            self.before = "-" if negative else ""
            factors = [self.operand()]
            if tested and is_condition(factors[0]):
                return factors[0]
            while True:
                if reader.token.kind in {"*", "/"}:
                    operator = reader.advance()
                    flip = reader.signs()
                    self.before = operator.kind
                    factor = self.operand()
                    factor = builder.negate(factor) if flip else factor
                    if operator.kind == "/":
                        factor = builder.build(sympy.Pow, factor, builder.number(-1.0), at=operator)
                    factors.append(factor)
                elif self.juxtaposed():
                    self.before = "next to"
                    factors.append(self.operand())
                else:
                    break
            term = factors[0] if len(factors) == 1 else builder.build(sympy.Mul, *factors)
            terms.append(builder.negate(term) if negative else term)
            if reader.token.kind not in {"+", "-"}:
                return terms[0] if len(terms) == 1 else builder.build(sympy.Add, *terms)
            minus = reader.advance().kind == "-"

    def operand(self) -> Node:
        """number | name | call | "(" … ")" | "|" … "|" | "√" operand, then powers."""
        reader, builder = self.reader, self.builder
        before, last, start = self.before, reader.last, reader.advance()
        tested, self.tested = self.tested, False
        if start.kind == "number":
            base = builder.number(value_of(start, reader.text))
        elif start.kind == "name":
            base = self.named(start)
        elif start.kind == "quoted":
            base = self.column(start)
        elif start.kind in {"(", "|"}:
            outer, self.bars = self.bars, int(start.kind == "|")
            reader.enter(start)
            if start.kind == "(" and reader.token.kind == ")":
                raise reader.error("there is nothing between '(' and ')'", "")
            base = self.condition(opening=True) if tested else self.expression()
            reader.close(start, ")" if start.kind == "(" else "|")
            self.bars = outer
            if start.kind == "|":
                base = builder.build(sympy.Abs, base, at=start)
        elif start.kind == "√":
            base = self.root(start)
        else:
            reader.last, reader.token = last, start
            raise reader.unexpected()
        self.before = before
        if reader.token.kind not in {"superscript", "**"} or (tested and is_condition(base)):
            return base
        if start.kind == "√":
            raise reader.two_readings(start, "√(x^2)", "(√x)^2")
        operator = reader.advance()
        if operator.kind == "superscript":
            if reader.token.kind in {"**", "superscript"}:
                raise reader.two_readings(operator, "x^(2^3)", "(x^2)^3")
            return builder.power(base, builder.number(float(operator.text)), operator)
        reader.enter(operator)
        negative = reader.signs()
        self.before = "**"
        exponent = self.operand()
        reader.depth -= 1
        return builder.power(base, builder.negate(exponent) if negative else exponent, operator)

    def root(self, sign: Token) -> Node:
        """What stands under a √: a number, a name, a call, or something in parentheses or bars."""
        reader, builder = self.reader, self.builder
        if reader.token.kind == "√":
            raise reader.error("two roots in a row", "write √(√(x))")
        if reader.token.kind not in {"number", "name", "(", "|"}:
            raise reader.unexpected()
        number = reader.token.kind == "number"
        reader.enter(sign)
        if number:
            radicand = builder.number(value_of(reader.advance(), reader.text))
        elif reader.token.kind == "name":
            radicand = self.named(reader.advance())
        else:
            opening = reader.advance()
            outer, self.bars = self.bars, int(opening.kind == "|")
            radicand = self.expression()
            reader.close(opening, ")" if opening.kind == "(" else "|")
            reader.enter(opening)
            self.bars = outer
            if opening.kind == "|":
                radicand = builder.build(sympy.Abs, radicand, at=opening)
        reader.depth -= 1
        if number and reader.token.kind in {"name", "("}:
            raise reader.two_readings(sign, "√(2*x)", "(√2)*x")
        return builder.build(sympy.Pow, radicand, builder.number(0.5), at=sign)

    def named(self, token: Token) -> Node:
        """The call, column, variable or constant that a name means."""
        name = token.text
        if self.reader.token.kind == "(":
            return self.call(token)
        if self.columns is not None and self.columns.find(token):
            return self.column(token)
        mine = name in self.own or name in self.variables
        if not mine and name in _FUNCTIONS_ONLY:
            raise self.reader.bare_function(token)
        if not mine and name in _CONSTANTS:
            node = self.graph.atom(_CONSTANTS[name])
            value = float_of(node)
            assert value is not None
            self.builder.constants[id(node)] = value
            return node
        symbol = self.variables.get(name)
        if symbol is None:
            symbol = Name(f"p{len(self.variables)}", name)
            self.variables[name] = symbol
        return self.graph.atom(symbol)

    def column(self, token: Token) -> Node:
        """The column that a name means; it stands only where there is a row."""
        reader = self.reader
        shown = names.escape(token.text)
        if self.columns is None:
            hint = "names in back quotes are for data columns, and there are no data"
            raise reader.error(f"there is no column '{shown}'", hint, token)
        found = self.columns.find(token)
        if not found:
            listed = names.escape(", ".join(list(self.columns)[:20])) or "none"
            hint = names.suggest(token.text, self.columns) or f"the data have {listed}"
            raise reader.error(f"the data have no column '{shown}'", hint, token)
        if len(found) > 1:
            both = " and ".join(f"`{names.escape(name)}`" for name in found)
            sentence = f"'{shown}' may be the column {both}"
            raise reader.error(sentence, "put it in back quotes", token)
        if not self.rows:
            sentence = f"'{shown}' is a column of the data: it has a value in every row"
            hint = f"put it inside sum(...) or mean(...): mean({shown})"
            raise reader.error(sentence, hint, token)
        symbol = self.read.setdefault(found[0], self.columns.symbols[found[0]])
        return self.graph.atom(symbol)

    def call(self, token: Token) -> Node:
        """name "(" arguments ")": a function of the table, sqrt, norm, or a sum over rows."""
        reader, builder = self.reader, self.builder
        name = token.text
        row = CALLABLE.get(name) or (SLOPES.get(name) if self.table else None)
        norm = name == "norm" and self.rule
        if row is None and not (name in POWERS or name in _ROWS or norm):
            raise reader.not_a_function(token)
        reader.advance()
        reader.enter(token)
        if name in _ROWS and self.columns is None:
            sentence = f"{name}(...) goes over the rows of a data file, and there is none"
            hint = "give the data (--data FILE), or write the terms out, joined by +"
            raise reader.error(sentence, hint, token)
        self.rows += name in _ROWS
        outer, self.bars = self.bars, 0
        args: list[Node] = []
        while reader.token.kind != ")" or args:
            args.append(self.condition() if name == "where" and not args else self.expression())
            if reader.token.kind != ",":
                break
            reader.advance()
        reader.close(token, ")")
        self.bars = outer
        if row is not None:
            return builder.apply(row, args, token)
        if name in POWERS:
            return builder.call_of_power(name, args, token)
        if len(args) != 1:
            sentence = f"{name} takes 1 argument, not {len(args)}"
            raise reader.error(sentence, f"write {name}(x)", token)
        if name in _ROWS:
            self.rows -= 1
            return self.graph.node(_ROWS[name], *args)
        return self.graph.node(Norm, *args)

    def condition(self, opening: bool = False) -> Node:
        """Comparisons joined by not, and, or; behind an `opening` parenthesis also a value.

        One function for all three, again for the sake of Python's recursion limit.
        """
        reader, graph = self.reader, self.graph
        either: list[Node] = []
        both: list[Node] = []
        while True:
            count = reader.negations()
            self.tested = True
            part = self.expression()
            if is_condition(part):
                if reader.token.kind not in {*LOGIC, ")", ",", "end"}:
                    hint = "where(condition, 1, 0) is one"
                    raise reader.error("a condition is no number", hint)
            elif reader.token.kind in RELATIONS:
                part = graph.compare(reader.advance().kind, part, self.expression())
                if reader.token.kind in RELATIONS:
                    hint = "join two with and: a < x and x < b"
                    raise reader.error("one comparison per condition", hint)
            else:
                alone = not (count or either or both) and reader.token.kind not in LOGIC
                if opening and alone:
                    return part
                hint = "for example where(x > 0, x, -x)"
                raise reader.error("a condition needs a comparison", hint)
            both.append(graph.node(Negated, part) if count % 2 else part)
            if reader.token.kind != "and":
                either.append(both[0] if len(both) == 1 else graph.node(Both, *both))
                both = []
                if reader.token.kind != "or":
                    return either[0] if len(either) == 1 else graph.node(Either, *either)
            reader.advance()

    def juxtaposed(self, check: bool = True) -> bool:
        """Whether the next token multiplies the operand just read without a sign: 2x, (a)(b)."""
        reader = self.reader
        next_kind, last = reader.token.kind, reader.last
        after_number = last.kind == "number" and next_kind in {"name", "(", "√", "|"}
        if next_kind == "|" and self.bars:
            return False
        if not (after_number or (last.kind == ")" and next_kind == "(")):
            if last.kind in {")", "|"} and next_kind == "name" and reader.token.text in CALLABLE:
                hint = f"write * before {reader.token.text}"
                raise reader.error("two factors without an operator between them", hint)
            return False
        if check and self.before in {"/", "**"}:
            left = reader.text[: reader.token.column].rstrip()[-12:]
            operator = "/" if self.before == "/" else "^"
            shown = f"'{names.escape(left)}' next to '{names.escape(reader.token.text)}'"
            hint = f"write a{operator}(b*c) or (a{operator}b)*c"
            raise reader.error(f"{shown} has two readings", hint)
        return True
