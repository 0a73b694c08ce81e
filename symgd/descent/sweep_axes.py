"""What a sweep tries: its axes as they are given, read and checked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, cast

from symgd import names
from symgd._numpy import NDArray, np
from symgd.descent.descend import descend
from symgd.descent.loss_argument import at_start, loss_of, names_in, plain_start, within
from symgd.errors import ArgumentError
from symgd.model.arguments import Arguments, BackendName, read_arguments
from symgd.model.bounds import BoundsByName
from symgd.model.checks import read_origin, to_finite
from symgd.model.loss import Loss
from symgd.model.result import Result
from symgd.model.rules import Rule

_LARGEST = 10_000_000  # descents in one sweep
_SHORT = 10_000  # characters of a loss that is kept for the next sweep


@dataclass(frozen=True)
class Grid:
    """What is tried.

    kinds: runs of learning rates of one kind: all numbers, or one formula. bare: for each rule and
    kind the arguments without hyperparameters.
    """

    loss: Loss
    rules: list[str | Rule]
    rates: Any
    kinds: list[range]
    bare: dict[tuple[int, range], Arguments]
    starts: NDArray[np.float64]
    hyper: dict[str, list[float]]
    axes: dict[str, Any]
    steps: int
    tol: float | None
    backend: str

    def arguments(self, place: int, kind: range) -> Arguments:
        """Of a rule and a kind of rates; of the hyperparameters those that they have."""
        bare = self.bare[place, kind]
        given = {n: v[0] for n, v in self.hyper.items() if n in bare.known}
        return replace(bare, given=given) if given else bare

    def setting(self, k: int) -> dict[str, Any]:
        """The value on each axis."""
        shape = tuple(map(len, self.axes.values()))
        places = np.unravel_index(k, shape)
        pairs = zip(self.axes.items(), places, strict=True)
        return {name: values[int(at)] for (name, values), at in pairs}

    def single(self, k: int) -> Result:
        """One of the descents by itself."""
        chosen = self.setting(k)
        rule, rate, start = (chosen.pop(name) for name in ("rule", "lr", "start"))
        rate = plain_rate(rate)
        known = read_arguments(rate, self.steps, rule, None, self.tol).known
        return descend(
            self.loss,
            start=[float(v) for v in start],
            lr=rate,
            steps=self.steps,
            rule=rule,
            set={n: v for n, v in chosen.items() if n in known},
            tol=self.tol,
            backend=cast("BackendName", self.backend),
        )


def read_grid(
    loss: Any, lr: Any, start: Any, rule: Any, given: Mapping[str, Any], steps: int,
    tol: float | None, backend: str, bounds: BoundsByName | None = None,
) -> Grid:  # fmt: skip
    """The grid of what `symgd.descent.sweep.sweep` was given; ArgumentError where it cannot run."""
    rules = _listed(rule, "rule")
    numbers = isinstance(lr, np.ndarray) and lr.size and lr.dtype.kind in "fiu"
    rates = lr.reshape(-1) if numbers else _listed(lr, "lr")
    values = {names.canonical(str(n)): _numbers(str(n), v) for n, v in given.items()}
    kinds = _kinds(rates)
    bare = {
        (place, kind): read_arguments(plain_rate(rates[kind[0]]), steps, one, None, tol)
        for place, one in enumerate(rules)
        for kind in kinds
    }
    known = frozenset().union(*(one.known for one in bare.values()))
    constants = {n: v for n, v in values.items() if n not in known}
    for name, listed in constants.items():
        if len(listed) > 1:
            shown = names.escape(name)
            raise ArgumentError(f"'{shown}' is no hyperparameter here: give it one value, no list")
    starts = start if isinstance(start, list) else [start]
    starts = [] if isinstance(start, np.ndarray) else starts  # which names no parameter
    tried = [bare[place, kinds[0]].rule for place in range(len(rules))]
    loss = _read(loss, {n: v[0] for n, v in constants.items()}, starts, bounds, tried)
    if not loss.params:
        raise ArgumentError("the loss is constant: there is no parameter to descend on")
    found = [plain_start(one)[0] for one in starts]
    if loss.arrays is not None:
        found = [at_start(loss, point)[1] for point in found]
        loss = loss.by_elements
    loss = within(loss, bounds)
    origin = _origins(loss, start, found)
    if (box := loss.internals.box) is not None:
        origin = np.clip(origin, box.low, box.high)
    hyper = {n: v for n, v in values.items() if n in known}
    axes: dict[str, Any] = {"rule": rules, "lr": rates, "start": origin, **hyper}
    total = math.prod(map(len, axes.values()))
    if not 0 < total <= _LARGEST:
        raise ArgumentError(f"the grid has {total} descents; it may have 1 to {_LARGEST:,}")
    return Grid(loss, rules, rates, kinds, bare, origin, hyper, axes, steps, tol, backend)


def _read(
    source: Any,
    fixed: dict[str, float],
    starts: list[Any],
    bounds: BoundsByName | None,
    rules: list[Rule],
) -> Loss:
    """The loss; that of a text swept once more is not differentiated, nor compiled, again."""
    if isinstance(source, str) and len(source) <= _SHORT:
        with suppress(ArgumentError):  # reported below, with the names of the rule
            return _kept(source, tuple(fixed.items()), tuple(names_in(starts, bounds)))
    return loss_of(source, rules, fixed, starts, bounds)


@lru_cache(maxsize=8)
def _kept(text: str, fixed: tuple[tuple[str, float], ...], named: tuple[str, ...]) -> Loss:
    return Loss(text, constants=dict(fixed), params=named)


def _listed(value: Any, what: str) -> list[Any]:
    if isinstance(value, (str, Rule)) or not hasattr(value, "__iter__"):
        return [value]
    listed = value.reshape(-1).tolist() if isinstance(value, np.ndarray) else list(value)
    if not listed:
        raise ArgumentError(f"the list of {names.escape(what)} is empty")
    return listed


def _numbers(name: str, value: Any) -> list[float]:
    return [to_finite(v, f"'{names.escape(name)}'") for v in _listed(value, name)]


def _kinds(rates: Any) -> list[range]:
    """Neighbors that one kernel can run: numbers together, each formula by itself."""
    text = [False] if isinstance(rates, np.ndarray) else [isinstance(r, str) for r in rates]
    if not any(text):
        _check_rates(rates)
        return [range(len(rates))]
    kinds: list[range] = []
    for k, rate in enumerate(rates):
        if not text[k]:
            _check_rates([rate])
            if kinds and kinds[-1].stop == k and not text[k - 1]:
                kinds[-1] = range(kinds[-1].start, k + 1)
                continue
        kinds.append(range(k, k + 1))
    return kinds


def plain_rate(rate: Any) -> float | str:
    """A learning rate as a single descent takes it: a number, or a formula."""
    return rate if isinstance(rate, str) else float(rate)


def _check_rates(rates: Any) -> None:
    try:
        array = np.asarray(rates)
    except ValueError:  # lists of different lengths
        array = np.array("")
    if array.ndim != 1 or array.dtype.kind not in "fiub":
        raise ArgumentError("a learning rate is no number, and no formula")
    if array.dtype.kind != "b" and array.min() > 0 and array.max() < math.inf:
        return  # also none of them is NaN
    good = np.isfinite(array) & (array > 0) & (array.dtype != bool)
    if not good.all():
        bad = rates[int(np.argmin(good))]
        raise ArgumentError(f"the learning rate is {bad!r}; it must be a number above 0")


def _origins(loss: Loss, start: Any, points: list[Any]) -> NDArray[np.float64]:
    count = len(loss.params)
    if isinstance(start, np.ndarray):
        kind: Any = "unsafe" if start.dtype == object else "same_kind"
        try:
            array = start.astype(np.float64, casting=kind)
        except (TypeError, ValueError, OverflowError):
            raise ArgumentError(f"the starts are {start.dtype}, not numbers") from None
        array = np.repeat(array[:, None], count, axis=1) if array.ndim == 1 else array
        if array.ndim != 2 or array.shape[1] != count:
            raise ArgumentError(
                f"the starts have shape {start.shape}, but the loss has {count} parameters"
            )
    else:
        rows = [read_origin(loss.params, p) for p in points]
        array = np.array(rows, dtype=np.float64).reshape(len(rows), count)
    if not np.isfinite(array).all():
        raise ArgumentError("a start is not finite")
    return array
