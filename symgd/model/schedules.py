"""Named learning-rate schedules: each is a formula of the step t and the planned steps n."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from symgd import names
from symgd.errors import ArgumentError, FormulaError
from symgd.formula.functions.table import CALLABLE


@dataclass(frozen=True)
class NamedSchedule:
    """constants: the usual values of what the formula reads; the first, the rate, has none."""

    name: str
    text: str
    constants: Mapping[str, float | None]
    source: str
    title: str

    @property
    def call(self) -> str:
        """How it is written."""
        given = [n if v is None else f"{n}={v:g}" for n, v in self.constants.items()]
        return f"{self.name}({', '.join(given)})"


_ENTRIES = (
    NamedSchedule(
        "cosine",
        "peak*(1 + cos(pi*(t - 1)/n))/2",
        {"peak": None},
        "I. Loshchilov, F. Hutter, 2017, eq. 5, SGDR, https://arxiv.org/abs/1608.03983; "
        "torch.optim.lr_scheduler.CosineAnnealingLR(T_max=n), optax.cosine_decay_schedule",
        "Half a wave of the cosine, from peak to 0.",
    ),
    NamedSchedule(
        "warmup_cosine",
        "peak*where(t <= warmup*n, (t - 1)/(warmup*n), "
        "(1 + cos(pi*(t - 1 - warmup*n)/(n - warmup*n)))/2)",
        {"peak": None, "warmup": 0.1},
        "P. Goyal et al., 2017, section 2.2, Accurate, Large Minibatch SGD, "
        "https://arxiv.org/abs/1706.02677; optax.warmup_cosine_decay_schedule",
        "A straight line from 0 to peak over a part of the steps, then the cosine.",
    ),
    NamedSchedule(
        "one_cycle",
        "peak*where(t - 1 <= start*n - 1, "
        "(1 + 1/div + (1/div - 1)*cos(pi*(t - 1)/(start*n - 1)))/2, "
        "(1 + 1/(div*final) + (1 - 1/(div*final))*cos(pi*(t - start*n)/(n - start*n)))/2)",
        {"peak": None, "start": 0.3, "div": 25.0, "final": 1e4},
        "L. N. Smith, N. Topin, 2018, Super-Convergence, https://arxiv.org/abs/1708.07120; "
        "torch.optim.lr_scheduler.OneCycleLR(peak, total_steps=n) without its momentum",
        "Up from peak/div to peak by a cosine, then down to peak/(div*final).",
    ),
    NamedSchedule(
        "step",
        "first*factor^floor((t - 1)/every)",
        {"first": None, "every": 30.0, "factor": 0.1},
        "torch.optim.lr_scheduler.StepLR(step_size=every, gamma=factor)",
        "The rate times factor after every so many steps.",
    ),
    NamedSchedule(
        "noam",
        "scale*min(t^(-0.5), t*warmup^(-1.5))",
        {"scale": None, "warmup": 4000.0},
        "A. Vaswani et al., 2017, eq. 3, Attention Is All You Need, "
        "https://arxiv.org/abs/1706.03762; scale is their d_model^(-0.5)",
        "Up in a straight line, then down as 1/sqrt(t).",
    ),
)

SCHEDULES: dict[str, NamedSchedule] = {entry.name: entry for entry in _ENTRIES}

_CALL = re.compile(r"\s*([a-z_]+)\s*(?:\((.*)\))?\s*", re.DOTALL)


def expanded(text: str) -> str:
    """The formula of a call such as cosine(0.1) or step(0.1, every=50); another text as it is."""
    match = _CALL.fullmatch(text)
    if match is None:
        return text
    if match[1] not in SCHEDULES:
        _refuse_misspelt(text, match)
        return text
    entry = SCHEDULES[match[1]]
    values: dict[str, str | None] = {
        n: None if v is None else repr(v) for n, v in entry.constants.items()
    }
    for place, piece in enumerate(p for p in (match[2] or "").split(",") if p.strip()):
        name, equals, value = piece.partition("=")
        if not equals:
            name, value = ([*values][place] if place < len(values) else piece), piece
        if name.strip() not in values:
            what = f"the schedule {entry.name} has no constant"
            raise ArgumentError(names.unknown(what, name.strip(), values))
        values[name.strip()] = _number(value, entry)
    missing = [n for n, v in values.items() if v is None]
    if missing:
        raise ArgumentError(
            f"the schedule {entry.name} needs its {missing[0]}: write {entry.name}(0.1); "
            f"all of it: {entry.call}"
        )
    return re.sub(r"[a-z_]\w*", lambda m: values.get(m[0]) or m[0], entry.text)


def _refuse_misspelt(text: str, call: re.Match[str]) -> None:
    """FormulaError where the call is of no function, and a schedule's name is the nearest."""
    if call[2] is None or call[1] in CALLABLE:
        return
    hint = names.suggest(call[1], [*SCHEDULES, *CALLABLE])
    if hint and hint.split("'")[1] in SCHEDULES:
        sentence = f"'{names.escape(call[1])}' is no schedule and no function"
        raise FormulaError(text, call.start(1), sentence, hint)


def _number(text: str, entry: NamedSchedule) -> str:
    try:
        return repr(float(text))
    except ValueError:
        shown = names.escape(text.strip())
        raise ArgumentError(
            f"'{shown}' is no number in the schedule {entry.name}; write {entry.call}"
        ) from None
