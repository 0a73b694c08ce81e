"""Every picture and page of runs without a finite point, or without a finite gradient."""

import math
import re
from xml.etree import ElementTree

import pytest

import symgd
from symgd.report.page import to_html
from symgd.report.page.page_data import content_of
from symgd.report.plot import overlay, plot
from tests.outcome import Outcome

#: loss, start, and what is not finite there: (loss, gradient) as the doubles are, by hand.
AT_ONCE = {
    "overflow": ("exp(x)", 1000.0, (math.inf, math.inf)),
    "overflow of a power": ("x**300", 1e154, (math.inf, math.inf)),
    "gradient alone": ("1e308*x**2", -1.0, (1e308, math.inf)),
    "loss alone": ("abs(x)**1.5", -1e308, (math.inf, 1.5e154)),
    "outside the domain": ("log(x)", -1.0, (math.nan, None)),
    "edge of the domain": ("sqrt(x)", 0.0, (0.0, math.inf)),
    "limit": ("x*log(x)", 0.0, (None, None)),
    "two parameters": ("exp(x) + y", 1000.0, (math.inf, math.inf)),
    "two, gradient alone": ("sqrt(x) + sqrt(y)", 0.0, (0.0, math.inf)),
    "three": ("exp(x) + y + z", 1000.0, (math.inf, math.inf)),
    "three at the edge": ("sqrt(x + y + z)", 0.0, (0.0, math.inf)),
    "far out": ("exp(x)", 1.5e308, (math.inf, math.inf)),
}
DRAWN = ["far out", "overflow", "gradient alone", "edge of the domain", "two parameters", "three"]


def run_of(case, lr=0.2):
    loss, start, _ = AT_ONCE[case]
    return symgd.descend(loss, start=start, lr=lr, steps=3)


def is_svg(text):
    return ElementTree.fromstring(text).tag.endswith("svg")


def sketch(page):
    return re.search("<svg.*</svg>", page, re.DOTALL).group()


@pytest.mark.parametrize("lr", [0.2, "auto"])
@pytest.mark.parametrize("case", AT_ONCE)
def test_page_sketch_and_report_of_a_run_that_ends_at_once(case, lr):
    result = run_of(case, lr)
    assert result.status.value == "nonfinite"
    assert result.steps == 0
    for value, expected in zip((result.value, result.grad_norm), AT_ONCE[case][2], strict=True):
        assert expected is None or value == expected or math.isnan(value) and math.isnan(expected)
    page = to_html(result)
    assert is_svg(sketch(page))
    assert is_svg(result._repr_svg_())
    assert result._repr_html_()
    assert result._repr_latex_()
    assert str(result)


@pytest.mark.parametrize("case", DRAWN)
def test_picture_of_a_run_that_ends_at_once(case, tmp_path):
    path = tmp_path / "run.svg"
    plot(run_of(case), path)
    assert is_svg(path.read_text("utf-8"))


def test_animation_of_a_run_that_ends_at_once(tmp_path):
    plot(run_of("overflow"), tmp_path / "run.gif")
    assert (tmp_path / "run.gif").read_bytes()[:3] == b"GIF"


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_gradient_function_that_is_not_finite_at_once(count, bad, tmp_path):
    result = symgd.descend_with(lambda theta: [bad] * len(theta), [1.0] * count, lr=0.1, steps=3)
    assert result.status.value == "nonfinite"
    assert is_svg(sketch(to_html(result)))
    plot(result, tmp_path / "run.svg")


def test_rows_of_a_recorded_page_tell_inf_from_nan():
    [run] = content_of(run_of("gradient alone", "auto")).data["runs"]
    assert run["rows"] == [[0, [-1.0], 1e308, "Infinity"]]


def test_run_without_a_loss_beside_one_that_diverges():
    near = symgd.descend_with(lambda theta: 2 * theta, 1.0, lr=0.1, steps=30)
    away = symgd.descend("theta**2", lr=10, steps=30)
    assert near.verdict.kind != "diverging"
    assert away.verdict.kind == "diverging"
    assert overlay([near, away], ["near", "away"]).axes


@pytest.mark.parametrize("arguments", [["exp(x)", "-s", "1000"], ["exp(x)+y", "-s", "1000"]])
def test_html_option_of_a_run_that_ends_at_once(arguments, tmp_path):
    page = tmp_path / "q.html"
    done = Outcome(*arguments, "-q", "--html", str(page))
    assert done.code == 0
    assert "</html>" in page.read_text("utf-8")
    assert "Traceback" not in done.err


def test_comparison_without_a_finite_run(tmp_path):
    found = symgd.compare("exp(x)", start=1000.0, lr=[0.1, 0.2], steps=3)
    assert found.to_html()
    found.plot(tmp_path / "runs.svg")


def test_map_without_a_finite_run(tmp_path):
    found = symgd.compare("exp(x)", start=1000.0, lr="1e-3..1:5", steps=3)
    assert found.to_html()
    found.plot(tmp_path / "map.svg")
