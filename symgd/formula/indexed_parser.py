"""The parser of indexed formulas: subscripts, reductions over indices, definitions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import sympy

from symgd import names
from symgd.formula.builder import Builder
from symgd.formula.index_notation import REDUCTIONS, Definition, IndexNotation, IndexRange
from symgd.formula.indexed_symbols import IndexedSymbols, Use, hull
from symgd.formula.indices import (
    Affine,
    At,
    ColumnVector,
    Count,
    DataArray,
    Index,
    Largest,
    Peak,
    Product,
    Size,
    Total,
    affine,
)
from symgd.formula.nodes import ONE, ZERO, Column, Conjunction, Name, Node, topological
from symgd.formula.parser import Parser
from symgd.formula.symbol_table import SymbolTable
from symgd.formula.token_stream import TokenStream
from symgd.formula.tokens import Limits, Token

_ARRAY_FUNCTIONS = ("dot", "matmul", "softmax")


class TokenList(TokenStream):
    """A stream over a list of tokens that can go to any place. place: of the next token."""

    def __init__(self, text: str, limits: Limits, found: Sequence[Token]) -> None:
        self.text, self.limits, self.depth, self.list = text, limits, 0, found
        self.seek(0)

    def seek(self, place: int) -> None:
        """Make the token at `place` the next one."""
        self.place = place
        self.token = self.last = self.list[place]

    def advance(self) -> Token:
        """Consume and return the next token."""
        self.last = self.token
        if self.token.kind != "end":
            self.place += 1
            self.token = self.list[self.place]
        return self.last


@dataclass
class Scope:
    """What names of indices stand for. opened: the indices of all reductions around.

    implicit: the subscripts that names of whole arrays get.
    """

    names: dict[str, Node] = field(default_factory=dict)
    opened: tuple[Index, ...] = ()
    implicit: tuple[Node, ...] = ()


class IndexedParser(Parser):
    """Recursive descent over a list of tokens; `scope` holds the indices of the reductions around.

    A definition is parsed where it is used, its indices standing for the subscripts there.
    """

    stream: TokenList

    def __init__(
        self,
        builder: Builder,
        symbols: SymbolTable,
        notation: IndexNotation,
        arrays: IndexedSymbols,
        per_row: bool,
    ) -> None:
        super().__init__(builder, symbols, rule=False, per_row=per_row)
        assert isinstance(builder.stream, TokenList)
        self.stream = builder.stream
        self.notation, self.arrays = notation, arrays
        self.scope = Scope()
        self.in_range = False  # whether names are sizes and indices only
        self.defined: dict[tuple[object, ...], Node] = {}
        self.reading: list[str] = []  # definitions, to find one that is made of itself

    def formula(self) -> Node:
        """The loss, after a check of all definitions; or FormulaError at the first mistake."""
        stream, notation = self.stream, self.notation
        last = stream.list[notation.loss]
        names_ = list(notation.definitions)
        if names_ and notation.definitions[names_[-1]].name.column == last.column:
            sentence = "the last statement is the loss, and this is a definition"
            raise stream.error(sentence, "write the loss after it", last)
        for definition in notation.definitions.values():
            self._check(definition)
        stream.seek(notation.loss)
        return super().formula()

    # -- names ------------------------------------------------------------------------------

    def name(self, token: Token) -> Node:
        """A number, an index, a size, or an element of an array."""
        stream, text = self.stream, token.text
        rank = self._rank(text)
        if stream.token.kind == "[":
            return self._element(token, rank)
        if token.kind == "name" and text in self.scope.names:
            return self.scope.names[text]
        if token.kind == "quoted":
            return super().name(token)
        if rank and not (self._column_of(token) and not self.scope.implicit):
            if len(self.scope.implicit) != rank:
                shown = names.escape(text)
                subscripts = f"{shown}[{', '.join('ijkl'[:rank])}]"
                sentence = f"{shown} is an array ({subscripts}) and a number ({shown}) here"
                raise stream.error(sentence, f"write {subscripts}", token)
            return self._at(token, list(self.scope.implicit))
        if text in self.notation.definitions:
            return self._use(self.notation.definitions[text], (), token)
        if self._is_size(text):
            return self.graph.atom(self.arrays.size(text))
        if text in self.notation.indices and text not in self.symbols.declared:
            shown = names.escape(text)
            sentence = f"{shown} is used outside its sum"
            raise stream.error(sentence, f"put it inside: sum(..., {shown}=1..n)", token)
        if self.in_range:
            return self.graph.atom(self.arrays.size(text))
        return super().name(token)

    def _is_size(self, text: str) -> bool:
        return text in self.notation.sizes or text in self.arrays.sizes

    def _column_of(self, token: Token) -> str | None:
        """The column of the data that a token names, if there is one."""
        columns = self.symbols.columns
        found = columns.find(token) if columns is not None else []
        return found[0] if found else None

    def _rank(self, name: str) -> int:
        """How many subscripts a name has; 0: it is a number."""
        if name in self.arrays.shapes:
            return len(self.arrays.shapes[name])
        return self.notation.ranks.get(name, 0) or int(name in self.arrays.vectors)

    def _element(self, token: Token, rank: int) -> Node:
        """name "[" subscript {"," subscript} "]"."""
        stream = self.stream
        opening = stream.advance()
        stream.enter(opening)
        outer, self.scope.implicit = self.scope.implicit, ()
        subscripts: list[Node] = []
        places: list[Token] = []
        while True:
            places.append(stream.token)
            subscripts.append(self.expression())
            if stream.token.kind != ",":
                break
            stream.advance()
        stream.close(opening, "]")
        self.scope.implicit = outer
        subscripts += outer[: max(0, rank - len(subscripts))]
        if len(subscripts) != rank:
            shown = names.escape(token.text)
            usual = f"{shown}[{', '.join('ijkl'[:rank])}]"
            sentence = f"{shown} has {names.counted(rank, 'subscript')}, not {len(subscripts)}"
            raise stream.error(sentence, f"elsewhere it is {usual}", token)
        return self._at(token, subscripts, places)

    def _at(self, token: Token, subscripts: list[Node], places: Sequence[Token] = ()) -> Node:
        """The element of an array, or of a definition, at these subscripts."""
        name = token.text
        if name in self.notation.definitions:
            return self._use(self.notation.definitions[name], tuple(subscripts), token)
        array = self.arrays.array(name, self._column_of(token))
        in_row = self.row_sum_depth > 0
        if isinstance(array, ColumnVector) and not in_row:
            shown = names.escape(name)
            sentence = f"'{shown}' is columns of the data: it has a value in every row"
            raise self.stream.error(sentence, "put it inside sum(...) or mean(...)", token)
        for axis, subscript in enumerate(subscripts):
            place = places[axis] if axis < len(places) else token
            self.arrays.uses.append(self._use_of(name, axis, subscript, place))
        return self.graph.node(At, self.graph.atom(array), *subscripts)

    def _use_of(self, name: str, axis: int, subscript: Node, token: Token) -> Use:
        """The values that a subscript takes, or FormulaError."""
        whole = affine(subscript)
        if whole is not None:
            return Use((name, axis), token, *hull(whole))
        data = [
            n
            for n in topological([subscript])
            if isinstance(n, Column) or (n.func is At and isinstance(n.args[0], DataArray))
        ]
        if len(data) == 1:
            stand_in = self.graph.atom(Size("datum", "#datum"))
            [offset] = self.graph.substitute([subscript], {id(data[0]): stand_in})
            moved = affine(offset)
            if moved is not None and dict(moved.terms).get(stand_in) == 1:
                low, high = hull(moved - Affine(0, ((stand_in, 1),)))
                return Use((name, axis), token, low, high, data[0])
        if isinstance(subscript, Name) and subscript.text in self.symbols.variables:
            shown = names.escape(subscript.text)
            sentence = f"{shown} is no index here"
            raise self.stream.error(sentence, f"write sum(..., {shown}=1..n)", token)
        sentence = f"a subscript of {names.escape(name)} is no whole number that is known"
        hint = "write an index, a number, a size, i + 1, 2*i, or a column of the data"
        raise self.stream.error(sentence, hint, token)

    # -- calls ------------------------------------------------------------------------------

    def call(self, token: Token) -> Node:
        """A reduction over indices, dot, matmul, softmax; or a function as in every formula."""
        stream, place = self.stream, self.stream.place - 1
        if token.text in REDUCTIONS:
            ranges = self.notation.ranges.get(place, [])
            if ranges:
                return self._reduction(token, ranges)
            whole = self._whole_array(place)
            if whole is not None:
                return self._reduction_of_array(token, whole)
            if token.text in ("prod", "norm") or (
                token.text in ("sum", "mean") and self.symbols.columns is None
            ):
                sentence = f"{token.text}(...) goes over an index, and none is written"
                raise stream.error(sentence, f"write {token.text}(x[i], i=1..n)", token)
        if token.text in _ARRAY_FUNCTIONS:
            return self._array_function(token)
        return super().call(token)

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

    def _reduction_of_array(self, token: Token, whole: Token) -> Node:
        """A reduction over all elements of the arrays that stand without subscripts in it."""
        stream = self.stream
        opening = stream.advance()
        stream.enter(opening)
        with self._inside():
            indices = self._open_axes(whole)
            self.scope.implicit = tuple(map(self.graph.atom, indices))
            body = self.expression()
        stream.close(opening, ")")
        return self._reduce(token, indices, body, [])

    def _reduce(
        self, token: Token, indices: Sequence[Index], body: Node, conditions: Sequence[Node]
    ) -> Node:
        """The reduction of this name over the indices, the first one outermost."""
        graph, name = self.graph, token.text
        atoms = [graph.atom(i) for i in indices]

        def over(cls: type, node: Node) -> Node:
            for index in reversed(atoms):
                node = graph.node(cls, index, node)
            return node

        def total(node: Node) -> Node:
            for condition in conditions:
                node = graph.where(condition, node, ZERO)
            return over(Total, node)

        if name == "sum":
            return total(body)
        if name in ("mean", "max", "min", "logsumexp"):
            self.arrays.nonempty += [(index, token) for index in indices]
        if name == "mean":
            count = graph.mul(*(graph.atom(Count(i)) for i in indices))
            return graph.div(total(body), total(ONE) if conditions else count)
        if name == "norm":
            return graph.sqrt(total(graph.pow(body, 2)))
        if name == "prod":
            for condition in conditions:
                body = graph.where(condition, body, ONE)
            return over(Product, body)
        if conditions:
            sentence = f"a range of {name} depends on another index"
            raise self.stream.error(sentence, "use where(condition, ..., ...) in the term", token)
        if name == "max":
            return over(Largest, body)
        if name == "min":
            return graph.neg(over(Largest, graph.neg(body)))
        peak = over(Peak, body)
        return graph.add(
            peak, graph.node(sympy.log, total(graph.node(sympy.exp, graph.sub(body, peak))))
        )

    def _array_function(self, token: Token) -> Node:
        """dot(a, b), matmul(A, b)[i], softmax(z)[k]."""
        stream, graph, name = self.stream, self.graph, token.text
        place = stream.place - 1
        whole = self._whole_array(place)
        if whole is None:
            sentence = f"{name} is of arrays, and there is none in it"
            raise stream.error(sentence, "name one: dot(w, X), softmax(z)[k]", token)
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
        self._skip(token)
        bracket = stream.token
        if bracket.kind != "[":
            raise stream.error(f"{name}(...) is an array", f"write {name}(...)[i]", token)
        stream.advance()
        subscript = self.expression()
        if stream.token.kind != "]":
            raise stream.unexpected()
        end = stream.place + 1
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

    def _skip(self, opening: Token) -> None:
        """Go behind the parenthesis that closes the call."""
        stream, depth = self.stream, 1
        while depth and stream.token.kind not in {"end", ";"}:
            kind = stream.advance().kind
            depth += (kind == "(") - (kind == ")")
        if depth:
            raise stream.error(f"'{opening.text}' is never closed", "add ')'", opening)

    # -- indices ----------------------------------------------------------------------------

    @contextmanager
    def _inside(self) -> Iterator[None]:
        """A reduction: the indices opened in it are known up to its end."""
        outer = self.scope
        self.scope = Scope(dict(outer.names), outer.opened, ())
        bars, self.open_bars = self.open_bars, 0
        yield
        self.scope, self.open_bars = outer, bars

    def _open(self, one: IndexRange, first: int, last: int) -> tuple[Index, Node | None]:
        """The index of a range, and the condition on it where its bounds hold another index.

        first, last: the places of the term.
        """
        stream, name = self.stream, one.name.text
        shown = names.escape(name)
        if self._column_of(one.name):
            sentence = f"{shown} is a column of the data"
            raise stream.error(sentence, "choose another index", one.name)
        if name in self.scope.names:
            sentence = f"{shown} is the index of a sum around this one"
            raise stream.error(sentence, "choose another index", one.name)
        if one.low is None:
            low, high = Affine(1), self._range_from_arrays(one, first, last)
        else:
            if one.high is None or stream.list[one.high].kind in {")", ",", ";", "end"}:
                hint = f"write {shown}=1..n"
                raise stream.error("a range has two ends", hint, one.name)
            low, high = self._bound(one.low), self._bound(one.high)
        (least, _), (_, greatest) = hull(low), hull(high)
        index = self.arrays.index(name, least, greatest, self.scope.opened)
        atom = self.graph.atom(index)
        self.scope.names[name] = atom
        self.scope.opened = (*self.scope.opened, index)
        bounds = [
            self.graph.compare(op, atom, self._node_of(bound))
            for op, bound, whole in ((">=", low, least), ("<=", high, greatest))
            if bound != whole
        ]
        if not bounds:
            return index, None
        return index, bounds[0] if len(bounds) == 1 else self.graph.node(Conjunction, *bounds)

    def _bound(self, place: int) -> Affine:
        """The end of a range that begins at this place."""
        stream = self.stream
        stream.seek(place)
        first = stream.token
        self.in_range, outer = True, self.in_range
        found = affine(self.expression())
        self.in_range = outer
        if found is None:
            hint = "write a number, a size such as n, n - 1, or 2*n"
            raise stream.error("this is no end of a range", hint, first)
        return found

    def _node_of(self, form: Affine) -> Node:
        graph = self.graph
        terms = [graph.mul(graph.number(k), graph.atom(s)) for s, k in form.terms]
        return graph.add(*terms, graph.number(form.constant))

    def _range_from_arrays(self, one: IndexRange, first: int, last: int) -> Affine:
        """The end of an index without a range: the length of the first array that it indexes."""
        found, name = self.stream.list, one.name.text
        axis, stack = 0, list[tuple[str, int]]()
        for k in range(first, last):
            kind = found[k].kind
            if kind == "[" and found[k - 1].kind == "name":
                stack.append((found[k - 1].text, axis))
                axis = 0
            elif kind == "]" and stack:
                axis = stack.pop()[1]
            elif kind == "," and stack:
                axis += 1
            elif stack and found[k].text == name and kind == "name":
                alone = found[k - 1].kind in {"[", ","} and found[k + 1].kind in {"]", ","}
                if alone:
                    return self._length(stack[-1][0], axis)
        shown = names.escape(name)
        sentence = f"the range of {shown} is not known from the arrays"
        raise self.stream.error(sentence, f"write it: {shown}=1..n", one.name)

    def _length(self, name: str, axis: int) -> Affine:
        definition = self.notation.definitions.get(name)
        if definition is None:
            self.arrays.array(name, self._column_of(Token("name", name, 0)))
            return self.arrays.extent(name, axis)
        place = self.stream.place
        with self._fresh_scope():
            indices = self._open_definition(definition)
        self.stream.seek(place)
        return indices[axis].high

    def _whole_array(self, place: int) -> Token | None:
        """The first array without all of its subscripts in a call, outside calls of its kind."""
        found, depth, k = self.stream.list, 0, place + 1
        while found[k].kind not in {"end", ";"}:
            token = found[k]
            depth += (token.kind == "(") - (token.kind == ")")
            if depth == 0:
                return None
            called = found[k + 1].kind == "("
            if token.kind == "name" and called and token.text in (*REDUCTIONS, *_ARRAY_FUNCTIONS):
                inner = 0
                k += 1
                while found[k].kind not in {"end", ";"}:
                    inner += (found[k].kind == "(") - (found[k].kind == ")")
                    if not inner:
                        break
                    k += 1
            elif token.kind == "name" and not called:
                rank = self._rank(token.text)
                if rank > self._subscripts(k + 1):
                    return token
            k += 1
        return None

    def _subscripts(self, place: int) -> int:
        """How many subscripts stand in the bracket at this place."""
        found, depth, count = self.stream.list, 0, 0
        if found[place].kind != "[":
            return 0
        for token in found[place:]:
            depth += (token.kind in {"[", "("}) - (token.kind in {"]", ")"})
            count += token.kind == "," and depth == 1
            if depth == 0 or token.kind == "end":
                break
        return count + 1

    def _open_axes(self, whole: Token, last_only: bool = False) -> list[Index]:
        """The indices over the axes of an array that it has no subscripts for."""
        name = whole.text
        rank = self._rank(name)
        place = self.stream.list.index(whole)
        given = rank - 1 if last_only else self._subscripts(place + 1)
        opened: list[Index] = []
        for axis in range(given, rank):
            high = self._length(name, axis)
            index = self.arrays.index(f"{name}_{axis + 1}", Affine(1), high, self.scope.opened)
            self.scope.opened = (*self.scope.opened, index)
            opened.append(index)
        return opened

    # -- definitions ------------------------------------------------------------------------

    @contextmanager
    def _fresh_scope(self) -> Iterator[None]:
        """The scope of a definition: no index of the place where it is used is known."""
        outer, self.scope = self.scope, Scope(opened=self.scope.opened)
        yield
        self.scope = outer

    def _open_definition(self, definition: Definition) -> list[Index]:
        """The indices of a definition, in the order of its subscripts."""
        ranges = {one.name.text: one for one in definition.ranges}
        found: list[Index] = []
        for token in definition.indices:
            one = ranges.get(token.text) or IndexRange(token, 0, 0)
            found.append(self._open(one, definition.body, definition.end)[0])
        return found

    def _check(self, definition: Definition) -> None:
        """Read a definition on its own: a mistake in it is found even if nothing uses it."""
        stream = self.stream
        self.row_sum_depth += self.symbols.columns is not None
        with self._fresh_scope():
            indices = self._open_definition(definition)
            self._body(definition, tuple(map(self.graph.atom, indices)))
        self.row_sum_depth -= self.symbols.columns is not None
        if stream.token.kind not in {";", "end", ","}:
            raise stream.unexpected()

    def _use(self, definition: Definition, subscripts: tuple[Node, ...], token: Token) -> Node:
        """The value of a definition at these subscripts."""
        stream = self.stream
        place, last, chosen, data = stream.place, stream.last, list(subscripts), []
        with self._fresh_scope():
            opened = self.scope.opened
            indices = self._open_definition(definition)
            for axis, (subscript, index) in enumerate(zip(subscripts, indices, strict=True)):
                form = affine(subscript)
                if form is not None:
                    self._check_within(definition, index, form, token)
                else:  # read from the data: the one element whose index it is
                    opened = (*opened, index)
                    chosen[axis] = self.graph.atom(index)
                    data.append((chosen[axis], subscript))
            self.scope.opened = opened
            node = self._body(definition, tuple(chosen))
        for atom, subscript in data:
            same = self.graph.compare("==", atom, subscript)
            node = self.graph.node(Total, atom, self.graph.where(same, node, ZERO))
        stream.seek(place)
        stream.last = last
        return node

    def _check_within(self, definition: Definition, index: Index, form: Affine, at: Token) -> None:
        """See that a subscript of a definition stays within its range, as far as is known."""
        low, high = hull(form)
        above, below = high - index.high, index.low - low
        if (not above.terms and above.constant > 0) or (not below.terms and below.constant > 0):
            shown = names.escape(definition.name.text)
            end = "above" if not above.terms and above.constant > 0 else "below"
            sentence = f"a subscript of {shown} goes {end} the range of its definition"
            raise self.stream.error(sentence, "extend the one or shorten the other", at)

    def _body(self, definition: Definition, subscripts: tuple[Node, ...]) -> Node:
        """The body of a definition, its indices standing for these nodes; read once for each."""
        name, stream = definition.name.text, self.stream
        if name in self.reading:
            shown = names.escape(name)
            raise stream.error(f"{shown} is defined by itself", "", definition.name)
        opened = tuple(i.name for i in self.scope.opened)
        key = (name, tuple(map(id, subscripts)), opened, self.row_sum_depth > 0)
        if key not in self.defined:
            self.reading.append(name)
            given = {t.text: s for t, s in zip(definition.indices, subscripts, strict=True)}
            outer = self.scope.names
            self.scope.names = given
            stream.seek(definition.body)
            stream.last = stream.list[definition.body - 1]
            self.defined[key] = self.expression()
            self.scope.names = outer
            self.reading.pop()
        return self.defined[key]
