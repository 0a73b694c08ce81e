"""Pictures: what is drawn is what was run, files are the same every time, mistakes come early."""

import math
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

import symgd
from symgd.errors import ArgumentError, BackendError
from symgd.report.plot import overlay
from symgd.report.static_svg import descent_svg
from symgd.report.viewport import bounding_spans, is_inside, value_range, viewport_of
from tests.cli.test_cli import Outcome

pytest.importorskip("matplotlib", reason="pictures need the extra 'plot'")

ROSENBROCK = "(1-x)**2 + 100*(y-x**2)**2"


def valley(**more):
    return symgd.descend(ROSENBROCK, start="x=-1.2,y=1", lr=0.001, steps=30, **more)


def line(axes, label):
    (found,) = [candidate for candidate in axes.get_lines() if candidate.get_label() == label]
    return found


def texts(figure):
    from matplotlib.text import Text

    return [text.get_text() for text in figure.findobj(Text)]


# What is drawn


def test_curve_is_the_loss_and_the_path_is_the_history():
    result = symgd.descend("exp(x) - x", start=2, lr=0.1, steps=15)
    above, below = result.plot().axes
    x, y = line(above, "loss").get_data()
    np.testing.assert_allclose(y, np.exp(x) - x, rtol=1e-14)
    np.testing.assert_array_equal(line(above, "path").get_xdata(), result.history.theta[:, 0])
    np.testing.assert_array_equal(line(above, "path").get_ydata(), result.history.loss)
    np.testing.assert_array_equal(line(below, "_run").get_ydata(), result.history.loss)


def test_tangents_touch_the_curve_with_the_derivative():
    result = symgd.descend("x**3", start=2, lr=0.01, steps=3)
    drawn = line(result.plot().axes[0], "tangents")  # the first, at x = 2: y = 8 + 12(x - 2)
    x, y = drawn.get_data()
    np.testing.assert_allclose(y, 8 + 12 * (x - 2), rtol=1e-14)


def test_map_shows_the_path_the_start_the_end_and_the_minimum():
    result = valley()
    axes = result.plot().axes[0]
    np.testing.assert_array_equal(line(axes, "path").get_xydata(), result.history.theta)
    np.testing.assert_array_equal(line(axes, "_start").get_xydata(), [[-1.2, 1.0]])
    np.testing.assert_array_equal(line(axes, "_end").get_xydata(), [result.x])
    np.testing.assert_allclose(line(axes, "minimum").get_xydata(), [[1.0, 1.0]], rtol=1e-9)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("x", "y")


def test_many_parameters_show_loss_slice_parameters_and_gradient():
    result = symgd.descend("a**2 + 2*b**2 + 3*c**2", start="a=1,b=2,c=-1", lr=0.1, steps=12)
    loss, cut, params, grad = result.plot().axes
    np.testing.assert_array_equal(line(loss, "_run").get_ydata(), result.history.loss)
    np.testing.assert_array_equal(line(grad, "_run").get_ydata(), result.history.grad_norm)
    np.testing.assert_array_equal(line(params, "c").get_ydata(), result.history.theta[:, 2])
    # the plane holds the end at its origin and keeps the lengths of a path that lies in it
    projected = line(cut, "path").get_xydata()
    np.testing.assert_allclose(projected[-1], 0, atol=1e-12)
    length = np.linalg.norm(result.history.theta[0] - result.x)
    assert 0.95 * length <= np.linalg.norm(projected[0]) <= length * (1 + 1e-12)


def test_overlay_draws_every_run_under_its_label():
    runs = [symgd.descend("theta**2", lr=lr) for lr in (0.001, 0.2, 10)]
    figure = overlay(runs, ["low", "right", "high"])
    for label, run in zip(("low", "right", "high"), runs, strict=True):
        drawn = line(figure.axes[0], label)
        np.testing.assert_array_equal(drawn.get_xdata(), run.history.theta[:, 0])
    assert len({line(figure.axes[0], label).get_color() for label in ("low", "right", "high")}) == 3
    assert "high: leaves the picture at step 1 (θ = -19)" in figure.axes[0].get_title(loc="left")


@pytest.mark.parametrize(
    ("loss", "start", "lr", "word"),
    [
        ("theta**2", 1, 10, "leaves the picture"),
        ("x**2 + y**4", "2,2", 5, "leaves the picture"),
        ("a**2 + b**2 + c**4", 2, 3, "clipped"),
        ("log(x - 2)", 3, 0.2, "not finite"),
    ],
)
def test_diverged_run_is_clipped_with_a_word_and_not_empty(loss, start, lr, word):
    result = symgd.descend(loss, start=start, lr=lr)
    figure = result.plot()
    assert any(word in text for text in texts(figure))
    for axes in figure.axes:
        low, high = axes.get_xlim()
        shown = [x for drawn in axes.get_lines() for x in drawn.get_xdata() if low <= x <= high]
        assert len(shown) >= 2
        assert np.isfinite([*axes.get_xlim(), *axes.get_ylim()]).all()


@pytest.mark.parametrize(
    ("loss", "start"),
    [
        ("floor(x)", 0.5),  # steps
        ("0*x + 3", 1),  # constant
        ("x", 1),  # no minimum
        ("1/x", 0.5),  # a pole
        ("sqrt(x)", 1),  # ends at 0
        ("1e200*x**2", 1e-3),
        ("1e-300*x**2", 1),
        ("x**2 + 0*y", "0,0"),  # at rest, and flat along y
        ("sum_1**2 + sum_2", 1),
        ("abs(x) + max(y, 0)", "1,1"),
    ],
)
@pytest.mark.parametrize("steps", [0, 1, 25])
def test_odd_losses_are_drawn_without_a_warning(loss, start, steps, tmp_path):
    figure = symgd.descend(loss, start=start, steps=steps).plot(tmp_path / "odd.png")
    assert figure.axes
    assert (tmp_path / "odd.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_only_a_gradient_function_is_known():
    result = symgd.descend_with(lambda x: 2 * x, [1.0, 2.0], lr=0.2, steps=10)
    figure = result.plot()
    np.testing.assert_array_equal(line(figure.axes[0], "path").get_xydata(), result.history.theta)
    assert figure.axes[1].get_ylabel() == "|gradient|"


def test_one_parameter_whose_loss_is_unknown_is_drawn_against_the_step():
    result = symgd.descend_with(lambda x: 2 * x, 1.0, lr=0.2, steps=10)
    above = result.plot().axes[0]
    np.testing.assert_array_equal(line(above, "θ").get_ydata(), result.history.theta[:, 0])
    ElementTree.fromstring(descent_svg(result))


def test_long_history_and_many_parameters_are_drawn():
    loss = "+".join(f"{k + 1}*x{k}**2" for k in range(30))
    figure = symgd.descend(loss, lr=1e-4, steps=20_000).plot()
    assert "the 10 parameters that move most" in texts(figure)


# Names are data


@pytest.mark.parametrize("name", ["$x^2$", "</script>", "a_{b", "θ_1", "変数", "x\\frac"])
def test_names_of_python_callers_are_shown_as_they_are(name, tmp_path):
    import sympy

    x, y = sympy.Symbol(name, real=True), sympy.Symbol("y", real=True)
    result = symgd.descend((x - 1) ** 2 + y**2, start=2.0)
    figure = result.plot(tmp_path / "name.svg")
    axes = figure.axes[0]
    labels = [axes.get_xlabel(), axes.get_ylabel()]
    assert any(name.strip("$")[:2] in label for label in labels)
    ElementTree.parse(tmp_path / "name.svg")  # well-formed
    assert b"</script" not in (tmp_path / "name.svg").read_bytes()
    ElementTree.fromstring(descent_svg(result))
    assert "</script" not in descent_svg(result)


# Files


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf", ".gif"])
def test_equal_runs_give_equal_bytes(suffix, tmp_path):
    first, second = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    valley().plot(first)
    valley().plot(second)
    assert first.read_bytes() == second.read_bytes()
    assert len(first.read_bytes()) > 1000


def test_png_has_800_pixels_and_gif_one_frame_per_step(tmp_path):
    from PIL import Image

    valley().plot(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        assert image.size == (800, 660)
    symgd.descend(steps=7).plot(tmp_path / "a.gif")
    with Image.open(tmp_path / "a.gif") as image:
        assert image.n_frames == 8
        first = image.convert("RGB").tobytes()
        image.seek(7)
        assert image.convert("RGB").tobytes() != first


def test_settings_of_matplotlib_stay_as_they_were(tmp_path):
    import matplotlib

    before = dict(matplotlib.rcParams)
    valley().plot(tmp_path / "a.png")
    assert dict(matplotlib.rcParams) == before


def test_pyplot_and_its_windows_are_not_imported():
    code = "import sys, symgd; symgd.descend().plot(); sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_notebooks_get_a_png_and_a_small_svg():
    result = valley()
    assert result.plot()._repr_png_()[:4] == b"\x89PNG"
    assert ElementTree.fromstring(result._repr_svg_()).tag.endswith("svg")


# The sketch without matplotlib


@pytest.mark.parametrize(
    ("loss", "start", "lr"),
    [
        ("theta**2", 1, 0.2),
        ("theta**2", 1, 10),
        (ROSENBROCK, 1.5, 1e-3),
        ("a**2+b**2+c**2", 1, 0.1),
    ],
)
def test_sketch_is_well_formed_and_inside_its_box(loss, start, lr):
    root = ElementTree.fromstring(descent_svg(symgd.descend(loss, start=start, lr=lr)))
    lines = [e for e in root.iter() if e.tag.endswith("polyline")]
    assert lines
    flat = [e.get("points").split() for e in lines]
    points = [pair for numbers in flat for pair in zip(numbers[::2], numbers[1::2], strict=True)]
    assert any(0 <= float(x) <= 640 and 0 <= float(y) <= 400 for x, y in points)
    assert all(math.isfinite(float(v)) for p in points for v in p)


def test_sketch_draws_the_iterates_where_they_are():
    """theta**2 from 1 with lr 0.2: the dots' abscissas shrink by 0.6 towards that of 0."""
    root = ElementTree.fromstring(descent_svg(symgd.descend("theta**2", steps=5)))
    [dots] = [e.get("d") for e in root.iter() if e.get("stroke-linecap") == "round"]
    xs = [float(dot.split()[0]) for dot in dots.split("M")[1:]]
    gaps = [a - b for a, b in zip(xs, xs[1:], strict=False)]
    for one, two in zip(gaps, gaps[1:], strict=False):
        assert two / one == pytest.approx(0.6, abs=0.02)


def test_curve_of_a_loss_is_drawn_about_its_minimum():
    svg = symgd.Loss("(x - 3)**2")._repr_svg_()
    root = ElementTree.fromstring(svg)
    [curve] = [e.get("points").split() for e in root.iter() if e.tag.endswith("polyline")]
    xs, ys = ([float(v) for v in curve[k::2]] for k in (0, 1))
    assert xs[ys.index(max(ys))] == pytest.approx(
        (xs[0] + xs[-1]) / 2, abs=15
    )  # y points down; whole pixels
    texts_ = [e.text for e in root.iter() if e.tag.endswith("text")]
    assert {"-3", "9", "x", "loss"} <= set(texts_)
    assert symgd.Loss("x*y")._repr_svg_() is None
    ElementTree.fromstring(symgd.Loss("1/x")._repr_svg_())
    ElementTree.fromstring(symgd.Loss("3*x")._repr_svg_())


# The window


def test_window_is_never_empty_and_holds_the_points():
    for points in ([(1.0, 1.0)], [(0.0, 0.0), (1e-12, 5.0)], [(1e300, -1e300), (-1e300, 1e300)]):
        spans = bounding_spans(points)
        assert all(low < high and math.isfinite(high - low) for low, high in spans[:1])
        assert all(is_inside(p, spans) for p in points if abs(p[0]) < 1e299)


def test_window_of_a_slow_run_reaches_the_minimum():
    [(low, high)], _ = viewport_of([symgd.descend("theta**2", lr=0.001)])
    assert low < 0 < 1 < high


def test_heights_cut_a_pole_but_no_visible_point():
    low, high = value_range([*range(100), 1e9], [5000.0])
    assert low < 0
    assert 5000 < high < 1e6


# The command line


def test_plot_option_writes_the_picture_and_prints_the_run(tmp_path):
    file = tmp_path / "run.svg"
    outcome = Outcome("theta**2", "--plot", str(file), "-q")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == "theta after 20 steps: 3.656158440062973e-05\n"
    assert ElementTree.parse(file).getroot().tag.endswith("svg")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("run.jpg", "a picture ends in .png, .svg, .pdf or .gif"),
        ("run", "a picture ends in .png, .svg, .pdf or .gif"),
        ("", "a picture ends in"),
        ("none/run.png", "No such file or directory"),
        ("folder.png", "Is a directory"),
        ("nul\0.png", "is not the name of a file"),
    ],
)
def test_file_that_cannot_be_written_is_refused_before_the_run(name, sentence, tmp_path):
    (tmp_path / "folder.png").mkdir()
    target = str(tmp_path / name) if name else ""
    # the loss is no formula either: the file is what is complained about first
    outcome = Outcome("theta**", "--plot", target)
    assert outcome.code == 2
    assert outcome.out == ""
    assert sentence in outcome.err
    assert "Traceback" not in outcome.err
    with pytest.raises(ArgumentError):
        symgd.descend().plot(target)


PICTURES = [
    ("theta**2", "--plot", "p.png"),
    (ROSENBROCK, "-s", "x=-1.2,y=1", "-l", "0.001", "--plot", "p.svg"),
    ("theta**2", "-n", "3", "--plot", "p.gif"),
    ("compare", "--lr", "0.01..2:20", "--plot", "p.svg"),
    ("fit", "y = a*x + b", "rows.csv", "--plot", "p.png"),
]


@pytest.mark.parametrize("words", PICTURES, ids=" ".join)
def test_every_command_draws_its_picture(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.csv").write_text("x,y\n0,1\n1,3.1\n2,4.9\n3,7.2\n")
    assert Outcome(*words).code == 0
    assert (tmp_path / words[-1]).stat().st_size > 1000


BACKENDS = ["module://not_installed.backend", "svg"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_backend_of_matplotlib_is_needed(backend, tmp_path):
    """A shell that a notebook started inherits MPLBACKEND, where that may not be installed."""
    env = {**os.environ, "MPLBACKEND": backend}
    code = (
        "import os, symgd, sys\n"
        "symgd.descend().plot(sys.argv[1])\n"
        "assert os.environ['MPLBACKEND'] == sys.argv[2]\n"
        "import matplotlib\n"
        "assert sys.argv[2] != 'svg' or matplotlib.get_backend() == 'svg'\n"
    )
    file = tmp_path / "a.png"
    command = [sys.executable, "-c", code, str(file), backend]
    assert subprocess.run(command, check=False, env=env).returncode == 0
    other = tmp_path / "b.png"
    assert Outcome("-q", "--plot", str(other)).code == 0
    assert file.read_bytes() == other.read_bytes()


def test_the_command_needs_no_backend_of_matplotlib(tmp_path):
    env = {**os.environ, "MPLBACKEND": "no such backend"}
    command = [sys.executable, "-m", "symgd", "-q", "--plot", str(tmp_path / "a.png")]
    assert subprocess.run(command, check=False, env=env).returncode == 0


def test_trial_leaves_no_file_and_changes_none(tmp_path):
    old = tmp_path / "old.png"
    old.write_bytes(b"kept")
    for file in (old, tmp_path / "new.png"):
        assert Outcome("theta**", "--plot", str(file)).code == 2
    assert old.read_bytes() == b"kept"
    assert [p.name for p in tmp_path.iterdir()] == ["old.png"]


def test_without_matplotlib_the_message_says_how_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    outcome = Outcome("theta**", "--plot", str(tmp_path / "a.png"))
    assert outcome.code == 2
    assert 'pip install "symgd[plot]"' in outcome.err
    with pytest.raises(BackendError, match="pip install"):
        symgd.descend().plot()


def test_a_run_without_picture_does_not_import_matplotlib():
    code = (
        "import sys, symgd; r = symgd.descend(); r._repr_svg_(); "
        "sys.exit('matplotlib' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_overlay_refuses_what_does_not_fit_together():
    run = symgd.descend()
    with pytest.raises(ArgumentError, match="2 labels for 1 results"):
        overlay([run], ["a", "b"])
    with pytest.raises(ArgumentError, match="different parameters"):
        overlay([run, symgd.descend("x**2")], ["a", "b"])


def test_picture_of_a_fit_has_error_bars_and_whole_labels_in_any_size(tmp_path):
    x = np.linspace(0, 1, 9)
    name = "absorbance at 280 nm, corrected for the blank [arbitrary units]"
    data = {"time since the injection [min]": x, name: 2 * x + 1 + 0.1 * np.sin(9 * x)}
    model = f"`{name}` = a*`time since the injection [min]` + b"
    found = symgd.fit(model, data, sigma=0.1 + x, absolute_sigma=True)
    picture = found.plot(tmp_path / "a.pdf", figsize=(5, 4))
    above, below = picture.axes
    assert picture.get_size_inches().tolist() == [5, 4]
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")
    assert above.get_ylabel().replace("\n", " ") == name
    picture.canvas.draw()
    for label in (above.yaxis.label, below.xaxis.label):
        box = label.get_window_extent()
        assert 0 <= box.x0 <= box.x1 <= picture.bbox.x1
        assert 0 <= box.y0 <= box.y1 <= picture.bbox.y1
    bars = above.containers[0].lines[2][0].get_segments()
    assert [(high[1] - low[1]) / 2 for low, high in bars] == pytest.approx(0.1 + x)
    with pytest.raises(ArgumentError, match="inches"):
        found.plot(figsize=(1, 4))
