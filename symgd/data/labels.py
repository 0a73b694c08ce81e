"""Labels: the texts of columns of categories, and their numbers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from threading import Lock

from symgd._numpy import NDArray, np
from symgd.errors import DataError, excerpt


class Labels:
    """The different texts of a column, or of several that share them; numbered from 1.

    The numbers are those of first appearance while the columns are read for the first time, and of
    sorted texts after `settle`: no order of rows decides them. texts: all there are, in order.
    Subclasses number texts by what they mean.
    """

    categories = True  # whether the texts are names of categories

    def __init__(self, texts: Sequence[str] | None = None) -> None:
        self._numbers: dict[str, float] = {t: k for k, t in enumerate(texts or (), start=1)}
        self._settled = texts is not None
        self._lock = Lock()

    def numbers(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """(rows,) float64: the number of each text, or DataError for one that is none of all."""
        known = self._numbers
        if not self._settled:
            with self._lock:  # several threads read one column
                for text in texts:
                    if text not in known:
                        self.check(text)
                        known[text] = len(known) + 1
        try:
            return np.fromiter((known[text] for text in texts), np.float64, len(texts))
        except KeyError as error:
            sentence = f"'{excerpt(error.args[0])}' is none of the categories"
            raise DataError(f"{sentence} {excerpt(', '.join(known), 200)}") from None

    def check(self, text: str) -> None:
        """DataError for a text that cannot stand in such a column."""

    def remark(self, name: str) -> str:
        """A sentence for the user on how the column `name` was read, or ""."""
        return ""

    def settle(self, used: Collection[float] | None = None) -> NDArray[np.float64]:
        """(K + 1,): the final number of each one so far, of those in `used` only if it is given."""
        numbers = self._numbers.items()
        kept = [text for text, number in numbers if used is None or number in used]
        found = list(self._numbers) if self._settled else sorted(kept)
        final = np.zeros(len(self._numbers) + 1)
        for number, text in enumerate(found, start=1):
            final[int(self._numbers[text])] = number
        self._numbers = {text: number for number, text in enumerate(found, start=1)}
        self._settled = True
        return final

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts in the order of their numbers."""
        return tuple(self._numbers)
