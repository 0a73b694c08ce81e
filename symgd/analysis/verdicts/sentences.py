"""The kinds of outcome and their sentences: the one table that every report and the page read.

A key is an outcome; its kind is what JSON tells, its template what people read. Fields in braces
are texts; a field may be empty.
"""

from __future__ import annotations

from symgd.model.result import Result, Status
from symgd.names import escape

#: outcome -> (kind, template)
OUTCOMES: dict[str, tuple[str, str]] = {
    # against a certified minimum: the error is the distance from it
    "within tol": ("converged", "converged: max|g| = {slope}{each}{reason}"),
    "exact": ("converged", "converged: the gradient is exactly 0 at a minimum"),
    "rounding": (
        "converged",
        "converged: as near to the minimum as {how}: max|g| = {slope}",
    ),
    "landed": (
        "landed",
        "landed: on the minimum, though lr = {lr} is {ratio} times the limit {limit}; from a "
        "neighboring start it would not",
    ),
    "geometric": (
        "converging",
        "converging: each step multiplies the error by {rate}{predicted}{swing}",
    ),
    "slow": ("slow", "slow: each step keeps {rate} of the error{predicted}{swing}{digit}"),
    "unsteady": (
        "converging",
        "converging: the error fell from {before} to {error} in the last {span}, by no steady "
        "factor{digit}",
    ),
    "stopping": (
        "descending",
        "descending: the error fell from {before} to {error} in the last {span}, and stays at "
        "{left} when the run goes on: the rule's fixed point is not the minimum",
    ),
    "until now": (
        "descending",
        "descending: the error fell from {before} to {error} in the last {span} steps; weight "
        "decay may move it away from the minimum again",
    ),
    "detour": (
        "converging",
        "converging: the error is {now} or less lately, and {error} or less when the run has gone "
        "on for {more} steps, by no steady factor{digit}",
    ),
    "leaving again": (
        "converging",
        "converging: the error falls to {low} in {more} steps more, but the rule then leaves the "
        "minimum again, to {high}",
    ),
    "bursting": (
        "oscillating",
        "oscillating: in bursts; when the run goes on the error falls to {low} and grows to {high}",
    ),
    "power": ("sublinear", "sublinear: the error falls like t^-{power}{digit}"),
    "constant": (
        "approaching",
        "approaching: {step} per step, {error} from the minimum: about {left} steps away",
    ),
    "resting": (
        "flat",
        "at rest {error} from the minimum, though max|g| = {slope}: the rule's fixed point is not "
        "the minimum",
    ),
    "run down": (
        "run_down",
        "run down: lr has fallen to {lr} before the minimum was reached; what is left is {error}",
    ),
    "reversing": (
        "oscillating",
        "oscillating: each step multiplies the error by {rate}: it jumps from side to side",
    ),
    "bouncing": (
        "oscillating",
        "oscillating: the error stays between {low} and {high}{against}",
    ),
    "growing": ("diverging", "diverging: each step multiplies the error by {rate}"),
    "leaving": (
        "diverging",
        "diverging: the error grew from {before} to {error} in the last {span} steps",
    ),
    # no certified minimum: loss and gradient only
    "overflow": ("diverging", "diverging: {why}; the last finite point is returned"),
    "running": ("diverging", "diverging: each step is {rate} times the one before"),
    "rising": ("diverging", "diverging: the loss grew from {first} to {value}{ever}"),
    "fleeing": (
        "diverging",
        "diverging: each step is {rate} times the one before; the loss falls without a minimum in "
        "sight",
    ),
    "swinging": (
        "oscillating",
        "oscillating: the loss stays between {low} and {high}, the steps do not get shorter",
    ),
    "to and fro": ("oscillating", "oscillating: it goes to and fro, with steps of {step}"),
    "kinked swing": (
        "oscillating",
        "oscillating: it jumps across a kink, where the gradient changes sign, with steps of "
        "{step}",
    ),
    "unbounded": (
        "unbounded",
        "unbounded below: {how}; the loss went from {first} to {value}",
    ),
    "within tol only": (
        "descending",
        "descending: max|g| = {slope} is within tol, but {how}{reason}",
    ),
    "plateau": (
        "plateau",
        "plateau: the loss went from {first} to {value} only; max|g| = {slope}, and {how}",
    ),
    "descending": (
        "descending",
        "descending: the loss fell from {first} to {value}{last}; max|g| = {slope}{reason}",
    ),
    "descending from afar": (
        "descending",
        "descending: the loss fell from {first} to {value}{last}; max|g| = {slope}; the minimum "
        "found from here is {error} away",
    ),
    "descending elsewhere": (
        "descending",
        "descending: the loss fell from {first} to {value}{last}; max|g| = {slope}; no minimum "
        "found near here, that found from the start is {error} away",
    ),
    "descending large": (
        "descending",
        "descending: the loss fell from {first} to {value}{last}; max|g| = {slope}",
    ),
    "descending gradient": ("descending", "descending: max|g| went from {before} to {slope}"),
    "faded": (
        "run_down",
        "run down: lr has fallen to {lr}; the loss is {value}, max|g| = {slope} is left",
    ),
    "risen": (
        "oscillating",
        "oscillating: the loss rose from {first} to {value}, but does not rise on",
    ),
    "restless": (
        "oscillating",
        "oscillating: the loss rose from {first} and goes up and down between {low} and {high}",
    ),
    "turning": (
        "descending",
        "descending: the loss rose from {first} to {value}, and falls to {later} when the run goes "
        "on",
    ),
    "swinging down": (
        "descending",
        "descending: the loss fell from {first} to {value}; it goes to and fro, {before} or less "
        "lately and {later} or less when the run goes on",
    ),
    "returning": (
        "oscillating",
        "oscillating: the loss fell from {first} to {value}, and rises again to {later}",
    ),
    # at rest, or with a gradient within tol
    "saddle": ("saddle", "{how}, but not a minimum: {downhill}"),
    "inflection": (
        "inflection",
        "{how}, but not a minimum: the curvature vanishes and the loss falls on one side",
    ),
    "level": ("flat", "{how}: flat, the gradient is 0 all around"),
    "kink": ("kink", "{how}: a kink, where the gradient jumps; the loss is {around}"),
    "bound": (
        "bound",
        "converged at a bound: {where}, where the gradient{pull} points out of the box{rest}",
    ),
    "large": ("flat", "{how}; the loss is too large to look at its curvature"),
    "flat": ("flat", "{how}: no minimum is certified, the curvature vanishes{along}"),
    "fixed": (
        "flat",
        "at rest though max|g| = {slope}: a fixed point of the rule, or steps too small for a "
        "double",
    ),
    "blocked": ("flat", "at rest though max|g| = {slope}: no step of the solver lowers the loss"),
    "far": ("unbounded", "unbounded: the loss still falls at x = {size}"),
    "no step": ("flat", "no step was taken: max|g| = {slope} at the start"),
    # what no error is measured of
    "batches fell": ("descending", "descending: over all rows the loss went from {first} to "
                     "{value}; max|g| = {slope}"),
    "batches rose": ("diverging", "diverging: over all rows the loss went from {first} to "
                     "{value}; max|g| = {slope}"),
    "nonfinite": ("nonfinite", "not finite: {why}"),
    # on the page, where it knows less than Python
    "undecided": ("descending", "descending: the loss went from {first} to {value}; "
                  "max|g| = {slope}"),
    "left": ("descending", "descending: until step {step}, at which it leaves the finite numbers"),
}  # fmt: skip

#: what fills the fields of these sentences, or stands behind them
PARTS: dict[str, str] = {
    "predicted": " (predicted {rate})",
    "sides": ": it jumps from side to side",
    "digit": "; one more digit costs {steps} steps",
    "power digit": ": one more digit takes {times} times as many steps, about {more} more",
    "step": "step",
    "steps": "{count} steps",
    "each": "; each step multiplied the error by {rate}",
    "against": ": lr = {lr} is {ratio} times the limit {limit}",
    "at limit": ": lr = {lr} is the limit",
    "ever": "; each step is {rate} times the one before",
    "last": ", {percent} % of it in the last tenth of the steps",
    "held": "{count} parameters at bounds",
    "in others": "; max|g| = {slope} in the others",
    "fixed": "; {where} is held fixed",
    "reported": "; this is told of theta, not of the reported point",
    "reported away": ", which is {error} from the minimum",
    "bounds hold": "; the bounds hold {where} at the minimum",
    "how rounding": "rounding allows",
    "how auto": "comparing losses allows",
    "how rest": "at rest: the gradient is exactly 0",
    "how stationary": "stationary: max|g| = {slope}",
    "how slow": "converging: max|g| = {slope}",
    "curves": "the loss curves downward (smallest curvature {curvature})",
    "way out": "; the way out is along {way} or its opposite",
    "along": " along {way}",
    "every side": "higher on every side looked at",
    "some sides": "lower on some sides",
    "no side": "lower on no side looked at",
    "near bound": "; within {gap} of its lower bound {bound}",
    "at its bound": "; the loss is at its lower bound {bound}",
    "convex": "; the loss is convex, so where its gradient vanishes it is least",
    "unseen": "; the loss is too large to look at its curvature",
    "too large": "the loss is too large for a double at step {step}",
    "undefined": "the loss or its gradient is not defined at step {step}",
    "stable": "; stable for 0 < lr < {limit}",
    "stable at": "; stable for 0 < lr < {limit} at the minimum {place}",
    "stable there": "; stable for 0 < lr < {limit} at its minimum",
    "cannot settle": ", so it cannot settle there",
    "away": "; the minimum is {error} away",
    "falls on": "no minimum is near: the loss falls on from here",
    "none near": "no minimum was found near here",
    "none": "; no minimum found near here",
    "slows down": "; it slows down, though {how}",
    "far": "the minimum found from here is {error} away",
}

#: kinds after which another learning rate or start is looked for,
ADVISED = ("diverging", "nonfinite", "oscillating", "slow", "run_down", "sublinear", "saddle",
           "inflection")  # fmt: skip
#: and those after which it is, if a digit costs more steps than this, or nobody knows how many
ADVISED_IF_SLOW = ("approaching", "converging", "descending")
MANY_STEPS = 114


def advisable(result: Result) -> bool:
    """Whether something else is worth a try after this run."""
    verdict, lr = result.verdict, result.lr
    if result.method is not None:
        return False
    if result.status is Status.CONVERGED and verdict.kind == "descending":  # to no minimum
        return False
    if verdict.kind in ADVISED or result.status is Status.MAX_STEPS:
        return True
    if verdict.kind == "flat" and verdict.lr_max is not None:
        return result.grad_norm > 0 and result.theta == result.start  # steps too small for a double
    if verdict.kind not in ADVISED_IF_SLOW:
        return False
    if verdict.lr_max is not None and isinstance(lr, float) and lr > verdict.lr_max:
        return True
    known = verdict.digit_steps is not None or verdict.rate_observed is not None
    return not known or (verdict.digit_steps or 0) > MANY_STEPS


def tell(outcome: str, **fields: object) -> tuple[str, str]:
    """The kind and the sentence of an outcome; numbers are written with 6 digits."""
    kind, template = OUTCOMES[outcome]
    return kind, template.format(**{name: write(value) for name, value in fields.items()})


def part(name: str, **fields: object) -> str:
    """A part of a sentence; numbers are written with 6 digits."""
    return PARTS[name].format(**{name: write(value) for name, value in fields.items()})


def write(value: object, digits: int = 6) -> str:
    """A float with so many digits, any other value as it is."""
    return f"{value:.{digits}g}" if isinstance(value, float) else str(value)


def factor(value: float) -> str:
    """A factor per step with 6 digits, of its difference from 1 where that would leave none."""
    gap = 1 - abs(value)
    if not 0 < abs(gap) < 1e-5:
        return f"{value:.6g}"
    return f"{'-' * (value < 0)}(1 {'-' if gap > 0 else '+'} {abs(gap):.3g})"


def place(names: tuple[str, ...], x: list[float]) -> str:
    """A point in words: "x = 1, y = 2"."""
    return ", ".join(f"{escape(n)} = {v:.4g}" for n, v in zip(names, x, strict=True))
