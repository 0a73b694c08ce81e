"""Loop nests: the intermediate representation of indexed formulas.

A nest program is a list of nests in order of evaluation. A nest runs a straight line of operations
for every value of its indices and stores what it computes: into temporaries, into the gradient, or
into a sum. Neither the number of nests nor that of operations depends on any size: sizes, the
bounds of indices and the extents of arrays are bound when the program runs.

The first index of a nest is its *strip index*: the row where there are rows, else the outermost
index of the formula. Consecutive nests with one strip index are a *pass* (`passes`), which a
machine runs strip by strip: no nest of a pass reads what another of it sums over the strip index,
and a temporary is always read at its own axes. So temporaries that have the strip index as an axis
and are read in their pass alone are never longer than a strip.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from symgd._locks import cached_property
from symgd.backends.expressions import statements
from symgd.backends.operations import Operand, Operation, condition_names
from symgd.backends.program import FormulaPrinter, Nest, Subscript, names_read
from symgd.formula.indices import Index
from symgd.formula.nodes import Column, Name


@dataclass(frozen=True)
class NestProgram:
    """Inputs -> nests -> outputs.

    scalars: the parameters that are numbers, and other numbers. arrays: parameter arrays, then
    arrays of data. numbers: the sizes, counts and `ROWS` that bodies read as numbers.
    temporaries: the indices that are the axes of each; none for a number.
    nests: in order of evaluation. outputs: name -> temporary that is a number, or number.
    """

    scalars: tuple[Name, ...]
    arrays: tuple[Name, ...]
    numbers: tuple[Name, ...]
    temporaries: Mapping[str, tuple[Index, ...]]
    nests: tuple[Nest, ...]
    outputs: Mapping[str, Operand]

    def __str__(self) -> str:
        printer = FormulaPrinter([*self.scalars, *self.numbers])
        texts = {a.name: printer.shown[a.name] for a in self.scalars}
        texts |= {a.name: FormulaPrinter([a]).shown[a.name] for a in self.arrays}
        lines = [f"inputs {', '.join(texts.values())}"]
        for nest in self.nests:
            lines += _nest(nest, printer, texts)
        return "\n".join([*lines, *(f"output {n} = {o}" for n, o in self.outputs.items())])

    @cached_property
    def key(self) -> str:
        """A hash of what is computed: equal programs have equal keys in every process."""
        import hashlib  # what short runs do without

        symbols = [(type(s).__name__, s.name) for s in (*self.scalars, *self.arrays, *self.numbers)]
        nests = [
            ([_range(i) for i in n.indices], [*n.loads.items()], [*map(tuple, n.body)], n.stores)
            for n in self.nests
        ]
        axes = [(name, [i.name for i in own]) for name, own in self.temporaries.items()]
        whole = repr((symbols, nests, axes, [*self.outputs.items()]))
        return hashlib.sha256(whole.encode()).hexdigest()

    @cached_property
    def passes(self) -> tuple[tuple[Nest, ...], ...]:
        """The nests, grouped into runs that have one strip index and may share its strips."""
        found: list[list[Nest]] = []
        finished: set[str] = set()  # what the last run sums over its strip index
        for _, run in groupby(self.nests, lambda nest: nest.indices[:1]):
            found.append([])
            finished.clear()
            for nest in run:
                if any(load.array in finished for load in nest.loads.values()):
                    found.append([])
                    finished.clear()
                found[-1].append(nest)
                axes = ((s.target, self.temporaries.get(s.target)) for s in nest.stores)
                finished.update(
                    t for t, own in axes if own is not None and nest.indices[:1] != own[:1]
                )
        return tuple(map(tuple, found))


def row_nest(nest: Nest, columns: Sequence[Column]) -> NestProgram:
    """A nest over rows alone. It reads scalars, conditions as 1 or 0; its sums are outputs."""
    read, known = names_read(nest), condition_names(nest.body)
    numbers = {name: f"{name}_number" if name in known else name for name in read}
    tests = [Operation(n, "!=", (number, 0.0)) for n, number in numbers.items() if n in known]
    sums = {store.target: store.target for store in nest.stores}
    return NestProgram(
        scalars=tuple(map(Name, numbers.values())),
        arrays=tuple(columns),
        numbers=(),
        temporaries=dict.fromkeys(sums, ()),
        nests=(replace(nest, body=(*tests, *nest.body)),),
        outputs=sums,
    )


def _nest(nest: Nest, printer: FormulaPrinter, texts: Mapping[str, str]) -> list[str]:
    lines = [
        f"{name} = {_element(texts, at.array, at.subscripts)}" for name, at in nest.loads.items()
    ]
    kept = [store.value for store in nest.stores]
    lines += [printer.statement(s) for s in statements(nest.body, kept)]
    for store in nest.stores:
        place = _element(texts, store.target, store.subscripts)
        lines.append(f"{place} {store.mode} {printer.write(store.value)}")
    ranges = ", ".join(map(_range, nest.indices))
    return [f"for {ranges}:" if ranges else "once:", *(f"    {line}" for line in lines)]


def _element(texts: Mapping[str, str], array: str, subscripts: tuple[Subscript, ...]) -> str:
    return f"{texts.get(array, array)}[{', '.join(map(str, subscripts))}]"


def _range(index: Index) -> str:
    return f"{index.name}={index.low}..{index.high}"
