"""What is promised of losses with indices beside speed: code, rates, memory, values, messages."""

from __future__ import annotations

import compileall
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks import house
from benchmarks.losses import chained_rosenbrock_text
from benchmarks.measure import ROOT, Row, json_of, missing, skipped
from benchmarks.peers.indices import TASKS, chain

_MANY = 10**7
_MEMORY = """
import json, symgd
from benchmarks.peak import peak
text = {text!r}
options = dict(lr=1e-4, rule="momentum", start="x[i]=0.5")
def run(n):
    symgd.descend(text, sizes={{"n": n}}, steps=5, **options)
run(1000)
before = peak()
run({many})
print(json.dumps(peak() - before))
"""
_PASTED = """
import json, sys, time
sys.path.insert(0, {path!r})
import symgd
text = open({file!r}).read()
began = time.process_time()
loss = symgd.Loss(text)
loss.compiled([0.5] * 1000)
print(json.dumps(time.process_time() - began))
"""


def rows() -> Iterator[Row]:
    """Every row takes seconds."""
    yield from code()
    yield from stable_rate()
    yield from memory()
    yield from pasted()
    yield from records()
    yield from messages()


def code() -> Iterator[Row]:
    """How many bytes of code differ for small and large sizes."""
    from symgd import Loss
    from symgd.backends.native.jit import fused, vector_symbol
    from symgd.backends.native.nests.nest_code import nest_module
    from symgd.backends.native.nests.nest_places import Slots
    from symgd.backends.native.nests.nest_plan import plan
    from symgd.backends.native.vectors.vector_emit import Vectors
    from symgd.backends.native.vectors.vector_math import OWN
    from symgd.model.array_functions import ArrayFunctions

    def text(words: str, sizes: dict[str, int], times: int) -> str:
        columns = {f"X{k}": np.arange(1.0, times + 1) for k in (1, 2, 3)}
        data = columns | {"y": columns["X1"], "label": columns["X1"] % 3 + 1}
        loss = Loss(words, data if "X" in words else None, sizes=sizes)
        vectors = Vectors(frozenset(OWN), vector_symbol, fused())
        return nest_module(Slots(plan(ArrayFunctions(loss.arrays).program)), 8, vectors)

    for name, small, large in (
        ("chain 100,000", {"n": 10}, {"n": _MANY}),
        ("softmax", {"K": 3}, {"K": 3000}),
        ("network", {"H": 10}, {"H": 100_000}),
    ):
        words = TASKS[name].text
        one, other = text(words, small, 30), text(words, large, 3000)
        what = f"{name.split()[0]}: code that differs for {small} and {large}"
        yield Row(what, float(one != other), "", 0, f"{len(one):,} bytes")


def stable_rate() -> Iterator[Row]:
    """The largest eigenvalue at the minimum of a chain, and two runs beside the limit."""
    from scipy.linalg import eigvalsh_tridiagonal

    from symgd import Loss, descend
    from symgd.analysis.large_minima import curvature_ends

    n, ones = 10**5, np.ones(10**5)
    loss = Loss(chain(n).text, sizes={"n": n})
    loss.compiled(ones)
    took = []
    for _ in range(3):
        began = time.process_time()
        ends = curvature_ends(loss, ones, upper=True)
        took.append(time.process_time() - began)
    assert ends is not None
    yield Row("stable rate of a chain of 10^5 parameters", min(took), "s", 0.5, "of the processor")
    diagonal = np.full(n, 1002.0)
    diagonal[0], diagonal[-1] = 802.0, 200.0
    off = np.full(n - 1, -400.0)
    right = eigvalsh_tridiagonal(diagonal, off, select="i", select_range=(n - 1, n - 1))[0]
    yield Row("its relative error, LAPACK's eigenvalue", abs(ends.high / right - 1), "", 1e-3)
    start = 1 + 1e-6 * np.random.default_rng(1).normal(size=n)
    growth = []
    for part in (0.99, 1.01):
        run = descend(loss, start={"x": start}, lr=part * 2 / ends.high, steps=2000, advise=False)
        norms = run.history.grad_norm
        growth.append(np.nanmax(norms[-100:]) / norms[0])
    wrong = int(not growth[0] < 1) + int(not growth[1] > 1)
    note = f"the gradient is {growth[0]:.1e} and {growth[1]:.1e} of its norm after 2000 steps"
    yield Row("of its runs at 0.99 and 1.01, that it does not separate", wrong, "", 0, note)


def memory() -> Iterator[Row]:
    """What a descent of 10^7 parameters holds beyond them, its state and the gradient."""
    source = _MEMORY.format(text=chain(1).text, many=_MANY)
    grown = json_of([sys.executable, "-c", source])
    beyond = grown - 3 * 8 * _MANY / 1e6
    what = "descent of 10^7 parameters, beyond parameters, momentum and gradient"
    yield Row(what, beyond, "MB", 64, f"{grown:.0f} MB in all")


def pasted() -> Iterator[Row]:
    """A chain of 1000 parameters without indices, beside version 0.1, both installed: compiled."""
    with tempfile.TemporaryDirectory() as folder:
        there = house.unpacked(folder)
        if there is None:
            yield skipped("pasted text, n = 1000", f"git does not give {house.BEFORE[:7]}")
            return
        file = f"{folder}/loss.txt"
        with open(file, "w") as out:
            out.write(chained_rosenbrock_text(1000))
        took: dict[str, list[float]] = {str(ROOT): [], str(there): []}
        for home in took:
            compileall.compile_dir(f"{home}/symgd", quiet=2)
        for _ in range(3):
            for home, found in took.items():
                source = _PASTED.format(path=home, file=file)
                found.append(json_of([sys.executable, "-c", source]))
    now, before = map(min, took.values())
    yield Row("pasted text, n = 1000: over version 0.1", now / before, "x", 1.0, f"{now:.2f} s")


def records() -> Iterator[Row]:
    """The losses of the tests: the largest differences from JAX and from their text written out."""
    if missing("jax"):
        yield skipped("losses against JAX", missing("jax"))
        return
    from tests.indexed import Indexed
    from tests.indexed_losses import LOSSES

    def apart(ours: Any, theirs: Any) -> float:
        return float(np.abs(ours - theirs).max() / np.abs(theirs).max())

    worst = dict.fromkeys(("NumPy", "machine code", "product"), 0.0) | {"written out": 0.0}
    for record in LOSSES:
        one = Indexed(record.text, record.data, record.sizes, record.shapes)
        right, product = one.by_jax(record.jax)
        by_numpy = one.gradient(one.x)
        found = {
            "NumPy": apart(by_numpy, right),
            "machine code": apart(one.functions.bound(one.x), right),
            "product": apart(one.product(one.x, one.v), product),
            "written out": apart(by_numpy, one.written_out()),
        }
        worst = {name: max(worst[name], found[name]) for name in worst}
    for name, target in (("NumPy", 1e-12), ("machine code", 1e-12), ("product", 1e-12)):
        yield Row(f"{len(LOSSES)} losses against JAX, {name}", worst[name], "", target)
    yield Row(
        f"{len(LOSSES)} losses against their text written out", worst["written out"], "", 1e-14
    )


def messages() -> Iterator[Row]:
    """Wrong inputs whose error lacks its caret, sentence or hint."""
    if missing("pytest"):
        yield skipped("wrong inputs", missing("pytest"))
        return
    from tests.formula import test_indexed_errors as wrong

    cases = [(*one, None, {}) for one in wrong.SYNTAX]
    cases += [
        (*one, None, {"sizes": {"n": 4}} if "n" in one[0].split("(")[-1] else {})
        for one in wrong.SUBSCRIPTS
    ]
    cases += [
        (*one, None, {"sizes": {"n": 3}} if "‸n" in one[0] else {}) for one in wrong.DEFINITIONS
    ]
    cases += [(*one, wrong.DATA, {}) for one in wrong.DATA_ERRORS]
    failed = []
    for marked, sentence, hint, data, options in cases:
        try:
            wrong.check(marked, sentence, hint, data, **options)
        except BaseException as error:  # pytest's own are no Exceptions
            failed.append(f"{marked}: {json.dumps(str(error))[:60]}")
    what = f"of {len(cases)} wrong inputs, without the right message"
    yield Row(what, len(failed), "", 0, "; ".join(failed[:3]))
