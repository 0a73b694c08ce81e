"""Evaluate a Program at many points at once, in NumPy, for plots of a loss.

Sums over rows are plain NumPy sums, which differ by a few roundings from those of `numpy_rows`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from symgd._numpy import NDArray, np
from symgd.backends import lambdified
from symgd.backends.numpy_rows import BLOCK, RowNest, Source
from symgd.backends.operations import Operand
from symgd.backends.program import Nest, Program, StraightLine, names_read
from symgd.formula.nodes import Name

Floats: TypeAlias = "NDArray[np.float64]"

_SLAB = 1 << 18  # numbers (points times rows) that one call of NumPy takes


def compile_points(
    program: Program, more: Sequence[float] = (), source: Source | None = None
) -> Callable[[Floats], Floats]:
    """(N, P) points -> (N,), the program's first output at each; inf and nan included.

    more: the inputs after the P that differ from point to point. source: the rows, where the
    program loops over some.
    """
    [output, *_] = program.outputs.values()

    def values(points: Floats) -> Floats:
        fixed = [np.float64(v) for v in more]
        columns = [*np.asarray(points, dtype=np.float64).T[:, :, None], *fixed]
        known: dict[Operand, Any] = dict(zip(program.names, columns, strict=True))
        with np.errstate(all="ignore"):
            for block, kept in zip(program.blocks, program.read_after, strict=True):
                if isinstance(block, Nest):
                    assert source is not None
                    _sums(RowNest(block, program.read_by(block)), known, source, len(points))
                else:
                    _line(block, kept, known)
            found = known[output] if output in known else np.float64(output)
        return np.broadcast_to(found, (len(points), 1))[:, 0].astype(np.float64)

    return values


def _line(block: StraightLine, kept: set[str], known: dict[Operand, Any]) -> None:
    inputs = names_read(block)
    results = {o.result: o.result for o in block.body if o.result in kept}
    function = lambdified.compile_array(Program(tuple(map(Name, inputs)), (block,), results))
    known.update(zip(results, function(*(known[n] for n in inputs)), strict=True))


def _sums(nest: RowNest, known: dict[Operand, Any], source: Source, count: int) -> None:
    values = [known[name] for name in nest.inputs]
    most = min(BLOCK, max(1, _SLAB // max(1, count)))
    for name, parts in zip(nest.results, nest.parts(values, source, most), strict=True):
        whole = np.asarray(np.fmax.reduce(parts) if nest.peaks else np.add.reduce(parts))
        known[name] = np.where(np.isfinite(whole) | (not nest.peaks), whole, 0.0)[..., None]
