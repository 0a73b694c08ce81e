"""Random update rules and learning rates, and the path that they take from the formulas alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from mpmath import mp

from .functions import apply
from .generate import Generator
from .jets import Jet, Jets, PoleError, Real, UnlimitedError
from .oracle import DIGITS, Evaluation, Point, noises
from .text import write
from .tree import Tree, call, name, nodes, num

STEPS = 5
_FAR = 1e4  # beyond, a path is not followed any more


@dataclass(frozen=True)
class Descent:
    """A rule's lines (target, expression) and a learning rate: a number or a formula of t."""

    lines: tuple[tuple[str, Tree], ...]
    lr: Tree

    @property
    def rule(self) -> str:
        """The rule as it may be typed."""
        return "; ".join(f"{target} = {write(tree)}" for target, tree in self.lines)


def draw_descent(rng: Random) -> Descent:
    """A rule of your own: perhaps a prefix, some state, a step, perhaps a suffix."""
    g, t, lr, theta = map(name, ("g", "t", "lr", "theta"))
    b = num(rng.choice((0.5, 0.9, 0.99, 0.25)))
    rest = call("-", num(1.0), b)
    m, v, u = map(name, "mvu")
    prefixes = [
        ("g", call("clip", g, num(-1.0), num(1.0))),
        ("g", call("/", g, call("+", num(1.0), call("norm", g)))),
        ("g", call("+", g, call("*", num(0.1), theta))),
    ]
    states = [
        ("m", call("+", call("*", b, m), call("*", rest, g)), "m"),
        ("v", call("+", call("*", b, v), call("*", rest, call("**", g, num(2.0)))), "v"),
        ("u", call("max", call("*", b, u), call("abs", g)), "u"),
        ("m", call("where", call(">", call("*", g, m), num(0.0)), call("+", m, g), g), "m"),
    ]
    lines = [rng.choice(prefixes)] if rng.random() < 0.4 else []
    known = ["g", "theta"]
    for target, tree, read in rng.sample(states, rng.randint(0, 2)):
        lines.append((target, tree))
        known.append(read)
    generator = Generator(rng, 0)
    generator.names = known
    free = generator.any(2)
    root = call("sqrt", call("+", call("**", name(known[-1]), num(2.0)), num(0.5)))
    step = rng.choice((
        name(known[-1]), call("/", g, root), call("tanh", free), call("+", g, call("tanh", free)),
        call("/", name(known[-1]), call("-", num(1.0), call("**", num(0.5), t))),
    ))  # fmt: skip
    lines.append(("theta", call("-", theta, call("*", lr, step))))
    if rng.random() < 0.15:
        lines.append(("theta", call("clip", theta, num(-3.0), num(3.0))))
    return Descent(tuple(lines), _draw_rate(rng, t))


def _draw_rate(rng: Random, t: Tree) -> Tree:
    rate = num(rng.choice((0.01, 0.1, 0.3)))
    return rng.choice((
        rate, rate, call("/", rate, call("+", num(1.0), call("/", t, num(10.0)))),
        call("*", rate, call("exp", call("neg", call("/", t, num(5.0))))),
        call("*", rate, call("min", num(1.0), call("/", t, num(3.0)))),
        call("*", rate, call("**", num(0.9), t)),
        call("where", call(">", t, num(2.0)), call("/", rate, num(2.0)), rate),
    ))  # fmt: skip


def path(root: Tree, point: Point, descent: Descent, noise: object = None) -> list[list[Real]]:
    """The parameters after 0, 1, ... steps at 60 digits; shorter where a step has a pole."""
    params = list(point.params)
    with mp.workdps(DIGITS):
        theta = [mp.mpf(point.params[p]) for p in params]
        state: list[dict[str, Real]] = [{} for _ in params]
        found = [theta]
        for t in range(1, STEPS + 1):
            here = Point(dict(zip(params, theta, strict=True)), point.columns, point.copies)
            try:
                theta = _step(root, here, descent, t, state, noise)
            except (PoleError, UnlimitedError):
                return found
            if not all(abs(x) < _FAR for x in theta):
                return found
            found.append(theta)
    return found


def path_spread(
    root: Tree, point: Point, descent: Descent, known: Sequence[Sequence[Real]]
) -> list[Real]:
    """By number of the path, row by row, the largest change by perturbed roundings."""
    flat = [x for row in known for x in row]
    spread = [mp.mpf(0)] * len(flat)
    for noise in noises():
        noisy = [x for row in path(root, point, descent, noise) for x in row]
        noisy += [mp.inf] * (len(flat) - len(noisy))
        gaps = [abs(a - b) for a, b in zip(noisy, flat, strict=False)]
        spread = [max(a, b) for a, b in zip(spread, gaps, strict=True)]
    return spread


def _step(
    root: Tree, here: Point, descent: Descent, t: int, state: list[dict[str, Real]], noise: object
) -> list[Real]:
    """The new parameters; `state` is updated."""
    count = len(here.params)
    _, slopes, _ = Evaluation(Jets(count, 1, noise), here).value(root)
    jets = Jets(0, 0, noise)
    rate = Scalars(jets, {"t": mp.mpf(t)}).value(descent.lr)[0]
    now = [
        {"t": mp.mpf(t), "lr": rate, "theta": x, "g": g, **kept}
        for x, g, kept in zip(
            here.params.values(), slopes or [mp.mpf(0)] * count, state, strict=True
        )
    ]
    for target, tree in descent.lines:
        values = _line(jets, tree, now)
        for names, value in zip(now, values, strict=True):
            names[target] = value
    for kept, names in zip(state, now, strict=True):
        kept |= {n: names[n] for n, _ in descent.lines if n not in ("theta", "g")}
    return [names["theta"] for names in now]


def _line(jets: Jets, tree: Tree, now: Sequence[Mapping[str, Real]]) -> list[Real]:
    """One line of a rule for every parameter; norm(...) goes over all of them."""
    each = [Scalars(jets, names) for names in now]
    for node in nodes(tree):
        if node.op == "norm":
            squares = [apply(jets, "*", [e.value(node.args[0])] * 2) for e in each]
            length = apply(jets, "sqrt", [jets.add([(1, s) for s in squares])])
            for e in each:
                e.known[id(node)] = length
    return [e.value(tree)[0] for e in each]


class Scalars(Evaluation):
    """Values of trees over names that are numbers; what has no value yet is 0, as state is."""

    def __init__(self, jets: Jets, names: Mapping[str, Real]) -> None:
        super().__init__(jets, Point({}))
        self.names = names

    def compute(self, node: Tree) -> Jet:
        if node.op == "name":
            return self.names.get(str(node.value), mp.mpf(0)), None, None
        return super().compute(node)
