"""Why an iteration ended."""

from __future__ import annotations

from enum import Enum


class End(Enum):
    """Why an iteration ended."""

    SMALL = "max|g| <= tol"
    SETTLED = "another step is rounding"
    BLOCKED = "no step lowers the value"
