"""Which part of a rule made a step that is not finite, and with which operands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from symgd.analysis.nonfinite import NonfiniteCause, blame, is_finite
from symgd.formula.evaluate import evaluate_all
from symgd.formula.graph import Graph
from symgd.formula.nodes import Name, Node
from symgd.model.rules import Rule


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
