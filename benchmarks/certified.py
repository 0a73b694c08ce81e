"""explain --certify: how many losses get a rate, and whether anything in the boxes refutes it."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator

import numpy as np

from benchmarks.measure import ROOT, Row
from symgd import Loss
from symgd.analysis.certified.certified_rate import CertifiedRate, certified_rate

PROBLEMS = ROOT / "tests" / "files" / "mgh.json"  # More, Garbow and Hillstrom 1981
STARTS = 100_000  # in all boxes together


def rows() -> Iterator[Row]:
    """Problems without a certificate, points that refute one, tightness and times."""
    records = json.loads(PROBLEMS.read_text("utf-8"))
    found: list[tuple[Loss, list[float], CertifiedRate]] = []
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
            found.append((loss, start, certified))
        else:
            without.append(record["name"])
            unexplained += not certified.why_not
    names = ", ".join(without)
    yield Row(f"of {len(records)} problems, without a certified rate", len(without), "", 6, names)
    yield Row("of these without a reason", unexplained, "", 0)
    yield Row("slowest of up to 4 parameters, CPU", slowest, "s", 2, of)
    refuted, loosest, which = 0, 1.0, ""
    for loss, start, certified in found:
        wrong, largest = _sampled(loss, start, certified, STARTS // len(found))
        refuted += wrong
        ratio = (certified.curvature or 0.0) / largest
        if len(start) <= 4 and ratio > loosest:
            loosest, which = ratio, loss.text[:30]
    yield Row(f"of {STARTS:,} random starts, refuted", refuted, "", 0)
    yield Row("bound over sampled curvature, up to 4 parameters", loosest, "x", 1.1, which)


def _sampled(loss: Loss, start: list[float], found: CertifiedRate, count: int) -> tuple[int, float]:
    """How many random starts refute the certificate, and the largest curvature at one.

    A start not above the level whose first step raises the loss, leaves the box, or where the
    curvature is above the bound. Half of them are near the start, where the loss is not above it
    more often.
    """
    rng = np.random.default_rng(7)
    box = np.array(found.box)
    box = np.where(np.isfinite(box), box, np.array(start)[:, None] + [[-10.0, 10.0]])
    level = loss.value(start)
    rate = 0.99 * min(found.lr_max or 0.0, 1e6)
    refuted, largest = 0, float(np.linalg.eigvalsh(loss.hess(start))[-1])
    for k in range(count):
        share = rng.random(len(box)) * (1.0 if k % 2 else 0.2)
        end = box[np.arange(len(box)), rng.integers(0, 2, len(box))]
        x = np.array(start) + share * (end - start)
        value, grad = loss.value_and_grad(x)
        if not value <= level:
            continue
        step = x - rate * grad
        curvature = float(np.linalg.eigvalsh(loss.hess(x))[-1])
        largest = max(largest, curvature)
        left = (step < box[:, 0]).any() or (step > box[:, 1]).any()
        left = left and all(math.isfinite(e) for ends in found.box or () for e in ends)
        raised = loss.value(step) > value + 1e-13 * abs(value)
        refuted += bool(left or raised or curvature > (found.curvature or 0.0) * (1 + 1e-12))
    return refuted, largest
