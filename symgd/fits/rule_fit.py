"""Minimization of a fit's loss by a descent rule."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from symgd.fits.regression_model import Model
from symgd.fits.settings import Settings
from symgd.formula.nodes import Node
from symgd.model.result import Status
from symgd.solvers.objectives import Vector


def descend_by_rule(
    model: Model, root: Node, settings: Settings, start: Sequence[float]
) -> tuple[Vector, int, Status, str]:
    """The end of the descent on the loss `root`: the point, the steps, the status, a message."""
    from symgd.descent.descend import descend
    from symgd.model.catalogue import CATALOGUE
    from symgd.model.loss import Loss
    from symgd.model.loss_internals import LossInternals

    bounded = any(map(math.isfinite, (*model.low, *model.high)))
    box = (model.low, model.high) if bounded else None
    internals = LossInternals(model.graph, root, model.leaves, model.rows, by_rows=True, box=box)
    loss = Loss.of(internals, model.text, model.columns)
    lr = settings.lr
    if lr is None:
        lr = CATALOGUE[settings.method].lr if settings.method in CATALOGUE else 0.01
    result = descend(
        loss,
        start=np.clip(start, model.low, model.high).tolist(),
        lr=lr,
        steps=settings.steps or 1000,
        rule=settings.method,
        batch=settings.batch,
        seed=settings.seed,
        backend=model.rows.backend,
    )
    x, low, high = result.x, np.array(model.low), np.array(model.high)
    if ((x == low) | (x == high)).any():  # the verdict assumes an unconstrained descent
        return x, result.steps, result.status, result.message
    return x, result.steps, result.status, f"{result.message}; {result.verdict.sentence}"
