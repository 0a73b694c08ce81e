"""One step of a rule over whole arrays: programs, and the evaluations of the loss between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from symgd._locks import cached_property
from symgd._numpy import NDArray, np
from symgd.backends.compiler import compile_program
from symgd.backends.lambdified import compile_array, compile_scalar
from symgd.backends.native.jit import remembered
from symgd.backends.program import Program
from symgd.formula.graph import Graph
from symgd.formula.nodes import Name, Node
from symgd.model.arguments import Arguments
from symgd.model.rule_step import Surroundings


class Evaluator(Protocol):
    """What a rule may ask of a loss besides the gradient at theta; numbers or arrays."""

    def loss(self, x: Any, point: Any) -> Any: ...
    def grad(self, x: Any, point: Any) -> Any: ...
    def product(self, x: Any, v: Any) -> Any: ...


@dataclass
class _Recorder:
    """Notes what a rule evaluates: which method of an Evaluator, at which point, as which name."""

    graph: Graph
    found: list[tuple[str, Node, Node]] = field(default_factory=list)

    def _note(self, method: str, point: Node) -> Node:
        atom = self.graph.atom(Name(f"e{len(self.found)}", f"{method} {len(self.found)}"))
        self.found.append((method, point, atom))
        return atom

    def loss(self, point: Sequence[Node]) -> Node:
        return self._note("loss", point[0])

    def grad(self, point: Sequence[Node]) -> list[Node]:
        return [self._note("grad", point[0])]

    def product(self, v: Sequence[Node]) -> list[Node]:
        return [self._note("product", v[0])]


@dataclass
class _Programs:
    """step: -> (theta, state..). stages: what is evaluated before it, each with its method."""

    step: Program
    stages: list[tuple[str, Program]]
    array: bool

    @cached_property
    def functions(self) -> tuple[Callable[..., Any], list[tuple[str, Callable[..., Any]]]]:
        """The same as functions in Python."""
        compile_ = compile_array if self.array else compile_scalar
        return compile_(self.step), [(method, compile_(point)) for method, point in self.stages]


class ArrayRule:
    """The programs of a step, (theta, g, state.., t, [lr], values.., L, index, results..) each.

    program: -> (theta, state..). stages: what is evaluated before: the method of an Evaluator, and
    the program of its point. sizes: how many numbers each parameter is, by name. array: False for
    one parameter, a number. The programs are made once for all learning rates that are numbers.
    """

    def __init__(
        self,
        arguments: Arguments,
        values: Mapping[str, float],
        sizes: Mapping[str, int],
        *,
        array: bool = True,
    ) -> None:
        rule, schedule = arguments.rule, arguments.schedule
        self.rule, self.sizes, self.schedule, self.array = rule, sizes, schedule, array
        self.count = sum(sizes.values())
        self.constants = {n: v for n, v in values.items() if n not in schedule.own_values}
        self.rate_values = values
        if schedule.formula is not None:
            self._made = self._make()
        else:
            key = ("array rule", rule.text, bool(schedule.own), *self.constants, self.count, array)
            self._made = remembered(key, self._make)
        self.program, self.stages = self._made.step, self._made.stages

    def _make(self) -> _Programs:
        rule, schedule, array, graph = self.rule, self.schedule, self.array, Graph()
        own = bool(schedule.own)
        labels = ["theta", "g", *rule.state, "t"]
        labels += ["lr"] if schedule.takes_number or own else []
        labels += [*self.constants]
        labels += ["L"] if rule.uses_loss else []
        labels += ["index"] if rule.random and array else []
        nodes: dict[str, Node] = {n: graph.atom(Name(f"a{k}", n)) for k, n in enumerate(labels)}
        shared = {n: nodes[n] for n in ("t", "lr", *self.constants) if n in nodes}
        if not own:
            shared["lr"] = schedule.nodes(graph, shared, ())
        recorder = _Recorder(graph)
        index = nodes.get("index", graph.number(0))
        around = Surroundings([index], graph.number(self.count), array, nodes.get("L"), recorder)
        state = {name: [nodes[name]] for name in rule.state}
        theta, after = rule.step(graph, [nodes["theta"]], [nodes["g"]], state, shared, around)
        inputs = [*nodes.values()]
        stages = []
        for method, point, atom in recorder.found:
            stages.append((method, compile_program(inputs, {"point": point})))
            inputs = [*inputs, atom]
        outputs = {"theta'": theta[0], **{f"{n}'": after[n][0] for n in rule.state}}
        return _Programs(compile_program(inputs, outputs), stages, array)

    @property
    def plain(self) -> bool:
        """Whether a step needs nothing but numbers beside theta, g and the state."""
        return not (self.stages or self.schedule.own or (self.rule.random and self.array))

    def split(self, state: Any) -> list[Any]:
        """The states out of one array; of one that is a single number, that number."""
        found, first = [], 0
        state = np.asarray(state, dtype=np.float64)
        for width, one in zip(self.rule.widths(self.count), self.rule.one_number, strict=True):
            found.append(state[first] if one else state[first : first + width])
            first += width
        return found

    def joined(self, states: Sequence[Any]) -> NDArray[Any]:
        """The states as one array."""
        parts = zip(states, self.rule.widths(self.count), strict=True)
        whole = [np.broadcast_to(np.asarray(s, dtype=np.float64), width) for s, width in parts]
        return np.concatenate(whole) if whole else np.zeros(0)

    def compiled(self, evaluator: Evaluator | None) -> Callable[..., list[Any]]:
        """(theta, g, states, t, lr or None, L) -> [theta, states..]. lr: of the line search."""
        step, stages = self._made.functions
        more = list(self.constants.values())
        index = self._index()

        def call(x: Any, g: Any, states: Sequence[Any], t: float, lr: Any, loss: Any) -> list[Any]:
            rate = self._rates(t) if self.schedule.own else self.schedule.value
            rates = [] if lr is None and rate is None else [rate if lr is None else lr]
            known = [x, g, *states, t, *rates, *more, *([loss] if self.rule.uses_loss else [])]
            known += index
            for method, point in stages:
                known.append(getattr(evaluator, method)(x, point(*known)[0]))
            out: list[Any] = step(*known)
            return out

        return call

    def _index(self) -> list[Any]:
        if not (self.rule.random and self.array):
            return []
        return [np.arange(float(self.count))]

    def _rates(self, t: float) -> Any:
        values = {**self.rate_values, "t": t}
        one = {n: s.at(int(t), values) if s.varies else s.value for n, s in self.schedule.own}
        rates = {n: one[self.schedule.rate_of(n)] for n in self.sizes}
        if not self.array:
            return next(iter(rates.values()))
        return np.concatenate([np.full(size, rates[n]) for n, size in self.sizes.items()])
