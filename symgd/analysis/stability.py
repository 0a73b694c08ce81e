"""A rule near a minimum as a linear map: its factor per step and its stable learning rates."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from symgd._locks import cached_property
from symgd._numpy import np
from symgd.backends.compiler import compile_program
from symgd.backends.lambdified import ARITHMETIC_ERRORS, compile_scalar
from symgd.backends.program import Program
from symgd.calculus.gradient import gradient
from symgd.formula.evaluate import evaluate_all
from symgd.formula.functions.table import FUNCTIONS
from symgd.formula.graph import Graph
from symgd.formula.nodes import CALLED, Name, Node, Norm, ParamSum, Where, depends, topological
from symgd.model.rule_step import Surroundings
from symgd.model.rules import Rule
from symgd.solvers.symmetric import all_finite, finite_rows

_ERROR, _CURVATURE = " error", " curvature"  # no names that a rule could have
_LATE, _EARLIER = 1e9, 1e6  # steps at which a rule has stopped to change
_ROUGH = {row.node for row in FUNCTIONS.values() if row.kink} | {Where, Norm}
_FEW = 40  # Jacobians that take less time than the compilation of their formulas


_RULES: dict[Any, LinearRule] = {}
_KEPT = 128  # rules with their hyperparameters; a page has those of the whole catalogue


def linear_rule(rule: Rule, hyperparameters: Mapping[str, float]) -> LinearRule:
    """The linear map of a rule, kept for the next run by the same rule.

    Bounds leave no trace in it: it is for the parameters that are not held at one.
    """
    rule = rule.unboxed
    key = (rule.text, *hyperparameters.items())
    if key not in _RULES:
        if len(_RULES) >= _KEPT:
            _RULES.pop(next(iter(_RULES)), None)
        _RULES[key] = LinearRule(rule, hyperparameters)
    return _RULES[key]


class _Quadratic:
    """The loss along one eigenvector, curvature*error**2/2, for the rule's own evaluations."""

    def __init__(self, graph: Graph, curvature: Node) -> None:
        self.graph, self.curvature = graph, curvature

    def loss(self, point: Sequence[Node]) -> Node:
        """The loss at an error."""
        graph, [error] = self.graph, point
        return graph.mul(graph.number(0.5), self.curvature, graph.pow(error, 2))

    def grad(self, point: Sequence[Node]) -> list[Node]:
        """The slope there."""
        return [self.graph.mul(self.curvature, point[0])]

    product = grad


class LinearRule:
    """A rule near a minimum: on the error along one eigenvector of the Hessian, a linear map.

    With g = curvature * error, one step takes (error, state) to J (error, state); J is the
    Jacobian of the rule's own equations at error = state = 0 in the long run (t -> infinity),
    from the same reverse sweep as any gradient. B. Polyak, 1964, does this by hand for the heavy
    ball.
    """

    def __init__(self, rule: Rule, hyperparameters: Mapping[str, float]) -> None:
        graph = self._graph = Graph()
        names = [_ERROR, _CURVATURE, "lr", "t", *rule.state, *rule.hyperparameters]
        nodes: dict[str, Node] = {n: graph.atom(Name(f"a{k}", n)) for k, n in enumerate(names)}
        slope = graph.mul(nodes[_CURVATURE], nodes[_ERROR])
        state = {name: [nodes[name]] for name in rule.state}
        shared = {n: nodes[n] for n in ("lr", "t", *rule.hyperparameters)}
        along = _Quadratic(graph, nodes[_CURVATURE])
        around = Surroundings.of(graph, 1, along.loss([nodes[_ERROR]]), along)
        theta, after = rule.step(graph, [nodes[_ERROR]], [slope], state, shared, around)
        self._nodes = nodes
        self._moving = [nodes[n] for n in (_ERROR, *rule.state)]
        self._fixed = {nodes[n]: hyperparameters[n] for n in rule.hyperparameters}
        self._asked = 0
        results = self._in_the_long_run([*theta, *(after[name][0] for name in rule.state)])
        rough = any(
            node.func in _ROUGH and depends(node, self._moving) for node in topological(results)
        )
        self.random = rule.random
        self.smooth = not (rough or rule.random)
        self.separate = all(self._vanishes(kind, term) for kind, term in around.reduced)
        self._from_rest = self._starts_at_rest(rule)
        self.separate &= not rule.content.held and self._from_rest
        self.rows = [gradient(graph, result, self._moving) for result in results]

    def _at_rest(self, curvature: float = 1.0, lr: float = 0.1) -> dict[Node, float]:
        """The values of all leaves where error and state are 0."""
        known = self._fixed | {self._nodes[_CURVATURE]: curvature, self._nodes["lr"]: lr}
        return known | {self._nodes["t"]: _LATE} | dict.fromkeys(self._moving, 0.0)

    def _vanishes(self, kind: type, term: Node) -> bool:
        """Whether a reduction over all parameters does not couple them near the minimum.

        A sum of constants counts the parameters, of which there is one here.
        """
        if not depends(term, self._moving):
            return kind is not ParamSum
        if kind is not ParamSum:
            return False
        slopes = gradient(self._graph, term, self._moving)
        found = evaluate_all(slopes, self._at_rest())
        return all(found[id(slope)] == 0 for slope in slopes)

    @staticmethod
    def _starts_at_rest(rule: Rule) -> bool:
        """Whether no state begins, and may stay, at another value than 0 beside the minimum."""
        for line in rule.content.initial.values():
            root = line.formula.root
            alone = {"theta", "g"}.issuperset(line.reads)
            if not alone or any(n.func in CALLED for n in topological([root])):
                return False
            values = {s: 0.0 for n, s in rule.variables.items() if n in line.reads}
            if evaluate_all([root], values)[id(root)] != 0:
                return False
        return True

    def whole(self, hessian: Sequence[Sequence[float]], rates: Sequence[float]) -> float | None:
        """The factor per step where each parameter has its own learning rate.

        The map of all errors and states at once. None where the rule reads the curvature twice.
        """
        rows = np.array(hessian)
        scale, width = float(np.abs(rows).max()) or 1.0, len(self.rows)
        count = len(rates)
        whole = np.zeros((count * width, count * width))
        for k, lr in enumerate(rates):
            rest, here, twice = (np.array(self.jacobian(c * scale, lr)) for c in (0, 1, 2))
            gain = (here - rest) / scale
            if not np.allclose(twice, rest + 2 * scale * gain, rtol=1e-9, atol=1e-12):
                return None
            place = slice(k * width, (k + 1) * width)
            whole[place, place] += rest
            for j in range(count):  # the error of j moves k by the slope of k
                whole[place, j * width] += gain[:, 0] * rows[k, j]
        if not np.isfinite(whole).all():
            return None
        values = np.linalg.eigvals(whole)
        largest = values[np.argmax(np.abs(values))]
        return float(largest.real) if abs(largest.imag) < 1e-12 else float(abs(largest))

    def _in_the_long_run(self, results: Sequence[Node]) -> list[Node]:
        """The step with every choice by t alone made: where(t == 1, a, b) is b."""
        others = [*self._moving, self._nodes[_CURVATURE], self._nodes["lr"]]

        def change(node: Node, args: tuple[Node, ...]) -> Node:
            if node.func is Where and not depends(args[0], others):
                late, earlier = (
                    evaluate_all([args[0]], self._fixed | {self._nodes["t"]: t})[id(args[0])]
                    for t in (_LATE, _EARLIER)
                )
                if late == earlier:
                    return args[1] if late else args[2]
            return self._graph.same(node, args)

        return self._graph.rebuild(results, change)

    def jacobian(
        self, curvature: float, lr: float, t: float = _LATE, away: float = 0.0
    ) -> list[list[float]]:
        """J: (1 + states, 1 + states), at this curvature and learning rate.

        away: the error and state at which it is taken, 0 at the minimum.
        """
        at = self._fixed | {self._nodes[_CURVATURE]: curvature, self._nodes["lr"]: lr}
        at |= {self._nodes["t"]: t} | dict.fromkeys(self._moving, away)
        self._asked += 1
        if self._asked > _FEW:
            try:
                flat = self._compiled(*(at[node] for node in self._nodes.values()))
                width = len(self.rows)
                return [flat[k : k + width] for k in range(0, len(flat), width)]
            except ARITHMETIC_ERRORS:
                pass
        found = evaluate_all(self._entries, at)
        return [[float(found[id(e)]) for e in row] for row in self.rows]

    @property
    def _entries(self) -> list[Node]:
        return [entry for row in self.rows for entry in row]

    @cached_property
    def _compiled(self) -> Callable[..., list[float]]:
        """The nodes' values -> the entries; it raises where one of them is not finite."""
        outputs = {f"J{k}": entry for k, entry in enumerate(self._entries)}
        return compile_scalar(compile_program(list(self._nodes.values()), outputs))

    def number(self, leaf: Name, curvature: float) -> float:
        """The value of a leaf of `rows`: a hyperparameter's own, or the curvature."""
        return curvature if self.is_curvature(leaf) else self._fixed[self._nodes[leaf.text]]

    def is_curvature(self, leaf: Name) -> bool:
        """Whether a leaf of `rows` is the curvature."""
        return leaf is self._nodes[_CURVATURE]

    def at_rest(self, leaf: Name) -> bool:
        """Whether a leaf of `rows` is the error or a state, which are 0 at the minimum."""
        return any(leaf is node for node in self._moving)

    def slope(self, curvature: float) -> float:
        """d factor/d lr of a rule without state."""
        return self.factor(curvature, 1.0) - self.factor(curvature, 0.0)

    def straight(self, eigenvalues: Sequence[float]) -> bool:
        """Whether the rule has no state and its factor is 1 + slope*lr."""
        return len(self.rows) == 1 and all(
            self.factor(v, 0.0) == 1.0
            and math.isclose(self.factor(v, 2.0) - 1.0, 2 * self.slope(v), rel_tol=1e-9)
            for v in eigenvalues
        )

    def program(self, rule: Rule) -> Program:
        """(curvature, lr, t, away, hyperparameters..) -> `jacobian`, row by row."""
        nodes = self._nodes
        away = self._graph.atom(Name(f"a{len(nodes)}", " away"))
        entries = self._graph.replace(self._entries, dict.fromkeys(self._moving, away))
        inputs = [*(nodes[n] for n in (_CURVATURE, "lr", "t")), away]
        inputs += [nodes[n] for n in rule.hyperparameters]
        return compile_program(inputs, {f"J{k}": entry for k, entry in enumerate(entries)})

    def applies(self, curvature: float) -> bool:
        """Whether this linear map says how the rule behaves near a minimum of that curvature.

        Not where the rule's fixed point is another than the minimum (weight decay), where it never
        stops changing with t, or where it is linear only on a scale far below its eps (adadelta).
        """
        if not (self.smooth and self.separate):
            return False
        lr = 0.1 / curvature
        rest = self.jacobian(0.0, lr)
        if rest[0][0] != 1.0 or any(row[0] != 0.0 for row in rest[1:]):
            return False
        here = self.jacobian(curvature, lr)
        others = [self.jacobian(curvature, lr, t=_EARLIER), self.jacobian(curvature, lr, away=1e-3)]
        flat = [v for row in here for v in row]
        return all_finite(flat) and all(
            abs(a - b) <= tolerance * (1e-3 + abs(a))
            for other, tolerance in zip(others, (1e-9, 0.05), strict=True)
            for a, b in zip(flat, (v for row in other for v in row), strict=True)
        )

    @cached_property
    def decays(self) -> bool:
        """Whether a step without a gradient shrinks theta: no minimum but 0 is a fixed point."""
        return self._from_rest and 0.0 < self.jacobian(0.0, 0.1, away=1.0)[0][0] < 1.0

    def factor(self, curvature: float, lr: float) -> float:
        """What one step multiplies the error by in the long run, signed where that is real."""
        rows = self.jacobian(curvature, lr)
        if len(rows) == 1 or not finite_rows(rows):
            return rows[0][0]
        if len(rows) == 2:
            return _of_two(rows)
        values = np.linalg.eigvals(np.array(rows))
        largest = values[np.argmax(np.abs(values))]
        return float(largest.real) if abs(largest.imag) < 1e-12 else float(abs(largest))

    def dominant(self, eigenvalues: Sequence[float], lr: float) -> float:
        """The factor of largest magnitude over the eigenvectors."""
        return max((self.factor(v, lr) for v in eigenvalues), key=abs)

    def limit(self, eigenvalues: Sequence[float]) -> float | None:
        """The least upper bound of the stable learning rates, or None if all or none are stable."""
        ends = [eigenvalues[0], eigenvalues[-1]]
        if self.straight(ends) and (steepest := min(map(self.slope, ends))) < 0:
            return 2.0 / -steepest
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


def _of_two(rows: Sequence[Sequence[float]]) -> float:
    """The eigenvalue of largest modulus of a 2 x 2 matrix; of a complex pair, the modulus."""
    (a, b), (c, d) = rows
    half, det = 0.5 * (a + d), a * d - b * c
    inside = 0.25 * (a - d) * (a - d) + b * c
    if inside < -1e-24 * max(1.0, half * half):
        return math.sqrt(det)
    return half + math.copysign(math.sqrt(max(inside, 0.0)), half)
