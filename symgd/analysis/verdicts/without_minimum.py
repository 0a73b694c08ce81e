"""The outcome of a run near which no minimum is certified: by loss, gradient and steps only."""

from __future__ import annotations

import math
from itertools import pairwise

from symgd.analysis.verdicts.continued import SEEN, ran_down
from symgd.analysis.verdicts.facts import Facts
from symgd.analysis.verdicts.sentences import part, write
from symgd.analysis.verdicts.stationary import (
    Finding,
    at_kink,
    curves_down,
    downhill,
    falls_beside,
    near_bound,
)
from symgd.analysis.verdicts.trace import alternates, bounded, turns_back

_LATER = 8  # the last points of a continued run, of which the largest loss counts
_LATELY = 9  # points, of a run that went to and fro at last only
_SAMPLES = 512  # losses of a run that are looked at,
_APART = 7  # of the points of its continuation, one in so many,
_TURNS = 4  # of the loss, up or down, of a run that goes up and down
_MORE = 1.25  # times the highest loss: a rise of a run that does not stay within bounds
_STEADY = 0.9  # of the fall of a loss: the next one, where it falls without end
_FLAT = 1e-6  # a slope at which a run is as good as stationary


def by_loss(facts: Facts) -> Finding:
    """The outcome and the fields of its sentence."""
    slope = write(facts.slope, 3)
    if facts.lost:
        return "far", {"size": f"{max(map(abs, facts.x)):.3g}"}
    if facts.rule is None and (how := unbounded(facts)):
        return "unbounded", {"value": facts.value, "first": facts.first_loss, "how": how}
    if facts.rule is None and not facts.moving:
        return "blocked", {"slope": slope}
    if not facts.moving:
        return "fixed", {"slope": slope}
    steps = facts.strides
    fields: dict[str, object] = {"first": facts.first_loss, "value": facts.value, "slope": slope}
    last = _later_losses(facts)
    later = max(last, default=None)
    rises_on = facts.climbed and (later is None or not later <= max(facts.value, *_losses(facts)))
    if (rises_on or not facts.climbed) and (grown := _growth(facts, steps)):
        return grown
    if facts.near is None and _swings(facts, steps):
        return _swinging(facts, steps)
    if facts.climbed and (bounds := _bounds(facts)):
        return "restless", fields | bounds
    if facts.climbed:
        if rises_on:
            return "rising", fields | {"ever": ""}
        onward = 1.0 if not turns_back(facts.path) else 0.5
        turned = onward * facts.value + (1 - onward) * facts.first_loss
        falls = later is not None and later < turned
        return "turning" if falls else "risen", fields | {"later": later}
    if facts.slope <= _FLAT and curves_down(facts) and falls_beside(facts):
        return "saddle", {"how": part("how slow", slope=slope), "downhill": downhill(facts)}
    if facts.rate_at is not None and ran_down(facts):
        return "faded", fields | {"lr": facts.rate_at(facts.steps)}
    how = unbounded(facts)
    if how and _falls_without_end(facts):
        return "unbounded", fields | {"how": how}
    if facts.loss is None and math.isnan(facts.value):
        return "descending gradient", {"before": _first_slope(facts), "slope": slope}
    drop = facts.first_loss - facts.value
    if facts.slope <= _FLAT and drop <= _FLAT * max(1.0, abs(facts.value)):
        how = part("none near")
        if facts.near is not None:
            how = part("far", error=facts.error)
        return "plateau", fields | {"how": how}
    if later is not None and later > facts.value:
        before = max(_late_losses(facts), default=math.nan)
        if later < 0.5 * before and min(last) < facts.value:
            return "swinging down", fields | {"before": before, "later": later}
        return "returning", fields | {"later": later}
    fields["last"] = _last(facts)
    if facts.near is not None:
        return "descending from afar", fields | {"error": facts.error}
    if facts.minimum is not None:
        return "descending elsewhere", fields | {"error": math.dist(facts.end, facts.minimum.x)}
    if not (facts.small or facts.large):
        return "descending large", fields
    assert facts.loss is not None
    none = part("slows down", how=how) if how else part("none")
    return "descending", fields | {"reason": near_bound(facts, facts.loss) or none}


def _falls_without_end(facts: Facts) -> bool:
    """Whether the loss falls as much in twice as many steps, and again: as -log(t), or faster."""
    assert facts.loss is not None
    value, points = facts.loss.internals.evaluate_value, {facts.steps: facts.end}
    history, stride = facts.history, facts.history.stride
    losses = [history.loss_at(round(facts.steps * part / stride)) for part in (0.25, 0.5)]
    points |= {t: list(x) for t, x in ([] if facts.ahead is None else facts.ahead(8 * facts.steps))}
    losses += [value(*points[t])[0] for k in range(4) if (t := facts.steps << k) in points]
    falls = [a - b for a, b in pairwise(losses)]
    return falls[-1] >= _STEADY * falls[-2]


def _later_losses(facts: Facts) -> list[float]:
    """The last ones after the run has gone on, as far as it can; [] where that is not seen."""
    if facts.ahead is None or facts.loss is None:
        return []
    value = facts.loss.internals.evaluate_value
    return [value(*x)[0] for _, x in facts.ahead(10 * facts.steps)[-_LATER:]]


def _losses(facts: Facts) -> list[float]:
    """Those of the run behind its start, at most about 512 of them."""
    count = len(facts.history)
    return [facts.history.loss_at(k) for k in range(1, count, count // _SAMPLES | 1)]


def _bounds(facts: Facts) -> dict[str, object]:
    """Between which losses a run goes up and down, {} where they grow or fall.

    Those of its halves and of its continuation reach about as high.
    """
    losses = _losses(facts)
    if facts.loss is None or facts.steps < SEEN:
        return {}
    before, late = losses[: len(losses) // 2], losses[len(losses) // 2 :]
    if not all(map(math.isfinite, losses)) or max(late) > _MORE * max(before):
        return {}
    rises = [b > a for a, b in pairwise(late)]
    if sum(a != b for a, b in pairwise(rises)) < _TURNS:
        return {}
    later = [] if facts.ahead is None else facts.ahead(10 * facts.steps)[::_APART]
    value = facts.loss.internals.evaluate_value
    high = max((value(*x)[0] for _, x in later), default=max(late))
    if not max(late) / (2 * _MORE) < high <= _MORE * max(losses):
        return {}
    return {"low": min(late), "high": max(late)}


def _growth(facts: Facts, steps: list[float]) -> Finding | None:
    """Of steps that grow by a steady factor, on a loss that climbs or far from the start."""
    last = steps[-8:]
    if len(last) < 2 or min(last) <= 0:
        return None
    ratios = [b / a for a, b in pairwise(last)]
    if not min(ratios) > 1 + 1e-6 or not (facts.climbed or facts.far):
        return None
    sign = -1.0 if alternates(_steps(facts)) else 1.0
    rate = sign * (last[-1] / last[0]) ** (1 / (len(last) - 1))
    if facts.climbed:
        if math.isnan(facts.value):
            return "running", {"rate": rate}
        fields = {"first": facts.first_loss, "value": facts.value, "ever": part("ever", rate=rate)}
        return "rising", fields
    if facts.auto:  # a line search chooses longer steps where they lower the loss
        return None
    curved_down = not facts.eigenvalues or facts.eigenvalues[0] < 0
    return ("fleeing", {"rate": rate}) if curved_down else None


def _steps(facts: Facts) -> list[list[float]]:
    return [[q - p for p, q in zip(a, b, strict=True)] for a, b in pairwise(facts.path)]


def _swings(facts: Facts, steps: list[float]) -> bool:
    """Whether it goes to and fro with steps that do not get shorter."""
    turned = turns_back(facts.path) or turns_back(facts.path[-_LATELY:])
    of = list(enumerate(steps))
    if len(steps) < 4 or not turned or not (bounded(of) or bounded(of[len(of) // 2 :])):
        return False
    return facts.strides_on(10 * facts.steps)


def _swinging(facts: Facts, steps: list[float]) -> Finding:
    known = _late_losses(facts)
    if facts.loss is not None and alternates(_steps(facts)) and _crosses_kink(facts):
        return "kinked swing", {"step": steps[-1]}
    if not known:
        return "to and fro", {"step": steps[-1]}
    return "swinging", {"low": min(known), "high": max(known)}


def _late_losses(facts: Facts) -> list[float]:
    """Of a quarter of the run at most, those that are known."""
    count = min(max(facts.steps // 4, 2), len(facts.history), len(facts.tail))
    losses = [facts.history.loss_at(-k) for k in range(1, count + 1)]
    return [v for v in losses if not math.isnan(v)]


def _crosses_kink(facts: Facts) -> bool:
    """Whether the gradient jumps between the last two points: it does not shrink on the way."""
    from symgd.analysis.critical.kinks import has_kinks

    assert facts.loss is not None
    return has_kinks(facts.loss) or at_kink(facts)


def unbounded(facts: Facts) -> str:
    """How the loss falls without bound from the end of the run, or ""."""
    if facts.loss is None or not facts.small:
        return ""
    from symgd.analysis.lower_bound import lower_bound

    # far out, the loss may be too large to follow it farther
    starts = (facts.end, list(facts.start))
    return next(filter(None, (lower_bound(facts.loss, x).sentence for x in starts)), "")


def _last(facts: Facts) -> str:
    """How much of the fall of the loss came in the last tenth of the steps."""
    drop = facts.first_loss - facts.value
    row = min(int(0.9 * facts.steps) // facts.history.stride, len(facts.history) - 1)
    before = facts.history.loss_at(row)
    if not drop > 0 or facts.steps < 10 or before < facts.value:
        return ""
    return part("last", percent=f"{100 * (before - facts.value) / drop:.2g}")


def _first_slope(facts: Facts) -> str:
    return next((f"{norm:.3g}" for _, _, _, norm in facts.history.rows()), "")
