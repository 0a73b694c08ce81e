"""Which column of the data a name in a formula means."""

import pytest

from symgd import FormulaError, Loss

DATA = {"θ": [1.0, 2.0], "y": [1.0, 3.0]}


@pytest.mark.parametrize("name", ["theta", "θ", "`θ`"])
def test_a_bare_name_is_found_in_any_spelling_and_a_quoted_one_as_it_is(name):
    loss = Loss(f"mean((y - a*{name})**2)", DATA)
    assert (loss.params, loss.columns) == (("a",), ("y", "θ"))


def test_a_quoted_name_is_found_in_no_other_spelling():
    with pytest.raises(FormulaError, match="no column 'theta'"):
        Loss("mean((y - a*`theta`)**2)", DATA)
