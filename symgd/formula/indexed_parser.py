"""The parser of indexed formulas: subscripts, reductions over indices, definitions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import sympy

from symgd import names
from symgd.errors import FormulaError
from symgd.formula.builder import Builder
from symgd.formula.index_notation import (
    ARRAY_FUNCTIONS,
    REDUCTIONS,
    Definition,
    IndexNotation,
    IndexRange,
)
from symgd.formula.index_reductions import reduction
from symgd.formula.indexed_symbols import IndexedSymbols, Use, hull
from symgd.formula.indices import (
    ROW,
    Affine,
    At,
    ColumnVector,
    DataArray,
    FreeIndices,
    Index,
    Size,
    Total,
    affine,
)
from symgd.formula.nodes import ZERO, Column, Conjunction, Name, Node, topological
from symgd.formula.other_names import function_meaning
from symgd.formula.parser import Parser
from symgd.formula.symbol_table import SymbolTable
from symgd.formula.token_list import TokenList
from symgd.formula.tokens import Token

_MOST_READ = 20_000  # tokens of definitions that are read again, for other subscripts
_MOST_SUBSCRIPTS = 16


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
        self.in_subscript = False
        self.in_range = False  # whether names are sizes and indices only
        self.defined: dict[tuple[object, ...], Node] = {}
        self.reading: list[str] = []  # definitions, to find one that is made of itself
        self.lengths: dict[str, list[Affine]] = {}  # of definitions, by name
        self.opened: dict[tuple[str, tuple[Index, ...]], list[Index]] = {}  # their indices
        self.checked: set[str] = set()  # definitions that were read once
        self.read = 0  # tokens of definitions that were read again
        self.free = FreeIndices()

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

    # -- names ------------------------------------------------------------------------------

    def name(self, token: Token) -> Node:
        """A number, an index, a size, or an element of an array."""
        stream, text = self.stream, token.text
        rank = self._rank(text)
        column = self._column_of(token)
        if column is not None and not self.in_subscript:
            self.arrays.numbers.add(column)
        if stream.token.kind == "[":
            return self._element(token, rank)
        if token.kind == "name" and text in self.scope.names:
            return self.scope.names[text]
        if token.kind == "quoted":
            return super().name(token)
        if rank and (self.scope.implicit or not self._may_be_number(token)):
            if len(self.scope.implicit) != rank:
                shown = names.escape(text)
                subscripts = f"{shown}[{', '.join('ijkl'[:rank])}]"
                sentence = f"{shown} is an array ({subscripts}) and a number ({shown}) here"
                raise stream.error(sentence, f"write {subscripts}", token)
            return self._at(token, list(self.scope.implicit))
        if text in self.notation.definitions:
            return self._use(self.notation.definitions[text], (), token)
        if self.in_range and (self._column_of(token) or text in ("pi", "e")):
            shown = names.escape(text)
            hint = "write a number or a size; for a condition where(k <= x, ..., 0)"
            raise stream.error(f"{shown} is no end of a range", hint, token)
        if self._is_size(text) and not self._column_of(token):
            return self.graph.atom(self.arrays.size(text, token.column))
        if text in self.notation.indices and text not in self.symbols.declared:
            shown = names.escape(text)
            sentence = f"{shown} is used outside its sum"
            raise stream.error(sentence, f"put it inside: sum(..., {shown}=1..n)", token)
        if self.in_range:
            return self.graph.atom(self.arrays.size(text, token.column))
        for index in self.scope.names:
            if text.endswith(f"_{index}") and not self._known(token):
                stem = names.escape(text[: -len(index) - 1])
                sentence = f"{names.escape(text)} is one number, the same for all {index}"
                raise stream.error(sentence, f"write {stem}[{index}]", token)
        return super().name(token)

    def _is_size(self, text: str) -> bool:
        return text in self.notation.sizes or text in self.arrays.given

    def _known(self, token: Token) -> bool:
        """Whether a name is a column or a declared parameter."""
        return token.text in self.symbols.declared or self._column_of(token) is not None

    def _column_of(self, token: Token) -> str | None:
        """The column of the data that a token names, if there is one."""
        columns = self.symbols.columns
        found = columns.find(token) if columns is not None else []
        return found[0] if found else None

    def _may_be_number(self, token: Token) -> bool:
        """Whether a name of an array may be a number here: a column, or what only columns make one.

        Columns x1, x2 make x a vector without being asked, and a formula may not mean it.
        """
        asked = token.text in self.notation.ranks or token.text not in self.arrays.numbered
        return self._column_of(token) is not None or not asked

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
        if stream.token.kind == "]":
            hint = f"write {names.escape(token.text)}[i]"
            raise stream.error("there is nothing between '[' and ']'", hint)
        while True:
            places.append(stream.token)
            label = self._label(token, len(subscripts))
            subscripts.append(self._subscript() if label is None else label)
            if len(subscripts) > _MOST_SUBSCRIPTS:
                raise stream.error(f"at most {_MOST_SUBSCRIPTS} subscripts are possible", "", token)
            if stream.token.kind != ",":
                break
            stream.advance()
        stream.close(opening, "]")
        self.scope.implicit = outer
        subscripts += outer[: max(0, rank - len(subscripts))]
        if len(subscripts) != rank:
            raise self._wrong_count(token, rank, len(subscripts))
        return self._at(token, subscripts, places)

    def _label(self, array: Token, axis: int) -> Node | None:
        """A subscript that is one name, and no other's: that of a category, which data may have."""
        stream, token = self.stream, self.stream.token
        alone = token.kind != "end" and stream.list[stream.place + 1].kind in (",", "]")
        if not alone or token.kind not in ("name", "quoted") or self.symbols.columns is None:
            return None
        name = token.text
        others = (self.scope.names, self.notation.indices, self.notation.definitions)
        if self._column_of(token) is not None:
            return None
        taken = self._is_size(name) or self._rank(name) or any(name in known for known in others)
        if token.kind == "name" and taken:
            return None
        stream.advance()
        return self.graph.atom(self.arrays.label((array.text, axis), token))

    def _wrong_count(self, token: Token, rank: int, count: int) -> FormulaError:
        """The error for the wrong number of subscripts."""
        shown = names.escape(token.text)
        if not rank:
            return self.stream.error(f"{shown} is a number and has no subscripts", "", token)
        usual = f"{shown}[{', '.join('ijklpq'[:rank])}]"
        sentence = f"{shown} has {names.counted(rank, 'subscript')}, not {count}"
        return self.stream.error(sentence, f"elsewhere it is {usual}", token)

    def _subscript(self) -> Node:
        """A subscript or bound in its shortest form: 10^2 is 100, i + 1 - 1 is i."""
        outer, self.in_subscript = self.in_subscript, True
        found = self.expression()
        self.in_subscript = outer
        form = affine(found)
        if form is None:
            [found] = self.graph.fold([found])
            form = affine(found)
        numbers = [] if form is None else [form.constant, *(k for _, k in form.terms)]
        exact = all(abs(k) < 2**53 for k in numbers)
        return self._node_of(form) if form is not None and exact else found

    def _at(self, token: Token, subscripts: list[Node], places: Sequence[Token] = ()) -> Node:
        """The element of an array, or of a definition, at these subscripts."""
        name = token.text
        if name in self.notation.definitions:
            return self._use(self.notation.definitions[name], tuple(subscripts), token)
        column = self._column_of(token)
        if column is None and (token.kind == "quoted" or self.symbols.is_function(name)):
            return super().name(token)  # says what is wrong with it
        array = self.arrays.array(name, column)
        in_row = self.row_sum_depth > 0
        if isinstance(array, ColumnVector) and not in_row:
            shown = names.escape(name)
            sentence = f"'{shown}' is columns of the data: it has a value in every row"
            raise self.stream.error(sentence, "put it inside sum(...) or mean(...)", token)
        for axis, subscript in enumerate(subscripts):
            place = places[axis] if axis < len(places) else token
            self.arrays.uses.append(self._use_of(name, axis, subscript, place))
        self._check_limit()
        return self.graph.node(At, self.graph.atom(array), *subscripts)

    def _check_limit(self) -> None:
        """FormulaError where the graph has too many nodes: definitions may multiply them."""
        limit = self.stream.limits.nodes
        if len(self.graph) > limit or len(self.arrays.uses) > limit:
            sentence = f"the formula has too many parts (limit nodes={limit})"
            raise self.stream.error(sentence, "")

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
            hint = f"write sum(..., {shown}=1..n), or give --size {shown}=100 if it is a size"
            raise self.stream.error(sentence, hint, token)
        sentence = f"a subscript of {names.escape(name)} is no whole number that is known"
        hint = "write an index, a number, a size, i + 1, 2*i, or a column of the data"
        raise self.stream.error(sentence, hint, token)

    # -- calls ------------------------------------------------------------------------------

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
            whole = self._whole_array(place)
            if whole is not None:
                return self._reduction_of_array(token, whole)
            rows = token.text in ("sum", "mean") and self.symbols.columns is not None
            if not rows and token.text in ("sum", "mean", "prod", "norm"):
                sentence = f"{token.text}(...) goes over an index, and none is written"
                hint = function_meaning(token.text) or f"write {token.text}(x[i], i=1..n)"
                raise stream.error(sentence, hint, token)
        if token.text in ARRAY_FUNCTIONS:
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
        if name in self.notation.definitions or name in self.arrays.given:
            what = "is defined" if name in self.notation.definitions else "is a size"
            raise stream.error(f"{shown} {what}", "choose another index", one.name)
        if one.low is None:
            low, high = Affine(1), self._range_from_arrays(one, first, last)
        else:
            if one.high is None or one.high == one.end:
                raise stream.error("a range has two ends", f"write {shown}=1..n", one.name)
            low, high = self._bound(one.low, one.high - 1), self._bound(one.high, one.end)
        (least, _), (_, greatest) = hull(low), hull(high)
        index = self._new_index(name, least, greatest, one.name)
        atom = self.graph.atom(index)
        self.scope.names[name] = atom
        bounds = [
            self.graph.compare(op, atom, self._node_of(bound))
            for op, bound, whole in ((">=", low, least), ("<=", high, greatest))
            if bound != whole
        ]
        if not bounds:
            return index, None
        return index, bounds[0] if len(bounds) == 1 else self.graph.node(Conjunction, *bounds)

    def _new_index(self, text: str, low: Affine, high: Affine, token: Token) -> Index:
        """The index of this range inside all that are open, which it is from now on."""
        index = self.arrays.index(text, low, high, self.scope.opened)
        self.scope.opened = (*self.scope.opened, index)
        self.arrays.nests.setdefault(frozenset(self.scope.opened), token)
        return index

    def _bound(self, place: int, end: int) -> Affine:
        """The bound of a range, between two places."""
        stream = self.stream
        stream.seek(place)
        first = stream.token
        self.in_range, outer = True, self.in_range
        node = self._subscript()
        self.in_range = outer
        if stream.place != end:
            raise stream.unexpected()
        found = affine(node)
        if found is None:
            hint = "write a number, a size such as n, n - 1, or 2*n"
            raise stream.error("this is no end of a range", hint, first)
        return found

    def _node_of(self, form: Affine) -> Node:
        graph = self.graph
        ordered = sorted(form.terms, key=lambda term: term[1] < 0)  # n - i + 1
        terms = [graph.mul(graph.number(k), graph.atom(s)) for s, k in ordered]
        return graph.add(*terms, graph.number(form.constant))

    def _range_from_arrays(self, one: IndexRange, first: int, last: int) -> Affine:
        """The end of an index without a range: the length of the first array that it indexes.

        All others that it indexes must be as long.
        """
        found = list(self.notation.alone_between(one.name.text, first, last))
        lengths = [(token, self._length(token, axis)) for token, axis in found]
        if not lengths:
            shown = names.escape(one.name.text)
            sentence = f"the range of {shown} is not known from the arrays"
            raise self.stream.error(sentence, f"write it: {shown}=1..n", one.name)
        self.arrays.equal += [(lengths[0], other) for other in lengths[1:]]
        return lengths[0][1]

    def _length(self, token: Token, axis: int) -> Affine:
        """How long an axis of an array or definition is."""
        name = token.text
        definition = self.notation.definitions.get(name)
        if definition is None:
            self.arrays.array(name, self._column_of(token))
            return self.arrays.extent(name, axis)
        if name not in self.lengths:
            if name in self.reading:
                raise self._made_of_itself(definition)
            self.reading.append(name)
            place = self.stream.place
            with self._fresh_scope():
                self.lengths[name] = [i.high for i in self._open_definition(definition)]
            self.stream.seek(place)
            self.reading.pop()
        if axis >= len(self.lengths[name]):
            raise self._wrong_count(token, len(self.lengths[name]), axis + 1)
        return self.lengths[name][axis]

    def _whole_array(self, place: int) -> int | None:
        """Where the first array without all of its subscripts stands in a call.

        Calls in it that take arrays themselves do not count.
        """
        found, closing = self.stream.list, self.notation.closing
        k, end = place + 2, closing.get(place + 1, len(found) - 1)
        while k < end:
            token = found[k]
            called = found[k + 1].kind == "("
            if called and token.text in (*REDUCTIONS, *ARRAY_FUNCTIONS):
                k = closing.get(k + 1, end)
            missing = self._rank(token.text) > self.notation.subscripts.get(k, 0)
            if token.kind == "name" and not called and missing:
                return k
            k += 1
        return None

    def _open_axes(self, place: int, last_only: bool = False) -> list[Index]:
        """The indices over the axes of the array at a place that it has no subscripts for."""
        token = self.stream.list[place]
        rank = self._rank(token.text)
        given = rank - 1 if last_only else self.notation.subscripts.get(place, 0)
        return [
            self._new_index("ijklpq"[axis % 6], Affine(1), self._length(token, axis), token)
            for axis in range(given, rank)
        ]

    # -- definitions ------------------------------------------------------------------------

    @contextmanager
    def _fresh_scope(self) -> Iterator[None]:
        """The scope of a definition: no index of the place where it is used is known."""
        outer, self.scope = self.scope, Scope(opened=self.scope.opened)
        yield
        self.scope = outer

    def _open_definition(self, definition: Definition) -> list[Index]:
        """The indices of a definition, in the order of its subscripts."""
        outer = self.scope.opened
        key = (definition.name.text, outer)
        if key not in self.opened:
            ranges = {one.name.text: one for one in definition.ranges}
            found: list[Index] = []
            for token in definition.indices:
                one = ranges.get(token.text) or IndexRange(token, 0, 0)
                found.append(self._open(one, definition.body, definition.end)[0])
            self.opened[key] = found
        self.scope.opened = (*outer, *self.opened[key])
        return self.opened[key]

    def _check_name(self, definition: Definition) -> None:
        """FormulaError for a definition whose name or indices cannot be."""
        token, stream = definition.name, self.stream
        shown = names.escape(token.text)
        if self.symbols.is_function(token.text):
            raise stream.error(f"'{shown}' is a function", "choose another name", token)
        taken = "a column of the data" if self._column_of(token) else ""
        taken = "a size" if token.text in self.arrays.given else taken
        if taken:
            raise stream.error(f"{shown} is {taken}", "choose another name", token)
        own = [index.text for index in definition.indices]
        for k, index in enumerate(definition.indices):
            if index.text in own[:k]:
                sentence = f"{names.escape(index.text)} is an index of {shown} twice"
                raise stream.error(sentence, "choose another index", index)
        for one in definition.ranges:
            if one.name.text not in own:
                sentence = f"{names.escape(one.name.text)} is no index of {shown}"
                hint = f"write {shown}[{names.escape(one.name.text)}] = ..., or sum(...) over it"
                raise stream.error(sentence, hint, one.name)

    def _check(self, definition: Definition) -> None:
        """Read a definition on its own: a mistake in it is found even if nothing uses it."""
        self.row_sum_depth += self.symbols.columns is not None
        with self._fresh_scope():
            indices = self._open_definition(definition)
            self._body(definition, tuple(map(self.graph.atom, indices)))
        self.row_sum_depth -= self.symbols.columns is not None

    def _use(self, definition: Definition, subscripts: tuple[Node, ...], token: Token) -> Node:
        """The value of a definition at these subscripts."""
        stream = self.stream
        place, last, chosen, data = stream.place, stream.last, list(subscripts), []
        with self._fresh_scope():
            opened = self.scope.opened
            indices = self._open_definition(definition)
            for axis, (subscript, index) in enumerate(zip(subscripts, indices, strict=True)):
                use = self._use_of(definition.name.text, axis, subscript, token)
                self.arrays.uses.append(replace(use, within=index))
                own, alone = definition.indices[axis].text, self.notation.alone_between
                for array, k in alone(own, definition.body, definition.end):
                    self.arrays.same[use.axis, (array.text, k)] = None
                if use.column is not None:  # the one element whose index it is
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

    def _body(self, definition: Definition, subscripts: tuple[Node, ...]) -> Node:
        """The body of a definition, its indices standing for these nodes; read once for each."""
        name, stream = definition.name.text, self.stream
        key = (name, tuple(map(id, subscripts)), tuple(i.name for i in self.scope.opened))
        found = self.defined.get(key)
        if found is not None and (self.row_sum_depth or ROW not in self.free(found)):
            return found  # a column outside of rows is read again, for its error
        if name in self.reading:
            raise self._made_of_itself(definition)
        if name in self.checked:
            self.read += definition.end - definition.body
        self.checked.add(name)
        if self.read > _MOST_READ:
            sentence = f"the definitions are too long written out (limit {_MOST_READ:,} tokens)"
            raise stream.error(sentence, "each subscript reads one again", definition.name)
        self.reading.append(name)
        given = {t.text: s for t, s in zip(definition.indices, subscripts, strict=True)}
        outer, self.scope.names = self.scope.names, given
        stream.seek(definition.body)
        stream.last = stream.list[definition.body - 1]
        self.defined[key] = self.expression()
        if stream.place != definition.end:
            raise stream.unexpected()
        self.scope.names = outer
        self.reading.pop()
        self._check_limit()
        return self.defined[key]

    def _made_of_itself(self, definition: Definition) -> FormulaError:
        shown = names.escape(definition.name.text)
        hint = "a definition holds only others, and numbers before it"
        return self.stream.error(f"{shown} is defined by itself", hint, definition.name)
