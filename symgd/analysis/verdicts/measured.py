"""The outcome of a run by its error: the distance from the minimum near its end."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from symgd.analysis.verdicts.continued import (
    AGAIN,
    BURST,
    DIGIT,
    SEEN,
    TENTH,
    beat,
    crossing,
    digit_steps,
    falls,
    far,
    lately,
    ran_down,
    rests_elsewhere,
    stays,
    steady_rate,
    stops_growing,
    whole,
)
from symgd.analysis.verdicts.facts import Facts
from symgd.analysis.verdicts.sentences import OUTCOMES, factor, part
from symgd.analysis.verdicts.stationary import at_bound
from symgd.analysis.verdicts.trace import Fall, Point, peaks, shrinks, turns_back

_EPS = 2.0**-52
_SLOW = 0.98  # a digit costs more than 114 steps
_SAME = 1e-9  # a factor so near to 1 neither shrinks nor grows
_AIMED = 0.995  # the cosine between steps and error, below which a line misses a tenth of the error
_STILL = 1e-6  # of the error: a fall that is none
_FALLING = ("converging", "slow", "sublinear")  # kinds of an error that falls on


@dataclass(frozen=True)
class Measured:
    """An outcome with the fields of its sentence; rate: the observed factor. digit: steps."""

    outcome: str
    fields: dict[str, object] = field(default_factory=dict)
    rate: float | None = None
    digit: float | None = None


def against_minimum(facts: Facts) -> Measured | None:
    """The outcome by the error, or None where only loss and gradient can be spoken of."""
    if facts.at_floor and any(facts.held):
        return Measured(
            *at_bound(facts, {"how": part("how stationary", slope=f"{facts.slope:.3g}")})
        )
    if facts.at_floor:
        how = part("how auto" if facts.auto else "how rounding")
        return Measured("rounding", {"slope": f"{facts.slope:.3g}", "how": how})
    if ran_down(facts) and not _falls_yet(facts):
        return _run_down(facts)
    near = facts.stays_within(_EPS * facts.distance(facts.start))
    rounding = Measured("rounding", {"slope": f"{facts.slope:.3g}", "how": part("how rounding")})
    if not facts.moving:
        return rounding if near else None
    if facts.rule is None:  # a solver keeps to no law
        return _unsteady(facts)
    found = _by_law(facts)
    falling = found is not None and OUTCOMES[found.outcome][0] in _FALLING
    if falling and facts.decays and len(facts.future(far(facts))) < far(facts):
        return _until_now(facts)
    restless = found is None or OUTCOMES[found.outcome][0] == "oscillating"
    unknown = facts.linear[0] is None  # an adaptive rule leaves so small an error again
    return rounding if near and (restless or unknown) else found


def _falls_yet(facts: Facts) -> bool:
    """Whether the error is seen to fall to less than a tenth while the rate falls on."""
    later = facts.future(far(facts))
    assert facts.rate_at is not None
    if not later or not later[-1][1] < TENTH[0] * facts.error:
        return False
    return facts.rate_at(later[-1][0]) <= facts.rate_at(facts.steps)


def _by_law(facts: Facts) -> Measured | None:
    law, observed = facts.fall, facts.observed
    if observed is not None:
        return _geometric(facts, observed)
    longer = facts.future(far(facts))  # an adaptive rule may leave a minimum again
    if law is not None and law.slope < 0 and (not longer or falls(facts, longer)):
        found = _power(facts, law) if law.law == "power" else _constant(facts, law)
        if found is not None:
            return found
    return _unsteady(facts)


def _geometric(facts: Facts, observed: float) -> Measured | None:
    size = abs(observed)
    if abs(size - 1) <= _SAME and (facts.swings or turns_back(facts.path)):
        fields: dict[str, object] = {"rate": observed, "predicted": _predicted(facts)}
        errors = [e for _, e in lately(facts)]
        if observed < 0 and max(errors) <= (1 + _STILL) * min(errors) and stays(facts):
            return Measured("reversing", fields, observed)
        return _bouncing(facts) if stays(facts) else _unsteady(facts)
    if size > 1:
        return _growing(facts, observed)
    if size == 1:
        return _unsteady(facts)
    guess = DIGIT / -math.log(size)
    if not steady_rate(facts, whole(guess)):
        return _unsteady(facts)
    later = facts.future(whole(1.2 * guess))
    if later and not falls(facts, later):
        return _unsteady(facts)
    longer = facts.future(far(facts)) if facts.predicted is None else []
    if longer and not falls(facts, longer):  # an adaptive rule may leave a minimum again
        return _bursts(facts, longer) or _unsteady(facts)
    predicted = facts.linear[0]
    if predicted is not None and abs(predicted) > 1 + _SAME and not later:
        return _unsteady(facts)
    digit = digit_steps(facts, later, guess)
    if digit is not None and not 0.7 * guess <= digit <= 1.4 * guess and guess > 20:
        return _unsteady(facts)
    if digit is None and facts.predicted is None:
        return _unsteady(facts)
    fields = {
        "rate": factor(observed),
        "predicted": _predicted(facts),
        "swing": part("sides") if observed < 0 and size >= _SLOW else "",
        "digit": "" if digit is None else part("digit", steps=_steps(digit)),
    }
    return Measured("slow" if size >= _SLOW else "geometric", fields, observed, digit)


def _growing(facts: Facts, observed: float) -> Measured | None:
    """Of an error that grows by a factor: diverging, unless it is seen to stay bounded."""
    if facts.quadratic and facts.predicted is not None and abs(observed) > 1 + _SAME:
        return Measured("growing", {"rate": factor(observed)}, observed)
    later = facts.future(far(facts))
    if later and len(later) > SEEN // 2 and not later[-1][1] > 2 * facts.error:
        return _unsteady(facts)
    if not facts.climbed and not later and observed > 0:
        return None
    if later and len(later) >= SEEN and stops_growing(later):
        return _bouncing(facts)
    return Measured("growing", {"rate": factor(observed)}, observed)


def _power(facts: Facts, law: Fall) -> Measured | None:
    power = -law.slope
    if power < 0.01:  # 10**(1/power) is more steps than can be run
        return None
    times = 10 ** (1 / power)
    digit = facts.steps * (times - 1)
    later = facts.future(whole(max(facts.steps, digit)))
    if later and not falls(facts, later):
        return None
    if len(later) >= facts.steps and later[-1][1] > 0:
        seen = math.log(facts.error / later[-1][1]) / math.log(later[-1][0] / facts.steps)
        if not abs(seen - power) <= 0.1 * power:
            return None
    elif law.bend > 0.02:
        return None
    words = part("power digit", times=f"{times:.3g}", more=f"{digit:.2g}")
    return Measured("power", {"power": f"{power:.3g}", "digit": words}, None, digit)


def _constant(facts: Facts, law: Fall) -> Measured | None:
    step = -law.slope
    left = facts.error / step
    later = facts.future(whole(2 * left))
    if left < 3 or (later and not falls(facts, later)):
        return None
    digit = digit_steps(facts, later, 0.9 * left)
    if digit is not None and not 0.7 * 0.9 * left <= digit <= 1.4 * 0.9 * left:
        return None
    straight = step >= _AIMED * sum(facts.strides[-8:]) / len(facts.strides[-8:])
    if digit is None or (not straight and not len(later) >= digit):
        return None
    fields: dict[str, object] = {
        "step": f"{step:.3g}",
        "error": f"{facts.error:.3g}",
        "left": _steps(left),
    }
    return Measured("constant", fields, None, digit)


def _unsteady(facts: Facts) -> Measured | None:
    """Of an error that follows no law: bounded, growing or shrinking."""
    window = facts.window(facts.steps // 2 if facts.steps > 16 else facts.steps)
    if len(window) < 2:
        return None
    later = facts.future(far(facts))
    if turns_back(facts.path) and not shrinks(window) and stays(facts):
        return _bouncing(facts)
    if facts.rate_at is None and rests_elsewhere(facts, later):
        if facts.strides_on(len(later)) and turns_back(facts.path):
            return _bouncing(facts)
        if max(facts.strides[-8:]) <= _STILL * facts.error:
            return Measured("resting", {"error": facts.error, "slope": f"{facts.slope:.3g}"})
    onward = not turns_back(facts.path) and facts.error < (1 - _STILL) * window[0][1]
    if (shrinks(window) or onward) and (not later or falls(facts, later)):
        if later and later[-1][1] > 0.3 * facts.error and ran_down(facts, later[-1][0]):
            return _run_down(facts)
        near = crossing(facts, later)
        span = window[-1][0] - window[0][0]
        half = len(window) // 2
        fields: dict[str, object] = {
            "before": max(e for _, e in window[:half]),
            "error": facts.error if onward else max(e for _, e in window[half:]),
            "span": part("steps" if span > 1 else "step", count=span),
            "digit": "" if near is None else part("digit", steps=_steps(near)),
        }
        if near is None and facts.rate_at is None and rests_elsewhere(facts, later):
            return Measured("stopping", fields | {"left": later[-1][1]})
        return Measured("unsteady", fields, None, near)
    if facts.climbed and window and facts.error > 10 * window[0][1]:
        fields = {"before": window[0][1], "error": facts.error,
                  "span": window[-1][0] - window[0][0]}  # fmt: skip
        if not later or later[-1][1] > 2 * facts.error or len(later) < SEEN:
            return Measured("leaving", fields)
    if later and turns_back(facts.path) and stays(facts):
        return _bouncing(facts)
    longer = facts.future(AGAIN * far(facts))
    for seen in (later, longer):
        if (found := _detour(facts, seen) or _bursts(facts, seen)) is not None:
            return found
    return None


def _bursts(facts: Facts, later: Sequence[Point]) -> Measured | None:
    """Of an error that falls far and grows again, as by Adam, whose v fades with the gradient."""
    now = max(e for _, e in lately(facts))
    tops = peaks(later)
    low = min(tops, key=lambda p: p[1], default=None)
    if low is None or not low[1] < BURST * min(now, facts.error):
        return None
    high = max(e for t, e in tops if t >= low[0])
    if not high > low[1] / BURST:
        return None
    window = facts.window(facts.steps)
    before = min(e for _, e in peaks(window[: len(window) // 2 + 1]))
    fields: dict[str, object] = {"low": low[1], "high": high, "more": low[0] - facts.steps}
    if before < BURST * now or not facts.error < 0.5 * facts.distance(facts.start):
        return Measured("bursting", fields)
    falling = [p for p in later if p[0] <= low[0]]
    return Measured("leaving again", fields, None, crossing(facts, falling))


def _detour(facts: Facts, later: Sequence[Point]) -> Measured | None:
    """Of an error that is seen to be smaller later on."""
    now = max(e for _, e in lately(facts))
    last = max((e for _, e in later[-max(1, len(later) // 8) :]), default=math.inf)
    if not last < min(0.5 * now, facts.error) or facts.strides_on(len(later)):
        return None
    above = [k for k, (_, e) in enumerate(later) if e > TENTH[1] * facts.error]
    near = crossing(facts, later[above[-1] + 1 if above else 0 :])
    fields: dict[str, object] = {
        "now": now,
        "error": last,
        "more": len(later),
        "digit": "" if near is None else part("digit", steps=_steps(near)),
    }
    return Measured("detour", fields, None, near)


def _until_now(facts: Facts) -> Measured | None:
    """Of an error that fell, by a rule that may leave the minimum later than the run is seen."""
    window = facts.window(facts.steps // 2)
    if len(window) < 2 or not facts.error < window[0][1]:
        return None
    fields: dict[str, object] = {"before": window[0][1], "error": facts.error}
    return Measured("until now", fields | {"span": window[-1][0] - window[0][0]})


def _run_down(facts: Facts) -> Measured:
    assert facts.rate_at is not None
    return Measured("run down", {"lr": facts.rate_at(facts.steps), "error": facts.error})


def _bouncing(facts: Facts) -> Measured:
    errors = [e for _, e in lately(facts)]
    limit = facts.linear[1]
    against = ""
    if limit is not None and facts.lr is not None and facts.lr >= 0.999 * limit:
        times = facts.lr / limit
        ratio = f"{times:.{3 if times > 1.01 else 6}g}"
        named = "at limit" if ratio == "1" else "against"
        against = part(named, lr=facts.lr, ratio=ratio, limit=limit)
    elif (found := beat(facts.future(far(facts)))) is not None:
        return Measured("bursting", {"low": found[0], "high": found[1]})
    return Measured("bouncing", {"low": min(errors), "high": max(errors), "against": against})


def _predicted(facts: Facts) -> str:
    return "" if facts.predicted is None else part("predicted", rate=factor(facts.predicted))


def _steps(count: float) -> str:
    return f"{count:.0f}" if count < 1e6 else f"{count:.3g}"
