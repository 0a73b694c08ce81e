"""The parser of indexed formulas: the loss after its definitions, reductions, array functions."""

from __future__ import annotations

from collections.abc import Sequence

import sympy

from symgd import names
from symgd.formula.definition_parser import DefinitionParser
from symgd.formula.functions.table import CALLABLE, POWERS
from symgd.formula.index_notation import (
    ARRAY_FUNCTIONS,
    REDUCTIONS,
    IndexRange,
)
from symgd.formula.index_reductions import reduction
from symgd.formula.indices import (
    Index,
    Total,
)
from symgd.formula.nodes import Node
from symgd.formula.other_names import function_meaning
from symgd.formula.tokens import Token


class IndexedParser(DefinitionParser):
    """Recursive descent over the tokens of a loss with indices and definitions."""

    def formula(self) -> Node:
        """The loss, after a check of all definitions; or FormulaError at the first mistake."""
        stream, notation = self.stream, self.notation
        for stray in notation.strays:
            sentence = "only definitions stand before the loss, which is the last statement"
            raise stream.error(sentence, "write s = ...; or z[k] = ..., k=1..n;", stray)
        last = stream.list[notation.loss]
        for definition in notation.definitions.values():
            self._check_name(definition)
            if definition.name.column == last.column:
                sentence = "the last statement is the loss, and this is a definition"
                hint = "write the loss after it, behind a ; if it begins with a sign"
                raise stream.error(sentence, hint, last)
        try:
            for definition in notation.definitions.values():
                self._check(definition)
            stream.seek(notation.loss)
            return super().formula()
        except RecursionError:
            sentence = "the definitions are nested too deeply for Python's recursion limit"
            raise stream.error(sentence, "") from None

    def call(self, token: Token) -> Node:
        """A reduction over indices, dot, matmul, softmax; or a function as in every formula."""
        stream, place = self.stream, self.stream.place - 1
        takes_arrays = token.text in (*REDUCTIONS, *ARRAY_FUNCTIONS)
        if takes_arrays and stream.place not in self.notation.closing:
            raise stream.error(f"'{token.text}' is never closed", "add ')'", token)
        if token.text in REDUCTIONS:
            ranges = self.notation.ranges.get(place, [])
            if ranges:
                return self._reduction(token, ranges)
            rows = token.text in ("sum", "mean") and self.symbols.columns is not None
            whole = self._whole_array(place, but_columns=rows)
            if rows and whole is not None and not self.row_sum_depth and self._of_rows(place):
                whole = None
            if whole is not None:
                return self._reduction_of_array(token, whole)
            if not rows and token.text in ("sum", "mean", "prod", "norm"):
                sentence = f"{token.text}(...) goes over an index, and none is written"
                hint = function_meaning(token.text) or f"write {token.text}(x[i], i=1..n)"
                raise stream.error(sentence, hint, token)
        if token.text in ARRAY_FUNCTIONS:
            return self._array_function(token)
        inside = stream.list[stream.place + 1].text
        if inside in self.notation.indices and token.text not in {*CALLABLE, *POWERS}:
            shown = names.escape(token.text)
            hint = f"an element of an array is written {shown}[{names.escape(inside)}]"
            raise stream.error(f"'{shown}' is not a function", hint, token)
        return super().call(token)

    def _of_rows(self, place: int) -> bool:
        """Whether a call holds columns as such, or a vector of them: they have values in rows."""
        inside = self.stream.list[place + 2 : self.notation.closing[place + 1]]
        vectors = self.arrays.vectors
        return any(
            token.text in vectors
            or (self.symbols.column_of(token) is not None and not self._rank(token.text))
            for token in inside
            if token.kind in ("name", "quoted")
        )

    def _reduction(self, token: Token, ranges: Sequence[IndexRange]) -> Node:
        """name "(" body {"," index ["=" low ".." high]} ")"."""
        stream = self.stream
        opening = stream.advance()
        stream.enter(opening)
        begin = stream.place
        with self._inside():
            opened = [self._open(one, begin, ranges[0].begin) for one in ranges]
            stream.seek(begin)
            body = self.expression()
        if stream.place != ranges[0].begin:
            raise stream.unexpected()
        stream.seek(ranges[-1].end)
        stream.close(opening, ")")
        return self._reduce(
            token, [i for i, _ in opened], body, [c for _, c in opened if c is not None]
        )

    def _reduction_of_array(self, token: Token, whole: int) -> Node:
        """A reduction over all elements of the arrays that stand without subscripts in it."""
        stream = self.stream
        opening = stream.advance()
        stream.enter(opening)
        with self._inside():
            indices = self._open_axes(whole)
            self.scope.implicit = tuple(map(self.graph.atom, indices))
            body = self.expression()
        if stream.token.kind == ",":
            sentence = f"{token.text} of an array takes 1 argument"
            raise stream.error(sentence, f"or indices: {token.text}(x[i], i=1..n)", token)
        stream.close(opening, ")")
        return self._reduce(token, indices, body, [])

    def _reduce(
        self, token: Token, indices: Sequence[Index], body: Node, conditions: Sequence[Node]
    ) -> Node:
        """The reduction that a token names over the indices, the first one outermost."""
        if token.text in ("mean", "max", "min", "logsumexp"):
            self.arrays.nonempty += [(index, token) for index in indices]
        if conditions and token.text in ("max", "min", "logsumexp"):
            sentence = f"a range of {token.text} depends on another index"
            raise self.stream.error(sentence, "use where(condition, ..., ...) in the term", token)
        return reduction(self.graph, token.text, indices, body, conditions)

    def _array_function(self, token: Token) -> Node:
        """dot(a, b), matmul(A, b)[i], softmax(z)[k]."""
        stream, graph, name = self.stream, self.graph, token.text
        place = stream.place - 1
        whole = self._whole_array(place)
        if whole is None:
            sentence = f"{name} is of arrays, and there is none in it"
            raise stream.error(sentence, function_meaning(name), token)
        stream.advance()
        stream.enter(token)
        begin = stream.place
        if name == "dot":
            with self._inside():
                [index] = self._open_axes(whole, last_only=True)
                self.scope.implicit = (graph.atom(index),)
                first = self.expression()
                second = self._second(token, "dot(a, b)")
            stream.close(token, ")")
            return graph.node(Total, graph.atom(index), graph.mul(first, second))
        closing = self.notation.closing.get(place + 1)
        if closing is None:
            raise stream.error(f"'{name}' is never closed", "add ')'", token)
        stream.seek(closing + 1)
        bracket = stream.token
        if bracket.kind != "[":
            raise stream.error(f"{name}(...) is an array", f"write {name}(...)[i]", token)
        stream.advance()
        subscript = self._subscript()
        stream.close(bracket, "]")
        stream.depth += 1
        end = stream.place
        stream.seek(begin)
        with self._inside():
            [index] = self._open_axes(whole, last_only=True)
            inner = graph.atom(index)
            if name == "matmul":
                self.scope.implicit = (subscript, inner)
                first = self.expression()
                self.scope.implicit = (inner,)
                second = self._second(token, "matmul(A, b)")
                result = graph.node(Total, inner, graph.mul(first, second))
            else:
                self.scope.implicit = (inner,)
                body = self.expression()
                stream.seek(begin)
                self.scope.implicit = (subscript,)
                own = self.expression()
                score = self._reduce(Token("name", "logsumexp", token.column), [index], body, [])
                result = graph.node(sympy.exp, graph.sub(own, score))
        stream.seek(end)
        stream.last = stream.list[end - 1]
        stream.depth -= 1
        return result

    def _second(self, token: Token, usage: str) -> Node:
        """The second argument of two."""
        if self.stream.token.kind != ",":
            sentence = f"{token.text} takes 2 arguments"
            raise self.stream.error(sentence, f"write {usage}", token)
        self.stream.advance()
        return self.expression()
