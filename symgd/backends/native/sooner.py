"""A step's last two operations in one, where that gives the same bits.

x - rate*slope waits for a product that is rounded before it is subtracted. A fused multiply-add
takes as long as one of the two, and rounds once: where the change is small beside x the results
nearly always agree. So the next step begins with the fused one, the processor compares it with the
other one meanwhile, and takes that where they differ. No result depends on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import sympy

from symgd.backends.native.translate import Emitter, Value
from symgd.backends.program import Program
from symgd.formula.nodes import Name, Node, float_of, is_inverse, is_negation

_CALL = 6  # operations that a function, root or division takes the time of, about
#: Of fewer operations one after the other the rate is often so large that guesses are wrong; of
#: more, one operation less is no gain.
_SHORT, _LONG = 5, 16


class Update(NamedTuple):
    """An output that is x - (a*b*c): the x, the factors up to the last one, and the last one."""

    x: Node
    factors: tuple[Node, ...]
    last: Node


def updates(program: Program, params: int) -> dict[int, Update]:
    """The steps of parameters that the next step waits for longest and that have this form."""
    definitions: dict[Node, Node] = {s: x for b in program.blocks for s, x in b.assignments}
    depths: dict[Node, int] = {}
    for symbol, expression in definitions.items():
        depths[symbol] = _depth(expression, depths)
    outputs = list(program.outputs.values())[:params]
    longest = max((depths.get(node, 0) for node in outputs), default=0)
    if not _SHORT <= longest <= _LONG:
        return {}
    found = {k: _update(definitions[n]) for k, n in enumerate(outputs) if depths.get(n) == longest}
    return {k: update for k, update in found.items() if update is not None}


def _update(node: Node) -> Update | None:
    if node.func is not sympy.Add or len(node.args) != 2 or not is_negation(node.args[1]):
        return None
    x, (_, *factors) = node.args[0], node.args[1].args
    while len(factors) == 1 and factors[0].func is sympy.Mul and not is_negation(factors[0]):
        factors = list(factors[0].args)
    if not isinstance(x, Name) or len(factors) < 2 or is_inverse(factors[-1]):
        return None
    return Update(x, tuple(factors[:-1]), factors[-1])


def _depth(node: Node, depths: Mapping[Node, int]) -> int:
    """How many operations one after the other it takes."""
    if not node.args:
        return depths.get(node, 0)
    if node.func not in (sympy.Add, sympy.Mul):
        short = node.func is sympy.Pow and float_of(node.args[1]) == 2
        return max(_depth(a, depths) for a in node.args) + (1 if short else _CALL)
    parts = node.args[1:] if is_negation(node) else node.args  # a sign costs nothing
    so_far = _depth(parts[0], depths)
    for part in parts[1:]:
        inner, cost = (part.args[0], _CALL) if is_inverse(part) else (part, 1)
        so_far = max(so_far, _depth(inner, depths)) + cost
    return so_far


def declare(e: Emitter, found: Mapping[int, Update]) -> None:
    """The places that `at_once` uses, for the beginning of the function; %wrong counts."""
    e.add_line("%wrong = alloca i64")
    e.add_line("store i64 0, ptr %wrong")
    for k in found:
        e.add_line(f"%sooner.{k} = alloca double")
        e.add_line(f"%exact.{k} = alloca double")


def at_once(e: Emitter, k: int, update: Update, exact: Value, known: Mapping[Node, Value]) -> Value:
    """The exact value of output k, which the fused one stands for until they are compared."""
    first = e.node(update.factors[0], known)
    for factor in update.factors[1:]:
        first = e.mul(first, e.node(factor, known))
    fused = e.intrinsic("fma", e.neg(first), e.node(update.last, known), known[update.x])
    bits = [e.emit(f"bitcast double {v.text} to i64").text for v in (fused, exact)]
    same = e.emit(f"icmp eq i64 {bits[0]}, {bits[1]}")
    likely = e.likely(same)
    e.add_line(f"store double {fused.text}, ptr %sooner.{k}")
    e.add_line(f"br i1 {likely.text}, label %right.{k}, label %wrong.{k}")
    e.label(f"wrong.{k}")
    # volatile: no optimization may make one choice of the two branches, for which the next step
    # would have to wait
    e.add_line(f"store volatile double {exact.text}, ptr %exact.{k}")
    again = e.emit(f"load volatile double, ptr %exact.{k}")
    e.add_line(f"store double {again.text}, ptr %sooner.{k}")
    count = e.emit("load i64, ptr %wrong")
    e.add_line(f"store i64 {e.emit(f'add i64 {count.text}, 1').text}, ptr %wrong")
    e.add_line(f"br label %right.{k}")
    e.label(f"right.{k}")
    return e.emit(f"load double, ptr %sooner.{k}")
