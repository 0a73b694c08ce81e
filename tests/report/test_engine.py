"""The engine of the page, under Node.js: Python's values, gradients, verdicts and sentences."""

import pytest

import symgd
from symgd.errors import SymgdError
from tests.corpora import load
from tests.report.engine_in_node import WHY_NOT, ask, by_python, same

pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)

#: sin(60*exp(x2)) multiplies the last digit of exp by 60*exp(x2), some thousands
AMPLIFIED = {"Trefethen": 1e-8}

#: What the page leaves to the command line: the sentence names it.
ONLY_PYTHON = {
    "besselj(0, x)": "'besselj' is computed by Python only",
    "a[1]^2": "arrays, ranges and definitions are read on the command line only",
    "3..": "arrays, ranges and definitions are read on the command line only",
    "sum(x[i]^2, i=1..3)": "arrays, ranges and definitions are read on the command line only",
}

MISTAKES = """
x +|sin x|2**|foo(x)|x**2 + lambda y: y|np.exp(x)|x = 3|(1+2|1e|2pir|a/2b|x,y|log()|huber(x,1,2)
where(x,1,2)|where(x>0,1)|x!!|5%|expp(x)|1/0|log(0)|sqrt(-1)|f(x)=x|x if x>0 else 0|x₁|x // 2
cos**2 x|_x+__y|inf|sum(x)|`a b`|x^2^3|√2x|minimize x^2|0x12|10^400|exp(1000)|x'|x and y|not x
x == 1|round(x)|1_|sin^-1 x|x²³^2|1e400|1e-999|mod(x)|x^1e7|0/0|µ^2|ｘ^2|pi x|3 4|gamma + )
max()|clip(x,1)|x?1:2|x mod 2|x*/2|(x)(y) z|(|()|√√x|where(x > 1 < 2, 1, 2)|x.abs()
"""


def texts_of_mistakes():
    return [text for text in MISTAKES.replace("\n", "|").split("|") if text]


def slice_of_the_corpora():
    """(name, text, points) of some records of each corpus; `benchmarks pages` takes them all."""
    for record in (load("mgh") or [])[::5]:
        start = dict(zip(record["params"], record["start"], strict=True))
        yield record["name"], record["expr"], [start]
    for record in (load("test_functions") or [])[1::6]:
        points = [dict(zip(record["params"], x, strict=True)) for x in record["check_points"][:2]]
        yield record["name"], record["expr"], points
    for record in (load("feynman") or [])[::6]:
        yield record["id"], record["formula"], [record["check_points"][0]["at"]]
    for record in (load("expressions") or [])[::4]:
        yield record["expr"], record["expr"], [c["at"] for c in record["check_points"][:2]]


OWN = [
    ("log(1 + exp(x))", [{"x": v} for v in (-800.0, -40.0, 0.3, 800.0)]),
    ("exp(x)/(1 + exp(x))", [{"x": v} for v in (-800.0, -1.0, 800.0)]),
    ("exp(x) - 1 + 1 - cos(y)", [{"x": 1e-12, "y": 1e-9}]),
    ("where(x > 0, sqrt(x), x^2) + |y|", [{"x": -1.0, "y": 0.0}, {"x": 4.0, "y": -2.0}]),
    ("sqrt(x^2 + y^2)^3 + x^y", [{"x": 3.0, "y": 4.0}]),
    ("logsumexp(x, y) + clip(x, -1, 1)*huber(y) + max(x, y, x)", [{"x": 0.5, "y": 2.0}]),
    ("gamma(x) + loggamma(y) + erf(x)*ndtr(y) + log_ndtr(-9 - y)", [{"x": 2.5, "y": 0.3}]),
    ("sinc(x) + atan2(x, y) + mod(x, y) + softplus(-x)*sech(y)", [{"x": 1.5, "y": 0.7}]),
]  # fmt: skip


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """Everything that the tests below ask, answered by one process."""
    cases = [*slice_of_the_corpora(), *((text, text, points) for text, points in OWN)]
    python = [by_python(text, points) for _, text, points in cases]
    data = {"t": [0.0, 0.5, 1.0, 2.0], "y": [3.0, 2.1, 1.4, 0.8]}
    rows = "mean((y - a*exp(-b*t))^2) + 0.1*sum(huber(y - a, 0.5))"
    pairs = zip(cases, python, strict=True)
    losses = [{"text": case[1], "at": known.get("at", [])} for case, known in pairs]
    losses += [{"text": text, "at": []} for text in [*texts_of_mistakes(), *ONLY_PYTHON]]
    losses.append({"text": rows, "at": [[2.0, 0.7]], "data": data})
    found = ask(tmp_path_factory.mktemp("engine"), losses, RUNS)
    count = len(cases)
    return {
        "numbers": list(zip(cases, python, found["losses"], strict=False)),
        "mistakes": found["losses"][count : count + len(texts_of_mistakes())],
        "only": found["losses"][count + len(texts_of_mistakes()) : -1],
        "rows": (found["losses"][-1], by_python(rows, [{"a": 2.0, "b": 0.7}], data)),
        "runs": found["runs"],
    }


def test_values_and_gradients_are_pythons_to_twelve_digits(answers):
    numbers = 0
    for (name, text, _), theirs, ours in answers["numbers"]:
        if theirs.get("params") == []:
            assert ours["error"][1] == "the loss has no parameter"
            continue
        assert ("error" in ours) == ("error" in theirs), (text, ours, theirs)
        if "error" in ours:
            assert ours["error"] == theirs["error"], text
            continue
        assert ours["params"] == theirs["params"], text
        for row, expected in zip(ours["values"], theirs["values"], strict=True):
            for a, b in zip(row, expected, strict=True):
                assert same(a, b, AMPLIFIED.get(name, 1e-12)), (text, row, expected)
                numbers += 1
    assert numbers > 60


def test_rows_of_data_have_pythons_values_and_gradients(answers):
    ours, theirs = answers["rows"]
    assert all(map(same, ours["values"][0], theirs["values"][0]))


def test_mistakes_have_pythons_sentences_and_places(answers):
    for text, ours in zip(texts_of_mistakes(), answers["mistakes"], strict=True):
        theirs = by_python(text, [])
        assert ours.get("error") == theirs.get("error"), text


def test_what_only_python_reads_is_said(answers):
    for sentence, ours in zip(ONLY_PYTHON.values(), answers["only"], strict=True):
        assert ours["error"][1] == sentence


#: losses, rules, rates: every rule of the catalogue that the page can run, and schedules
LOSSES = [
    ("theta**2", [1.0], 0.2),
    ("(1-x)^2 + 100*(y-x^2)^2", [-1.2, 1.0], 0.0008),
    ("x^2 - y^2 + y^4/4", [1.0, 0.001], 0.1),
    ("x^4 - 2*x^2 + 0.3*x", [1.6], 0.02),
    ("log(1 + exp(-a)) + a^2/10", [3.0], 0.5),
    ("|x| + y^2", [1.0, 1.0], 0.1),
    ("x^4", [1.0], 0.1),
    ("x^2 + 100*y^2", [1.0, 1.0], 0.011),
]
RULES = ["gd", "momentum", "nesterov", "adam", "rmsprop", "lion", "adagrad", "clip_norm+momentum"]
OWN_RULES = [
    "v = 0.5*v + g + 0.1*normal()\ntheta = theta - lr*v*rademacher()",
    "h = 1 + norm(g)*loss(theta)\ntheta = theta - lr*grad(theta - lr*g)/h + 0*count(g > 0)*mean(g)",
]


def _run(loss, rule, lr, start, steps):
    return {"loss": loss, "rule": rule, "lr": lr, "start": start, "steps": steps}


def runs():
    for k, (loss, start, lr) in enumerate(LOSSES):
        for j, (scale, steps) in enumerate([(1, 20), (0.1, 100), (1.5, 300), (8, 30)]):
            yield _run(loss, RULES[(j + 3 * k) % len(RULES)], lr * scale, start, steps)
    for rule in [entry.name for entry in symgd.CATALOGUE.values() if entry.kind == "rule"][::7]:
        yield _run("x^2 + 3*y^2", rule, 0.01, [1.0, -2.0], 60)
    for rule in OWN_RULES:
        yield _run("x^2 + y^4", rule, 0.1, [1.0, 1.0], 40)
    for lr in ("0.1/(1 + t/10)", "cosine(0.2)", "0.2*(1 - t/n)", "warmup_cosine(0.1)", "1/3"):
        yield _run("x^2 + y^4", "gd", lr, [1.0, 1.0], 50)


RUNS = list(runs())


def test_ends_and_kinds_of_verdicts_are_pythons(answers):
    """A page knows no ray along which a loss falls without bound, and then says less."""
    kinds = seen = 0
    for run, ours in zip(RUNS, answers["runs"], strict=True):
        try:
            theirs = symgd.descend(run["loss"], rule=run["rule"], lr=run["lr"], start=run["start"],
                                   steps=run["steps"], advise=False)  # fmt: skip
        except SymgdError as error:
            raise AssertionError(run) from error
        if theirs.rule.reported is not None:
            assert "run by Python only" in ours["error"][1]
            continue
        assert "kind" in ours, (run, ours)
        assert ours["kind"] in (theirs.verdict.kind, "descending"), (run, ours, theirs.verdict)
        seen += 1
        kinds += ours["kind"] == theirs.verdict.kind
        if theirs.verdict.kind not in ("diverging", "nonfinite"):
            end = zip(ours["end"], theirs.x, strict=True)
            assert all(same(a, b, 1e-9) or abs(float(a) - b) < 1e-12 for a, b in end), (run, ours)
    assert kinds >= 0.98 * seen > 40
