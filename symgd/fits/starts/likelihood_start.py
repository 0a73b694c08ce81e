"""Starts of a likelihood: draws at the sizes that its formula implies, fitted to a sample."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from symgd._numpy import np
from symgd.analysis.minima import LossObjective
from symgd.fits.certificate import newton_certificate
from symgd.fits.regression_model import Model
from symgd.fits.row_sample import SEED, sample_rows
from symgd.fits.starts.magnitudes import Magnitudes
from symgd.fits.starts.normal_form import normal_form
from symgd.formula.nodes import Node, RowMean, RowSum, topological
from symgd.model.loss_internals import LossInternals
from symgd.model.result import Status
from symgd.solvers import newton
from symgd.solvers.objectives import Box

_ROWS = 500  # rows
_DRAWS = 300
_RUNS = 8  # points from which Newton's method runs, at most
_STEPS = 100  # of each
_ENOUGH = 4  # ends, of which the best was found twice
_FAILURES = 3  # runs without a minimum, after which no more are made
_SAME = 1e-7  # of the loss: two ends are one


def best_start(
    model: Model,
    root: Node,
    held: Mapping[str, float],
    points: Sequence[Sequence[float]],
    most: int = _RUNS,
) -> list[float] | None:
    """The best minimum of the loss on a sample, from draws and these points; None without one.

    held: values of parameters that are given.
    """
    rows = sample_rows(model.rows, _ROWS)
    objective = LossObjective(LossInternals(model.graph, root, model.leaves, rows, by_rows=True))
    wanted = [k for k, name in enumerate(model.params) if name not in held]
    low, high = model.box.low.copy(), model.box.high.copy()
    for k, name in enumerate(model.params):
        if name in held:
            low[k] = high[k] = held[name]
    box = Box(low, high)
    generator = np.random.default_rng(SEED)
    drawn = Magnitudes(rows, model.leaves, _DRAWS, generator, np.ones(rows.table.rows), {})
    for node in topological([root]):
        if node.func in (RowSum, RowMean):
            drawn.read(node.args[0])
    solved = {model.leaves[k] for k in range(len(model.leaves)) if k not in wanted}
    inner = Box(low[wanted], high[wanted])
    candidates = np.repeat(box.clip(np.zeros(len(low)))[None, :], _DRAWS, axis=0)
    candidates[:, wanted] = drawn.draw([model.leaves[k] for k in wanted], solved, inner)
    every = [*(box.clip(p).tolist() for p in points), *candidates.tolist()]
    values = [(objective.value(x), k) for k, x in enumerate(every)]
    ranked = [k for value, k in sorted(v for v in values if math.isfinite(v[0]))]
    chosen = [ranked[r] for r in (0, 1, 2, 4, 8, 16, 32, 64)[:most] if r < len(ranked)]
    ends: list[tuple[float, list[float]]] = []
    for tried, k in enumerate(chosen):
        if tried == _FAILURES and not ends:
            return None
        result = newton.minimize(objective, every[k], box, _STEPS)
        if result is None or newton_certificate(result, box)[0] is not Status.CONVERGED:
            continue
        ends.append((result.value, result.x))
        least = min(ends)[0]
        if len(ends) >= _ENOUGH and sum(v <= least + _SAME * abs(least) for v, _ in ends) > 1:
            break
    if not ends:
        return None
    fixed = [k for k in range(len(low)) if k not in wanted]
    return normal_form(model, min(ends)[1], objective.value, (), (), fixed, 0.0)
