"""explain: critical points by hand, useful answers for awkward losses, and what is printed."""

import json
import math
import subprocess
import sys
from pathlib import Path

import mpmath
import numpy as np
import pytest
import sympy
from typer.testing import CliRunner

import symgd
from symgd import Loss, explain
from symgd.analysis.critical.critical_points import critical_points
from symgd.cli.app import app
from symgd.formula.evaluate import evaluate_all
from symgd.formula.printing.latex import latex, latex_name
from tests.hang_guard import HUNG

MGH = json.loads((Path(__file__).parents[1] / "files" / "mgh.json").read_text("utf-8"))


def found(text, **rest):
    return explain(text, **rest)


def kinds(text):
    points = found(text).critical.points
    return sorted((p.kind, *(round(v, 6) for v in p.x)) for p in points)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("theta**2", [("minimum", 0.0)]),
        ("x**2 - y**2", [("saddle", 0.0, 0.0)]),
        ("x**4 - x**2", [("maximum", 0), ("minimum", -0.707107), ("minimum", 0.707107)]),
        ("x**4", [("degenerate", 0.0)]),
        ("x**3", [("degenerate", 0.0)]),
        ("exp(-x**2)", [("maximum", 0.0)]),
        ("(1 - x)**2 + 100*(y - x**2)**2", [("minimum", 1.0, 1.0)]),
        # 4x^3 = 4y, 4y^3 = 4x: x^9 = x, so x = y = -1, 0, 1; det = 144 x^2 y^2 - 16
        (
            "x**4 + y**4 - 4*x*y",
            [("minimum", -1, -1), ("minimum", 1, 1), ("saddle", 0, 0)],
        ),
        ("abs(x - 0.3)", [("minimum", 0.3)]),
        ("abs(x) + abs(y - 1)", [("minimum", 0.0, 1.0)]),
        ("-abs(x)", [("maximum", 0.0)]),
        ("x*log(x)", [("minimum", round(math.exp(-1), 6))]),
    ],
)
def test_critical_points_by_hand(text, expected):
    assert kinds(text) == expected


def test_symbolic_points_are_formulas_and_complete():
    critical = found("x**4 - x**2").critical
    assert critical.method == "symbolic"
    assert critical.complete
    assert {p.exact[0] for p in critical.points} == {"0", "sqrt(2)/2", "-sqrt(2)/2"}


def test_quadratic_is_solved_in_rationals():
    critical = found("(3*x - 1)**2 + (y + x/7)**2").critical
    assert critical.method == "exact"
    assert critical.points[0].exact == ("1/3", "-1/21")
    assert critical.points[0].eigenvalues == pytest.approx(
        np.linalg.eigvalsh(np.array([[18 + 2 / 49, 2 / 7], [2 / 7, 2]]))
    )


def test_points_of_mgh_are_among_the_published():
    # Freudenstein and Roth: 0 at (5, 4) and 48.9842... at (11.41..., -0.8968...)
    problem = next(p for p in MGH if p["no"] == 2)
    minima = [p for p in found(problem["expr"]).critical.points if p.kind == "minimum"]
    assert [p.value for p in minima] == pytest.approx([0.0, 48.9842], abs=1e-4)
    assert minima[1].x == pytest.approx((11.41, -0.8968), abs=5e-3)


def test_minima_where_the_rule_does_the_same_are_told_together():
    lines = str(explain("sin(x)")).splitlines()
    assert "at the minima x = -1.5708 and x = 4.71239 and x = 10.9956:" in lines
    assert sum("fastest" in line for line in lines) == 1


def test_a_wide_hessian_is_written_entry_by_entry():
    from symgd.report.explain import report

    found = explain("(x*y - exp(x*y))**2 + (y - sin(x*y))**2", seconds=0)
    wide, narrow = ("\n".join(report(found, width=w)) for w in (4000, 80))
    assert "Hessian [" in wide
    assert "d2L/dx2 = " in narrow
    assert "d2L/(dx dy) = " in narrow


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_lines_keep_to_the_width_of_the_terminal():
    import fcntl
    import os
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 50, 0, 0))
    bare = {k: v for k, v in os.environ.items() if k != "COLUMNS"}
    command = [sys.executable, "-m", "symgd", "explain"]
    subprocess.run(command, stdout=theirs, env=bare, check=True, timeout=HUNG)
    os.close(theirs)
    lines = os.read(ours, 1 << 16).decode().splitlines()
    os.close(ours)
    assert "at lr = 0.2" in "\n".join(lines)
    assert max(map(len, lines)) <= 50


@pytest.mark.parametrize("name", ["Jennrich and Sampson", "Wood", "Brown and Dennis", "Bard"])
def test_numeric_search_finds_the_published_minimum(name):
    problem = next(p for p in MGH if p["name"] == name)
    critical = explain(problem["expr"], seconds=0).critical
    assert critical.method == "numeric"
    # Brown and Dennis: a sum of squares of sums of squares of affine functions is convex
    assert critical.complete == (name == "Brown and Dennis")
    lowest = next(p for p in critical.points if p.kind == "minimum")
    assert lowest.value == pytest.approx(problem["fmin"], rel=1e-9, abs=1e-12)


def test_numeric_points_have_vanishing_gradients():
    loss = Loss("sin(x)*cos(y) + x**2/20")
    points = critical_points(loss, [1.0, 1.0], seconds=0).points
    assert {p.kind for p in points} >= {"minimum", "saddle"}
    for point in points:
        assert np.abs(loss.grad(point.x)).max() < 1e-9
        values = np.linalg.eigvalsh(loss.hess(point.x))
        assert point.eigenvalues == pytest.approx(values, abs=1e-9)


def test_what_costs_much_is_looked_for_near_the_start():
    """The extrema of J0 are 0 and the zeros of J1; far ones cost more than may be spent."""
    points = critical_points(Loss("besselj(0, x)"), [1.0], seconds=0).points
    right = [0.0, *(sign * float(mpmath.besseljzero(1, k)) for k in (1, 2, 3) for sign in (1, -1))]
    found = sorted((p.x[0] for p in points), key=abs)
    assert sorted(found[: len(right)]) == pytest.approx(sorted(right), abs=1e-7)


def test_a_smallest_slope_is_no_critical_point():
    # (tan x)' = 1 + tan(x)^2 is least, 1, where its own derivative vanishes
    assert critical_points(Loss("tan(x)"), [1.0], seconds=0).points == ()
    assert critical_points(Loss("x**3 + x"), [1.0], seconds=0).points == ()


# SymPy's solver


def test_a_solver_that_is_stopped_is_reported():
    told = explain("x**4 - x**2", seconds=1e-6)  # the first tick of its clock
    assert told.critical.method == "numeric"
    assert not told.critical.complete
    assert sorted(p.x[0] for p in told.critical.points) == pytest.approx([-(0.5**0.5), 0, 0.5**0.5])
    sentence = "SymPy's solver was stopped after 1e-06 s of processor time"
    assert told.to_dict()["incomplete"] == sentence
    assert f"search incomplete: {sentence}" in str(told)
    whole = found("x**4 - x**2")
    assert whole.to_dict()["incomplete"] is None
    assert "incomplete" not in str(whole)


def test_a_solver_that_cannot_be_started_is_reported(monkeypatch):
    def refuse(*_, **__):
        raise BlockingIOError

    monkeypatch.setattr(subprocess, "Popen", refuse)
    assert "could not be started" in found("x**4 - x**2").critical.incomplete


#: What happens in the child where it asks SymPy -> what is said of it.
ENDINGS = {
    "raise MemoryError": "SymPy's solver ran out of memory",
    "os.kill(os.getpid(), 9)": "SymPy's solver was ended by signal 9",
    "raise KeyError('b_')": "SymPy's solver failed: KeyError: 'b_'",
    "raise NotImplementedError": "",  # how SymPy says that it has no algorithm
}


@pytest.fixture
def in_the_child(tmp_path, monkeypatch):
    """A function that has the child run a statement where it asks SymPy for roots or solutions."""

    def plant(statement):
        code = f"import os, sympy\ndef plant(*_):\n    {statement}\n"
        code += "sympy.real_roots = sympy.solveset = plant\n"
        (tmp_path / "sitecustomize.py").write_text(code)
        monkeypatch.syspath_prepend(tmp_path)

    return plant


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("statement", ENDINGS)
def test_a_solver_that_ends_without_an_answer_is_reported(statement, in_the_child):
    in_the_child(statement)
    critical = found("x - exp(-x)").critical  # its slope is 1 + exp(-x)
    assert (critical.method, critical.incomplete) == ("numeric", ENDINGS[statement])
    assert critical.points == ()


def test_an_exception_in_the_child_is_a_bug_and_raised_here_with_its_trace(in_the_child):
    in_the_child("raise KeyError(poly.no_such_name)")
    with pytest.raises(RuntimeError, match="(?s)failed on p0.*Traceback.*NameError: name 'poly'"):
        found("x**4 - x**2")


@pytest.mark.parametrize(
    ("text", "points", "families"),
    [
        # the slopes are 2*(x*y - 2)*y and 2*(x*y - 2)*x
        ("(x*y - 2)**2", {("2", "1"), ("0", "0")}, ("x = 2/y, y arbitrary",)),
        ("exp(-x**2/2)/sqrt(2*pi)", {("0",)}, ()),  # a polynomial whose factor is no fraction
        ("exp(1e308*10*x**4 - x)", None, None),  # beyond all doubles: 4e309*x**3 = 1
    ],
)
def test_what_the_child_once_failed_on(text, points, families):
    critical = found(text).critical
    assert critical.incomplete == ""
    if points is not None:
        assert (critical.method, critical.complete) == ("symbolic", True)
        assert {p.exact for p in critical.points} == points
        assert tuple(critical.families) == families


LONG_POLYNOMIAL = " + ".join(f"x**{k}" for k in range(1, 42))


@pytest.mark.parametrize(
    "text",
    [
        "sin(x) + x*cos(x**2) + exp(x)*x**3 - log(x**2 + 1)*tanh(x)",
        "exp(x*y)*sin(x + y) + x**2",
        "x**8 + y**6 + x**3*y**3 + x + y**2*x",
        "a**4 + b**4 + c**4 + d**4 + e**4 + a*b*c*d*e",
        LONG_POLYNOMIAL,
    ],
)
def test_above_its_sizes_the_solver_is_not_asked(text, monkeypatch):
    monkeypatch.setattr(subprocess, "Popen", None)
    critical = found(text).critical
    assert critical.method == "numeric"
    assert "SymPy" not in critical.incomplete


# Awkward losses: each gets a true and useful answer


def test_loss_without_minimum():
    told = found("x")
    assert told.critical.complete
    assert not told.critical.points
    assert "no lower bound" in told.critical.note
    assert told.convexity.convex


def test_loss_whose_infimum_is_not_reached():
    told = found("exp(x)")
    assert told.critical.complete
    assert not told.critical.points
    assert told.bound == 0.0
    assert "L >= 0 everywhere" in str(told)


def test_infinitely_many_critical_points():
    told = found("sin(x)")
    assert told.critical.complete
    assert len(told.critical.families) == 2
    assert "for every whole number k" in told.critical.families[0]
    for point in told.critical.points:
        assert abs(math.cos(point.x[0])) < 1e-14
        assert point.kind == ("minimum" if math.sin(point.x[0]) < 0 else "maximum")


def test_a_line_of_minima():
    told = found("(x + y)**2")
    assert "infinitely many minima" in told.critical.families[0]
    assert told.behaviors[0].rates.stable == ((0.0, 0.5),)  # 2/4


def test_discontinuous_loss():
    told = found("floor(x)")
    assert "constant between its jumps" in told.critical.note
    assert told.convexity.convex is False


def test_constant_loss():
    assert "every point is a minimum" in found("3").critical.note
    assert "constant" in str(found("3"))


def test_contradicting_linear_equations_have_no_solution():
    assert "no lower bound" in found("(x + y)**2 + x").critical.note


def test_hundred_parameters_are_solved_when_quadratic_and_searched_near_the_start_when_not():
    squares = " + ".join(f"(x{k} - {k})**2" for k in range(100))
    assert found(squares).critical.points[0].x == tuple(map(float, range(100)))
    quartic = " + ".join(f"x{k}**4 + x{k}" for k in range(100))
    [point] = found(quartic).critical.points  # 4*x^3 + 1 = 0, 12*x^2
    assert point.x == pytest.approx([-(0.25 ** (1 / 3))] * 100)
    assert point.eigenvalues == pytest.approx([12 * 0.25 ** (2 / 3)] * 2)
    waves = " + ".join(f"cos(x{k})*x{k + 1}^2 + x{k}^4" for k in range(100))
    assert "101 parameters" in found(waves).critical.note


def test_degenerate_minimum_has_no_rate_but_a_measurement():
    told = found("x**4").behaviors[0]
    assert "vanishes" in told.rates.why_not
    assert 0 < told.measured.after < told.measured.before


def test_adam_is_measured():
    told = found("x**2", rule="adam", lr=0.01).behaviors[0]
    assert told.rates.rate is None
    start = told.measured.before
    run = symgd.descend("x**2", start=start, rule="adam", lr=0.01, steps=200)
    assert told.measured.after == pytest.approx(abs(run.theta["x"]))


@pytest.mark.parametrize("lr", ["auto", "0.1/(1 + t)"])
def test_learning_rate_that_is_no_number_has_no_factor(lr):
    told = found("x**2", lr=lr)
    assert told.lr is None
    assert told.behaviors[0].rates.rate is None
    assert told.behaviors[0].rates.lr_max == 1.0


# The derivation


@pytest.mark.parametrize(
    "text",
    [
        "(1 - x)**2 + 100*(y - x**2)**2",
        "exp(-x**2/2)/(1 + y**2)",
        "x**y*sin(3*x) + 2**x",
        "log(1 + x**2)*sqrt(y)/(x - 3)",
        "where(x > 0, x**2, -x)*y",
        "hypot(x, y, 1)*atan2(y, x) + max(x, y)",
    ],
)
def test_every_step_of_the_derivation_is_true(text):
    told = found(text)
    loss = told.loss
    point = [0.7, 1.3]
    steps = told.derivation
    assert {s.param for s in steps} == set(loss.params)

    def slope(node, param):
        """By mpmath's difference quotient of the node's own values."""
        place = loss.params.index(param)

        def along(t):
            at = [t if k == place else v for k, v in enumerate(point)]
            values = evaluate_all(
                [node], dict(zip(loss.internals.leaves, map(float, at), strict=True))
            )
            return values[id(node)]

        h = 1e-6
        return (along(point[place] + h) - along(point[place] - h)) / (2 * h)

    values = dict(zip(loss.internals.leaves, point, strict=True))
    for step in steps:
        total = 0.0
        for factor, inner in step.terms:
            value = evaluate_all([factor], values)[id(factor)]
            total += value * (1.0 if inner is None else slope(inner, step.param))
        assert total == pytest.approx(slope(step.node, step.param), rel=1e-5, abs=1e-7)


def test_steps_name_the_rules_of_calculus():
    rules = [s.rule for s in found("x*exp(x**2) + 1/x").derivation]
    assert rules == [
        "sum rule",
        "product rule",
        "derivative of exp, chain rule",
        "power rule",
        "reciprocal rule",
    ]


# What is printed


def cli(*args):
    result = CliRunner().invoke(app, ["explain", *args], prog_name="symgd")
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_exercise_is_explained_in_full():
    assert cli().stdout == (Path(__file__).parents[1] / "files" / "explain.txt").read_text("utf-8")


def test_json_has_the_designed_keys_and_reads_back():
    told = json.loads(cli("theta**2", "--lr", "0.2", "--format", "json").stdout)
    assert told["gradient"] == {"theta": "2*theta"}
    assert told["hessian"] == [["2"]]
    assert told["convex"] is True
    [point] = told["critical_points"]
    assert point["theta"] == {"theta": 0.0}
    assert (point["kind"], point["eigenvalues"]) == ("minimum", [2.0])
    assert (point["lr_max"], point["lr_best"], point["rate_at_lr"]) == (1.0, 0.5, 0.6)


def test_formula_may_begin_with_a_minus():
    assert "maximum" in cli("-x**2 - x").stdout


def test_derivation_is_printed_on_demand():
    assert "[power rule]" not in cli("x**2").stdout
    assert "d/dx[x**2] = 2*x    [power rule]" in cli("x**2", "--steps-of-derivation").stdout


@pytest.mark.parametrize("args", [["x +"], ["x", "--rule", "gdd"], ["x", "--lr", "-1"], ["x", "y"]])
def test_mistakes_end_in_one_message(args):
    result = cli(*args)
    assert result.exit_code == 2
    assert result.stderr.startswith("symgd: ")
    assert "Traceback" not in result.stderr


def test_lines_fit_eighty_columns():
    for line in cli("(1 - x)^2 + 100*(y - x^2)^2", "-r", "momentum", "-l", "0.001").stdout.split(
        "\n"
    ):
        assert len(line) <= 80


@pytest.mark.parametrize(
    "text",
    [
        "x_1**2/(1 + sqrt(y))",
        "-(x - y)**3*2.5e-7",
        "where(x <= 0, -x, abs(y))",
        "max(x, y, 2) - pi",
    ],
)
def test_latex_is_balanced_and_reads_back(text):
    written = latex(Loss(text).internals.root)
    assert written.count("{") == written.count("}")
    assert written.count(r"\left") == written.count(r"\right")


def test_latex_by_hand():
    assert latex(Loss("2*theta_1**2/(1 + x)").internals.root) == r"\frac{2 \theta_{1}^{2}}{1 + x}"
    assert latex(Loss("-x*(y - 1)").internals.root) == r"-x \left(y - 1\right)"
    assert latex(Loss("sqrt(x)*exp(-y)").internals.root) == r"\sqrt{x} \cdot e^{-y}"
    assert latex(Loss("(2*x)**2*3*4").internals.root) == r"\left(2 x\right)^{2} \cdot 3 \cdot 4"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("x - (y + z)", r"x - \left(y + z\right)"),
        ("x^(-(y + z))", r"x^{-\left(y + z\right)}"),
        ("x*(-(y + z))", r"x \left(-\left(y + z\right)\right)"),
        ("-((x + y)/z)", r"-\frac{x + y}{z}"),
        ("x*2^y", r"x \cdot 2^{y}"),
    ],
)
def test_latex_keeps_the_parentheses_that_matter(text, written):
    assert latex(Loss(text).internals.root) == written


def test_latex_of_exp_beside_a_parameter_e():
    assert latex(Loss("exp(x)*e").internals.root) == r"e^{x} \cdot e"
    assert latex(Loss("exp(x)*e", params=["e"]).internals.root) == r"\exp\left(x\right) \cdot e"


ROWS = {"x": [1.0, 2.0], "y": [2.0, 5.0], "i": [0.0, 1.0]}


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("mean((y - a*x)**2)", r"\frac{1}{n} \sum_{i=1}^{n} \left(y_{i} - a x_{i}\right)^{2}"),
        ("a - sum(y - a*x)", r"a - \sum_{i=1}^{n} \left(y_{i} - a x_{i}\right)"),
        ("-sum(a*y)", r"-\sum_{i=1}^{n} a y_{i}"),
        ("sum(x)*a", r"\left(\sum_{i=1}^{n} x_{i}\right) \cdot a"),
        ("(2*sum(x))*a", r"\left(2 \sum_{i=1}^{n} x_{i}\right) \cdot a"),
        ("sum(y - a*mean(x))",
         r"\sum_{i=1}^{n} \left(y_{i} - a \frac{1}{n} \sum_{j=1}^{n} x_{j}\right)"),
        ("n*sum(i)", r"n \sum_{j=1}^{N} i_{j}"),
    ],
)  # fmt: skip
def test_latex_of_sums_over_rows(text, written):
    assert latex(Loss(text, ROWS).internals.root) == written
    assert Loss(text, ROWS)._repr_html_()


def test_latex_escapes_names():
    hostile = sympy.Symbol(r"\input{x}</script>$", real=True)
    written = symgd.Loss(hostile**2)
    text = latex(written.internals.root)
    assert r"\input" not in text
    assert "</script>" not in text
    assert latex_name("a$b") == r"\mathrm{a\$b}"


def test_hostile_names_are_escaped_for_notebooks():
    told = explain(sympy.Symbol("<b>", real=True) ** 2, seconds=0)
    assert "<b>" not in told._repr_html_()
    assert told._repr_latex_().startswith("$$")


def test_exact_values_agree_with_mpmath():
    # x + log(x) = 0 has no elementary solution; x^4 - x^2 + x/10 has three, in radicals
    points = found("x**4 - x**2 + x/10").critical.points
    with mpmath.workdps(30):
        roots = mpmath.polyroots([4, 0, -2, mpmath.mpf(1) / 10])
    assert sorted(p.x[0] for p in points) == pytest.approx(sorted(float(r.real) for r in roots))


# Notebooks


def test_loss_and_rule_show_as_mathematics_in_notebooks():
    assert Loss("θ**2/2")._repr_latex_() == (r"$$L\left(\theta\right) = \frac{\theta^{2}}{2}$$")
    shown = symgd.Rule("v = beta*v + g; theta = theta - lr*v")._repr_latex_()
    assert shown == (
        r"$$\begin{aligned} v &\leftarrow \beta v + g \\ "
        r"\theta &\leftarrow \theta - \mathrm{lr} v \end{aligned}$$"
    )


def test_results_show_as_tables_in_notebooks_with_names_escaped():
    run = symgd.descend(sympy.Symbol("<i>", real=True) ** 2, lr=10)
    assert "<i>" not in run._repr_html_()
    assert "advice" in run._repr_html_()
    assert "<pre" in symgd.compare("x**2")._repr_html_()


@pytest.mark.parametrize("name", list(symgd.CATALOGUE))
def test_every_rule_of_the_catalogue_has_balanced_latex(name):
    entry = symgd.CATALOGUE[name]
    written = symgd.Rule(entry.text, entry.defaults)._repr_latex_()
    assert written.count("{") == written.count("}")
    assert r"\ldots" not in written


@pytest.mark.parametrize(
    "loss",
    [
        "cosh(x)*exp(x)",  # (exp(2*x) + 1)/2: in doubles its slope is 0 from x = -19 on
        "log(exp(x)*(1 + exp(-x)))",  # log(1 + exp(x))
    ],
)
def test_slopes_that_only_doubles_lose_are_no_critical_points(loss):
    assert symgd.explain(loss, seconds=0).critical.points == ()


def test_critical_points_of_a_quotient_without_value():
    """x/x is 1, and its slope 0; the loss is x**2 - log(exp(2*x) + e), stationary at 1/2 only."""
    [point] = symgd.explain("x**2 - logsumexp(2*x, x/x)", seconds=0).critical.points
    assert point.x == pytest.approx((0.5,), rel=1e-9)
    # the second derivative 2 - 4*s*(1 - s) with s = 1/2
    assert point.eigenvalues == pytest.approx((1.0,), rel=1e-9)


def test_degenerate_minimum_of_a_convex_loss_is_one():
    [point] = symgd.explain("(x - 3)^4 + y^6").critical.points
    assert point.kind == "degenerate"
    assert point.note.startswith("a minimum, for the loss is convex")


@pytest.mark.parametrize("loss", ["1e308*x^2", "-1e308*x^2 + 1e300*y^2", "(x - 1e-300)^2*1e308"])
def test_curvature_beyond_all_doubles_is_explained(loss):
    found = symgd.explain(loss)
    assert "stable" in str(found) or "saddle" in str(found)
    assert found.critical.points[0].x == pytest.approx((0.0,) * len(found.loss.params), abs=1e-9)


def test_no_minimum_at_the_edge_of_a_pole():
    """min(1/y, x) falls without end as y rises to 0 from below; at 0 itself 1/y is infinite."""
    found = symgd.explain("min(1/y + x, z - x)**-2 + x**2 + y**2 + z**2", seconds=0)
    assert not [p for p in found.critical.points if p.kind == "minimum" and p.x[1] == 0]


def test_the_condition_number_is_told_where_it_is_large():
    assert "condition number 1e+09: scale or center" in str(explain("x^2 + 1e-9*y^2")).replace(
        "\n    ", " "
    )
    assert "condition number" not in str(explain("x^2 + 10*y^2"))


def test_the_exercise_is_explained_without_numpy():
    code = "import sys, symgd; symgd.explain('theta**2'); sys.exit('numpy' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
