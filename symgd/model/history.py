"""The path of a descent."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from symgd._numpy import NDArray, np

_ROWS = 10_001  # or fewer,
_NUMBERS = 10_000_000  # so many numbers


class History:
    """The path of a descent, row 0 the start, one row per step.

    Beyond `limit` rows every other one is dropped, again and again: the first and the last stay.
    """

    def __init__(self, params: int, limit: int | None = None) -> None:
        self._width = params + 2
        self._limit = limit or max(2, min(_ROWS, _NUMBERS // params))
        self.stride = 1
        self._rows = array("d")  # loss, grad_norm, theta..; one call adds a row, so that Ctrl-C
        self._end: int | None = None  # leaves no part of one. The step of a row after the strides

    def __len__(self) -> int:
        return len(self._rows) // self._width

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

    def _steps(self) -> array[int]:
        steps = array("q", range(0, len(self) * self.stride, self.stride))
        if self._end is not None:
            steps[-1] = self._end
        return steps

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

    def rows(self) -> Iterator[tuple[int, tuple[float, ...], float, float]]:
        """(t, theta in the order of params, loss, Euclidean norm of the gradient) by row."""
        width = self._width
        for k, t in enumerate(self._steps()):
            loss, grad_norm, *theta = self._rows[k * width : (k + 1) * width]
            yield t, tuple(theta), loss, grad_norm

    @property
    def t(self) -> NDArray[np.int64]:
        """(K,) int64: the step of each row."""
        return np.array(self._steps())

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
