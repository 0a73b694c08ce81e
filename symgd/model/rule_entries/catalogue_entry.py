"""One entry of the catalogue of update rules."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from textwrap import dedent
from types import MappingProxyType
from typing import Literal


@dataclass(frozen=True)
class Entry:
    """One row of the catalogue: a rule, or a prefix or suffix to join to one.

    lr: a usual learning rate (for a prefix or suffix: that of `gd`).
    title, source (author, year, equation or algorithm, title, URL) and note (where torch.optim,
    optax and the paper differ, and which of them is followed): prose, line breaks are spaces.
    text: lines `name = expression`, in the rule language.
    defaults: the hyperparameters with a usual value; any other must be given by the user.
    """

    name: str
    kind: Literal["rule", "prefix", "suffix"]
    lr: float
    title: str
    text: str
    source: str
    note: str = ""
    defaults: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", _aligned(dedent(self.text).strip()))
        object.__setattr__(self, "defaults", MappingProxyType(dict(self.defaults)))
        for name in ("title", "source", "note"):
            object.__setattr__(self, name, " ".join(getattr(self, name).split()))


def _aligned(text: str) -> str:
    """The lines with their first = below each other."""
    pairs = [line.partition("=") for line in text.splitlines()]
    width = max(len(left.rstrip()) for left, equals, _ in pairs if equals)
    return "\n".join(
        f"{left.rstrip():{width}} = {right.strip()}" if equals else left
        for left, equals, right in pairs
    )
