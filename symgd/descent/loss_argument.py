"""The loss that the verbs of this room take: a `Loss`, or what one is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from symgd import names
from symgd.errors import ArgumentError
from symgd.model.arguments import read_start
from symgd.model.array_start import array_origin, list_shape, listed_shapes
from symgd.model.bounds import BoundsByName, ParameterBox, canonical_bounds, read_bounds
from symgd.model.checks import read_origin
from symgd.model.elements import element_names
from symgd.model.loss import Loss
from symgd.model.rules import Rule
from symgd.model.schedule import Schedule


class ArraysGiven(NamedTuple):
    """What was given of arrays, as for `Loss`."""

    sizes: Mapping[str, int] | None = None
    shapes: Mapping[str, Sequence[int | str]] | None = None
    vectors: Mapping[str, Sequence[str]] | None = None

    def with_start(self, start: Any = None) -> ArraysGiven:
        """The same with the shapes of the arrays in a start."""
        if isinstance(start, str):
            return self._with(listed_shapes(start))
        if not isinstance(start, Mapping):
            return self
        found = {str(k): v.shape for k, v in start.items() if getattr(v, "shape", ())}
        found |= {str(k): list_shape(v) for k, v in start.items() if isinstance(v, (list, tuple))}
        return self._with(found)

    def _with(self, found: Mapping[str, tuple[int, ...]]) -> ArraysGiven:
        return self._replace(shapes={**found, **(self.shapes or {})}) if found else self


NO_ARRAYS = ArraysGiven()


def plain_start(start: Any) -> tuple[Any, tuple[str, ...]]:
    """The start as `read_start` reads it; one with arrays as it is, for `at_start`."""
    return (start, ()) if _holds_arrays(start) else read_start(start)


def names_in(starts: Sequence[Any], bounds: BoundsByName | None) -> list[str]:
    """The parameters that starts and bounds mention, each once."""
    mentioned = [name for start in starts for name in plain_start(start)[1]]
    return list(dict.fromkeys([*mentioned, *canonical_bounds(bounds)]))


def _holds_arrays(start: Any) -> bool:
    if isinstance(start, Mapping):
        return any(not isinstance(v, (int, float)) for v in start.values())
    return isinstance(start, str) and ("[" in start or "~" in start)


def at_start(loss: Loss, start: Any, seed: int = 0) -> tuple[Loss, list[float]]:
    """The loss of single numbers, and the start in the order of its params."""
    if loss.arrays is not None:
        return loss.by_elements, array_origin(loss.arrays, start, seed).tolist()
    if _holds_arrays(start):
        read_start(start)  # says what is wrong with it
    return loss, read_origin(loss.params, start)


def loss_of(
    source: Any,
    rules: Sequence[Rule],
    constants: Mapping[str, float],
    starts: Sequence[Any],
    bounds: BoundsByName | None = None,
    data: Any = None,
    drop_missing: bool = False,
    arrays: ArraysGiven = NO_ARRAYS,
) -> Loss:
    """The loss. constants: values that no rule takes. starts, bounds: name parameters.

    A Loss has its data and constants already: ArgumentError where more are given.
    """
    verb = "has" if len(rules) == 1 else "have"
    called = names.escape(", ".join(rule.name for rule in rules))
    if not isinstance(source, Loss):
        named, arrays = names_in(starts, bounds), arrays.with_start(*starts[:1])
        options = {"drop_missing": drop_missing, **arrays._asdict()}
        try:
            return Loss(source, data, constants=constants, params=named, **options)
        except ArgumentError as error:
            if not constants or not rules:
                raise
            known = ", ".join(dict.fromkeys(n for r in rules for n in r.hyperparameters)) or "none"
            raise ArgumentError(f"{error}\nhyperparameters of {called}: {known}") from None
    if any(arrays):
        raise ArgumentError("this Loss has its sizes already; give sizes to it")
    if data is not None:
        raise ArgumentError("this Loss has its data already; give data to one of them")
    for name in constants:
        who = f"{called} {verb}" if rules else "a method has"
        raise ArgumentError(f"{who} no hyperparameter '{names.escape(name)}'")
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
    if named := _by_element(loss, canonical_bounds(given)):
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


def held(loss: Loss, schedule: Schedule, origin: Sequence[float]) -> Loss:
    """The loss whose parameters of learning rate 0 stay where they start."""
    schedule.check_names(loss.params)
    if not schedule.held:
        return loss
    box = loss.internals.box or ParameterBox.open(len(loss.params))
    low, high = list(box.low), list(box.high)
    for k, param in enumerate(loss.params):
        if schedule.rate_of(param) in schedule.held:
            low[k] = high[k] = float(origin[k])
    return loss.around(loss.internals.within(ParameterBox(tuple(low), tuple(high))))


def _by_element(loss: Loss, given: Mapping[str, Any]) -> dict[str, Any]:
    """The bounds of an array as those of each of its elements."""
    found: dict[str, Any] = {}
    for name, pair in given.items():
        found |= dict.fromkeys(element_names(name, loss.shapes.get(name, ())), pair)
    return found


def clipped(loss: Loss, x: list[float]) -> list[float]:
    """The nearest point within the bounds of the loss."""
    return x if loss.internals.box is None else loss.internals.box.clip(x)
