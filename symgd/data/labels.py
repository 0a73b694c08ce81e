"""Labels: the texts of columns of categories, and their numbers."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

import numpy as np
from numpy.typing import NDArray


class Labels:
    """The different texts of a column, or of several that share them; numbered from 1.

    The numbers are those of first appearance while the columns are read for the first time, and of
    sorted texts after `settle`: no order of rows decides them.
    """

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._settled = False
        self._lock = Lock()

    def numbers(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """(rows,) float64: the number of each text; 0 for one that is new after `settle`."""
        known = self._numbers
        if not self._settled:
            with self._lock:  # several threads read one column
                for text in texts:
                    known.setdefault(text, len(known) + 1)
        return np.fromiter((known.get(text, 0) for text in texts), np.float64, len(texts))

    def settle(self) -> NDArray[np.float64]:
        """(K + 1,): the final number of each one given so far."""
        found = sorted(self._numbers)
        final = np.zeros(len(found) + 1)
        for number, text in enumerate(found, start=1):
            final[self._numbers[text]] = number
        self._numbers = {text: number for number, text in enumerate(found, start=1)}
        self._settled = True
        return final

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts in the order of their numbers."""
        return tuple(self._numbers)
