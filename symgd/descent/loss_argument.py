"""The loss that the verbs of this room take: a `Loss`, or what one is made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from symgd import names
from symgd.errors import ArgumentError
from symgd.model.bounds import BoundsByName, ParameterBox, canonical_bounds, read_bounds
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


def within(
    loss: Loss,
    given: BoundsByName | None,
    rule: Rule | None = None,
    values: Mapping[str, float] | None = None,
) -> Loss:
    """The loss in the bounds that it has, those given and those of a rule that ends with box.

    values: the hyperparameters of the rule. ArgumentError where nothing is left between them.
    """
    params, boxes = loss.params, []
    if named := canonical_bounds(given):
        boxes.append(read_bounds(named, params, params))
    if rule is not None and rule.unboxed is not rule and values is not None:
        pair = values["lower"], values["upper"]
        boxes.append(read_bounds(dict.fromkeys(params, pair), params, params))
    if not boxes:
        return loss
    boxes += [] if loss.internals.box is None else [loss.internals.box]
    low = [max(ends) for ends in zip(*(box.low for box in boxes), strict=True)]
    high = [min(ends) for ends in zip(*(box.high for box in boxes), strict=True)]
    read_bounds(dict(zip(params, zip(low, high, strict=True), strict=True)), params, params)
    return loss.around(loss.internals.within(ParameterBox(tuple(low), tuple(high))))


def clipped(loss: Loss, x: list[float]) -> list[float]:
    """The nearest point within the bounds of the loss."""
    return x if loss.internals.box is None else loss.internals.box.clip(x)
