"""Scenes: the data of pictures as plain numbers and texts, drawn by `symgd.report.plots`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Span = tuple[float, float]


@dataclass(frozen=True)
class Trajectory:
    """One descent as arrays. t: (K,), theta: (K, P), loss and grad_norm: (K,); nan: unknown.

    label: "" for a single descent. diverged: whether it diverged or became non-finite.
    """

    label: str
    t: Floats
    theta: Floats
    loss: Floats
    grad_norm: Floats
    diverged: bool
    color: str
    dash: str


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


@dataclass(frozen=True)
class DescentScene:
    """Descents of the same loss.

    params: (P,), their labels. caption: lines. spans: the window of one or two parameters, else
    None. loss_grid: the loss in it, None if it is unknown or too expensive. minimum: in the window,
    or None. tangents: (theta, loss, derivative) at the first iterates. plane_slice: for a single
    run of more parameters.
    """

    runs: list[Trajectory]
    params: tuple[str, ...]
    caption: tuple[str, ...]
    spans: tuple[Span, ...] | None = None
    loss_grid: LossGrid | None = None
    minimum: tuple[float, ...] | None = None
    tangents: tuple[tuple[float, float, float], ...] = ()
    plane_slice: PlaneSlice | None = None

    @property
    def single(self) -> bool:
        """Whether there is a single run, whose details are drawn."""
        return len(self.runs) == 1


@dataclass
class AnimatedLines:
    """The lines that an animation lets grow, each with the arrays (K,) of its whole path."""

    lines: list[tuple[Any, Floats, Floats]] = field(default_factory=list)
    heads: list[tuple[Any, Floats, Floats]] = field(default_factory=list)


@dataclass(frozen=True)
class RateCurve:
    """One learning-rate map. rates, shown: (K,); shown: losses, inf where they are not drawn.

    best: (rate, loss) of the lowest loss, or None if none is finite. limit: the predicted one if it
    is within the rates, else None.
    """

    name: str
    rates: tuple[float, ...]
    shown: tuple[float, ...]
    best: tuple[float, float] | None
    limit: float | None


@dataclass(frozen=True)
class RateScene:
    """Final loss against learning rate."""

    curves: tuple[RateCurve, ...]
    y_label: str
    caption: tuple[str, ...]


@dataclass(frozen=True)
class FitScene:
    """Data, model and residuals of a fit.

    x, observed, predicted: (N,), of which every `every`-th is drawn. curve: the model as (x, y,
    low, high), (M,) each, the band nan where it is unknown; None if x is not its only column.
    diagonal: whether x is the predicted value.
    """

    x: Floats
    observed: Floats
    predicted: Floats
    every: int
    x_label: str
    y_label: str
    curve: tuple[Floats, Floats, Floats, Floats] | None
    diagonal: bool
    caption: tuple[str, ...]
