"""What a notebook is given of losses, rules and results."""

from xml.etree import ElementTree

import pytest
import sympy

import symgd

HOSTILE = sympy.Symbol("</div><script>alert(1)</script>", real=True)


@pytest.mark.parametrize(
    "shown",
    [
        symgd.Loss("theta**2"),
        symgd.Loss(HOSTILE**2),
        symgd.Rule("v = 0.9*v + g; theta = theta - lr*v"),
        symgd.model.rules.find_rule("adam"),
        symgd.descend("(x-1)**2 + y**4", steps=3),
        symgd.descend("theta**2", lr=1e200, steps=5),
        symgd.descend(symgd.Loss(HOSTILE**2), steps=3),
    ],
)
def test_each_has_every_form_and_no_name_is_markup(shown):
    latex, page, svg = shown._repr_latex_(), shown._repr_html_(), shown._repr_svg_()
    assert latex.startswith("$$")
    assert latex.endswith("$$")
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    assert ElementTree.fromstring(page).tag in ("div", "table")
    assert "<script" not in page + svg


def test_formula_stands_above_the_sketch():
    loss = symgd.Loss("theta**2/2")
    page = loss._repr_html_()
    assert page.index(r"\frac{\theta^{2}}{2}") < page.index("<svg")
    assert "<svg" not in symgd.Loss("x**2 + y**2 + z**2")._repr_html_()


def test_equations_and_ends_are_written_out():
    rule = symgd.Rule("v = 0.9*v + g; theta = theta - lr*v")
    lines = [t.text for t in ElementTree.fromstring(rule._repr_svg_()) if t.tag.endswith("text")]
    assert lines == ["v = 0.9*v + g", "theta = theta - lr*v"]
    end = symgd.descend("theta**2", lr=0.2, steps=20)._repr_latex_()
    assert r"\theta &= 3.656158440062973 \cdot 10^{-5}" in end
    assert r"\text{steps} &= 20" in end


def test_results_have_latex_and_a_sketch_beside_their_table():
    x = {"x": [0.0, 1.0, 2.0, 3.0], "y": [1.0, 3.1, 4.9, 7.0]}
    fitted = symgd.fit("y = a*x + b", x)
    assert fitted._repr_latex_().startswith(r"$$\begin{aligned} a &= 1.98 \pm 0.042")
    compared = symgd.compare("theta**2")
    assert r"\text{gd} & \text{0.2} & 1.337 \cdot 10^{-9} & \text{converging}" in (
        compared._repr_latex_()
    )
    swept = symgd.sweep("theta**2", lr=[0.1, 0.2])
    assert swept._repr_latex_() == swept.loss._repr_latex_()
    for shown in (compared, symgd.explain("theta**2"), symgd.descend("theta**2", steps=3)):
        page = ElementTree.fromstring(shown._repr_html_())
        assert [child.tag.split("}")[-1] for child in page] == ["div", "svg"]
    assert "font-family: monospace" in compared._repr_html_()


def test_reprs_fit_one_screen():
    run = symgd.descend("sum(x[i]^2, i=1..n)", sizes={"n": 500}, steps=300)
    grid = symgd.sweep("theta**2", lr=[k / 1000 for k in range(1, 500)])
    fit = symgd.fit("y = a*x + b", {"x": range(99), "y": [k % 7 for k in range(99)]})
    compared = symgd.compare("theta**2", lr="1e-3..1:50")
    for thing in (run, run.history, grid, compared, symgd.explain("theta**2"), fit):
        assert len(repr(thing)) < 2000
        assert repr(thing).count("\n") < 24
    assert len(str(grid).splitlines()) < 24
    assert str(grid).splitlines()[-1].startswith("lowest loss: ")
    assert fit.x.tolist() == [fit.theta["a"], fit.theta["b"]]
    assert (fit.fun, fit.nit, fit.success) == (fit.rss, fit.steps, True)


def test_a_wrong_formula_shows_its_caret_and_the_line_of_the_caller():
    with pytest.raises(symgd.FormulaError) as caught:
        symgd.Loss("x + sin(y")
    shown = caught.value._render_traceback_()
    assert 'symgd.Loss("x + sin(y")' in shown[0]
    assert shown[-1].startswith("FormulaError: 'sin' is never closed")
    assert "^" in shown[-1]
    assert len("\n".join(shown).splitlines()) < 8
