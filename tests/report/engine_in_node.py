"""The page's engine under Node.js: what it makes of typed losses, and what Python makes of them."""

import base64
import json
import math
import re
import shutil
import subprocess
import zlib

import symgd
from symgd.errors import FormulaError
from symgd.report.page import program_of
from symgd.report.page.page_data import content_of

WHY_NOT = "" if shutil.which("node") else "there is no Node.js on this machine"

_PROGRAM = """
adopt(DATA, FUNCTIONS);
const asked = JSON.parse(require("fs").readFileSync(process.argv[2], "utf8"));
const reading = (does) => {
  try { return does(); } catch (error) {
    if (!(error instanceof FormulaError)) return { bug: String(error.stack) };
    return { error: [error.column, error.sentence, error.hint] };
  }
};
const losses = asked.losses.map(({ text, at, data }) => reading(() => {
  const { data: known, functions } = readLoss(text, data || null);
  const hess = (x) => (functions.hess ? functions.hess(...x).map(String) : null);
  const values = at.map((x) => functions.grad(...x).map(String));
  return { params: known.params, values, hess: at.map(hess) };
}));
const runs = asked.runs.map(({ loss, rule, lr, start, steps }) => reading(() => {
  const { data, functions } = readLoss(loss);
  adopt({ ...data, low: null, high: null, steps: -1 }, functions);
  const found = findRule(rule);
  RULES.unshift({ name: rule, text: found.text, values: found.defaults, rule: found });
  const typed = readSchedule(String(lr)), schedule = typed.value === null ? typed : null;
  const s = { start, lr: typed.value, schedule, steps, rule: 0, constants: [] };
  s.hyper = hyperOf(found);
  const run = descend(s), { kind, text } = judge(s, run);
  return { kind, text, end: run.rows.length ? run.rows.at(-1).x.map(String) : [] };
}));
console.log(JSON.stringify({ losses, runs }));
"""


def program_in(page):
    """The program that a page packs, as text."""
    packed = re.search(r'id="packed" data-size="[0-9]+">([^<]*)<', page)[1]
    return zlib.decompress(base64.b64decode(packed), -zlib.MAX_WBITS).decode("utf-8")


def script_of(run):
    """The program of the page of a run, up to its drawing."""
    script = program_of(content_of(run))
    return script[: script.index("// Pictures on canvas")]


def ask(folder, losses=(), runs=()):
    """What the engine answers, by one process. losses: {text, at, data}. runs: settings."""
    program, asked = folder / "engine.js", folder / "asked.json"
    program.write_text(script_of(symgd.descend()) + _PROGRAM, encoding="utf-8")
    asked.write_text(json.dumps({"losses": [*losses], "runs": [*runs]}), encoding="utf-8")
    done = subprocess.run(
        ["node", program, asked], capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def by_python(text, points, data=None):
    """Parameters, value and gradient at points {name: value}, or the error of the text."""
    try:
        loss = symgd.Loss(text, data)
    except FormulaError as error:
        return {"error": [error.column, error.sentence, error.hint]}
    at = [[point.get(name, 0.5) for name in loss.params] for point in points]
    values = [[float(v) for v in loss.internals.evaluate(*x)] for x in at]
    return {"params": list(loss.params), "at": at, "values": values}


def same(ours, theirs, tolerance=1e-12):
    """Whether two numbers agree; ours is what JavaScript writes."""
    value = float(ours.replace("Infinity", "inf"))
    if math.isnan(theirs) or math.isnan(value):
        return math.isnan(theirs) and math.isnan(value)
    return value == theirs or abs(value - theirs) <= tolerance * max(abs(value), abs(theirs))
