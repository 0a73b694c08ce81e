"""The path of a descent."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, overload

from symgd._numpy import NDArray, np
from symgd.errors import ArgumentError, import_problem

_COMPLETE = 3_000_000  # numbers up to which the history of a run is complete,
_ROWS = 10_001  # of a longer one: so many rows,
_NUMBERS = 10_000_000  # or fewer, so many numbers
_MOST = 250_000_000  # numbers of a history that is asked for (2 GB)

ALL = "all"


class HistoryRow(NamedTuple):
    """One step. theta: in the order of params."""

    t: int
    theta: tuple[float, ...]
    loss: float
    grad_norm: float


class History(Sequence[HistoryRow]):
    """The path of a descent, row 0 the start, one row per step; a slice is a History, too.

    Beyond `limit` rows every other one is dropped, again and again: the first and the last stay.
    stride: how many steps lie between two rows. names: of the parameters.

    >>> import symgd
    >>> path = symgd.descend("theta**2", steps=3).history
    >>> len(path), path[-1].theta, path[1:].loss.tolist()
    (4, (0.216,), [0.36, 0.1296, 0.046655999999999996])
    """

    def __init__(
        self, params: int, limit: int | None = None, stride: int = 1, names: Sequence[str] = ()
    ) -> None:
        self._width = params + 2
        self._limit = limit or max(2, min(_ROWS, _NUMBERS // params))
        self.stride, self.names = stride, tuple(names)
        self._rows = array("d")  # loss, grad_norm, theta..; one call adds a row, so that Ctrl-C
        self._end: int | None = None  # leaves no part of one. The step of a row after the strides
        self._chosen: array[int] | None = None  # the steps of a slice

    @classmethod
    def of_run(
        cls,
        names: Sequence[str],
        steps: int,
        keep: int | str | None = None,
        every: int | None = None,
    ) -> History:
        """An empty history for a run of so many steps, or ArgumentError where it is too long.

        keep: "all" rows, so many at most, or None: all of a run of up to 3*10**6 numbers. every:
        the steps whose rows must not be thinned.
        """
        width = len(names) + 2
        rows = steps + 2
        if keep is None and every and every <= steps and rows * width > _COMPLETE:
            stride = _divisor(every, steps)
            rows = steps // stride + 2
            return cls(len(names), _checked(rows, width), stride, names)
        if keep == ALL or (keep is None and rows * width <= _COMPLETE):
            return cls(len(names), _checked(rows, width), names=names)
        return cls(len(names), None if keep is None else int(keep), names=names)

    def __len__(self) -> int:
        return len(self._rows) // self._width

    @overload
    def __getitem__(self, index: int) -> HistoryRow: ...

    @overload
    def __getitem__(self, index: slice) -> History: ...

    def __getitem__(self, index: int | slice) -> HistoryRow | History:
        """One row, or those of a slice."""
        places = range(len(self))
        if isinstance(index, slice):
            return self._at(places[index])
        k, width = places[index], self._width
        loss, grad_norm, *theta = self._rows[k * width : (k + 1) * width]
        return HistoryRow(self._steps()[k], tuple(theta), loss, grad_norm)

    def _at(self, places: Sequence[int]) -> History:
        """The rows at these places."""
        steps, width = self._steps(), self._width
        part = History(width - 2, self._limit, self.stride, self.names)
        part._chosen = array("q", (steps[k] for k in places))
        for k in places:
            part._rows.extend(self._rows[k * width : (k + 1) * width])
        return part

    def __iter__(self) -> Iterator[HistoryRow]:
        return self.rows()

    def __repr__(self) -> str:
        if not len(self):
            return "<History: empty>"
        steps = self._steps()
        first, last = self.loss_at(0), self.loss_at(-1)
        thinned = f", thinned from {steps[-1] + 1:,}" if self.thinned else ""
        rows = f"{len(self):,} rows{thinned}, t = {steps[0]} to {steps[-1]}"
        return f"<History: {rows}, loss {first:.6g} to {last:.6g}>"

    @property
    def thinned(self) -> bool:
        """Whether rows of steps between the first and the last are missing."""
        return len(self) > 0 and self._chosen is None and len(self) <= self.last_step()

    def append(
        self, theta: Sequence[float] | NDArray[np.float64], loss: float, grad_norm: float
    ) -> None:
        """Record one row: of the next multiple of `stride`."""
        row = array("d", (loss, grad_norm))
        if isinstance(theta, np.ndarray):
            row.frombytes(theta.tobytes())
        else:
            row.extend(theta)
        self._rows.extend(row)
        if len(self) > self._limit:
            self._thin()

    def extend(self, rows: array[float], count: int) -> None:
        """Record many rows [loss, grad_norm, theta..], of the next multiples of `stride`."""
        self._rows.extend(rows[: count * self._width])
        while len(self) > self._limit:
            self._thin()

    def hold(
        self, t: int, theta: Sequence[float] | NDArray[np.float64], loss: float, grad_norm: float
    ) -> None:
        """Record the same row for all steps that are left before t."""
        row = array("d", (loss, grad_norm, *theta))
        while (left := -(-t // self.stride) - len(self)) > 0:
            self._rows.extend(row * min(left, self._limit + 1))
            if len(self) > self._limit:
                self._thin()

    def close(self, t: int, theta: Sequence[float], loss: float, grad_norm: float) -> None:
        """Record the end of the run, of whatever step."""
        if len(self) >= self._limit:
            self._thin()
        self.append(theta, loss, grad_norm)
        self._end = t

    def _thin(self) -> None:
        """Drop every other row: those of odd multiples of the stride."""
        width = self._width
        kept = array("d", bytes(8 * width * ((len(self) + 1) // 2)))
        for k in range(width):
            kept[k::width] = self._rows[k :: 2 * width]
        self.stride, self._rows = 2 * self.stride, kept

    def _steps(self) -> Sequence[int]:
        """The step of each row."""
        if self._chosen is not None:
            return self._chosen
        regular = range(0, len(self) * self.stride, self.stride)
        return regular if self._end is None else _Steps(regular[:-1], self._end)

    def loss_at(self, row: int) -> float:
        """The loss of one row."""
        return self._rows[range(len(self))[row] * self._width]

    def last_step(self) -> int:
        """The step of the last row; -1 where there is none."""
        return self._steps()[-1] if len(self) else -1

    def last(self, span: int, most: int) -> list[tuple[int, list[float]]]:
        """(t, theta) of the last `span` steps, at most `most` of them.

        An odd number of rows apart: a run that jumps from side to side is seen on both.
        """
        steps, width = self._steps(), self._width
        first = bisect_left(steps, steps[-1] - span)
        apart = -(-(len(steps) - first) // most) | 1
        places = range(len(steps) - 1, first - 1, -apart)
        return [(steps[k], self._rows[k * width + 2 : (k + 1) * width].tolist())
                for k in reversed(places)]  # fmt: skip

    def rows(self) -> Iterator[HistoryRow]:
        """(t, theta in the order of params, loss, Euclidean norm of the gradient) by row."""
        width = self._width
        for k, t in enumerate(self._steps()):
            loss, grad_norm, *theta = self._rows[k * width : (k + 1) * width]
            yield HistoryRow(t, tuple(theta), loss, grad_norm)

    def at_most(self, rows: int = _ROWS) -> History:
        """Itself, or of a longer one so many rows evenly apart and the last one: for pictures."""
        apart = -(-len(self) // rows)
        if apart <= 1:
            return self
        return self._at([*range(0, len(self) - 1, apart), len(self) - 1])

    @property
    def t(self) -> NDArray[np.int64]:
        """(K,) int64: the step of each row."""
        return np.array(array("q", self._steps()))

    @property
    def theta(self) -> NDArray[np.float64]:
        """(K, P) float64: the parameters, in the order of Loss.params."""
        return np.array(self._rows).reshape(len(self), self._width)[:, 2:].copy()

    @property
    def loss(self) -> NDArray[np.float64]:
        """(K,) float64."""
        return np.array(self._rows[:: self._width])

    @property
    def grad_norm(self) -> NDArray[np.float64]:
        """(K,) float64: the Euclidean norm of the gradient."""
        return np.array(self._rows[1 :: self._width])

    def columns(self) -> dict[str, NDArray[Any]]:
        """t, one column per parameter, loss, grad_norm; (K,) each.

        A parameter with the name of another column is `theta.NAME`.
        """
        theta = self.theta
        names = self.names or [f"theta[{k + 1}]" for k in range(theta.shape[1])]
        taken = ("t", "loss", "grad_norm")
        shown = [f"theta.{name}" if name in taken else name for name in names]
        by_name = {name: theta[:, k] for k, name in enumerate(shown)}
        return {"t": self.t, **by_name, "loss": self.loss, "grad_norm": self.grad_norm}

    def to_pandas(self) -> Any:
        """A pandas DataFrame of `columns()`."""
        return _frame("pandas", self.columns())

    def to_polars(self) -> Any:
        """A polars DataFrame of `columns()`."""
        return _frame("polars", self.columns())


class _Steps(Sequence[int]):
    """Regular steps and a last one."""

    def __init__(self, regular: range, last: int) -> None:
        self._regular, self._last = regular, last

    def __len__(self) -> int:
        return len(self._regular) + 1

    def __getitem__(self, k: Any) -> Any:
        k = range(len(self))[k]
        return self._last if k == len(self._regular) else self._regular[k]


def _frame(package: str, columns: dict[str, NDArray[Any]]) -> Any:
    """A data frame of the package, or ImportError that says how to install it."""
    from importlib import import_module

    if problem := import_problem(package, package):
        raise ImportError(f"to_{package}() needs {package}{problem}")
    return import_module(package).DataFrame(columns)


def _checked(rows: int, width: int) -> int:
    if rows * width > _MOST:
        size = 8e-9 * rows * width
        raise ArgumentError(
            f"the history of {rows - 2:,} steps takes {size:.3g} GB\n"
            "ask for fewer rows, as --history 10000 or a larger --every"
        )
    return rows


def _divisor(every: int, steps: int) -> int:
    """The least divisor of `every` that is a stride of at most so many rows, else `every`."""
    least = max(1, math.ceil(steps / (_ROWS - 1)))
    for k in range(max(1, every // least), 0, -1):
        if every % k == 0 and every // k >= least:
            return every // k
    return every
