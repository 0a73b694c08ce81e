"""Axes whose places are categories: columns of texts that are subscripts, and their labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from symgd import names
from symgd.errors import FormulaError
from symgd.formula.indexed_symbols import Axis, IndexedSymbols, Use
from symgd.formula.indices import column_text
from symgd.formula.nodes import Name, Node
from symgd.formula.parse import Formula

_LISTED = 8  # categories in a message


class Extent(int):
    """The length of an axis that has a label for each of its places."""

    labels: tuple[str, ...]

    def __new__(cls, labels: Sequence[str]) -> Extent:
        found = super().__new__(cls, len(labels))
        found.labels = tuple(labels)
        return found

    def __reduce__(self) -> tuple[type[Extent], tuple[tuple[str, ...]]]:
        return Extent, (self.labels,)


def element_name(name: str, shape: Sequence[int], place: Sequence[int]) -> str:
    """`w[2,3]`, or `a[north]` where the axis has labels. place: from 1."""
    shown = [
        extent.labels[k - 1] if isinstance(extent, Extent) else str(k)
        for extent, k in zip(shape, place, strict=True)
    ]
    return f"{name}[{','.join(shown)}]"


def column_name(use: Use) -> str:
    """The name of the column that a subscript is read from; "" for none."""
    return "" if use.column is None else column_text(use.column)


def category_columns(symbols: IndexedSymbols, *formulas: Formula) -> list[set[str]]:
    """The columns that are only subscripts or compared with words; those of one axis together."""
    by_axis: dict[Axis, set[str]] = defaultdict(set)
    for use in symbols.uses:
        if use.column is not None:
            by_axis[use.axis].add(column_name(use))
    linked = [by_axis[one] | by_axis[other] for one, other in symbols.same]
    groups: list[set[str]] = []
    compared = [{one.column} for read in formulas for one in read.categories.values()]
    numbers = {column for read in formulas for column in read.numbers}
    for found in (*by_axis.values(), *linked, *compared):
        joined = found.union(*(group for group in groups if group & found))
        groups = [group for group in groups if not group & found] + [joined]
    return [group - numbers for group in groups]


def axis_labels(
    symbols: IndexedSymbols, labels: Mapping[str, tuple[str, ...]]
) -> dict[Axis, tuple[str, ...]]:
    """The labels of each axis that a column of texts is the subscript of. labels: by column."""
    found = {
        use.axis: labels[column_name(use)]
        for use in symbols.uses
        if column_name(use) in labels and not (use.low.terms or use.low.constant)
    }
    queue = list(found) if symbols.same else []
    while queue:
        axis = queue.pop()
        for one, other in symbols.same:
            if one == axis and other not in found:
                found[other] = found[axis]
                queue.append(other)
    return found


def bind_categories(formula: Formula, labels: Mapping[str, Sequence[str]]) -> Formula:
    """The formula with the number of each category for its name; FormulaError where there is none.

    labels: the texts of each column that holds texts. Beside other columns a word is what it is
    elsewhere: a variable, or pi or e.
    """
    if not formula.categories:
        return formula
    graph, variables = formula.graph, dict(formula.variables)
    values: dict[Node, Node] = {}
    for name, (column, token, number) in formula.categories.items():
        label, shown = token.text, names.escape(token.text)
        place = place_of(label, labels.get(column, ()))
        if place is not None:
            if column in formula.columns:
                formula.columns[column].labels = labels[column]
            values[name] = graph.number(place)
        elif column in labels:
            sentence = f"{names.escape(column)} has no category '{shown}'"
            hint = names.suggest(label, labels[column]) or "there are " + listed(labels[column])
            raise FormulaError(formula.text, token.column, sentence, hint)
        elif token.kind == "text":
            sentence = f"'{shown}' is a text, and {names.escape(column)} is a column of numbers"
            raise FormulaError(formula.text, token.column, sentence, "compare it with a number")
        elif type(number) is Name:
            symbol = variables.setdefault(label, Name(f"p{len(variables)}", label))
            values[name] = graph.atom(symbol)
        else:
            values[name] = number
    [root] = graph.replace([formula.root], values)
    return replace(formula, root=root, variables=variables, categories={})


def place_of(label: str, labels: Sequence[str]) -> int | None:
    """The place of a label, from 1, also by its canonical spelling."""
    for text in (label, *(own for own in labels if names.canonical(own) == label)):
        if text in labels:
            return labels.index(text) + 1
    return None


def no_category(label: str, array: str, labels: Sequence[str]) -> tuple[str, str]:
    """What is wrong with a subscript that is no label, and what there is."""
    shown = names.escape(label)
    if not labels:
        hint = f"write sum(..., {shown}=1..n), or give --size {shown}=100 if it is a size"
        return f"{shown} is no index here", hint
    sentence = f"{names.escape(array)} has no category '{shown}'"
    return sentence, names.suggest(label, labels) or "there are " + listed(labels)


def listed(labels: Sequence[str]) -> str:
    """Some of the labels, for a message."""
    more = ", ..." if len(labels) > _LISTED else ""
    return names.escape(", ".join(labels[:_LISTED])) + more
