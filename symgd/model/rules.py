"""Update rules as formulas: a rule's text -> Rule, and a Rule -> the nodes of one step.

Lines `name = expression`, read from top to bottom, each for every parameter before the next.
`theta` is the parameter, `g` its gradient, `t` = 1, 2, ... the step, `lr` the learning rate. A name
that is read before it is assigned is state and starts at 0; a name that is never assigned is a
hyperparameter.
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import sympy

from symgd import names
from symgd._locks import cached_property
from symgd.errors import FormulaError, RuleError, caret
from symgd.formula.functions.table import FUNCTIONS
from symgd.formula.graph import Graph
from symgd.formula.nodes import Name, Node, Norm, topological
from symgd.formula.other_names import RULE_LETTERS
from symgd.formula.parse import DEFAULT_LIMITS, Formula, parse, variable_name
from symgd.formula.tokens import tokens
from symgd.model.catalogue import CATALOGUE
from symgd.model.present import Notebook

RESERVED = ("theta", "g", "t", "lr")
_FIXED = ("t", "lr")  # what a rule reads but cannot assign


@dataclass(frozen=True)
class Line:
    """One assignment of a rule: the name, and its expression in the rule's own graph."""

    target: str
    formula: Formula


@dataclass(frozen=True)
class Rule(Notebook):
    """An update rule, from its equations.

    text: the lines. defaults: usual values of hyperparameters. name: for display. Rules add up:
    `prefix + rule + suffix` runs the lines of the one, then of the other.

    >>> rule = Rule("v = beta*v + g; theta = theta - lr*v", {"beta": 0.9})
    >>> rule.state, rule.hyperparameters
    (('v',), ('beta',))
    """

    text: str
    defaults: Mapping[str, float] = field(default_factory=dict)
    name: str = "custom"

    def __post_init__(self) -> None:
        self.lines  # noqa: B018 - a text that does not read fails here, not at the first step
        unknown = [n for n in self.defaults if n not in self.hyperparameters]
        if unknown:
            raise RuleError(f"the rule has no hyperparameter '{names.escape(unknown[0])}'")

    def __str__(self) -> str:
        return self.text.strip()

    def __reduce__(self) -> tuple[type[Rule], tuple[str, dict[str, float], str]]:
        return Rule, (self.text, dict(self.defaults), self.name)  # the lines are read again

    def __add__(self, other: Rule) -> Rule:
        text = f"{self.text.strip()}\n{other.text.strip()}"
        return Rule(text, {**self.defaults, **other.defaults}, f"{self.name}+{other.name}")

    @cached_property
    def graph(self) -> Graph:
        """Where the nodes of the lines live."""
        return Graph()

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        """The assignments in order, or FormulaError or RuleError."""
        pieces = [p for p in _pieces(self.text) if p.strip()]
        targets = [_target(piece) for piece in pieces]
        variables: dict[str, Name] = {}
        lines = []
        for piece, target in zip(pieces, targets, strict=True):
            right = " " * (piece.index("=") + 1) + piece[piece.index("=") + 1 :]
            try:
                formula = parse(
                    right, graph=self.graph, variables=variables, declared=targets, rule=True
                )
            except FormulaError as error:
                column = max(error.column, piece.index("=") + 1)
                raise FormulaError(piece, column, error.sentence, error.hint) from None
            variables = dict(formula.variables)
            lines.append(Line(target, formula))
        return tuple(lines)

    @cached_property
    def variables(self) -> dict[str, Name]:
        """Every name that the lines read, with its symbol."""
        return dict(self.lines[-1].formula.variables) if self.lines else {}

    @cached_property
    def state(self) -> tuple[str, ...]:
        """Names read before they are assigned: they live from step to step, from 0 on."""
        assigned: set[str] = set()
        found: list[str] = []
        targets = {line.target for line in self.lines}
        for line in self.lines:
            for name in self._read(line):
                if name in targets and name not in assigned and name not in {*RESERVED, *found}:
                    found.append(name)
            assigned.add(line.target)
        return tuple(found)

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
        targets = {line.target for line in self.lines}
        return tuple(n for n in self.variables if n not in targets and n not in RESERVED)

    @cached_property
    def alike(self) -> frozenset[Name]:
        """The symbols of the names that have one value for all parameters: lr, t, norms, ..."""
        alike = set(self.variables) - {"theta", "g"}
        while True:
            symbols = frozenset(self.variables[name] for name in alike)
            roots = [(line.target, line.formula.root) for line in self.lines]
            apart = {target for target, root in roots if id(root) not in _one(root, symbols)}
            if not alike & apart:
                return symbols
            alike -= apart

    def _read(self, line: Line) -> list[str]:
        below = {node for node in topological([line.formula.root]) if isinstance(node, Name)}
        return [name for name, symbol in self.variables.items() if symbol in below]

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
                what = f"{names.escape(self.name)} has no hyperparameter"
                raise RuleError(names.unknown(what, name, self.hyperparameters))
        missing = [n for n in self.hyperparameters if n not in values and n not in self.defaults]
        if missing:
            raise self._unknown_name(missing[0])
        return {n: float(values.get(n, self.defaults.get(n, 0.0))) for n in self.hyperparameters}

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
                    "a rule sees theta, g, t, lr and the names that its lines assign",
                    f"a hyperparameter needs a value: --set {shown}=...",
                ]
            )
        )

    def _place_of(self, name: str) -> list[str]:
        """The line that reads the name first, and a caret under it."""
        for piece in _pieces(self.text):
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
        shared: Mapping[str, Node],
        array: bool = False,
    ) -> tuple[list[Node], dict[str, list[Node]]]:
        """One step as nodes of `graph`: the new parameters and the new state.

        theta, grad: one node per parameter; state: name -> one node per parameter. shared: the
        nodes of t, lr and the hyperparameters. array: the one node of each stands for a whole
        array, so that norm(...) goes over its elements. The norm of one number, such as lr, is
        its size.
        """
        count = len(theta)
        now: dict[str, list[Node]] = {"theta": list(theta), "g": list(grad)}
        now |= {name: list(nodes) for name, nodes in state.items()}
        now |= {name: [node] * count for name, node in shared.items()}
        for line in self.lines:
            places = [(name, self.variables[name]) for name in self._read(line)]
            values = [{s: now[n][k] for n, s in places} for k in range(count)]
            roots = _instantiate(graph, line.formula.root, values, array, self.alike)
            now[line.target] = roots
        return now["theta"], {name: now[name] for name in self.state}


def find_rule(text: str | Rule) -> Rule:
    """The rule of this catalogue name, names joined by +, or text of equations."""
    if isinstance(text, Rule):
        return text
    if not isinstance(text, str):
        raise RuleError(f"a rule is a name, equations or a Rule, not {type(text).__name__}")
    return _read(text)


@lru_cache(maxsize=64)
def _read(text: str) -> Rule:
    if "=" in text:
        return Rule(text)
    parts = [part.strip() for part in text.split("+")]
    for part in parts:
        if part not in CATALOGUE:
            hint = names.suggest(part, CATALOGUE) or "`symgd rules` lists them"
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


_AUGMENTED = re.compile(r"(\s*[^\W\d]\w*\s*)(\*\*|//|[-+*/^:])=(?!=)(.+)", re.DOTALL)


def _pieces(text: str) -> list[str]:
    return [re.sub("#.*", "", piece) for piece in re.split(r"[;\n]", text)]


def _target(piece: str) -> str:
    left, equals, right = piece.partition("=")
    if found := _AUGMENTED.match(piece):
        name, operator, rest = (part.strip() for part in found.groups())
        changed = f"{name} {operator} ({rest})" if operator != ":" else rest
        hint = f"write {name} = {changed}"
        sentence = f"'{operator}=' is not an assignment of a rule"
        raise FormulaError(piece, found.start(2), sentence, hint)
    if not equals or right.startswith("=") or left[-1:] in set("<>!="):
        raise FormulaError(piece, 0, "a line of a rule is name = expression", "")
    if not right.strip():
        raise FormulaError(piece, len(piece), "nothing is assigned here", "")
    try:
        target = variable_name(left)
    except FormulaError as error:
        raise FormulaError(piece, error.column, error.sentence, error.hint) from None
    if target in _FIXED:
        sentence = f"'{target}' is given and cannot be assigned"
        raise FormulaError(piece, piece.index(left.strip()), sentence, "choose another name")
    return target


def _one(root: Node, alike: Container[Node]) -> set[int]:
    """The ids of expressions with one value for all parameters, given the names that have one."""
    found: set[int] = set()
    for node in topological([root]):
        one = not isinstance(node, Name) or node in alike
        if node.func is Norm or (one and all(id(a) in found for a in node.args)):
            found.add(id(node))
    return found


def _instantiate(
    graph: Graph,
    root: Node,
    values: Sequence[Mapping[Name, Node]],
    array: bool,
    alike: Container[Node],
) -> list[Node]:
    """The expression once per parameter, with norm(...) over all of them."""
    count, one = len(values), _one(root, alike)
    done: dict[int, list[Node]] = {}
    for node in topological([root]):
        if not node.args:
            done[id(node)] = [values[k].get(node, graph.atom(node)) for k in range(count)]
        elif node.func is Norm and (not array or id(node.args[0]) in one):
            parts = done[id(node.args[0])]
            length = graph.node(FUNCTIONS["hypot"].node, *parts)
            if count == 1 or id(node.args[0]) in one:
                length = graph.node(sympy.Abs, parts[0])
            done[id(node)] = [length] * count
        else:
            done[id(node)] = [
                graph.same(node, tuple(done[id(a)][k] for a in node.args)) for k in range(count)
            ]
    return done[id(root)]
