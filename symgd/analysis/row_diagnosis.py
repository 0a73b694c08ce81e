"""In which row a loss over data, or its gradient, went non-finite, and with which operands."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from symgd._numpy import np
from symgd.analysis.nonfinite import WIDTH, NonfiniteCause, blame
from symgd.backends.compiler import compile_per_row, compile_program
from symgd.backends.lambdified import compile_array
from symgd.backends.numpy_rows import BLOCK, pieces
from symgd.calculus.reductions import lower
from symgd.formula.evaluate import evaluate_all
from symgd.formula.nodes import REDUCTIONS, Column, Name, Node, topological
from symgd.formula.printing.plain import write
from symgd.model.loss import Loss


def find_row(loss: Loss, x: Sequence[float], at: str) -> NonfiniteCause:
    """What is non-finite in value or gradient of a loss over rows at x."""
    typed = lower(loss.internals.graph, [loss.internals.root])[0]
    for root in (typed, loss.internals.stable):
        found = _in_root(loss, root, x, at)
        if found is not None:
            return found
    for name, root in zip(loss.params, loss.internals.derivatives, strict=True):
        found = _in_root(loss, root, x, at)
        if found is not None:
            sentence = f"the derivative in {name} is not finite: {found.sentence}"
            return NonfiniteCause(sentence, found.overflow)
    return NonfiniteCause(f"the gradient is not finite{at}", True)


def _in_root(loss: Loss, root: Node, x: Sequence[float], at: str) -> NonfiniteCause | None:
    sums = [n for n in topological([root]) if n.func in REDUCTIONS]
    leaves = _leaves(loss, x)
    values = _sums(loss, sums, leaves)
    for total in sums:
        if not math.isfinite(values[id(total)]):
            return _in_sum(loss, total, leaves, values, x, at)
    known = evaluate_all([root], leaves, values)
    return None if math.isfinite(known[id(root)]) else blame(root, known, x, at)


def _leaves(loss: Loss, x: Sequence[float]) -> dict[Node, float]:
    assert loss.internals.rows is not None
    return dict(zip(loss.internals.leaves, x, strict=True)) | loss.internals.rows.values


def _sums(loss: Loss, sums: Sequence[Node], leaves: Mapping[Node, float]) -> dict[int, float]:
    """The value of every sum, by id."""
    assert loss.internals.rows is not None
    named = {str(k): s for k, s in enumerate(sums)}
    program = compile_program(list(leaves), named)
    values = loss.internals.rows.run(program)(*leaves.values())
    return {id(s): v for s, v in zip(sums, values, strict=True)}


def _in_sum(
    loss: Loss,
    total: Node,
    leaves: Mapping[Node, float],
    sums: Mapping[int, float],
    x: Sequence[float],
    at: str,
) -> NonfiniteCause:
    (term,) = total.args
    found = _first_bad_row(loss, term, leaves, sums)
    if found is None:
        return NonfiniteCause(f"{write(total, WIDTH)} is too large for a double{at}", True)
    row, cells = found
    inside = {key: value for key, value in sums.items() if key != id(total)}
    known = evaluate_all([term], {**leaves, **cells}, inside)
    return blame(term, known, x, f" in row {row:,}{at}")


def _first_bad_row(
    loss: Loss, term: Node, leaves: Mapping[Node, float], sums: Mapping[int, float]
) -> tuple[int, dict[Node, float]] | None:
    """The 1-based number of the first row whose term is not finite, and its cells."""
    assert loss.table is not None
    graph = loss.internals.graph
    names = {key: Name(f"q{k}") for k, key in enumerate(sums)}
    inner = {names[key]: value for key, value in sums.items()}

    def change(node: Node, args: tuple[Node, ...]) -> Node:
        if id(node) in names:
            return graph.atom(names[id(node)])
        return graph.same(node, args)

    (term,) = graph.rebuild([term], change)
    columns = [n for n in topological([term]) if isinstance(n, Column)]
    given = {**leaves, **inner}
    function = compile_array(compile_per_row([*columns, *given], {"term": term}))
    with np.errstate(all="ignore"):
        for k, arrays in enumerate(pieces(loss.table, [c.text for c in columns])):
            (values,) = function(*arrays, *map(np.float64, given.values()))
            (bad,) = np.nonzero(~np.isfinite(values))
            if len(bad):
                cells = {c: float(a[bad[0]]) for c, a in zip(columns, arrays, strict=True)}
                return k * BLOCK + int(bad[0]) + 1, cells
    return None
