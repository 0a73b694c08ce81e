"""No answer depends on a clock: every one of them jumps by years, and nothing changes."""

import itertools
import time

import numpy as np
import pytest

import symgd

ROWS = {"x": np.linspace(0, 1, 40), "y": np.exp(np.linspace(0, 1, 40))}

CALLS = {
    "explain": lambda: str(symgd.explain("sin(x)*cos(y) + x**2/20", seconds=0)),
    "explain, of series": lambda: str(symgd.explain("besselj(0, x)*x", seconds=0)),
    "explain, by SymPy": lambda: str(symgd.explain("x**4 - x**2")),
    "descend": lambda: symgd.descend("(1-x)^2 + 100*(y-x^2)^2", lr="auto").to_dict(),
    "machine code": lambda: symgd.descend("x^4", steps=40_000, lr=1e-3).to_dict(),
    "fit": lambda: str(symgd.fit("y = a*exp(b*x)", ROWS)),
    "compare": lambda: str(symgd.compare("x^2", lr="1e-3..10:30")),
    "sweep": lambda: symgd.sweep("x^4 + y^2", lr=[0.01, 0.1], steps=5000).theta.tolist(),
}


@pytest.mark.parametrize("call", list(CALLS))
def test_no_answer_depends_on_a_clock(call, monkeypatch):
    usual = CALLS[call]()
    for clock in ("time", "monotonic", "perf_counter", "process_time", "thread_time"):
        jumps = itertools.count(0.0, 1e8)
        monkeypatch.setattr(time, clock, jumps.__next__)
    assert CALLS[call]() == usual
