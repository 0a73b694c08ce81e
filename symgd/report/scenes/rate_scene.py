"""Learning-rate maps -> RateScene."""

from __future__ import annotations

import math
from collections.abc import Sequence

from symgd import names
from symgd.descent.rate_map import RateMap
from symgd.model.loss import Loss
from symgd.report.compare import rule_name, start_text
from symgd.report.scenes import RateCurve, RateScene
from symgd.report.scenes.style import LONGEST


def rate_scene(loss: Loss, maps: Sequence[RateMap]) -> RateScene:
    """The scene of maps of one loss, one for each rule and start."""
    steps = max(one.steps for one in maps)
    floor = min(v for one in maps for v in [*one.shown, math.inf])
    below = any(value < floor for one in maps for value in one.losses)
    text = loss.read_as(pretty=True)
    caption = [text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"]
    if len(maps) == 1:
        caption.append(names.escape(_name(maps[0])))
        if math.isfinite(maps[0].losses[maps[0].best]):
            caption[-1] += f"; lowest: {_best(maps[0])}"
    level = f"loss after {steps} steps" + (f" (not below {floor:.1g})" if below else "")
    return RateScene(tuple(_curve(one, len(maps) > 1) for one in maps), level, tuple(caption))


def _curve(one: RateMap, named: bool) -> RateCurve:
    there = one.limit is not None and one.rates[0] <= one.limit <= one.rates[-1]
    finite = math.isfinite(one.losses[one.best])
    return RateCurve(
        f"{_name(one)}: {_best(one)}" if named else "final loss",
        tuple(one.rates),
        tuple(one.shown),
        (one.rates[one.best], one.shown[one.best]) if finite else None,
        one.limit if there else None,
    )


def _name(one: RateMap) -> str:
    return f"{rule_name(one.run)} from {start_text(one.run)}"


def _best(one: RateMap) -> str:
    loss = one.losses[one.best]
    if not math.isfinite(loss):
        return "none is finite"
    return f"{loss:.3g} at lr = {one.rates[one.best]:.4g}"
