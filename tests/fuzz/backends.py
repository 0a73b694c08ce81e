"""Machine code and JavaScript on the same formulas, against the oracle."""

from __future__ import annotations

import atexit
import json
import math
import shutil
import subprocess
from functools import cache

import symgd

from . import subject
from .case import Case
from .compare import Disagreement, Tally, compare

_SERVER = """
require("readline").createInterface({input: process.stdin}).on("line", line => {
  const {library, sources, args} = JSON.parse(line);
  const functions = new Function(library + "\\nreturn [" + sources.join(",") + "];")();
  console.log(JSON.stringify(functions.map(f => f(...args).map(String))));
});
"""


def machine_code(case: Case, tally: Tally) -> Disagreement | None:
    """Value and gradient of `Loss.compiled`."""
    if case.point.columns:
        return None
    loss = subject.loss_of(case)
    theta = case.point.params
    value, grad = loss.compiled([theta[p] for p in loss.params])
    slopes = dict(zip(loss.params, grad, strict=True))
    return compare("compiled", case, [value, *(float(slopes[p]) for p in theta)], tally)


def javascript(case: Case, tally: Tally) -> Disagreement | None:
    """Value, gradient and Hessian in the JavaScript of the live page, run by node."""
    if case.point.columns or shutil.which("node") is None:
        return None
    loss = subject.loss_of(case)
    try:
        library, sources = subject.javascript(loss)
    except symgd.BackendError:
        tally["no such function"] += 1
        return None
    theta = case.point.params
    server = _node()
    request = {"library": library, "sources": sources, "args": [theta[p] for p in loss.params]}
    server.stdin.write(json.dumps(request) + "\n")
    server.stdin.flush()
    first, triangle = json.loads(server.stdout.readline())
    found = subject.in_order(loss, theta, [_number(x) for x in first], list(map(_number, triangle)))
    return compare("javascript", case, found, tally)


def _number(text: str) -> float:
    return math.inf * (-1 if text[0] == "-" else 1) if "Infinity" in text else float(text)


@cache
def _node() -> subprocess.Popen[str]:
    """One process for the whole run."""
    node = shutil.which("node")
    assert node is not None
    server = subprocess.Popen(
        [node, "-e", _SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    atexit.register(server.kill)
    return server
