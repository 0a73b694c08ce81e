"""What a continued run shows: whether the error stays, falls, or is a tenth, and after how long."""

from __future__ import annotations

import math
from collections.abc import Sequence

from symgd.analysis.verdicts.facts import Facts
from symgd.analysis.verdicts.trace import Point, bounded, peaks

TENTH = (0.07, 0.14)  # of the error: what counts as a tenth where it is counted
DIGIT = math.log(10)
AGAIN = 10  # times the steps of the run: how far it is continued where it does not settle
SEEN = 64  # steps that are enough to judge by
BURST = 0.1  # of the error: how far it falls between bursts
_AT_LEAST = 640  # steps by which any run is continued
_FARTHEST = 5  # times the steps that are seen: how far a law that nothing predicts is extended
_SPENT = 0.01  # of the rate so far: what is left where a rate has run down


def far(facts: Facts) -> int:
    """How many steps a run is continued that does not settle."""
    return max(AGAIN * facts.steps, _AT_LEAST)


def whole(steps: float) -> int:
    """The steps rounded up, and not too many for an int."""
    return math.ceil(min(steps, 1e9))


def lately(facts: Facts) -> list[Point]:
    """The last points: of a quarter of the run, at most 48 and at least 3."""
    return facts.window(min(max(facts.steps // 4, 2), 47)) or [(facts.steps, facts.error)]


def stays(facts: Facts) -> bool:
    """Whether neither error nor steps shrink when the run goes on, as far as it can."""
    later = facts.future(far(facts))
    if not later:
        return True
    now = max(e for _, e in lately(facts))
    last = max(e for _, e in later[-max(8, len(later) // 32) :])
    if min(e for _, e in peaks(later)) < 0.2 * now:
        return False  # it comes in bursts
    if last >= 0.3 * now and facts.strides_on(far(facts)):
        return True
    half = len(later) // 2  # it may be seen for a shorter time than would be needed
    tops = [max(e for _, e in part) for part in (later[:half], later[half:])]
    return last >= 0.6 * now and tops[1] >= 0.9 * tops[0]


def falls(facts: Facts, later: Sequence[Point]) -> bool:
    """Whether the error is smaller after the run has gone on."""
    top = max(e for _, e in later[-max(1, len(later) // 8) :])
    assert facts.near is not None
    now = min(facts.error, max(e for _, e in lately(facts)))
    return top < now or top <= 1e3 * facts.near.rounding


def rests_elsewhere(facts: Facts, later: Sequence[Point]) -> bool:
    """Whether the error ends far from 0: twice the steps change nothing of it, nor of its fall."""
    last = [e for _, e in later[len(later) // 2 :]]
    seen = len(later) >= max(facts.steps, SEEN)
    if not seen or not max(last) > BURST * facts.error:
        return False
    fell = abs(facts.distance(facts.start) - last[-1])
    return max(last) - min(last) <= min(0.001 * min(last), 0.1 * fell)


def stops_growing(later: Sequence[Point]) -> bool:
    """Whether a growing error stops growing."""
    return bounded(later[len(later) // 2 :])


def beat(later: Sequence[Point]) -> tuple[float, float] | None:
    """To what an error falls for a while, and grows again, by a factor 2 at least; else None."""
    if not later:
        return None
    size = max(len(later) // 32, 8)
    tops = [max(e for _, e in later[k : k + size]) for k in range(0, len(later), size)]
    low = min(tops)
    high = max(tops[tops.index(low) :])
    return (low, high) if high > 2 * low else None


def digit_steps(facts: Facts, later: Sequence[Point], guess: float) -> float | None:
    """How many steps more make the error a tenth: counted, or else extended from the law."""
    if later and (found := crossing(facts, later)) is not None:
        return found
    law = facts.fall
    if len(later) >= guess or law is None or not law.reaches(guess):
        return None
    if later and not on_track(facts, later, guess):
        return None
    if facts.predicted is None and guess > _FARTHEST * (law.span + len(later)):
        return None
    return guess


def on_track(facts: Facts, later: Sequence[Point], guess: float) -> bool:
    """Whether the error, as far as it is seen, falls as fast as the law says."""
    t, error = later[-1]
    if not error > 0:
        return False
    if facts.fall is not None and facts.fall.law == "constant":
        done = (facts.error - error) / (0.9 * facts.error)
    else:
        done = math.log(facts.error / error) / DIGIT
    seen = (t - facts.steps) / guess
    # what is off by a little grows with the steps, where nothing predicts the law
    grows = 1.0 if facts.predicted is not None else min(1.0, seen)
    return abs(done / seen - 1) <= 0.15 * grows


def crossing(facts: Facts, later: Sequence[Point]) -> int | None:
    """After how many more steps the error is a tenth, where that was seen."""
    if not later or not facts.error:
        return None
    low, high = (part * facts.error for part in TENTH)
    near = [(abs(e / facts.error - 0.1), t) for t, e in later if low <= e <= high]
    return min(near)[1] - facts.steps if near else None


def steady_rate(facts: Facts, steps: int) -> bool:
    """Whether the learning rate will be about the same for so many steps."""
    if facts.rate_at is None:
        return True
    now = facts.rate_at(facts.steps)
    return 0.8 * now <= facts.rate_at(facts.steps + steps) <= 1.2 * now


def ran_down(facts: Facts, steps: int | None = None) -> bool:
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
