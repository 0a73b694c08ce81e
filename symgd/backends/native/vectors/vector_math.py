"""THE table of vector functions that symgd implements: inlined, with equal bits on every machine.

Their error is below 2 ulp (the tests measure it against mpmath). Lanes with arguments outside the
range of an implementation are recomputed by the C library.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from symgd.backends.native.ir import Value
from symgd.backends.native.translate import Emitter
from symgd.backends.native.vectors import vector_exp, vector_log, vector_pow, vector_trig


@dataclass(frozen=True)
class Own:
    """form: arguments -> result. serves: where it is right; None: everywhere."""

    form: Callable[..., Value]
    serves: Callable[..., Value] | None = None


def _within(e: Emitter, x: Value) -> Value:
    return e.compare("ole", e.intrinsic("fabs", x), e.number(vector_trig.LIMIT))


#: By the C library's names for them.
OWN: dict[str, Own] = {
    "exp": Own(vector_exp.exp),
    "expm1": Own(vector_exp.expm1),
    "sinh": Own(vector_exp.sinh),
    "cosh": Own(vector_exp.cosh),
    "tanh": Own(vector_exp.tanh),
    "log": Own(vector_log.log, vector_log.normal),
    "log1p": Own(vector_log.log1p, vector_log.beyond_pole),
    "sin": Own(vector_trig.sin, _within),
    "cos": Own(vector_trig.cos, _within),
    "pow": Own(vector_pow.pow, vector_pow.usual),
}
