"""Rows -> what least squares needs of them: a triangle R, a vector and the sum of squares.

For residuals r and Jacobian J over any number of rows, the QR factorization of [J r] holds all
that a step needs: min |J p + r| = min |R p + z|, and what is left over. Rows are taken block by
block, each factorized under the triangle of those before it (A. Bjorck, 2024, Numerical Methods
for Least Squares Problems, 2nd ed., SIAM, section 2.3.6), so that no condition number is squared
and no more than a block is in memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from functools import cache
from typing import TYPE_CHECKING, Any

from symgd._cached import cached_property
from symgd.backends.compiler import compile_per_row
from symgd.backends.lambdified import compile_array
from symgd.backends.numpy_rows import BLOCK, pieces, total
from symgd.backends.program import Program
from symgd.fits.nested_sums import Inner
from symgd.fits.streaming_sums import Sums
from symgd.formula.nodes import Column, Name, Node, topological
from symgd.model.data_binding import RowData
from symgd.solvers.objectives import Linear

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vector = NDArray[np.float64]
    Matrix = NDArray[np.float64]

_MANY = 20_000  # rows from which J'J is tried first: it takes a fraction of the time
_WIDEST = 30  # parameters of a J'J that is summed entry by entry
_GRAM_CONDITION = 1e4  # of J with columns of length 1, up to which J'J keeps the digits


class RowFunction:
    """Nodes of one row as a function of the parameters and a block of columns."""

    def __init__(self, rows: RowData, leaves: Sequence[Name], outputs: Sequence[Node]) -> None:
        order = topological(outputs)
        columns = [n for n in order if isinstance(n, Column)]
        self._given = rows.inputs(outputs)
        named = {str(k): node for k, node in enumerate(outputs)}
        self._code = _Code(compile_per_row([*columns, *leaves, *self._given], named))
        self.columns = [c.text for c in columns]
        self.rows = rows

    def on(self, rows: RowData) -> RowFunction:
        """The same function, compiled once, over other rows of the same columns."""
        other = copy(self)
        other.rows = rows
        return other

    def blocks(self, theta: Sequence[float], most: int = BLOCK) -> Iterator[tuple[int, list[Any]]]:
        """(rows, values by output) for each block of rows; a value may be one number for all."""
        for count, arrays in _blocks(self.rows, self.columns, most):
            yield count, self.at(arrays, theta)

    def extended(self, theta: Sequence[float]) -> Iterator[list[Any]]:
        """The values block by block in the longest floats of the platform (80 bits on x86)."""
        import numpy as np

        longer = [np.longdouble(v) for v in theta]
        for count, arrays in _blocks(self.rows, self.columns):
            with np.errstate(all="ignore"):
                wide = [a.astype(np.longdouble) for a in arrays]
                given = map(np.longdouble, self._numbers())
                values = self._code.function(*wide, *longer, *given)
                yield [np.broadcast_to(v, count) for v in values]

    def at(self, arrays: Sequence[Any], theta: Sequence[float]) -> list[Any]:
        """The values at these columns, in IEEE semantics."""
        import numpy as np

        with np.errstate(all="ignore"):
            return self._code.function(*arrays, *np.asarray(theta), *self._numbers())

    def _numbers(self) -> list[float]:
        return [self.rows.values[name] for name in self._given]


class _Code:
    """A program of one row, compiled when it is first called: of a long table it never is."""

    def __init__(self, program: Program) -> None:
        self._program = program

    @cached_property
    def function(self) -> Callable[..., list[Any]]:
        return compile_array(self._program)


def _blocks(
    rows: RowData, columns: Sequence[str], most: int = BLOCK
) -> Iterator[tuple[int, list[Any]]]:
    wanted = list(columns) or list(rows.table.names[:1])
    for arrays in pieces(rows.table, wanted, most):
        yield len(arrays[0]), arrays if columns else []


class Residuals:
    """The residuals of a model over its rows, their sum of squares and their Jacobian."""

    def __init__(
        self,
        rows: RowData,
        leaves: Sequence[Name],
        residual: Node,
        slopes: Sequence[Node],
        inner: Inner | None = None,
    ) -> None:
        self.inner = inner
        leaves = [*leaves, *(() if inner is None else inner.inputs)]
        self.both = RowFunction(rows, leaves, [*slopes, residual])
        self.count = len(slopes)
        self.size = rows.table.rows
        #: sums over rows in one program each, which a fast backend may run
        self._sums = Sums(rows, leaves, residual, slopes)
        self._value = RowFunction(rows, leaves, [residual])
        self._about = self.size.bit_length()
        self._summed = self.size >= _MANY

    def on(self, rows: RowData, like: bool = False) -> Residuals:
        """The same over other rows of the same columns; nothing is compiled anew.

        like: in the way that suits these rows here, which the others are a sample of.
        """
        other = copy(self)
        other.both, other._value = self.both.on(rows), self._value.on(rows)
        other.size = rows.table.rows
        if not like:
            other._about, other._summed = other.size.bit_length(), other.size >= _MANY
        return other

    def _inputs(self, theta: Sequence[float]) -> Sequence[float]:
        """The parameters, and the sums inside the model, which are always those of all rows."""
        return theta if self.inner is None else [*theta, *self.inner.values(theta)]

    @property
    def refines(self) -> bool:
        """Whether `linear` knows a more careful way: for short tables only."""
        return not self._summed

    def rss(self, theta: Sequence[float]) -> float:
        """The sum of squares at theta; inf where it is not finite."""
        import numpy as np

        if self._summed:
            found = self._sums.rss(self.both.rows, self._inputs(theta), self._about)
        else:
            parts = []
            with np.errstate(all="ignore"):
                for count, (r,) in self._value.blocks(self._inputs(theta)):
                    r = np.broadcast_to(r, count)
                    parts.append(float(np.add.reduce(r * r)))
            found = total(parts)
        return found if math.isfinite(found) else math.inf

    def linear(self, theta: Sequence[float], careful: bool = False) -> Linear | None:
        """The reduced system at theta, or None where it is not finite.

        careful: for a short table, J'r and |r|**2 in longer floats, where the platform has them.
        Small residuals of large terms keep their digits, and Gauss-Newton steps become iterative
        refinement (A. Bjorck, 1967, Iterative refinement of linear least squares solutions I, BIT
        7), which takes the square of J's condition number out of the error.
        """
        if self._summed and (found := self._by_gram(theta)) is not None:
            return found
        found = self._by_qr(theta)
        if found is None or not careful or self._summed:
            return found
        return self._refined(theta, found)

    def _refined(self, theta: Sequence[float], linear: Linear) -> Linear:
        """The same system with z = R'**-1 J'r from a product in longer floats."""
        import numpy as np

        scale = linear.scales
        if not (scale > 0).all() or not np.finfo(np.longdouble).eps < np.finfo(np.float64).eps:
            return linear
        product = np.zeros(self.count, dtype=np.longdouble)
        rss = np.longdouble(0.0)
        with np.errstate(all="ignore"):
            for *columns, r in self.both.extended(self._inputs(theta)):
                product += [np.sum(column * r) for column in columns]
                rss += np.sum(r * r)
        try:
            upper = (linear.triangle / scale).T
            solved = np.linalg.solve(upper, (product / scale).astype(np.float64))
            vector = np.asarray(solved, dtype=np.float64)
        except np.linalg.LinAlgError:
            return linear
        if not (np.isfinite(vector).all() and np.isfinite(rss)):
            return linear
        return Linear(linear.triangle, vector, float(rss), scale)

    def columns(self, theta: Sequence[float]) -> Iterator[tuple[int, list[Any]]]:
        """(rows, the columns of J and r) for each block of rows."""
        return self.both.blocks(self._inputs(theta))

    def matrices(self, theta: Sequence[float]) -> Iterator[Matrix]:
        """[J r] block by block, column by column."""
        import numpy as np

        for count, columns in self.columns(theta):
            matrix = np.empty((count, self.count + 1), order="F")
            for k, column in enumerate(columns):
                matrix[:, k] = column
            yield matrix

    def _by_qr(self, theta: Sequence[float]) -> Linear | None:
        import numpy as np

        width = self.count + 1
        triangle = np.zeros((0, width))
        parts = []
        for matrix in self.matrices(theta):
            if not np.isfinite(matrix).all():
                return None
            with np.errstate(all="ignore"):
                parts.append(float(np.add.reduce(matrix[:, -1] ** 2)))
            triangle = np.asarray(np.linalg.qr(np.concatenate([triangle, matrix]), mode="r"))
        full = np.zeros((width, width))
        full[: len(triangle)] = triangle
        with np.errstate(all="ignore"):
            scales = np.linalg.norm(full[:, :-1], axis=0)
        rss = total(parts)
        if not (math.isfinite(rss) and np.isfinite(full).all() and np.isfinite(scales).all()):
            return None
        return Linear(full[:-1, :-1], full[:-1, -1], rss, scales)

    def _by_gram(self, theta: Sequence[float]) -> Linear | None:
        import numpy as np

        if self.count > _WIDEST:
            return None
        rss, *entries = self._sums.gram(self.both.rows, self._inputs(theta), self._about)
        gram = np.zeros((self.count + 1, self.count + 1))
        below, right = _triangle(self.count)
        gram[below, right] = gram[right, below] = entries[: len(below)]
        gram[:-1, -1] = entries[len(below) :]
        if not (np.isfinite(gram).all() and math.isfinite(rss)):
            return None
        scales = np.sqrt(np.diag(gram)[:-1])
        if not (scales > 0).all():
            return None
        scaled = gram[:-1, :-1] / np.outer(scales, scales)
        try:
            upper = np.linalg.cholesky(scaled).T
        except np.linalg.LinAlgError:
            return None
        values = np.linalg.svd(upper, compute_uv=False)
        if values[-1] * _GRAM_CONDITION < values[0]:
            return None
        vector = np.asarray(np.linalg.solve(upper.T, gram[:-1, -1] / scales), dtype=np.float64)
        triangle = np.asarray(upper * scales, dtype=np.float64)
        return Linear(triangle, vector, rss, scales)


@cache
def _triangle(count: int) -> tuple[Any, Any]:
    import numpy as np

    return np.tril_indices(count)
