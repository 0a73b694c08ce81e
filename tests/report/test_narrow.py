"""Narrow windows: no line of a report is wider than the terminal, and nothing is lost by it."""

import json
import os
import random
import re
from pathlib import Path

import pytest

import symgd
from symgd.report import compare, explain, table
from symgd.report import fit as fits
from symgd.report.wrap import wrap_lines
from tests.pseudo_terminal import run_on_terminal

LONG = "(first_long_parameter - 1)^2 + 100*(second_long_parameter - first_long_parameter^2)^2"
LOSSES = {
    "theta**2": 1,
    "(1-x)^2 + 100*(y-x^2)^2": "x=-1.2,y=1",
    "(a-1e-5)^2 + b^2 + 3*c^2 + 7e10*d^2": 0.3,
    LONG: 0,
    f"({'n' * 70} - 1)^2 + x": 2,
}
DECAY = Path(__file__).parents[2] / "examples" / "decay.csv"


def written(lines):
    """The characters of the lines but for blanks."""
    return "".join("".join(lines).split())


def reports():
    """Name -> a function of the width that gives the lines of a report."""
    for loss, start in LOSSES.items():
        run = symgd.descend(loss, start=start, lr=1e-3, steps=300)
        yield f"run {loss[:20]}", lambda width, run=run: table.report(run, width=width)
        found = symgd.explain(loss, start=start, lr=1e-3, seconds=0)
        yield f"explain {loss[:20]}", lambda width, found=found: explain.report(found, width=width)
    rules = ["adam", "v = 0.9123456789*v + g; theta = theta - lr*v"]
    grid = symgd.compare(LONG, rule=rules, start=["0", "1"], lr=[5e-4, "0.1/(1 + t/100)"], steps=9)
    yield "compare", lambda width: compare.report(grid, width=width)
    ranged = symgd.compare("x^2", lr="1e-3..10:30", rule=rules)
    yield "map", lambda width: compare.report(ranged, width=width)
    for model in ("counts = a*exp(-b*t) + c", f"counts = a*exp(-{'b' * 50}*t) + c"):
        fit = symgd.fit(model, DECAY)
        yield f"fit {model}"[:30], lambda width, fit=fit: fits.report(fit)


@pytest.mark.parametrize("width", [40, 47, 60, 79])
def test_no_line_of_a_report_is_wider_than_the_window(width):
    for name, report in reports():
        lines = list(report(width))
        wrapped = list(wrap_lines(lines, width))
        assert written(wrapped) == written(lines)
        for line in wrapped:
            assert len(line) <= width, (name, line)


def test_columns_that_do_not_fit_are_left_out_and_named():
    run = symgd.descend("a^2 + b^2 + c^2 + d^2", start=0.9123456789, lr=1e-3, steps=3)
    lines = list(table.step_table(run, width=65))
    assert lines[0].split() == ["t", "a", "b", "loss"]
    assert lines[-1] == "left out to fit 65 columns: c, d, |grad| (--format csv has all)"
    for line, (t, theta, loss, _) in zip(lines[1:-1], run.history.rows(), strict=True):
        assert [float(cell) for cell in line.split()] == [t, *theta[:2], loss]


def test_a_parameter_and_the_loss_stay_however_narrow_the_window_is():
    run = symgd.descend(LONG, start=0, steps=2, lr=0.001)
    lines = list(table.step_table(run, width=30))
    assert lines[0].split() == ["t", "first_long_parameter", "loss"]


# Any line


def test_broken_lines_fit_and_lose_nothing_but_blanks():
    generator = random.Random(1)
    for _ in range(3000):
        text = "".join(generator.choice("ab  +-*=e1(") for _ in range(generator.randint(0, 120)))
        width = generator.randint(20, 60)
        lines = list(wrap_lines([text], width))
        assert all(len(line) <= width for line in lines)
        assert written(lines) == written([text])


def test_a_formula_is_broken_behind_an_operator_and_no_operator_or_number_in_two():
    formula = "y=1e-30*first+22*second**2-third*(1+4e+7*x)-fourth"
    lines = list(wrap_lines([formula], 20))
    assert len(lines) > 2
    for line in lines[:-1]:
        assert line[-1] in "+-*/=("
        assert not line.endswith(("e-", "e+"))
    assert all(not line.strip().startswith(("*", "=")) for line in lines)


# A real terminal


SCRIPT = """
import fcntl, json, struct, sys, termios
from symgd.__main__ import main

for wide, words in json.loads(sys.argv[1]):
    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 50, wide, 0, 0))
    sys.argv = ["symgd", *words]
    try:
        main()
    except SystemExit as end:
        assert not end.code, words
    print(end="\\0", flush=True)
"""


def on_a_terminal(calls):
    """What a terminal shows of each call, (columns, words), as lines; COLUMNS is not set."""
    env = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    env["PYTHONIOENCODING"] = "utf-8"
    code, seen = run_on_terminal(SCRIPT, json.dumps(calls), "stdout", env)
    assert code == 0
    *shown, last = seen.replace("\r\n", "\n").split("\0")
    assert last == ""
    return [text.splitlines() for text in shown]


@pytest.mark.skipif(os.name == "nt", reason="needs a pseudoterminal")
def test_no_line_is_wider_than_a_real_terminal():
    calls = [
        (40, ["theta**2"]),
        (80, [LONG, "-s", "0", "-l", "0.001"]),
        (83, ["explain", LONG]),
        (40, ["compare", LONG]),
        (40, ["fit", "counts = a*exp(-b*t) + c", str(DECAY)]),
        (40, ["rules", "adam"]),
        (60, ["fit", "--help"]),
        (40, ["rules"]),
        (40, ["functions"]),
    ]
    for (wide, words), lines in zip(calls, on_a_terminal(calls), strict=True):
        assert len(lines) > 5, words
        shown = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in lines]  # without the colors
        assert max(map(len, shown)) <= wide, words
