"""Loss: a formula with parameters, its exact derivatives, and their values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import sympy

from symgd import names, people
from symgd.backends import lambdified
from symgd.errors import ArgumentError
from symgd.formula import DEFAULT_LIMITS, parse
from symgd.gradient import gradient, hessian
from symgd.graph import Graph, Name, Node, float_of
from symgd.portable import pack, unpack
from symgd.program import Program, compile_program
from symgd.reading import readable
from symgd.stable import stabilize
from symgd.text import show, write
from symgd.tokens import Limits

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from symgd.precise import Precise

Point = Mapping[str, float] | Sequence[float] | float


class Loss:
    """A scalar loss of named real parameters.

    source: a formula (text), a SymPy expression, or a Python function of its parameters, which
    is called once with SymPy symbols. constants: names that stand for these numbers. params:
    names that are parameters even though the formula language has them as constants (e, pi).

    >>> loss = Loss("(1 - x)**2 + 100*(y - x**2)**2")
    >>> loss.params
    ('x', 'y')
    >>> loss.value({"x": -1.2, "y": 1.0})
    24.199999999999992
    >>> loss.gradient["y"]
    -200*x**2 + 200*y
    """

    def __init__(
        self,
        source: str | sympy.Expr | Callable[..., Any],
        *,
        constants: Mapping[str, float] | None = None,
        params: Iterable[str] = (),
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self.graph = Graph()
        fixed = {names.canonical(k): _finite(k, v) for k, v in (constants or {}).items()}
        if isinstance(source, str):
            own = {*fixed, *map(names.canonical, params)}
            formula = parse(source, graph=self.graph, own=own, limits=limits)
            root, variables = formula.root, dict(formula.variables)
        elif isinstance(source, sympy.Basic):
            root, variables = people.from_sympy(source, self.graph)
        elif callable(source):
            root, variables = people.from_callable(source, self.graph)
        elif isinstance(source, (int, float)):
            root, variables = people.from_sympy(sympy.sympify(source), self.graph)
        else:
            kind = type(source).__name__
            raise ArgumentError(f"a loss is a text, a SymPy expression or a function, not {kind}")
        unknown = [name for name in fixed if name not in variables]
        if unknown:
            known = names.escape(", ".join(variables)) or "no names"
            hint = names.suggest(unknown[0], variables) or f"it has {known}"
            raise ArgumentError(f"the loss has no constant '{names.escape(unknown[0])}'; {hint}")
        values = {variables.pop(name): self.graph.number(v) for name, v in fixed.items()}
        typed = self.graph.replace([root], values)[0] if values else root
        ordered = sorted(variables, key=names.natural)
        #: the formula as it was typed, and as it runs: the same value, stable
        self.root: Node = typed
        self.stable: Node = stabilize(self.graph, [typed])[0]
        self.leaves: tuple[Name, ...] = tuple(variables[name] for name in ordered)
        self.params: tuple[str, ...] = tuple(ordered)
        self.columns: tuple[str, ...] = ()
        self.text: str = source.strip() if isinstance(source, str) else write(root)

    def __repr__(self) -> str:
        return f"Loss({self.text!r})"

    def __getstate__(self) -> dict[str, Any]:
        names_ = tuple((leaf.name, leaf.text) for leaf in self.leaves)
        return {
            "nodes": pack([self.root]),
            "leaves": names_,
            "params": self.params,
            "text": self.text,
        }

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.graph = Graph()
        self.root = unpack(self.graph, *state["nodes"])[0]
        self.stable = stabilize(self.graph, [self.root])[0]
        self.leaves = tuple(Name(*leaf) for leaf in state["leaves"])
        self.params, self.columns, self.text = state["params"], (), state["text"]

    # -- for people -----------------------------------------------------------------------

    @cached_property
    def symbols(self) -> dict[str, sympy.Symbol]:
        """The SymPy symbol of each parameter, real, in the order of params."""
        return {name: people.symbol(name) for name in self.params}

    @cached_property
    def expr(self) -> sympy.Expr:
        """The loss as a SymPy expression over `symbols`."""
        by_leaf = dict(zip(self.leaves, self.symbols.values(), strict=True))
        return people.to_sympy(self.root, by_leaf)

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

    def gradient_text(self, limit: int = 2000) -> dict[str, str]:
        """The partial derivatives by parameter, as formulas that can be typed again."""
        tidy = self.graph.rebuild(readable(self.graph, self.derivatives), self._tidy)
        return {p: write(g, limit=limit) for p, g in zip(self.params, tidy, strict=True)}

    def _tidy(self, node: Node, args: tuple[Node, ...]) -> Node:
        """Products opened, numbers and bare names first: -400*x*(y - x**2)."""
        if node.func is not sympy.Mul:
            return self.graph.simplified(node, args)
        factors = [f for a in args for f in (a.args if a.func is sympy.Mul else (a,))]
        numbers = [f for f in factors if float_of(f) is not None]
        names_ = [f for f in factors if isinstance(f, Name)]
        rest = [f for f in factors if float_of(f) is None and not isinstance(f, Name)]
        return self.graph.mul(*numbers, *names_, *rest)

    # -- for machines ---------------------------------------------------------------------

    @cached_property
    def derivatives(self) -> list[Node]:
        """The gradient as nodes of `graph`, in the order of params."""
        return gradient(self.graph, self.stable, self.atoms)

    @property
    def atoms(self) -> list[Node]:
        """The parameters as nodes of `graph`."""
        return [self.graph.atom(leaf) for leaf in self.leaves]

    @cached_property
    def value_program(self) -> Program:
        """Parameters -> value."""
        return compile_program(self.graph, self.leaves, {"value": self.stable})

    @cached_property
    def program(self) -> Program:
        """Parameters -> value and gradient, from the shared graph."""
        slopes = {f"d/d{p}": g for p, g in zip(self.params, self.derivatives, strict=True)}
        return compile_program(self.graph, self.leaves, {"value": self.stable, **slopes})

    @cached_property
    def hessian_program(self) -> Program:
        """Parameters -> the upper triangle of the Hessian, row by row."""
        rows = hessian(self.graph, self.stable, self.atoms)
        entries = {f"{i},{j}": row[j] for i, row in enumerate(rows) for j in range(i, len(rows))}
        return compile_program(self.graph, self.leaves, entries)

    @cached_property
    def evaluate_value(self) -> Callable[..., list[float]]:
        """(p0, p1, ...) -> [value], inf and nan included. For engines."""
        return _total(self.value_program)

    @cached_property
    def evaluate(self) -> Callable[..., list[float]]:
        """(p0, p1, ...) -> [value, gradient...], inf and nan included. For engines."""
        return _total(self.program)

    def _precise(self, derive: Callable[[Graph, Node, list[Node]], list[Node]]) -> Precise:
        """What `derive` makes of the formula as typed, its constants and derivatives unrounded."""
        from symgd.exact_graph import ExactGraph
        from symgd.precise import Precise

        graph = ExactGraph()
        root = graph.replace([self.root], {})[0]
        atoms = [graph.atom(leaf) for leaf in self.leaves]
        return Precise(graph, self.leaves, derive(graph, root, atoms))

    @cached_property
    def _precise_value(self) -> Precise:
        return self._precise(lambda graph, root, atoms: [root])

    @cached_property
    def _precise_grad(self) -> Precise:
        return self._precise(lambda graph, root, atoms: [root, *gradient(graph, root, atoms)])

    @cached_property
    def _precise_hess(self) -> Precise:
        return self._precise(
            lambda graph, root, atoms: [
                entry for i, row in enumerate(hessian(graph, root, atoms)) for entry in row[i:]
            ]
        )

    @cached_property
    def _hess(self) -> Callable[..., list[float]]:
        return _total(self.hessian_program)

    @cached_property
    def compiled(self) -> Callable[[Sequence[float]], tuple[float, NDArray[np.float64]]]:
        """x -> (value, gradient), by machine code where there is some; for large losses.

        x: (P,) numbers in the order of params; the gradient is (P,) float64. Compiled on first
        use, in a time linear in the size of the formula.
        """
        import numpy as np

        from symgd.choice import compiled

        def make() -> Callable[..., list[float]]:
            from symgd.backends.native.large import compile_large

            return compile_large(self.program).evaluate

        function = compiled(make) or (lambda x: self.evaluate(*x))

        def call(x: Sequence[float]) -> tuple[float, NDArray[np.float64]]:
            value, *slopes = function(x)
            return value, np.array(slopes)

        return call

    def value(self, theta: Point) -> float:
        """The loss at theta: a mapping name -> number, or numbers in the order of params.

        This and `grad`, `value_and_grad` and `hess` return what the formula is at these very
        doubles, rounded once: right to the last digit also where its terms cancel
        (`symgd.precise`). Where the compiled formula is not finite, its inf or nan is returned.
        They take hundreds of times as long as `evaluate` and `compiled`, which round every
        operation, as the descent does: use those in loops.
        """
        x = self.point(theta)
        return self._precise_value(x, self.evaluate_value(*x))[0]

    def grad(self, theta: Point) -> NDArray[np.float64]:
        """The gradient at theta: (P,) float64 in the order of params, each entry rounded once.

        Accuracy and cost: see `value`.
        """
        return self.value_and_grad(theta)[1]

    def value_and_grad(self, theta: Point) -> tuple[float, NDArray[np.float64]]:
        """The loss and its gradient, (P,) float64. Accuracy and cost: see `value`."""
        import numpy as np

        x = self.point(theta)
        value, *slopes = self._precise_grad(x, self.evaluate(*x))
        return value, np.array(slopes, dtype=np.float64)

    def hess(self, theta: Point) -> NDArray[np.float64]:
        """The Hessian at theta: (P, P) float64, symmetric. Accuracy and cost: see `value`."""
        import numpy as np

        count = len(self.params)
        x = self.point(theta)
        rows = self._symmetric(self._precise_hess(x, self._hess(*x)))
        return np.array(rows, dtype=np.float64).reshape(count, count)

    def hess_rows(self, x: Sequence[float]) -> list[list[float]]:
        """The Hessian as lists, every operation rounded. For engines."""
        return self._symmetric(self._hess(*x))

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
        if isinstance(theta, Mapping):
            given = {names.canonical(str(k)): v for k, v in theta.items()}
            self._check_names(given)
            return [_number(p, given[p]) for p in self.params]
        try:
            values = [theta] if isinstance(theta, (int, float)) else list(theta)
        except TypeError:
            raise ArgumentError(
                f"{theta!r} is not a point: give one number per parameter"
            ) from None
        if len(values) != len(self.params):
            listed = names.escape(", ".join(self.params)) or "none"
            raise ArgumentError(
                f"{len(values)} numbers for {len(self.params)} parameters ({listed})"
            )
        return [_number(p, v) for p, v in zip(self.params, values, strict=True)]

    def _check_names(self, given: Mapping[str, object]) -> None:
        listed = names.escape(", ".join(self.params)) or "none"
        for name in given:
            if name not in self.params:
                hint = names.suggest(name, self.params) or f"it has {listed}"
                raise ArgumentError(f"the loss has no parameter '{names.escape(name)}'; {hint}")
        missing = [p for p in self.params if p not in given]
        if missing:
            raise ArgumentError(f"there is no value for parameter '{names.escape(missing[0])}'")


def _total(program: Program) -> Callable[..., list[float]]:
    """The program as a function that returns inf and nan where Python's arithmetic raises."""
    fast = lambdified.compile_scalar(program)

    def call(*x: float) -> list[float]:
        try:
            return fast(*x)
        except lambdified.ARITHMETIC_ERRORS:
            return lambdified.evaluate(program, x)

    return call


def _number(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        shown = names.escape(name)
        raise ArgumentError(f"the value of '{shown}' is {value!r}, which is not a number") from None


def _finite(name: str, value: Any) -> float:
    number = _number(name, value)
    if number - number != 0:
        raise ArgumentError(f"the constant '{names.escape(name)}' is {number}, not a finite number")
    return number
