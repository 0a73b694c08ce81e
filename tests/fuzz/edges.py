"""Random formulas of two kinds that need points of their own: on kinks, and far out."""

from __future__ import annotations

from .generate import Generator
from .tree import Tree, call, name, num


class Kinks(Generator):
    """Piecewise linear and quadratic formulas of small whole numbers: doubles compute them exactly.

    So their points can lie on kinks and ties, where the conventions say what the slope is.
    """

    def number(self) -> Tree:
        return num(float(self.rng.choice((0, 1, 2, 3, 4))))

    def leaf(self) -> Tree:
        return name(self.rng.choice(self.names)) if self.rng.random() < 0.7 else self.number()

    def any(self, depth: int) -> Tree:
        """A sum, a product of two leaves, or a function with a kink or a jump."""
        if self.pool and self.rng.random() < 0.15:
            return self.rng.choice(self.pool)
        if depth <= 0:
            return self.leaf()
        r, depth = self.rng.random(), depth - 1
        if r < 0.35:
            tree = call(self.rng.choice("++-"), self.any(depth), self.any(depth))
        elif r < 0.45:
            tree = call("*", self.leaf(), self.any(min(depth, 1)))
        elif r < 0.7:
            op = self.rng.choice(("abs", "relu", "sign", "heaviside", "floor", "ceil", "huber"))
            tree = call(op, self.any(depth))
        elif r < 0.85:
            tree = call(self.rng.choice(("max", "min")), *(self.any(depth) for _ in range(2)))
        elif r < 0.92:
            low, high = sorted(self.rng.sample((-2, -1, 0, 1, 2, 3), 2))
            tree = call("clip", self.any(depth), num(float(low)), num(float(high)))
        else:
            tree = call("where", self.condition(depth), self.any(depth), self.any(depth))
        self.pool.append(tree)
        return tree


class Tails(Generator):
    """Small formulas of exponentials, for points far out: exp(x) overflows, x/exp(x) does not."""

    def formula(self, depth: int) -> Tree:
        """What vanishes, saturates or grows no faster than a power, or the sum of two of these."""
        tree = self.part()
        return tree if self.rng.random() < 0.7 else call("+", tree, self.part())

    def part(self) -> Tree:
        x, y = (name(self.rng.choice(self.names)) for _ in range(2))
        one, e = num(1.0), call("exp", x)
        minus = call("exp", call("neg", x))
        above = self.rng.choice((one, x, call("**", x, num(2.0)), call("+", x, one)))
        below = self.rng.choice((
            e, call("+", one, e), call("cosh", x), call("+", e, one), call("+", e, call("exp", y)),
            call("+", call("+", one, e), call("**", x, num(2.0))), call("sinh", x),
            call("**", call("+", one, e), num(2.0)),
        ))  # fmt: skip
        return self.rng.choice((
            call("/", above, below), call("/", above, below), call("/", e, call("+", one, e)),
            call("log", call("+", one, e)), call("log", call("+", e, call("exp", y))),
            call("*", above, minus), call("*", above, call("sigmoid", call("neg", x))),
            call("softplus", x), call("tanh", x), call("log", call("cosh", x)), call("erfc", x),
            call("sqrt", call("+", call("**", x, num(2.0)), one)), call("atan", x),
            call("/", one, call("+", one, minus)), call("logsumexp", x, y), call("hypot", x, y),
        ))  # fmt: skip
