"""Random formulas with indices: values and derivatives are those of the text written out."""

import random
from itertools import islice

import numpy as np

from symgd.errors import SymgdError
from tests.grids import WHOLE
from tests.indexed import Indexed

_LENGTHS = {"i": 4, "j": 3, "k": 2}
_FUNCTIONS = ["tanh({})", "sqrt(1 + ({})^2)", "exp(-({})^2)", "sin({})", "abs({})", "({})^2"]
_REDUCTIONS = ["sum"] * 6 + ["mean", "max", "min", "prod", "norm", "logsumexp"]


class Writer:
    """Writes formulas. defined: definitions by name, with their index and whether it is of rows."""

    def __init__(self, seed):
        self.random, self.defined = random.Random(seed), {}

    def loss(self):
        text = ""
        for name in ["D", "E"][: self.random.randrange(3)]:
            index, in_row = self.random.choice("ijk"), self.random.random() < 0.5
            term = self.term(3, [index], in_row)
            text += f"{name}[{index}] = {term}, {index}=1..{_LENGTHS[index]}; "
            self.defined[name] = index, in_row
        return text + self.term(5, [], in_row=False)

    def leaf(self, opened, in_row):
        found = ["c", "s", f"{self.random.uniform(0.2, 2):.2f}"]
        for a in opened:
            found += [f"x{a}[{a}]", f"x{a}[{_LENGTHS[a] + 1}-{a}]", a]
            found += [f"y{a}[{a}]", f"y{a}[{a}+2]", f"z{a}[2*{a}-1]", f"z{a}[2*{a}+2]"]
            for b in opened:
                p, q = sorted((a, b))
                found += [f"A{p}{q}[{a},{b}]", f"C[{a}+1,{b}]", f"w[{a}+{b}]"] if a != b else []
        found += [
            f"{n}[{a}]" for n, (a, row) in self.defined.items() if a in opened and row <= in_row
        ]
        if in_row:
            found += ["x", "y", "u[site]", "v[item]", *(f"U{a}[site,{a}]" for a in opened)]
            found += [f"{n}[label]" for n, (a, _) in self.defined.items() if a == "i"]
        return self.random.choice(found)

    def term(self, depth, opened, in_row):
        if depth == 0:
            return self.leaf(opened, in_row)

        def part():
            return self.term(depth - 1, opened, in_row)

        kind, free = self.random.random(), [a for a in _LENGTHS if a not in opened]
        if kind < 0.25:
            return f"({part()} {self.random.choice('+-')} {part()})"
        if kind < 0.5:
            return f"{part()}*{part()}"
        if kind < 0.6:
            return f"{part()}/(1.5 + ({part()})^2)"
        if kind < 0.7:
            return self.random.choice(_FUNCTIONS).format(part())
        if kind < 0.75:
            return f"where({part()} > {part()}, {part()}, {part()})"
        if free and kind < 0.93:
            a = self.random.choice(free)
            inside = self.term(depth - 1, [*opened, a], in_row)
            return f"{self.random.choice(_REDUCTIONS)}({inside}, {a}=1..{_LENGTHS[a]})"
        if not in_row and not opened:
            return f"{self.random.choice(['sum', 'mean'])}({self.term(depth - 1, [], True)})"
        return part()


def losses(seeds=range(1000)):
    """Formulas of arrays that are formulas: others have an index without a range."""
    for seed in seeds:
        text = Writer(seed).loss()
        try:
            loss = Indexed(text, data=True) if "[" in text else None
        except SymgdError:
            continue
        if loss is not None and loss.model is not None and 1 <= loss.model.count <= 60:
            yield text, loss


def test_derivatives_are_those_of_the_text_written_out():
    for text, loss in islice(losses(), 40 if WHOLE else 10):
        assert_close(loss.gradient(loss.x), loss.written_out(), text)
        hess = np.array(loss.loss.by_elements.hess(loss.x))
        assert_close(loss.product(loss.x, loss.v), hess @ loss.v, text)


def assert_close(ours, theirs, text):
    atol = 1e-11 * max(1e-2, np.abs(theirs).max())
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=atol, err_msg=text)
