"""Constraints as users type them, and the augmented Lagrangian, which is a formula too."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from symgd import names
from symgd.errors import ArgumentError, FormulaError

_RELATION = re.compile(r"<=|>=|==|=|≤|≥|<|>")
_HINT = 'write for example "x + y <= 1", "x = 2*y" or "x[i] <= x[i+1], i=1..n-1"'


@dataclass(frozen=True)
class Constraint:
    """difference <= 0, or = 0 of an equality, for all values of the indices `over`.

    text: as it was typed; of a chain its part.
    """

    text: str
    difference: str
    equality: bool
    over: tuple[str, ...] = ()

    @property
    def indices(self) -> str:
        """The names of the indices: "i,j"."""
        return ",".join(part.partition("=")[0].strip() for part in self.over)

    def term(self, multiplier: str, penalty: str) -> str:
        """What it adds to the augmented Lagrangian."""
        one = f"{multiplier}[{self.indices}]" if self.over else multiplier
        d = f"({self.difference})"
        if self.equality:
            return self._summed(f"{one}*{d} + {penalty}/2*{d}^2")
        return self._summed(f"(relu({one} + {penalty}*{d})^2 - {one}^2)/(2*{penalty})")

    def _summed(self, body: str) -> str:
        return f"sum({body}, {', '.join(self.over)})" if self.over else body


def read_constraints(texts: str | Sequence[str]) -> list[Constraint]:
    """["0 <= x <= 1"] as two constraints; FormulaError where there is no relation."""
    found = []
    for text in [texts] if isinstance(texts, str) else texts:
        if not isinstance(text, str):
            raise ArgumentError(f"a constraint is a text, not {type(text).__name__}")
        body, *over = names.split_outside(text, ",") or [""]
        places = [m for m in _RELATION.finditer(body) if _outside(body, m.start())]
        if not places:
            raise FormulaError(text, len(body), "a constraint needs =, <= or >=", _HINT)
        ends = [0, *(m.end() for m in places)]
        sides = [body[a:b].strip() for a, b in zip(ends, [*(m.start() for m in places), None])]  # noqa: B905 - one more end
        for k, place in enumerate(places):
            left, right, sign = sides[k], sides[k + 1], place.group()
            if sign in "<>" or not left or not right:
                what = "a strict inequality has no minimum" if sign in "<>" else "a side is missing"
                raise FormulaError(text, place.start(), what, _HINT)
            turned = sign in (">=", "≥")
            difference = f"({right}) - ({left})" if turned else f"({left}) - ({right})"
            shown = f"{left} {sign} {right}" + "".join(f", {part}" for part in over)
            found.append(Constraint(shown, difference, sign in ("=", "=="), tuple(over)))
    return found


def _outside(text: str, place: int) -> bool:
    """Whether a place is outside of all brackets."""
    before = text[:place]
    return sum(before.count(c) for c in "([") == sum(before.count(c) for c in ")]")


def augmented_lagrangian(
    loss: str, constraints: Sequence[Constraint]
) -> tuple[str, list[str], str]:
    """The formula, the names of its multipliers and that of its penalty parameter.

    M. Hestenes, 1969, Multiplier and gradient methods, J. Optim. Theory Appl. 4; inequalities: R.
    Rockafellar, 1973, The multiplier method of Hestenes and Powell applied to convex programming,
    J. Optim. Theory Appl. 12.
    """
    taken = loss + "".join(c.text for c in constraints)
    penalty = next(n for n in (f"penalty{'_' * k}" for k in range(99)) if n not in taken)
    stem = next(n for n in (f"multiplier{'_' * k}" for k in range(99)) if n not in taken)
    multipliers = [f"{stem}{k}" for k in range(1, len(constraints) + 1)]
    pairs = zip(constraints, multipliers, strict=True)
    return added(loss, [c.term(m, penalty) for c, m in pairs]), multipliers, penalty


def added(loss: str, terms: Sequence[str]) -> str:
    """A loss with its definitions, and more terms."""
    *definitions, last = re.split(r"[;\n]", loss.strip().rstrip(";"))
    return "; ".join([*definitions, " + ".join([f"({last.strip()})", *(f"({t})" for t in terms)])])
