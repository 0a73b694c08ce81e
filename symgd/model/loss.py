"""Loss: a formula with parameters, its exact derivatives, and their values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import sympy

from symgd import names
from symgd.backends import lambdified
from symgd.backends.compiler import compile_program
from symgd.backends.program import Program
from symgd.calculus.gradient import gradient, hessian
from symgd.calculus.readable import tidy
from symgd.calculus.row_sums import lower
from symgd.calculus.stabilize import stabilize
from symgd.formula import sympy_bridge
from symgd.formula.graph import Graph
from symgd.formula.nodes import Name, Node
from symgd.formula.parse import DEFAULT_LIMITS
from symgd.formula.pickling import pack, unpack
from symgd.formula.printing.plain import show, write
from symgd.formula.tokens import Limits
from symgd.model.data_binding import RowData
from symgd.model.points import Point, read_point
from symgd.model.present import Notebook
from symgd.model.read_loss import read_source

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from symgd.data import Table
    from symgd.model.exact_values import ExactValues


class Loss(Notebook):
    """A scalar loss of named real parameters.

    source: a formula (text), a SymPy expression, or a Python function of its parameters, which
    is called once with SymPy symbols. data: what `symgd.data.read_table` reads, or a Table; then
    the formula may hold sum(...) and mean(...) over its rows, and names of its columns are these.
    constants: names that stand for these numbers. params: names that are parameters even though
    the formula language has them as constants (e, pi). drop_missing: skip rows with missing cells.

    >>> loss = Loss("(1 - x)**2 + 100*(y - x**2)**2")
    >>> loss.params
    ('x', 'y')
    >>> loss.value({"x": -1.2, "y": 1.0})
    24.199999999999992
    >>> loss.gradient["y"]
    -200*x**2 + 200*y
    >>> loss = Loss("mean((y - a*x)**2)", {"x": [1.0, 2.0], "y": [2.0, 5.0]})
    >>> loss.params, loss.columns, loss.value({"a": 2.0})
    (('a',), ('y', 'x'), 0.5)
    """

    #: (low, high) of the parameters, into which every step of a descent is projected
    box: tuple[Sequence[float], Sequence[float]] | None = None

    def __init__(
        self,
        source: str | sympy.Expr | Callable[..., Any],
        data: Any = None,
        *,
        constants: Mapping[str, float] | None = None,
        params: Iterable[str] = (),
        limits: Limits = DEFAULT_LIMITS,
        drop_missing: bool = False,
    ) -> None:
        self.graph = Graph()
        read = read_source(self.graph, source, data, constants, params, limits, drop_missing)
        self.rows: RowData | None = read.rows
        self.columns: tuple[str, ...] = read.columns
        self._by_rows = False
        self._given = read.given
        #: the formula as it was typed
        self.root: Node = read.root
        self._full: Node = stabilize(self.graph, [self.root])[0]
        if self.rows is not None:
            self._full = lower(self.graph, [self._full])[0]
        self.params: tuple[str, ...] = tuple(read.variables)
        self.leaves: tuple[Name, ...] = tuple(read.variables.values())
        self.text: str = read.text

    @classmethod
    def of(
        cls,
        graph: Graph,
        root: Node,
        leaves: Sequence[Name],
        columns: Sequence[str],
        rows: RowData,
        text: str,
    ) -> Loss:
        """A loss over rows whose nodes exist already, with these parameters in this order."""
        loss = cls.__new__(cls)
        loss.graph, loss.rows, loss.root = graph, rows, root
        loss._full = lower(graph, stabilize(graph, [root]))[0]
        loss._by_rows, loss._given = True, None
        loss.leaves, loss.params = tuple(leaves), tuple(leaf.text for leaf in leaves)
        loss.columns, loss.text = tuple(columns), text
        return loss

    @property
    def work(self) -> int:
        """The operations of one evaluation, those of every row counted."""
        rows = self.rows.table.rows if self.rows is not None and self.value_program.loops else 1
        return self.value_program.operations * rows

    @property
    def goes_by_rows(self) -> bool:
        """Whether it was made to go over the rows, as for batches (`by_rows`)."""
        return self._by_rows

    def by_rows(self) -> Loss:
        """The same loss without sufficient statistics: every value goes over the rows."""
        if self.rows is None:
            return self
        loss = Loss.of(self.graph, self.root, self.leaves, self.columns, self.rows, self.text)
        loss.box = self.box
        return loss

    def on(self, backend: str) -> Loss:
        """The same loss whose rows this backend runs over: auto, lambdify or native."""
        if self.rows is None or self.rows.backend == backend:
            return self
        compiled = ("evaluate", "evaluate_value", "_hess", "compiled")
        loss = Loss.__new__(Loss)
        loss.__dict__.update({k: v for k, v in self.__dict__.items() if k not in compiled})
        loss.rows = replace(self.rows, backend=backend)
        return loss

    def __repr__(self) -> str:
        return f"Loss({self.text!r})"

    def __getstate__(self) -> dict[str, Any]:
        if self.rows is not None and self._given is not None:
            return {"given": self._given, "data": dict(self.rows.table.columns)}
        return {
            "nodes": pack([self.root]),
            "leaves": tuple((leaf.name, leaf.text) for leaf in self.leaves),
            "params": self.params,
            "text": self.text,
            "rows": None if self.rows is None else (self.columns, self.rows.portable()),
        }

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        if "given" in state:
            text, constants, params = state["given"]
            Loss.__init__(self, text, state["data"], constants=constants, params=params)
            return
        self.graph = Graph()
        self.rows, self.columns, self._by_rows, self._given = None, (), False, None
        self.root = unpack(self.graph, *state["nodes"])[0]
        self._full = stabilize(self.graph, [self.root])[0]
        self.leaves = tuple(Name(*leaf) for leaf in state["leaves"])
        self.params, self.text = state["params"], state["text"]
        if state["rows"] is not None:  # a loss of nodes, as a fit makes it
            columns, rows = state["rows"]
            over = RowData.unpacked(self.graph, *rows)
            made = Loss.of(self.graph, self.root, self.leaves, columns, over, self.text)
            self.__dict__.update(made.__dict__)

    # -- for people -----------------------------------------------------------------------

    @cached_property
    def symbols(self) -> dict[str, sympy.Symbol]:
        """The SymPy symbol of each parameter, real, in the order of params."""
        return {name: sympy_bridge.symbol(name) for name in self.params}

    @cached_property
    def expr(self) -> sympy.Expr:
        """The loss as a SymPy expression over `symbols`."""
        by_leaf = dict(zip(self.leaves, self.symbols.values(), strict=True))
        return sympy_bridge.to_sympy(self.root, by_leaf)

    @cached_property
    def gradient(self) -> dict[str, sympy.Expr]:
        """The partial derivatives by parameter, by SymPy's own diff. For reading; `grad` runs."""
        return {name: sympy.diff(self.expr, s) for name, s in self.symbols.items()}

    @cached_property
    def hessian(self) -> sympy.ImmutableMatrix:
        """The (P, P) matrix of second derivatives, by SymPy's own diff."""
        rows = [[sympy.diff(g, s) for s in self.symbols.values()] for g in self.gradient.values()]
        return sympy.ImmutableMatrix(rows) if rows else sympy.ImmutableMatrix(0, 0, [])

    def read_as(self, pretty: bool = True) -> str:
        """The formula as symgd read it, in one line of mathematical notation."""
        args = ", ".join(show(p) if pretty else names.escape(p) for p in self.params)
        return f"L({args}) = {write(self.root, limit=2000, pretty=pretty)}"

    @property
    def table(self) -> Table | None:
        """The data: the columns that the formula reads."""
        return None if self.rows is None else self.rows.table

    def gradient_text(self, limit: int = 2000) -> dict[str, str]:
        """The partial derivatives by parameter, as formulas that can be typed again."""
        plain = self.by_rows() if self.reduced else self  # moments mean nothing to people
        written = [write(g, limit=limit) for g in self.tidy(plain.derivatives)]
        return dict(zip(self.params, written, strict=True))

    def tidy(self, nodes: Sequence[Node]) -> list[Node]:
        """The nodes as people like to read them."""
        return tidy(self.graph, nodes)

    # -- for machines ---------------------------------------------------------------------

    @cached_property
    def stable(self) -> Node:
        """The formula as it runs: the same value, stable, moments of the data for its rows."""
        if self.rows is None or self._by_rows:
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
        slopes = {f"d/d{p}": g for p, g in zip(self.params, self.derivatives, strict=True)}
        return self.program_of({"value": self.stable, **slopes})

    @cached_property
    def hessian_program(self) -> Program:
        """Parameters -> the upper triangle of the Hessian, row by row."""
        rows = self.second_derivatives
        entries = {f"{i},{j}": row[j] for i, row in enumerate(rows) for j in range(i, len(rows))}
        return self.program_of(entries)

    def program_of(self, outputs: Mapping[str, Node]) -> Program:
        """The program of these nodes of `graph`; its inputs: the parameters, what the data give."""
        if self.rows is None:
            return compile_program(self.graph, self.leaves, outputs)
        return self.rows.program(self.leaves, outputs)

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
    def _exact(self) -> ExactValues:
        from symgd.model.exact_values import ExactValues

        return ExactValues(self)

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
        import numpy as np

        from symgd.backends.dispatch import compiled

        def make() -> Callable[[Any], NDArray[np.float64]]:
            from symgd.backends.native.array_module import compile_large

            return compile_large(self.program).arrays()

        function = compiled(make) if self.rows is None else None
        if function is None:

            def function(x: Any) -> NDArray[np.float64]:
                return np.array(self.evaluate(*np.asarray(x, dtype=np.float64).tolist()))

        def call(x: Sequence[float]) -> tuple[float, NDArray[np.float64]]:
            out = function(x)
            return float(out[0]), out[1:]

        return call

    def value(self, theta: Point) -> float:
        """The loss at theta: a mapping name -> number, or numbers in the order of params.

        `value`, `grad` and `hess` return what the formula is at these very doubles, rounded once:
        right to the last digit also where its terms cancel (`symgd.model.exact_values`). Where the
        compiled formula is not finite, its inf or nan is returned; over data, and of formulas of
        more than 20,000 operations, every operation is rounded. They take hundreds of times as
        long as `value_and_grad`, `evaluate` and `compiled`: use those in loops.
        """
        return self._exact.value(self.point(theta))

    def grad(self, theta: Point) -> NDArray[np.float64]:
        """The gradient at theta: (P,) float64 in the order of params, each entry rounded once.

        Accuracy and cost: see `value`.
        """
        import numpy as np

        return np.array(self._exact.value_and_grad(self.point(theta))[1:], dtype=np.float64)

    def value_and_grad(self, theta: Point) -> tuple[float, NDArray[np.float64]]:
        """The loss and its gradient, (P,) float64, as the descent computes them. For optimizers."""
        import numpy as np

        value, *slopes = self.evaluate(*self.point(theta))
        return value, np.array(slopes, dtype=np.float64)

    def hess(self, theta: Point) -> NDArray[np.float64]:
        """The Hessian at theta: (P, P) float64, symmetric. Accuracy and cost: see `value`."""
        import numpy as np

        count = len(self.params)
        rows = self._symmetric(self._exact.hess(self.point(theta)))
        return np.array(rows, dtype=np.float64).reshape(count, count)

    def hess_rows(self, x: Sequence[float]) -> list[list[float]]:
        """The Hessian as lists, every operation rounded. For engines."""
        return self._symmetric(self.evaluate_hess(*x))

    def _symmetric(self, triangle: Sequence[float]) -> list[list[float]]:
        """The rows of a symmetric matrix from its upper triangle, row by row."""
        count = len(self.params)
        entries = iter(triangle)
        rows = [[0.0] * count for _ in range(count)]
        for i in range(count):
            for j in range(i, count):
                rows[i][j] = rows[j][i] = next(entries)
        return rows

    def point(self, theta: Point) -> list[float]:
        """theta as floats in the order of params, or ArgumentError."""
        return read_point(self.params, theta)
