"""The page's own verdicts after a move: Python's kinds and sentences, or less, never another."""

import shutil
from collections import defaultdict

import pytest

import symgd
from benchmarks.verdict_grid import LOSSES, RULES, SCHEDULES
from tests.grids import WHOLE, every
from tests.report.page_in_node import verdicts
from tests.report.test_page import show, text  # noqa: F401 - show is a fixture

#: (loss, rule, start, lr, steps): what the grid below does not hold
OTHERS = [
    ("x^4", "gd", 1, 0.1, 100),
    ("x^4", "gd", 1, 0.1, 3000),
    ("x^2 - y^2 + y^4/4", "gd", (1, 0), 0.1, 90),
    ("x^2 - y^2 + y^4/4", "gd", (0, 0), 0.1, 9),
    ("x^2*(x - 2)^2", "gd", 1, 0.1, 9),
    ("x^3 + 3*x", "gd", 1, 0.01, 50),
    ("abs(x) + y^2", "gd", (1, 1), 0.25, 40),
    ("abs(x) + y^2", "momentum", (1, 1), 0.03, 40),
    ("theta**2", "gd", 1, 1.0, 20),
    ("theta**2", "gd", 1, 0.5, 20),
    ("theta**2", "gd", 1, 0.999999, 20),
    ("theta**2", "gd", 1, 1e-7, 20),
    ("theta**2", "gd", 1, 10, 20),
    ("theta**2", "gd", 1, 0.2, 0),
    ("theta**2", "gd", 1, 1e200, 20),
    ("log(x - 2)", "gd", 3, 0.2, 20),
    ("exp(x^2)", "gd", 3, 0.2, 20),
    ("1/x + x", "gd", 1e-3, 0.2, 20),
    ("max(x^2, 4)", "gd", 1, 0.2, 20),
    ("(1-x)^2 + 100*(y-x^2)^2", "gd", (-1.2, 1), 0.003, 500),
    ("a^2 + 2*b^2 + 3*c^2 + d^2/2 + (a + d)^4", "nesterov", (1, 2, -1, 3), 0.01, 100),
    ("+".join(f"x{k}^2" for k in range(9)), "gd", (1,) * 9, 0.1, 20),
    ("x^2", "gd+box", 5, 0.1, 50),
    ("x^4 - 2*x^2", "adam", 0.1, 0.6, 100),
    ("theta**2", "rmsprop", 1, 0.6, 20),
    ("abs(x)", "rmsprop", 1, 0.36, 5),
    ("log(cosh(x))", "adam", 5, 0.1, 1000),
    ("x - log(x)", "adam", 4, 0.6, 5),
    ("-exp(-x^2)", "gd", 5, 1, 100),
    ("max(x^2, (x-2)^2)", "gd", 3, 0.1, 50),
]


def cases():
    for k, (loss, (_, start, lr)) in enumerate(LOSSES.items()):
        for j, rule in enumerate(RULES[::2]):
            steps = (5, 20, 100, 1000)[(j + k) % 4]
            yield loss, rule, start, lr * (0.01, 0.3, 1, 3, 12)[(2 * j + k) % 5], steps
        schedule = SCHEDULES[k % 5].format(lr=lr)
        yield loss, ("gd", "momentum")[k % 2], start, schedule, (20, 100, 1000)[k % 3]
    yield from OTHERS


@pytest.mark.skipif(not shutil.which("node"), reason="there is no Node.js on this machine")
def test_page_says_what_python_says_or_less(tmp_path):
    """On 144 runs, or a third of them; the page knows no ray along which a loss falls for ever."""
    groups, same, all_runs = defaultdict(list), 0, 0
    for loss, rule, start, lr, steps in every(3, cases()):
        box = {"lower": 1.0, "upper": 9.0} if "box" in rule else {}
        run = symgd.descend(loss, rule=rule, start=start, lr=lr, steps=steps, set=box, advise=False)
        groups[loss, rule if box else "", lr if isinstance(lr, str) else ""].append(run)
    for (loss, box, schedule), runs in groups.items():
        start, hyper = list(runs[0].start.values()), runs[0].hyperparameters if box else {}
        lr = schedule or 0.2
        page = symgd.descend(loss, rule=box or "gd", start=start, steps=7, lr=lr, set=hyper)
        asked = [{"lr": run.lr, "rule": run.rule.name, "start": list(run.start.values()),
                  "steps": steps_of(run)} for run in runs]  # fmt: skip
        for run, (kind, sentence) in zip(runs, verdicts(page, asked, tmp_path), strict=True):
            told = run.verdict
            assert kind in (told.kind, "descending"), (loss, run.rule.name, run.lr, told, sentence)
            same += sentence == told.sentence
            all_runs += 1
            if "falls without bound" in told.sentence:
                continue
            if kind == told.kind not in ("diverging", "nonfinite"):  # whose formula Python names
                assert sentence.partition("; stable")[0] == told.sentence.partition("; stable")[0]
    assert all_runs > (130 if WHOLE else 45)
    assert same > 0.8 * all_runs


def steps_of(run):
    return run.steps + ("the last finite point" in run.message)


def test_slider_moved_by_keys_changes_the_verdict_to_pythons(show):  # noqa: F811
    page = show(symgd.descend("theta**2", lr=0.9))
    page.js("document.querySelector('input[aria-label=\"lr, slider\"]').focus()")
    kinds = set()
    for key, code in [("ArrowRight", 39)] * 12:
        page.key(key, code)
        lr = float(page.js("document.querySelector('input[aria-label=lr]').value"))
        run = symgd.descend("theta**2", lr=lr)
        assert text(page, "verdict") == run.verdict.sentence
        assert page.js("document.getElementById('verdict').className") == run.verdict.kind
        kinds.add(run.verdict.kind)
    assert kinds == {"slow", "diverging"}  # |1 - 2 lr| >= 0.98 before and beyond 1


@pytest.mark.skipif(not shutil.which("node"), reason="there is no Node.js on this machine")
@pytest.mark.parametrize(
    ("loss", "bounds"),
    [
        ("(x-2)^2", {"x": (0, 1)}),
        ("(x-2)^2 + (y-0.3)^2", {"x": (0, 1), "y": (None, 0.1)}),
        ("(x-2)^2 + 3*y^2 + x*y", {"y": (-0.5, None)}),
    ],
)
def test_page_keeps_the_bounds(loss, bounds, tmp_path):
    runs = [symgd.descend(loss, start=0.5, lr=lr, steps=steps, bounds=bounds, advise=False)
            for lr in (0.05, 0.3) for steps in (5, 200)]  # fmt: skip
    page = symgd.descend(loss, start=0.5, steps=7, bounds=bounds)
    asked = [{"lr": r.lr, "rule": "gd", "start": [9.0] * len(r.x), "steps": r.steps} for r in runs]
    outside = [symgd.descend(loss, start=9, lr=r.lr, steps=r.steps, bounds=bounds) for r in runs]
    for run, (kind, sentence) in zip(outside, verdicts(page, asked, tmp_path), strict=True):
        assert kind in (run.verdict.kind, "descending")
        if kind == "bound":
            assert sentence == run.verdict.sentence
        else:  # the loss and the projected gradient at the end are Python's
            assert f" to {run.value:.6g}" in sentence
            slopes = run.box.projected(run.x, list(run.grad.values()))
            assert f"max|g| = {max(map(abs, slopes)):.3g}" in sentence
