"""Minibatches: each step sees some rows of the data, in an order drawn anew for every pass."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from symgd._numpy import NDArray, np
from symgd.backends.step_checks import Stop
from symgd.descent.kernel import Kernel, Run, largest_of, norm_of
from symgd.errors import ArgumentError
from symgd.model.checks import to_count

if TYPE_CHECKING:
    from symgd.data import Table

Rows = Mapping[str, "NDArray[Any]"]


@dataclass(frozen=True)
class Sampler:
    """Draws batches of `size` rows; the last one of a block of the table may be smaller.

    Rows are shuffled within each block of the table (the whole table, where it is in memory).
    """

    table: Table
    size: int
    seed: int

    @staticmethod
    def of(table: Table | None, size: Any, seed: Any) -> Sampler:
        """The sampler of checked arguments, or ArgumentError."""
        for name, value, least in (("batch", size, 1), ("seed", seed, 0)):
            to_count(value, name, least)
        if table is None:
            raise ArgumentError("a batch is of rows of data, and there are none")
        return Sampler(table, size, seed)

    def batches(self) -> Iterator[Rows | None]:
        """Batches without end, and None after each pass over the table."""
        generator = np.random.default_rng(self.seed)
        while True:
            for rows in self.table.blocks():
                order = generator.permutation(len(next(iter(rows.values()))))
                for start in range(0, len(order), self.size):
                    chosen = order[start : start + self.size]
                    yield {name: column[chosen] for name, column in rows.items()}
            yield None


@dataclass
class Batch:
    """The rows of a step, as a table of one block."""

    rows: Rows = field(default_factory=dict)

    def blocks(self) -> list[Rows]:
        return [self.rows]


class BatchKernel:
    """Steps on batches. The certificate of convergence is that of all data, after every pass.

    step: the kernel of one step. see: makes it see these rows. whole: (P,) -> the value and the
    gradient over all data, projected where there are bounds.
    """

    def __init__(
        self,
        step: Kernel,
        see: Callable[[Rows], None],
        sampler: Sampler,
        whole: Callable[[Any], tuple[float, Any]],
    ) -> None:
        self.batches = sampler.batches()
        self.step, self.see, self.whole = step, see, whole

    def advance(self, run: Run, count: int) -> Stop | None:
        tol, run.tol = run.tol, None  # the gradient of a batch certifies nothing
        try:
            for _ in range(count):
                rows = next(self.batches)
                if rows is None:
                    run.tol = tol
                    if tol is not None and self._converged(run):
                        return Stop.CONVERGED
                    run.tol = None
                    rows = next(self.batches)
                assert rows is not None
                self.see(rows)
                stop = self.step.advance(run, 1)
                if stop is not None:
                    return stop
        finally:
            run.tol = tol
        return None

    def _converged(self, run: Run) -> bool:
        value, grad = self.whole(run.x)
        norm = norm_of(grad)
        if not (math.isfinite(value) and largest_of(grad) <= (run.tol or 0.0)):
            return False
        run.record(value, norm, grad)
        return True
