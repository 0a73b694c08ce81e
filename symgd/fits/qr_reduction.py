"""Rows -> the reduced least-squares system: a triangle R, a vector z and the sum of squares.

With the QR factorization of [J r], for residuals r and Jacobian J over any number of rows,
min |J p + r| = min |R p + z| up to a constant. Rows are processed block by block, each stacked
below the triangle so far and factorized again (A. Bjorck, 2024, Numerical Methods for Least
Squares Problems, 2nd ed., SIAM, section 2.3.6): no condition number is squared, and only one block
is in memory.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from copy import copy
from functools import cache
from typing import Any

from symgd._numpy import np
from symgd.backends.compiler import compile_program
from symgd.backends.dispatch import choose_rows
from symgd.backends.numpy_rows import RowFunction, total
from symgd.backends.program import Program
from symgd.calculus.reductions import lower
from symgd.fits.nested_sums import total_gradient
from symgd.fits.per_row_function import PerRowFunction
from symgd.fits.regression_model import Model
from symgd.formula.nodes import Node, RowSum
from symgd.model.data_binding import PASSES, RowData
from symgd.solvers.objectives import Matrix, ReducedSystem, Vector

_GRAM_FROM = 20_000  # rows from which J'J is tried first: it is several times faster
_GRAM_MOST_PARAMETERS = 30  # parameters up to which J'J is summed entry by entry
_GRAM_CONDITION = 1e4  # of J with columns of length 1, up to which J'J keeps the digits


class RowResiduals:
    """The residuals of a model over its rows, and their Jacobian.

    each: sqrt(weight)*(predicted - response) of a row, one or more, which are stacked; derivatives:
    of each in each parameter, those through sums over the rows included. jacobian: the columns of
    J, then r, by row, of each. size: the residuals. inputs: the arguments of the formulas.
    """

    def __init__(self, model: Model) -> None:
        graph, rows, self.nested = model.graph, model.rows, model.nested
        sides = ((model.predicted, model.response), *model.further)
        self.each = [graph.sub(predicted, response) for predicted, response in sides]
        if model.weight is not None:
            self.each = [graph.mul(graph.sqrt(model.weight), r) for r in self.each]
        self.derivatives = [total_gradient(graph, r, model.leaves, self.nested) for r in self.each]
        self.inputs = [*model.leaves, *(() if self.nested is None else self.nested.inputs)]
        outputs = [n for r, d in zip(self.each, self.derivatives, strict=True) for n in (*d, r)]
        self.jacobian = PerRowFunction(rows, self.inputs, outputs)
        self.count = len(model.leaves)
        self.size = rows.table.rows * len(self.each)
        self._sums: dict[tuple[bool, int], tuple[Program, RowFunction]] = {}
        self.shared: dict[str, Any] = {}  # what others derive from the formula, for all rows
        self._residual = PerRowFunction(rows, self.inputs, self.each)
        self._magnitude = self.size.bit_length()  # log2 of the rows
        self._uses_gram = self.size >= _GRAM_FROM

    def on(self, rows: RowData, keep_method: bool = False) -> RowResiduals:
        """The same residuals over other rows of the same columns, without compiling again.

        keep_method: decide between J'J and QR by the size of these rows, of which the others are
        a sample.
        """
        other = copy(self)
        other.jacobian, other._residual = self.jacobian.on(rows), self._residual.on(rows)
        other.size = rows.table.rows * len(self.each)
        if not keep_method:
            other._magnitude, other._uses_gram = other.size.bit_length(), other.size >= _GRAM_FROM
        return other

    def derivatives_of(self, k: int) -> list[Node]:
        """The derivatives of each residual of a row in parameter k."""
        return [derivatives[k] for derivatives in self.derivatives]

    def values(self, theta: Sequence[float]) -> list[Vector]:
        """The residuals of all rows, (rows,) of each that a row has."""
        return self._residual.all_rows(self._inputs(theta))

    def _inputs(self, theta: Sequence[float]) -> Sequence[float]:
        """The parameters and the nested sums, which always run over all rows."""
        return theta if self.nested is None else [*theta, *self.nested.values(theta)]

    @property
    def can_refine(self) -> bool:
        """Whether `linearize` can use extended precision: for short tables only."""
        return not self._uses_gram

    def rss(self, theta: Sequence[float]) -> float:
        """The sum of squares at theta; inf where it is not finite."""
        if self._uses_gram:
            result = self._sums_over_rows(theta, products=False)[0]
        else:
            parts = []
            with np.errstate(all="ignore"):
                for count, each in self._residual.blocks(self._inputs(theta)):
                    for r in each:
                        r = np.broadcast_to(r, count)
                        parts.append(float(np.add.reduce(r * r)))
            result = total(parts)
        return result if math.isfinite(result) else math.inf

    def linearize(self, theta: Sequence[float], refine: bool = False) -> ReducedSystem | None:
        """The reduced system at theta, or None where it is not finite.

        refine: for a short table, compute J'r and |r|**2 in extended precision, where the platform
        has it. Gauss-Newton steps then become iterative refinement (A. Bjorck, 1967, Iterative
        refinement of linear least squares solutions I, BIT 7): the error no longer grows with the
        square of the condition number of J.
        """
        if self._uses_gram and (result := self._by_gram(theta)) is not None:
            return result
        result = self._by_qr(theta)
        if result is None or not refine or self._uses_gram:
            return result
        return self._refined(theta, result)

    def _refined(self, theta: Sequence[float], system: ReducedSystem) -> ReducedSystem:
        """The same system with z = R'**-1 J'r from a product in extended precision."""
        scale = system.scales
        if not (scale > 0).all() or not np.finfo(np.longdouble).eps < np.finfo(np.float64).eps:
            return system
        product = np.zeros(self.count, dtype=np.longdouble)
        rss = np.longdouble(0.0)
        with np.errstate(all="ignore"):
            for values in self.jacobian.extended_precision(self._inputs(theta)):
                for *columns, r in self._of_each(values):
                    product += [np.sum(column * r) for column in columns]
                    rss += np.sum(r * r)
        try:
            upper = (system.triangle / scale).T
            solved = np.linalg.solve(upper, (product / scale).astype(np.float64))
            vector = np.asarray(solved, dtype=np.float64)
        except np.linalg.LinAlgError:
            return system
        if not (np.isfinite(vector).all() and np.isfinite(rss)):
            return system
        return ReducedSystem(system.triangle, vector, float(rss), scale)

    def columns(self, theta: Sequence[float]) -> Iterator[tuple[int, list[Any]]]:
        """(rows, the columns of J and r) for each block of rows and each residual of a row."""
        for count, values in self.jacobian.blocks(self._inputs(theta)):
            for columns in self._of_each(values):
                yield count, columns

    def _of_each(self, values: list[Any]) -> Iterator[list[Any]]:
        width = self.count + 1
        return (values[at : at + width] for at in range(0, len(values), width))

    def matrices(self, theta: Sequence[float]) -> Iterator[Matrix]:
        """[J r] block by block, column by column."""
        for count, columns in self.columns(theta):
            matrix = np.empty((count, self.count + 1), order="F")
            for k, column in enumerate(columns):
                matrix[:, k] = column
            yield matrix

    def _by_qr(self, theta: Sequence[float]) -> ReducedSystem | None:
        width = self.count + 1
        triangle = np.zeros((0, width))
        parts = []
        for matrix in self.matrices(theta):
            if not np.isfinite(matrix).all():
                return None
            with np.errstate(all="ignore"):
                parts.append(float(np.add.reduce(matrix[:, -1] ** 2)))
            stacked = np.concatenate([triangle, matrix]) if len(triangle) else matrix
            triangle = np.asarray(np.linalg.qr(stacked, mode="r"))
        full = np.zeros((width, width))
        full[: len(triangle)] = triangle
        with np.errstate(all="ignore"):
            scales = np.linalg.norm(full[:, :-1], axis=0)
        rss = total(parts)
        if not (math.isfinite(rss) and np.isfinite(full).all() and np.isfinite(scales).all()):
            return None
        return ReducedSystem(full[:-1, :-1], full[:-1, -1], rss, scales)

    def _by_gram(self, theta: Sequence[float]) -> ReducedSystem | None:
        if self.count > _GRAM_MOST_PARAMETERS:
            return None
        rss, *entries = self._sums_over_rows(theta, products=True)
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
        return ReducedSystem(triangle, vector, rss, scales)

    def _sums_over_rows(self, theta: Sequence[float], products: bool) -> list[float]:
        """The sum of r**2; with products also the lower triangle of J'J, and J'r; in one pass.

        Compiled once for tables of about the same length, which choose the backend.
        """
        rows, key = self.jacobian.rows, (products, self._magnitude)
        if key not in self._sums:
            graph = rows.graph
            terms = [[graph.pow(r, 2)] for r in self.each]
            for part, r, derivatives in zip(terms, self.each, self.derivatives, strict=True):
                if products:
                    below = ((a, derivatives[: i + 1]) for i, a in enumerate(derivatives))
                    part += [graph.mul(a, b) for a, row in below for b in row]
                    part += [graph.mul(derivative, r) for derivative in derivatives]
            each = [graph.add(*parts) for parts in zip(*terms, strict=True)]
            sums = lower(graph, [graph.node(RowSum, term) for term in each])
            named = {str(k): node for k, node in enumerate(sums)}
            program = compile_program([*self.inputs, *rows.inputs(sums)], named)
            length = 1 << self._magnitude
            function = choose_rows(rows.backend, program, length, PASSES, rows.threads)
            self._sums[key] = program, function
        program, function = self._sums[key]
        return function((*self._inputs(theta), *rows.more(program)), rows.table)


@cache
def _triangle(count: int) -> tuple[Any, Any]:
    return np.tril_indices(count)
