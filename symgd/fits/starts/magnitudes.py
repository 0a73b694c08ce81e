"""Draws of parameters at the magnitudes that the structure of a formula suggests.

The terms of a sum are of one size; the argument of exp or sin is about 1; what is subtracted from a
column is a place within it, and the difference is then between the gap of two rows and the range.
In logarithms these are linear equations, solved for one parameter after another with random spread.
So the draws follow every shift and every change of units of the columns.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import sympy

from symgd._numpy import NDArray, np
from symgd.fits.per_row_function import PerRowFunction
from symgd.fits.starts.inverse_term import inverse
from symgd.formula.functions.table import BY_CLASS
from symgd.formula.nodes import (
    Column,
    Name,
    Node,
    Where,
    float_of,
    is_condition,
    leading_number,
    relation,
    topological,
)
from symgd.model.data_binding import RowData, columns_below
from symgd.solvers.objectives import Box, Matrix, Vector

_SUMS = {"max", "min", "hypot", "clip", "fmod", "mod"}  # their arguments are of one size
_DECADE = math.log(10.0)


@dataclass(frozen=True)
class LogSize:
    """A logarithm of a magnitude: log, (draws,), plus the sum of power*log|parameter|."""

    log: Vector
    powers: dict[Name, float] = field(default_factory=dict)

    def __add__(self, other: LogSize) -> LogSize:
        powers = dict(self.powers)
        for name, power in other.powers.items():
            powers[name] = powers.get(name, 0.0) + power
        return LogSize(self.log + other.log, {n: p for n, p in powers.items() if p})

    def times(self, factor: float) -> LogSize:
        return LogSize(factor * self.log, {n: factor * p for n, p in self.powers.items()})


class Magnitudes:
    """`count` draws of the parameters `leaves` of nodes of one row.

    weights: how likely a row is as the place of a draw, (N,), in all columns at once. values: those
    of nodes of columns only, by id, which draws of the same rows share.
    """

    def __init__(
        self,
        rows: RowData,
        leaves: Sequence[Name],
        count: int,
        generator: np.random.Generator,
        weights: Vector,
        values: dict[int, Vector],
    ) -> None:
        self.rows, self.leaves, self.weights = rows, set(leaves), weights / weights.sum()
        self.count, self.generator = count, generator
        self._chosen_rows: list[NDArray[np.intp]] = []
        self._places_in: Counter[frozenset[Node]] = Counter()
        self.equations: list[LogSize] = []
        self.places: dict[Name, Vector] = {}
        self.positive: set[Name] = set()  # those of which a logarithm is taken
        self.switches: dict[Name, Vector] = {}  # where a difference from a column changes sign
        self._sizes: dict[int, LogSize] = {}
        self._values = values
        self._names: dict[int, set[Name]] = {}

    def read(self, root: Node, size: float | None = None) -> None:
        """Collect the equations of a formula, of this magnitude where it is known."""
        found = self.size(root)
        if size:
            self.equations.append(found + LogSize(np.full(self.count, -math.log(size))))

    # -- values of columns ----------------------------------------------------------------

    def names(self, node: Node) -> set[Name]:
        """The names in a node that the data do not give: parameters, and sums that hold some."""
        if id(node) not in self._names:
            leaves = (n for n in topological([node]) if isinstance(n, Name))
            known = self.rows.values
            found = {n for n in leaves if not isinstance(n, Column) and n not in known}
            self._names[id(node)] = found
        return self._names[id(node)]

    def values(self, node: Node) -> Vector:
        """The values of a node without parameters in every row: (N,)."""
        if id(node) not in self._values:
            if isinstance(node, Column):
                found = np.asarray(self.rows.table.columns[node.text], dtype=np.float64)
            else:
                (found,) = PerRowFunction(self.rows, [], [node]).all_rows([])
            self._values[id(node)] = found
        return self._values[id(node)]

    def _spread(self, values: Vector) -> Vector:
        """Logarithms between the typical gap and the range of the values."""
        places = np.unique(values[np.isfinite(values)])
        if len(places) < 2:
            return np.zeros(self.count)
        least = max(float(np.median(np.diff(places))), 1e-3 * float(np.ptp(places)))
        low, high = math.log(least), math.log(float(np.ptp(places)))
        return self.generator.uniform(low, high, self.count)

    def _magnitude(self, values: Vector) -> Vector:
        """Logarithms of the magnitudes of values in random rows."""
        known = np.abs(values[np.isfinite(values) & (values != 0)])
        if not len(known):
            return np.zeros(self.count)
        return np.log(self.generator.choice(known, self.count))

    # -- sizes of nodes -------------------------------------------------------------------

    def size(self, node: Node) -> LogSize:
        """The magnitude of a node; the equations below it are collected."""
        if id(node) not in self._sizes:
            self._sizes[id(node)] = self._size(node)
        return self._sizes[id(node)]

    def _size(self, node: Node) -> LogSize:
        one = LogSize(np.zeros(self.count))
        value = float_of(node)
        if value is not None:
            return LogSize(np.full(self.count, math.log(abs(value)) if value else 0.0))
        if isinstance(node, Column):
            column = self.values(node)
            mixed = self.generator.random(self.count) < 0.5
            return LogSize(np.where(mixed, self._spread(column), self._magnitude(column)))
        if isinstance(node, Name):
            if node in self.leaves:
                return LogSize(one.log, {node: 1.0})
            known = abs(self.rows.values.get(node, 1.0))
            return LogSize(np.full(self.count, math.log(known) if known else 0.0))
        if node.func is sympy.Mul:
            total = one
            for factor in node.args:
                total += self.size(factor)
            return total
        if node.func is sympy.Pow:
            return self._power(*node.args)
        name = getattr(BY_CLASS.get(node.func), "name", "")
        if node.func is sympy.Add or name in _SUMS:
            return self._sum(node.args)
        if relation(node) is not None:
            return self._sum((node.args[0], sympy.Mul(-1, node.args[1], evaluate=False)))
        if node.func is Where:
            self.size(node.args[0])
            return self._sum(node.args[1:])
        if name in ("abs", "relu"):
            return self.size(node.args[0])
        for arg in node.args:
            if name.startswith("log") or name == "gamma":
                self.positive |= {arg} & self.leaves
            found = self.size(arg)
            # log(s) and log(a + b) say nothing of a size, but log(x/c) says that c is like x
            if not ((name.startswith("log") and arg.func is not sympy.Mul) or is_condition(node)):
                self.equations.append(found)
        return one

    def _power(self, base: Node, exponent: Node) -> LogSize:
        power, size = float_of(exponent), self.size(base)
        if power is not None:
            return size.times(power)
        self.equations.append(self.size(exponent))
        if not self.names(base):
            return size
        self.equations.append(size)
        return LogSize(np.zeros(self.count))

    def _sum(self, terms: Sequence[Node]) -> LogSize:
        known = [t for t in terms if not self.names(t)]
        others = [t for t in terms if self.names(t)]
        columns = [t for t in known if float_of(t) is None]
        if columns and others:
            values = np.sum([np.broadcast_to(self.values(t), self._length) for t in known], axis=0)
            signs = {(leading_number(t) or 1.0) > 0 for t in columns}
            for term in others:
                opposite = ((leading_number(term) or 1.0) > 0) not in signs
                if (place := self._place(term, -values, opposite, columns)) is not None:
                    self.places.setdefault(*place)
                    others.remove(term)
                    reference = LogSize(self._spread(values))
                    break
            else:
                reference = LogSize(self._magnitude(values))
        elif known:
            reference = self.size(known[0])
        else:
            reference = min((self.size(t) for t in terms), key=lambda s: len(s.powers))
        self.equations += [self.size(t) + reference.times(-1) for t in others]
        return reference

    @property
    def _length(self) -> int:
        return len(next(iter(self.rows.table.columns.values())))

    def _rows_of(self, terms: Sequence[Node]) -> NDArray[np.intp]:
        """(count,): rows for the next place in these columns, one and the same in all columns.

        Half are where the response stands out, half are anywhere.
        """
        key = frozenset(columns_below(terms))
        if self._places_in[key] == len(self._chosen_rows):
            total = len(self.weights)
            rows = self.generator.choice(total, self.count, p=self.weights)
            anywhere = self.generator.random(self.count) < 0.5
            rows[anywhere] = self.generator.integers(0, total, int(anywhere.sum()))
            self._chosen_rows.append(rows)
        self._places_in[key] += 1
        return self._chosen_rows[self._places_in[key] - 1]

    def _place(
        self, term: Node, values: Vector, opposite: bool, columns: Sequence[Node]
    ) -> tuple[Name, Vector] | None:
        """The parameter of a term, where it has one, such that the term is a value of a row.

        opposite: whether the term is subtracted from a column, as a place is; K in K + x is rather
        as large as x. Anywhere between two rows, and sometimes beyond the last.
        """
        solved = inverse(term) if len(self.names(term)) == 1 else None
        if solved is None or solved[0] not in self.leaves:
            return None
        finite = np.where(np.isfinite(values), values, np.nanmedian(values))
        places = np.unique(finite)
        gap = float(np.median(np.diff(places))) if len(places) > 1 else 0.0
        found = finite[self._rows_of(columns)] + self.generator.uniform(-0.5, 0.5, self.count) * gap
        beyond = self.generator.random(self.count) < 0.1
        low, width = float(finite.min()), float(np.ptp(finite))
        found = np.where(beyond, low + self.generator.uniform(-0.5, 1.5, self.count) * width, found)
        name, function = solved
        with np.errstate(all="ignore"):
            found, switches = function(found), function(places)
        if name in self.switches:
            switches = np.union1d(self.switches[name], switches)
        self.switches[name] = switches
        found = np.where(np.isfinite(found), found, np.nan)
        by_size = self.generator.random(self.count) < (0.1 if opposite else 0.8)
        if float_of(term) is None and term is not name and self.size(term).powers != {name: 1.0}:
            by_size[:] = False  # log(c) is a place of log(x), and says nothing of the size of c
        return name, np.where(by_size, np.nan, found)

    # -- draws ----------------------------------------------------------------------------

    def draw(self, wanted: Sequence[Name], solved: Collection[Name], box: Box) -> Matrix:
        """(count, len(wanted)): values of parameters in a box.

        solved: parameters that are solved for, or known, of which equations say nothing here.
        """
        missing = np.full(self.count, np.nan)
        found = {name: self.places.get(name, missing).copy() for name in wanted}
        usable = [e for e in self.equations if not any(n in solved for n in e.powers)]
        left = [e for e in usable if e.powers]
        while left:
            counts = [sum(bool(np.isnan(found[n]).any()) for n in e.powers) for e in left]
            equation = left.pop(counts.index(min(counts)))
            open_names = [n for n in equation.powers if np.isnan(found[n]).any()]
            for name in open_names[1:]:
                self._fill(found, name, np.zeros(self.count), _DECADE)
            if open_names:
                rest = equation.log.copy()
                for name, power in equation.powers.items():
                    if name is not open_names[0]:
                        rest += power * np.log(np.abs(found[name]) + 1e-300)
                self._fill(found, open_names[0], -rest / equation.powers[open_names[0]], 0.7)
        for name in wanted:
            self._fill(found, name, np.zeros(self.count), _DECADE)
        drawn = np.stack([found[n] for n in wanted], axis=1)
        if len(wanted) <= 2:  # few enough that plain decades are worth some of the draws
            plain = self.generator.random(self.count) < 0.15
            signs = self.generator.choice([1.0, 1.0, -1.0], drawn.shape)
            signs[:, [n in self.positive for n in wanted]] = 1.0
            decades = signs * 10.0 ** self.generator.uniform(-5, 5, drawn.shape)
            drawn = np.where(plain[:, None], decades, drawn)
        return self._inside(drawn, box)

    def _fill(self, found: dict[Name, Vector], name: Name, log: Vector, spread: float) -> None:
        """Values of about this size where a parameter has none yet."""
        wide = np.where(self.generator.random(self.count) < 0.2, 3.0, 1.0)
        noise = self.generator.normal(0.0, spread, self.count) * wide
        signs = self.generator.choice([1.0, 1.0, 1.0, -1.0], self.count)
        signs = np.abs(signs) if name in self.positive else signs
        values = signs * np.exp(np.clip(log + noise, -600, 600))
        found[name] = np.where(np.isnan(found[name]), values, found[name])

    def _inside(self, drawn: Matrix, box: Box) -> Matrix:
        """The draws within the box: mirrored at one bound, anywhere between two."""
        with np.errstate(invalid="ignore"):
            drawn = np.where(drawn < box.low, 2 * box.low - drawn, drawn)
            drawn = np.where(drawn > box.high, 2 * box.high - drawn, drawn)
            outside = ~((drawn >= box.low) & (drawn <= box.high))
            between = box.low + self.generator.random(drawn.shape) * (box.high - box.low)
        both = np.isfinite(box.low) & np.isfinite(box.high)
        return box.clip(np.where(outside & both, between, drawn))
