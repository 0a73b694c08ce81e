"""The live page in a real headless Chromium: its numbers are Python's, its controls move it."""

import html
import itertools
import json
import math
import re
from xml.etree import ElementTree

import mpmath
import numpy as np
import pytest

import symgd
from symgd.backends import javascript
from symgd.errors import ArgumentError, BackendError
from symgd.model.rules import find_rule
from symgd.report.page import to_html
from symgd.report.page.page_data import content_of
from tests.cli.test_cli import Outcome
from tests.oracle import mp_function, mp_slope

ROSENBROCK = "(1-x)**2 + 100*(y-x**2)**2"


@pytest.fixture
def show(browser, tmp_path):
    """Open the page of a result; at the end nothing was complained about, or asked of a network."""
    pages = []

    def opened(result, hash_="", **window):
        path = tmp_path / f"page{len(pages)}.html"
        result.to_html(path)
        pages.append(path.as_uri())
        browser.open(pages[-1] + hash_, **window)
        return browser

    yield opened
    assert browser.troubles() == []
    assert {url.partition("#")[0] for url in browser.requests()} <= set(pages)


def table(browser):
    """Every row of the page's table as floats: step, parameters, loss, |gradient|."""
    browser.js("{const more = document.getElementById('more'); if (!more.hidden) more.click();}")
    text = browser.js("document.getElementById('rows').innerText")
    return [[float(cell) for cell in line.split("\t")] for line in text.splitlines()]


def history(result):
    return [[float(t), *theta, loss, norm] for t, theta, loss, norm in result.history.rows()]


def same(shown, run, tolerance=1e-15):
    """Whether every number agrees to `tolerance`, relative."""
    expected = history(run)
    assert len(shown) == len(expected)
    for ours, theirs in zip(shown, expected, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            assert a == b or abs(a - b) <= tolerance * abs(b), (ours, theirs)


def text(browser, which):
    return browser.js(f"document.getElementById('{which}').textContent")


def field(browser, label, value):
    """Type a value into a field and leave it, as a person does."""
    browser.js(f"document.querySelector('input[aria-label=\"{label}\"]').focus()")
    browser.js("document.activeElement.select()")
    browser.call("Input.insertText", text=str(value))
    browser.key("Enter", 13, "\r")
    browser.js("document.activeElement.blur()")
    browser.settle()


def type_keys(browser, label, characters):
    """Replace the text of a field by key events, one for each character, and leave it."""
    browser.js(f"document.querySelector('input[aria-label=\"{label}\"]').focus()")
    browser.js("document.activeElement.select()")
    for character in characters:
        code = {"-": 189, "+": 187, ".": 190}.get(character, ord(character.upper()))
        browser.key(character, code, character)
    browser.key("Tab", 9)


def middle(browser, selector):
    """(left, top, width, height) of an element of the page."""
    box = f"JSON.stringify(document.querySelector('{selector}').getBoundingClientRect())"
    found = json.loads(browser.js(box))
    return found["x"], found["y"], found["width"], found["height"]


# Numbers

RUNS = {
    "exercise": ("theta**2", {"lr": 0.2}),
    "slow": ("theta**2", {"lr": 0.001}),
    "diverging": ("theta**2", {"lr": 10}),
    "rosenbrock": (ROSENBROCK, {"start": "x=-1.2,y=1", "lr": 0.001, "steps": 500}),
    "three": ("(a-1)**2 + 3*(b-2)**2 + c**4", {"start": 2, "lr": 0.01, "steps": 100}),
    "softplus": ("log(1 + exp(-a)) + a**2/10", {"steps": 60}),
    "trig": ("sin(x)*cos(y) + x**2/10", {"start": "1,2", "lr": 0.1, "steps": 60}),
    "tanh": ("tanh(x)**2 + sqrt(1 + y**2)", {"start": "1,2", "lr": 0.3}),
    "special": ("gamma(x) + erf(y)**2", {"start": "2.5,0.6", "lr": 0.05, "steps": 40}),
    "reflected": ("gamma(x) + loggamma(y)", {"start": "-1.6,-2.3", "lr": 0.002, "steps": 40}),
    "where": ("where(x > 1, x**2, 2*x - 1) + |x|", {"start": 3, "lr": 0.1}),
    "cancels": ("huber(x - 3, 2) + max(x, 1) + logcosh(x)", {"start": -5, "lr": 0.3, "steps": 60}),
    "softmax": ("logsumexp(x, y, z) - x/5 - y/3 + clip(z, -1, 2)/9", {"lr": 0.5, "steps": 60}),
    "inverse": ("asin(x/9)**2 + atan2(y, 3)**2 + acosh(2 + y**2)", {"start": "4,2", "lr": 0.1}),
    "huber": ("huber(x - 3, 2) + max(x, 1) + logcosh(y)", {"start": "-5,2", "lr": 0.3}),
    "powers": ("(x**2 + 1)**1.7 - x**3*exp(-x)", {"start": 1.3, "lr": 0.03, "steps": 40}),
    "schedule": ("x**2 + y**4", {"lr": "0.1/(1 + t/c)", "set": {"c": 10}, "steps": 50}),
    "domain": ("log(x - 2)", {"start": 3}),
    "clipped": ("exp(x**2) + y**2", {"start": 2, "rule": "clip_norm+adam", "lr": 0.1}),
    "own": ("x**2 + 3*y**2", {"rule": "v = b*v + g; theta = theta - lr*v", "set": {"b": 0.8}}),
    "box": ("x**2", {"start": 5, "rule": "gd+box", "set": {"lower": 1, "upper": 9}}),
}  # fmt: skip


@pytest.mark.parametrize("case", RUNS)
def test_table_is_pythons_to_the_last_digit(show, case):
    loss, options = RUNS[case]
    run = symgd.descend(loss, **options)
    shown = table(show(run))
    same(shown, run)
    function = mp_function(loss, tuple(run.theta))
    for _, *theta, value, norm in shown[::7]:
        grad = [mp_slope(function, theta, unit) for unit in np.eye(len(theta))]
        if case == "box" and theta == [1.0]:  # held there: the gradient 2 points out of the box
            grad = [0.0]
        right = (float(function(*map(mpmath.mpf, theta))), math.hypot(*grad))
        assert (value, norm) == pytest.approx(right, rel=1e-12, abs=1e-13)


@pytest.mark.parametrize("rule", [e.name for e in symgd.CATALOGUE.values() if e.kind == "rule"])
def test_every_rule_of_the_catalogue_runs_on_the_page_as_in_python(show, rule):
    """Chosen on the page of another run, or where it is too long for the menu on its own."""
    lr = 0.3 if rule == "adadelta" else 0.01
    options = {"start": "x=-1.2,y=1.5", "lr": lr, "steps": 60}
    loss = "(x - 1)**2 + 2*(y + 0.5)**2 + x*y/2"
    offered = find_rule(rule).reported is None
    other = "momentum" if rule == "gd" else "gd"
    page = show(symgd.descend(loss, rule=other if offered else rule, **options))
    if offered:
        page.js(
            "{const pick = document.querySelector('select[aria-label=rule]');"
            f"pick.value = [...pick.options].find(o => o.text === '{rule}').value;"
            "pick.dispatchEvent(new Event('change'));}"
        )
    page.settle()
    same(table(page), symgd.descend(loss, rule=rule, **options))


def test_numbers_are_written_as_python_writes_them(show):
    run = symgd.descend("1e-9*x**2 + 1e22*y", start="1,1", lr=1e-3, steps=3)
    page = show(run)
    shown = page.js("document.getElementById('rows').innerText").splitlines()
    for line, row in zip(shown, history(run), strict=True):
        assert line.split("\t") == [str(int(row[0])), *map(repr, row[1:])]


@pytest.mark.parametrize("case", ["exercise", "slow", "diverging", "rosenbrock", "own"])
def test_verdict_is_pythons_word_for_word(show, case):
    loss, options = RUNS[case]
    run = symgd.descend(loss, **options)
    page = show(run)
    assert text(page, "verdict") == run.verdict.sentence
    assert page.js("document.getElementById('verdict').className") == run.verdict.kind


@pytest.mark.parametrize(
    ("loss", "start", "other"),
    [
        ("x^2 - y^2 + y^4/4", "x=1,y=0.5", {"y": 0}),  # comes to rest at a saddle
        ("x^2 - y^2 + y^4/4", "x=1,y=0.5", {"x": 0, "y": 0}),  # begins there
        ("(a - b)^2 - a*b - a - b + (a + b + 2)^4/99", 0.5, {"a": -1, "b": -1}),
        ("x^2*(x - 2)^2", 0.5, {"x": 1}),  # on a summit
        ("a^2 + 2*b^2 - c^2 + c^4", "a=1,b=1,c=0.1", {"c": 0}),
    ],
)
def test_verdict_after_a_move_names_a_saddle_as_python_does(show, loss, start, other):
    run = symgd.descend(loss, start=start, lr=0.1, steps=90)
    page = show(run)
    assert "downward" not in text(page, "verdict")
    for name, value in other.items():
        field(page, f"start {name}", value)
    there = symgd.descend(loss, start=run.start | other, lr=0.1, steps=90).verdict.sentence
    assert "the loss curves downward" in there
    assert text(page, "verdict").startswith(there.partition("; stable")[0])


def test_verdict_of_the_exercise_is_pythons_word_for_word(show):
    for lr in (0.2, 0.001, 10, 1):
        run = symgd.descend("theta**2", lr=lr)
        assert text(show(run), "verdict") == run.verdict.sentence


@pytest.mark.parametrize("lr", [0.3, 0.001, 0.995])
def test_verdict_after_a_move_is_of_the_error_as_pythons_is(show, lr):
    page = show(symgd.descend("theta**2", lr=0.2))
    field(page, "lr", lr)
    assert text(page, "verdict") == symgd.descend("theta**2", lr=lr).verdict.sentence


def test_verdict_after_a_move_claims_no_factor_without_a_minimum(show):
    page = show(symgd.descend("x^4", start=1, lr=0.1, steps=100))
    field(page, "start x", 0.5)
    assert text(page, "verdict").startswith("descending: the loss fell from 0.0625 to")


def test_run_that_leaves_the_domain_says_so(show):
    assert text(show(symgd.descend("log(x - 2)", start=3)), "verdict").startswith("not finite")


# Controls


def test_learning_rate_slider_moves_the_run_and_its_limit_is_marked(show):
    page = show(symgd.descend("theta**2", lr=0.2))
    assert text(page, "limit") == "stable below 1"
    x, y, w, h = middle(page, 'input[aria-label="lr, slider"]')
    mark = middle(page, "#limit")
    # the scale runs over log10(lr) from log10(0.2) - 3 to 1.5: 1 lies at this part of it
    place = x + w * (0 - (math.log10(0.2) - 3)) / (1.5 - (math.log10(0.2) - 3))
    assert min(abs(mark[0] - place), abs(mark[0] + mark[2] - place)) < 12
    page.drag((x + w * 0.65, y + h / 2), (x + w - 2, y + h / 2))
    lr = float(page.js("document.querySelector('input[aria-label=lr]').value"))
    assert lr > 20
    same(table(page), symgd.descend("theta**2", lr=lr))
    assert text(page, "verdict").startswith("diverging")
    assert "leaves the picture at step" in text(page, "word")


def test_typed_values_are_exact_and_nonsense_is_put_back(show):
    page = show(symgd.descend("theta**2", lr=0.2))
    field(page, "lr", "0.123456789012345")
    field(page, "start θ", "-0.7")
    field(page, "steps", "33")
    same(table(page), symgd.descend("theta**2", lr=0.123456789012345, start=-0.7, steps=33))
    for nonsense in ("abc", "-1", "1e999"):
        field(page, "lr", nonsense)
        value = page.js("document.querySelector('input[aria-label=lr]').value")
        assert float(value) == 0.123456789012345


def test_keys_typed_in_a_field_are_not_commands_of_the_page(show):
    """Minus zooms out, f fits, space plays - outside of fields."""
    page = show(symgd.descend("x**2 + 5*y**2", rule="momentum", lr=0.02, start="x=1,y=2"))
    spans = page.js("JSON.stringify(S.spans)")
    type_keys(page, "start x", "-1e-3")
    type_keys(page, "start y", "-2.5e+1")
    type_keys(page, "beta", "-1e-3")
    start, momentum = {"x": -1e-3, "y": -25.0}, {"rule": "momentum", "set": {"beta": -1e-3}}
    same(table(page), symgd.descend("x**2 + 5*y**2", lr=0.02, start=start, **momentum))
    type_keys(page, "lr", "-1e-3")  # not above 0: put back
    assert page.js("document.querySelector('input[aria-label=lr]').value") == "0.02"
    type_keys(page, "steps", " f3")  # not a number: put back
    assert page.js("document.querySelector('input[aria-label=steps]').value") == "20"
    assert page.js("JSON.stringify(S.spans)") == spans
    page.js("document.activeElement.blur()")
    page.key("-", 189, "-")
    assert page.js("JSON.stringify(S.spans)") != spans


@pytest.mark.parametrize("title", ["lr", "steps", "beta", "start x"])
def test_arrow_keys_move_a_slider_and_not_the_step(show, title):
    page = show(symgd.descend("x**2 + 5*y**2", rule="momentum", lr=0.02))
    page.key("Home", 36)
    slider = f"document.querySelector('input[aria-label=\"{title}, slider\"]')"
    typed = f"+document.querySelector('input[aria-label=\"{title}\"]').value"
    values = [page.js(typed)]
    page.js(f"{slider}.focus()")
    for key, code in [("ArrowRight", 39), ("ArrowUp", 38), ("ArrowLeft", 37), ("ArrowDown", 40)]:
        page.key(key, code)
        values.append(page.js(typed))
    first, second, third, fourth, fifth = values
    assert first < second < third > fourth > fifth
    shown = int(fifth) if title == "steps" else 0  # which shows the new end
    assert text(page, "here").startswith(f"step {shown}:")
    name, _, parameter = title.partition(" ")
    given = {"lr": 0.02, "rule": "momentum", "steps": 20, "set": {}, "start": {"x": 1, "y": 1}}
    if name == "beta":
        given["set"] = {"beta": fifth}
    elif name == "start":
        given["start"] = {"x": 1, "y": 1} | {parameter: fifth}
    else:
        given[name] = int(fifth) if name == "steps" else fifth
    same(table(page), symgd.descend("x**2 + 5*y**2", **given))


@pytest.mark.parametrize("loss", ["theta**2 + theta**4/9", ROSENBROCK])
def test_dragging_moves_the_start_and_everything_after_it(show, loss):
    run = symgd.descend(loss, lr=0.001)
    page = show(run)
    x, y, w, h = middle(page, "#map")
    page.drag((x + w * 0.8, y + h * 0.5), (x + w * 0.3, y + h * 0.4))
    rows = table(page)
    start = rows[0][1 : 1 + len(run.loss.params)]
    assert start != list(run.start.values())
    same(rows, symgd.descend(loss, lr=0.001, start=start))
    assert f"{start[0]!r}".rstrip("0").rstrip(".") in page.js(
        "[...document.querySelectorAll('input[aria-label^=start]')].map(e => e.value).join()"
    )


def test_hyperparameters_have_sliders(show):
    page = show(symgd.descend("x**2 + 5*y**2", rule="momentum", lr=0.02))
    field(page, "beta", "0.5")
    same(table(page), symgd.descend("x**2 + 5*y**2", rule="momentum", lr=0.02, set={"beta": 0.5}))
    x, y, w, h = middle(page, 'input[aria-label="beta, slider"]')
    page.drag((x + 10, y + h / 2), (x + w * 0.5, y + h / 2))
    beta = float(page.js("document.querySelector('input[aria-label=beta]').value"))
    assert 0.9 < beta < 1
    same(table(page), symgd.descend("x**2 + 5*y**2", rule="momentum", lr=0.02, set={"beta": beta}))


def test_keys_and_buttons_step_play_and_move(show):
    page = show(symgd.descend("theta**2", steps=20))
    assert text(page, "here").startswith("step 20:")
    page.key("ArrowLeft", 37)
    assert text(page, "here").startswith("step 19:")
    page.key("Home", 36)
    assert text(page, "here").startswith("step 0:")
    page.js("document.getElementById('next').click()")
    page.settle()
    assert text(page, "here").startswith("step 1: θ = 0.6, loss = 0.36")
    page.js("window.setInterval = (tick, pace) => {Object.assign(window, {tick, pace}); return 1}")
    page.js("window.clearInterval = (timer) => {if (timer === 1) tick = () => {}}")
    page.key(" ", 32, " ")
    page.js("for (let k = 0; k < 3; k++) tick()")
    page.key(" ", 32, " ")
    assert page.js("tick(), pace") == 200
    page.settle()
    assert text(page, "here").startswith("step 4:")
    page.js("document.getElementById('map').focus()")
    page.key("ArrowRight", 39, modifiers=8)  # with Shift
    start = table(page)[0][1]
    assert start > 1
    page.js("document.getElementById('reset').click()")
    page.settle()
    same(table(page), symgd.descend("theta**2", steps=20))


def test_permalink_brings_the_state_back(show):
    run = symgd.descend(ROSENBROCK, start="x=-1.2,y=1", lr=0.001, steps=40)
    page = show(run)
    field(page, "lr", "0.0017")
    field(page, "start x", "0.3")
    page.key("ArrowLeft", 37)
    link = page.js("document.getElementById('link').href")
    before, here = table(page), text(page, "here")
    page = show(run, "#" + link.partition("#")[2])
    assert table(page) == before
    assert text(page, "here") == here
    page.js("new Promise(r => setTimeout(r, 500))")
    assert page.js("location.hash") == "#" + link.partition("#")[2]


@pytest.mark.parametrize(
    "hash_",
    ["#lr=-1", "#lr=abc&steps=1e99", "#start=1", "#rule=__proto__", "#k=-5", "#set=1,2", "#%%%"],
)
def test_a_mangled_permalink_is_ignored(show, hash_):
    run = symgd.descend(ROSENBROCK, lr=0.001)
    same(table(show(run, hash_)), run)


def test_path_is_green_where_the_loss_fell_and_red_where_it_rose(show):
    count = """((r, g, b) => {const c = document.getElementById('map'), d = c.getContext('2d')
      .getImageData(0, 0, c.width, c.height).data; let n = 0;
      for (let k = 0; k < d.length; k += 4) n += d[k] === r && d[k+1] === g && d[k+2] === b;
      return n})"""
    green, red = f"{count}(0, 118, 79)", f"{count}(194, 47, 6)"
    page = show(symgd.descend("theta**2", lr=0.2))
    assert page.js(green) > 100
    assert page.js(red) == 0
    page = show(symgd.descend("theta**2", lr=1.1, steps=4))
    assert page.js(green) == 0
    assert page.js(red) > 100


def test_three_parameters_have_axes_to_choose(show):
    run = symgd.descend("a**2 + 2*b**2 + 3*c**2", start="a=1,b=2,c=-1", lr=0.1)
    page = show(run)
    before = page.picture()
    page.js(
        "{const pick = document.querySelector('select[aria-label=\"axis 2\"]'); pick.value = 2;"
        "pick.dispatchEvent(new Event('change'));}"
    )
    page.settle()
    assert page.picture() != before
    same(table(page), run)


# What JavaScript cannot do


@pytest.mark.parametrize("case", RUNS)
def test_pages_of_elementary_functions_are_live(case):
    loss, options = RUNS[case]
    assert not content_of(symgd.descend(loss, **options)).data["why"]


@pytest.mark.parametrize("loss", ["besselj(0, x) + x**2/50", "digamma(x)**2 + y**2"])
def test_page_without_a_javascript_form_shows_recorded_runs_and_says_so(show, loss):
    run = symgd.descend(loss, start=2, lr=0.2)
    page = show(run)
    assert "runs that Python made" in text(page, "why")
    same(table(page), run, 0)
    x, y, w, h = middle(page, 'input[aria-label="lr, slider"]')
    page.drag((x + w * 0.6, y + h / 2), (x + 1, y + h / 2))
    lr = float(page.js("document.querySelector('input[aria-label=lr]').value"))
    assert lr == pytest.approx(0.002)
    same(table(page), symgd.descend(loss, start=2, lr=lr), 0)


def test_gradient_functions_and_line_searches_are_recorded(show):
    for run in (
        symgd.descend_with(lambda x: 2 * x, [1.0, 2.0], lr=0.2, steps=9, value=lambda x: x @ x),
        symgd.descend(ROSENBROCK, lr="auto", steps=9),
        symgd.descend_with(lambda x: 2 * x, 1.0, lr=0.2, steps=9),
    ):
        page = show(run)
        assert "that Python made" in text(page, "why")
        shown = [row[:-2] for row in table(page)]
        assert shown == [row[:-2] for row in history(run)]


# Comparisons


def test_recorded_run_that_ends_at_once_shows_its_numbers(show):
    run = symgd.descend("exp(x)", start=1000, lr="auto")
    assert table(show(run)) == history(run) == [[0.0, 1000.0, math.inf, math.inf]]


@pytest.mark.parametrize("loss", ["exp(x)", "exp(x) + y", "exp(x) + y + z"])
def test_live_run_that_ends_at_once_says_so(show, loss):
    run = symgd.descend(loss, start=1000)
    shown = show(run)
    assert table(shown) == []
    assert text(shown, "verdict") == run.verdict.sentence


def choose(browser, title, label):
    browser.js(
        f"{{const pick = document.querySelector('select[aria-label=\"{title}\"]');"
        f"pick.value = [...pick.options].find(o => o.text === {json.dumps(label)}).value;"
        "pick.dispatchEvent(new Event('change'));}"
    )
    browser.settle()


@pytest.fixture
def show_all(browser, tmp_path):
    def opened(found):
        found.to_html(tmp_path / "compare.html")
        browser.open((tmp_path / "compare.html").as_uri())
        return browser

    yield opened
    assert browser.troubles() == []


def test_page_of_a_comparison_lets_one_choose_each_run(show_all):
    rules = ["gd", "momentum", "v = 0.8*v + g; theta = theta - lr*v"]
    found = symgd.compare("x**2 + 3*y**2", rule=rules, lr=[0.01, 0.3], start=["1", "x=2,y=-1"])
    page = show_all(found)
    options = page.js(
        "[...document.querySelector('select[aria-label=run]').options].map(o => o.text)"
    )
    assert len(options) == 12
    for label, run in list(zip(options, found.runs, strict=True))[::3]:
        choose(page, "run", label)
        same(table(page), run)


def test_page_of_a_comparison_of_recorded_runs(show_all):
    found = symgd.compare("besselj(0, x) + x**2/50", lr=[0.1, 1.0], start=["2", "3"])
    page = show_all(found)
    assert "runs that Python made" in text(page, "why")
    choose(page, "run", "lr 1, from 3")
    same(table(page), found.runs[3], 0)


def test_page_of_different_schedules_is_recorded(show_all):
    found = symgd.compare("x**2", lr=["0.1/t", "0.3/(1 + t)"])
    page = show_all(found)
    assert "different formulas" in text(page, "why")
    choose(page, "run", "lr 0.3/(1 + t)")
    same(table(page), found.runs[1], 0)


def test_page_of_a_map_is_that_of_its_best_run(show_all):
    found = symgd.compare("theta**2", lr="0.01..0.9:40")
    page = show_all(found)
    [one] = found.maps
    same(table(page), symgd.descend("theta**2", lr=one.rates[one.best]))


def test_page_of_too_many_runs_is_refused():
    with pytest.raises(ArgumentError, match="at most 30 runs"):
        symgd.compare("x**2", lr=[0.01 * k for k in range(1, 32)]).to_html()


# Contours


def strokes(page):
    """The pieces of contours that are drawn when the map is zoomed out, as a person does it."""
    return page.js(
        "new Promise(done => { const seen = [], pen = CanvasRenderingContext2D.prototype,"
        "{ lineTo, stroke } = pen; let count = 0;"
        "pen.lineTo = function (...p) { if (!this.canvas.isConnected) count++;"
        "return lineTo.apply(this, p); };"
        "pen.stroke = function () { if (count) seen.push(count); count = 0;"
        "return stroke.apply(this); };"
        "document.getElementById('out').click(); requestAnimationFrame(() => {"
        "Object.assign(pen, { lineTo, stroke }); done(seen); }); })"
    )


def test_contours_of_a_cheap_loss_of_two_parameters_are_drawn_finely(show):
    """A circle crosses as many cells as its bounding box has rows and columns, twice each."""
    drawn = strokes(show(symgd.descend("x^2 + y^2", start="x=1,y=1", lr=0.1)))
    assert len(drawn) == 11
    long = "+".join(f"sin({k}*x)" for k in range(1, 90))
    coarse = strokes(show(symgd.descend(f"x^2 + y^2 + 1e-9*({long})", start="x=1,y=1", lr=0.1)))
    assert len(coarse) == 11
    assert 1.4 < sum(drawn) / sum(coarse) < 1.75  # by hand: 88/56 = 66/42 = 1.57


# Safety


@pytest.mark.parametrize(
    "name",
    ["</script><script>alert(1)</script>", "<!--", "__proto__", "a'b\"c&d", "\u2028", "`${1}`"],
)
def test_names_of_python_callers_are_data(show, name):
    import sympy

    x, y = sympy.Symbol(name, real=True), sympy.Symbol("y", real=True)
    run = symgd.descend((x - 1) ** 2 + y**2, start=2.0)
    page = show(run)
    assert page.js("document.scripts.length") == 3  # data, what unpacks them, the program
    same(table(page), run)


def test_policy_allows_the_pages_own_script_and_nothing_else(show):
    page = show(symgd.descend())
    assert page.js(
        "(async () => { try { await fetch('https://example.org'); } catch { return 1 } })()"
    )
    page.js(
        "{const script = document.createElement('script'); script.text = 'var bad = 1';"
        "document.body.append(script);}"
    )
    assert page.js("typeof bad") == "undefined"
    complaints = page.troubles()
    assert len(complaints) >= 2
    assert all("Content Security Policy" in said or "Fetch API" in said for said in complaints)
    page.events.clear()


def test_page_without_javascript_shows_the_sketch_and_the_verdict():
    page = to_html(symgd.descend())
    [inside] = re.findall(r"<noscript>(.*?)</noscript>", page, re.DOTALL)
    [svg] = re.findall(r"<svg.*</svg>", inside, re.DOTALL)
    ElementTree.fromstring(svg)
    assert "style=" not in svg  # the policy forbids it
    assert html.escape("each step multiplies the error by 0.6") in inside


# Looks


@pytest.mark.parametrize("wide", [1200, 700, 380])
def test_nothing_is_wider_than_the_window(show, wide):
    page = show(symgd.descend(ROSENBROCK, lr=0.001), wide=wide)
    assert page.js("document.documentElement.scrollWidth") <= wide
    assert middle(page, "#map")[2] > 0.5 * min(wide, 600)


def test_dark_mode_and_print_change_the_colors(show, browser):
    page = show(symgd.descend())
    corner = (
        "[...document.getElementById('map').getContext('2d').getImageData(2, 2, 1, 1).data].join()"
    )
    assert page.js(corner) == "255,255,255,255"
    try:
        dark = {"name": "prefers-color-scheme", "value": "dark"}
        browser.call("Emulation.setEmulatedMedia", features=[dark])
        page.settle()
        assert page.js(corner) == "29,33,39,255"
        page.js("window.dispatchEvent(new Event('beforeprint'))")
        assert page.js(corner) == "255,255,255,255"  # paper is white
        page.js("window.dispatchEvent(new Event('afterprint'))")
        assert page.js(corner) == "29,33,39,255"
    finally:
        browser.call("Emulation.setEmulatedMedia", features=[])


@pytest.mark.parametrize(
    "loss",
    ["clip(log(x), 0.42, 3)", "clip(x, log(y), 3)", "clip(x, 1, log(y))", "max(x, log(y))"],
)
def test_slopes_of_selections_are_nan_in_the_page_where_they_are_in_python(browser, loss):
    """Loss and gradient at points where the logarithm has a value, and where it has none."""
    loss = symgd.Loss(loss)
    source = javascript.function(loss.program)
    for point in itertools.product([-1.0, 0.0, 2.0, 30.0], repeat=len(loss.params)):
        shown = browser.js(
            f"{{{javascript.library([source])}\n({source})({','.join(map(repr, point))})"
            ".map(String).join()}"
        )
        python = loss.internals.evaluate(*point)
        assert [math.isnan(float(v)) for v in shown.replace("Infinity", "inf").split(",")] == [
            math.isnan(v) for v in python
        ], point


# Without a browser


@pytest.mark.parametrize("start", [1.0, "x=-1.2,y=1"])
def test_page_of_two_parameters_is_small(start):
    page = to_html(symgd.descend(ROSENBROCK, start=start, lr=0.001, steps=500))
    assert len(page.encode()) <= 150_000


def test_equal_runs_give_equal_pages():
    assert to_html(symgd.descend()) == to_html(symgd.descend())


def test_html_option_writes_the_page(tmp_path):
    file = tmp_path / "run.html"
    outcome = Outcome("theta**2", "--html", str(file), "-q")
    assert (outcome.code, outcome.err) == (0, "")
    assert file.read_text(encoding="utf-8") == symgd.descend("theta**2").to_html()


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("run.pdf", "a page ends in .html or .htm"), ("none/run.html", "No such file or directory")],
)
def test_file_that_cannot_be_written_is_refused_before_the_run(name, sentence, tmp_path):
    outcome = Outcome("theta**", "--html", str(tmp_path / name))
    assert outcome.code == 2
    assert sentence in outcome.err
    with pytest.raises(ArgumentError):
        symgd.descend().to_html(tmp_path / name)


def test_program_without_a_javascript_form_is_refused():
    with pytest.raises(BackendError, match="besselj"):
        javascript.function(symgd.Loss("besselj(0, x)").program)


def test_library_holds_what_is_called_and_what_that_needs():
    source = javascript.library(["(a)=>[coth(a)]"])
    assert "function coth(" in source
    assert "function tanh(" in source
    assert "function erf(" not in source


def test_a_recorded_page_of_many_parameters_is_small():
    chain = "sum(10*(x[i+1] - x[i])^2 + (x[i] - sin(i))^2, i=1..n-1)"
    run = symgd.descend(chain, sizes={"n": 300}, start=0.0, lr=0.001, steps=300, advise=False)
    page = to_html(run)
    assert len(page.encode()) < 150_000
    [kept] = [one for one in content_of(run).data["runs"] if one["lr"] == run.lr]
    assert kept["rows"][-1][2] == run.value  # the run itself keeps its digits
