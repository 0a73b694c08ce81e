"""explain --certify: how many losses get a rate, and whether anything in the boxes refutes it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from benchmarks.measure import ROOT, Row
from symgd import Loss
from symgd.analysis.certified.certified_rate import CertifiedRate, certified_rate

PROBLEMS = ROOT / "tests" / "files" / "mgh.json"  # More, Garbow and Hillstrom 1981
STARTS = 100_000  # in all boxes together, none above the level
STEPS = 3  # of gradient descent from each
SEARCHES, RESTARTS = 20, 4  # for the largest curvature, from the highest of the points


def rows() -> Iterator[Row]:
    """Problems without a certificate, points that refute one, tightness and times."""
    records = json.loads(PROBLEMS.read_text("utf-8"))
    found: list[tuple[str, Loss, list[float], CertifiedRate]] = []
    without, unexplained, slowest, of = list[str](), 0, 0.0, ""
    for record in records:
        loss = Loss(record["expr"])
        start = [float(record["start"][record["params"].index(p)]) for p in loss.params]
        began = time.process_time()
        certified = certified_rate(loss, start)
        took = time.process_time() - began
        if len(start) <= 4 and took > slowest:
            slowest, of = took, record["name"]
        if certified.box is not None:
            found.append((record["name"], loss, start, certified))
        else:
            without.append(record["name"])
            unexplained += not certified.why_not
    names = ", ".join(without)
    yield Row(f"of {len(records)} problems, without a certified rate", len(without), "", 6, names)
    yield Row("of these without a reason", unexplained, "", 0)
    yield Row("slowest of up to 4 parameters, CPU", slowest, "s", 2, of)
    refuted, loosest, which = 0, 1.0, ""
    for k, (name, loss, start, certified) in enumerate(found):
        count = STARTS // len(found) + (k < STARTS % len(found))
        wrong, largest = _Sampled(loss, start, certified).run(count)
        refuted += wrong
        ratio = (certified.curvature or 0.0) / largest
        if len(start) <= 4 and ratio > loosest:
            loosest, which = ratio, name
    yield Row(f"of {STARTS:,} starts not above the level, refuted", refuted, "", 0)
    yield Row("bound over sampled curvature, up to 4 parameters", loosest, "x", 1.1, which)


class _Sampled:
    """Random points of the set that a certificate speaks of, and what happens from there."""

    def __init__(self, loss: Loss, start: list[float], found: CertifiedRate) -> None:
        self.loss, self.start, self.found = loss, np.array(start), found
        self.box = np.array(found.box)
        near = np.stack([self.start - 10.0, self.start + 10.0], axis=1)
        self.sampled = np.where(np.isfinite(self.box), self.box, near)
        self.level = np.inf if found.everywhere else loss.value(start)

    def run(self, count: int) -> tuple[int, float]:
        """How many of so many starts refute the certificate, and the largest curvature found."""
        rng, point, refuted = np.random.default_rng(7), self.start, 0
        highest = [(0.0, self.start)] * SEARCHES
        for k in range(count):
            point = self._another(point, rng)
            curvature = self._curvature(point)
            refuted += self._refutes(point, curvature)
            of = k * SEARCHES // count
            highest[of] = max(highest[of], (curvature, point), key=lambda pair: pair[0])
        return refuted, max(self._curvature(self._climbed(point)) for _, point in highest)

    def _another(self, x: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
        """Hit and run: along a line within the box, until the loss is not above the level."""
        while True:
            direction = rng.normal(size=len(x)) * (self.sampled[:, 1] - self.sampled[:, 0])
            with np.errstate(divide="ignore"):
                ends = (self.sampled - x[:, None]) / direction[:, None]
            furthest = ends.max(axis=1).min() * rng.random()
            for _ in range(12):
                point: NDArray[np.float64] = x + furthest * direction
                if self.loss.value(point) <= self.level:
                    return point
                furthest /= 2

    def _curvature(self, x: NDArray[np.float64]) -> float:
        return float(np.linalg.eigvalsh(self.loss.hess(x))[-1])

    def _refutes(self, x: NDArray[np.float64], curvature: float) -> bool:
        """Whether the curvature is above its bound, or descent raises the loss or leaves."""
        wrong = curvature > (self.found.curvature or 0.0) * (1 + 1e-12)
        rate = 0.99 * min(self.found.lr_max or 0.0, 1e6)
        value, slope = self.loss.value_and_grad(x)
        for _ in range(STEPS):
            x, before = x - rate * slope, value
            value, slope = self.loss.value_and_grad(x)
            wrong |= not value <= before + 1e-13 * abs(before)
            wrong |= bool((x < self.box[:, 0]).any() or (x > self.box[:, 1]).any())
        return wrong

    def _climbed(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Where local searches from a point find the largest curvature, at the level or below."""
        for _ in range(RESTARTS):  # each in the scales of the loss where it begins
            end = self._search(x)
            if self.loss.value(end) <= self.level and self._curvature(end) > self._curvature(x):
                x = end
        return x

    def _search(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        from scipy.optimize import NonlinearConstraint, minimize

        level, curvature = min(self.level, 1e300), self._curvature(x)
        size = self.level if np.isfinite(self.level) else 1.0
        scale = np.sqrt(size / (np.abs(np.diag(self.loss.hess(x))) + 1e-9 * size))
        found = minimize(
            lambda z: -self._curvature(x + scale * z) / curvature,
            np.zeros_like(x),
            method="SLSQP",
            bounds=(self.sampled - x[:, None]) / scale[:, None],
            constraints=[
                NonlinearConstraint(
                    lambda z: self.loss.value(x + scale * z) / level, -np.inf, 1 - 1e-5
                )
            ],
            options={"ftol": 1e-9},
        )
        return np.asarray(x + scale * found.x)
