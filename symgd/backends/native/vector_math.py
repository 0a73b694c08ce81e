"""THE table of vector functions that symgd implements: inlined, with equal bits on every machine.

Their error is below 2 ulp (the tests measure it against mpmath). Lanes with arguments outside the
range of an implementation are recomputed by the C library.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from symgd.backends.native import vector_exp, vector_log, vector_pow, vector_trig
from symgd.backends.native.translate import Emitter, Value


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


def far_name(symbol: str, lanes: int) -> str:
    """What the function of `far_function` is called."""
    return f"far_{symbol}_{lanes}"


def far_function(symbol: str, arguments: int, lanes: int) -> str:
    """IR: the values, those of the lanes that are not served computed by the C library."""
    kind, ints = f"<{lanes} x double>", f"<{lanes} x i64>"
    names = "xy"[:arguments]
    heads = ", ".join(f"{kind} %{n}" for n in names)
    rooms = [f"  %room_{n} = alloca {kind}, align 64" for n in names]
    fills = [f"  store {kind} %{n}, ptr %room_{n}, align 64" for n in names]
    loads = [
        line
        for n in names
        for line in (
            f"  %at_{n} = getelementptr double, ptr %room_{n}, i64 %k",
            f"  %one_{n} = load double, ptr %at_{n}",
        )
    ]
    operands = ", ".join(f"double %one_{n}" for n in names)
    lines = [
        f"define internal {kind} @{far_name(symbol, lanes)}({heads}, {ints} %served, {kind} %value)"
        " noinline cold nounwind {",
        "entry:",
        *rooms,
        f"  %room_s = alloca {ints}, align 64",
        f"  %room_v = alloca {kind}, align 64",
        *fills,
        f"  store {ints} %served, ptr %room_s, align 64",
        f"  store {kind} %value, ptr %room_v, align 64",
        "  br label %lane",
        "lane:",
        "  %k = phi i64 [ 0, %entry ], [ %following, %next ]",
        "  %at_s = getelementptr i64, ptr %room_s, i64 %k",
        "  %mark = load i64, ptr %at_s",
        "  %done = icmp ne i64 %mark, 0",
        "  br i1 %done, label %next, label %call",
        "call:",
        *loads,
        f"  %got = call double @{symbol}({operands})",
        "  %at_v = getelementptr double, ptr %room_v, i64 %k",
        "  store double %got, ptr %at_v",
        "  br label %next",
        "next:",
        "  %following = add i64 %k, 1",
        f"  %more = icmp slt i64 %following, {lanes}",
        "  br i1 %more, label %lane, label %end",
        "end:",
        f"  %result = load {kind}, ptr %room_v, align 64",
        f"  ret {kind} %result",
        "}",
    ]
    return "\n".join(lines)
