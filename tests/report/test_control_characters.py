"""No name makes a terminal, a picture, a page or LaTeX do anything: every output shows it escaped.

Names of any text come from SymPy's symbols, columns, rules, options and files.
"""

import io
import json
import re
import unicodedata
from xml.etree import ElementTree

import pytest
import sympy

import symgd
from symgd.report import table
from tests.grids import grid
from tests.outcome import Outcome
from tests.report.engine_in_node import program_in

#: What a terminal obeys (ESC and C1 sequences, CR, BEL, BS, NUL), what turns text around or hides
#: it (bidirectional controls, zero width), what begins a line, and what no encoding can write.
CHARACTERS = "\x1b\x9b\r\n\0\a\b\x7f\x85\u2028\u202e\u2066\u200b\ufeff\ue000\ud800"
NAMES = [f"a{CHARACTERS}b", "a\x1b[31mb", "a\n[31mb"]
each_name = pytest.mark.parametrize("name", NAMES, ids=["everything", "escape", "newline"])


def raw(text):
    """The characters of `text` that are not seen as what they are; a newline begins no name."""
    kinds = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    found = {c for c in text if c != "\n" and unicodedata.category(c) in kinds}
    begun = any(line.startswith(("[31mb", "\\x00")) for line in text.splitlines())
    return found | ({"\n"} if begun else set())


def texts(value):
    """Every text in JSON."""
    if isinstance(value, dict):
        return [t for pair in value.items() for item in pair for t in texts(item)]
    if isinstance(value, list):
        return [t for item in value for t in texts(item)]
    return [value] if isinstance(value, str) else []


def outputs(thing):
    """Everything that an object says of itself, by its kind."""
    found = {"str": str(thing), "repr": repr(thing)}
    for name in ("_repr_html_", "_repr_latex_", "_repr_svg_"):
        if (text := getattr(thing, name, lambda: None)()) is not None:
            found[name] = text
    if hasattr(thing, "to_html"):
        found["page"] = page = thing.to_html()
        found["program of the page"] = program = program_in(page)
        data = json.loads(re.search("const DATA = (.*);", program).group(1))
        found["data of the page"] = "\n".join(texts(data))
    if hasattr(thing, "plot"):
        out = io.StringIO()
        thing.plot().savefig(out, format="svg", metadata={"Date": None})
        found["picture"] = out.getvalue()
    if isinstance(thing, symgd.Result):
        found["report"] = "\n".join(table.report(thing))
    return found


def losses(name):
    x, y, z = sympy.Symbol(name), sympy.Symbol("y"), sympy.Symbol("z")
    return {
        "one": (x - 1) ** 2,
        "two": (x - 1) ** 2 + (y - 2) ** 2,
        "three": (x - 1) ** 2 + (y - 2) ** 2 + (z - 3) ** 2,
        "domain": sympy.log(x) ** 2,
        "undefined": sympy.sqrt(x - 2),
    }


def rule(name):
    return symgd.Rule("theta = theta - lr*g", {}, name)


RESULTS = {
    "loss": lambda name: symgd.Loss(losses(name)["one"]),
    "two parameters": lambda name: symgd.Loss(losses(name)["two"]),
    "descent": lambda name: symgd.descend(losses(name)["one"], steps=3),
    "divergence": lambda name: symgd.descend(losses(name)["one"], steps=3, lr=10),
    "not finite": lambda name: symgd.descend(losses(name)["undefined"], steps=3),
    "line search": lambda name: symgd.descend(losses(name)["one"], steps=3, lr="auto"),
    "map": lambda name: symgd.descend(losses(name)["two"], steps=3),
    "slice": lambda name: symgd.descend(losses(name)["three"], steps=3),
    "rule": rule,
    "run of a rule": lambda name: symgd.descend("theta**2", steps=3, rule=rule(name)),
    "recorded run of a rule": lambda name: symgd.descend(
        "theta**2", steps=3, lr="auto", rule=rule(name)
    ),
    "explanation": lambda name: symgd.explain(losses(name)["two"]),
    "explanation of a domain": lambda name: symgd.explain(losses(name)["domain"]),
    "comparison": lambda name: symgd.compare(losses(name)["two"], lr=[0.1, 0.2], steps=3),
    "comparison of rules": lambda name: symgd.compare(
        "theta**2", rule=[rule(name), "adam"], steps=3
    ),
    "comparison of starts": lambda name: symgd.compare(
        losses(name)["two"], start=[{name: 1.0, "y": 2.0}, {name: 2.0, "y": 1.0}], steps=3
    ),
    "map of rates": lambda name: symgd.compare(losses(name)["one"], lr="1e-3..1:5", steps=3),
    "map of rates of a rule": lambda name: symgd.compare(
        "theta**2", lr="1e-3..1:5", rule=rule(name), steps=3
    ),
    "sweep": lambda name: symgd.sweep(losses(name)["one"], lr=[0.1, 0.2], steps=3),
    "gradient function": lambda name: symgd.descend_with(named(name), 1.0, lr=0.1, steps=3),
}


def named(name):
    def grad(theta):
        return 2 * theta

    grad.__name__ = grad.__qualname__ = name
    return grad


@pytest.mark.parametrize(("kind", "name"), grid(RESULTS, NAMES), ids=lambda text: ascii(text)[:24])
def test_names_are_escaped_in_every_output(kind, name):
    for form, text in outputs(RESULTS[kind](name)).items():
        assert not raw(text), form
        if form in ("_repr_svg_", "picture"):
            ElementTree.fromstring(text)


COLUMN = "a\x1b[31mb\u202ec"


@pytest.mark.parametrize("model", ["y = p*`{}`", "y = p*`{}` + q*t", "sum((y - p*`{}`)**2)"])
def test_names_of_columns_are_escaped_in_fits(model):
    columns = {COLUMN: [1.0, 2.0, 3.0, 4.0], "y": [2.0, 4.1, 5.9, 8.2], "t": [1.0, 3.0, 2.0, 5.0]}
    result = symgd.fit(model.format(COLUMN), columns)
    found = {"str": str(result), "repr": repr(result), "html": result._repr_html_()}
    if "=" in model:
        out = io.StringIO()
        result.plot().savefig(out, format="svg", metadata={"Date": None})
        found["picture"] = out.getvalue()
    for form, text in found.items():
        assert not raw(text), form
    for line in result.warnings:
        assert not raw(line)


@pytest.mark.parametrize(
    "arguments",
    [
        ["mean((y - p*`{}`)**2)", "--data"],
        ["explain", "mean((y - p*`{}`)**2)", "--data"],
        ["compare", "mean((y - p*`{}`)**2)", "--data"],
        ["fit", "y = p*`{}`"],
        ["fit", "y = p*x"],
        ["fit", "y = p*`{}`", "--weight", "nothing"],
        ["mean((y - p)**2)", "-s", "q=1", "--data"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("form", [[], ["--format", "json"]], ids=["table", "json"])
def test_command_line_escapes_the_names_of_columns(arguments, form, tmp_path):
    path = tmp_path / "data.csv"
    path.write_text(f"{COLUMN},y\n1,2\n2,4.1\n3,6.2\n", "utf-8")
    done = Outcome(*(a.format(COLUMN) for a in arguments), str(path), *form)
    assert not raw(done.out)
    assert not raw(done.err)


def errors(name):
    """Calls that say what is wrong with a name."""
    x = sympy.Symbol(name)
    yield lambda: symgd.descend(x**2, start={"z": 1.0})
    yield lambda: symgd.descend(x**2, start={name + "z": 1.0})
    yield lambda: symgd.descend(x**2, set={name: 1.0})
    yield lambda: symgd.descend(x**2, rule=name)
    yield lambda: symgd.descend(x**2, backend=name)
    yield lambda: symgd.descend(x**2, lr=name)
    yield lambda: symgd.descend(x**2, start=name)
    yield lambda: symgd.descend(name)
    yield lambda: symgd.descend("theta**2", rule=rule(name), set={"beta": 1.0})
    yield lambda: symgd.descend_with(named(name), 1.0, 0.1, 3, rule=rule(name), set={"beta": 1.0})
    yield lambda: symgd.descend_with(named(name), name, 0.1, 3)
    yield lambda: symgd.Rule("theta = theta - q*g", {}, name).resolve({})
    yield lambda: symgd.Rule("theta = theta - lr*g", {}, name).resolve({"beta": 1.0})
    yield lambda: symgd.Rule(name)
    yield lambda: symgd.Loss(x**2).value({"z": 1.0})
    yield lambda: symgd.Loss(x**2).value({name: "a" + name})
    yield lambda: symgd.Loss(sympy.Function("a\x1b[31mb\u202e")(x))
    yield lambda: symgd.fit("y = a*x", {"y": [1.0], "x": [name]})
    yield lambda: symgd.fit("y = a*x", name)
    yield lambda: symgd.descend(x**2, steps=3).to_html(name)
    yield lambda: symgd.descend(x**2, steps=3).plot(name + ".jpg")


@each_name
def test_errors_show_names_escaped(name):
    for call in errors(name):
        with pytest.raises(symgd.SymgdError) as caught:
            call()
        assert not raw(str(caught.value)), str(caught.value)
