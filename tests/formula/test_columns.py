"""Which column of the data a name in a formula means."""

import pytest

import symgd
from symgd import FormulaError, Loss

DATA = {"θ": [1.0, 2.0], "y": [1.0, 3.0]}


@pytest.mark.parametrize("name", ["theta", "θ", "`θ`"])
def test_a_bare_name_is_found_in_any_spelling_and_a_quoted_one_as_it_is(name):
    loss = Loss(f"mean((y - a*{name})**2)", DATA)
    assert (loss.params, loss.columns) == (("a",), ("y", "θ"))


def test_a_quoted_name_is_found_in_no_other_spelling():
    with pytest.raises(FormulaError, match="no column 'theta'"):
        Loss("mean((y - a*`theta`)**2)", DATA)


@pytest.mark.parametrize(("name", "best"), [("θ", 19 / 14), ("theta", 23 / 14)])
def test_two_spellings_of_one_name_are_two_columns_in_back_quotes(name, best):
    """By hand: sum(x*y)/sum(x*x) of the one and of the other."""
    data = {"θ": [1.0, 2.0, 3.0], "theta": [2.0, 3.0, 1.0], "y": [3.0, 5.0, 2.0]}
    result = symgd.descend(f"mean((y - a*`{name}`)**2)", data=data, lr=0.1, steps=200)
    assert result.theta["a"] == pytest.approx(best, rel=1e-12)
    with pytest.raises(FormulaError, match="may be the column"):
        Loss("mean((y - a*theta)**2)", data)
