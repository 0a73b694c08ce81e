"""Units of a network, or other parts of a loss that may be exchanged, that start equal."""

from __future__ import annotations

from symgd._numpy import NDArray, np
from symgd.formula.indices import Array, At, Index, reduced_index
from symgd.formula.nodes import Node, topological
from symgd.model.array_model import ArrayModel
from symgd.names import escape


def equal_units(model: ArrayModel, start: NDArray[np.float64]) -> str:
    """What to do about units that start equal, or "".

    The loss does not change when the values of an index are exchanged in all arrays that it is a
    subscript of. Where these arrays do not vary along it at the start, their gradients do not
    either, and they never part.
    """
    point = model.nested(start)
    for index, axes in _exchangeable(model).items():
        if len({name for name, _ in axes}) < 2 or len(model.shapes.range(index)) < 2:
            continue
        if all(_constant(point[name], axis) for name, axis in axes):
            first = escape(sorted(name for name, _ in axes)[0])
            listed = ", ".join(sorted({escape(name) for name, _ in axes}))
            return (
                f"the units along {escape(index.text)} start equal in {listed}, and so they stay: "
                f'draw them, as --start "{first}~normal(0,0.3)"'
            )
    return ""


def _exchangeable(model: ArrayModel) -> dict[Index, set[tuple[str, int]]]:
    """The axes of arrays of parameters along each index that occurs only as a plain subscript."""
    found: dict[Index, set[tuple[str, int]]] = {}
    fixed: set[Index] = set()  # indices whose values may not be exchanged
    for node in topological([model.formula.root]):
        own = reduced_index(node)
        for k, arg in enumerate(node.args):
            if not isinstance(arg, Index) or arg is own:
                continue
            if node.func is At and isinstance(node.args[0], Array):
                found.setdefault(arg, set()).add((node.args[0].text, k - 1))
            else:
                fixed.add(arg)
    _leave_shared(found, fixed, model.formula.root)
    return {index: axes for index, axes in found.items() if index not in fixed}


def _leave_shared(found: dict[Index, set[tuple[str, int]]], fixed: set[Index], root: Node) -> None:
    """Fix every index of an axis that some element with another subscript tells apart."""
    plain = {(axis, index) for index, axes in found.items() for axis in axes}
    for node in topological([root]):
        if node.func is not At or not isinstance(node.args[0], Array):
            continue
        for k, subscript in enumerate(node.args[1:]):
            axis = (node.args[0].text, k)
            if not isinstance(subscript, Index):
                fixed |= {index for own, index in plain if own == axis}


def _constant(values: object, axis: int) -> bool:
    array = np.asarray(values)
    return bool((array == array.take([0], axis=axis)).all())
