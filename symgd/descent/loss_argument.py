"""The loss that the verbs of this room take: a `Loss`, or what one is made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from symgd import names
from symgd.errors import ArgumentError
from symgd.model.loss import Loss
from symgd.model.rules import Rule


def loss_of(
    source: Any,
    rules: Sequence[Rule],
    constants: Mapping[str, float],
    named: Iterable[str],
    data: Any = None,
    drop_missing: bool = False,
) -> Loss:
    """The loss. constants: values that no rule takes; named: parameters that the start mentions.

    A Loss has its data and constants already: ArgumentError where more are given.
    """
    verb = "has" if len(rules) == 1 else "have"
    called = names.escape(", ".join(rule.name for rule in rules))
    if not isinstance(source, Loss):
        try:
            return Loss(source, data, constants=constants, params=named, drop_missing=drop_missing)
        except ArgumentError as error:
            if not constants:
                raise
            known = ", ".join(dict.fromkeys(n for r in rules for n in r.hyperparameters)) or "none"
            raise ArgumentError(f"{error}\nhyperparameters of {called}: {known}") from None
    if data is not None:
        raise ArgumentError("this Loss has its data already; give data to one of them")
    for name in constants:
        raise ArgumentError(f"{called} {verb} no hyperparameter '{names.escape(name)}'")
    return source
