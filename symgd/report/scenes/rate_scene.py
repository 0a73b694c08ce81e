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
    steps = max(rate_map.steps for rate_map in maps)
    lowest = min(v for rate_map in maps for v in [*rate_map.shown, math.inf])
    below = any(value < lowest for rate_map in maps for value in rate_map.losses)
    text = loss.read_as(pretty=True)
    caption = [text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"]
    if len(maps) == 1:
        caption.append(names.escape(_name(maps[0])))
        if math.isfinite(maps[0].losses[maps[0].best]):
            caption[-1] += f"; lowest: {_best(maps[0])}"
    y_label = f"loss after {steps} steps" + (f" (not below {lowest:.1g})" if below else "")
    return RateScene(
        tuple(_curve(rate_map, len(maps) > 1) for rate_map in maps), y_label, tuple(caption)
    )


def _curve(rate_map: RateMap, named: bool) -> RateCurve:
    limit_visible = (
        rate_map.limit is not None and rate_map.rates[0] <= rate_map.limit <= rate_map.rates[-1]
    )
    finite = math.isfinite(rate_map.losses[rate_map.best])
    return RateCurve(
        f"{_name(rate_map)}: {_best(rate_map)}" if named else "final loss",
        tuple(rate_map.rates),
        tuple(rate_map.shown),
        (rate_map.rates[rate_map.best], rate_map.shown[rate_map.best]) if finite else None,
        rate_map.limit if limit_visible else None,
    )


def _name(rate_map: RateMap) -> str:
    return f"{rule_name(rate_map.run)} from {start_text(rate_map.run)}"


def _best(rate_map: RateMap) -> str:
    loss = rate_map.losses[rate_map.best]
    if not math.isfinite(loss):
        return "none is finite"
    return f"{loss:.3g} at lr = {rate_map.rates[rate_map.best]:.4g}"
