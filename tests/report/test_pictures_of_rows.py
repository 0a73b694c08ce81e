"""Losses over rows of data in explain, compare, pictures and pages; pictures of fits."""

import json
import math

import numpy as np
import pytest

import symgd
from symgd.backends.numpy_points import compile_points
from symgd.errors import ArgumentError, DescentError
from symgd.fits.student_t import two_sided_quantile
from symgd.report.page.page_data import content_of
from tests.cli.test_cli import Outcome
from tests.report.engine_in_node import program_in

GENERATOR = np.random.default_rng(3)
X = np.linspace(0.0, 4.0, 60)
DATA = {"x": X, "y": 2.5 * np.exp(-1.3 * X) + 0.5 + GENERATOR.normal(0, 0.05, 60)}
LINE = "mean((y - (a*x + b))**2)"
CURVE = "mean((y - a*exp(-b*x))**2)"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "d.csv"
    rows = [f"{x!r},{y!r}" for x, y in zip(X.tolist(), DATA["y"].tolist(), strict=True)]
    path.write_text("\n".join(["x,y", *rows]) + "\n")
    return str(path)


def line(axes, label):
    (found,) = [one for one in axes.get_lines() if one.get_label() == label]
    return found


# Values at many points


@pytest.mark.parametrize(
    ("formula", "value"),
    [
        (LINE, lambda a, b, x, y: np.mean((y - (a * x + b)) ** 2)),
        (CURVE, lambda a, b, x, y: np.mean((y - a * np.exp(-b * x)) ** 2)),
        ("log(sum(exp(a*x - b*y)))", lambda a, b, x, y: np.log(np.sum(np.exp(a * x - b * y)))),
        ("mean(x)*a**2 + 3*b", lambda a, b, x, y: np.mean(x) * a**2 + 3 * b),
    ],
)
@pytest.mark.parametrize("repeat", [1, 200])
def test_values_at_many_points_are_those_of_numpy(formula, value, repeat):
    data = {name: np.tile(v, repeat) for name, v in DATA.items()}
    loss = symgd.Loss(formula, data)
    points = np.random.default_rng(3).normal(0.5, 0.3, (7, 2))
    program = loss.internals.value_program
    found = compile_points(program, loss.internals.rows.more(program), loss.internals.rows.table)(
        points
    )
    right = [value(a, b, data["x"], data["y"]) for a, b in points]
    np.testing.assert_allclose(found, right, rtol=1e-12)
    np.testing.assert_allclose([loss.value(p) for p in points], right, rtol=1e-12)


# explain


def test_explain_proves_a_linear_regression_convex_and_finds_its_solution(file):
    outcome = Outcome("explain", LINE, "--data", file, "--format", "json")
    assert outcome.code == 0
    assert "parameters: a, b; columns: y, x; 60 rows" in outcome.err
    told = json.loads(outcome.out)
    slope, offset = np.polyfit(X, DATA["y"], 1)
    assert told["convex"] is True
    assert told["complete"] is True
    [point] = told["critical_points"]
    assert point["theta"] == pytest.approx({"a": slope, "b": offset}, rel=1e-8)
    # the Hessian of a mean of squares is 2 X'X/N: gradient descent is stable below 2/lambda_max
    design = np.column_stack([X, np.ones(60)])
    largest = np.linalg.eigvalsh(2 * design.T @ design / 60)[-1]
    assert point["lr_max"] == pytest.approx(2 / largest, rel=1e-9)


def test_formulas_for_people_hold_no_moments():
    many = {name: np.tile(v, 30) for name, v in DATA.items()}
    found = symgd.explain(LINE, data=many)
    assert found.loss.internals.reduced
    few = symgd.explain(LINE, data=DATA)
    assert found.gradient == few.gradient
    assert found.hessian == few.hessian
    assert found.critical.points[0].x == pytest.approx(few.critical.points[0].x, rel=1e-9)


def test_explain_of_many_rows_looks_near_the_start():
    many = {name: np.tile(v, 1000) for name, v in DATA.items()}
    critical = symgd.explain(CURVE, data=many).critical
    few = symgd.explain(CURVE, data=DATA).critical
    assert "60,000 rows" in critical.note
    assert not critical.complete
    assert critical.points[0].x == pytest.approx(few.points[0].x, rel=1e-6)


def test_explain_shows_two_points_where_a_loss_over_rows_is_not_convex():
    found = symgd.explain(CURVE, data=DATA).convexity
    assert found.convex is False
    loss = symgd.Loss(CURVE, DATA)
    a, b = ([float(v) for v in p] for p in found.points)
    middle = [(u + v) / 2 for u, v in zip(a, b, strict=True)]
    assert loss.value(middle) > (loss.value(a) + loss.value(b)) / 2


@pytest.mark.parametrize(
    ("formula", "convex"),
    [
        ("mean(abs(y - a*x))", True),
        ("sum(log(1 + exp(-y*(a*x + b))))", True),
        ("mean(x**2*a**2)", True),
        ("sum(x*a**2)", True),  # every x is 0 or above
        ("mean((y - 9)*a**2)", False),  # every y is below 9
        ("mean(huber(y - a*x, 1)) + 0.1*a**2", True),
    ],
)
def test_convexity_over_rows(formula, convex):
    assert symgd.explain(formula, data=DATA).convexity.convex is convex


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["explain", LINE], "goes over the rows of a data file"),
        (["explain", LINE, "--data", "none.csv"], "no such file"),
        (["compare", LINE], "goes over the rows of a data file"),
        (["explain", "x**2", "--data", "FILE"], "'x' is a column of the data"),
        (["compare", "mean(y*a)", "--data", "FILE", "--start", "y=1"], "column of the data"),
    ],
)
def test_mistakes_with_rows_end_in_one_message(arguments, sentence, file):
    outcome = Outcome(*[file if a == "FILE" else a for a in arguments])
    assert (outcome.code, outcome.out) == (2, "")
    assert sentence in outcome.err
    assert "Traceback" not in outcome.err


def test_a_loss_with_data_takes_no_more_data():
    for function in (symgd.explain, symgd.compare):
        with pytest.raises(ArgumentError, match="has its data already"):
            function(symgd.Loss(LINE, DATA), data=DATA)


# compare


def test_compare_over_rows_runs_as_descend_does(file, tmp_path):
    picture, page = str(tmp_path / "c.svg"), str(tmp_path / "c.html")
    more = ["--plot", picture, "--html", page, "--format", "json"]
    outcome = Outcome("compare", LINE, "--data", file, "--lr", "0.01,0.1", *more)
    assert outcome.code == 0
    for told, lr in zip(json.loads(outcome.out)["runs"], (0.01, 0.1), strict=True):
        run = symgd.descend(LINE, data=DATA, lr=lr)
        assert told["theta"] == pytest.approx(run.theta, rel=1e-12)
    assert (tmp_path / "c.svg").read_bytes().startswith(b"<?xml")
    assert '"whole":true' in program_in((tmp_path / "c.html").read_text())  # it runs over the rows


def test_map_over_rows_is_that_of_the_runs():
    found = symgd.compare(LINE, data=DATA, lr="1e-3..0.3:9", steps=30)
    [one] = found.maps
    assert list(one.losses) == [run.value for run in found.runs]


# Pictures and pages


def test_map_of_a_loss_over_rows_shows_path_and_minimum():
    pytest.importorskip("matplotlib")
    run = symgd.descend(LINE, data=DATA, lr=0.05, steps=40)
    axes = run.plot().axes[0]
    np.testing.assert_array_equal(line(axes, "path").get_xydata(), run.history.theta)
    solution = np.polyfit(X, DATA["y"], 1)
    np.testing.assert_allclose(line(axes, "minimum").get_xydata()[0], solution, rtol=1e-7)
    assert len(axes.collections) >= 2  # the contours


def test_curve_of_one_parameter_over_rows_is_the_loss():
    pytest.importorskip("matplotlib")
    run = symgd.descend("mean((y - a)**2)", data=DATA, steps=5)
    x, y = line(run.plot().axes[0], "loss").get_data()
    expected = np.mean((DATA["y"][:, None] - x) ** 2, axis=0)
    np.testing.assert_allclose(y, expected, rtol=1e-12)


def test_page_over_many_rows_holds_recorded_runs_and_a_sample():
    many = {name: np.tile(v, 400) for name, v in DATA.items()}
    content = content_of(symgd.descend(CURVE, data=many, lr=0.1, steps=5)).data
    assert "shows runs that Python made" in content["why"]
    assert len(content["table"]["x"]) <= 300
    assert not content_of(symgd.descend(CURVE, data=DATA, lr=0.1, steps=5)).data["why"]


def test_page_of_a_batched_run_holds_that_run_only():
    run = symgd.descend(LINE, data=DATA, lr=0.01, steps=5, batch=10)
    assert "Each step saw some rows" in content_of(run).data["why"]


def test_page_of_sums_that_python_has_done_is_live(browser, tmp_path):
    many = {name: np.tile(v, 30) for name, v in DATA.items()}
    run = symgd.descend(LINE, data=many, lr=0.05, steps=25)
    assert run.loss.internals.reduced
    path = tmp_path / "live.html"
    run.to_html(path)
    browser.open(path.as_uri())
    browser.js("document.getElementById('more').click()")
    rows = browser.js("document.getElementById('rows').innerText").splitlines()
    assert browser.troubles() == []
    assert browser.js("document.getElementById('why').hidden")
    shown = [[float(cell) for cell in row.split("\t")][1:3] for row in rows]
    np.testing.assert_allclose(shown, run.history.theta, rtol=1e-15)


# Fits


def test_student_quantiles_are_the_published_ones():
    # D. B. Owen, 1962, Handbook of Statistical Tables; the last is the normal distribution's
    published = {(0.95, 1): 12.7062, (0.95, 4): 2.7764, (0.99, 10): 3.1693, (0.95, 120): 1.9799}
    for (level, dof), value in published.items():
        assert two_sided_quantile(level, dof) == pytest.approx(value, abs=5e-5)
    assert two_sided_quantile(0.95, math.inf) == pytest.approx(1.959963984540054, rel=1e-9)


def test_band_of_a_straight_line_is_the_textbooks():
    found = symgd.fit("y = a*x + b", DATA)
    low, high = found.band({"x": [0.5, 3.0]})
    slope, offset = np.polyfit(X, DATA["y"], 1)
    residual = DATA["y"] - slope * X - offset
    s = math.sqrt(residual @ residual / 58)
    at = np.array([0.5, 3.0])
    # N. Draper, H. Smith, 1998, Applied Regression Analysis, eq. 1.4.11
    error = s * np.sqrt(1 / 60 + (at - X.mean()) ** 2 / ((X - X.mean()) ** 2).sum())
    np.testing.assert_allclose((low + high) / 2, slope * at + offset, rtol=1e-9)
    np.testing.assert_allclose((high - low) / 2, 2.001717484 * error, rtol=1e-7)  # t(58)


def test_band_follows_tied_and_fixed_parameters():
    free = symgd.fit("y = a*x + b", DATA, fixed={"b": 1.0})
    tied = symgd.fit("y = a*x + c*x + 1", DATA, tied={"c": "2*a"})
    for one, other in zip(free.band({"x": [2.0]}), tied.band({"x": [2.0]}), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9)


def test_picture_of_a_fit_shows_data_model_band_and_residuals():
    pytest.importorskip("matplotlib")
    found = symgd.fit("y = a*exp(-b*x) + c", DATA)
    above, below = found.plot().axes
    np.testing.assert_array_equal(line(above, "data").get_xydata(), np.column_stack([X, DATA["y"]]))
    x, y = line(above, "model").get_data()
    a, b, c = (found.theta[n] for n in "abc")
    np.testing.assert_allclose(y, a * np.exp(-b * x) + c, rtol=1e-12)
    residual = DATA["y"] - (a * np.exp(-b * X) + c)
    np.testing.assert_allclose(line(below, "_residuals").get_ydata(), residual, atol=1e-12)
    [band] = [one for one in above.collections if "band" in str(one.get_label())]
    low, high = found.band({"x": x})
    drawn = band.get_paths()[0].vertices[:, 1]
    assert drawn.min() == pytest.approx(low.min())
    assert drawn.max() == pytest.approx(high.max())
    assert (above.get_ylabel(), below.get_xlabel()) == ("y", "x")


@pytest.mark.parametrize(
    ("model", "label"), [("y = a*x + b*z", "predicted"), ("y = a", "row"), ("log(y) = a*x", "x")]
)
def test_other_models_are_drawn_too(model, label, tmp_path):
    pytest.importorskip("matplotlib")
    data = DATA | {"y": np.abs(DATA["y"]) + 0.1, "z": X**2}
    figure = symgd.fit(model, data).plot(tmp_path / "fit.png")
    assert figure.axes[1].get_xlabel() == label
    assert (tmp_path / "fit.png").stat().st_size > 5000


def test_fit_that_the_data_do_not_determine_is_drawn_without_a_band():
    pytest.importorskip("matplotlib")
    figure = symgd.fit("y = (a + b)*x", DATA).plot()
    assert not figure.axes[0].collections


def test_a_loss_has_no_curve():
    found = symgd.fit("sum(exp(a + b*x) - y*(a + b*x))", DATA)
    with pytest.raises(ArgumentError, match="no model to draw"):
        found.plot()
    with pytest.raises(DescentError, match="no model to predict"):
        found.band(DATA)


def test_fit_plot_option(file, tmp_path):
    pytest.importorskip("matplotlib")
    picture = tmp_path / "fit.png"
    outcome = Outcome("fit", "y = a*x + b", file, "--plot", str(picture), "-q")
    assert (outcome.code, outcome.err) == (0, "")
    assert picture.read_bytes()[:4] == b"\x89PNG"
    for bad, sentence in (("fit.gif", "does not move"), ("fit.bmp", "a picture ends in")):
        outcome = Outcome("fit", "y = a*x + b", "none.csv", "--plot", str(tmp_path / bad))
        assert outcome.code == 2
        assert sentence in outcome.err
