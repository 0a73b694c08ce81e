"""Grids of cases: the tests hold a fixed slice of each; SYMGD_TEST_GRIDS=whole runs all of it.

`python -m benchmarks grids` does that for every test that has one.
"""

import itertools
import os

WHOLE = os.environ.get("SYMGD_TEST_GRIDS") == "whole"


def grid(*axes):
    """All combinations; in a slice as many as the longest axis has values, each value in some."""
    axes = [list(axis) for axis in axes]
    if WHOLE:
        return list(itertools.product(*axes))
    return [tuple(map(_turned, axes, [k] * len(axes))) for k in range(max(map(len, axes)))]


def _turned(axis, k):
    """Value k of an axis that begins again, one place further each time, where it ends."""
    return axis[(k + k // len(axis)) % len(axis)]


def every(nth, cases):
    """All cases, in a slice every nth."""
    return list(cases) if WHOLE else list(cases)[::nth]
