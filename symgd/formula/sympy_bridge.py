"""Convert nodes of the shared graph to ordinary SymPy expressions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sympy
from sympy.core.relational import Relational

from symgd.formula.functions.table import BY_CLASS
from symgd.formula.indices import (
    INDEX_REDUCTIONS,
    Affine,
    Array,
    At,
    ColumnVector,
    Count,
    DataArray,
    Index,
    Largest,
    Peak,
    Size,
    Total,
)
from symgd.formula.nodes import (
    ROWS,
    Column,
    Conjunction,
    Disjunction,
    Name,
    Negation,
    Node,
    Op,
    RowMean,
    RowSum,
    Where,
    topological,
)
from symgd.formula.parse import substituted
from symgd.formula.printing.index_names import index_names

_LOGIC = {Conjunction: sympy.And, Disjunction: sympy.Or, Negation: sympy.Not}
_ROW = sympy.Symbol("i", integer=True)  # y[i] is the value of column y in row i
_COUNT = sympy.Symbol("n", integer=True, positive=True)  # the number of rows


def symbol(name: str) -> sympy.Symbol:
    """The SymPy symbol shown for a name: real, and a valid identifier."""
    safe = name if name.isidentifier() else "_" + "".join(c if c.isalnum() else "_" for c in name)
    return sympy.Symbol(safe, real=True)


def to_sympy(
    roots: Sequence[Node],
    symbols: Mapping[Name, sympy.Symbol],
    sizes: Mapping[Name, int] | None = None,
    first: Sequence[Index] = (),
) -> list[sympy.Expr]:
    """The expressions as SymPy builds them, with its automatic simplification.

    sizes: the lengths of arrays that have no name. first: indices that keep their names.
    """
    done: dict[int, Any] = {}
    order = topological(roots)
    indexed = any(isinstance(n, _OF_INDICES) for n in order)
    bound = _Bound.of(roots, sizes or {}, first) if indexed else _NO_INDICES
    for node in order:
        done[id(node)] = _sympify(node, [done[id(a)] for a in node.args], symbols, bound)
    return [done[id(root)] for root in roots]


@dataclass(frozen=True)
class _Bound:
    """The symbols of indices, of the row of the data, and of the number of rows."""

    indices: Mapping[Index, sympy.Symbol] = field(default_factory=dict)
    row: sympy.Symbol = _ROW
    rows: sympy.Symbol = _COUNT
    sizes: Mapping[Name, int] = field(default_factory=dict)
    first: frozenset[Index] = frozenset()

    @classmethod
    def of(cls, roots: Sequence[Node], sizes: Mapping[Name, int], first: Sequence[Index]) -> _Bound:
        names = index_names(roots, first)
        taken = {*names.values(), *(n.text for n in topological(roots) if isinstance(n, Size))}
        taken |= {s.text for i in names for b in (i.low, i.high) for s, _ in b.terms}
        row = next(c for c in ("i", "r", "row", "r_0") if c not in taken)
        rows = next(c for c in ("n", "N", "rows", "n_0") if c not in taken)
        return cls(
            {i: sympy.Symbol(name, integer=True) for i, name in names.items()},
            sympy.Symbol(row, integer=True),
            sympy.Symbol(rows, integer=True, positive=True),
            sizes,
            frozenset(first),
        )

    def size(self, size: Name) -> sympy.Symbol:
        """The symbol of a size, of the length of an array, or of the number of rows."""
        if size is ROWS:
            return self.rows
        if size.text.startswith("#"):
            return sympy.Integer(self.sizes[size])
        return sympy.Symbol(size.text, integer=True, positive=True)

    def holds(self, condition: Node) -> bool:
        """Whether an index that a reduction binds is in a condition."""
        found = (n for n in topological([condition]) if isinstance(n, Index))
        return any(index not in self.first for index in found)

    def end(self, form: Affine) -> sympy.Expr:
        """The end of a range."""
        return sympy.Add(form.constant, *(k * self.size(s) for s, k in form.terms))

    def range(self, index: Index) -> tuple[sympy.Symbol, sympy.Expr, sympy.Expr]:
        """(i, 1, n)."""
        return self.indices[index], self.end(index.low), self.end(index.high)

    def reduced(self, node: Node, args: list[Any]) -> Any:
        """The reduction of a term over an index."""
        _, term = args
        if node.func is Peak:  # the value does not depend on this shift
            return sympy.S.Zero
        if node.func is Largest:  # SymPy has no maximum over an index
            return sympy.Function("Max", real=True)(term, sympy.Tuple(*self.range(node.args[0])))
        cls = sympy.Sum if node.func is Total else sympy.Product
        return cls(term, self.range(node.args[0]))

    def leaf(self, node: Name) -> Any:
        """An index, a size, the number of values of an index, or an array."""
        if isinstance(node, Index):
            return self.indices[node]
        if isinstance(node, Count):
            return self.end(node.index.high - node.index.low + 1)
        if isinstance(node, Size):
            return self.size(node)
        return sympy.IndexedBase(symbol(node.text))


_NO_INDICES = _Bound()
_OF_INDICES = (Index, Size, Count, Array, DataArray, ColumnVector)


def _sympify(
    node: Node, args: list[Any], symbols: Mapping[Name, sympy.Symbol], bound: _Bound
) -> Any:
    if isinstance(node, Column):
        return sympy.IndexedBase(symbol(node.text))[bound.row]
    if isinstance(node, _OF_INDICES):
        return bound.leaf(node)
    if node.func is At:
        array, *subscripts = args
        in_row = [bound.row] if isinstance(node.args[0], ColumnVector) else []
        return array[(*in_row, *subscripts)]
    if node.func in INDEX_REDUCTIONS:
        return bound.reduced(node, args)
    if isinstance(node, Name):
        return symbols[node]
    if not args:
        return _all_digits(node) if isinstance(node, sympy.Float) else node
    cls = node.func
    if cls is RowSum or cls is RowMean:
        total = sympy.Sum(args[0], (bound.row, 1, bound.rows))
        return total / bound.rows if cls is RowMean else total
    if cls in _LOGIC:
        return _LOGIC[cls](*args)
    if cls is Where:
        condition, a, b = args
        if bound.holds(node.args[0]):
            share = _indicator(condition)
            return share * a + (1 - share) * b
        return sympy.Piecewise((a, condition), (b, True))
    plain = cls in (sympy.Add, sympy.Mul, sympy.Pow)
    if not plain and not {sympy.nan, sympy.zoo}.isdisjoint(args):  # SymPy cannot order them
        differs = sympy.true if cls is sympy.Ne else sympy.false
        return differs if issubclass(cls, Relational) else sympy.nan
    if cls is sympy.Pow and args[1] == sympy.Float(0.5):
        return sympy.sqrt(args[0])
    row = BY_CLASS.get(cls)
    if row is not None and row.sympy_form is not None:
        return row.sympy_form(*args)
    if row is not None and row.readable_form:
        return _formula(row.readable_form, dict(zip("xyzw", args, strict=False)))
    return cls(*args)


def _indicator(condition: Any) -> sympy.Expr:
    """1 where a condition holds, else 0; SymPy moves a Piecewise out of the sum that binds it."""
    if condition in (True, False):
        return sympy.Integer(int(bool(condition)))
    if isinstance(condition, (sympy.And, sympy.Or)):
        parts = [_indicator(part) for part in condition.args]
        if isinstance(condition, sympy.And):
            return sympy.Mul(*parts)
        return 1 - sympy.Mul(*(1 - part for part in parts))
    if isinstance(condition, sympy.Not):
        return 1 - _indicator(condition.args[0])
    gap = condition.lhs - condition.rhs
    if isinstance(condition, (sympy.Eq, sympy.Ne)):
        same = sympy.KroneckerDelta(condition.lhs, condition.rhs)
        return same if isinstance(condition, sympy.Eq) else 1 - same
    if isinstance(condition, (sympy.Lt, sympy.Le)):
        gap = -gap
    return sympy.Heaviside(gap, int(isinstance(condition, (sympy.Le, sympy.Ge))))


def _all_digits(atom: sympy.Float) -> sympy.Float:
    """The number with enough digits to round-trip its double; SymPy prints 15."""
    value = float(atom)
    return atom if float(f"{value:.15g}") == value else sympy.Float(repr(value), 17)


def partial_derivative(call: sympy.Expr, k: int) -> sympy.Expr:
    """The derivative of a function node in its k-th argument, in SymPy's terms."""
    row = BY_CLASS[call.func]
    if row.readable_derivative:
        return _formula(row.readable_derivative[0], {"x": call.args[k], "f": call})
    text = row.derivative_formula(k, len(call.args))
    args = (call.args[k],) if row.variadic else call.args
    return _formula(text, dict(zip("xyzw", args, strict=False)) | {"f": call, "a": sympy.S.One})


def definition(call: sympy.Expr) -> sympy.Expr:
    """The function node in elementary functions, which SymPy can evaluate to any precision."""
    row = BY_CLASS[call.func]
    if row.name == "logsumexp":
        return sympy.log(sympy.Add(*(sympy.exp(a) for a in call.args)))
    if row.sympy_form is not None:
        return row.sympy_form(*call.args)
    return _formula(row.meaning, dict(zip("xyzw", call.args, strict=False)))


def _formula(text: str, values: Mapping[str, sympy.Expr]) -> sympy.Expr:
    root, leaves = substituted(text, values)
    return to_sympy([root], leaves)[0]


Op.partial_derivative, Op.definition = staticmethod(partial_derivative), staticmethod(definition)
