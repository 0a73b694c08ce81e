"""The recursive descent parser of the grammar in docs/formulas.md: from tokens to nodes."""

from __future__ import annotations

import sympy

from symgd import names
from symgd.formula.builder import Builder
from symgd.formula.functions.derivatives import DERIVATIVES
from symgd.formula.functions.table import CALLABLE, POWERS
from symgd.formula.indices import column_text
from symgd.formula.nodes import (
    RELATIONS,
    Category,
    Conjunction,
    Disjunction,
    Name,
    Negation,
    Node,
    is_condition,
)
from symgd.formula.rule_functions import PAIRWISE, RULE_FUNCTIONS, rule_call
from symgd.formula.symbol_table import ROW_REDUCTIONS, SymbolTable
from symgd.formula.tokens import EQUALITIES, LOGIC, Token, value_of
from symgd.names import counted


class Parser:
    """Recursive descent with one token of lookahead.

    rule: the functions of rules are known. per_row: the formula is evaluated in each row.
    """

    def __init__(self, builder: Builder, symbols: SymbolTable, rule: bool, per_row: bool) -> None:
        self.builder, self.symbols, self.rule = builder, symbols, rule
        self.stream, self.graph = builder.stream, builder.graph
        self.row_sum_depth = int(per_row)  # nesting of sums over rows
        self.open_bars = 0
        self.in_subscript = False
        self.preceding = ""  # the operator before the last operand, or ""
        self.condition_allowed = False  # whether the next token may begin a condition

    def formula(self) -> Node:
        """The root of the whole text, or FormulaError at the first mistake."""
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

    # From the lowest precedence to the highest, in few long functions: each level of nesting costs
    # only two Python frames, so that the default depth stays well below Python's recursion limit.

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

    def operand(self, powers: bool = True) -> Node:
        """number | name | call | "(" … ")" | "|" … "|" | "√" operand, then powers."""
        stream, builder = self.stream, self.builder
        preceding, last, start = self.preceding, stream.last, stream.advance()
        condition_allowed, self.condition_allowed = self.condition_allowed, False
        if start.kind == "number":
            base = builder.number(value_of(start, stream.text))
        elif start.kind == "name" and stream.token.kind == "(":
            base = self.call(start)
        elif start.kind in {"name", "quoted"}:
            base = self.name(start)
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
        powers &= not (condition_allowed and is_condition(base))
        if not powers or stream.token.kind not in {"superscript", "**"}:
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

    def name(self, token: Token) -> Node:
        """A name that is not called."""
        column = self.symbols.column_of(token)
        if column is not None and not self.in_subscript:
            self.symbols.numbers.append(column)
        return self.named(token)

    def named(self, token: Token) -> Node:
        """What a name that is not called stands for."""
        return self.symbols.resolve(token, self.row_sum_depth > 0)

    def root(self, sign: Token) -> Node:
        """A √ and its radicand: a number, name or call, or an expression in parentheses or bars."""
        stream, builder = self.stream, self.builder
        if stream.token.kind == "√":
            raise stream.error("two roots in a row", "write √(√(x))")
        if stream.token.kind not in {"number", "name", "(", "|"}:
            raise stream.unexpected()
        number = stream.token.kind == "number"
        radicand = self.operand(powers=False)
        if number and stream.token.kind in {"name", "("}:
            raise stream.ambiguous(sign, "√(2*x)", "(√2)*x")
        return builder.build(sympy.Pow, radicand, builder.number(0.5), at=sign)

    def call(self, token: Token) -> Node:
        """name "(" arguments ")": a function of the table, sqrt, of rules, or a sum over rows."""
        stream, builder = self.stream, self.builder
        name = token.text
        row = CALLABLE.get(name) or (DERIVATIVES.get(name) if builder.table else None)
        of_rule = self.rule and name in RULE_FUNCTIONS
        if row is None and not (name in POWERS or name in ROW_REDUCTIONS or of_rule):
            raise stream.unknown_function(token, RULE_FUNCTIONS if self.rule else ())
        stream.advance()
        stream.enter(token)
        if name in ROW_REDUCTIONS and self.symbols.columns is None and not of_rule:
            sentence = f"{name}(...) goes over the rows of a data file, and there is none"
            hint = f"give the data (--data FILE), or an index: {name}(x[i], i=1..n)"
            raise stream.error(sentence, hint, token)
        self.row_sum_depth += name in ROW_REDUCTIONS and not of_rule
        outer, self.open_bars = self.open_bars, 0
        args: list[Node] = []
        while stream.token.kind != ")" or args:
            if name == "where" and not args:
                args.append(self.condition())
            else:
                counts = of_rule and name == "count"
                args.append(self.condition(opening=True) if counts else self.expression())
            if stream.token.kind != ",":
                break
            stream.advance()
        stream.close(token, ")")
        self.open_bars = outer
        if of_rule and (name not in PAIRWISE or len(args) == 1):
            return self._of_rule(name, args, token)
        if row is not None:
            return builder.apply(row, args, token)
        if name in POWERS:
            return builder.call_of_power(name, args, token)
        if len(args) != 1:
            sentence = f"{name} takes 1 argument, not {len(args)}"
            raise stream.error(sentence, f"write {name}(x)", token)
        self.row_sum_depth -= 1
        return self.graph.node(ROW_REDUCTIONS[name], *args)

    def _of_rule(self, name: str, args: list[Node], token: Token) -> Node:
        """A call of a function that only rules have."""
        function = RULE_FUNCTIONS[name]
        if len(args) != function.count:
            sentence = f"{name} takes {counted(function.count, 'argument')}, not {len(args)}"
            raise self.stream.error(sentence, f"write {name}({function.arguments})", token)

        def drawn() -> list[Node]:
            self.symbols.calls += 1
            known = [self.symbols.symbol(n) for n in ("seed", "t")]
            return [*known, self.graph.number(self.symbols.calls)]

        return rule_call(self.graph, name, args, drawn)

    def condition(self, opening: bool = False) -> Node:
        """Comparisons joined by not, and, or; after an `opening` parenthesis also a value.

        One function for all three levels because of Python's recursion limit.
        """
        stream, graph = self.stream, self.graph
        either: list[Node] = []
        both: list[Node] = []
        while True:
            count = stream.negations()
            self.condition_allowed = True
            begin, known = stream.token, len(self.symbols.variables)
            part = self._text() if begin.kind == "text" else self.expression()
            if is_condition(part):
                if stream.token.kind not in {*LOGIC, ")", ",", "end"}:
                    hint = "where(condition, 1, 0) is one"
                    raise stream.error("a condition is no number", hint)
            elif stream.token.kind in RELATIONS:
                operator, second = stream.advance(), stream.token
                other = self._text() if second.kind == "text" else self.expression()
                if operator.kind in EQUALITIES:
                    part = self._category(part, begin, other, known)
                    other = self._category(other, second, part, known)
                part = graph.compare(operator.kind, part, other)
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

    def _text(self) -> Node:
        """A text in quotes."""
        return self.graph.atom(Category("text", self.stream.advance().text))

    def _category(self, node: Node, token: Token, other: Node, known: int) -> Node:
        """A side of == or !=, or the category that it may be where the other side is a column."""
        column, is_text = column_text(other), isinstance(node, Category)
        if is_text and not column:
            hint = "write site == 'north', where site is a column"
            raise self.stream.error("a text is compared with a column of the data", hint, token)
        word = token.kind == "name" and (type(node) is Name or node in (sympy.pi, sympy.E))
        return (
            self.symbols.category(column, token, node, known)
            if column and (is_text or word)
            else node
        )

    def juxtaposed(self, check: bool = True) -> bool:
        """Whether the next token is an implicit factor: 2x, (a)(b)."""
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
        if after_number and next_kind == "name":
            self._check_product_with_pi(stream.token)
        return True

    def _check_product_with_pi(self, token: Token) -> None:
        """2pir is 2*pi*r, or 2 times the name pir: FormulaError unless the name is known."""
        name = token.text
        known = name in self.symbols.variables or name in self.symbols.declared
        if len(name) == 3 and name.startswith("pi") and name[2].isalpha() and not known:
            number = self.stream.last.text
            raise self.stream.ambiguous(token, f"{number}*pi*{name[2]}", f"{number}*{name}")
