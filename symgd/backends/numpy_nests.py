"""Run a NestProgram with NumPy: the reference of the other machines.

Nests are evaluated for a strip of their first index at a time, so that temporaries stay small. Sums
over a strip are NumPy's; those of the strips are added in order.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from symgd.backends.nest_evaluation import NestEvaluator, Strip
from symgd.backends.nests import NestProgram
from symgd.backends.program import Nest
from symgd.formula.indices import Count, Index
from symgd.formula.nodes import Name

_ELEMENTS = 1 << 18  # of a value, in one strip


class NumpyNests:
    """A nest program as a function of arrays."""

    def __init__(self, program: NestProgram) -> None:
        self.program = program
        self.evaluators = {id(nest): NestEvaluator(nest) for nest in program.nests}
        #: the passes that read a temporary
        self.readers: dict[str, set[int]] = {}
        for k, run in enumerate(program.passes):
            for load in (load for nest in run for load in nest.loads.values()):
                self.readers.setdefault(load.array, set()).add(k)

    def run(
        self,
        sizes: Mapping[Name, int],
        scalars: Mapping[str, float],
        arrays: Mapping[str, Any],
    ) -> tuple[dict[str, float], dict[str, Any]]:
        """The outputs by name, and the gradients by the identifier of their array.

        sizes: of every `Size`, and `ROWS`. scalars, arrays: by identifier; columns of the data have
        the row as their first axis. Only arrays with an entry have a gradient.
        """
        program = self.program
        ranges = {i: (i.low.at(sizes), i.high.at(sizes)) for n in program.nests for i in n.indices}
        values: dict[str, Any] = {name: np.float64(x) for name, x in scalars.items()}
        for symbol in program.numbers:
            count = _count(symbol.index, sizes) if isinstance(symbol, Count) else sizes[symbol]
            values[symbol.name] = np.float64(count)
        targets = {s.target for n in program.nests for s in n.stores} - program.temporaries.keys()
        gradients = {name: np.zeros(np.shape(arrays[name.removeprefix("g_")])) for name in targets}
        state = Strip(sizes, ranges, ranges, values, {**arrays, **gradients}, program.temporaries)
        with np.errstate(all="ignore"):
            for k, run in enumerate(program.passes):
                self._run_pass(k, run, state)
        outputs = {
            name: float(state.arrays[at]) if isinstance(at, str) else float(at)
            for name, at in program.outputs.items()
        }
        return outputs, {name.removeprefix("g_"): grad for name, grad in gradients.items()}

    def _run_pass(self, k: int, run: Sequence[Nest], whole: Strip) -> None:
        """Evaluate the nests of a pass, strip by strip."""
        index = next(iter(run[0].indices), None)
        stores = [store for nest in run for store in nest.stores if store.target in whole.axes]
        local = {
            store.target
            for store in stores
            if index in whole.axes[store.target] and self.readers.get(store.target, {k}) == {k}
        }
        for store in stores:
            if store.target not in local:
                whole.start(store)
        for strip in [whole] if index is None else self._strips(run, index, whole):
            strip = replace(strip, arrays=dict(whole.arrays), local=local)
            for store in stores:
                if store.target in local:
                    strip.start(store)
            for nest in run:
                self.evaluators[id(nest)].run(strip)

    def _strips(self, run: Sequence[Nest], index: Index, whole: Strip) -> list[Strip]:
        """The strips of an index, of about as many elements."""
        low, high = whole.ranges[index]
        inner = max(math.prod(map(whole.length, nest.indices[1:])) for nest in run)
        step = max(1, _ELEMENTS // max(1, inner))
        blocks = [(first, min(first + step - 1, high)) for first in range(low, high + 1, step)]
        return [replace(whole, ranges={**whole.ranges, index: block}) for block in blocks]


def _count(index: Index, sizes: Mapping[Name, int]) -> int:
    return max(0, index.high.at(sizes) - index.low.at(sizes) + 1)
