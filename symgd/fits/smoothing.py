"""Losses with kinks, such as sum(|y - a*x - b|): Newton's method on smooth neighbours.

|u| becomes hypot(u, w), and min, max and relu what follows from that; w falls from the size of a
typical term towards nothing, each end being the next start (K. Madsen, H. Nielsen, 1993, A finite
smoothing algorithm for linear l1 estimation, SIAM J. Optim. 3(2)). For n terms the smooth loss is
within n*w of the loss itself, and so is the minimum.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from symgd.fits.objective import Objective
from symgd.formula.functions.table import FUNCTIONS
from symgd.formula.graph import Graph
from symgd.formula.nodes import Node
from symgd.solvers import newton
from symgd.solvers.objectives import Box, Vector

_WIDTHS = [10.0**-k for k in range(1, 10)]  # in units of a typical term
_STEPS = 100  # of Newton's method at each


def smoothed(graph: Graph, root: Node, width: float) -> Node:
    """The loss with every |u| as hypot(u, width); `root` itself where it has no such kink."""
    kinds = {name: FUNCTIONS[name].node for name in ("abs", "max", "min", "relu")}
    w, half = graph.number(width), graph.number(0.5)

    def soft(u: Node) -> Node:
        return graph.node(FUNCTIONS["hypot"].node, u, w)

    def change(node: Node, args: tuple[Node, ...]) -> Node:
        if node.func is kinds["abs"]:
            return soft(args[0])
        if node.func is kinds["relu"]:
            return graph.mul(half, graph.add(args[0], soft(args[0])))
        if node.func is kinds["max"] or node.func is kinds["min"]:
            found = args[0]
            for other in args[1:]:
                apart = soft(graph.sub(found, other))
                apart = apart if node.func is kinds["max"] else graph.neg(apart)
                found = graph.mul(half, graph.add(found, other, apart))
            return found
        return graph.same(node, args)

    return graph.rebuild([root], change)[0]


def minimize(
    graph: Graph,
    root: Node,
    objective_of: Callable[[Node], Objective],
    starts: Sequence[Sequence[float]],
    box: Box,
) -> tuple[newton.Found, str] | None:
    """Where the minima of the smooth neighbours lead, and a sentence; None without a kink."""
    if smoothed(graph, root, 1.0) is root:
        return None
    whole = objective_of(root)
    values = [(whole.value(box.clip(np.array(s, dtype=np.float64))), list(s)) for s in starts]
    value, best = min(values)
    if not math.isfinite(value) or value == 0:
        return None
    x: Vector = np.array(best, dtype=np.float64)
    typical, steps, moved = abs(value) / whole.rows, 0, math.inf
    for width in _WIDTHS:
        smooth = objective_of(smoothed(graph, root, width * typical))
        found = newton.minimize(smooth, x.tolist(), box, _STEPS)
        if found is None:
            break
        moved = float(np.max(np.abs(found.x - x)))
        x, steps = found.x, steps + found.steps
        typical = min(typical, abs(whole.value(x)) / whole.rows) or typical
    found = replace(newton.at(whole, x, box, steps), kinked=True)
    told = (
        f"the loss has kinks: no minimum is certified, but its smooth neighbours end here after "
        f"{steps:,} steps, the last two within {moved:.2g} of one another"
    )
    return found, told
