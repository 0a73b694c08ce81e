"""The notebook of the docs: its cells run, and show what is stored with them."""

import ast
import contextlib
import io
import json
from pathlib import Path

import pytest

from symgd import SymgdError

PATH = Path(__file__).parent.parent / "docs" / "tour.ipynb"


def executed(sources):
    """The outputs of each cell as a notebook stores them: stdout, errors, and the last value."""
    scope = {}
    for source in sources:
        tree, out, value, outputs = ast.parse(source), io.StringIO(), None, []
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        error = None
        with contextlib.redirect_stdout(out):
            try:
                exec(compile(tree, "<cell>", "exec"), scope)
                if last is not None:
                    value = eval(compile(ast.Expression(last.value), "<cell>", "eval"), scope)
            except SymgdError as raised:
                error = raised
        if out.getvalue():
            outputs.append({"output_type": "stream", "name": "stdout", "text": out.getvalue()})
        if error is not None:
            shown = error._render_traceback_()[-1]
            kind, _, text = shown.partition(": ")
            outputs.append(
                {"output_type": "error", "ename": kind, "evalue": text, "traceback": [shown]}
            )
        if value is not None:
            forms = {"text/plain": repr(value)}
            for key, name in (("text/html", "_repr_html_"), ("text/latex", "_repr_latex_")):
                made = getattr(value, name, lambda: None)()
                if made is not None:
                    forms[key] = made
            outputs.append({"output_type": "execute_result", "data": forms})
        yield outputs


def test_every_cell_shows_what_is_stored():
    pytest.importorskip("pandas")
    cells = [c for c in json.loads(PATH.read_text("utf-8"))["cells"] if c["cell_type"] == "code"]
    found = executed("".join(cell["source"]) for cell in cells)
    for cell, outputs in zip(cells, found, strict=True):
        assert len(cell["outputs"]) == len(outputs), cell["source"]
        for stored, made in zip(cell["outputs"], outputs, strict=True):
            assert stored["output_type"] == made["output_type"]
            assert stored.get("text") == made.get("text")
            assert stored.get("evalue") == made.get("evalue")
            if "data" in made:
                plain = stored["data"]["text/plain"]
                assert plain == made["data"]["text/plain"]
                assert set(stored["data"]) == set(made["data"])
