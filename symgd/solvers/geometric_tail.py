"""The limit of steps that shrink by a constant factor, as Newton's do at a singular minimum."""

from __future__ import annotations

from symgd._numpy import np
from symgd.solvers.objectives import Vector


class Tail:
    """The last full Newton steps: where they shrink by a constant factor, their limit is taken.

    So they do where the curvature vanishes at the minimum, as at 0 of x**4.
    """

    def __init__(self) -> None:
        self.last, self.ratio = np.zeros(0), 0.0

    def limit(self, step: Vector) -> Vector | None:
        """All that is left of such a series of steps, of which this is the next; else None."""
        last, self.last = self.last, step
        before, self.ratio = self.ratio, 0.0
        if not len(last):
            return None
        length = float(np.linalg.norm(last)) or 1.0
        self.ratio = float(np.linalg.norm(step)) / length
        aligned = float(step @ last) >= 0.99 * self.ratio * length * length
        steady = aligned and 0.4 < self.ratio < 0.95 and abs(self.ratio - before) <= 0.02
        return step / (1 - self.ratio) if steady else None

    def forget(self) -> None:
        """No full step was taken."""
        self.last, self.ratio = np.zeros(0), 0.0
