"""Label switching: exchangeable terms, as in a*exp(-b*x) + c*exp(-d*x), in the order of a start.

Exchanging such terms gives an equally good fit. After a restart they are put in the order of the
given start, so that each name keeps the meaning that its start suggests.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import permutations, product

import sympy

from symgd.fits.regression_model import Model
from symgd.formula.nodes import Name, Node, topological
from symgd.formula.printing.plain import write

_MOST = 5040  # permutations that are tried


def closest_permutation(model: Model, x: Sequence[float], start: Sequence[float]) -> list[float]:
    """x, (P,), with exchangeable terms in the order closest to `start`."""
    return min(_permutations(model, x), key=lambda other: _distance(other, start))


def _distance(x: Sequence[float], start: Sequence[float]) -> float:
    """The sum of |log ratios|, with a large penalty for different signs."""
    total = 0.0
    for a, b in zip(x, start, strict=True):
        if a and b:
            total += abs(math.log(abs(a / b))) + (100.0 if a * b < 0 else 0.0)
    return total


def _permutations(model: Model, x: Sequence[float]) -> Iterator[list[float]]:
    groups = exchangeable_terms(model)
    if math.prod(math.factorial(len(g)) for g in groups) > _MOST:
        groups = []
    for orders in product(*(permutations(group) for group in groups)):
        new = list(x)
        for group, order in zip(groups, orders, strict=True):
            for to, source in zip(group, order, strict=True):
                for i, j in zip(to, source, strict=True):
                    new[i] = x[j]
        yield new


def exchangeable_terms(model: Model) -> list[list[tuple[int, ...]]]:
    """Groups of terms that differ only in the names of their own parameters, as their indices.

    A parameter that stands in several terms belongs to none of them.
    """
    root = model.predicted
    if root.func is not sympy.Add or model.nested is not None:
        return []
    index = {leaf: k for k, leaf in enumerate(model.leaves)}
    below = [[n for n in topological([t]) if isinstance(n, Name) and n in index] for t in root.args]
    uses = Counter(n for names in below for n in names)
    owned = [(t, own) for t, ns in zip(root.args, below, strict=True) if (own := _once(ns, uses))]
    kinds = Counter((t.func, len(own)) for t, own in owned)
    found: dict[str, list[tuple[int, ...]]] = {}
    for term, own in owned:
        if kinds[term.func, len(own)] > 1:  # else no other term can be like it
            group = found.setdefault(_canonical_text(model, term, own), [])
            group.append(tuple(index[n] for n in own))
    return [group for group in found.values() if len(group) > 1]


def _once(names: Sequence[Name], uses: Mapping[Name, int]) -> list[Name]:
    return [n for n in names if uses[n] == 1]


def _canonical_text(model: Model, term: Node, parameters: Sequence[Name]) -> str:
    """The term with its parameters numbered by first appearance."""
    graph = model.graph
    places = {leaf: graph.atom(Name(f"_{k}", f"#{k}")) for k, leaf in enumerate(parameters)}
    (renamed,) = graph.replace([term], places)
    return write(renamed)
