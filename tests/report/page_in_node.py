"""The script of a live page without its drawing, run under Node.js."""

import json
import subprocess

from tests.report.engine_in_node import script_of


def verdicts(run, settings, folder):
    """(kind, sentence) that the page of `run` tells of each of the settings, none of them Python's.

    settings: mappings of lr, rule (a name), start (a list), steps.
    """
    code = f"""{script_of(run)}
DATA.verdicts = [];
adopt(DATA, FUNCTIONS);
const told = {json.dumps(settings)}.map((asked) => {{
  const rule = RULES.findIndex((r) => r.name === asked.rule);
  const [names, constants] = [0, 1].map((k) => DATA.constants.map((c) => c[k]));
  const s = {{ ...asked, rule, constants }};
  s.schedule = typeof asked.lr === "string" ? readSchedule(asked.lr, names) : null;
  s.hyper = hyperOf(ruleOf(s));
  const {{ kind, text }} = judge(s, descend(s));
  return [kind, text];
}});
console.log(JSON.stringify(told));"""
    path = folder / "page.js"
    path.write_text(code, encoding="utf-8")
    done = subprocess.run(["node", path], capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)
