"""Loop fission: a nest of many sums keeps what they share in temporaries of the strip.

Sums beyond the registers would go to memory in every iteration, and LLVM's time to compile them
grows faster than their number. So each loop has a few sums (`SUMS`), and reads what was computed
for all of them, functions above all.
"""

from __future__ import annotations

from dataclasses import replace

from symgd.backends.nests import NestProgram
from symgd.backends.operations import Operation, condition_names
from symgd.backends.program import Load, Nest, Store
from symgd.formula.functions.table import ELEMENTARY
from symgd.formula.indices import Affine

SUMS = 8  # of one loop


def fissioned(program: NestProgram) -> NestProgram:
    """The program with every nest of many sums over one index split in two."""
    nests: list[Nest] = []
    temporaries = dict(program.temporaries)
    for n, nest in enumerate(program.nests):
        sums = [s for s in nest.stores if program.temporaries.get(s.target) == ()]
        data = any(isinstance(s, str) for load in nest.loads.values() for s in load.subscripts)
        if len(nest.indices) != 1 or len(sums) <= SUMS or sums != [*nest.stores] or data:
            nests.append(nest)
            continue
        first, rest = _split(nest, f"shared{n}")
        nests += [first, rest] if first.stores else [nest]
        temporaries |= {store.target: nest.indices for store in first.stores}
    return replace(program, nests=tuple(nests), temporaries=temporaries)


def _split(nest: Nest, name: str) -> tuple[Nest, Nest]:
    """What is kept, and the sums. name: of the temporaries, with a number after it."""
    own = _of_one_sum(nest)
    body = [o for o in nest.body if o.result not in own]
    rest = [o for o in nest.body if o.result in own]
    made = {o.result for o in body}
    read = [n for o in rest for n in o.names] + [s.value for s in nest.stores]
    shared = dict.fromkeys(n for n in read if n in made)
    axes = tuple([Affine(0, ((i, 1),)) for i in nest.indices])
    loads, stores = {}, []
    conditions = condition_names(nest.body)
    for k, value in enumerate(shared):
        kept, number = Load(f"{name}_{k}", axes), str(value)
        if value in conditions:
            number = f"{value}_number"
            body.append(Operation(number, "select", (value, 1.0, 0.0)))
            rest.insert(0, Operation(str(value), "!=", (number, 0.0)))
        loads[number] = kept
        stores.append(Store(kept.array, axes, "=", number))
    first = Nest(nest.indices, nest.loads, tuple(body), tuple(stores))
    return first, Nest(nest.indices, {**nest.loads, **loads}, tuple(rest), nest.stores)


def _of_one_sum(nest: Nest) -> set[str]:
    """The results of light operations that are read once, on the way to a sum."""
    users: dict[str, list[str | None]] = {}  # None: a sum
    for store in nest.stores:
        users.setdefault(str(store.value), []).append(None)
    found: set[str] = set()
    for operation in reversed(nest.body):
        readers = users.get(operation.result, [])
        once = len(readers) == 1 and (readers[0] is None or readers[0] in found)
        if once and operation.cost < ELEMENTARY:
            found.add(operation.result)
        for name in operation.names:
            users.setdefault(name, []).append(operation.result)
    return found
