"""Polynomials with rational coefficients, and exact linear algebra."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from fractions import Fraction

import sympy

from symgd.formula.graph import Graph
from symgd.formula.nodes import MINUS_ONE, ONE, Name, Node, float_of, topological

#: ((index of a parameter, power), ...) in ascending order of indices; () is the constant.
Monomial = tuple[tuple[int, int], ...]
Polynomial = dict[Monomial, Fraction]

_TERMS = 400  # of any intermediate result
_DEGREE = 24
_BITS = 4096  # of any coefficient


def polynomial(root: Node, leaves: Sequence[Name]) -> Polynomial | None:
    """The expanded polynomial of `root`; None if it is not a polynomial or too large.

    Decimal constants have their typed value: 0.1 is 1/10.
    """
    places = {leaf: k for k, leaf in enumerate(leaves)}
    done: dict[int, Polynomial] = {}
    for node in topological([root]):
        found = _of(node, done, places)
        if found is None:
            return None
        done[id(node)] = found
    return done[id(root)]


def _of(
    node: Node, done: Mapping[int, Polynomial], places: Mapping[Name, int]
) -> Polynomial | None:
    if not node.args:
        if isinstance(node, Name):
            return {((places[node], 1),): Fraction(1)} if node in places else None
        number = _rational(node)
        return None if number is None else _trim({(): number})
    if node.func is sympy.Pow:
        return _power(done[id(node.args[0])], float_of(node.args[1]))
    parts = [done[id(a)] for a in node.args]
    if node.func not in (sympy.Add, sympy.Mul):
        return None
    result: Polynomial | None = parts[0]
    for part in parts[1:]:
        if result is not None:
            result = plus(result, part) if node.func is sympy.Add else product(result, part)
    return result


def _rational(atom: Node) -> Fraction | None:
    if isinstance(atom, sympy.Rational):
        return Fraction(int(atom.p), int(atom.q))
    if isinstance(atom, sympy.Float):
        return Fraction(repr(float(atom)))
    return None


def _power(base: Polynomial, exponent: float | None) -> Polynomial | None:
    if exponent is None:
        return None
    if exponent == -1 and set(base) == {()}:
        return {(): 1 / base[()]}
    if exponent != int(exponent) or not 0 <= exponent <= _DEGREE:
        return None
    result: Polynomial | None = {(): Fraction(1)}
    for _ in range(int(exponent)):
        result = None if result is None else product(result, base)
    return result


def plus(a: Polynomial, b: Polynomial) -> Polynomial | None:
    """a + b, or None where it is too large."""
    out = dict(a)
    for monomial, coefficient in b.items():
        out[monomial] = out.get(monomial, Fraction(0)) + coefficient
    return _bounded(_trim(out))


def product(a: Polynomial, b: Polynomial) -> Polynomial | None:
    """a * b, or None where it is too large."""
    if len(a) * len(b) > 10 * _TERMS:
        return None
    out: Polynomial = {}
    for left, x in a.items():
        for right, y in b.items():
            powers = dict(left)
            for place, power in right:
                powers[place] = powers.get(place, 0) + power
            key = tuple(sorted(powers.items()))
            out[key] = out.get(key, Fraction(0)) + x * y
    return _bounded(_trim(out))


def _trim(terms: Polynomial) -> Polynomial:
    return {monomial: c for monomial, c in terms.items() if c}


def _bounded(terms: Polynomial) -> Polynomial | None:
    small = len(terms) <= _TERMS and degree(terms) <= _DEGREE
    bits = (c.numerator.bit_length() + c.denominator.bit_length() for c in terms.values())
    return terms if small and max(bits, default=0) <= _BITS else None


def degree(terms: Polynomial) -> int:
    """The total degree; 0 for a constant."""
    return max((sum(power for _, power in monomial) for monomial in terms), default=0)


def derivative(terms: Polynomial, place: int) -> Polynomial:
    """The partial derivative in the parameter of that index."""
    out: Polynomial = {}
    for monomial, coefficient in terms.items():
        powers = dict(monomial)
        power = powers.pop(place, 0)
        if power > 1:
            powers[place] = power - 1
        if power:
            out[tuple(sorted(powers.items()))] = coefficient * power
    return out


def value(terms: Polynomial, x: Sequence[Fraction]) -> Fraction:
    """The exact value at rational x."""
    total = Fraction(0)
    for monomial, coefficient in terms.items():
        for place, power in monomial:
            coefficient *= x[place] ** power
        total += coefficient
    return total


def to_node(graph: Graph, terms: Polynomial, atoms: Sequence[Node]) -> Node:
    """The polynomial as a node, highest degree first: 1200*x**2 - 400*y + 2."""
    order = sorted(terms, key=lambda m: (-sum(p for _, p in m), [(i, -p) for i, p in m]))
    parts = [_term(graph, terms[m], m, atoms) for m in order]
    return graph.node(sympy.Add, *parts) if len(parts) > 1 else [*parts, graph.number(0.0)][0]


def to_double(c: Fraction) -> float:
    """The nearest double; the largest finite one beyond the range."""
    try:
        return float(c)
    except OverflowError:
        return sys.float_info.max if c > 0 else -sys.float_info.max


def _term(graph: Graph, c: Fraction, monomial: Monomial, atoms: Sequence[Node]) -> Node:
    powers = [graph.pow(atoms[place], power) for place, power in monomial]
    if Fraction(repr(to_double(c))) == c:
        number, divisor = graph.number(to_double(c)), None
    else:
        number = graph.atom(sympy.Integer(c.numerator))
        divisor = graph.node(sympy.Pow, graph.atom(sympy.Integer(c.denominator)), MINUS_ONE)
    if powers and number is ONE:
        factors = powers
    elif powers and number is MINUS_ONE:
        factors = [MINUS_ONE, graph.times([*powers, *filter(None, [divisor])])]
        divisor = None
    else:
        factors = [number, *powers]
    return graph.times([*factors, *filter(None, [divisor])])


def solve_linear(
    rows: Sequence[Sequence[Fraction]], right: Sequence[Fraction]
) -> tuple[list[Fraction], list[int]] | None:
    """A solution of rows * x = right and the indices of its free variables (set to 0), or None.

    None: the equations contradict each other.
    """
    table = [[*row, b] for row, b in zip(rows, right, strict=True)]
    count = len(rows[0]) if rows else 0
    pivots: list[int] = []
    for column in range(count):
        done = len(pivots)
        lead = next((r for r in range(done, len(table)) if table[r][column]), None)
        if lead is None:
            continue
        table[done], table[lead] = table[lead], table[done]
        scale = table[done][column]
        table[done] = [v / scale for v in table[done]]
        for r, row in enumerate(table):
            if r != done and row[column]:
                factor = row[column]
                table[r] = [a - factor * b for a, b in zip(row, table[done], strict=True)]
        pivots.append(column)
    if any(row[-1] for row in table[len(pivots) :]):
        return None
    x = [Fraction(0)] * count
    for row, column in zip(table, pivots, strict=False):
        x[column] = row[-1]
    return x, [c for c in range(count) if c not in pivots]


def inertia(rows: Sequence[Sequence[Fraction]]) -> tuple[int, int]:
    """How many eigenvalues of a symmetric matrix are negative and how many positive, exactly.

    By congruence (Sylvester's law of inertia): a pivot on the diagonal counts with its sign, a
    2 x 2 pivot with a zero diagonal counts one of each.
    """
    table = [list(row) for row in rows]
    negative = positive = 0
    while table:
        size = len(table)
        lead = next((k for k in range(size) if table[k][k]), None)
        if lead is None:
            pair = next(((i, j) for i in range(size) for j in range(i) if table[i][j]), None)
            if pair is None:
                break
            i, j = pair  # add row and column j to i: the diagonal becomes 2*table[i][j]
            table[i] = [a + b for a, b in zip(table[i], table[j], strict=True)]
            for row in table:
                row[i] += row[j]
            lead = i
        pivot = table[lead]
        scale = pivot[lead]
        negative, positive = negative + (scale < 0), positive + (scale > 0)
        table = [
            [
                v - row[lead] * p / scale
                for c, (v, p) in enumerate(zip(row, pivot, strict=True))
                if c != lead
            ]
            for r, row in enumerate(table)
            if r != lead
        ]
    return negative, positive
