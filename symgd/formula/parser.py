"""The grammar of docs/formulas.md: a precedence parser from tokens to nodes."""

from __future__ import annotations

import sympy

from symgd import names
from symgd.formula.builder import Builder
from symgd.formula.columns import Columns
from symgd.formula.functions.derivatives import DERIVATIVES
from symgd.formula.functions.table import CALLABLE, POWERS, VARIABLES
from symgd.formula.graph import Graph
from symgd.formula.nodes import (
    RELATIONS,
    Column,
    Conjunction,
    Disjunction,
    Name,
    Negation,
    Node,
    Norm,
    RowMean,
    RowSum,
    float_of,
    is_condition,
)
from symgd.formula.token_stream import TokenStream
from symgd.formula.tokens import LOGIC, Limits, Token, value_of

_CONSTANTS: dict[str, Node] = {"pi": sympy.pi, "e": sympy.E}
_ROWS = {"sum": RowSum, "mean": RowMean}
_FUNCTIONS_ONLY = {*CALLABLE, *POWERS, *_ROWS, "norm"} - VARIABLES


class Parser:
    """Reads one formula from its text; `symgd.formula.parse.parse` says what the arguments mean.

    variables: canonical name -> internal symbol; grows by the names that the text has first.
    read: the columns that the text has, as the data name them.
    """

    def __init__(
        self,
        text: str,
        graph: Graph,
        variables: dict[str, Name],
        declared: set[str],
        limits: Limits,
        *,
        rule: bool = False,
        table: bool = False,
        columns: Columns | None = None,
        rows: int = 0,
    ) -> None:
        self.stream = TokenStream(text, limits)
        self.builder = Builder(graph, self.stream, limits, table)
        self.graph = graph
        self.variables = variables
        self.declared = declared
        self.rule = rule
        self.table = table
        self.columns = columns
        self.open_row_sums = rows  # how many sums over rows are open
        self.read: dict[str, Column] = {}
        self.open_bars = 0
        self.preceding = ""  # what stood before the operand just read: its operator, or ""
        self.condition_allowed = False  # whether a condition may begin with the next token

    def formula(self) -> Node:
        """The root of the whole text, or FormulaError with the place of the first mistake."""
        stream = self.stream
        if stream.token.kind == "end":
            raise stream.error("there is no formula", 'write one, for example "theta**2"')
        try:
            root = self.expression()
        except RecursionError:
            sentence = "the formula is nested too deeply for Python's recursion limit"
            raise stream.error(sentence, "") from None
        if stream.token.kind != "end":
            raise stream.unexpected()
        return root

    # From the loosest binding to the tightest. Few and fat functions on purpose: each level of
    # nesting costs two Python frames, so that the default depth fits well into Python's recursion
    # limit.

    def expression(self) -> Node:
        """term { ("+" | "-") term }, where a term is factors joined by * / or next to another."""
        stream, builder = self.stream, self.builder
        terms: list[Node] = []
        minus = False
        condition_allowed, self.condition_allowed = self.condition_allowed, False
        while True:
            self.condition_allowed = condition_allowed and not terms and stream.token.kind == "("
            negative = stream.signs() ^ minus
            self.preceding = "-" if negative else ""
            factors = [self.operand()]
            if condition_allowed and is_condition(factors[0]):
                return factors[0]
            while True:
                if stream.token.kind in {"*", "/"}:
                    operator = stream.advance()
                    flip = stream.signs()
                    self.preceding = operator.kind
                    factor = self.operand()
                    factor = builder.negate(factor) if flip else factor
                    if operator.kind == "/":
                        factor = builder.build(sympy.Pow, factor, builder.number(-1.0), at=operator)
                    factors.append(factor)
                elif self.juxtaposed():
                    self.preceding = "next to"
                    factors.append(self.operand())
                else:
                    break
            term = factors[0] if len(factors) == 1 else builder.build(sympy.Mul, *factors)
            terms.append(builder.negate(term) if negative else term)
            if stream.token.kind not in {"+", "-"}:
                return terms[0] if len(terms) == 1 else builder.build(sympy.Add, *terms)
            minus = stream.advance().kind == "-"

    def operand(self) -> Node:
        """number | name | call | "(" … ")" | "|" … "|" | "√" operand, then powers."""
        stream, builder = self.stream, self.builder
        preceding, last, start = self.preceding, stream.last, stream.advance()
        condition_allowed, self.condition_allowed = self.condition_allowed, False
        if start.kind == "number":
            base = builder.number(value_of(start, stream.text))
        elif start.kind == "name":
            base = self.named(start)
        elif start.kind == "quoted":
            base = self.column(start)
        elif start.kind in {"(", "|"}:
            outer, self.open_bars = self.open_bars, int(start.kind == "|")
            stream.enter(start)
            if start.kind == "(" and stream.token.kind == ")":
                raise stream.error("there is nothing between '(' and ')'", "")
            base = self.condition(opening=True) if condition_allowed else self.expression()
            stream.close(start, ")" if start.kind == "(" else "|")
            self.open_bars = outer
            if start.kind == "|":
                base = builder.build(sympy.Abs, base, at=start)
        elif start.kind == "√":
            base = self.root(start)
        else:
            stream.last, stream.token = last, start
            raise stream.unexpected()
        self.preceding = preceding
        if stream.token.kind not in {"superscript", "**"} or (
            condition_allowed and is_condition(base)
        ):
            return base
        if start.kind == "√":
            raise stream.ambiguous(start, "√(x^2)", "(√x)^2")
        operator = stream.advance()
        if operator.kind == "superscript":
            if stream.token.kind in {"**", "superscript"}:
                raise stream.ambiguous(operator, "x^(2^3)", "(x^2)^3")
            return builder.power(base, builder.number(float(operator.text)), operator)
        stream.enter(operator)
        negative = stream.signs()
        self.preceding = "**"
        exponent = self.operand()
        stream.depth -= 1
        return builder.power(base, builder.negate(exponent) if negative else exponent, operator)

    def root(self, sign: Token) -> Node:
        """What stands under a √: a number, a name, a call, or something in parentheses or bars."""
        stream, builder = self.stream, self.builder
        if stream.token.kind == "√":
            raise stream.error("two roots in a row", "write √(√(x))")
        if stream.token.kind not in {"number", "name", "(", "|"}:
            raise stream.unexpected()
        number = stream.token.kind == "number"
        stream.enter(sign)
        if number:
            radicand = builder.number(value_of(stream.advance(), stream.text))
        elif stream.token.kind == "name":
            radicand = self.named(stream.advance())
        else:
            opening = stream.advance()
            outer, self.open_bars = self.open_bars, int(opening.kind == "|")
            radicand = self.expression()
            stream.close(opening, ")" if opening.kind == "(" else "|")
            stream.enter(opening)
            self.open_bars = outer
            if opening.kind == "|":
                radicand = builder.build(sympy.Abs, radicand, at=opening)
        stream.depth -= 1
        if number and stream.token.kind in {"name", "("}:
            raise stream.ambiguous(sign, "√(2*x)", "(√2)*x")
        return builder.build(sympy.Pow, radicand, builder.number(0.5), at=sign)

    def named(self, token: Token) -> Node:
        """The call, column, variable or constant that a name means."""
        name = token.text
        if self.stream.token.kind == "(":
            return self.call(token)
        if self.columns is not None and self.columns.find(token):
            return self.column(token)
        is_variable = name in self.declared or name in self.variables
        if not is_variable and name in _FUNCTIONS_ONLY:
            raise self.stream.bare_function(token)
        if not is_variable and name in _CONSTANTS:
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
        stream = self.stream
        shown = names.escape(token.text)
        if self.columns is None:
            hint = "names in back quotes are for data columns, and there are no data"
            raise stream.error(f"there is no column '{shown}'", hint, token)
        found = self.columns.find(token)
        if not found:
            listed = names.escape(", ".join(list(self.columns)[:20])) or "none"
            hint = names.suggest(token.text, self.columns) or f"the data have {listed}"
            raise stream.error(f"the data have no column '{shown}'", hint, token)
        if len(found) > 1:
            both = " and ".join(f"`{names.escape(name)}`" for name in found)
            sentence = f"'{shown}' may be the column {both}"
            raise stream.error(sentence, "put it in back quotes", token)
        if not self.open_row_sums:
            sentence = f"'{shown}' is a column of the data: it has a value in every row"
            hint = f"put it inside sum(...) or mean(...): mean({shown})"
            raise stream.error(sentence, hint, token)
        symbol = self.read.setdefault(found[0], self.columns.symbols[found[0]])
        return self.graph.atom(symbol)

    def call(self, token: Token) -> Node:
        """name "(" arguments ")": a function of the table, sqrt, norm, or a sum over rows."""
        stream, builder = self.stream, self.builder
        name = token.text
        row = CALLABLE.get(name) or (DERIVATIVES.get(name) if self.table else None)
        norm = name == "norm" and self.rule
        if row is None and not (name in POWERS or name in _ROWS or norm):
            raise stream.unknown_function(token)
        stream.advance()
        stream.enter(token)
        if name in _ROWS and self.columns is None:
            sentence = f"{name}(...) goes over the rows of a data file, and there is none"
            hint = "give the data (--data FILE), or write the terms out, joined by +"
            raise stream.error(sentence, hint, token)
        self.open_row_sums += name in _ROWS
        outer, self.open_bars = self.open_bars, 0
        args: list[Node] = []
        while stream.token.kind != ")" or args:
            args.append(self.condition() if name == "where" and not args else self.expression())
            if stream.token.kind != ",":
                break
            stream.advance()
        stream.close(token, ")")
        self.open_bars = outer
        if row is not None:
            return builder.apply(row, args, token)
        if name in POWERS:
            return builder.call_of_power(name, args, token)
        if len(args) != 1:
            sentence = f"{name} takes 1 argument, not {len(args)}"
            raise stream.error(sentence, f"write {name}(x)", token)
        if name in _ROWS:
            self.open_row_sums -= 1
            return self.graph.node(_ROWS[name], *args)
        return self.graph.node(Norm, *args)

    def condition(self, opening: bool = False) -> Node:
        """Comparisons joined by not, and, or; behind an `opening` parenthesis also a value.

        One function for all three, again for the sake of Python's recursion limit.
        """
        stream, graph = self.stream, self.graph
        either: list[Node] = []
        both: list[Node] = []
        while True:
            count = stream.negations()
            self.condition_allowed = True
            part = self.expression()
            if is_condition(part):
                if stream.token.kind not in {*LOGIC, ")", ",", "end"}:
                    hint = "where(condition, 1, 0) is one"
                    raise stream.error("a condition is no number", hint)
            elif stream.token.kind in RELATIONS:
                part = graph.compare(stream.advance().kind, part, self.expression())
                if stream.token.kind in RELATIONS:
                    hint = "join two with and: a < x and x < b"
                    raise stream.error("one comparison per condition", hint)
            else:
                alone = not (count or either or both) and stream.token.kind not in LOGIC
                if opening and alone:
                    return part
                hint = "for example where(x > 0, x, -x)"
                raise stream.error("a condition needs a comparison", hint)
            both.append(graph.node(Negation, part) if count % 2 else part)
            if stream.token.kind != "and":
                either.append(both[0] if len(both) == 1 else graph.node(Conjunction, *both))
                both = []
                if stream.token.kind != "or":
                    return either[0] if len(either) == 1 else graph.node(Disjunction, *either)
            stream.advance()

    def juxtaposed(self, check: bool = True) -> bool:
        """Whether the next token multiplies the operand just read without a sign: 2x, (a)(b)."""
        stream = self.stream
        next_kind, last = stream.token.kind, stream.last
        after_number = last.kind == "number" and next_kind in {"name", "(", "√", "|"}
        if next_kind == "|" and self.open_bars:
            return False
        if not (after_number or (last.kind == ")" and next_kind == "(")):
            if last.kind in {")", "|"} and next_kind == "name" and stream.token.text in CALLABLE:
                hint = f"write * before {stream.token.text}"
                raise stream.error("two factors without an operator between them", hint)
            return False
        if check and self.preceding in {"/", "**"}:
            left = stream.text[: stream.token.column].rstrip()[-12:]
            operator = "/" if self.preceding == "/" else "^"
            shown = f"'{names.escape(left)}' next to '{names.escape(stream.token.text)}'"
            hint = f"write a{operator}(b*c) or (a{operator}b)*c"
            raise stream.error(f"{shown} has two readings", hint)
        return True
