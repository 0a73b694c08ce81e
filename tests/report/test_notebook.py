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
