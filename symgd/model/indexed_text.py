"""IndexedText: an indexed loss and its derivatives as people read them, and in SymPy."""

from __future__ import annotations

from collections.abc import Iterator

import sympy

from symgd import names
from symgd._locks import cached_property
from symgd.calculus.element_gradient import ElementGradient, with_sizes
from symgd.calculus.readable import tidy
from symgd.formula.indexed_symbols import Use
from symgd.formula.indices import Index, Size
from symgd.formula.nodes import Node
from symgd.formula.printing.plain import show, write
from symgd.formula.sympy_bridge import symbol, to_sympy
from symgd.model.array_functions import ArrayFunctions

Derivative = tuple[Node, tuple[Index, ...]]


class IndexedText:
    """What `Loss` shows of a formula with indices."""

    def __init__(self, functions: ArrayFunctions) -> None:
        self.functions, self.model = functions, functions.model

    @cached_property
    def derivatives(self) -> dict[str, Derivative]:
        """The derivative by each parameter, and the indices of the element where it is an array."""
        numbers, scatters = self.functions.derivatives
        model, graph = self.model, self.model.formula.graph
        sizes = model.shapes.sizes
        found: dict[str, Derivative] = {}
        by_scalar = dict(zip(self.functions.scalars, numbers, strict=True))
        for name in model.params:
            if name in model.scalars:
                [node] = with_sizes(graph, tidy(graph, [by_scalar[model.scalars[name]]]), sizes)
                found[name] = node, ()
            else:
                own = scatters[model.arrays[name]]
                element = ElementGradient(graph, model.shape(name), own, sizes)
                found[name] = element.formula(), element.targets
        return found

    def read_as(self, pretty: bool) -> str:
        """The formula, and after it the shapes of the arrays and the sizes: x[n], n = 4."""
        shown = show if pretty else names.escape
        args = ", ".join(map(shown, self.model.params))
        root = write(self.model.formula.root, limit=2000, pretty=pretty)
        shapes = [f"{shown(name)}[{', '.join(self._axes(name))}]" for name in self.model.arrays]
        sizes = [
            f"{names.escape(symbol.text)} = {number}"
            for symbol, number in self.model.shapes.sizes.items()
            if isinstance(symbol, Size) and not symbol.text.startswith("#")
        ]
        return " with ".join(filter(None, [f"L({args}) = {root}", ", ".join([*shapes, *sizes])]))

    def _axes(self, name: str) -> Iterator[str]:
        """The length of each axis, as a size where it is one."""
        indexed = self.model.formula.indexed
        assert indexed is not None
        given = indexed.shapes.get(name, ())
        for axis, extent in enumerate(self.model.shape(name)):
            uses = [use for use in indexed.uses if use.axis == (name, axis)]
            own = [given[axis]] if axis < len(given) and isinstance(given[axis], str) else []
            yield next(iter([*map(str, own), *_sizes(uses)]), str(extent))

    def gradient_text(self, limit: int) -> dict[str, str]:
        """The derivatives as text, by parameter: `x[i]` for an element of an array."""
        found = {}
        for name, (node, targets) in self.derivatives.items():
            listed = ",".join(target.text for target in targets)
            key = f"{name}[{listed}]" if targets else name
            found[key] = write(node, limit=limit, first=targets)
        return found

    def expr(self) -> sympy.Expr:
        """The loss: arrays are IndexedBase, sums over indices Sum."""
        root = self.model.formula.root
        return to_sympy([root], self._symbols, self.model.shapes.sizes)[0]

    def gradient(self) -> dict[str, sympy.Expr]:
        """The derivatives by parameter, of arrays by the element that the free indices name."""
        return {
            name: to_sympy([node], self._symbols, self.model.shapes.sizes, targets)[0]
            for name, (node, targets) in self.derivatives.items()
        }

    @cached_property
    def _symbols(self) -> dict[Node, sympy.Symbol]:
        return {leaf: symbol(name) for name, leaf in self.model.formula.variables.items()}


def _sizes(uses: list[Use]) -> Iterator[str]:
    """The names of sizes that are the greatest value of a subscript."""
    for use in uses:
        terms = use.high.terms
        alone = len(terms) == 1 and terms[0][1] == 1 and not use.high.constant
        if use.column is None and alone and not terms[0][0].text.startswith("#"):
            yield names.escape(terms[0][0].text)
