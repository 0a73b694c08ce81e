"""compare: every run is the one that descend gives, and the table and the map say what it did."""

import csv
import io
import json
import math

import numpy as np
import pytest
from typer.testing import CliRunner

import symgd
from symgd import compare, descend
from symgd.cli.app import app
from symgd.report.compare import report
from symgd.report.terminal_chart import chart, shared_scale, sparkline


def cli(*args):
    result = CliRunner().invoke(app, ["compare", *args], prog_name="symgd")
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_runs_are_those_of_descend():
    found = compare(
        "(x - 1)**2 + 3*y**2",
        lr=[0.01, 0.1, 1.0],
        rule=["gd", "momentum"],
        start=[{"x": 0, "y": 1}, "2"],
        set={"beta": 0.5},
        steps=30,
    )
    rates = np.tile([0.01, 0.1, 1.0], 4)
    x, y = np.repeat([0.0, 2.0, 0.0, 2.0], 3), np.repeat([1.0, 2.0, 1.0, 2.0], 3)
    beta, v = np.repeat([0.0, 0.5], 6), np.zeros((2, 12))
    for _ in range(30):  # gd is momentum with beta = 0
        v = beta * v + np.array([2 * (x - 1), 6 * y])
        x, y = x - rates * v[0], y - rates * v[1]
    ends = np.array([list(run.theta.values()) for run in found.runs])
    np.testing.assert_allclose(ends, np.column_stack([x, y]), rtol=1e-12)
    runs = iter(found.runs)
    for rule, known in (("gd", {}), ("momentum", {"beta": 0.5})):
        for start in ({"x": 0, "y": 1}, "2"):
            for lr in (0.01, 0.1, 1.0):
                alone = descend(found.loss.text, rule=rule, start=start, lr=lr, steps=30, set=known)
                run = next(runs)
                assert run.theta == alone.theta
                assert run.status == alone.status
                assert run.verdict.kind == alone.verdict.kind
    assert next(runs, None) is None


def test_exercise_side_by_side():
    lines = cli("theta**2", "--lr", "0.001,0.2,10").stdout.splitlines()
    assert [line.split()[-1] for line in lines[-3:]] == ["slow", "converging", "diverging"]
    assert [line.split()[-4] for line in lines[-3:]] == ["0.998", "0.6", "-19"]


def test_range_is_even_in_logarithms_and_hits_its_ends():
    rates = [run.lr for run in compare("x**2", lr="1e-4..10:21", steps=2).runs]
    assert len(rates) == 21
    assert (rates[0], rates[-1]) == (1e-4, 10.0)
    steps = [math.log(b / a) for a, b in zip(rates, rates[1:], strict=False)]
    assert steps == pytest.approx([math.log(1e5) / 20] * 20)


def test_map_marks_the_predicted_limit_and_the_lowest():
    lines = cli("theta**2", "--lr", "1e-3..10:61").stdout.splitlines()
    assert "predicted limit, the vertical line: lr < 1" in lines
    bar = next(line.index("│") for line in lines if "│" in line)
    # 1 lies 3/4 of the way from 1e-3 to 1e1
    assert bar == 9 + round(0.75 * (80 - 10 - 1))
    runs = compare("theta**2", lr="1e-3..10:61").runs
    lowest = min(runs, key=lambda r: r.value)
    assert f"lowest: {lowest.value:.3g} at lr = {lowest.lr:.4g}" in lines


def test_constants_and_hyperparameters_go_where_they_belong():
    found = compare("a*x**2", rule=["gd", "momentum"], lr=0.1, set={"a": 2.0, "beta": 0.3})
    assert found.loss.params == ("x",)
    assert found.runs[1].hyperparameters == {"beta": 0.3}


def test_unknown_name_is_refused():
    with pytest.raises(symgd.SymgdError, match="no constant 'bta'"):
        compare("x**2", rule="momentum", set={"bta": 0.3})


def test_schedules_with_commas_in_parentheses_are_one_learning_rate():
    found = compare("x**2", lr="max(0.1, 0.3/t), auto")
    assert [run.lr for run in found.runs] == ["max(0.1, 0.3/t)", "auto"]


def test_json_has_the_designed_keys():
    told = json.loads(cli("theta**2", "--lr", "0.2,10", "--format", "json").stdout)
    assert len(told["runs"]) == 2
    for run in told["runs"]:
        assert set(run) >= {"lr", "rule", "start", "theta", "value", "status", "verdict"}
    assert told["runs"][1]["status"] == "diverged"


def test_csv_reads_back_exactly():
    text = cli(
        "(x-1)**2 + y**2", "-r", "gd", "-r", "v = 0.5*v + g; theta = theta - lr*v",
        "-s", "x=-1.5,y=2", "--format", "csv",
    ).stdout  # fmt: skip
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 6
    run = descend("(x-1)**2 + y**2", start={"x": -1.5, "y": 2.0}, lr=0.2)
    assert float(rows[1]["theta.x"]) == run.theta["x"]
    assert float(rows[1]["loss"]) == run.value
    assert rows[3]["rule"] == "v = 0.5*v + g; theta = theta - lr*v"


def test_jsonl_has_a_line_for_each_run():
    lines = cli("x**2", "--format", "jsonl").stdout.splitlines()
    assert [json.loads(line)["lr"] for line in lines] == [0.001, 0.2, 10.0]


@pytest.mark.parametrize("width", [80, 60])
def test_tables_and_maps_fit_the_width(width):
    grid = compare(
        "(1 - x)**2 + 100*(y - x**2)**2",
        rule=["gd", "v = 0.9123456789*v + g; theta = theta - lr*v", "adam"],
        start=["x=-1.2345,y=1.5", "0"],
        lr=[0.0005, 0.02, "0.1/(1 + t/100)"],
        steps=100,
    )
    ranged = compare("x**4 + abs(x)", lr="1e-5..3:40")
    for found in (grid, ranged):
        for line in report(found, width=width):
            assert len(line) <= width


@pytest.mark.parametrize(
    "args",
    [
        ["--lr", "10..1:5"],
        ["--lr", "0..1:5"],
        ["--lr", "1..2:1"],
        ["--lr", "1..2:99999999"],
        ["--lr", "0.1,x y"],
        ["--rule", "gd,nonsense"],
        ["--start", "z=1"],
        ["--steps", "-1"],
    ],
)
def test_mistakes_end_in_one_message(args):
    result = cli("theta**2", *args)
    assert result.exit_code == 2
    assert result.stderr.startswith("symgd: ")


def test_map_of_a_constant_path_is_drawn():
    # floor(x) never moves: every final loss is the same, and 0 is no logarithm
    assert "loss after 20 steps" in cli("floor(x) - 1", "--lr", "0.1..1:5").stdout


def test_map_by_machine_code_is_that_of_single_runs():
    """theta**2: the loss after n steps is (1 - 2 lr)**(2 n)."""
    [one] = compare("theta**2", lr="1e-3..3:60", steps=12).maps
    for lr, loss in zip(one.rates, one.losses, strict=True):
        assert loss == pytest.approx((1 - 2 * lr) ** 24, rel=1e-9, abs=1e-300)
    assert one.limit == pytest.approx(1.0)
    assert one.losses[one.best] == min(one.losses)


def test_map_marks_runs_that_leave_the_numbers():
    # log(x) + 1/x has its minimum at 1; a long step leads to x < 0, where there is no logarithm
    many = compare("log(x) + 1/x", lr="0.01..30:50", start=3).maps[0]
    lost = 0
    for lr, loss in zip(many.rates, many.losses, strict=True):
        x = 3.0
        for _ in range(20):
            x -= lr * (1 / x - 1 / x**2)
            if x <= 0:
                break
        lost += x <= 0
        assert loss == (math.inf if x <= 0 else pytest.approx(math.log(x) + 1 / x, rel=1e-9))
    assert 0 < lost < 50


def test_runs_are_made_when_they_are_asked_for():
    found = compare("theta**2", lr="1e-3..3:60")
    assert len(found.runs) == 60
    assert found.runs[-1].lr == 3.0
    assert [run.lr for run in found.runs[:2]] == [found.maps[0].rates[0], found.maps[0].rates[1]]


def test_plot_overlays_the_runs_under_what_sets_them_apart(tmp_path):
    pytest.importorskip("matplotlib")
    figure = compare("x**2 + y**2", lr=[0.1, 0.2], rule=["gd", "adam"]).plot()
    labels = [one.get_label() for one in figure.axes[0].get_lines()]
    assert {"gd, lr 0.1", "gd, lr 0.2", "adam, lr 0.1", "adam, lr 0.2"} <= set(labels)
    picture = tmp_path / "c.png"
    outcome = cli("theta**2", "--plot", str(picture))
    assert outcome.exit_code == 0
    assert picture.read_bytes()[:4] == b"\x89PNG"


def test_plot_of_a_range_is_the_map(tmp_path):
    pytest.importorskip("matplotlib")
    found = compare("theta**2", lr="1e-3..10:61")
    [axes] = found.plot().axes
    [curve] = [one for one in axes.get_lines() if one.get_label() == "final loss"]
    x, y = curve.get_data()
    assert list(x) == list(found.maps[0].rates)
    shown = [v if math.isfinite(v) else math.nan for v in found.maps[0].shown]
    assert y == pytest.approx(shown, nan_ok=True)
    [limit] = [one for one in axes.get_lines() if one.get_label() == "predicted limit"]
    assert limit.get_xdata()[0] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["--plot", "c.bmp"], "a picture ends in"),
        (["--html", "c.txt"], "a page ends in"),
        (["--plot", "none/c.png"], "No such file"),
        (["--plot", "c.gif", "--lr", "0.1..1:5"], "does not move"),
        (["--plot", "c.png", "--lr", ",".join(["0.1"] * 13)], "at most 12 runs"),
    ],
)
def test_pictures_that_cannot_be_are_refused(args, sentence, tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    result = cli("theta**2", *args)
    assert (result.exit_code, result.stdout) == (2, "")
    assert sentence in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_sparkline_by_hand():
    assert sparkline([1.0, 10.0, 100.0]) == "▁▅█"  # halfway in logarithms: 3.5 of 7, to even
    assert sparkline([100.0, 1.0]) == "█▁"
    assert sparkline([1.0, math.inf, math.nan]) == "▁!!"
    assert sparkline([1.0, 100.0], pretty=False) == "_@"
    assert len(sparkline(list(range(1, 1000)), width=16)) == 16
    assert sparkline([0.0, 1.0]) == "▁█"
    assert sparkline([1.0, 0.0, 1e9], scale=(1e-3, 1e3)) == "▅▁█"
    assert shared_scale([[1.0, 1e-5], [10.0, 1e30], [-1.0, math.nan]]) == (1e-5, 1e4)
    assert shared_scale([[-1.0], []]) is None


def test_chart_puts_points_where_their_logarithms_are():
    lines = list(chart([1.0, 10.0, 100.0], [1.0, 10.0, 100.0], width=31, height=3))
    assert [line.index("●") for line in lines[:3]] == [9 + 20, 9 + 10, 9]


def test_ascii_where_the_output_cannot_show_blocks():
    for line in report(compare("theta**2"), pretty=False):
        assert line.isascii()
