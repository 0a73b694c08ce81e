"""Newton's method on smoothed losses, for losses with kinks such as sum(|y - a*x - b|).

|u| becomes hypot(u, w), and min, max and relu are smoothed through it. The width w decreases from
the size of a typical term towards zero, each minimum being the next start (K. Madsen, H. Nielsen,
1993, A finite smoothing algorithm for linear l1 estimation, SIAM J. Optim. 3(2)). For n terms the
smoothed loss, and so its minimum, is within n*w of the loss.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from symgd._numpy import np
from symgd.analysis.minima import LossObjective
from symgd.formula.functions.table import FUNCTIONS
from symgd.formula.graph import Graph
from symgd.formula.nodes import Node, Where, relation
from symgd.solvers import newton
from symgd.solvers.objectives import Box, Vector

_WIDTHS = [10.0**-k for k in range(1, 10)]  # in units of a typical term
_STEPS = 100  # of Newton's method at each


def smoothed(graph: Graph, root: Node, width: float) -> Node:
    """The loss with every |u| as hypot(u, width); `root` itself where it has no such kink.

    where(u > v, a, b) is (a + b)/2 + sign(u - v)*(a - b)/2, and sign(d) becomes d/hypot(d, width).
    """
    functions = {name: FUNCTIONS[name].node for name in ("abs", "max", "min", "relu")}
    w, half = graph.number(width), graph.number(0.5)

    def smooth_abs(u: Node) -> Node:
        return graph.node(FUNCTIONS["hypot"].node, u, w)

    def smooth(node: Node, args: tuple[Node, ...]) -> Node:
        if node.func is functions["abs"]:
            return smooth_abs(args[0])
        if node.func is functions["relu"]:
            return graph.mul(half, graph.add(args[0], smooth_abs(args[0])))
        if node.func is functions["max"] or node.func is functions["min"]:
            result = args[0]
            for other in args[1:]:
                difference = smooth_abs(graph.sub(result, other))
                difference = difference if node.func is functions["max"] else graph.neg(difference)
                result = graph.mul(half, graph.add(result, other, difference))
            return result
        if node.func is Where and relation(args[0]) in ("<", "<=", ">", ">="):
            left, right = args[0].args
            greater = relation(args[0]) in (">", ">=")
            difference = graph.sub(left, right) if greater else graph.sub(right, left)
            sign = graph.div(difference, smooth_abs(difference))
            _, a, b = args
            change = graph.mul(sign, graph.sub(a, b))
            return graph.mul(half, graph.add(a, b, change))
        return graph.same(node, args)

    return graph.rebuild([root], smooth)[0]


def minimize(
    graph: Graph,
    root: Node,
    objective_of: Callable[[Node], LossObjective],
    starts: Sequence[Sequence[float]],
    box: Box,
) -> tuple[newton.NewtonResult, str] | None:
    """The limit of the minima of the smoothed losses, and a sentence; None without a kink."""
    if smoothed(graph, root, 1.0) is root:
        return None
    exact = objective_of(root)
    assert exact.loss.rows is not None
    rows = exact.loss.rows.table.rows
    values = [(exact.value(box.clip(s)), list(s)) for s in starts]
    value, best = min((pair for pair in values if math.isfinite(pair[0])), default=(0.0, []))
    if value == 0:
        return None
    x: Vector = np.array(best, dtype=np.float64)
    typical, steps, last_move = abs(value) / rows, 0, math.inf
    for width in _WIDTHS:
        smooth_objective = objective_of(smoothed(graph, root, width * typical))
        result = newton.minimize(smooth_objective, x.tolist(), box, _STEPS)
        if result is None:
            break
        last_move = float(np.max(np.abs(result.x - x)))
        x, steps = np.array(result.x), steps + result.steps
        typical = min(typical, abs(exact.value(x)) / rows) or typical
    message = (
        f"the loss has kinks: no minimum is certified, but its smooth neighbours end here after "
        f"{steps:,} steps, the last two within {last_move:.2g} of one another"
    )
    return newton.evaluate_at(exact, x.tolist(), box, steps), message
