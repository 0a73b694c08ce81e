"""The command line that repeats a run with another learning rate or start, as it stands."""

from __future__ import annotations

import math
import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from symgd.model.bounds import BoundsByName, canonical_bounds
from symgd.model.result import Result
from symgd.names import escape

_LONG = 2000  # characters of a loss that a command quotes
_CONSTANTS = {"e", "pi"}  # parameters only where the start names them


@dataclass(frozen=True)
class Asked:
    """What a run was asked for besides loss, rule, rate and start.

    given: the hyperparameters and constants that were set. data: a path, or what holds the rows.
    batch: rows of each step. seed: of these, of the rule's and of the start's random numbers.
    start: as it was given.
    """

    steps: int
    given: Mapping[str, float] = field(default_factory=dict)
    tol: float | None = None
    backend: str = "auto"
    data: Any = None
    drop_missing: bool = False
    batch: int | None = None
    seed: int = 0
    bounds: BoundsByName | None = None
    start: Any = None

    @property
    def path(self) -> str | None:
        """Where the data are, "" without data; None where no command can name them."""
        if self.data is None:
            return ""
        if isinstance(self.data, (str, os.PathLike)):
            return os.fspath(self.data)
        label = getattr(self.data, "label", None) if hasattr(self.data, "blocks") else None
        return label if isinstance(label, str) and os.path.exists(label) else None


def command(
    result: Result,
    asked: Asked,
    *,
    lr: float | None = None,
    start: Mapping[str, float] | None = None,
) -> str:
    """The command, or "" where none can be written: data in memory, pages of formula or start."""
    text, path = result.loss.text, asked.path
    unnamed = not path and getattr(result.loss, "table", None) is not None
    if len(text) > _LONG or path is None or unnamed:
        return ""
    words = ["symgd", _quoted(text)]
    if path:
        words += ["--data", shlex.quote(path)]
    indexed = getattr(result.loss, "indexed", None)
    if indexed is not None:
        words += indexed.arrays.options.words
    rate = result.lr if lr is None else lr
    assert rate is not None
    assert result.rule is not None
    if rate != 0.2:
        words += ["--lr", f"{rate:g}" if isinstance(rate, float) else _quoted(rate)]
    place = _start(dict(result.start if start is None else start))
    if len(" ".join(place)) > _LONG:
        if start is not None or not isinstance(asked.start, str):
            return ""
        place = ["--start", _quoted(asked.start)]
    words += place
    if result.rule.name != "gd":
        rule = result.rule.text.strip().replace("\n", "; ")
        words += ["--rule", _quoted(rule if result.rule.name == "custom" else result.rule.name)]
    for name, value in asked.given.items():
        words += ["--set", _quoted(f"{name}={value!r}")]
    for name, (low, high) in canonical_bounds(asked.bounds).items():
        ends = (f"{float(v)!r}" if _closed(v) else "" for v in (low, high))
        words += ["--bound", _quoted(f"{name}={':'.join(ends)}")]
    if asked.steps != 20:
        words += ["--steps", str(asked.steps)]
    if asked.tol is not None:
        words += ["--tol", f"{asked.tol!r}"]
    if asked.backend != "auto":
        words += ["--backend", asked.backend]
    if asked.drop_missing:
        words.append("--drop-missing")
    if asked.batch is not None:
        words += ["--batch", str(asked.batch)]
    if asked.seed:
        words += ["--seed", str(asked.seed)]
    return " ".join(words)


def _start(place: Mapping[str, float]) -> list[str]:
    values = set(place.values())
    if len(values) > 1 or _CONSTANTS & set(place):
        return ["--start", _quoted(",".join(f"{n}={v!r}" for n, v in place.items()))]
    return [] if values == {1.0} else ["--start", f"{values.pop()!r}"]


def _closed(end: float | None) -> bool:
    return end is not None and math.isfinite(end)


def _quoted(text: str) -> str:
    return shlex.quote(escape(text))
