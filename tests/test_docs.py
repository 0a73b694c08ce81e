"""The blocks of README and docs, the examples and the docstrings say what happens."""

import doctest
import importlib
import pkgutil
import re
import runpy
import sys
from pathlib import Path

import pytest

import symgd
from tests.console_blocks import blocks, printed, sessions

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").rglob("*.md"))]


def _of_pages(found):
    for path in PAGES:
        for case in found(path.read_text("utf-8")):
            yield path.stem, *case


@pytest.mark.parametrize(
    ("page", "command", "output"), list(_of_pages(sessions)), ids=lambda value: value[:40]
)
def test_console_blocks_print_what_they_show(page, command, output, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert printed(command) == output


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_python_blocks_print_what_they_show(path, monkeypatch):
    monkeypatch.chdir(ROOT)
    text = "".join(b for b in blocks("python", path.read_text("utf-8")) if b.startswith(">>> "))
    examples = doctest.DocTestParser().get_doctest(text, {}, path.stem, None, 0)
    assert doctest.DocTestRunner().run(examples).failed == 0


def test_every_link_of_a_page_has_its_file():
    for path in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text("utf-8")):
            assert (path.parent / target).exists(), (path, target)


def test_readme_is_short_and_counts_the_rules_rightly():
    text = README.read_text("utf-8")
    assert len(text.splitlines()) <= 150
    rules = sum(entry.kind == "rule" for entry in symgd.CATALOGUE.values())
    assert f"has {rules}, and {len(symgd.CATALOGUE) - rules} parts" in text


def test_readme_has_exactly_two_set_up_commands():
    assert len(re.findall("^pip install ", README.read_text("utf-8"), re.MULTILINE)) == 2


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


def test_the_reference_has_every_public_name():
    page = (ROOT / "docs" / "reference" / "api.md").read_text("utf-8")
    shown = set(re.findall(r"^\.\. [\w:]+:: (\w+)", page, re.MULTILINE))
    assert set(symgd.__all__) - {"__version__"} <= shown


def test_unknown_attribute_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        symgd.nonsense  # noqa: B018


@pytest.mark.parametrize("name", list(symgd.FUNCTIONS))
def test_functions_tell_what_they_are(name):
    row = symgd.FUNCTIONS[name]
    assert row.doc
    assert row.signature.startswith(name + "(")
