"""Problems with constraints, by their numbers.

W. Hock, K. Schittkowski, 1981, Test Examples for Nonlinear Programming Codes, Lecture Notes in
Economics and Mathematical Systems 187, Springer.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple


class Constrained(NamedTuple):
    """loss, constraints, start, bounds by place or (), the value at the minimum."""

    loss: str
    constraints: tuple[str, ...]
    start: tuple[float, ...]
    value: float
    bounds: tuple[tuple[float | None, float | None], ...] = ()

    @property
    def names(self) -> list[str]:
        """The parameters."""
        return [f"x{k + 1}" for k in range(len(self.start))]

    @property
    def arguments(self) -> dict[str, Any]:
        """What `symgd.descend` is given."""
        found: dict[str, Any] = {
            "subject_to": list(self.constraints),
            "start": dict(zip(self.names, self.start, strict=True)),
        }
        if self.bounds:
            found["bounds"] = dict(zip(self.names, self.bounds, strict=True))
        return found


_R2, _R3 = math.sqrt(2), math.sqrt(3)
_POSITIVE = (0.0, None)

PROBLEMS = {
    6: Constrained("(1-x1)^2", ("10*(x2-x1^2) = 0",), (-1.2, 1), 0),
    7: Constrained("log(1+x1^2)-x2", ("(1+x1^2)^2+x2^2 = 4",), (2, 2), -_R3),
    10: Constrained("x1-x2", ("-3*x1^2+2*x1*x2-x2^2+1 >= 0",), (-10, 10), -1),
    11: Constrained("(x1-5)^2+x2^2-25", ("x1^2 <= x2",), (4.9, 0.1), -8.498464223),
    12: Constrained("0.5*x1^2+x2^2-x1*x2-7*x1-7*x2", ("4*x1^2+x2^2 <= 25",), (0, 0), -30),
    14: Constrained("(x1-2)^2+(x2-1)^2", ("x1^2/4+x2^2 <= 1", "x1 = 2*x2-1"), (2, 2),
                    9 - 2.875 * math.sqrt(7)),
    21: Constrained("0.01*x1^2+x2^2-100", ("10*x1-x2 >= 10",), (-1, -1), -99.96,
                    ((2, 50), (-50, 50))),
    22: Constrained("(x1-2)^2+(x2-1)^2", ("x1+x2 <= 2", "x1^2 <= x2"), (2, 2), 1),
    24: Constrained("((x1-3)^2-9)*x2^3/(27*sqrt(3))",
                    ("x1/sqrt(3) >= x2", "0 <= x1+sqrt(3)*x2 <= 6"), (1, 0.5), -1,
                    (_POSITIVE,) * 2),
    26: Constrained("(x1-x2)^2+(x2-x3)^4", ("(1+x2^2)*x1+x3^4 = 3",), (-2.6, 2, 2), 0),
    27: Constrained("0.01*(x1-1)^2+(x2-x1^2)^2", ("x1+x3^2 = -1",), (2, 2, 2), 0.04),
    28: Constrained("(x1+x2)^2+(x2+x3)^2", ("x1+2*x2+3*x3 = 1",), (-4, 1, 1), 0),
    29: Constrained("-x1*x2*x3", ("x1^2+2*x2^2+4*x3^2 <= 48",), (1, 1, 1), -16 * _R2),
    35: Constrained("9-8*x1-6*x2-4*x3+2*x1^2+2*x2^2+x3^2+2*x1*x2+2*x1*x3", ("x1+x2+2*x3 <= 3",),
                    (0.5, 0.5, 0.5), 1 / 9, (_POSITIVE,) * 3),
    37: Constrained("-x1*x2*x3", ("0 <= x1+2*x2+2*x3 <= 72",), (10, 10, 10), -3456, ((0, 42),) * 3),
    39: Constrained("-x1", ("x2-x1^3-x3^2 = 0", "x1^2-x2-x4^2 = 0"), (2, 2, 2, 2), -1),
    40: Constrained("-x1*x2*x3*x4", ("x1^3+x2^2 = 1", "x1^2*x4 = x3", "x4^2 = x2"), (0.8,) * 4,
                    -0.25),
    42: Constrained("(x1-1)^2+(x2-2)^2+(x3-3)^2+(x4-4)^2", ("x1 = 2", "x3^2+x4^2 = 2"), (1,) * 4,
                    28 - 10 * _R2),
    43: Constrained("x1^2+x2^2+2*x3^2+x4^2-5*x1-5*x2-21*x3+7*x4",
                    ("x1^2+x2^2+x3^2+x4^2+x1-x2+x3-x4 <= 8",
                     "x1^2+2*x2^2+x3^2+2*x4^2-x1-x4 <= 10",
                     "2*x1^2+x2^2+x3^2+2*x1-x2-x4 <= 5"), (0,) * 4, -44),
    48: Constrained("(x1-1)^2+(x2-x3)^2+(x4-x5)^2", ("x1+x2+x3+x4+x5 = 5", "x3-2*(x4+x5) = -3"),
                    (3, 5, -3, 2, -2), 0),
    50: Constrained("(x1-x2)^2+(x2-x3)^2+(x3-x4)^4+(x4-x5)^2",
                    ("x1+2*x2+3*x3 = 6", "x2+2*x3+3*x4 = 6", "x3+2*x4+3*x5 = 6"),
                    (35, -31, 11, 5, -5), 0),
    71: Constrained("x1*x4*(x1+x2+x3)+x3", ("x1*x2*x3*x4 >= 25", "x1^2+x2^2+x3^2+x4^2 = 40"),
                    (1, 5, 5, 1), 17.0140173, ((1, 5),) * 4),
    76: Constrained("x1^2+0.5*x2^2+x3^2+0.5*x4^2-x1*x3+x3*x4-x1-3*x2+x3-x4",
                    ("x1+2*x2+x3+x4 <= 5", "3*x1+x2+2*x3-x4 <= 4", "x2+4*x3 >= 1.5"), (0.5,) * 4,
                    -4.681818181818, (_POSITIVE,) * 4),
    77: Constrained("(x1-1)^2+(x1-x2)^2+(x3-1)^2+(x4-1)^4+(x5-1)^6",
                    ("x1^2*x4+sin(x4-x5) = 2*sqrt(2)", "x2+x3^4*x4^2 = 8+sqrt(2)"), (2,) * 5,
                    0.24150513),
    78: Constrained("x1*x2*x3*x4*x5",
                    ("x1^2+x2^2+x3^2+x4^2+x5^2 = 10", "x2*x3 = 5*x4*x5", "x1^3+x2^3 = -1"),
                    (-2, 1.5, 2, -1, -1), -2.91970041),
    100: Constrained("(x1-10)^2+5*(x2-12)^2+x3^4+3*(x4-11)^2+10*x5^6+7*x6^2+x7^4-4*x6*x7-10*x6"
                     "-8*x7",
                     ("2*x1^2+3*x2^4+x3+4*x4^2+5*x5 <= 127", "7*x1+3*x2+10*x3^2+x4-x5 <= 282",
                      "23*x1+x2^2+6*x6^2-8*x7 <= 196",
                      "4*x1^2+x2^2-3*x1*x2+2*x3^2+5*x6-11*x7 <= 0"), (1, 2, 0, 4, 0, 1, 1),
                     680.6300573),
}  # fmt: skip
