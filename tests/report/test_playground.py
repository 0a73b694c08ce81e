"""The live page as a playground, in a real Chromium with real key events and fingers."""

import json
import math

import pytest

import symgd
from tests.cli.test_cli import Outcome
from tests.report.test_page import field, middle, show, table, text, type_keys  # noqa: F401

#: the codes of the keys that are no letters and no digits
KEYS = dict(zip("-.+^*()/ =", (189, 190, 187, 54, 56, 57, 48, 191, 32, 187), strict=True))
VALLEY = "(1-x)**2 + 100*(y-x**2)**2"


@pytest.fixture
def page(show):  # noqa: F811
    return show(symgd.descend("theta**2", lr=0.2))


def type_into(page, selector, characters):
    """Replace the text of a field by key events, one for each character."""
    page.js(f"document.querySelector('{selector}').focus()")
    page.js("document.activeElement.select()")
    for character in characters:
        page.key(character, KEYS.get(character, ord(character.upper())), character)


def preset(page, name):
    page.js(
        "{const pick = document.getElementById('presets');"
        f"pick.value = [...pick.options].find(o => o.text.startsWith({json.dumps(name)})).value;"
        "pick.dispatchEvent(new Event('change'));}"
    )
    page.settle()


def drawn_words(page, act="S.stale = true; render()"):
    """Every word that is written on a canvas when the page draws."""
    return page.js(
        "(() => { const words = [], { fillText } = CanvasRenderingContext2D.prototype;"
        "CanvasRenderingContext2D.prototype.fillText = function (w, ...rest) { words.push(w);"
        f"return fillText.call(this, w, ...rest); }}; {act};"
        "CanvasRenderingContext2D.prototype.fillText = fillText; return words; })()"
    )


# Typing


def test_a_typed_loss_runs_as_in_python(page):
    type_into(page, "[data-formula]", "(x-1)^2 + 2*y^2")
    assert text(page, "mistake") == ""
    assert text(page, "formula") == "L(x, y) = (x-1)² + 2·y²"
    run = symgd.descend("(x-1)^2 + 2*y^2", lr=0.2)
    assert text(page, "gradient").splitlines() == ["dL/dx = 2*(x - 1)", "dL/dy = 4*y"]
    shown = [row[:3] for row in table(page)]
    expected = [[float(t), *theta] for t, theta, _, _ in run.history.rows()]
    assert shown == [pytest.approx(row, rel=1e-12) for row in expected]
    assert text(page, "verdict") == run.verdict.sentence


def test_a_mistake_is_shown_with_a_caret_and_the_picture_stays(page):
    before = table(page)
    type_into(page, "[data-formula]", "theta**2 + sin x")
    assert text(page, "mistake").splitlines() == [
        "'sin' is a function and needs its argument",
        "  theta**2 + sin x",
        "             ^",
        "write sin(x)",
    ]
    assert page.js("document.getElementById('loss').getAttribute('aria-invalid')") == "true"
    assert page.js("document.getElementById('loss').value") == "theta**2 + sin x"
    assert len(table(page)) == len(before)


def test_the_loss_of_python_comes_back_with_pythons_own_numbers(page):
    before, verdict = table(page), text(page, "verdict")
    type_into(page, "[data-formula]", "theta**4")
    assert table(page) != before
    type_into(page, "[data-formula]", "theta**2")
    assert table(page) == before
    assert text(page, "verdict") == verdict


def test_a_rule_of_ones_own_runs_as_in_python(page):
    rule = "v = 0.8*v + g; theta = theta - lr*v"
    type_into(page, "[data-rule]", rule)
    assert text(page, "rule-mistake") == ""
    run = symgd.descend("theta**2", lr=0.2, rule=rule)
    assert [row[1] for row in table(page)] == pytest.approx(run.history.theta[:, 0], rel=1e-12)
    assert text(page, "verdict") == run.verdict.sentence
    assert "own rule" in page.js("document.querySelector('select[aria-label=rule]').innerText")
    type_into(page, "[data-rule]", "theta = theta - lr*h(g)")
    assert "'h' is not a function" in text(page, "rule-mistake")


def test_a_name_of_a_rule_becomes_a_slider(page):
    type_into(page, "[data-rule]", "v = beta*v + g; theta = theta - lr*v")
    field(page, "beta", "0.5")
    run = symgd.descend(
        "theta**2", lr=0.2, rule="v = beta*v + g; theta = theta - lr*v", set={"beta": 0.5}
    )
    assert [row[1] for row in table(page)] == pytest.approx(run.history.theta[:, 0], rel=1e-12)


@pytest.mark.parametrize("lr", ["0.3/(1 + t/4)", "cosine(0.3)", "0.2*(1 - t/n)", "1/8"])
def test_a_schedule_runs_as_in_python(page, lr):
    type_into(page, 'input[aria-label="lr"]', lr)
    page.key("Tab", 9)
    run = symgd.descend("theta**2", lr=lr)
    assert [row[1] for row in table(page)] == pytest.approx(run.history.theta[:, 0], rel=1e-12)
    assert text(page, "rate-mistake") == ""


def test_a_wrong_rate_is_said_and_put_back(page):
    type_into(page, 'input[aria-label="lr"]', "0.1*s")
    page.key("Tab", 9)
    assert "unknown name 's' in the learning rate" in text(page, "rate-mistake")
    assert page.js("document.querySelector('input[aria-label=lr]').value") == "0.2"


def test_texts_never_become_elements(page):
    evil = "<img src=x onerror=alert(1)>"
    type_into(page, "[data-formula]", evil)
    type_into(page, "[data-rule]", f"theta = theta - {evil}")
    assert evil in text(page, "mistake")
    assert evil in text(page, "rule-mistake")
    assert page.js("document.querySelectorAll('img, iframe, object').length") == 0


# Every field and slider


def test_a_negative_number_typed_in_every_field(page):
    """By real keys; a minus neither zooms nor steps, and what cannot be is put back."""
    preset(page, "double well")
    spans = page.js("JSON.stringify(S.spans)")
    labels = page.js(
        "[...document.querySelectorAll('#controls input[type=text]')].map(e => e.ariaLabel)"
    )
    assert labels == ["lr", "steps", "beta", "start x"]
    for label in labels:
        type_keys(page, label, "-1e-3")
    values = {
        label: page.js(f"document.querySelector('input[aria-label=\"{label}\"]').value")
        for label in labels
    }
    assert values == {"lr": "0.02", "steps": "60", "beta": "-0.001", "start x": "-0.001"}
    assert page.js("JSON.stringify(S.spans)") == spans
    type_into(page, "[data-formula]", "-1e-3*x + x^2")
    assert text(page, "mistake") == ""
    type_into(page, "[data-rule]", "theta = theta - lr*g - f*-1e-3")
    assert text(page, "rule-mistake") == ""
    assert page.js("JSON.stringify(S.axes)") == "[0]"


def test_arrows_move_every_slider_and_each_says_its_value(page):
    preset(page, "double well")
    count = page.js("document.querySelectorAll('input[type=range]').length")
    assert count == 5  # the step, lr, steps, beta, start x
    for k in range(count):
        one = f"document.querySelectorAll('input[type=range]')[{k}]"
        page.js(f"{one}.focus()")
        before = page.js(f"[+{one}.value, {one}.getAttribute('aria-valuetext')]")
        page.key("ArrowLeft", 37)
        after = page.js(f"[+{one}.value, {one}.getAttribute('aria-valuetext')]")
        assert after[0] < before[0]
        assert after[1] != before[1]
        assert page.js(f"document.activeElement === {one}")


def test_tab_goes_through_the_page_in_its_order(page):
    page.js("document.activeElement.blur(); document.getElementById('loss').focus()")
    seen = []
    for _ in range(40):
        seen.append(
            page.js(
                "(e => e.id || e.getAttribute('aria-label') || e.tagName)(document.activeElement)"
            )
        )
        page.key("Tab", 9)
        if seen[-1] == "source":
            break
    order = ["loss", "presets", "map", "first", "play", "scrub", "in", "rule", "lr", "lr, slider",
             "steps", "start θ", "rule-text", "pin", "reset", "link", "source"]  # fmt: skip
    assert [name for name in seen if name in order] == order
    assert len(set(seen)) == len(seen)


# Runs side by side, presets, permalinks


def test_two_runs_stand_side_by_side_with_their_names(page):
    page.js("document.getElementById('pin').click()")
    type_into(page, 'input[aria-label="lr"]', "0.9")
    page.key("Tab", 9)
    assert text(page, "pinned") == f"B (gd, lr 0.2): {symgd.descend('theta**2').verdict.sentence}"
    assert text(page, "verdict") == "A: " + symgd.descend("theta**2", lr=0.9).verdict.sentence
    assert page.js("[...document.querySelectorAll('#legend li')].map(e => e.textContent)") == [
        "A: gd, lr 0.9", "B: gd, lr 0.2"]  # fmt: skip
    assert {"A", "B", "start", "minimum"} <= set(drawn_words(page))
    page.js("document.getElementById('swap').click()")
    page.settle()
    assert text(page, "pinned").startswith("B (gd, lr 0.9)")
    assert page.js("document.querySelector('input[aria-label=lr]').value") == "0.2"


def test_every_preset_shows_what_it_is_for(page):
    kinds = {}
    for name in ("the exercise", "valley", "saddle", "double well", "many minima", "a noisy fit"):
        preset(page, name)
        assert text(page, "mistake") == ""
        kinds[name] = page.js("document.getElementById('verdict').className")
        assert page.js("R.rows.every(r => Number.isFinite(r.loss))")
    assert "diverging" not in kinds.values()
    assert page.js("document.getElementById('data').hidden") is False
    preset(page, "saddle")
    assert page.js("document.getElementById('data').hidden")


@pytest.mark.parametrize("name", ["a noisy fit", "many minima"])
def test_a_permalink_brings_everything_back(show, name):  # noqa: F811
    run = symgd.descend("theta**2")
    page = show(run)
    preset(page, name)
    page.js("document.getElementById('pin').click()")
    type_into(page, "[data-rule]", "v = 0.7*v + g; theta = theta - lr*v")
    type_into(page, 'input[aria-label="lr"]', "0.05/(1 + t/9)")
    page.key("Tab", 9)
    page.js("zoom(0.7)")
    field(page, "steps", 40)
    page.js("goTo(7)")
    page.settle()

    def state():
        return [text(page, w) for w in ("formula", "verdict", "pinned", "here", "legend")] + [
            table(page), page.js("document.querySelector('[data-rule]').value"),
            page.js("S.spans.map(ends => ends.map(v => v.toPrecision(4))).join()")]  # fmt: skip

    link, before = page.js("document.getElementById('link').href"), state()
    page = show(run, "#" + link.partition("#")[2])
    assert state() == before


def test_the_limit_of_the_typed_loss_is_marked_and_the_sharpness_drawn(page):
    type_into(page, "[data-formula]", "4*x^2")
    assert text(page, "limit") == "stable below 0.25"
    assert page.js("document.getElementById('sharp').hidden") is False
    assert "not stable above 10" in drawn_words(page)  # 2/0.2
    assert "not stable above 10" in page.js("document.getElementById('sharp').ariaLabel")


def test_the_step_is_scrubbed(page):
    page.js("{const s = document.getElementById('scrub'); s.value = 3;"
            "s.dispatchEvent(new Event('input'));}")  # fmt: skip
    page.settle()
    assert text(page, "here").startswith("step 3: θ = 0.216")


# Rows, comparisons


def test_a_loss_over_rows_is_live_and_shows_data_and_curve(show):  # noqa: F811
    data = {"t": [0.0, 0.5, 1.0, 2.0, 3.0], "y": [3.1, 2.2, 1.6, 0.9, 0.6]}
    loss = "mean((y - (a*exp(-b*t) + c))^2)"
    run = symgd.descend(loss, data=data, lr=0.2, steps=40)
    page = show(run)
    assert page.js("document.getElementById('why').hidden")
    shown = [row[1:4] for row in table(page)]
    assert shown == [pytest.approx(list(row), rel=1e-12) for row in run.history.theta]
    words = drawn_words(page)
    assert {"data", "model at step 40", "t", "y"} <= set(words)
    model = page.js("D.model.at(R.rows.at(-1).x, [1.5])[0]")
    a, b, c = run.theta.values()
    assert model == pytest.approx(a * math.exp(-1.5 * b) + c, rel=1e-12)
    type_into(page, "[data-formula]", "mean((y - (a*t + b))^2)")
    assert text(page, "mistake") == ""
    line = symgd.descend("mean((y - (a*t + b))^2)", data=data, lr=0.2, steps=40)
    assert text(page, "verdict") == line.verdict.sentence


def test_a_comparison_labels_each_run(show):  # noqa: F811
    found = symgd.compare("x**2 + 3*y**2", rule=["gd", "momentum"], lr=[0.01, 0.3])
    page = show(found)
    names = ["gd, lr 0.01", "gd, lr 0.3", "momentum, lr 0.01", "momentum, lr 0.3"]
    assert page.js("[...document.querySelectorAll('#legend li')].map(e => e.textContent)") == names
    assert set(names) <= set(drawn_words(page))


# A phone, the dark, colors


def finger(page, points):
    """A finger that goes down at the first point, over the others, and up."""
    moves = [("touchMove", [point]) for point in points[1:]]
    for kind, places in [("touchStart", points[:1]), *moves, ("touchEnd", [])]:
        touches = [{"x": x, "y": y} for x, y in places]
        page.call("Input.dispatchTouchEvent", type=kind, touchPoints=touches)
    page.settle()


# where the page is when a swipe has run out
_AT_REST = """new Promise(done => { let last = -1, same = 0; const look = () => {
  same = scrollY === last ? same + 1 : 0; last = scrollY;
  if (same > 20) done(last); else requestAnimationFrame(look); }; look(); })"""


def test_on_a_phone_the_map_lets_the_page_scroll_and_the_square_is_dragged(show, browser):  # noqa: F811
    browser.call("Emulation.setTouchEmulationEnabled", enabled=True)
    try:
        page = show(symgd.descend(VALLEY, start="x=-1.2,y=1", lr=0.001), wide=390, high=700)
        assert page.js("document.documentElement.scrollWidth") <= 390
        x, y, w, h = middle(page, "#map")
        start = page.js("S.start.join()")
        finger(page, [(x + w * 0.8, y + h * 0.8 - 20 * k) for k in range(10)])
        assert page.js(_AT_REST) > 50
        assert page.js("S.start.join()") == start
        page.js("window.scrollTo(0, 0)")
        assert page.js(_AT_REST) == 0
        x, y, w, h = middle(page, "#handle")
        assert min(w, h) >= 44
        begin = (x + w / 2, y + h / 2)
        finger(page, [begin, (begin[0] + 20, begin[1] + 20), (begin[0] + 40, begin[1] + 30)])
        assert page.js("S.start.join()") != start
        assert page.js("window.scrollY") == 0
    finally:
        browser.call("Emulation.setTouchEmulationEnabled", enabled=False)


_CONTRAST = """(() => {
  const parse = (c) => c.match(/[\\d.]+/g).map(Number);
  const light = (c) => { const [r, g, b] = parse(c).map((v) => v / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const ground = (e) => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor, p = parse(c); if (p.length < 4 || p[3] > 0) return c; } return "rgb(255,255,255)"; };
  const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
  const low = [];
  for (const e of document.querySelectorAll("body *")) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim()) || (/^(INPUT|TEXTAREA)$/.test(e.tagName) && e.type !== "range");
    if (!own || !e.offsetWidth || e.tagName === "SCRIPT") continue;
    const found = ratio(getComputedStyle(e).color, ground(e));
    if (found < 4.5) low.push([e.id || e.className || e.tagName, found]);
  }
  const hex = (c) => `rgb(${rgb(c).join()})`;
  for (const name of ["ink", "soft", "fall", "rise", "start", "curve", ...Array.from({ length: HUES }, (_, k) => `hue${k}`)]) {
    const found = ratio(hex(paint[name]), hex(paint.paper));
    if (found < 4.5) low.push([name, found]);
  }
  return low;
})()"""  # noqa: E501


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_contrast_of_every_text_is_four_and_a_half_at_least(show, browser, mode):  # noqa: F811
    found = symgd.compare("x**2 + 3*y**2", rule=["gd", "momentum", "adam"], lr=[0.01, 0.3])
    dark = {"name": "prefers-color-scheme", "value": mode}
    try:
        page = show(found)
        browser.call("Emulation.setEmulatedMedia", features=[dark])
        type_into(page, "[data-rule]", "theta = h(g)")
        type_into(page, "[data-formula]", "x +")
        assert text(page, "mistake")
        assert page.js(_CONTRAST) == []
    finally:
        browser.call("Emulation.setEmulatedMedia", features=[])


def test_everything_that_is_operated_has_a_name(page):
    preset(page, "a noisy fit")
    nameless = page.js(
        "[...document.querySelectorAll('input, select, textarea, button, a, canvas')].filter(e =>"
        "e.offsetWidth && !(e.ariaLabel || e.textContent.trim() || (e.labels && e.labels.length)))"
        ".map(e => e.outerHTML)"
    )
    assert nameless == []


@pytest.mark.parametrize(
    ("lr", "color"), [(0.2, "--fall"), (0.001, "--warn"), (1, "--warn"), (10, "--rise")]
)
def test_only_a_good_verdict_is_green(show, lr, color):  # noqa: F811
    page = show(symgd.descend("theta**2", lr=lr))
    border, wanted = page.js(
        "(s => [getComputedStyle(document.getElementById('verdict')).borderLeftColor,"
        f"`rgb(${{rgb(s.getPropertyValue('{color}').trim()).join(', ')}})`])"
        "(getComputedStyle(document.body))"
    )
    assert border == wanted


def test_the_source_of_the_page_can_be_read(page):
    page.js("document.getElementById('source').click()")
    assert "// Tokens" in text(page, "program") or "// Text -> tokens" in text(page, "program")
    assert "function descend(s) {\n  const rows" in text(page, "program")


# The command


def test_play_writes_the_page_and_says_where(tmp_path):
    path = tmp_path / "mine.html"
    outcome = Outcome("play", "x^2 + y^2", "-l", "0.1", "-o", str(path), "--no-open")
    assert outcome.code == 0
    assert outcome.out == ""
    assert path.resolve().as_uri() in outcome.err
    assert path.read_text("utf-8") == symgd.descend("x^2 + y^2", lr=0.1).to_html()
    assert path.stat().st_size <= 150_000


def test_play_opens_the_page_in_a_browser(tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", lambda address: opened.append(address) or True)
    path = tmp_path / "mine.html"
    assert Outcome("play", "-o", str(path)).code == 0
    assert opened == [path.resolve().as_uri()]


def test_play_refuses_a_mistake_with_a_caret(tmp_path):
    outcome = Outcome("play", "x^2 +", "-o", str(tmp_path / "mine.html"), "--no-open")
    assert outcome.code == 2
    assert "the formula ends too early" in outcome.err
    assert not (tmp_path / "mine.html").exists()
