"""Which sub-expression went non-finite, and with which operands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from symgd.analysis.domain_hints import remedy
from symgd.calculus.pullback import partials
from symgd.formula.evaluate import trace
from symgd.formula.nodes import Node, Where, is_inverse, topological
from symgd.formula.printing.plain import write
from symgd.model.loss import Loss

_WIDE = 120  # characters of an expression that a message quotes


@dataclass(frozen=True)
class Trouble:
    """Where a descent left the finite numbers.

    sentence: `log(x - 2): x - 2 = -0.5 at step 7`. overflow: the value is infinite because it grew
    too large, not undefined. remedy: what keeps the sub-expression finite, or "".
    """

    sentence: str
    overflow: bool
    remedy: str = ""


def find(loss: Loss, x: Sequence[float], t: int) -> Trouble:
    """What is non-finite in value or gradient of the loss at x, the point of step t."""
    at = f" at step {t}" if t else " at the start"
    if loss.rows is not None:
        from symgd.analysis.row_diagnosis import find_row

        return find_row(loss, x, at)
    leaves: dict[Node, float] = dict(zip(loss.leaves, x, strict=True))
    for root in (loss.root, loss.stable):
        values = trace([root], leaves)
        if not _finite(values[id(root)]):
            return blame(root, values, x, at)
    return _in_gradient(loss, leaves, at)


def blame(root: Node, values: Mapping[int, Any], x: Sequence[float], at: str) -> Trouble:
    """The trouble of a root that is not finite at these values of its nodes."""
    node = _culprit(root, values)
    overflow = values[id(node)] == values[id(node)] and max(map(abs, x)) > 1e6
    sentence = f"{write(node, _WIDE)}: {_operands(node, values)}{at}"
    return Trouble(sentence, overflow or _grown(node, values), remedy(node))


def _grown(node: Node, values: Mapping[int, Any]) -> bool:
    """Whether finite operands of ordinary size gave an infinite result: an overflow, no pole."""
    if abs(values[id(node)]) != float("inf"):
        return False
    operands = [values[id(a)] for a in _read(node)]
    return all(isinstance(v, bool) or v != 0 for v in operands) and not is_inverse(node)


def _in_gradient(loss: Loss, leaves: Mapping[Node, float], at: str) -> Trouble:
    """The node of the loss whose local derivative is not finite."""
    gone = trace(loss.derivatives, leaves)
    if not all(_finite(gone[id(g)]) for g in loss.derivatives):
        for root in (loss.root, loss.stable):
            values = trace([root], leaves)
            for node in topological([root]):
                if node.args and node.func is not Where and _steep(loss, node, leaves):
                    quoted = write(node, _WIDE)
                    return Trouble(
                        f"the derivative of {quoted}: {_operands(node, values)}{at}", False
                    )
    return Trouble(f"the gradient is not finite{at}", True)


def _steep(loss: Loss, node: Node, leaves: Mapping[Node, float]) -> bool:
    slopes = [slope for _, slope in partials(loss.graph, node)]
    found = trace(slopes, leaves)
    return any(not _finite(found[id(s)]) for s in slopes)


def _culprit(root: Node, values: Mapping[int, Any]) -> Node:
    """The non-finite node, among those that count, whose operands are all finite."""
    node = root
    while True:
        bad = [a for a in _read(node, values) if not _finite(values[id(a)])]
        if not bad:
            return node
        node = bad[0]


def _read(node: Node, values: Mapping[int, Any] | None = None) -> list[Node]:
    if node.func is Where and values is not None:
        condition, a, b = node.args
        return [*condition.args, a if values[id(condition)] else b]
    return [a.args[0] if is_inverse(a) and node.is_Mul else a for a in node.args]


def _operands(node: Node, values: Mapping[int, Any]) -> str:
    told = []
    for arg in _read(node):
        if id(arg) in values and not arg.is_number and arg not in told:
            told.append(arg)
    texts = [f"{write(a, _WIDE)} = {values[id(a)]!r}" for a in told[:4]]
    more = f", and {len(told) - 4} more" if len(told) > 4 else ""
    return ", ".join(texts) + more


def _finite(value: Any) -> bool:
    return isinstance(value, bool) or value - value == 0
