"""Random numbers of rules as arithmetic: the same bits on every machine that has IEEE doubles.

A counter-based generator: what is drawn depends on (seed, step, parameter, call) alone. A Feistel
network as in J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, 2011, Parallel random numbers: as
easy as 1, 2, 3, SC '11, https://doi.org/10.1145/2063384.2063405; its round function is the middle
of a square, after B. Widynski, 2020, Squares, https://arxiv.org/abs/2004.06278. Words have 26 bits,
so that doubles hold every product exactly.
"""

from __future__ import annotations

import math

import sympy

from symgd.formula.functions.table import FUNCTIONS
from symgd.formula.graph import Graph
from symgd.formula.nodes import MINUS_ONE, ONE, Node, Rademacher

_WORD = 2.0**26
_ROUNDS = 8
_WEYL = 41_474_357.0  # 2**26 over the golden ratio, odd
_FLOOR = FUNCTIONS["floor"].node


def draw(graph: Graph, kind: type, seed: Node, t: Node, call: Node, index: Node) -> Node:
    """A random number of one parameter."""
    a, b = _words(graph, seed, t, call, index)
    if kind is Rademacher:
        low = graph.compare("<", a, graph.number(_WORD / 2))
        return graph.where(low, MINUS_ONE, ONE)
    return _normal(graph, a, b)


def _times(graph: Graph, a: Node, number: float) -> Node:
    return graph.node(sympy.Mul, a, graph.number(number))


def _plus(graph: Graph, a: Node, b: Node) -> Node:
    return graph.node(sympy.Add, a, b)


def _minus(graph: Graph, a: Node, b: Node) -> Node:
    return _plus(graph, a, graph.node(sympy.Mul, MINUS_ONE, b))


def _split(graph: Graph, x: Node) -> tuple[Node, Node]:
    """The high and the low word of a whole number below 2**53."""
    high = graph.node(_FLOOR, _times(graph, x, 1 / _WORD))
    return high, _minus(graph, x, _times(graph, high, _WORD))


def _words(graph: Graph, seed: Node, t: Node, call: Node, index: Node) -> tuple[Node, Node]:
    """Two random whole numbers below 2**26."""
    seed_high, key = _split(graph, seed)
    t_high, a = _split(graph, t)
    b = _split(graph, index)[1]
    for part, factor in ((seed_high, 40_503.0), (t_high, 25_173.0), (call, 3_373_259.0)):
        key = _plus(graph, key, _times(graph, _split(graph, part)[1], factor))
    key = _split(graph, key)[1]
    for _ in range(_ROUNDS):
        x = _split(graph, _plus(graph, a, key))[1]
        square = graph.node(sympy.Mul, x, x)
        middle = graph.node(_FLOOR, _times(graph, square, 2.0**-13))
        a, b = _split(graph, _plus(graph, b, middle))[1], a
        key = _split(graph, _plus(graph, key, graph.number(_WEYL)))[1]
    return a, b


def _normal(graph: Graph, a: Node, b: Node) -> Node:
    """sqrt(-2 log u) cos(2 pi v) (G. Box, M. Muller, 1958), log and cos by their series."""
    half = graph.number(0.5)
    u = _times(graph, _plus(graph, a, half), 1 / _WORD)
    halvings: Node = graph.number(0.0)
    for k in (16, 8, 4, 2, 1):
        small = graph.compare("<", u, graph.number(2.0**-k))
        halvings = graph.where(small, _plus(graph, halvings, graph.number(k)), halvings)
        u = graph.where(small, _times(graph, u, 2.0**k), u)
    inverse = graph.node(sympy.Pow, _plus(graph, u, ONE), MINUS_ONE)
    s = graph.node(sympy.Mul, _minus(graph, ONE, u), inverse)
    square = graph.node(sympy.Mul, s, s)
    series: Node = graph.number(1 / 19)
    for k in range(17, 0, -2):
        series = _plus(graph, graph.node(sympy.Mul, square, series), graph.number(1 / k))
    log = _times(graph, graph.node(sympy.Mul, s, series), 4.0)
    log = _plus(graph, log, _times(graph, halvings, 2 * math.log(2)))
    negative = graph.compare("<", b, graph.number(_WORD / 2))
    rest = graph.where(negative, b, _minus(graph, b, graph.number(_WORD / 2)))
    angle = _times(graph, _plus(graph, rest, half), math.pi / _WORD)  # below pi/2
    square = graph.node(sympy.Mul, angle, angle)
    cosine: Node = ONE
    for k in range(16, 0, -2):
        part = graph.node(sympy.Mul, _times(graph, square, 1 / (k * (k - 1))), cosine)
        cosine = _minus(graph, ONE, part)
    size = graph.node(sympy.Mul, graph.sqrt(log), cosine)
    return graph.where(negative, graph.node(sympy.Mul, MINUS_ONE, size), size)
