"""A rule near a minimum as a linear map: its factor per step and its stable learning rates."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from symgd.gradient import gradient
from symgd.graph import Graph, Name, Node, trace
from symgd.minima import all_finite
from symgd.program import Program, compile_program
from symgd.rules import Rule


class LinearRule:
    """A rule near a minimum: on the error along one eigenvector of the Hessian, a linear map.

    With g = curvature * error, one step takes (error, state) to J (error, state); J is the
    Jacobian of the rule's own equations at error = state = 0 in the long run (t -> infinity),
    from the same reverse sweep as any gradient. B. Polyak, 1964, does this by hand for the heavy
    ball.
    """

    def __init__(self, rule: Rule, hyperparameters: Mapping[str, float]) -> None:
        graph = self._graph = Graph()
        names = ["error", "curvature", "lr", "t", *rule.state, *rule.hyperparameters]
        nodes: dict[str, Node] = {n: graph.atom(Name(f"a{k}", n)) for k, n in enumerate(names)}
        slope = graph.mul(nodes["curvature"], nodes["error"])
        state = {name: [nodes[name]] for name in rule.state}
        shared = {n: nodes[n] for n in ("lr", "t", *rule.hyperparameters)}
        theta, after = rule.step(graph, [nodes["error"]], [slope], state, shared)
        results = [*theta, *(after[name][0] for name in rule.state)]
        wrt = [nodes["error"], *(nodes[name] for name in rule.state)]
        self._rows = [gradient(graph, result, wrt) for result in results]
        self._nodes = nodes
        self._moving = [nodes[n] for n in ("error", *rule.state)]
        self._fixed = {nodes[n]: hyperparameters[n] for n in rule.hyperparameters}

    def jacobian(
        self, curvature: float, lr: float, t: float = 1e9, away: float = 0.0
    ) -> list[list[float]]:
        """J: (1 + states, 1 + states), at this curvature and learning rate.

        away: the error and state at which it is taken, 0 at the minimum.
        """
        at = self._fixed | {self._nodes["curvature"]: curvature, self._nodes["lr"]: lr}
        at |= {self._nodes["t"]: t} | dict.fromkeys(self._moving, away)
        entries = [entry for row in self._rows for entry in row]
        found = trace(entries, at)
        return [[float(found[id(e)]) for e in row] for row in self._rows]

    def program(self, rule: Rule) -> Program:
        """(curvature, lr, t, hyperparameters..) -> J at the minimum, row by row."""
        nodes = self._nodes
        places = dict.fromkeys(self._moving, self._graph.number(0.0))
        entries = self._graph.replace([e for row in self._rows for e in row], places)
        inputs = [nodes[n] for n in ("curvature", "lr", "t", *rule.hyperparameters)]
        return compile_program(
            self._graph, inputs, {f"J{k}": entry for k, entry in enumerate(entries)}
        )

    def applies(self, curvature: float) -> bool:
        """Whether this linear map says how the rule behaves near a minimum of that curvature.

        Not where the rule's fixed point is another than the minimum (weight decay), where it
        changes with t for ever, or where it is linear only on a scale far below its eps (adadelta).
        """
        lr = 0.1 / curvature
        rest = self.jacobian(0.0, lr)
        if rest[0][0] != 1.0 or any(row[0] != 0.0 for row in rest[1:]):
            return False
        here = self.jacobian(curvature, lr)
        others = [self.jacobian(curvature, lr, t=1e6), self.jacobian(curvature, lr, away=1e-3)]
        flat = [v for row in here for v in row]
        return all_finite(flat) and all(
            abs(a - b) <= tolerance * (1e-3 + abs(a))
            for other, tolerance in zip(others, (1e-9, 0.05), strict=True)
            for a, b in zip(flat, (v for row in other for v in row), strict=True)
        )

    def factor(self, curvature: float, lr: float) -> float:
        """What one step multiplies the error by in the long run, signed where that is real."""
        rows = self.jacobian(curvature, lr)
        if len(rows) == 1 or not all_finite([v for row in rows for v in row]):
            return rows[0][0]
        import numpy as np

        values = np.linalg.eigvals(np.array(rows))
        largest = values[np.argmax(np.abs(values))]
        return float(largest.real) if abs(largest.imag) < 1e-12 else float(abs(largest))

    def dominant(self, eigenvalues: Sequence[float], lr: float) -> float:
        """The factor of largest magnitude over the eigenvectors."""
        return max((self.factor(v, lr) for v in eigenvalues), key=abs)

    def limit(self, eigenvalues: Sequence[float]) -> float | None:
        """The least upper bound of the stable learning rates, or None if all or none are stable."""
        ends = [eigenvalues[0], eigenvalues[-1]]
        if len(self._rows) == 1:
            slopes = [self.factor(v, 1.0) - self.factor(v, 0.0) for v in ends]
            straight = all(
                math.isclose(self.factor(v, 2.0) - self.factor(v, 0.0), 2 * s, rel_tol=1e-9)
                for v, s in zip(ends, slopes, strict=True)
            )
            if straight and min(slopes) < 0 and all(self.factor(v, 0.0) == 1.0 for v in ends):
                return 2.0 / -min(slopes)
        high = 1.0 / max(map(abs, ends))
        for _ in range(200):
            if abs(self.dominant(ends, high)) >= 1:
                break
            high *= 2
        else:
            return None
        low = high
        for _ in range(200):
            low /= 2
            if abs(self.dominant(ends, low)) < 1:
                break
        else:
            return None
        for _ in range(60):
            middle = 0.5 * (low + high)
            if abs(self.dominant(ends, middle)) < 1:
                low = middle
            else:
                high = middle
        return 0.5 * (low + high)
