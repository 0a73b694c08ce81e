"""What `--format json` prints is what docs/schemas/outputs.json says, key by key."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from symgd.analysis.verdicts.sentences import OUTCOMES
from symgd.model.result import Status
from tests.outcome import Outcome

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "docs" / "schemas" / "outputs.json").read_text("utf-8"))
DECAY = str(ROOT / "examples" / "decay.csv")

COMMANDS = {
    "run": [
        ["theta**2", "--every", "7"],
        ["log(x)"],
        ["x^2 + y^2", "-r", "adam", "-l", "0.1/t", "--bound", "x=0.5:"],
        ["x^2 + y^2", "--subject-to", "x + y >= 1"],
        ["x^2 + 10*sin(3*x)", "--starts", "20", "--within", "x=-10:10"],
        ["sum(x[i]^2, i=1..n)", "--size", "n=3", "-l", "auto"],
    ],
    "compare": [["x^2", "-l", "0.1,10"], ["x^2", "-l", "0.1..1:3"], ["x^2", "-m", "newton,lbfgs"]],
    "explain": [
        ["x^2 + abs(y)", "--bound", "x=1:"],
        ["(a*b)^2", "-r", "adam"],
        ["log(cosh(x))", "--certify"],
    ],
    "fit": [
        ["counts = a*exp(-b*t) + c", DECAY, "--derived", "half=ln(2)/b", "--fix", "c=0.5"],
        ["counts = a*t + b*t", DECAY],
        ["counts = a*t + b", DECAY, "--profile"],
    ],
    "columns": [["counts = a*t + b", DECAY, "--rows"], ["counts = a*t", DECAY, "--predict", DECAY]],
    "rules": [[]],
    "schedules": [[]],
    "functions": [[]],
}


def check(name, value):
    Draft202012Validator({**SCHEMA, "$ref": f"#/$defs/{name}"}).validate(value)


@pytest.mark.parametrize(("name", "args"), [(n, a) for n, rows in COMMANDS.items() for a in rows])
def test_json_is_as_its_schema_says(name, args):
    command = {"columns": "fit"}.get(name, name)
    check(name, json.loads(Outcome(command, *args, "--format", "json").out))


def test_json_lines_are_steps_and_a_run():
    *steps, run = map(json.loads, Outcome("theta**2", "--format", "jsonl").out.splitlines())
    for step in steps:
        check("step", step)
    check("run", {**run, "history": []})


def test_the_schema_knows_every_status_and_every_kind_of_verdict():
    parts = SCHEMA["$defs"]
    Draft202012Validator.check_schema(SCHEMA)
    assert set(parts["status"]["enum"]) == {status.value for status in Status}
    assert set(parts["verdict"]["properties"]["kind"]["enum"]) == {k for k, _ in OUTCOMES.values()}
