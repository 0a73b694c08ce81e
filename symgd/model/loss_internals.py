"""LossInternals: the nodes and programs of a loss, and the functions that they are compiled to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from symgd._locks import cached_property
from symgd._numpy import ArrayLike, NDArray, np
from symgd.backends import lambdified
from symgd.backends.compiler import compile_program
from symgd.backends.program import Program
from symgd.calculus.gradient import gradient, hessian
from symgd.calculus.readable import tidy
from symgd.calculus.stabilize import stabilize
from symgd.formula.graph import Graph
from symgd.formula.nodes import Name, Node
from symgd.model.bounds import ParameterBox
from symgd.model.data_binding import RowData

if TYPE_CHECKING:
    from symgd.backends.native.nests.nest_machine import BoundNests

Made = TypeVar("Made")

#: what depends on the backend of the rows
_OF_ROWS = ("evaluate", "evaluate_value", "evaluate_hess", "compiled", "row_machine", "_product")
_KEPT = 16  # what is compiled for a loss and its rules
_WRITTEN = 4  # parameters of a loss with indices up to which its Hessian is compiled by entries


class LossInternals:
    """What the solvers, the analysis and the reports ask a loss for.

    graph: where the nodes live. root: the formula as it was typed. leaves: the symbols of the
    parameters. rows: the data and what is known of them, if there are any. by_rows: no moments of
    the data stand for its rows, so that batches are possible. box: bounds of the parameters, into
    which every step of a descent is projected, and to which the analysis keeps.
    """

    def __init__(
        self,
        graph: Graph,
        root: Node,
        leaves: Sequence[Name],
        rows: RowData | None = None,
        by_rows: bool = False,
        box: ParameterBox | None = None,
    ) -> None:
        self.graph, self.root, self.rows, self.box = graph, root, rows, box
        self.leaves: tuple[Name, ...] = tuple(leaves)
        self.params: tuple[str, ...] = tuple(leaf.text for leaf in leaves)
        self.goes_by_rows = by_rows
        self.nests: Any = None  # the `ArrayFunctions` of a loss with indices that is written out
        self._kept: dict[Any, Any] = {}
        self._full: Node = (stabilize(graph, [root]) if rows is None else rows.lower([root]))[0]

    def by_rows(self) -> LossInternals:
        """The same without sufficient statistics: every value goes over the rows."""
        if self.rows is None:
            return self
        return LossInternals(self.graph, self.root, self.leaves, self.rows, True, self.box)

    @property
    def written_out(self) -> LossInternals:
        """The same for reading: sums over the rows as typed, no moments in their place."""
        return self.by_rows() if self.reduced else self

    def within(self, box: ParameterBox) -> LossInternals:
        """The same with this box, made once."""

        def make() -> LossInternals:
            found = copy(self)
            found.box, found._kept = box, {}
            return found

        return self if box == self.box else self.kept(("within", box), make)

    @property
    def ranges(self) -> dict[Node, tuple[float, float]]:
        """(low, high) of each parameter, where there are bounds; else {}."""
        if self.box is None:
            return {}
        ends = zip(self.box.low, self.box.high, strict=True)
        return dict(zip(self.leaves, ends, strict=True))

    def on(self, backend: str) -> LossInternals:
        """The same whose rows this backend runs over."""
        if self.rows is None or self.rows.backend == backend:
            return self
        found = copy(self)
        found._kept = {}
        for name in _OF_ROWS:
            found.__dict__.pop(name, None)
        found.rows = replace(self.rows, backend=backend)
        return found

    def kept(self, key: Any, make: Callable[[], Made]) -> Made:
        """What `make` returns, made once for this loss; the last few of them are kept.

        So a second descent by the same rule compiles nothing.
        """
        if key not in self._kept:
            if len(self._kept) >= _KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[key] = make()
        return self._kept[key]  # type: ignore[no-any-return]

    @property
    def work(self) -> int:
        """The operations of one evaluation, those of every row counted."""
        rows = self.rows.table.rows if self.rows is not None and self.value_program.loops else 1
        return self.value_program.operations * rows

    def tidy(self, nodes: Sequence[Node]) -> list[Node]:
        """The nodes in readable form."""
        return tidy(self.graph, nodes)

    @cached_property
    def stable(self) -> Node:
        """The formula as it runs: the same value, stable, moments of the data for its rows."""
        if self.rows is None or self.goes_by_rows:
            return self._full
        from symgd.model.moments import reduce_squares

        return reduce_squares(self.rows, self._full, self.leaves)

    @property
    def reduced(self) -> bool:
        """Whether moments of the data stand for sums over its rows (`symgd.model.moments`)."""
        return self.stable is not self._full

    @cached_property
    def derivatives(self) -> list[Node]:
        """The gradient as nodes of `graph`, in the order of params."""
        return gradient(self.graph, self.stable, self.atoms)

    @cached_property
    def second_derivatives(self) -> list[list[Node]]:
        """The Hessian as nodes of `graph`, row by row."""
        return hessian(self.graph, self.stable, self.atoms)

    @property
    def atoms(self) -> list[Node]:
        """The parameters as nodes of `graph`."""
        return [self.graph.atom(leaf) for leaf in self.leaves]

    @cached_property
    def value_program(self) -> Program:
        """Parameters -> value."""
        return self.program_of({"value": self.stable})

    @cached_property
    def program(self) -> Program:
        """Parameters -> value and gradient, from the shared graph."""
        grad = {f"d/d{p}": g for p, g in zip(self.params, self.derivatives, strict=True)}
        return self.program_of({"value": self.stable, **grad})

    @cached_property
    def hessian_program(self) -> Program:
        """Parameters -> the upper triangle of the Hessian, row by row."""
        rows = self.second_derivatives
        entries = {f"{i},{j}": row[j] for i, row in enumerate(rows) for j in range(i, len(rows))}
        return self.program_of(entries)

    @cached_property
    def product_program(self) -> Program:
        """Parameters and a vector v -> the Hessian times v: the gradient of g·v."""
        ways = [self.graph.atom(Name(f"v{k}")) for k in range(len(self.leaves))]
        slope = self.graph.add(*map(self.graph.mul, self.derivatives, ways))
        entries = gradient(self.graph, slope, self.atoms)
        return self.program_of({f"H·v[{k}]": e for k, e in enumerate(entries)}, ways)

    def program_of(self, outputs: Mapping[str, Node], more: Sequence[Name] = ()) -> Program:
        """The program of these nodes of `graph`.

        Its inputs: the parameters, `more` of them, what the data give.
        """
        if self.rows is None:
            return compile_program([*self.leaves, *more], outputs)
        return self.rows.program([*self.leaves, *more], outputs)

    def compile(self, program: Program) -> Callable[..., list[float]]:
        """A program of this loss as a function of the parameters; it returns inf and nan."""
        return (
            lambdified.compile_total(program) if self.rows is None else self.rows.compile(program)
        )

    @cached_property
    def evaluate_value(self) -> Callable[..., list[float]]:
        """(p0, p1, ...) -> [value], inf and nan included. For engines."""
        return self.compile(self.value_program)

    @cached_property
    def evaluate(self) -> Callable[..., list[float]]:
        """(p0, p1, ...) -> [value, gradient...], inf and nan included. For engines."""
        return self.compile(self.program)

    @cached_property
    def evaluate_hess(self) -> Callable[..., list[float]]:
        """(p0, p1, ...) -> the upper triangle of the Hessian, row by row. For engines."""
        return self.compile(self.hessian_program)

    @cached_property
    def compiled(self) -> Callable[[Sequence[float]], tuple[float, NDArray[np.float64]]]:
        """x -> (value, gradient), by machine code where there is some; for large losses.

        x: (P,) numbers in the order of params; the gradient is (P,) float64. Compiled on first
        use, in a time linear in the size of the formula.
        """
        function = self._on_arrays(self.program, lambda: self.evaluate)

        def call(x: Sequence[float]) -> tuple[float, NDArray[np.float64]]:
            out = function(x)
            return float(out[0]), out[1:]

        return call

    @cached_property
    def row_machine(self) -> BoundNests | None:
        """Value and gradient over the rows, for other machine code; None without machine code."""
        from symgd.backends.dispatch import compiled

        assert self.rows is not None
        rows = self.rows
        return compiled(lambda: rows.bind(self.leaves, [self.stable, *self.derivatives]))

    @cached_property
    def _product(self) -> Callable[[Any], NDArray[np.float64]]:
        program = self.product_program
        return self._on_arrays(program, lambda: self.compile(program))

    def product(self, x: ArrayLike, v: ArrayLike) -> NDArray[np.float64]:
        """The Hessian at x times v, (P,) each."""
        return self._product(np.concatenate([np.asarray(x, float), np.asarray(v, float)]))

    def _on_arrays(
        self, program: Program, interpreted: Callable[[], Callable[..., list[float]]]
    ) -> Callable[[Any], NDArray[np.float64]]:
        """A program as a function of one array, by machine code where there is some."""
        from symgd.backends.dispatch import compiled

        def make() -> Callable[[Any], NDArray[np.float64]]:
            from symgd.backends.native.array_module import compile_arrays

            return compile_arrays(program).evaluate

        function = compiled(make) if self.rows is None else None
        if function is not None:
            return function
        plain = interpreted()
        return lambda x: np.array(plain(*np.asarray(x, dtype=np.float64).tolist()))

    def hess_rows(self, x: Sequence[float]) -> list[list[float]]:
        """The Hessian as lists, every operation rounded. For engines."""
        count = len(self.params)
        if self.nests is not None and count > _WRITTEN:
            product = self.nests.product_at(x)
            rows = np.array([product(unit) for unit in np.eye(count)])
            return (0.5 * (rows + rows.T)).tolist()  # type: ignore[no-any-return]
        return self.symmetric(self.evaluate_hess(*x))

    def symmetric(self, triangle: Sequence[float]) -> list[list[float]]:
        """The rows of a symmetric matrix from its upper triangle, row by row."""
        count = len(self.params)
        entries = iter(triangle)
        rows = [[0.0] * count for _ in range(count)]
        for i in range(count):
            for j in range(i, count):
                rows[i][j] = rows[j][i] = next(entries)
        return rows
