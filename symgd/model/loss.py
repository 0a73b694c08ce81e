"""Loss: a formula with parameters, its exact derivatives, and their values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import sympy

from symgd import names
from symgd._locks import cached_property
from symgd._numpy import NDArray, np
from symgd.backends.nests import NestProgram
from symgd.backends.program import Program
from symgd.formula.graph import Graph
from symgd.formula.nodes import Node
from symgd.formula.parse import DEFAULT_LIMITS
from symgd.formula.pickling import pack, unpack
from symgd.formula.printing.plain import show, write
from symgd.formula.sympy_bridge import symbol, to_sympy
from symgd.formula.tokens import Limits
from symgd.model.array_functions import ArrayFunctions
from symgd.model.array_internals import ArrayInternals
from symgd.model.array_model import ArrayModel
from symgd.model.array_options import ArrayOptions
from symgd.model.checks import Point, read_point
from symgd.model.data_binding import RowData
from symgd.model.exact_values import ExactValues
from symgd.model.indexed_text import IndexedText
from symgd.model.loss_internals import LossInternals
from symgd.model.present import Notebook
from symgd.model.read_loss import read_source

if TYPE_CHECKING:
    from symgd.data import Table

#: For texts that were read before.
_UNLIMITED = Limits(10**9, 10**9, 10**9, 10**9, exponent=1e9, name=10**9)


class Loss(Notebook):
    """A scalar loss of named real parameters.

    source: a formula (text), a SymPy expression, or a Python function of its parameters, which
    is called once with SymPy symbols. data: what `symgd.data.read_table` reads, or a Table; then
    the formula may hold sum(...) and mean(...) over its rows, and names of its columns are these.
    constants: names that stand for these numbers. params: names that are parameters even though
    the formula language has them as constants (e, pi). drop_missing: skip rows with missing cells.
    sizes: of a formula with indices, as {"n": 1000}. shapes: {"U": ("user", "f")}, each axis a
    number, a size, or the column that is its subscript. vectors: {"X": ["age", "bmi"]}, columns
    that are X[1], X[2] in every row.

    >>> loss = Loss("(1 - x)**2 + 100*(y - x**2)**2")
    >>> loss.params
    ('x', 'y')
    >>> loss.value({"x": -1.2, "y": 1.0})
    24.199999999999996
    >>> loss.gradient["y"]
    -200*x**2 + 200*y
    >>> loss = Loss("mean((y - a*x)**2)", {"x": [1.0, 2.0], "y": [2.0, 5.0]})
    >>> loss.params, loss.columns, loss.value({"a": 2.0})
    (('a',), ('y', 'x'), 0.5)
    """

    def __init__(
        self,
        source: str | sympy.Expr | Callable[..., Any],
        data: Any = None,
        *,
        constants: Mapping[str, float] | None = None,
        params: Iterable[str] = (),
        limits: Limits = DEFAULT_LIMITS,
        drop_missing: bool = False,
        sizes: Mapping[str, int] | None = None,
        shapes: Mapping[str, Sequence[int | str]] | None = None,
        vectors: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        arrays = ArrayOptions.of(sizes or {}, shapes or {}, vectors or {})
        found = read_source(source, data, constants, params, limits, drop_missing, arrays)
        self._set(*found)

    def _set(
        self, internals: LossInternals | ArrayModel, text: str, columns: Sequence[str]
    ) -> None:
        self.text = text
        self.columns: tuple[str, ...] = tuple(columns)
        self.params: tuple[str, ...] = internals.params
        #: the loss with indices whose elements the parameters are
        self.indexed: Loss | None = None
        #: of the arrays whose elements the parameters are, by name
        self.shapes: dict[str, tuple[int, ...]] = {}
        #: of a formula with indices: its arrays, shapes and kernels
        self.arrays = internals if isinstance(internals, ArrayModel) else None
        if isinstance(internals, LossInternals):
            self.internals = internals

    @cached_property
    def internals(self) -> LossInternals:
        """What solvers and reports work with; no part of the public interface.

        Of a loss with indices: the formula written out, where it is small enough for that, else
        its loop nests behind the same interface.
        """
        assert self.arrays is not None
        written = self.arrays.written_out
        if written is None:
            return ArrayInternals(self.arrays)
        written.nests = self._own_functions
        return written

    @cached_property
    def _functions(self) -> ArrayFunctions:
        """The loop nests of a loss with indices."""
        inner = self.internals
        return inner.functions if isinstance(inner, ArrayInternals) else self._own_functions

    @cached_property
    def _own_functions(self) -> ArrayFunctions:
        assert self.arrays is not None
        return ArrayFunctions(self.arrays)

    @cached_property
    def indexed_text(self) -> IndexedText:
        """What is shown of a formula with indices."""
        return IndexedText(self._functions)

    @cached_property
    def by_elements(self) -> Loss:
        """The loss whose parameters are single numbers: itself, unless it has indices."""
        if self.arrays is None:
            return self
        found = Loss.of(self.internals, self.text, self.columns)
        found.shapes = {name: self.arrays.shape(name) for name in self.arrays.arrays}
        found.indexed = self
        return found

    @classmethod
    def of(cls, internals: LossInternals, text: str, columns: Sequence[str] = ()) -> Loss:
        """The loss around nodes that exist already."""
        loss = cls.__new__(cls)
        loss._set(internals, text, columns)
        return loss

    def around(self, internals: LossInternals) -> Loss:
        """The same formula with other internals: of another backend, or in a box."""
        if internals is self.internals:
            return self
        found = Loss.of(internals, self.text, self.columns)
        found.shapes, found.indexed = self.shapes, self.indexed
        return found

    def __repr__(self) -> str:
        return f"Loss({self.text!r})"

    def __getstate__(self) -> dict[str, Any]:
        if self.arrays is not None:
            return {"arguments": self.arrays.arguments}
        inner = self.internals
        if isinstance(inner, ArrayInternals):
            return {"elements_of": self.indexed}
        return {
            "shapes": self.shapes,
            "indexed": self.indexed,
            "nodes": pack([inner.root]),
            "leaves": inner.leaves,
            "rows": None if inner.rows is None else inner.rows.portable(),
            "by_rows": inner.goes_by_rows,
            "box": inner.box,
            "text": self.text,
            "columns": self.columns,
        }

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        if "arguments" in state:
            Loss.__init__(self, **state["arguments"], limits=_UNLIMITED)
            return
        if "elements_of" in state:
            self.__dict__.update(state["elements_of"].by_elements.__dict__)
            return
        graph = Graph()
        [root] = unpack(graph, *state["nodes"])
        rows = None if state["rows"] is None else RowData(graph, **state["rows"])
        internals = LossInternals(
            graph, root, state["leaves"], rows, state["by_rows"], state["box"]
        )
        self._set(internals, state["text"], state["columns"])
        self.shapes, self.indexed = state["shapes"], state["indexed"]

    # -- for reading ----------------------------------------------------------------------

    @cached_property
    def symbols(self) -> dict[str, sympy.Symbol]:
        """The SymPy symbol of each parameter, real, in the order of params."""
        return {name: symbol(name) for name in self.params}

    @cached_property
    def expr(self) -> sympy.Expr:
        """The loss as a SymPy expression over `symbols`."""
        if self.arrays is not None:
            return self.indexed_text.expr()
        return self._to_sympy([self.internals.root])[0]

    @cached_property
    def gradient(self) -> dict[str, sympy.Expr]:
        """The partial derivatives by parameter: those that run, as SymPy expressions."""
        if self.arrays is not None:
            return self.indexed_text.gradient()
        derivatives = self.internals.written_out.derivatives
        return dict(zip(self.params, self._to_sympy(self.internals.tidy(derivatives)), strict=True))

    @cached_property
    def hessian(self) -> sympy.ImmutableMatrix:
        """The (P, P) matrix of second derivatives that runs, as SymPy expressions."""
        if self.arrays is not None:
            return self.by_elements.hessian
        rows = self.internals.written_out.second_derivatives
        if not rows:
            return sympy.ImmutableMatrix(0, 0, [])
        entries = self._to_sympy(self.internals.tidy([entry for row in rows for entry in row]))
        return sympy.ImmutableMatrix(len(rows), len(rows), entries)

    def _to_sympy(self, nodes: Sequence[Node]) -> list[sympy.Expr]:
        by_leaf = dict(zip(self.internals.leaves, self.symbols.values(), strict=True))
        return to_sympy(nodes, by_leaf)

    def read_as(self, pretty: bool = True) -> str:
        """The formula as symgd read it, in one line of mathematical notation."""
        if self.indexed is not None:
            return self.indexed.read_as(pretty)
        if self.arrays is not None:
            return self.indexed_text.read_as(pretty)
        args = ", ".join(show(p) if pretty else names.escape(p) for p in self.params)
        return f"L({args}) = {write(self.internals.root, limit=2000, pretty=pretty)}"

    @property
    def table(self) -> Table | None:
        """The data: the columns that the formula reads."""
        source = self if self.indexed is None else self.indexed
        if source.arrays is not None:
            return source.arrays.table
        return None if self.internals.rows is None else self.internals.rows.table

    def gradient_text(self, limit: int = 2000) -> dict[str, str]:
        """The partial derivatives by parameter, as formulas that can be typed again."""
        if self.indexed is not None:
            return self.indexed.gradient_text(limit)
        if self.arrays is not None:
            return self.indexed_text.gradient_text(limit)
        inner = self.internals
        written = [write(g, limit=limit) for g in inner.tidy(inner.written_out.derivatives)]
        return dict(zip(inner.params, written, strict=True))

    # -- values ---------------------------------------------------------------------------

    def value(self, theta: Point) -> float:
        """The loss at theta: a mapping name -> number, or numbers in the order of params.

        Of a loss with indices: a mapping name -> number or array, or all numbers in the order of
        params, arrays row-major.
        """
        if self.arrays is not None:
            return self._functions.value(self.arrays.flat(theta))
        return self.internals.evaluate_value(*read_point(self.params, theta))[0]

    __call__ = value

    def grad(self, theta: Point) -> NDArray[np.float64]:
        """The gradient at theta: (P,) float64 in the order of params."""
        return self.value_and_grad(theta)[1]

    def value_and_grad(self, theta: Point) -> tuple[float, NDArray[np.float64]]:
        """The loss and its gradient, (P,) float64, as the descent computes them."""
        if self.arrays is not None:
            return self._functions.gradient(self.arrays.flat(theta))
        value, *grad = self.internals.evaluate(*read_point(self.params, theta))
        return value, np.array(grad, dtype=np.float64)

    def hess(self, theta: Point) -> NDArray[np.float64]:
        """The Hessian at theta: (P, P) float64, symmetric."""
        if self.arrays is not None:
            return self.by_elements.hess(self.arrays.flat(theta))
        count = len(self.params)
        rows = self.internals.hess_rows(read_point(self.params, theta))
        return np.array(rows, dtype=np.float64).reshape(count, count)

    def hvp(self, theta: Point, vector: Point) -> NDArray[np.float64]:
        """The Hessian at theta times a vector, (P,) float64, without the Hessian.

        vector: as theta, a mapping or numbers in the order of params.
        """
        if self.arrays is not None:
            return self._functions.product(self.arrays.flat(theta), self.arrays.flat(vector))
        x, v = (read_point(self.params, given) for given in (theta, vector))
        return self.internals.product(x, v)

    @property
    def compiled(self) -> Callable[[Sequence[float]], tuple[float, NDArray[np.float64]]]:
        """x -> (value, gradient), by machine code where there is some; for large losses.

        x: (P,) numbers in the order of params; the gradient is (P,) float64. Compiled on first
        use, in a time linear in the size of the formula.
        """
        return self.internals.compiled if self.arrays is None else self._functions.gradient

    @property
    def program(self) -> Program | NestProgram:
        """The program that computes value and gradient: of a loss with indices, loop nests."""
        return self.internals.program if self.arrays is None else self._functions.program

    @cached_property
    def exact(self) -> ExactValues:
        """Value, gradient and Hessian rounded once: what the formula is at these very doubles."""
        return ExactValues(self.internals, self._numbers)

    def _numbers(self, theta: Point) -> list[float]:
        """A point as numbers in the order of the parameters, arrays row-major."""
        if self.arrays is not None:
            return self.arrays.flat(theta).tolist()  # type: ignore[no-any-return]
        return read_point(self.params, theta)
