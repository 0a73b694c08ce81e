"""Random formulas: piecewise, with shared sub-expressions and reciprocals, kinks and tails."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from .tree import RELATIONS, Tree, call, name, num

_NAMES = ("x", "y", "z", "a", "b", "theta", "N", "w_1", "lambda", "alpha", "E")
_COLUMNS = ("u", "v", "q")

#: function -> what its argument should be, so that most points lie in its domain
_ONE = {
    "exp": "moderate", "log": "positive", "log10": "positive", "log2": "positive",
    "log1p": "positive", "expm1": "moderate", "cbrt": "any", "abs": "any", "sign": "any",
    "heaviside": "any", "floor": "any", "ceil": "any", "sin": "any", "cos": "any", "tan": "any",
    "cot": "any", "sec": "any", "csc": "any", "asin": "bounded", "acos": "bounded", "atan": "any",
    "acot": "any", "asec": "beyond", "acsc": "beyond", "sinh": "moderate", "cosh": "moderate",
    "tanh": "any", "coth": "any", "sech": "any", "csch": "any", "asinh": "any", "acosh": "beyond",
    "atanh": "bounded", "acoth": "beyond", "asech": "share", "acsch": "any", "erf": "any",
    "erfc": "any", "sigmoid": "any", "softplus": "any", "relu": "any", "logcosh": "any",
    "sqrt": "positive", "hypot": "any", "logsumexp": "any", "huber": "any", "max": "any",
    "sinc": "any", "ndtr": "any", "log_ndtr": "any", "logit": "share", "softsign": "any",
}  # fmt: skip
_COMMON = ("exp", "log", "sqrt", "abs", "relu", "sin", "tanh", "sigmoid", "softplus", "square")
_RARE = ("gamma", "loggamma", "digamma", "polygamma", "beta", "betaln")
_RARE += ("besselj", "bessely", "besseli", "besselk", "lambertw")
_RARE += ("voigt", "faddeeva_re", "faddeeva_im")
_TWO = ("max", "min", "hypot", "logsumexp", "atan2", "huber", "max", "min", "mod", "fmod")
_CONSTANTS = (0.5, 2.0, 3.0, 0.1, 0.25, 1.5, 10.0, 4.0, 1e-3, 100.0)


class Generator:
    """Draws trees over `count` parameters; columns: names of data, where there are rows."""

    def __init__(self, rng: Random, count: int, columns: int = 0) -> None:
        self.rng = rng
        self.names = rng.sample(_NAMES, count)
        self.columns = list(_COLUMNS[:columns])
        self.in_rows = False
        self.pool: list[Tree] = []
        self.rare = 0.01

    def formula(self, depth: int) -> Tree:
        """A formula in at least one parameter, and in a column where there are some."""
        while True:
            tree = self.sums(depth) if self.columns else self.any(depth)
            kinds = {leaf.op for leaf in _leaves(tree)}
            if "name" in kinds and ("column" in kinds or not self.columns):
                return tree

    # -- leaves --------------------------------------------------------------------------------

    def leaf(self) -> Tree:
        """A parameter, a number or (within rows) a column."""
        r = self.rng.random()
        if self.in_rows and r < 0.4:
            return Tree("column", (), self.rng.choice(self.columns))
        if r < 0.78:
            return name(self.rng.choice(self.names))
        return self.number() if r < 0.97 else Tree("constant", (), self.rng.choice(("pi", "e")))

    def number(self) -> Tree:
        """A constant."""
        r = self.rng.random()
        if r < 0.6:
            return num(self.rng.choice(_CONSTANTS))
        return num(float(self.rng.randint(1, 9)) if r < 0.75 else round(self.rng.uniform(0, 7), 2))

    # -- expressions ---------------------------------------------------------------------------

    def any(self, depth: int) -> Tree:
        """An expression that is at most `depth` operations deep, or one that is there already."""
        if self.pool and self.rng.random() < 0.22:
            return self.rng.choice(self.pool)
        if depth <= 0:
            return self.leaf()
        kinds, weights = zip(*_KINDS, strict=True)
        tree = self.rng.choices(kinds, weights)[0](self, depth - 1)
        if not any(leaf.op == "column" for leaf in _leaves(tree)) or self.in_rows:
            self.pool.append(tree)
        return tree

    def sum(self, depth: int) -> Tree:
        return call(self.rng.choice("++-"), self.any(depth), self.any(depth))

    def product(self, depth: int) -> Tree:
        return call("*", self.any(depth), self.any(depth))

    def quotient(self, depth: int) -> Tree:
        """a/b, often by a divisor that other quotients share."""
        below = self.positive(depth - 1) if self.rng.random() < 0.7 else self.any(depth)
        self.pool.append(below)
        above = num(1.0) if self.rng.random() < 0.4 else self.any(depth - 1)
        return call("/", above, below)

    def negation(self, depth: int) -> Tree:
        return call("neg", self.any(depth))

    def power(self, depth: int) -> Tree:
        """A constant power, rarely one with a variable exponent."""
        r = self.rng.random()
        if r < 0.12:
            return call("**", self.positive(depth), self.any(depth - 1))
        if r < 0.16:
            return call("**", self.number(), self.moderate(depth))
        if r < 0.75:
            whole = self.rng.choice((2, 2, 2, 3, 4, 5, -1, -2, -3))
            return call("**", self.any(depth), num(float(whole)))
        exponent = num(self.rng.choice((0.5, 1.5, -0.5, 1 / 3, 2.5, 0.1)))
        return call("**", self.positive(depth), exponent)

    def function(self, depth: int) -> Tree:
        """A function of the table."""
        r = self.rng.random()
        if r < self.rare:
            return self.special(depth)
        if r < 0.25:
            op = self.rng.choice(_TWO)
            more = self.rng.random() < 0.2 and op in ("max", "min", "hypot", "logsumexp")
            args = [self.any(depth) for _ in range(2 + more)]
            if op in ("huber", "mod", "fmod"):
                args[1] = self.positive(depth - 1)
            return call(op, *args)
        op = self.rng.choice(_COMMON if r < 0.55 else tuple(_ONE))
        if op == "square":
            return call("**", self.any(depth), num(2.0))
        wish = _ONE[op] if self.rng.random() < 0.9 else "any"
        return call(op, getattr(self, wish)(depth))

    def special(self, depth: int) -> Tree:
        """A gamma or Bessel function."""
        op = self.rng.choice(_RARE)
        x = self.positive(min(depth, 1))
        if op in ("beta", "betaln"):
            return call(op, x, self.positive(0))
        if op in ("gamma", "loggamma", "digamma", "lambertw"):
            return call(op, x)
        if op.startswith(("voigt", "faddeeva")):
            more = [self.positive(0)] if op == "voigt" else []
            return call(op, self.any(0), self.positive(0), *more)
        orders = (1, 2, 3) if op == "polygamma" else (0, 1, 2, 3, 0.5, 2.5)
        return call(op, num(float(self.rng.choice(orders))), x)

    def piecewise(self, depth: int) -> Tree:
        """where(...) or clip(...)."""
        if self.rng.random() < 0.2:
            low = round(self.rng.uniform(-2, 1), 1)
            high = round(low + self.rng.uniform(0, 2), 1)
            return call("clip", self.any(depth), num(low), num(high))
        return call("where", self.condition(depth - 1), self.any(depth), self.any(depth))

    def condition(self, depth: int) -> Tree:
        """A comparison, or several joined by and, or, not."""
        r = self.rng.random()
        if depth > 0 and r < 0.15:
            return call("and" if r < 0.08 else "or", self.condition(0), self.condition(depth - 1))
        if depth > 0 and r < 0.2:
            return call("not", self.condition(depth - 1))
        relation = self.rng.choice(RELATIONS[:4] if self.rng.random() < 0.9 else RELATIONS)
        right = num(0.0) if self.rng.random() < 0.4 else self.any(min(depth, 1))
        return call(relation, self.any(min(depth, 1)), right)

    # -- wished-for ranges ---------------------------------------------------------------------

    def positive(self, depth: int) -> Tree:
        """Above 0."""
        inner = self.any(depth - 1)
        if inner.op in ("number", "constant"):
            return inner
        square = call("*", inner, inner) if self.rng.random() < 0.4 else call("**", inner, num(2.0))
        c = self.number()
        return self.rng.choice((
            call("+", square, c), call("+", c, square), call("+", call("abs", inner), c),
            call("hypot", inner, c), call("sqrt", call("+", square, c)), call("softplus", inner),
            call("exp", call("tanh", inner)), call("+", num(2.0), call("sin", inner)),
            call("+", num(1.0), call("exp", inner)), call("sigmoid", inner), inner,
        ))  # fmt: skip

    def moderate(self, depth: int) -> Tree:
        """Of moderate size."""
        inner = self.any(depth - 1)
        wrapped = (call("tanh", inner), call("sin", inner), call("/", inner, num(4.0)))
        return inner if self.rng.random() < 0.5 else self.rng.choice(wrapped)

    def bounded(self, depth: int) -> Tree:
        """Within (-1, 1)."""
        inner = self.any(depth - 1)
        square = call("+", num(1.0), call("**", inner, num(2.0)))
        return self.rng.choice(
            (call("tanh", inner), call("sin", inner), call("/", inner, square), call("erf", inner))
        )

    def share(self, depth: int) -> Tree:
        """Within (0, 1)."""
        return call("sigmoid", self.any(depth - 1))

    def beyond(self, depth: int) -> Tree:
        """Above 1."""
        return call("+", num(1.0), self.positive(depth))

    # -- rows ----------------------------------------------------------------------------------

    def sums(self, depth: int) -> Tree:
        """An expression in sums over rows."""
        tree = self.total(depth)
        for _ in range(self.rng.choice((0, 0, 1, 1, 2))):
            other = self.total(depth - 1) if self.rng.random() < 0.5 else self.any(2)
            op = self.rng.choice(("+", "-", "*", "/"))
            tree = call(op, tree, other)
        if self.rng.random() < 0.3:
            tree = call("log", tree) if self.rng.random() < 0.5 else call("sqrt", tree)
        return tree

    def total(self, depth: int) -> Tree:
        """One sum over the rows."""
        self.pool, outside = [], self.pool
        self.in_rows = True
        body = self.any(depth)
        if self.rng.random() < 0.6:
            body = call("**", call("-", Tree("column", (), self.columns[0]), body), num(2.0))
        self.in_rows, self.pool = False, outside
        return call(self.rng.choice(("sum", "mean")), body)


_KINDS: tuple[tuple[Callable[[Generator, int], Tree], int], ...] = (
    (Generator.sum, 20), (Generator.product, 16), (Generator.quotient, 12), (Generator.power, 10),
    (Generator.function, 30), (Generator.piecewise, 10), (Generator.negation, 2),
)  # fmt: skip


def _leaves(tree: Tree) -> list[Tree]:
    """The leaves, those that stand there several times once per occurrence on distinct nodes."""
    seen: set[int] = set()
    stack, found = [tree], []
    while stack:
        node = stack.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        stack += node.args
        if not node.args:
            found.append(node)
    return found
