"""The live page in headless Chromium: its size, its first draw, a slider's move, a typed loss.

And its engine under Node.js against Python, on the whole of the corpora.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import symgd
from benchmarks.measure import ROOT, Row, check, skipped

RUNS = 9
_PAGES: dict[str, tuple[str, dict[str, Any]]] = {
    "exercise": ("theta**2", {"lr": 0.2}),
    "Rosenbrock, 500 steps": (
        "(1-x)**2 + 100*(y-x**2)**2",
        {"start": "x=-1.2,y=1", "lr": 0.001, "steps": 500},
    ),
    "exp and tanh, 500 steps": ("exp(-x)*tanh(y) + x**2 + y**2", {"lr": 0.01, "steps": 500}),
}
# From the input event to the end of the script that draws, and to the frame after it.
_MOVE = """(async () => {
  const range = document.querySelector('input[aria-label="lr, slider"]');
  const nextFrame = () => new Promise((done) => requestAnimationFrame(done));
  await nextFrame();
  const before = performance.now();
  range.value = +range.value + %s;
  range.dispatchEvent(new Event("input"));
  await nextFrame();
  return performance.now() - before;
})()"""
# From the key to the end of the script that reads, differentiates, runs and draws.
_TYPED = """(() => {
  const field = document.querySelector("[data-formula]"), before = performance.now();
  field.value = "(1 - x)^2 + %d*(y - x^2)^2";
  field.dispatchEvent(new Event("input"));
  render();
  return performance.now() - before;
})()"""
_DRAWN = """(async () => {
  const paint = () => performance.getEntriesByName("first-contentful-paint")[0];
  while (!paint()) await new Promise((done) => setTimeout(done, 20));
  const {loadEventEnd} = performance.getEntriesByType("navigation")[0];
  return JSON.stringify([loadEventEnd, paint().startTime]);
})()"""


def rows() -> Iterator[Row]:
    """Three rows per page; the numbers shown are checked against Python's first."""
    sys.path.insert(0, str(ROOT / "tests"))
    from chromium import WHY_NOT, Browser

    yield from _corpora()
    texts = {name: symgd.descend(loss, **more).to_html() for name, (loss, more) in _PAGES.items()}
    for name, text in texts.items():
        two = len(symgd.Loss(_PAGES[name][0]).params) == 2
        yield Row(f"size: {name}", len(text.encode()) / 1000, "kB", 150 if two else None)
    if WHY_NOT:
        yield skipped("first draw and redraw", WHY_NOT)
        return
    browser = Browser()
    try:
        with tempfile.TemporaryDirectory() as folder:
            yield Row("first draw: a page of one word", _empty(browser, Path(folder)), "ms")
            for name, text in texts.items():
                file = Path(folder) / "page.html"
                file.write_text(text, encoding="utf-8")
                yield from _timed(browser, name, file)
    finally:
        browser.close()


def _empty(browser: Any, folder: Path) -> float:
    """What the browser itself takes on this machine."""
    file = folder / "empty.html"
    file.write_text("<!DOCTYPE html><title>x</title><p>word", encoding="utf-8")
    took = []
    for _ in range(RUNS):
        browser.open(file.as_uri())
        took.append(max(json.loads(browser.js(_DRAWN))))
    return statistics.median(took)


def _timed(browser: Any, name: str, file: Path) -> Iterator[Row]:
    loss, more = _PAGES[name]
    drawn = []
    for _ in range(RUNS):
        browser.open(file.as_uri())
        drawn.append(max(json.loads(browser.js(_DRAWN))))
    shown = browser.js("document.getElementById('rows').innerText").splitlines()[-1].split("\t")
    theta = list(symgd.descend(loss, **more).theta.values())
    check(all(float(a) == b for a, b in zip(shown[1:], theta, strict=False)), f"theta of {name}")
    moved = [browser.js(_MOVE % (0.003 * (-1) ** k)) for k in range(3 * RUNS)]
    check(not browser.troubles(), f"the console of {name}: {browser.troubles()}")
    note = f"median of {RUNS} loads, from the request to the load event and the first paint"
    yield Row(f"first draw: {name}", statistics.median(drawn), "ms", 200, note)
    note = f"median of {len(moved)} moves, from the input event to the frame with the new picture"
    yield Row(f"slider move: {name}", statistics.median(moved), "ms", 50, note)
    typed = [browser.js(_TYPED % (50 + k)) for k in range(2 * RUNS)]
    check(not browser.troubles(), f"the console of {name}: {browser.troubles()}")
    note = f"median of {len(typed)} losses of two parameters, from the input event to the picture"
    yield Row(f"typed loss: {name}", statistics.median(typed), "ms", 100, note)


def _corpora() -> Iterator[Row]:
    """Every formula of the corpora in the page's engine: numbers that are not Python's."""
    sys.path.insert(0, str(ROOT))
    from tests.corpora import load
    from tests.report.engine_in_node import WHY_NOT, ask, by_python, same

    if WHY_NOT or load("expressions") is None:
        yield skipped("the engine on the corpora", WHY_NOT or "the corpora are not there")
        return
    cases = list(_formulas(load))
    python = [by_python(text, points) for _, text, points in cases]
    losses = [
        {"text": case[1], "at": known.get("at", [])}
        for case, known in zip(cases, python, strict=True)
    ]
    with tempfile.TemporaryDirectory() as folder:
        answers = ask(Path(folder), losses)["losses"]
    numbers = apart = errors = others = 0
    for (name, _, _), theirs, ours in zip(cases, python, answers, strict=True):
        if theirs.get("params") == []:
            continue  # a page has something to move
        if "error" in theirs or "error" in ours:
            errors += 1
            others += ours.get("error", [])[:2] != theirs.get("error", [])[:2]
            continue
        tolerance = 1e-8 if name == "Trefethen" else 1e-12  # sin(60*exp(y)) amplifies exp's digit
        for row, expected in zip(ours["values"], theirs["values"], strict=True):
            numbers += len(row)
            apart += sum(not same(a, b, tolerance) for a, b in zip(row, expected, strict=True))
    note = f"of {numbers:,} values and slopes those that differ by more than 1e-12"
    yield Row("the engine on the corpora", apart, "numbers", 0, note)
    note = f"of {errors} refused texts those with another sentence or place (arrays, mostly)"
    yield Row("the engine on refused texts", others, "texts", None, note)


def _formulas(load: Any) -> Iterator[tuple[str, str, list[dict[str, float]]]]:
    """(name, text, points) of every record."""
    for record in load("mgh"):
        start = dict(zip(record["params"], record["start"], strict=True))
        beside = {name: value + 0.1 for name, value in start.items()}
        yield record["name"], record["expr"], [start, beside]
    for record in load("test_functions"):
        points = [dict(zip(record["params"], x, strict=True)) for x in record["check_points"]]
        yield record["name"], record["expr"], points
    for record in load("feynman"):
        yield record["id"], record["formula"], [c["at"] for c in record["check_points"]]
    for record in load("expressions"):
        yield record["expr"], record["expr"], [c["at"] for c in record["check_points"]]
    for record in load("hostile_third_party"):
        yield "", record["expr"], []
