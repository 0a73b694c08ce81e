"""Precedence printing: write an expression tree with no more parentheses than it needs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

#: Precedence levels, from the loosest binding to the tightest. LaTeX writes a sum over rows without
#: parentheses only as the last factor of a product.
OR, AND, NOT, COMPARISON, SUM, ROW_SUM, PRODUCT, UNARY, POWER, ATOM = range(10)


class Printer(ABC):
    """Writes trees; `piece` is the text of one node, its operands written by `write`."""

    parentheses: ClassVar[str] = "({})"

    @abstractmethod
    def piece(self, tree: Any) -> tuple[str, int]:
        """The text of a tree without outer parentheses, and its precedence."""

    def write(self, tree: Any, least: int = OR) -> str:
        """The text, in parentheses if its precedence is below `least`."""
        text, binds = self.piece(tree)
        return text if binds >= least else self.parentheses.format(text)
