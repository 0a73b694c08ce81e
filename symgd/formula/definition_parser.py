"""The parser of indices, their ranges, and definitions: i=1..n-1, z[k] = ..., k=1..K."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from symgd import names
from symgd.errors import FormulaError
from symgd.formula.index_notation import (
    ARRAY_FUNCTIONS,
    REDUCTIONS,
    Definition,
    IndexRange,
)
from symgd.formula.indexed_symbols import hull
from symgd.formula.indices import (
    ROW,
    Affine,
    Index,
    Total,
    affine,
)
from symgd.formula.nodes import ZERO, Conjunction, Node
from symgd.formula.subscript_parser import Scope, SubscriptParser
from symgd.formula.tokens import Token

_MOST_READ = 20_000  # tokens of definitions that are read again, for other subscripts


class DefinitionParser(SubscriptParser):
    """Opens indices. A definition is parsed where it is used, its indices being the subscripts."""

    @contextmanager
    def _inside(self) -> Iterator[None]:
        """A reduction: the indices opened in it are known up to its end."""
        outer = self.scope
        self.scope = Scope(dict(outer.names), outer.opened, ())
        bars, self.open_bars = self.open_bars, 0
        yield
        self.scope, self.open_bars = outer, bars

    def _open(
        self, one: IndexRange, first: int, last: int, defines: bool = False
    ) -> tuple[Index, Node | None]:
        """The index of a range, and the condition on it where its bounds hold another index.

        first, last: the places of the term. defines: of a definition.
        """
        stream, name = self.stream, one.name.text
        shown = names.escape(name)
        if self.symbols.column_of(one.name):
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
        window = Affine(0, tuple([(s, k) for s, k in low.terms if isinstance(s, Index)]))
        if defines or (high - low).indices:
            window = Affine()
        low, high = low - window, high - window  # j=i..i+2 is i + j, j=0..2
        (least, _), (_, greatest) = hull(low), hull(high)
        index = self._new_index(name, least, greatest, one.name)
        atom = self.graph.atom(index)
        self.scope.names[name] = self.graph.add(self._node_of(window), atom)
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
            self.arrays.array(name, self.symbols.column_of(token))
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

    def _whole_array(self, place: int, but_columns: bool = False) -> int | None:
        """Where the first array without all of its subscripts stands in a call.

        Subscripts, and calls in it that take arrays themselves, do not count. but_columns: columns
        of the data neither: over the rows they are numbers.
        """
        found, closing = self.stream.list, self.notation.closing
        k, end = place + 2, closing.get(place + 1, len(found) - 1)
        while k < end:
            token = found[k]
            called = found[k + 1].kind == "("
            if token.kind == "[":
                k = closing.get(k, end)
            if called and token.text in (*REDUCTIONS, *ARRAY_FUNCTIONS):
                k = closing.get(k + 1, end)
            missing = self._rank(token.text) > self.notation.subscripts.get(k, 0)
            of_rows = but_columns and self.symbols.column_of(token) is not None
            if token.kind == "name" and not called and missing and not of_rows:
                return k
            k += 1
        return None

    def _open_axes(self, place: int, last_only: bool = False) -> list[Index]:
        """The indices over the axes of the array at a place that it has no subscripts for."""
        token = self.stream.list[place]
        rank = self._rank(token.text)
        given = rank - 1 if last_only else self.notation.subscripts.get(place, 0)
        found = [
            self._new_index("ijklpq"[axis % 6], Affine(1), self._length(token, axis), token)
            for axis in range(given, rank)
        ]
        self.wholes |= dict.fromkeys(found, token)
        return found

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
                found.append(self._open(one, definition.body, definition.end, defines=True)[0])
            self.opened[key] = found
        self.scope.opened = (*outer, *self.opened[key])
        return self.opened[key]

    def _check_name(self, definition: Definition) -> None:
        """FormulaError for a definition whose name or indices cannot be."""
        token, stream = definition.name, self.stream
        shown = names.escape(token.text)
        if self.symbols.is_function(token.text):
            raise stream.error(f"'{shown}' is a function", "choose another name", token)
        taken = "a column of the data" if self.symbols.column_of(token) else ""
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
