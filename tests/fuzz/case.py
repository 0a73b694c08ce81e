"""One formula with a point: what every check looks at."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from random import Random

import symgd

from . import subject
from .edges import Kinks, Tails
from .generate import Generator
from .oracle import Answer, Point, evaluate
from .points import draw_far, draw_point, draw_whole
from .text import write
from .tree import Tree, names_of

_DEPTHS = (2, 3, 3, 4, 4, 5)


@dataclass
class Case:
    """A tree, the text in which it is typed, a point, and the seed of what else is drawn.

    kind: "plain", "rows", "kinks" (every operation is exact, so that conditioning explains
    nothing) or "tails" (value and gradient are right although numbers on the way leave the range).
    """

    tree: Tree
    point: Point
    text: str
    seed: str = ""
    kind: str = "plain"

    @cached_property
    def loss(self) -> symgd.Loss:
        """The loss that symgd reads; raises what it raises."""
        return subject.load(self.text, self.point)

    @cached_property
    def answer(self) -> Answer:
        """The oracle's numbers."""
        return evaluate(self.tree, self.point)

    @cached_property
    def numbers(self) -> list[float]:
        """symgd's value, gradient and Hessian."""
        return subject.numbers(self.loss, self.point)

    def rng(self, purpose: str) -> Random:
        """The same draws for the same case and purpose."""
        return Random(f"{self.seed} {purpose}")

    def smaller(self, tree: Tree, point: Point) -> Case:
        """The case of another tree and point, in the plainest spelling."""
        wanted = names_of(tree)
        params = {n: v for n, v in point.params.items() if n in wanted}
        columns = point.columns if names_of(tree, "column") else None
        point = Point(params, columns, point.copies)
        return Case(tree, point, write(tree), self.seed, self.kind)


def kind_of(k: int) -> str:
    """Of 20 formulas, two have rows of data, one is of kinks, one of tails."""
    return {4: "kinks", 9: "rows", 14: "tails", 19: "rows"}.get(k % 20, "plain")


def draw(seed: int, k: int) -> Case:
    """The k-th case of a seed."""
    rng, kind = Random(f"{seed}:{k}"), kind_of(k)
    count = rng.choice((1, 1, 2, 2, 3))
    if kind == "kinks":
        tree = Kinks(rng, count).formula(rng.choice((2, 3, 4)))
        point = Point({n: draw_whole(rng) for n in names_of(tree)})
    elif kind == "tails":
        tree = Tails(rng, count).formula(2)
        point = Point({n: draw_far(rng) for n in names_of(tree)})
    else:
        generator = Generator(rng, count, rng.choice((1, 2, 3)) if kind == "rows" else 0)
        tree = generator.formula(rng.choice(_DEPTHS[:3] if kind == "rows" else _DEPTHS))
        point = draw_point(rng, names_of(tree), generator.columns, rng.randint(2, 7))
        if kind == "rows" and rng.random() < 0.03:
            point.copies = rng.choice((200, 500, 2000))
    return Case(tree, point, write(tree, rng), f"{seed}:{k}", kind)
