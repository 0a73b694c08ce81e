"""The value, gradient and Hessian of a tree at 60 digits, and how far roundings can move them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any

from mpmath import mp

from .functions import apply
from .jets import Jet, Jets, PoleError, Real, UnlimitedError, nearest
from .tree import RELATIONS, Tree

DIGITS = 60
_RUNS = 14  # with random noise: two roundings have the same sign in all of them once in 2^14


@dataclass
class Point:
    """Where a formula is evaluated: numbers by parameter, lists of numbers by column.

    copies: how many times the rows stand there.
    """

    params: Mapping[str, float]
    columns: Mapping[str, Sequence[float]] | None = None
    copies: int = 1


@dataclass
class Answer:
    """What the oracle found.

    numbers: value, gradient, upper triangle of the Hessian, row by row, as far as `order` goes;
    order -1: nothing is claimed. left_range: nothing is claimed, but see the conventions.
    """

    order: int
    numbers: list[Real]
    left_range: bool = False
    reason: str = ""


def evaluate(root: Tree, point: Point, order: int = 2, digits: int = DIGITS) -> Answer:
    """The numbers to the highest order of derivatives, at most `order`, that has no pole."""
    reason = ""
    with mp.workdps(digits):
        for most in range(order, -1, -1):
            try:
                jets = Jets(len(point.params), most)
                found = _numbers(jets, Evaluation(jets, point).value(root))
            except PoleError:
                reason = "pole"
                continue
            except UnlimitedError:
                return Answer(-1, [], True, "range")
            if mp.isnan(found[0]):
                return Answer(0, found[:1], jets.left_range, "nan")
            return Answer(most, found, jets.left_range, reason)
    return Answer(-1, [], False, "pole")


def noises() -> list[Callable[[], object]]:
    """All roundings up, all down, at random, and to the nearest double."""
    drawn = [Random(seed) for seed in range(_RUNS)]
    return [lambda: True, lambda: False, *(partial(rng.getrandbits, 1) for rng in drawn), nearest]


def rounding_spread(root: Tree, point: Point, answer: Answer) -> list[Real]:
    """By number of the answer, how far roundings move it.

    That is the largest change that 2^-53 on every intermediate result makes, or 2^-53 times the
    sizes of the terms of a derivative, if that is more. Infinite where a run with noise has another
    domain or a pole, or divides by a number of another sign: then the divisor may be 0 in doubles.
    """
    unlimited = [mp.inf] * len(answer.numbers)
    divisors: list[bool] | None = None
    with mp.workdps(DIGITS):
        sizes = Jets(len(point.params), answer.order, sizes=True)
        _, *slopes = _numbers(sizes, Evaluation(sizes, point).value(root))
        spread = [mp.mpf(0), *(mp.ldexp(x, -53) for x in slopes)]
        for noise in noises():
            jets = Jets(len(point.params), answer.order, noise)
            try:
                noisy = _numbers(jets, Evaluation(jets, point).value(root))
            except (PoleError, UnlimitedError):
                return unlimited
            divisors = jets.divisors if divisors is None else divisors
            if divisors != jets.divisors or mp.isnan(noisy[0]):
                return unlimited
            gaps = [abs(a - b) for a, b in zip(noisy, answer.numbers, strict=True)]
            spread = [max(a, b) for a, b in zip(spread, gaps, strict=True)]
    return spread


def may_be_real(root: Tree, point: Point) -> bool:
    """Whether a value that is nan is a number after roundings: on the border of the domain."""
    with mp.workdps(DIGITS):
        for noise in noises():
            jets = Jets(len(point.params), 0, noise)
            try:
                if not mp.isnan(Evaluation(jets, point).value(root)[0]):
                    return True
            except (PoleError, UnlimitedError):
                return True
    return False


def _numbers(jets: Jets, jet: Jet) -> list[Real]:
    """The value, and the derivatives as far as they were computed."""
    v, g, h = jet
    slopes = (jets.no_g if g is None else g) if jets.order > 0 else ()
    return [v, *slopes, *(jets.no_h if h is None or jets.order < 2 else h)]


class Evaluation:
    """The jets of the nodes of a tree at one point, without the branches that are not taken."""

    def __init__(self, jets: Jets, point: Point) -> None:
        self.jets = jets
        self.point = point
        self.known: dict[int, Any] = {}
        self.places = {name: k for k, name in enumerate(point.params)}

    def value(self, node: Tree) -> Jet:
        """The jet of a node."""
        found = self.known.get(id(node))
        if found is None:
            found = self.known[id(node)] = self.compute(node)
        return found

    def compute(self, node: Tree) -> Jet:
        op, jets = node.op, self.jets
        if op == "number":
            return jets.constant(node.value)
        if op == "name":
            k = self.places[str(node.value)]
            return jets.parameter(k, self.point.params[str(node.value)])
        if op == "constant":
            v = +mp.pi if node.value == "pi" else +mp.e
            return jets.rounded(v, None, None)
        if op == "where":
            return self.value(node.args[1 if self.holds(node.args[0]) else 2])
        if op in ("sum", "mean"):
            return self.over_rows(node)
        return apply(jets, op, [self.value(a) for a in node.args])

    def holds(self, condition: Tree) -> bool:
        """Whether a condition is true; a comparison with nan is false, but for !=."""
        op, args = condition.op, condition.args
        if op == "not":
            return not self.holds(args[0])
        if op in ("and", "or"):
            return (all if op == "and" else any)(self.holds(a) for a in args)
        a, b = (self.value(x)[0] for x in args)
        holds = (a < b, a <= b, a > b, a >= b, a == b, a != b)
        return bool(holds[RELATIONS.index(op)])

    def over_rows(self, node: Tree) -> Jet:
        """sum or mean of the term over the rows."""
        columns = self.point.columns or {}
        count = len(next(iter(columns.values()), (0.0,)))
        terms = []
        for i in range(count):
            row = Row(self, {name: column[i] for name, column in columns.items()})
            terms.append((1, row.value(node.args[0])))
        total = self.jets.add(terms)
        if node.op == "sum":
            return self.jets.mul(self.jets.constant(self.point.copies), total)
        share = self.jets.unary(self.jets.constant(count), lambda x: 1 / x, lambda x, f: (f, f))
        return self.jets.mul(share, total)


class Row(Evaluation):
    """The nodes of one row; sums over all rows stand above it."""

    def __init__(self, outside: Evaluation, cells: Mapping[str, float]) -> None:
        super().__init__(outside.jets, outside.point)
        self.outside = outside
        self.cells = cells

    def compute(self, node: Tree) -> Jet:
        if node.op == "column":
            return self.jets.constant(self.cells[str(node.value)])
        if node.op in ("sum", "mean"):
            return self.outside.value(node)
        return super().compute(node)
