"""The outcome of a run by its error: the distance from the minimum near its end."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from symgd.analysis.verdicts.facts import Facts
from symgd.analysis.verdicts.sentences import OUTCOMES, part
from symgd.analysis.verdicts.stationary import at_bound
from symgd.analysis.verdicts.trace import Fall, Point, bounded, peaks, shrinks, turns_back

_EPS = 2.0**-52
_SLOW = 0.98  # a digit costs more than 114 steps
_SAME = 1e-9  # a factor so near to 1 neither shrinks nor grows
_TENTH = (0.07, 0.14)  # of the error: what counts as a tenth where it is counted
_DIGIT = math.log(10)
_AGAIN = 10  # times the steps of the run: how far it is continued where it does not settle
_AT_LEAST = 640  # steps by which any run is continued,
_SEEN = 64  # and that are enough to judge by
_FARTHEST = 5  # times the steps that are seen: how far a law that nothing predicts is extended
_BURST = 0.1  # of the error: how far it falls between bursts
_STILL = 1e-6  # of the error: a fall that is none
_SPENT = 0.01  # of the rate so far: what is left where a rate has run down


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
    if _ran_down(facts):
        return _run_down(facts)
    if not facts.moving:
        return None
    if facts.rule is None:  # a solver keeps to no law
        return _unsteady(facts)
    found = _by_law(facts)
    restless = found is None or OUTCOMES[found.outcome][0] == "oscillating"
    unknown = facts.linear[0] is None  # an adaptive rule leaves so small an error again
    if (restless or unknown) and facts.stays_within(_EPS * facts.distance(facts.start)):
        return Measured("rounding", {"slope": f"{facts.slope:.3g}", "how": part("how rounding")})
    return found


def _by_law(facts: Facts) -> Measured | None:
    law, observed = facts.fall, facts.observed
    if observed is not None:
        return _geometric(facts, observed)
    if law is not None and law.slope < 0:
        found = _power(facts, law) if law.law == "power" else _constant(facts, law)
        if found is not None:
            return found
    return _unsteady(facts)


def _geometric(facts: Facts, observed: float) -> Measured | None:
    size = abs(observed)
    if abs(size - 1) <= _SAME and (facts.swings or turns_back(facts.path)):
        fields: dict[str, object] = {"rate": observed, "predicted": _predicted(facts)}
        if observed < 0 and _stays(facts):
            return Measured("reversing", fields, observed)
        return _bouncing(facts) if _stays(facts) else _unsteady(facts)
    if size > 1:
        return _growing(facts, observed)
    if size == 1:
        return _unsteady(facts)
    guess = _DIGIT / -math.log(size)
    if not _steady_rate(facts, _whole(guess)):
        return _unsteady(facts)
    later = facts.future(_whole(1.2 * guess))
    if later and not _falls(facts, later):
        return _unsteady(facts)
    longer = facts.future(_far(facts)) if facts.predicted is None else []
    if longer and not _falls(facts, longer):  # an adaptive rule may leave a minimum again
        return _bursts(facts, longer) or _unsteady(facts)
    predicted = facts.linear[0]
    if predicted is not None and abs(predicted) > 1 + _SAME and not later:
        return _unsteady(facts)
    digit = _digit(facts, later, guess)
    if digit is not None and not 0.7 * guess <= digit <= 1.4 * guess and guess > 20:
        return _unsteady(facts)
    if digit is None and facts.predicted is None:
        return _unsteady(facts)
    fields = {
        "rate": _factor(observed),
        "predicted": _predicted(facts),
        "swing": part("sides") if observed < 0 and size >= _SLOW else "",
        "digit": "" if digit is None else part("digit", steps=_steps(digit)),
    }
    return Measured("slow" if size >= _SLOW else "geometric", fields, observed, digit)


def _steady_rate(facts: Facts, steps: int) -> bool:
    """Whether the learning rate will be about the same for so many steps."""
    if facts.rate_at is None:
        return True
    now = facts.rate_at(facts.steps)
    return 0.8 * now <= facts.rate_at(facts.steps + steps) <= 1.2 * now


def _growing(facts: Facts, observed: float) -> Measured | None:
    """Of an error that grows by a factor: diverging, unless it is seen to stay bounded."""
    later = facts.future(_far(facts))
    if later and len(later) > _SEEN // 2 and not later[-1][1] > 2 * facts.error:
        return _unsteady(facts)
    if not facts.climbed and not later and observed > 0:
        return None
    if later and len(later) >= _SEEN and _settles(later):
        return _bouncing(facts)
    return Measured("growing", {"rate": observed, "predicted": _predicted(facts)}, observed)


def _settles(later: Sequence[Point]) -> bool:
    """Whether a growing error stops growing."""
    return bounded(later[len(later) // 2 :])


def _power(facts: Facts, law: Fall) -> Measured | None:
    power = -law.slope
    if power < 0.01:  # 10**(1/power) is more steps than can be run
        return None
    times = 10 ** (1 / power)
    digit = facts.steps * (times - 1)
    later = facts.future(_whole(max(facts.steps, digit)))
    if later and not _falls(facts, later):
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
    later = facts.future(_whole(2 * left))
    if left < 3 or (later and not _falls(facts, later)):
        return None
    digit = _digit(facts, later, 0.9 * left)
    if digit is not None and not 0.7 * 0.9 * left <= digit <= 1.4 * 0.9 * left:
        return None
    straight = step >= 0.9 * sum(facts.strides[-8:]) / len(facts.strides[-8:])
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
    later = facts.future(_far(facts))
    if turns_back(facts.path) and not shrinks(window) and _stays(facts):
        return _bouncing(facts)
    onward = not turns_back(facts.path) and facts.error < (1 - _STILL) * window[0][1]
    if (shrinks(window) or onward) and (not later or _falls(facts, later)):
        if later and later[-1][1] > 0.3 * facts.error and _ran_down(facts, later[-1][0]):
            return _run_down(facts)
        near = _crossing(facts, later)
        span = window[-1][0] - window[0][0]
        half = len(window) // 2
        fields: dict[str, object] = {
            "before": max(e for _, e in window[:half]),
            "error": facts.error if onward else max(e for _, e in window[half:]),
            "span": part("steps" if span > 1 else "step", count=span),
            "digit": "" if near is None else part("digit", steps=_steps(near)),
        }
        return Measured("unsteady", fields, None, near)
    if facts.climbed and window and facts.error > 10 * window[0][1]:
        fields = {"before": window[0][1], "error": facts.error,
                  "span": window[-1][0] - window[0][0]}  # fmt: skip
        if not later or later[-1][1] > 2 * facts.error or len(later) < _SEEN:
            return Measured("leaving", fields)
    if later and turns_back(facts.path) and _stays(facts):
        return _bouncing(facts)
    longer = facts.future(_AGAIN * _far(facts))
    for seen in (later, longer):
        if (found := _detour(facts, seen) or _bursts(facts, seen)) is not None:
            return found
    return None


def _bursts(facts: Facts, later: Sequence[Point]) -> Measured | None:
    """Of an error that falls far and grows again, as by Adam, whose v fades with the gradient."""
    now = max(e for _, e in _lately(facts))
    tops = peaks(later)
    low = min(tops, key=lambda p: p[1], default=None)
    if low is None or not low[1] < _BURST * min(now, facts.error):
        return None
    high = max(e for t, e in tops if t >= low[0])
    if not high > low[1] / _BURST:
        return None
    window = facts.window(facts.steps)
    before = min(e for _, e in peaks(window[: len(window) // 2 + 1]))
    fields: dict[str, object] = {"low": low[1], "high": high, "more": low[0] - facts.steps}
    if before < _BURST * now or not facts.error < 0.5 * facts.distance(facts.start):
        return Measured("bursting", fields)
    falling = [p for p in later if p[0] <= low[0]]
    return Measured("leaving again", fields, None, _crossing(facts, falling))


def _detour(facts: Facts, later: Sequence[Point]) -> Measured | None:
    """Of an error that is seen to be smaller later on."""
    now = max(e for _, e in _lately(facts))
    last = max((e for _, e in later[-max(1, len(later) // 8) :]), default=math.inf)
    if not last < min(0.5 * now, facts.error) or facts.strides_on(len(later)):
        return None
    above = [k for k, (_, e) in enumerate(later) if e > _TENTH[1] * facts.error]
    near = _crossing(facts, later[above[-1] + 1 if above else 0 :])
    fields: dict[str, object] = {
        "now": now,
        "error": last,
        "more": len(later),
        "digit": "" if near is None else part("digit", steps=_steps(near)),
    }
    return Measured("detour", fields, None, near)


def _run_down(facts: Facts) -> Measured:
    assert facts.rate_at is not None
    return Measured("run down", {"lr": facts.rate_at(facts.steps), "error": facts.error})


def _bouncing(facts: Facts) -> Measured:
    errors = [e for _, e in _lately(facts)]
    limit = facts.linear[1]
    against = ""
    if limit is not None and facts.lr is not None and facts.lr >= 0.999 * limit:
        ratio = f"{facts.lr / limit:.3g}"
        against = part("against", lr=facts.lr, ratio=ratio, limit=limit)
    return Measured("bouncing", {"low": min(errors), "high": max(errors), "against": against})


def _predicted(facts: Facts) -> str:
    return "" if facts.predicted is None else part("predicted", rate=_factor(facts.predicted))


def _factor(value: float) -> str:
    """With 6 digits, of the difference from 1 where that would leave none."""
    gap = 1 - abs(value)
    return f"{value:.6g}" if not 0 < gap < 1e-5 else f"{'-' * (value < 0)}(1 - {gap:.3g})"


def _steps(count: float) -> str:
    return f"{count:.0f}" if count < 1e6 else f"{count:.3g}"


def _whole(steps: float) -> int:
    return math.ceil(min(steps, 1e9))


def _far(facts: Facts) -> int:
    return max(_AGAIN * facts.steps, _AT_LEAST)


def _lately(facts: Facts) -> list[Point]:
    """The last points: of a quarter of the run, at most 48 and at least 3."""
    return facts.window(min(max(facts.steps // 4, 2), 47)) or [(facts.steps, facts.error)]


def _stays(facts: Facts) -> bool:
    """Whether neither error nor steps shrink when the run goes on, as far as it can."""
    later = facts.future(_far(facts))
    if not later:
        return True
    now = max(e for _, e in _lately(facts))
    last = max(e for _, e in later[-max(8, len(later) // 32) :])
    if min(e for _, e in peaks(later)) < 0.2 * now:
        return False  # it comes in bursts
    if last >= 0.3 * now and facts.strides_on(_far(facts)):
        return True
    half = len(later) // 2  # it may be seen for a shorter time than would be needed
    tops = [max(e for _, e in part) for part in (later[:half], later[half:])]
    return last >= 0.6 * now and tops[1] >= 0.9 * tops[0]


def _falls(facts: Facts, later: Sequence[Point]) -> bool:
    """Whether the error is smaller after the run has gone on."""
    top = max(e for _, e in later[-max(1, len(later) // 8) :])
    assert facts.near is not None
    now = min(facts.error, max(e for _, e in _lately(facts)))
    return top < now or top <= 1e3 * facts.near.rounding


def _digit(facts: Facts, later: Sequence[Point], guess: float) -> float | None:
    """How many steps more make the error a tenth: counted, or else extended from the law."""
    if later and (found := _crossing(facts, later)) is not None:
        return found
    law = facts.fall
    if len(later) >= guess or law is None or not law.reaches(guess):
        return None
    if later and not _on_track(facts, later, guess):
        return None
    if facts.predicted is None and guess > _FARTHEST * (law.span + len(later)):
        return None
    return guess


def _on_track(facts: Facts, later: Sequence[Point], guess: float) -> bool:
    """Whether the error, as far as it is seen, falls as fast as the law says."""
    t, error = later[-1]
    if not error > 0:
        return False
    if facts.fall is not None and facts.fall.law == "constant":
        done = (facts.error - error) / (0.9 * facts.error)
    else:
        done = math.log(facts.error / error) / _DIGIT
    return abs(done * guess / (t - facts.steps) - 1) <= 0.15


def _crossing(facts: Facts, later: Sequence[Point]) -> int | None:
    """After how many more steps the error is a tenth, where that was seen."""
    if not later or not facts.error:
        return None
    low, high = (part * facts.error for part in _TENTH)
    near = [(abs(e / facts.error - 0.1), t) for t, e in later if low <= e <= high]
    return min(near)[1] - facts.steps if near else None


def _ran_down(facts: Facts, steps: int | None = None) -> bool:
    """Whether the learning rate has fallen so far that what is left of it leads nowhere.

    The last rate times the steps, as a part of the sum of all rates: 1/log(t) for c/t, next to
    nothing where the sum of the rates converges.
    """
    if facts.rate_at is None:
        return False
    last = facts.steps if steps is None else steps
    count = min(last, 200)
    total = sum(facts.rate_at(max(1, round(last * (k + 0.5) / count))) for k in range(count))
    return facts.rate_at(last) * count <= _SPENT * total
