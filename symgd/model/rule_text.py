"""The text of a rule -> its lines, initial values and reported iterate, as formulas."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from symgd._locks import cached_property
from symgd.errors import FormulaError
from symgd.formula.graph import Graph
from symgd.formula.nodes import CALLED, DRAWS, Name, Node, Where, topological
from symgd.formula.parse import Formula, parse, variable_name

_FIXED = ("t", "lr")  # what a rule reads but cannot assign
_REPORT = re.compile(r"\s*report\b(?!\s*=)")
_AUGMENTED = re.compile(r"(\s*[^\W\d]\w*\s*)(\*\*|//|[-+*/^:])=(?!=)(.+)", re.DOTALL)


@dataclass(frozen=True)
class Line:
    """One assignment of a rule: the name, and its expression in the rule's own graph."""

    target: str
    formula: Formula

    @cached_property
    def reads(self) -> set[str]:
        """The names that the expression reads."""
        below = set(names_below([self.formula.root]))
        return {name for name, symbol in self.formula.variables.items() if symbol in below}


@dataclass(frozen=True)
class RuleText:
    """What a rule says.

    lines: what every step evaluates. initial: `v0 = ...` by the name of the state v. held: those
    initial values that are read themselves, and so kept. state: what lives from step to step.
    reported: what is returned in place of theta. variables: every name with its symbol.
    """

    lines: tuple[Line, ...]
    initial: Mapping[str, Line]
    held: tuple[str, ...]
    state: tuple[str, ...]
    reported: Formula | None
    variables: Mapping[str, Name]


def read_rule(text: str, graph: Graph) -> RuleText:
    """The lines of a text, or FormulaError at the first mistake."""
    pieces = [p for p in pieces_of(text) if p.strip()]
    reports = [p for p in pieces if _REPORT.match(p)]
    if len(reports) > 1:
        sentence = "a rule reports one iterate, and this is the second"
        raise FormulaError(reports[1], 0, sentence, "leave one of them out")
    assigning = [p for p in pieces if p not in reports]
    targets = [_target(piece) for piece in assigning]
    reader = _Reader(graph, targets)
    found = [
        Line(target, reader.read(piece, piece.index("=") + 1))
        for piece, target in zip(assigning, targets, strict=True)
    ]
    reported = None
    for piece in reports:
        match = _REPORT.match(piece)
        assert match is not None
        reported = reader.read(piece, match.end())
        _check_reported(piece, reported, targets)
    start = []
    if "theta0" in reader.variables and "theta0" not in targets:
        start = [Line("theta0", reader.read("theta", 0))]
    return _sorted(found, start, reported, reader.variables)


def _check_reported(piece: str, formula: Formula, targets: Sequence[str]) -> None:
    """FormulaError where a reported iterate needs more than theta and what a step leaves."""
    if any(node.func in CALLED and node.func is not Where for node in topological([formula.root])):
        hint = "give it a name in a line of its own, and report the name"
        raise FormulaError(piece, 0, "only a formula of theta and of names is reported", hint)
    read = {n for n, s in formula.variables.items() if s in names_below([formula.root])}
    for name in sorted(read - {*targets, "theta"}):
        if name in ("g", "t", "lr", "L", "theta0"):
            hint = f"write a line that keeps it: kept = {name}, and report kept"
            raise FormulaError(piece, 0, f"'{name}' is not kept after the last step", hint)


def _sorted(
    found: Sequence[Line],
    start: Sequence[Line],
    reported: Formula | None,
    variables: Mapping[str, Name],
) -> RuleText:
    shown = {n for n, s in variables.items() if reported and s in names_below([reported.root])}
    candidates = {line.target: line for line in found if _may_be_initial(line, found)}
    lines = tuple(line for line in found if line.target not in candidates)
    lasting = _lasting(lines, shown)
    initial = {n: line for n, line in candidates.items() if n[:-1] in lasting}
    if len(initial) < len(candidates):
        lines = tuple(line for line in found if line.target not in initial)
    initial |= {line.target: line for line in start}
    read = set().union(*(line.reads for line in (*lines, *initial.values())))
    held = tuple(n for n in initial if n in read or n in shown)
    state = (*_lasting(lines, shown), *held)
    return RuleText(
        lines, {n[:-1]: line for n, line in initial.items()}, held, state, reported, variables
    )


def _may_be_initial(line: Line, found: Sequence[Line]) -> bool:
    """Whether a line is of the form v0 = ... where v is assigned in another line."""
    name = line.target
    others = [one.target for one in found if one is not line]
    return name.endswith("0") and name[:-1] in others and name not in {*others, *line.reads}


def _lasting(lines: Sequence[Line], shown: Iterable[str]) -> tuple[str, ...]:
    """The names that are read before they are assigned, or shown after the last line."""
    targets = [line.target for line in lines]
    assigned: set[str] = set()
    state: list[str] = []
    for line in lines:
        for name in line.formula.variables:
            if name in line.reads and name in targets and name not in {*assigned, *state, "theta"}:
                state.append(name)
        assigned.add(line.target)
    state += [n for n in shown if n in targets and n not in {*state, "theta"}]
    return tuple(n for n in state if n != "g")


class _Reader:
    """Reads the expressions of a rule into one graph."""

    def __init__(self, graph: Graph, targets: Sequence[str]) -> None:
        self.graph, self.targets = graph, targets
        self.variables: dict[str, Name] = {}
        self.calls = 0  # of random numbers

    def read(self, piece: str, start: int) -> Formula:
        """The expression of a line from a column on."""
        right = " " * start + piece[start:]
        try:
            formula = parse(
                right,
                graph=self.graph,
                variables=self.variables,
                declared=self.targets,
                rule=True,
                calls=self.calls,
            )
        except FormulaError as error:
            column = max(error.column, start)
            raise FormulaError(piece, column, error.sentence, error.hint) from None
        self.variables = dict(formula.variables)
        self.calls += sum(node.func in DRAWS for node in topological([formula.root]))
        return formula


def names_below(roots: Sequence[Node]) -> list[Name]:
    """The names that these expressions read."""
    return [node for node in topological(roots) if isinstance(node, Name)]


def pieces_of(text: str) -> list[str]:
    """The lines of a rule, without comments."""
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
