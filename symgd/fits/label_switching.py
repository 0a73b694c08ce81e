"""Terms of a model that may change places: a*exp(-b*x) + c*exp(-d*x) fits as well the other way.

Where such a fit was begun anew, its terms are put in the order of the start that was given, so
that a name keeps the meaning that its start suggests.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import permutations, product

import sympy

from symgd.fits.regression_model import Model
from symgd.formula.nodes import Name, Node, topological
from symgd.formula.printing.plain import write

_MOST = 5040  # orders that are looked at


def nearest(model: Model, x: Sequence[float], start: Sequence[float]) -> list[float]:
    """x with exchangeable terms in that order in which it is most like `start`."""
    return min(_orders(model, x), key=lambda other: _distance(other, start))


def _distance(x: Sequence[float], start: Sequence[float]) -> float:
    """Signs first, then ratios: starts are guesses of magnitudes."""
    total = 0.0
    for a, b in zip(x, start, strict=True):
        if a and b:
            total += abs(math.log(abs(a / b))) + (100.0 if a * b < 0 else 0.0)
    return total


def _orders(model: Model, x: Sequence[float]) -> Iterator[list[float]]:
    groups = [places for places in _exchangeable(model) if len(places) > 1]
    if math.prod(math.factorial(len(g)) for g in groups) > _MOST:
        groups = []
    for orders in product(*(permutations(group) for group in groups)):
        new = list(x)
        for group, order in zip(groups, orders, strict=True):
            for to, source in zip(group, order, strict=True):
                for i, j in zip(to, source, strict=True):
                    new[i] = x[j]
        yield new


def _exchangeable(model: Model) -> list[list[tuple[int, ...]]]:
    """Groups of terms that differ in the names of their parameters only, as their indices."""
    root = model.predicted
    if root.func is not sympy.Add or model.inner is not None:
        return []
    index = {leaf: k for k, leaf in enumerate(model.leaves)}
    found: dict[str, list[tuple[int, ...]]] = {}
    taken: dict[int, int] = {}
    for term in root.args:
        own = [n for n in topological([term]) if isinstance(n, Name) and n in index]
        for leaf in own:
            taken[index[leaf]] = taken.get(index[leaf], 0) + 1
        found.setdefault(_shape(model, term, own), []).append(tuple(index[n] for n in own))
    return [[g for g in group if all(taken[k] == 1 for k in g)] for group in found.values()]


def _shape(model: Model, term: Node, own: Sequence[Name]) -> str:
    """The term with its parameters numbered by first appearance."""
    graph = model.graph
    places = {leaf: graph.atom(Name(f"_{k}", f"#{k}")) for k, leaf in enumerate(own)}
    (renamed,) = graph.replace([term], places)
    return write(renamed)
