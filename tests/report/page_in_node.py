"""The script of a live page without its drawing, run under Node.js."""

import json
import re
import subprocess

from symgd.report.page import to_html


def verdicts(run, settings, folder):
    """(kind, sentence) that the page of `run` tells of each of the settings, none of them Python's.

    settings: mappings of lr, rule (a name), start (a list), steps.
    """
    script = re.search(r"<script>(.*)</script>", to_html(run), re.DOTALL)[1]
    script = script[: script.index("// Pictures on canvas")]
    code = f"""{script}
D.verdicts = [];
const told = {json.dumps(settings)}.map((asked) => {{
  const rule = D.rules.findIndex((r) => r.name === asked.rule);
  const hyper = D.rules[rule].hyper.map((h) => h[1]), constants = D.constants.map((c) => c[1]);
  const s = {{ ...asked, rule, hyper, constants }};
  const {{ kind, text }} = judge(s, descend(s));
  return [kind, text];
}});
console.log(JSON.stringify(told));"""
    path = folder / "page.js"
    path.write_text(code, encoding="utf-8")
    done = subprocess.run(["node", path], capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)
