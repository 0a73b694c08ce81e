"""README's console and Python blocks, the examples and the docstrings say what happens."""

import doctest
import importlib
import os
import pkgutil
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import symgd
from symgd.formula.functions.table import POWERS, VARIABLES

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text("utf-8")
VERDICTS = (ROOT / "docs" / "verdicts.md").read_text("utf-8")
EXPLAIN = (ROOT / "docs" / "explain.md").read_text("utf-8")
RULES = (ROOT / "docs" / "rules.md").read_text("utf-8")
METHODS = (ROOT / "docs" / "methods.md").read_text("utf-8")


def blocks(language, text=README):
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def sessions():
    """(command, output) of every `$ ` line in the console blocks."""
    for block in [
        block
        for text in (README, VERDICTS, EXPLAIN, RULES, METHODS)
        for block in blocks("console", text)
    ]:
        for part in block.split("$ ")[1:]:
            command, _, output = part.partition("\n")
            yield command, output.rstrip("\n")


@pytest.mark.skipif(os.name == "nt", reason="the console blocks are for a POSIX shell")
@pytest.mark.parametrize(("command", "output"), list(sessions()), ids=lambda v: v[:40])
def test_console_blocks_print_what_they_show(command, output):
    define = f'symgd() {{ "{sys.executable}" -m symgd "$@"; }}\n'
    env = {**os.environ, "COLUMNS": "80", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        ["bash", "-c", define + command], capture_output=True, encoding="utf-8", env=env, check=True
    )
    assert done.stdout.rstrip("\n") == output


def test_readme_python_blocks_print_what_they_show():
    examples = doctest.DocTestParser().get_doctest("".join(blocks("python")), {}, "README", None, 0)
    assert examples.examples
    assert doctest.DocTestRunner().run(examples).failed == 0


def test_readme_has_exactly_two_set_up_commands():
    assert len(re.findall("^pip install ", README, re.MULTILINE)) == 2


def test_readme_names_every_rule():
    for name in symgd.CATALOGUE:
        assert name in README


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.py")), ids=lambda p: p.stem)
def test_examples_run(path, capfd, monkeypatch):
    monkeypatch.setattr(sys, "argv", [str(path)])
    runpy.run_path(str(path), run_name="__main__")
    out, err = capfd.readouterr()
    assert out
    assert not err


MODULES = [
    m.name for m in pkgutil.walk_packages(symgd.__path__, "symgd.") if "__main__" not in m.name
]


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples_run(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_public_names_are_sorted_and_there():
    listed = [n for n in symgd.__all__ if n != "__version__"]
    assert listed == sorted(listed, key=lambda n: (not n.isupper(), not n[0].isupper(), n))
    for name in symgd.__all__:
        assert getattr(symgd, name) is not None


def test_unknown_attribute_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        symgd.nonsense  # noqa: B018


def test_grammar_page_lists_the_functions():
    page = (ROOT / "docs" / "formulas.md").read_text("utf-8")
    shown = [line for line in page.splitlines() if line.startswith("| `") and line.count("` |")]
    wanted = [
        f"| `{name}{power.signature}` | {power.doc} | {f'`{power.also}`' if power.also else ''} |"
        for name, power in POWERS.items()
    ]
    for row in symgd.FUNCTIONS.values():
        doc = row.doc.replace("|", "\\|")
        wanted.append(f"| `{row.signature}` | {doc} | {', '.join(f'`{a}`' for a in row.aliases)} |")
    start = shown.index(wanted[0])
    assert shown[start : start + len(wanted)] == wanted
    listed = page.partition("variables elsewhere:")[2].partition(".\n")[0]
    assert set(listed.replace("`", "").replace(",", " ").split()) == VARIABLES


@pytest.mark.parametrize("name", list(symgd.FUNCTIONS))
def test_grammar_page_and_functions_agree(name):
    row = symgd.FUNCTIONS[name]
    assert row.doc
    assert row.signature.startswith(name + "(")
