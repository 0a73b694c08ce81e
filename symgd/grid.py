"""Many descents of one loss at once: grids of learning rates, starts, rules and hyperparameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy

from symgd import diagnosis, names
from symgd.arguments import Arguments, read_arguments, read_start, resolve
from symgd.choice import compiled
from symgd.descent import BACKENDS, descend, read_loss, settles
from symgd.errors import ArgumentError
from symgd.loss import Loss
from symgd.rate_map import not_finite
from symgd.result import Result, Status
from symgd.rules import Rule
from symgd.step_program import is_large, step_program

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from symgd.native_sweep import LanesKernel, Outcome

_LARGEST = 10_000_000  # descents in one sweep
_SHORT = 10_000  # characters of a loss that is kept for the next sweep
_FAR = 100  # a descent that moved less than this, and down, has not run away


class Sweep(Sequence[Result]):
    """The descents of a grid; `sweep[i]` is the Result of one, as `descend` returns it.

    axes: what was tried, name -> the values, in the order in which the grid is laid out; the last
    changes fastest. theta: (N, P) float64, the returned points in the order of params. value,
    grad_norm: (N,) float64, there. steps: (N,) int64, how many steps each took. lost: (N,) bool,
    whether the point after the returned one has no finite loss.
    """

    def __init__(self, grid: _Grid) -> None:
        self.loss = grid.loss
        self.axes = grid.axes
        self._grid = grid
        count = len(self)
        self.theta: NDArray[np.float64] = np.empty((count, len(grid.loss.params)))
        self.value: NDArray[np.float64] = np.empty(count)
        self.grad_norm: NDArray[np.float64] = np.empty(count)
        self.steps: NDArray[np.int64] = np.zeros(count, dtype=np.int64)
        self.lost: NDArray[np.bool_] = np.zeros(count, dtype=bool)
        self._results: dict[int, Result] = {}
        self._quick: list[_Status] = []

    def __len__(self) -> int:
        return math.prod(self.shape)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[k] for k in range(*index.indices(len(self)))]
        k = range(len(self))[index]
        if k not in self._results:
            self._results[k] = self._grid.single(k)
        return self._results[k]

    def __repr__(self) -> str:
        return f"<Sweep of {len(self)} descents on {names.escape(self.loss.text[:60])}>"

    @property
    def shape(self) -> tuple[int, ...]:
        """How many values each axis has: `value.reshape(sweep.shape)` is the grid."""
        return tuple(map(len, self.axes.values()))

    def setting(self, k: int) -> dict[str, Any]:
        """What descent k was given: the value on each axis."""
        return self._grid.setting(k)

    @cached_property
    def status(self) -> list[Status]:
        """How each descent ended: what `sweep[i].status` says, without the rest of the Result."""
        known = {k: quick(k) for quick in self._quick for k in quick.indices}
        return [known.get(k) or self[k].status for k in range(len(self))]

    @property
    def best(self) -> int:
        """The index of the least value; -1 where none is a number."""
        return -1 if np.isnan(self.value).all() else int(np.nanargmin(self.value))


def sweep(
    loss: str | sympy.Expr | Callable[..., Any] | Loss = "theta**2",
    *,
    lr: Any = 0.2,
    start: Any = 1.0,
    rule: Any = "gd",
    set: Mapping[str, Any] | None = None,  # noqa: A002 - as in descend
    steps: int = 20,
    tol: float | None = None,
    backend: str = "auto",
    threads: int | None = None,
) -> Sweep:
    """All descents of a grid, each as `descend` would run it, on all processors at once.

    lr, rule: one, or a list. start: one (a number, mapping, text or tuple), or a list or (S, P)
    array of starts. set: each hyperparameter a number or a list, constants of the loss numbers. The
    grid is their product in the order rule, lr, start, set. threads: how many; None: one per
    processor. The numbers depend neither on it nor on the other descents.

    Raises a SymgdError before anything runs.

    >>> grid = sweep("theta**2", lr=[0.001, 0.2, 10], steps=20)
    >>> [status.value for status in grid.status]
    ['completed', 'completed', 'diverged']
    """
    if backend not in BACKENDS:
        shown = names.escape(str(backend))
        raise ArgumentError(f"there is no backend '{shown}'; use {', '.join(BACKENDS)}")
    if threads is not None and (not isinstance(threads, int) or threads < 1):
        raise ArgumentError(f"threads is {threads!r}; it must be a whole number, 1 or more")
    grid = _grid(loss, lr, start, rule, set or {}, steps, tol, backend)
    done = Sweep(grid)
    for r, chosen in enumerate(grid.rules):
        for rates in grid.kinds:
            _run(done, _Part(grid, r, chosen, rates), threads)
    return done


@dataclass(frozen=True)
class _Grid:
    """What is tried. kinds: runs of learning rates of one kind: all numbers, or one formula."""

    loss: Loss
    rules: list[str | Rule]
    rates: Any
    kinds: list[range]
    starts: NDArray[np.float64]
    hyper: dict[str, list[float]]
    axes: dict[str, Any]
    steps: int
    tol: float | None
    backend: str

    def arguments(self, rule: str | Rule, rate: float | str) -> Arguments:
        """Checked; of the hyperparameters those that this rule and rate have."""
        bare = read_arguments(rate, self.steps, rule, None, self.tol)
        given = {n: v[0] for n, v in self.hyper.items() if n in bare.known}
        return read_arguments(rate, self.steps, rule, given, self.tol)

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
        rate = _plain(rate)
        known = read_arguments(rate, self.steps, rule, None, self.tol).known
        return descend(
            self.loss,
            start=[float(v) for v in start],
            lr=rate,
            steps=self.steps,
            rule=rule,
            set={n: v for n, v in chosen.items() if n in known},
            tol=self.tol,
            backend=self.backend,
        )


def _grid(
    loss: Any, lr: Any, start: Any, rule: Any, given: Mapping[str, Any], steps: int,
    tol: float | None, backend: str,
) -> _Grid:  # fmt: skip
    rules = _listed(rule, "rule")
    rates = lr.reshape(-1) if isinstance(lr, np.ndarray) and lr.size else _listed(lr, "lr")
    values = {names.canonical(str(n)): _listed(v, str(n)) for n, v in given.items()}
    kinds = _kinds(rates)
    known: frozenset[str] = frozenset()
    for one in rules:
        for kind in kinds:
            known |= read_arguments(_plain(rates[kind[0]]), steps, one, None, tol).known
    constants = {n: v for n, v in values.items() if n not in known}
    for name, listed in constants.items():
        if len(listed) > 1:
            shown = names.escape(name)
            raise ArgumentError(f"'{shown}' is no hyperparameter here: give it one value, no list")
    first = read_arguments(_plain(rates[0]), steps, rules[0], None, tol).rule
    starts = start if isinstance(start, (list, np.ndarray)) else [start]
    points = [] if isinstance(start, np.ndarray) else [read_start(s) for s in starts]
    if not isinstance(loss, Loss):
        named = tuple(dict.fromkeys(n for _, mentioned in points for n in mentioned))
        loss = _read(loss, {n: float(v[0]) for n, v in constants.items()}, named, first)
    elif constants:
        shown = names.escape(next(iter(constants)))
        raise ArgumentError(f"{first.name} has no hyperparameter '{shown}'")
    if not loss.params:
        raise ArgumentError("the loss is constant: there is no parameter to descend on")
    origin = _origins(loss, start, [point for point, _ in points])
    hyper = {n: [_number(n, v) for v in listed] for n, listed in values.items() if n in known}
    axes: dict[str, Any] = {"rule": rules, "lr": rates, "start": origin, **hyper}
    total = math.prod(map(len, axes.values()))
    if not 0 < total <= _LARGEST:
        raise ArgumentError(f"the grid has {total} descents; it may have 1 to {_LARGEST:,}")
    return _Grid(loss, rules, rates, kinds, origin, hyper, axes, steps, tol, backend)


def _read(source: Any, fixed: dict[str, float], named: tuple[str, ...], rule: Rule) -> Loss:
    """The loss; that of a text swept once more is not differentiated, nor compiled, again."""
    if isinstance(source, str) and len(source) <= _SHORT:
        with suppress(ArgumentError):  # which is told below, with the names of the rule
            return _kept(source, tuple(fixed.items()), named)
    return read_loss(source, fixed, named, rule)


@lru_cache(maxsize=8)
def _kept(text: str, fixed: tuple[tuple[str, float], ...], named: tuple[str, ...]) -> Loss:
    return Loss(text, constants=dict(fixed), params=named)


def _listed(value: Any, what: str) -> list[Any]:
    if isinstance(value, (str, Rule)) or not hasattr(value, "__iter__"):
        return [value]
    listed = value.tolist() if isinstance(value, np.ndarray) else list(value)
    if not listed:
        raise ArgumentError(f"the list of {names.escape(what)} is empty")
    return listed


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


def _plain(rate: Any) -> float | str:
    return rate if isinstance(rate, str) else float(rate)


def _check_rates(rates: Any) -> None:
    try:
        array = np.asarray(rates)
        good = np.isfinite(array) & (array > 0) & (array.dtype != bool)
    except (TypeError, ValueError):
        raise ArgumentError("a learning rate is no number, and no formula") from None
    if not good.all():
        bad = rates[int(np.argmin(good))]
        raise ArgumentError(f"the learning rate is {bad!r}; it must be a number above 0")


def _origins(loss: Loss, start: Any, points: list[Any]) -> NDArray[np.float64]:
    count = len(loss.params)
    if isinstance(start, np.ndarray):
        array = np.asarray(start, dtype=np.float64)
        array = np.repeat(array[:, None], count, axis=1) if array.ndim == 1 else array
        if array.ndim != 2 or array.shape[1] != count:
            raise ArgumentError(
                f"the starts have shape {start.shape}, but the loss has {count} parameters"
            )
    else:
        rows = [[p] * count if isinstance(p, float) else loss.point(p) for p in points]
        array = np.array(rows, dtype=np.float64).reshape(len(rows), count)
    if not np.isfinite(array).all():
        raise ArgumentError("a start is not finite")
    return array


def _number(name: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ArgumentError(f"'{names.escape(name)}' is {value!r}, not a number") from None
    if not math.isfinite(number):
        raise ArgumentError(f"'{names.escape(name)}' is {number}; it must be finite")
    return number


@dataclass(frozen=True)
class _Part:
    """The descents of one rule and one kind of learning rate: what one kernel runs."""

    grid: _Grid
    place: int
    rule: str | Rule
    rates: range
    arguments: Arguments = field(init=False)

    def __post_init__(self) -> None:
        rate = self.grid.rates[self.rates[0]]
        object.__setattr__(self, "arguments", self.grid.arguments(self.rule, _plain(rate)))

    @property
    def indices(self) -> slice:
        """Where they are in the sweep: the grid is laid out rule by rule, rate by rate."""
        rest = len(self.grid.starts) * math.prod(map(len, self.grid.hyper.values()))
        first = self.place * len(self.grid.rates)
        return slice((first + self.rates.start) * rest, (first + self.rates.stop) * rest)

    def columns(self) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float64]]]:
        """The start and the values by name of each descent."""
        grid = self.grid
        rates = grid.rates[self.rates.start : self.rates.stop]
        axes = [
            np.zeros(1) if isinstance(rates[0], str) else np.asarray(rates, dtype=np.float64),
            np.arange(len(grid.starts), dtype=np.float64),
            *(np.array(v) for v in grid.hyper.values()),
        ]
        shape = tuple(map(len, axes))
        count = math.prod(shape)
        mesh = []
        for k, axis in enumerate(axes):  # one value needs no copy for each descent
            along = axis.reshape([-1 if i == k else 1 for i in range(len(axes))])
            whole = len(axis) in (1, count)
            one = np.broadcast_to(axis, count) if whole else np.broadcast_to(along, shape)
            mesh.append(one.reshape(-1))
        named = dict(zip(("lr", "", *grid.hyper), mesh, strict=True))
        which = named.pop("")
        if len(grid.starts) == 1:
            return np.broadcast_to(grid.starts, (count, grid.starts.shape[1])), named
        return grid.starts[which.astype(np.int64)], named


def _run(done: Sweep, part: _Part, threads: int | None) -> None:
    kernel = None
    if part.grid.backend != "lambdify" and not part.arguments.schedule.auto:
        kernel = _kernel(part)
    if kernel is None:
        for k in range(len(done))[part.indices]:
            result: Result = done[k]
            done.theta[k], done.value[k] = result.x, result.value
            done.grad_norm[k], done.steps[k] = result.grad_norm, result.steps
            done.lost[k] = not_finite(result)
        return
    from symgd.backends.native.steps import Code

    lanes, labels, own = kernel
    values = resolve(part.arguments)
    start, columns = part.columns()
    outcome = lanes.run(
        start,
        {k: columns[n] for k, n in enumerate(labels) if own[k]},
        [columns[n][0] if n == "lr" else values[n] for k, n in enumerate(labels) if not own[k]],
        part.grid.steps,
        part.grid.tol,
        threads,
    )
    place = part.indices
    done.theta[place], done.value[place] = outcome.theta, outcome.value
    done.grad_norm[place], done.steps[place] = outcome.grad_norm, outcome.steps
    code = outcome.code
    done.lost[place] = (code == Code.NONFINITE_LOSS) | (code == Code.NONFINITE_STEP)
    done._quick.append(_Status(part, outcome, start))


def _kernel(part: _Part) -> tuple[LanesKernel, list[str], list[bool]] | None:
    """The compiled kernel, the names of its tail values, and which of them differ; None: Python."""
    grid, arguments = part.grid, part.arguments
    labels = list(resolve(arguments))
    if grid.loss.rows is not None or is_large(grid.loss, arguments.rule):
        return None
    named = list(labels)
    if arguments.schedule.value is not None:
        labels = ["lr", *labels]
    own = [len(part.rates) > 1 if n == "lr" else len(grid.hyper.get(n, ())) > 1 for n in labels]

    def make() -> LanesKernel:
        from symgd.backends.native.machine import remembered
        from symgd.native_sweep import LanesKernel

        program = step_program(grid.loss, arguments.rule, arguments.schedule, named)
        still, count, asked = settles(arguments), len(grid.loss.params), grid.tol is not None
        key = ("lanes", program.key, count, *own, still, asked)  # the same text, read again
        return remembered(key, lambda: LanesKernel(program, count, own, still, asked))

    def kept() -> tuple[Loss, LanesKernel]:
        from symgd.backends.native.machine import remembered

        key = ("sweep", id(grid.loss), arguments.rule.text, str(rate), *own, grid.tol is not None)
        return remembered(key, lambda: (grid.loss, make()))  # as long as the loss keeps its id

    rate = None if arguments.schedule.formula is None else arguments.schedule.text
    kernel = compiled(kept)
    return None if kernel is None else (kernel[1], labels, own)


@dataclass(frozen=True)
class _Status:
    """The status of the descents of one part, where it needs no full Result."""

    part: _Part
    outcome: Outcome
    start: NDArray[np.float64]

    @property
    def indices(self) -> range:
        """Which descents of the sweep it knows."""
        place = self.part.indices
        return range(place.start, place.stop)

    def __call__(self, k: int) -> Status | None:
        from symgd.backends.native.steps import Code

        at = k - self.indices.start
        loss, outcome = self.part.grid.loss, self.outcome
        code, steps = Code(int(outcome.code[at])), int(outcome.steps[at])
        if code is Code.NONFINITE_LOSS and steps:
            found = diagnosis.find(loss, outcome.beyond[at].tolist(), steps + 1)
            return Status.DIVERGED if found.overflow else Status.NONFINITE
        if code is Code.DONE and steps > 4 and self._calm(at):
            return Status.COMPLETED if self.part.grid.tol is None else Status.MAX_STEPS
        return None

    def _calm(self, at: int) -> bool:
        """Whether it neither ran away nor stands still: all steps were run, and that is all."""
        start, theta = self.start[at], self.outcome.theta[at]
        far = np.abs(theta - start).max() > _FAR * (1 + np.abs(start).max())
        slope = self.outcome.grad_norm[at]
        return not far and slope > 0 and self.outcome.value[at] <= self.first[at]

    @cached_property
    def first(self) -> NDArray[np.float64]:
        """The loss at each start."""
        rows, back = np.unique(self.start, axis=0, return_inverse=True)
        losses = [self.part.grid.loss.evaluate_value(*row)[0] for row in rows.tolist()]
        return np.array(losses)[back.reshape(-1)]
