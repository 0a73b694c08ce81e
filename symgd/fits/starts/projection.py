"""Variable projection: residuals at many points at once, their linear parameters solved for.

Given the nonlinear parameters, the linear ones follow by least squares (G. Golub, V. Pereyra, 1973,
The differentiation of pseudo-inverses and nonlinear least squares problems whose variables
separate, SIAM J. Numer. Anal. 10(2)). All points go through one compiled function, and one modified
Gram-Schmidt orthogonalization with the residual as its last column (A. Bjorck, 1967).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from symgd._numpy import np
from symgd.calculus.jumps import names_in_jumps
from symgd.fits.per_row_function import PerRowFunction
from symgd.fits.qr_reduction import RowResiduals
from symgd.fits.regression_model import Model
from symgd.fits.row_sample import with_columns
from symgd.formula.nodes import Name, topological
from symgd.model.data_binding import RowData
from symgd.solvers.objectives import Box, Matrix, Vector

_CELLS = 1 << 17  # values of one array: it stays in the cache
_DEPENDENT = 1e-10  # of its length: what is left of a column that the others make up


class Projection:
    """The residuals of a model over some rows in memory, as functions of many points.

    linear: the parameters in which they are jointly linear. depends: for each of these, the
    others that its column of the Jacobian holds.
    """

    def __init__(self, model: Model, residuals: RowResiduals, rows: RowData) -> None:
        self.model, self.rows, self.nested = model, rows, model.nested
        self.parts = len(residuals.each)
        if "projection" not in residuals.shared:
            residuals.shared["projection"] = self._derive(residuals)
        self.linear: list[int]
        self.depends: list[set[int]]
        self.linear, self.depends, function = residuals.shared["projection"]
        self._function = function.on(rows)

    def _derive(self, residuals: RowResiduals) -> tuple[list[int], list[set[int]], PerRowFunction]:
        linear = linear_parameters(self.model, residuals)
        index = {leaf: k for k, leaf in enumerate(self.model.leaves)}
        columns = [residuals.derivatives_of(k) for k in linear]
        depends = [{index[n] for n in topological(c) if n in index} for c in columns]
        outputs = [*residuals.each, *(node for column in columns for node in column)]
        return (
            linear,
            depends,
            PerRowFunction(with_columns(self.rows, {}), residuals.inputs, outputs),
        )

    def solve(
        self, points: Matrix, active: Collection[int] | None = None, box: Box | None = None
    ) -> tuple[Vector, Matrix]:
        """(sums of squares, (T,), inf where not finite; the points, (T, P), with linear solved).

        active: the linear parameters that are solved for, by default all; the others are taken as
        they are in the points.
        """
        box = self.model.box if box is None else box
        chosen = [k for k in self.linear if active is None or k in active]
        points = box.clip(points)
        if chosen:
            points[:, chosen] = box.clip(np.zeros_like(points))[:, chosen]
        rss, out = np.empty(len(points)), points.copy()
        with np.errstate(all="ignore"):
            for piece in self._pieces(len(points)):
                rss[piece], steps = self._solved(points[piece], chosen)
                out[piece, chosen] += steps
        inside = box.clip(out)
        moved = np.flatnonzero((inside != out).any(axis=1))
        if len(moved):
            inside[moved] = box.clip(np.nan_to_num(inside[moved]))
            rss[moved] = self.rss(inside[moved])
        return np.where(np.isfinite(rss), rss, np.inf), inside

    def rss(self, points: Matrix) -> Vector:
        """The sums of squares at points, (T, P), as they are."""
        found = np.empty(len(points))
        with np.errstate(all="ignore"):
            for piece in self._pieces(len(points)):
                values = self._values(points[piece], ())[0]
                found[piece] = np.einsum("ij,ij->i", values, values)
        return found

    def _pieces(self, count: int) -> Iterator[slice]:
        """Points at a time, so that an array stays in the cache."""
        step = max(1, _CELLS // max(1, self.rows.table.rows * self.parts))
        return (slice(at, at + step) for at in range(0, count, step))

    def residuals(self, point: Vector) -> Matrix:
        """The residuals at one point, one row for each that a row of data has: (parts, N)."""
        with np.errstate(all="ignore"):
            return self._values(point[None, :], ())[0].reshape(self.parts, -1)

    def _values(self, points: Matrix, chosen: Sequence[int]) -> list[Matrix]:
        """The residuals, and the columns of the chosen parameters: (T, N*parts) each."""
        inputs = points
        if self.nested is not None:
            more = np.array([self.nested.values(p.tolist()) for p in points])
            inputs = np.concatenate([points, more], axis=1)
        keep = [0, *(1 + self.linear.index(k) for k in chosen)]
        values = self._function.at_points(inputs)
        blocks = [values[k * self.parts : (k + 1) * self.parts] for k in keep]
        return [b[0] if len(b) == 1 else np.concatenate(b, axis=1) for b in blocks]

    def _solved(self, points: Matrix, chosen: Sequence[int]) -> tuple[Vector, Matrix]:
        """(sums of squares, (T,); the steps of the chosen parameters, (T, L))."""
        residual, *columns = self._values(points, chosen)
        count, total = len(columns), len(points)
        upper = np.zeros((total, count, count))
        right = np.zeros((total, count))
        residual = residual.copy()
        for j in range(count):
            column = columns[j]
            length = np.sqrt(np.einsum("ij,ij->i", column, column))
            for i in range(j):
                upper[:, i, j] = np.einsum("ij,ij->i", columns[i], column)
                column = column - upper[:, i, j, None] * columns[i]
            left = np.sqrt(np.einsum("ij,ij->i", column, column))
            known = left > _DEPENDENT * length
            upper[:, j, j] = np.where(known, left, np.inf)  # its step is 0
            columns[j] = column = np.where(known[:, None], column / left[:, None], 0.0)
            right[:, j] = np.einsum("ij,ij->i", column, residual)
            residual -= right[:, j, None] * column
        steps = np.zeros((total, count))
        for j in reversed(range(count)):
            above = np.einsum("ij,ij->i", np.where(np.isinf(upper[:, j]), 0.0, upper[:, j]), steps)
            steps[:, j] = (-right[:, j] - above) / upper[:, j, j]
        return np.einsum("ij,ij->i", residual, residual), steps


def linear_parameters(model: Model, residuals: RowResiduals) -> list[int]:
    """The parameters in which the residuals are jointly linear, chosen greedily.

    None of those in sums over rows, which are computed beforehand.
    """
    leaves = model.leaves
    derivatives = [residuals.derivatives_of(k) for k in range(len(leaves))]
    inside = [{n for n in topological(d) if isinstance(n, Name)} for d in derivatives]
    choice: list[int] = []
    for k, leaf in enumerate(leaves):
        joint = [*choice, k]
        if all(leaf not in inside[j] and leaves[j] not in inside[k] for j in joint):
            choice.append(k)
    held = names_in_jumps(residuals.each)
    if model.nested is not None:
        held |= model.nested.parameters
    return [k for k in choice if leaves[k] not in held]
