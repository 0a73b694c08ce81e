"""The parser of names and subscripts in indexed formulas: x[i+1], U[user], a[north]."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field

from symgd import names
from symgd.errors import FormulaError
from symgd.formula.builder import Builder
from symgd.formula.index_notation import (
    Definition,
    IndexNotation,
)
from symgd.formula.indexed_symbols import IndexedSymbols, Use, hull
from symgd.formula.indices import (
    Affine,
    At,
    ColumnVector,
    DataArray,
    FreeIndices,
    Index,
    Size,
    affine,
)
from symgd.formula.nodes import Column, Node, topological
from symgd.formula.parser import Parser
from symgd.formula.symbol_table import SymbolTable
from symgd.formula.token_stream import TokenList
from symgd.formula.tokens import Token

_MOST_SUBSCRIPTS = 16


@dataclass
class Scope:
    """What names of indices stand for. opened: the indices of all reductions around.

    implicit: the subscripts that names of whole arrays get.
    """

    names: dict[str, Node] = field(default_factory=dict)
    opened: tuple[Index, ...] = ()
    implicit: tuple[Node, ...] = ()


class SubscriptParser(Parser):
    """Recursive descent over a list of tokens; `scope` holds the indices of the sums around."""

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
        self.lengths: dict[str, list[Affine]] = {}  # of definitions, by name
        self.opened: dict[tuple[str, tuple[Index, ...]], list[Index]] = {}  # their indices
        self.checked: set[str] = set()  # definitions that were read once
        self.read = 0  # tokens of definitions that were read again
        self.wholes: dict[Index, Token] = {}  # the arrays that indices were opened for
        self.free = FreeIndices()

    def named(self, token: Token) -> Node:
        """A number, an index, a size, or an element of an array."""
        stream, text = self.stream, token.text
        rank = self._rank(text)
        if stream.token.kind == "[":
            return self._element(token, rank)
        if token.kind == "name" and text in self.scope.names:
            return self.scope.names[text]
        if token.kind == "quoted":
            return super().named(token)
        if rank and (self.scope.implicit or not self._may_be_number(token)):
            if len(self.scope.implicit) != rank:
                if text in self.arrays.vectors:
                    return super().named(token)  # says what is wrong with it
                shown = names.escape(text)
                subscripts = f"{shown}[{', '.join('ijkl'[:rank])}]"
                sentence = f"{shown} is an array ({subscripts}) and a number ({shown}) here"
                raise stream.error(sentence, f"write {subscripts}", token)
            return self._at(token, self._implied(token, 0))
        if text in self.notation.definitions:
            return self._use(self.notation.definitions[text], (), token)
        if self.in_range and (self.symbols.column_of(token) or text in ("pi", "e")):
            shown = names.escape(text)
            hint = "write a number or a size; for a condition where(k <= x, ..., 0)"
            raise stream.error(f"{shown} is no end of a range", hint, token)
        if self._is_size(text) and not self.symbols.column_of(token):
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
        return super().named(token)

    def _is_size(self, text: str) -> bool:
        return text in self.notation.sizes or text in self.arrays.given

    def _known(self, token: Token) -> bool:
        """Whether a name is a column or a declared parameter."""
        return token.text in self.symbols.declared or self.symbols.column_of(token) is not None

    def _may_be_number(self, token: Token) -> bool:
        """Whether a name of an array may be a number here: a column, or what only columns make one.

        Columns x1, x2 make x a vector without being asked, and a formula may not mean it.
        """
        asked = token.text in self.notation.ranks or token.text not in self.arrays.numbered
        return self.symbols.column_of(token) is not None or not asked

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
        if len(subscripts) + len(outer) == rank:
            subscripts += self._implied(token, len(subscripts))
        if len(subscripts) != rank:
            raise self._wrong_count(token, rank, len(subscripts))
        return self._at(token, subscripts, places)

    def _implied(self, token: Token, given: int) -> list[Node]:
        """The subscripts after `given` ones of an array, which is as long as others beside it."""
        for axis, subscript in enumerate(self.scope.implicit, given):
            if isinstance(subscript, Index) and subscript in self.wholes:
                one = (self.wholes[subscript], subscript.high)
                self.arrays.equal.append((one, (token, self._length(token, axis))))
        return list(self.scope.implicit)

    def _label(self, array: Token, axis: int) -> Node | None:
        """A subscript that is one name, and no other's: that of a category, which data may have."""
        stream, token = self.stream, self.stream.token
        alone = token.kind != "end" and stream.list[stream.place + 1].kind in (",", "]")
        if not alone or token.kind not in ("name", "quoted") or self.symbols.columns is None:
            return None
        name = token.text
        others = (self.scope.names, self.notation.indices, self.notation.definitions)
        if self.symbols.column_of(token) is not None:
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
        column = self.symbols.column_of(token)
        if column is None and (token.kind == "quoted" or self.symbols.is_function(name)):
            return super().named(token)  # says what is wrong with it
        array = self.arrays.array(name, column)
        in_row = self.row_sum_depth > 0
        if isinstance(array, ColumnVector) and not in_row:
            shown = names.escape(name)
            sentence = f"'{shown}' is columns of the data: it has a value in every row"
            raise self.stream.error(sentence, "put it inside sum(...) or mean(...)", token)
        of_data = isinstance(array, (ColumnVector, DataArray))
        if of_data and len(subscripts) != 1:
            raise self._wrong_count(token, 1, len(subscripts))
        for axis, subscript in enumerate(subscripts):
            place = places[axis] if axis < len(places) else token
            use = self._use_of(name, axis, subscript, place)
            if of_data and use.column is not None:
                sentence = (
                    f"a subscript of {names.escape(name)}, which is data, is read from the data"
                )
                hint = "write an index, a number or a size; a parameter is named like no column"
                raise self.stream.error(sentence, hint, place)
            self.arrays.uses.append(use)
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
        variables = {*self.symbols.variables.values()}
        unknown = next((n for n in topological([subscript]) if n in variables), None)
        if unknown is not None:
            shown = names.escape(unknown.text)
            sentence = f"{shown} is no index here"
            hint = f"write sum(..., {shown}=1..n), or give --size {shown}=100 if it is a size"
            raise self.stream.error(sentence, hint, token)
        sentence = f"a subscript of {names.escape(name)} is no whole number that is known"
        hint = "write an index, a number, a size, i + 1, 2*i, or a column of the data"
        raise self.stream.error(sentence, hint, token)

    def _node_of(self, form: Affine) -> Node:
        graph = self.graph
        ordered = sorted(form.terms, key=lambda term: term[1] < 0)  # n - i + 1
        terms = [graph.mul(graph.number(k), graph.atom(s)) for s, k in ordered]
        return graph.add(*terms, graph.number(form.constant))

    @abstractmethod
    def _length(self, token: Token, axis: int) -> Affine:
        """How long an axis of an array or definition is."""

    @abstractmethod
    def _use(self, definition: Definition, subscripts: tuple[Node, ...], token: Token) -> Node:
        """The value of a definition at these subscripts."""
