"""Text -> formula, on the shared graph (`symgd.formula.graph`).

The grammar (EBNF) is docs/formulas.md. Nothing is ever evaluated as code: characters become
tokens, tokens become nodes of a fixed table of operations, names become internal symbols.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from symgd import names
from symgd.errors import FormulaError
from symgd.formula.columns import Columns
from symgd.formula.graph import Graph
from symgd.formula.nodes import Column, Name, Node
from symgd.formula.parser import Parser
from symgd.formula.tokens import Limits, tokens

DEFAULT_LIMITS = Limits()


@dataclass(frozen=True)
class Formula:
    """A formula as it was read.

    text: as typed. graph and root: its nodes. variables: canonical name -> internal symbol, in
    order of first appearance, also those that cancel or are multiplied by 0. columns: those of
    the data that it reads, as the data name them -> internal symbol.
    """

    text: str
    graph: Graph
    root: Node
    variables: Mapping[str, Name]
    columns: Mapping[str, Column] = field(default_factory=dict)


def parse(
    text: str,
    *,
    graph: Graph | None = None,
    variables: Mapping[str, Name] | None = None,
    declared: Iterable[str] = (),
    limits: Limits = DEFAULT_LIMITS,
    rule: bool = False,
    table: bool = False,
    columns: Columns | None = None,
    per_row: bool = False,
) -> Formula:
    """The formula that `text` spells, or FormulaError with the place of the first mistake.

    graph: where to build (default: a new one). variables: symbols that are known already.
    declared: names that are variables even if they are a constant's (pi, e). rule: allow norm(...).
    table: a derivative of the function table, where names may stand for orders. columns: those of
    the data, if there are any. per_row: the whole formula is the term of one row.
    """
    parser = Parser(
        text,
        graph or Graph(),
        dict(variables or {}),
        set(declared),
        limits,
        rule=rule,
        table=table,
        columns=columns,
        rows=int(per_row),
    )
    root = parser.formula()
    return Formula(text, parser.graph, root, parser.variables, parser.read)


def variable_name(text: str) -> str:
    """The canonical spelling of one variable's name, or FormulaError."""
    stripped = text.strip()
    stream = tokens(stripped, DEFAULT_LIMITS)
    first = next(stream)
    if first.kind != "name" or next(stream).kind != "end":
        raise FormulaError(
            text, 0, f"'{names.escape(text)}' is not a name", "use letters and digits"
        )
    return first.text
