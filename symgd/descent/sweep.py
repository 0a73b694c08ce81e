"""Many descents of one loss at once: grids of learning rates, starts, rules and hyperparameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import sympy

from symgd import names
from symgd._locks import cached_property
from symgd._numpy import NDArray, np
from symgd.backends.dispatch import check_backend
from symgd.descent.rate_map import Runs
from symgd.descent.sweep_axes import Grid, read_grid
from symgd.descent.sweep_groups import Ends, Part, QuickStatus, run_part
from symgd.model.arguments import BackendName
from symgd.model.bounds import BoundsByName
from symgd.model.checks import to_count
from symgd.model.loss import Loss
from symgd.model.present import Pictured
from symgd.model.progress_meter import Meter
from symgd.model.result import Result, Status


class Sweep(Runs, Pictured):
    """The descents of a grid; `sweep[i]` is the Result of one, as `descend` returns it.

    axes: what was tried, name -> the values, in the order in which the grid is laid out; the last
    changes fastest.
    """

    def __init__(self, grid: Grid) -> None:
        super().__init__(())
        self.loss = grid.loss
        self.axes = grid.axes
        self._grid = grid
        self._ends = Ends(len(self), len(grid.loss.params))
        self._quick: list[QuickStatus] = []

    def __len__(self) -> int:
        return math.prod(self.shape)

    def make(self, k: int) -> Result:
        """One of the descents by itself."""
        return self._grid.single(k)

    def __repr__(self) -> str:
        return f"<Sweep of {len(self):,} descents on {names.escape(self.loss.text[:60])}>"

    @property
    def theta(self) -> NDArray[np.float64]:
        """(N, P), the returned points in the order of params."""
        return self._ends.theta

    @property
    def value(self) -> NDArray[np.float64]:
        """(N,), the loss there."""
        return self._ends.value

    @property
    def grad_norm(self) -> NDArray[np.float64]:
        """(N,), the norm of the gradient there."""
        return self._ends.grad_norm

    @property
    def steps(self) -> NDArray[np.int64]:
        """(N,), how many steps each took."""
        return self._ends.steps

    @property
    def lost(self) -> NDArray[np.bool_]:
        """(N,), whether the point after the returned one has no finite loss."""
        return self._ends.lost

    @property
    def shape(self) -> tuple[int, ...]:
        """How many values each axis has: `value.reshape(sweep.shape)` is the grid."""
        return tuple(map(len, self.axes.values()))

    def setting(self, k: int) -> dict[str, Any]:
        """What descent k was given: the value on each axis."""
        return self._grid.setting(k)

    @cached_property
    def status(self) -> list[Status]:
        """How each descent ended: `sweep[i].status`, without the rest of the Result."""
        known = {k: quick(k) for quick in self._quick for k in quick.indices}
        return [known.get(k) or self[k].status for k in range(len(self))]

    @property
    def best(self) -> int:
        """The index of the least value; -1 where none is a number."""
        return -1 if np.isnan(self.value).all() else int(np.nanargmin(self.value))


def sweep(
    loss: str | sympy.Expr | Callable[..., Any] | Loss = "theta**2",
    *,
    lr: Any = 0.2,
    start: Any = 1.0,
    rule: Any = "gd",
    set: Mapping[str, Any] | None = None,  # noqa: A002 - as in descend
    steps: int = 20,
    tol: float | None = None,
    backend: BackendName = "auto",
    threads: int | None = None,
    bounds: BoundsByName | None = None,
) -> Sweep:
    """All descents of a grid, each as `descend` would run it, on all processors at once.

    lr, rule: one, or a list. start: one (a number, mapping, text or tuple), or a list or (S, P)
    array of starts. set: each hyperparameter a number or a list, constants of the loss numbers. The
    grid is their product in the order rule, lr, start, set. threads: how many; None: one per
    processor. The numbers depend neither on it nor on the other descents. bounds: as for `descend`.

    Raises a SymgdError before anything runs.

    >>> grid = sweep("theta**2", lr=[0.001, 0.2, 10], steps=20)
    >>> [status.value for status in grid.status]
    ['completed', 'completed', 'diverged']
    """
    check_backend(backend)
    if threads is not None:
        to_count(threads, "threads", 1)
    grid = read_grid(loss, lr, start, rule, set or {}, steps, tol, backend, bounds)
    done = Sweep(grid)
    meter = Meter(len(grid.bare), "parts")
    for k, (place, rates) in enumerate(grid.bare):
        meter.tell(k)
        quick = run_part(done._ends, done.__getitem__, Part(grid, place, rates), threads)
        if quick is not None:
            done._quick.append(quick)
    meter.tell(len(grid.bare))
    return done
