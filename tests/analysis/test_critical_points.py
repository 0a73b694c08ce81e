"""Critical points are decided, not guessed: curvatures, kinks, inflections; values by hand."""

import math

import pytest

from symgd import Loss, explain
from symgd.analysis.critical.critical_points import critical_points
from symgd.analysis.critical.multiprecision_newton import refined


def points(text, start=None, **rest):
    loss = Loss(text, **rest)
    return critical_points(loss, start or [1.0] * len(loss.params), seconds=0).points


def one(text, **rest):
    [point] = points(text, **rest)
    return point


# Curvatures


@pytest.mark.parametrize(
    ("text", "curvatures"),
    [
        ("x^2 + 1e-9*y^2", (2e-9, 2.0)),
        ("x^2 + 1e-30*y^2", (2e-30, 2.0)),
        ("cosh(x) + 1e-9*cosh(y)", (1e-9, 1.0)),  # cosh'' = cosh
        ("cosh(x - 1) + 1e-30*cosh(y - 1)", (1e-30, 1.0)),
    ],
)
def test_small_curvatures_are_curvatures(text, curvatures):
    point = one(text)
    assert point.kind == "minimum"
    assert point.eigenvalues == pytest.approx(curvatures, rel=1e-9)


def test_unscaled_columns_make_no_degenerate_minimum():
    size = [2104.0, 1600.0, 2400.0, 1416.0, 3000.0]
    rooms = [3.0, 3.0, 3.0, 2.0, 4.0]
    price = [399900.0, 329900.0, 369000.0, 232000.0, 539900.0]
    data = {"size": size, "rooms": rooms, "price": price}
    found = explain("mean((a + b*size + c*rooms - price)^2)/2", data=data, start=0.0)
    [point] = found.critical.points
    import numpy as np

    columns = np.array([[1.0] * 5, size, rooms]).T
    right = np.linalg.eigvalsh(columns.T @ columns / 5)  # the Hessian of the mean of squares / 2
    assert point.kind == "minimum"
    assert point.eigenvalues == pytest.approx(right, rel=1e-6)
    assert found.behaviors[0].rates.lr_max == pytest.approx(2 / right[-1], rel=1e-9)


@pytest.mark.parametrize("text", ["x + sin(x)", "x - sin(x)*cos(x)", "(x - 1)^3", "y^2 + x^5"])
def test_inflections_are_told(text):
    for point in points(text):
        assert (point.kind, point.shape) == ("degenerate", "inflection")
        assert 0.0 in point.eigenvalues  # 1e-16 is no curvature
    assert points(text)


def test_inflections_of_a_monotone_function_with_the_solver():
    found = explain("x+sin(x)")
    assert {p.kind for p in found.critical.points} == {"degenerate"}
    assert {p.shape for p in found.critical.points} == {"inflection"}
    for point in found.critical.points:
        assert math.cos(point.x[0]) == pytest.approx(-1.0)
    assert found.behaviors == ()


def test_a_surface_that_rises_along_every_line_is_no_minimum():
    # Peano: along y = 2*x^2 it is -x^4
    point = one("(y - x^2)*(y - 3*x^2)")
    assert point.kind == "degenerate"
    assert point.note.startswith("neither")


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("x^4 + y^2", "a minimum"),
        ("x^10 + 1000", "a minimum"),
        ("(x^2 + y^2 - 1)^2 - 3*z^2 + 1e-3*z^4", ""),
        ("x^3 - 3*x*y^2", "neither"),
        ("-x^4 - y^6", "a maximum"),
    ],
)
def test_degenerate_points_by_their_neighbors(text, note):
    assert any(p.kind == "degenerate" and p.note.startswith(note) for p in points(text)) or not note


def test_no_point_that_only_rounding_makes():
    # sin at 1e300 has no slope that doubles could tell; x + y cancels nothing at -3.75e9
    assert all(abs(p.x[0]) < 1e6 for p in points("x + sin(x)"))
    found = points("sin(x+y)+(x-y)^2-1.5*x+2.5*y+1")
    assert all(abs(v) < 1e3 for p in found for v in p.x)
    minimum = (0.5 - math.pi / 3, -0.5 - math.pi / 3)  # x - y = 1, cos(x + y) = -1/2
    assert any(p.x == pytest.approx(minimum) and p.kind == "minimum" for p in found)


@pytest.mark.parametrize(
    ("text", "start", "right"),
    [
        ("x^4", [1e-5], (0.0,)),
        ("(x - 1)^2 + (x - 1)^2*(y - 2)^2 + (y - 2)^6", [1.001, 1.999], (1.0, 2.0)),
        ("cos(x)", [3.14], (math.pi,)),
    ],
)
def test_newton_in_many_digits_ends_at_the_zero(text, start, right):
    assert refined(Loss(text), start).x == right


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("cosh(x)*exp(x)", [-25.0]),
        ("x^3 + 1e-20*x", [1e-6]),
        ("tan(x)", [1e-7]),
        ("exp(-x^2)", [6.0]),
        ("log(exp(x)*(1 + exp(-x)))", [-40.0]),
    ],
)
def test_newton_in_many_digits_refutes(text, start):
    assert refined(Loss(text), start) is False


# Kinks


@pytest.mark.parametrize(
    ("text", "x", "value"),
    [
        ("sqrt(x^2 + y^2)", (0, 0), 0),
        ("hypot(x - 1, 2*y)", (1, 0), 0),
        ("(x^2 + y^2)^0.25", (0, 0), 0),
        ("sqrt(abs(x)) + y^2", (0, 0), 0),
        ("abs(x)^0.5 + (y - 1)^2", (0, 1), 0),
        ("abs(y - x^2) + (1 - x)^2", (1, 1), 0),  # the bottom of a curved kink
        ("100*sqrt(abs(y - 0.01*x^2)) + 0.01*abs(x + 10)", (-10, 1), 0),  # Bukin 6
        ("max(x^2 + y^2, (x - 2)^2 + y^2)", (1, 0), 1),
        ("max(abs(x), abs(y))", (0, 0), 0),
        # sum of distances to (0, 0), (1, 0), (0, 1)/10: the first is a corner of more than 120 deg.
        ("hypot(x, y) + hypot(x - 1, y) + hypot(x + 1, y - 0.1)", (0, 0), 1 + math.hypot(1, 0.1)),
        ("abs(x) + abs(y) + abs(z) + (x - 1)^2", (0.5, 0, 0), 0.75),
        ("sqrt(x)", (0,), 0),
        ("abs(x)^1.5", (0,), 0),
        ("where(x > 1, x - 1, 2 - 2*x)", (1,), 0),
        ("cbrt(x)^2", (0,), 0),
    ],
)
def test_minima_at_kinks(text, x, value):
    [point] = [p for p in points(text) if p.kind == "minimum"]
    assert (point.x, point.value) == (tuple(map(float, x)), pytest.approx(value, abs=1e-12))
    assert point.shape == "kink"
    assert point.kinked


def test_ackley_has_its_cone_and_what_is_around():
    found = points(
        "-20*exp(-0.2*sqrt(0.5*(x^2+y^2))) - exp(0.5*(cos(2*pi*x)+cos(2*pi*y))) + e + 20"
    )
    assert found[0].x == (0.0, 0.0)
    assert found[0].value == pytest.approx(0.0, abs=1e-12)
    assert (found[0].kind, found[0].shape) == ("minimum", "kink")
    assert found[1].value == pytest.approx(2.5799275570298866)  # by SciPy's BFGS from (0, 1)


@pytest.mark.parametrize(
    "text",
    [
        "abs(y - x^2) - 0.1*x",  # falls along the curve
        "abs(y - x^2) - x^2 + y/2",
        "abs(x) - abs(y)",
        "log(abs(x))",
        "1/abs(x)",
        "abs(x - y) + x",
    ],
)
def test_no_false_minimum_at_a_kink(text):
    assert [p for p in points(text) if p.kind == "minimum"] == []


def test_a_line_of_minima_at_a_kink_is_one_entry():
    point = one("abs(x - y)")
    assert point.value == 0
    assert "not the only one" in point.note


def test_kinks_of_a_periodic_function_are_exact():
    lowest = [p for p in points("abs(sin(x))") if p.kind == "minimum"]
    assert len(lowest) >= 3
    for point in lowest:
        assert point.x[0] == pytest.approx(math.pi * round(point.x[0] / math.pi), abs=1e-15)


def test_a_cone_of_an_even_function_is_smooth():
    found = points("cos(5*sqrt(x^2 + y^2))")
    assert any(p.x == (0.0, 0.0) and p.kind == "maximum" for p in found)


def test_points_close_together_at_a_large_distance_are_apart():
    """(x - a)^2*(x - a - d)^2 with a = 1e6, d = 1e-3: minima at both ends, a maximum between."""
    found = explain("(x-1e6)^2*(x-1e6-1e-3)^2").critical
    assert [p.kind for p in found.points] == ["minimum", "minimum", "maximum"]
    assert sorted(p.x[0] for p in found.points) == pytest.approx(
        [1e6, 1e6 + 5e-4, 1e6 + 1e-3], rel=1e-15
    )


def test_a_valley_of_minima_has_the_rates_across_it():
    [behavior] = [b for b in explain("(x*y - 1)^2").behaviors if b.point.x == (1.0, 1.0)]
    # across the hyperbola at (1, 1) the curvature is 2*(x^2 + y^2) = 4
    assert behavior.rates.lr_max == pytest.approx(0.5)


@pytest.mark.parametrize("text", ["cosh(x) - 1e-12*y^2", "1e-20*(x^4 - x^2)", "1e20*(x^4 - x^2)"])
def test_small_negative_curvature_disproves_convexity(text):
    assert explain(text, seconds=0).convexity.convex is False


@pytest.mark.parametrize(
    ("text", "x", "kind"),
    [
        ("x^x", 0.0, "maximum"),  # its slope is -inf there: no flat point
        ("x*sqrt(x) - x", 0.0, "maximum"),
        ("x^(2/3)", 0.0, "minimum"),
    ],
)
def test_the_edge_of_the_domain_is_told(text, x, kind):
    [point] = [p for p in points(text) if p.x == (x,)]
    assert (point.kind, point.shape) == (kind, "kink")
    assert "at the edge of where it has a value" in point.note


def test_no_kink_is_seen_in_a_fast_oscillation():
    found = explain("sin(x^2)").critical
    assert all(p.shape == "smooth" for p in found.points)
    for point in found.points[1:]:
        assert abs(2 * point.x[0] * math.cos(point.x[0] ** 2)) < 1e-12


def test_the_solver_is_not_asked_for_roots(monkeypatch):
    import subprocess

    monkeypatch.setattr(subprocess, "Popen", None)
    found = explain("abs(x)^0.5 + (x-1)^2").critical
    # 1/(2*sqrt(x)) + 2*(x - 1) = 0: 4*s^3 - 4*s + 1 = 0 with s = sqrt(x)
    import numpy as np

    roots = sorted(float(s) ** 2 for s in np.roots([4, 0, -4, 1]).real if s > 0)
    assert sorted(p.x[0] for p in found.points) == pytest.approx([0.0, *roots])


def test_a_degenerate_minimum_of_many_parameters_is_one_point():
    """Powell's singular function, thrice: (x2 - 2*x3)^4 and (x1 - x4)^4 have no curvature at 0."""
    blocks = [
        f"(x{k} + 10*x{k + 1})^2 + 5*(x{k + 2} - x{k + 3})^2"
        f" + (x{k + 1} - 2*x{k + 2})^4 + 10*(x{k} - x{k + 3})^4"
        for k in (1, 5, 9)
    ]
    for point in points(" + ".join(blocks)):
        assert point.kind == "degenerate"
        assert point.eigenvalues.count(0.0) == 6
        assert point.value == pytest.approx(0, abs=1e-12)
