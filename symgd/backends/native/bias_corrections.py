"""The bias corrections 1 - beta**t of Adam and its variants, which become 1 after some time.

From then on a step divides by nothing and takes no power, which halves the time of a step of Adam.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from symgd.backends.native.ir import Value
from symgd.backends.native.translate import Emitter
from symgd.backends.operations import Operation
from symgd.backends.program import Program


def bias_corrections(program: Program, t: str, fixed: Iterable[str]) -> list[Operation]:
    """beta**t, then 1 - beta**t, of fixed inputs beta; none if something else reads the powers.

    A rule divides by them. One that has become 1 stays 1 if beta >= 0, and to divide by it changes
    nothing: from then on it may be left out, and so may the powers.
    """
    known = set(fixed)
    powers = {
        o.result: o
        for o in program.body
        if o.name == "pow" and o.arguments[1] == t and o.arguments[0] in known
    }
    corrections = [
        o
        for o in program.body
        if o.name == "sub" and o.arguments[0] == 1 and o.arguments[1] in powers
    ]
    readers = sum(name in powers for o in program.body for name in o.names)
    alone = len(corrections) == readers == len(powers)
    return [*powers.values(), *corrections] if alone else []


def all_one(e: Emitter, operations: Sequence[Operation], known: Mapping[str, Value]) -> Value:
    """Whether every correction is 1, and will be at all later steps as well."""
    result = Value("true")
    for operation in operations:
        if operation.name == "sub":
            test = e.compare("oeq", known[operation.result], e.number(1.0))
        else:  # a power of a negative base changes its sign: it may be lost on one side of 1 only
            base = e.operand(operation.arguments[0], known)
            test = e.compare("oge", base, e.number(0.0))
        result = e.logic("and", result, test)
    return result
