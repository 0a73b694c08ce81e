"""Update rules as formulas: a rule's text -> Rule, and a Rule -> the nodes of one step.

Lines `name = expression`, read from top to bottom, each for every parameter before the next.
`theta` is the parameter, `g` its gradient, `t` = 1, 2, ... the step, `lr` the learning rate, `L`
the loss at theta, `theta0` the start, `n` the planned number of steps. A name that is read before
it is assigned is state; it starts at 0, or at the value of a line `v0 = ...`. A name that is never
assigned is a hyperparameter. `report x` says which iterate is returned. The functions of rules
stand in `symgd.formula.rule_functions`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from symgd import names
from symgd._locks import cached_property
from symgd.errors import RuleError, caret
from symgd.formula.graph import Graph
from symgd.formula.nodes import DRAWS, EVALUATIONS, ONE, OVER_PARAMS, Name, Node, Norm, topological
from symgd.formula.other_names import RULE_LETTERS
from symgd.formula.parse import DEFAULT_LIMITS, Formula
from symgd.formula.tokens import tokens
from symgd.model.catalogue import CATALOGUE
from symgd.model.present import Notebook
from symgd.model.rule_step import Surroundings, alike_below, instantiate
from symgd.model.rule_text import Line, RuleText, pieces_of, read_rule

RESERVED = ("theta", "g", "t", "lr")


@dataclass(frozen=True)
class Rule(Notebook):
    """An update rule, from its equations.

    text: the lines. defaults: usual values of hyperparameters. name: for display. own_rates:
    whether each parameter has a learning rate of its own. Rules add up: `prefix + rule + suffix`
    runs the lines of the one, then of the other.

    >>> rule = Rule("v = beta*v + g; theta = theta - lr*v", {"beta": 0.9})
    >>> rule.state, rule.hyperparameters
    (('v',), ('beta',))
    """

    text: str
    defaults: Mapping[str, float] = field(default_factory=dict)
    name: str = "custom"
    own_rates: bool = False

    def __post_init__(self) -> None:
        self.lines  # noqa: B018 - a text that does not read fails here, not at the first step
        unknown = [n for n in self.defaults if n not in self.hyperparameters]
        if unknown:
            raise RuleError(f"the rule has no hyperparameter '{names.escape(unknown[0])}'")

    def __str__(self) -> str:
        return self.text.strip()

    def __reduce__(self) -> tuple[type[Rule], tuple[str, dict[str, float], str, bool]]:
        return Rule, (self.text, dict(self.defaults), self.name, self.own_rates)  # read again

    def __add__(self, other: Rule) -> Rule:
        text = f"{self.text.strip()}\n{other.text.strip()}"
        return Rule(text, {**self.defaults, **other.defaults}, f"{self.name}+{other.name}")

    @cached_property
    def graph(self) -> Graph:
        """Where the nodes of the lines live."""
        return Graph()

    @cached_property
    def content(self) -> RuleText:
        """What the text says, or FormulaError or RuleError."""
        return read_rule(self.text, self.graph)

    @property
    def lines(self) -> tuple[Line, ...]:
        """The assignments of every step in order."""
        return self.content.lines

    @property
    def variables(self) -> Mapping[str, Name]:
        """Every name that the lines read, with its symbol."""
        return self.content.variables

    @property
    def state(self) -> tuple[str, ...]:
        """The names that live from step to step."""
        return self.content.state

    @property
    def reported(self) -> Formula | None:
        """What is returned in place of theta."""
        return self.content.reported

    @cached_property
    def nodes(self) -> list[Node]:
        """The nodes of all expressions."""
        lines = [*self.lines, *self.content.initial.values()]
        return topological([line.formula.root for line in lines])

    @cached_property
    def evaluations(self) -> tuple[str, ...]:
        """What a step evaluates besides the gradient at theta: of L, loss, grad, hvp."""
        kinds = dict(zip(EVALUATIONS, ("loss", "grad", "hvp"), strict=True))
        found = [name for kind, name in kinds.items() if any(n.func is kind for n in self.nodes)]
        return ("L", *found) if self.uses_loss else tuple(found)

    @cached_property
    def uses_loss(self) -> bool:
        """Whether it reads the loss at theta."""
        own = {*self.defaults, *(line.target for line in self._all_lines)}
        return "L" in self.variables and "L" not in own

    @cached_property
    def random(self) -> bool:
        """Whether it draws random numbers."""
        return any(node.func in DRAWS for node in self.nodes)

    @cached_property
    def together(self) -> bool:
        """Whether the step of a parameter depends on others, or on which one it is."""
        kinds = (*OVER_PARAMS, *EVALUATIONS, *DRAWS)
        return self.uses_loss or self.own_rates or any(n.func in kinds for n in self.nodes)

    @property
    def _all_lines(self) -> tuple[Line, ...]:
        return (*self.lines, *self.content.initial.values())

    @cached_property
    def one_number(self) -> tuple[bool, ...]:
        """Of each state, whether it is one number for all parameters."""
        alike = {name for name, symbol in self.variables.items() if symbol in self.alike}
        return tuple(name in alike for name in self.state)

    def widths(self, count: int) -> list[int]:
        """How many numbers each state is, of so many parameters."""
        return [1 if one else count for one in self.one_number]

    @cached_property
    def unboxed(self) -> Rule:
        """The rule without the suffix box at its end: the engine projects into the same bounds."""
        suffix, text = CATALOGUE["box"].text, self.text.strip()
        if not text.endswith(f"\n{suffix}"):
            return self
        rest = Rule(text.removesuffix(suffix), name=self.name.removesuffix("+box"))
        kept = {n: v for n, v in self.defaults.items() if n in rest.hyperparameters}
        return replace(rest, defaults=kept)

    @cached_property
    def hyperparameters(self) -> tuple[str, ...]:
        """Names that are read and never assigned."""
        targets = {line.target for line in self._all_lines}
        given = {*RESERVED, "L"} if self.uses_loss else {*RESERVED}
        return tuple(n for n in self.variables if n not in targets and n not in given)

    @cached_property
    def alike(self) -> frozenset[Name]:
        """The symbols of the names that have one value for all parameters: lr, t, norms, ..."""
        alike = set(self.variables) - {"theta", "g", *(["lr"] if self.own_rates else [])}
        roots = [(line.target, line.formula.root) for line in self._all_lines]
        roots += [(state, line.formula.root) for state, line in self.content.initial.items()]
        while True:
            symbols = frozenset(self.variables[name] for name in alike)
            apart = {target for target, root in roots if id(root) not in alike_below(root, symbols)}
            if not alike & apart:
                return symbols
            alike -= apart

    def resolve(self, values: Mapping[str, float]) -> dict[str, float]:
        """The value of every hyperparameter: given here or by default, or RuleError.

        A rule that never assigns theta is a part to be joined, and cannot run.
        """
        if not any(line.target == "theta" for line in self.lines):
            raise RuleError(
                f"the rule '{names.escape(self.text.strip())}' never assigns theta;\n"
                "a rule says how: theta = theta - lr*g"
            )
        for name in values:
            if name not in self.hyperparameters:
                if name == "L" and self.uses_loss:
                    raise RuleError("L is the loss in a rule: give the hyperparameter another name")
                what = f"{names.escape(self.name)} has no hyperparameter"
                raise RuleError(names.unknown(what, name, self.hyperparameters))
        self._check_norms  # noqa: B018 - once
        missing = [n for n in self.hyperparameters if n not in values and n not in self.defaults]
        if missing:
            raise self._unknown_name(missing[0])
        return {n: float(values.get(n, self.defaults.get(n, 0.0))) for n in self.hyperparameters}

    @cached_property
    def _check_norms(self) -> None:
        """RuleError where the norm of a number is asked, such as norm(1): it has two readings."""
        for line in self._all_lines:
            one = alike_below(line.formula.root, self.alike)
            for node in topological([line.formula.root]):
                if node.func is Norm and id(node.args[0]) in one:
                    sentence = "norm goes over all parameters, and this is one number for them all"
                    hint = "write abs(...) for its size, sum(1) for how many parameters there are"
                    raise RuleError("\n".join([sentence, *self._place_of("norm"), hint]))

    def _unknown_name(self, name: str) -> RuleError:
        """The error for a name that the rule reads and nothing gives a value."""
        shown = names.escape(name)
        usual = [letter for entry in CATALOGUE.values() for letter in entry.defaults]
        near = "" if name in usual else names.suggest(name, [*usual, *self.state, *RESERVED])
        hint = RULE_LETTERS.get(name) or near
        return RuleError(
            "\n".join(
                [
                    f"unknown name '{shown}' in the rule {names.escape(self.name)}"
                    + (f"; {hint}" if hint else ""),
                    *self._place_of(name),
                    "a rule sees theta, g, t, lr, n, L and the names that its lines assign",
                    f"a hyperparameter needs a value: --set {shown}=...",
                ]
            )
        )

    def _place_of(self, name: str) -> list[str]:
        """The line that reads the name first, and a caret under it."""
        for piece in pieces_of(self.text):
            right = piece.index("=") + 1 if "=" in piece else 0
            for token in tokens(piece[right:], DEFAULT_LIMITS):
                if token.kind == "name" and token.text == name:
                    return caret(piece, right + token.column)
        return []

    def step(
        self,
        graph: Graph,
        theta: Sequence[Node],
        grad: Sequence[Node],
        state: Mapping[str, Sequence[Node]],
        shared: Mapping[str, Node | Sequence[Node]],
        around: Surroundings | None = None,
    ) -> tuple[list[Node], dict[str, list[Node]]]:
        """One step as nodes of `graph`: the new parameters and the new state.

        theta, grad: one node per parameter; state: name -> one node per parameter, or a single one
        of a state that is one number. shared: the nodes of t, lr and the hyperparameters, lr one or
        one per parameter.
        """
        count = len(theta)
        around = around or Surroundings.of(graph, count)
        now: dict[str, list[Node]] = {"theta": list(theta), "g": list(grad)}
        now |= {name: _spread(nodes, count) for name, nodes in state.items()}
        for name, node in shared.items():
            now[name] = _spread(node if isinstance(node, (list, tuple)) else [node], count)
        if self.uses_loss:
            now["L"] = [around.loss_here()] * count

        def value(line: Line) -> list[Node]:
            places = [(n, s) for n, s in line.formula.variables.items() if n in line.reads]
            values = [{s: now[n][k] for n, s in places} for k in range(count)]
            return instantiate(graph, line.formula.root, values, self.alike, around)

        for name, line in self.content.initial.items():
            first = graph.compare("==", now["t"][0], ONE)
            nodes = value(line)
            if line.target in self.content.held:
                kept = zip(nodes, now[line.target], strict=True)
                nodes = [graph.where(first, new, old) for new, old in kept]
                now[line.target] = nodes
            if name != "theta":
                pairs = zip(nodes, now[name], strict=True)
                now[name] = [graph.where(first, new, old) for new, old in pairs]
        for line in self.lines:
            now[line.target] = value(line)
        after = {
            name: now[name][:1] if one else now[name]
            for name, one in zip(self.state, self.one_number, strict=True)
        }
        return now["theta"], after


def _spread(nodes: Sequence[Node], count: int) -> list[Node]:
    return list(nodes) if len(nodes) == count else [nodes[0]] * count


def find_rule(text: str | Rule) -> Rule:
    """The rule of this catalogue name, names joined by +, or text of equations."""
    if isinstance(text, Rule):
        return text
    if not isinstance(text, str):
        raise RuleError(f"a rule is a name, equations or a Rule, not {type(text).__name__}")
    return _read(text)


#: names of papers and other libraries, in small letters only -> what to write here
_ELSEWHERE = {
    **dict.fromkeys(("sgd", "gradientdescent", "steepestdescent"), "gd"),
    **dict.fromkeys(("heavyball", "polyakmomentum", "sgdm", "sgdmomentum"), "momentum"),
    **dict.fromkeys(("nag", "nesterovmomentum", "sgdnesterov"), "nesterov"),
    **dict.fromkeys(("cg", "fletcherreeves", "polakribiere"), "conjugate_gradient"),
    **dict.fromkeys(("bb", "barzilaiborwein"), "barzilai_borwein"),
    **dict.fromkeys(("bfgs", "lbfgs", "lbfgsb"), "--method lbfgs in place of the rule"),
    **dict.fromkeys(("newton", "newtonraphson"), "--method newton in place of the rule"),
    **dict.fromkeys(("lm", "levenbergmarquardt"), "--method lm in place of the rule"),
    **dict.fromkeys(("tr", "trustregion"), "--method tr in place of the rule"),
}


@lru_cache(maxsize=64)
def _read(text: str) -> Rule:
    if "=" in text:
        return Rule(text)
    parts = [part.strip() for part in text.split("+")]
    for part in parts:
        if part not in CATALOGUE:
            named = _ELSEWHERE.get(part.lower().replace("_", "").replace("-", ""))
            hint = f"write {named}" if named else names.suggest(part, CATALOGUE)
            hint = hint or "`symgd rules` lists them"
            shown = names.escape(part)
            raise RuleError(
                f"there is no rule '{shown}'; {hint}\nor write one: theta = theta - lr*g"
            )
    entries = [CATALOGUE[part] for part in parts]
    if not any(entry.kind == "rule" for entry in entries):
        shown = names.escape(text)
        raise RuleError(f"'{shown}' holds no rule to join it to; write for example {shown}+gd")
    kinds = [entry.kind for entry in entries]
    if kinds.count("rule") > 1:
        both = " and ".join(entry.name for entry in entries if entry.kind == "rule")
        shown = names.escape(text)
        raise RuleError(
            f"'{shown}' joins more than one rule: {both}\n"
            "give one, with prefixes before it and suffixes behind it; `symgd rules` lists them"
        )
    if kinds != sorted(kinds, key=("prefix", "rule", "suffix").index):
        order = sorted(entries, key=lambda e: ("prefix", "rule", "suffix").index(e.kind))
        hint = "+".join(dict.fromkeys(e.name for e in order))
        raise RuleError(
            f"'{names.escape(text)}' is out of order: prefixes, one rule, suffixes; write {hint}"
        )
    # where a prefix and a rule share a hyperparameter, the rule's default counts
    ordered = sorted(entries, key=lambda entry: entry.kind == "rule")
    defaults = {k: v for entry in ordered for k, v in entry.defaults.items()}
    return Rule("\n".join(e.text for e in entries), defaults, "+".join(parts))
