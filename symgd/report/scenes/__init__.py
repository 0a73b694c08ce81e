"""What a picture of descents shows, as plain numbers and texts: no formula, nothing to evaluate.

So `symgd.report.plots` needs nothing else to draw it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Span = tuple[float, float]


@dataclass(frozen=True)
class Run:
    """One descent as arrays. t: (K,), theta: (K, P), loss and grad_norm: (K,); nan: not known.

    label: "" where it is the only one. away: whether it diverged or left the numbers.
    """

    label: str
    t: Floats
    theta: Floats
    loss: Floats
    grad_norm: Floats
    away: bool
    colour: str
    dash: str


@dataclass(frozen=True)
class Ground:
    """The loss under a path. z: (N,) at x: (N,), or (M, N) over y: (M,); nan: not finite."""

    x: Floats
    z: Floats
    y: Floats | None = None


@dataclass(frozen=True)
class Slice:
    """The plane through a path's end in which it mostly moves.

    flat: (K', 2), the path in it. names: of its two directions. title: what is cut off.
    """

    flat: Floats
    spans: tuple[Span, ...]
    names: tuple[str, str]
    title: str
    ground: Ground | None


@dataclass(frozen=True)
class Scene:
    """The runs of a picture, all of the same loss.

    params: (P,) as they are shown. caption: the lines above. spans: the window of one or two
    parameters, else None. ground: the loss in it, None where it is not known or too long to be
    evaluated. minimum: one in the window, or None. tangents: (theta, loss, slope) at the first
    iterates. cut: the slice through more parameters of a single run.
    """

    runs: list[Run]
    params: tuple[str, ...]
    caption: tuple[str, ...]
    spans: tuple[Span, ...] | None = None
    ground: Ground | None = None
    minimum: tuple[float, ...] | None = None
    tangents: tuple[tuple[float, float, float], ...] = ()
    cut: Slice | None = None

    @property
    def single(self) -> bool:
        """Whether there is one run only, so that its details may be drawn."""
        return len(self.runs) == 1


@dataclass
class Movers:
    """The lines that an animation lets grow: each with the arrays (K,) of its whole path."""

    lines: list[tuple[Any, Floats, Floats]] = field(default_factory=list)
    heads: list[tuple[Any, Floats, Floats]] = field(default_factory=list)


@dataclass(frozen=True)
class RateCurve:
    """One learning-rate map. rates, shown: (K,), shown with inf where there is nothing to draw.

    best: the (rate, loss shown) of the least loss, or None where none is finite. limit: the
    predicted one where it is among the rates, else None.
    """

    name: str
    rates: tuple[float, ...]
    shown: tuple[float, ...]
    best: tuple[float, float] | None
    limit: float | None


@dataclass(frozen=True)
class RateScene:
    """Final loss against learning rate. level: the name of its axis."""

    curves: tuple[RateCurve, ...]
    level: str
    caption: tuple[str, ...]


@dataclass(frozen=True)
class FitScene:
    """Data, model and residuals of a fit.

    x, observed, predicted: (N,), of which every `every`-th is drawn. name: that of x. curve: the
    model as (x, y, low, high), (M,) each, the band nan where it is not known; None where the model
    is no curve over x. diagonal: whether x is what is predicted.
    """

    x: Floats
    observed: Floats
    predicted: Floats
    every: int
    name: str
    level: str
    curve: tuple[Floats, Floats, Floats, Floats] | None
    diagonal: bool
    caption: tuple[str, ...]
