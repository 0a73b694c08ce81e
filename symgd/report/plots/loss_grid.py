"""Samples of a loss for pictures: in a window, or in a plane through many dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from symgd._numpy import NDArray, np
from symgd.model.loss import Loss
from symgd.model.result import Result
from symgd.report.viewport import LARGEST, bounding_spans, loss_values

Floats: TypeAlias = "NDArray[np.float64]"
Span = tuple[float, float]

_CURVE_POINTS = 600
_GRID_POINTS = 120  # along each side of a map, half as many of a slice
_MOST_OPERATIONS = 20_000  # of a loss that is evaluated at thousands of points
_PANEL_OPERATIONS = 60_000_000  # over all rows for one panel, which fixes its resolution
_FEWEST_POINTS = 12  # along each side
_MOST_PANEL_OPERATIONS = 1_000_000_000  # for a panel with the fewest points


@dataclass(frozen=True)
class LossGrid:
    """Samples of the loss. z: (N,) at x: (N,), or (M, N) over y: (M,); nan: not finite."""

    x: Floats
    z: Floats
    y: Floats | None = None


@dataclass(frozen=True)
class PlaneSlice:
    """The plane through the end of a path in its two principal directions.

    projected: (K', 2), the path in the plane. names: of the directions.
    """

    projected: Floats
    spans: tuple[Span, ...]
    names: tuple[str, str]
    title: str
    loss_grid: LossGrid | None


def drawable_loss(result: Result) -> Loss | None:
    """The loss of a run, or None if it is unknown or too expensive for a picture."""
    loss = result.loss
    if not isinstance(loss, Loss) or loss.internals.value_program.operations > _MOST_OPERATIONS:
        return None
    return loss if loss.internals.work * _FEWEST_POINTS**2 <= _MOST_PANEL_OPERATIONS else None


def sample_window(loss: Loss, spans: Sequence[Span]) -> LossGrid:
    """The loss in a window of one or two parameters."""
    if len(spans) == 2:
        return _sample_plane(loss, spans, _GRID_POINTS, np.zeros(2), np.eye(2))
    x = np.linspace(*spans[0], _resolution(loss, _CURVE_POINTS, 1))
    return LossGrid(x, _drawable_values(loss, x[:, None]))


def plane_slice(loss: Loss | None, path: Floats, params: Sequence[str], title: str) -> PlaneSlice:
    """The slice along a path, (K', P). loss: None if it is not drawn."""
    center = path[-1]
    axes = _principal_directions(path - center)
    projected = (path - center) @ axes.T
    spans = bounding_spans(projected.tolist())
    grid = None if loss is None else _sample_plane(loss, spans, _GRID_POINTS // 2, center, axes)
    names = (_direction(axes[0], params), _direction(axes[1], params))
    return PlaneSlice(projected, spans, names, title, grid)


def _sample_plane(
    loss: Loss, spans: Sequence[Span], points: int, center: Floats, axes: Floats
) -> LossGrid:
    """The loss at center + a*axes[0] + b*axes[1] for a and b in a window."""
    count = _resolution(loss, points, 2)
    x, y = (np.linspace(low, high, count) for low, high in spans)
    plane = np.stack([a.ravel() for a in np.meshgrid(x, y)], axis=1)
    return LossGrid(x, _drawable_values(loss, center + plane @ axes).reshape(count, count), y)


def _resolution(loss: Loss, wanted: int, dimensions: int) -> int:
    """The points along each side of a panel, at most `wanted`; fewer for many rows."""
    affordable = (_PANEL_OPERATIONS / max(1, loss.internals.work)) ** (1 / dimensions)
    return max(_FEWEST_POINTS, min(wanted, int(affordable)))


def _drawable_values(loss: Loss, points: Floats) -> Floats:
    """The loss at (N, P) points: (N,), nan where it is no number that can be drawn."""
    values = loss_values(loss, points)
    values[~(np.abs(values) <= LARGEST)] = np.nan
    return values


def _principal_directions(path: Floats) -> Floats:
    """(2, P): the first two principal directions of the path, their largest entries positive."""
    count = path.shape[1]
    scale = np.abs(path).max() or 1.0
    _, _, rows = np.linalg.svd(np.vstack([path / scale, np.zeros((2, count))]), full_matrices=False)
    axes = rows[:2].copy()
    for axis in axes:
        axis *= np.sign(axis[np.argmax(np.abs(axis))]) or 1.0
    return axes


def _direction(axis: Floats, params: Sequence[str]) -> str:
    """The direction as a sum: 0.8·a - 0.6·b + ..."""
    order = [int(k) for k in np.argsort(-np.abs(axis), kind="stable") if abs(axis[k]) >= 0.005]
    text = ""
    for k in order[:3]:
        sign = "−" if axis[k] < 0 else "+" if text else ""
        space = " " if text else ""
        text += f"{space}{sign}{space}{abs(axis[k]):.2g}·{params[k]}"
    return text + (" + …" if len(order) > 3 else "")
