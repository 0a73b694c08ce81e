"""Plan the stages of a nest program: what is stored, and in which order it is computed.

A *unit* is a value that is stored for every value of some indices, its domain: a reduction, an
entry of the gradient, or a value that several nests read. The first index of its domain, in the
order of `Planner.order`, is its strip index. A reduction over the strip index is known only after
a whole *pass*; its level is the number of passes that lie below it. A *stage* holds the units of
one level and strip index. Values that vary with the strip index live within their stage and are
computed again in a later one, so that no temporary is as long as the data; all others are stored
once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from symgd.backends.lowering import Lowering
from symgd.backends.nest_sharing import worth_storing
from symgd.backends.operations import Operand
from symgd.formula.indices import (
    INDEX_REDUCTIONS,
    ROW,
    At,
    FreeIndices,
    Index,
    Largest,
    Peak,
    Product,
    Total,
    reduced_index,
)
from symgd.formula.nodes import (
    Node,
    float_of,
    is_condition,
    is_negation,
    topological,
)

_MODES = {Total: "+=", Product: "*=", Largest: "max=", Peak: "peak="}

_reads = Lowering(()).reads

#: The level of a stage and its strip index; no index for what is computed once.
Key = tuple[int, Index | None]


@dataclass(frozen=True, eq=False)
class Unit:
    """target[subscripts or axes] mode value, for all values of the indices of `domain`.

    node: what the target holds, None for an entry of the gradient. axes: its free indices.
    """

    target: str
    mode: str
    value: Node
    domain: frozenset[Index]
    axes: frozenset[Index] = frozenset()
    subscripts: tuple[Node, ...] = ()
    node: Node = None


class Planner:
    """Decides what is stored.

    roots: numbers; the reductions in them give the order of the indices.
    """

    def __init__(self, roots: Sequence[Node]) -> None:
        self.free = FreeIndices()
        self.roots = list(roots)
        self.rank = {ROW: 0}
        self.stages: dict[Key, NestStage] = {}
        self.level: dict[int, int] = {}
        self._count = 0

    def plan(
        self, outputs: Iterable[Node], entries: Iterable[tuple[str, tuple[Node, ...], Node]]
    ) -> list[NestStage]:
        """The stages in order of evaluation; entries: (target, subscripts, term)."""
        entries = list(entries)
        self.roots += [n for _, subscripts, term in entries for n in (term, *subscripts)]
        order = topological(self.roots)
        self._rank_indices(order)
        domains = [self._union(term, *subscripts) for _, subscripts, term in entries]
        self._set_levels(order, [*zip(domains, entries, strict=True)])
        for domain, (target, subscripts, term) in zip(domains, entries, strict=True):
            level = max(self.level[id(n)] for n in (term, *subscripts))
            unit = Unit(target, "+=", term, domain, subscripts=subscripts)
            self._stage((level, self.strip(domain))).units.append(unit)
        for node in outputs:
            if float_of(node) is None:
                self.request(node)
        done: set[Key] = set()
        while pending := [key for key in self.stages if key not in done]:
            key = max(pending, key=self._place)
            done.add(key)
            self.stages[key].plan()
        return [self.stages[key] for key in sorted(self.stages, key=self._place)]

    def order(self, indices: Iterable[Index]) -> tuple[Index, ...]:
        """Indices, outermost first: the row, then as the reductions of the formula are nested."""
        return tuple(sorted(indices, key=self.rank.__getitem__))

    def strip(self, domain: frozenset[Index]) -> Index | None:
        """The first of them."""
        return min(domain, key=self.rank.__getitem__, default=None)

    def held(self, node: Node) -> Operand:
        """What holds an output."""
        value = float_of(node)
        return self.request(node).target if value is None else value

    def request(self, node: Node) -> Unit:
        """The unit that stores a node for all stages that read it."""
        stage = self._stage(self._key(node))
        return stage.known.get(id(node)) or stage.store(node)

    def stored(self, node: Node) -> bool:
        """Whether a node is stored for all stages."""
        key = self._key(node)
        return key in self.stages and id(node) in self.stages[key].known

    def unit(self, node: Node) -> Unit:
        """A new unit that stores a node."""
        self._count += 1
        name, axes = f"m{self._count - 1}", self.free(node)
        mode = _MODES.get(node.func, "=")
        value = node if mode == "=" else node.args[1]
        return Unit(name, mode, value, self.domain(node), axes, (), node)

    def domain(self, node: Node) -> frozenset[Index]:
        """The indices over which a node is computed."""
        index = reduced_index(node)
        return self.free(node) if index is None else self.free(node) | {index}

    def lives_in(self, node: Node, strip: Index | None) -> bool:
        """Whether a node is computed strip by strip of this index, and varies with it."""
        return strip in self.free(node) and strip == self.strip(self.domain(node))

    def crosses(self, node: Node) -> bool:
        """Whether a node is known only after a whole pass."""
        strip = self.strip(self.domain(node))
        return node.func in INDEX_REDUCTIONS and strip not in self.free(node)

    def _stage(self, key: Key) -> NestStage:
        if key not in self.stages:
            self.stages[key] = NestStage(self, key[1])
        return self.stages[key]

    def _key(self, node: Node) -> Key:
        return self.level[id(node)] - self.crosses(node), self.strip(self.domain(node))

    def _place(self, key: Key) -> tuple[int, int]:
        """The order of stages: numbers first, then inner indices, which outer ones read."""
        level, strip = key
        return level, -len(self.rank) if strip is None else -self.rank[strip]

    def _union(self, *nodes: Node) -> frozenset[Index]:
        return frozenset[Index]().union(*map(self.free, nodes))

    def _rank_indices(self, order: Sequence[Node]) -> None:
        for node in reversed(order):
            if (index := reduced_index(node)) is not None:
                self.rank.setdefault(index, len(self.rank))
        for node in order:
            if isinstance(node, Index):
                self.rank.setdefault(node, len(self.rank))

    def _set_levels(
        self,
        order: Sequence[Node],
        entries: Sequence[tuple[frozenset[Index], tuple[str, tuple[Node, ...], Node]]],
    ) -> None:
        """The number of passes below each node.

        A reduction that no other pass over its index needs joins the last one, to minimize the
        number of passes.
        """
        crossing = [n for n in order if self.crosses(n)]
        ends = [(self.strip(self.domain(n)), n.args[1:]) for n in crossing]
        ends += [(self.strip(domain), (term, *subs)) for domain, (_, subs, term) in entries]
        awaited = {
            strip: {id(n) for n in topological([n for s, own in ends if s == strip for n in own])}
            for strip in {s for s, _ in ends}
        }
        last: dict[Index | None, int] = {}
        for join in (False, True):
            for node in order:
                strip = self.strip(self.domain(node))
                below = max((self.level[id(a)] for a in node.args), default=0)
                if self.crosses(node):
                    late = join and id(node) not in awaited[strip]
                    below = max(below, last[strip]) if late else below
                    below += 1
                self.level[id(node)] = below
            for strip, own in ends:
                level = max(self.level[id(n)] for n in own)
                last[strip] = max(last.get(strip, 0), level)


@dataclass
class NestStage:
    """The units of one level and strip index."""

    planner: Planner
    strip: Index | None
    units: list[Unit] = field(default_factory=list)
    #: the units of this stage that hold a node, by its id
    known: dict[int, Unit] = field(default_factory=dict)
    #: what earlier stages store
    outside: dict[int, Unit] = field(default_factory=dict)
    _levels: dict[Unit, int] = field(default_factory=dict)

    def store(self, node: Node) -> Unit:
        """Store a node in this stage."""
        unit = self.known[id(node)] = self.planner.unit(node)
        self.units.append(unit)
        return unit

    def plan(self) -> None:
        """Add the units that the given ones read, here and in earlier stages."""
        while True:
            done = 0
            while done < len(self.units):
                self._walk(self.units[done], store=True)
                done += 1
            self._set_levels()
            nests = self.merged().items()
            computed = {key: [n for u in own for n in self._walk(u)[0]] for key, own in nests}
            shared = worth_storing(computed, self.known)
            if not shared:
                return
            for node in shared:
                self.store(node)

    def merged(self) -> dict[tuple[int, frozenset[Index]], list[Unit]]:
        """The units by level within the stage and domain."""
        found: dict[tuple[int, frozenset[Index]], list[Unit]] = {}
        for unit in self.units:
            found.setdefault((self._levels[unit], unit.domain), []).append(unit)
        return found

    def boundaries(self, nest: Sequence[Unit]) -> Mapping[int, Unit]:
        """The stored nodes that a nest of these units reads, by id."""
        inside = {unit for unit in nest if unit.mode == "="}
        return self.outside | {key: u for key, u in self.known.items() if u not in inside}

    def _walk(self, unit: Unit, store: bool = False) -> tuple[list[Node], list[Unit]]:
        """The nodes that a unit computes, and the units of this stage that it reads.

        store: store the nodes that should be.
        """
        found: dict[int, Node] = {}
        read: list[Unit] = []
        stack = [*unit.subscripts, unit.value]
        while stack:
            node = stack.pop()
            if id(node) in found or id(node) in self.outside:
                continue
            own = node is unit.node and unit.mode == "="
            if id(node) in self.known and not own:
                read.append(self.known[id(node)])
            elif store and not own and self._to_store(node, unit.domain):
                if self.planner.lives_in(node, self.strip) and not self.planner.stored(node):
                    self.store(node)
                else:
                    self.outside[id(node)] = self.planner.request(node)
            else:
                found[id(node)] = node
                stack += node.args[1:] if node.func is At else _reads(node)
        return list(found.values()), read

    def _to_store(self, node: Node, domain: frozenset[Index]) -> bool:
        """Whether a node is a reduction, or has fewer indices than the nest that reads it."""
        if node.func in INDEX_REDUCTIONS:
            return True
        if not node.args or node.func is At or is_condition(node) or is_negation(node):
            return False
        return self.planner.free(node) < domain

    def _set_levels(self) -> None:
        """Within the stage: a unit comes after those that it reads.

        What has the same indices and is not accumulated may be in the same nest.
        """
        self._levels.clear()
        reads = {unit: self._walk(unit)[1] for unit in self.units}

        def level(unit: Unit) -> int:
            if unit not in self._levels:
                after = (level(u) + (u.mode != "=" or u.domain != unit.domain) for u in reads[unit])
                self._levels[unit] = max(after, default=0)
            return self._levels[unit]

        for unit in self.units:
            level(unit)
