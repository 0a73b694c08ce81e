"""Why a descent did what it did: one outcome, decided from measured facts, and its sentence."""

from __future__ import annotations

from symgd.analysis.verdicts.facts import Facts
from symgd.analysis.verdicts.measured import Measured, against_minimum
from symgd.analysis.verdicts.sentences import part, place, tell, write
from symgd.analysis.verdicts.stationary import listed, stationary
from symgd.analysis.verdicts.without_minimum import by_loss
from symgd.model.result import Verdict

_NEARING = ("converging", "slow", "sublinear", "approaching", "descending")


def verdict(facts: Facts) -> Verdict:
    """The verdict of a finished run."""
    if facts.nonfinite:
        return Verdict(*tell("nonfinite", why=facts.nonfinite), advice=facts.remedy)
    found = _judge(facts)
    kind, sentence = tell(found.outcome, **found.fields)
    sentence += _stable(facts, kind) + _beside(facts, kind) + _reported(facts)
    if facts.interrupted:
        sentence = f"interrupted; until then {sentence}"
    observed = found.rate
    return Verdict(
        kind,
        sentence,
        facts.predicted if observed is not None else None,
        observed,
        None if facts.batches else facts.linear[1],
        distance=_distance(facts),
        digit_steps=found.digit,
    )


def _distance(facts: Facts) -> float | None:
    """Of the returned point from the minimum."""
    if facts.near is None or facts.batches:
        return None
    return facts.error if facts.reported is None else facts.distance(facts.reported)


def _reported(facts: Facts) -> str:
    """That all is said of theta, where the rule reports another point."""
    if facts.reported is None or list(facts.reported) == facts.end:
        return ""
    distance = _distance(facts)
    away = "" if distance is None else part("reported away", error=distance)
    return part("reported") + away


def _judge(facts: Facts) -> Measured:
    slope = write(facts.slope, 3)
    if facts.runaway:
        return Measured("overflow", {"why": facts.runaway})
    if facts.batches and not facts.converged:
        return _on_batches(facts)
    if facts.converged:
        at = Measured(*stationary(facts, part("how stationary", slope=slope)))
        return _with_rate(facts, at) if at.outcome == "within tol" else at
    if facts.rule is None and facts.stuck and facts.settled:
        return Measured("rounding", {"slope": slope, "how": part("how rounding")})
    if facts.steps == 0 and facts.slope != 0:
        return Measured("no step", {"slope": slope})
    if facts.slope == 0 and not facts.moving:
        return _at_rest(facts)
    if facts.near is None and facts.trembles:
        return Measured(*stationary(facts, part("how stationary", slope=slope)))
    found = against_minimum(facts) if facts.near is not None else None
    return found or Measured(*by_loss(facts))


def _with_rate(facts: Facts, found: Measured) -> Measured:
    """The same, with the factor that the error had on the way."""
    observed = facts.observed if facts.near is not None and not facts.auto else None
    if observed is None or not abs(observed) < 1:
        return found
    return Measured("within tol", found.fields | {"each": part("each", rate=observed)}, observed)


def _at_rest(facts: Facts) -> Measured:
    predicted, limit = facts.linear
    moved = facts.steps and list(facts.start) != list(facts.x)
    if moved and facts.at_floor and predicted is not None and limit and abs(predicted) > 1:
        fields: dict[str, object] = {
            "lr": facts.lr,
            "ratio": f"{(facts.lr or 0) / limit:.3g}",
            "limit": limit,
        }
        return Measured("landed", fields)
    return Measured(*stationary(facts, part("how rest")))


def _on_batches(facts: Facts) -> Measured:
    """What can be said of noisy steps: the loss over all rows, at the start and at the end."""
    assert facts.loss is not None
    before = facts.loss.internals.evaluate_value(*facts.start)[0]
    fields = {"first": before, "value": facts.value, "slope": write(facts.slope, 3)}
    return Measured("batches rose" if facts.value > before else "batches fell", fields)


def _beside(facts: Facts, kind: str) -> str:
    """Which bounds hold the minimum that the error is measured from."""
    if facts.near is None or not any(facts.near.held) or kind == "bound" or facts.batches:
        return ""
    assert facts.loss is not None
    assert facts.loss.internals.box is not None
    ends = zip(facts.loss.internals.box.low, facts.loss.internals.box.high, strict=True)
    fixed = [low == high for low, high in ends]
    bounded = [held and not f for held, f in zip(facts.near.held, fixed, strict=True)]
    held = {"fixed": fixed, "bounds hold": bounded}
    places = {name: listed(facts, facts.near.x, which) for name, which in held.items()}
    return "".join(part(name, where=where) for name, where in places.items() if where)


def _stable(facts: Facts, kind: str) -> str:
    """The stable learning rates at the minimum; that a run which gets nearer will not stay."""
    if facts.auto or facts.batches or facts.loss is None or facts.linear[1] is None:
        return ""
    limit = facts.linear[1]
    assert facts.minimum is not None
    if facts.predicted is not None or (facts.near is not None and facts.at_floor):
        return part("stable", limit=limit)
    above = facts.lr is not None and facts.lr > limit and kind in _NEARING
    stays = part("cannot settle") if above else ""
    if len(facts.x) > 3:
        return part("stable there", limit=limit) + stays
    noise = 1e-15 * max(map(abs, facts.start))
    x = [v if abs(v) > noise else 0.0 for v in facts.minimum.x]
    where = place(facts.loss.params, x)
    return part("stable at", limit=limit, place=where) + stays
