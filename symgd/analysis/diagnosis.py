"""Which sub-expression of a loss, or of a rule, went non-finite, and with which operands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from symgd.analysis.array_diagnosis import find_element
from symgd.analysis.nonfinite import WIDTH, NonfiniteCause, blame, is_finite, operand_values
from symgd.analysis.row_diagnosis import find_row
from symgd.calculus.pullback import partials
from symgd.formula.evaluate import evaluate_all
from symgd.formula.graph import Graph
from symgd.formula.nodes import Name, Node, Where, topological
from symgd.formula.printing.plain import write
from symgd.model.array_internals import ArrayInternals
from symgd.model.loss import Loss
from symgd.model.rules import Rule


def find(loss: Loss, x: Sequence[float], t: int) -> NonfiniteCause:
    """What is non-finite in value or gradient of the loss at x, the point of step t."""
    at = f" at step {t}" if t else " at the start"
    if isinstance(loss.internals, ArrayInternals):
        return find_element(loss.internals.functions, x, at)
    if loss.internals.rows is not None:
        return find_row(loss, x, at)
    leaves: dict[Node, float] = dict(zip(loss.internals.leaves, x, strict=True))
    for root in (loss.internals.root, loss.internals.stable):
        values = evaluate_all([root], leaves)
        if not is_finite(values[id(root)]):
            return blame(root, values, x, at)
    return _in_gradient(loss, leaves, at)


def _in_gradient(loss: Loss, leaves: Mapping[Node, float], at: str) -> NonfiniteCause:
    """The node of the loss whose local derivative is not finite."""
    slopes = evaluate_all(loss.internals.derivatives, leaves)
    if not all(is_finite(slopes[id(g)]) for g in loss.internals.derivatives):
        for root in (loss.internals.root, loss.internals.stable):
            values = evaluate_all([root], leaves)
            for node in topological([root]):
                if node.args and node.func is not Where and _steep(loss, node, leaves):
                    quoted = write(node, WIDTH)
                    return NonfiniteCause(
                        f"the derivative of {quoted}: {operand_values(node, values)}{at}", False
                    )
    return NonfiniteCause(f"the gradient is not finite{at}", True)


def _steep(loss: Loss, node: Node, leaves: Mapping[Node, float]) -> bool:
    slopes = [slope for _, slope in partials(loss.internals.graph, node)]
    found = evaluate_all(slopes, leaves)
    return any(not is_finite(found[id(s)]) for s in slopes)


def find_in_step(
    rule: Rule,
    params: Sequence[str],
    shared: Mapping[str, float],
    x: Sequence[float],
    grad: Sequence[float],
    state: Sequence[float],
) -> NonfiniteCause | None:
    """The cause in the step from x, or None where the rule's formulas are finite there.

    shared: t, lr and the hyperparameters. state: the values of each state for all parameters, one
    state after the other.
    """
    graph, count = Graph(), len(x)
    values: dict[Node, float] = {}

    def leaves(name: str, numbers: Sequence[float]) -> list[Node]:
        own = count > 1 and len(numbers) == count
        texts = [f"{name}[{p}]" if own else name for p in params[: len(numbers)]]
        made = [graph.atom(Name(f"d{len(values) + k}", text)) for k, text in enumerate(texts)]
        values.update(zip(made, numbers, strict=True))
        return made

    theta, slopes = leaves("theta", x), leaves("g", grad)
    states, first = {}, 0
    for name, width in zip(rule.state, rule.widths(count), strict=True):
        states[name] = leaves(name, state[first : first + width])
        first += width
    fixed = {name: leaves(name, [number])[0] for name, number in shared.items()}
    after, new_states = rule.step(graph, theta, slopes, states, fixed)
    roots = [*after, *(node for nodes in new_states.values() for node in nodes)]
    found = evaluate_all(roots, values)
    for root in roots:
        if not is_finite(found[id(root)]):
            return blame(root, found, x, f" in the rule at step {shared['t']:.0f}")
    return None
