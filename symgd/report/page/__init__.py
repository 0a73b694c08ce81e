"""The live page: an HTML file that runs the descent in a browser, with sliders.

It loads nothing: loss, gradient and rules are printed as JavaScript from their programs. Its
Content-Security-Policy allows only its own script and style, by their hashes.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from symgd.backends import javascript
from symgd.descent.compare import Comparison
from symgd.errors import ArgumentError
from symgd.model.result import Result
from symgd.report.compare import run_labels
from symgd.report.markup import markup
from symgd.report.output_files import check_page, write_whole
from symgd.report.page.page_data import Content, content_of, content_of_several
from symgd.report.static_svg import descent_svg

_MOST_RUNS = 30  # of a comparison
_SCRIPTS = (
    "descent.js",
    "minima.js",
    "trace.js",
    "facts.js",
    "verdict.js",
    "draw.js",
    "controls.js",
)


def to_html(result: Result, path: str | os.PathLike[str] | None = None) -> str:
    """The page of a run, also written to `path` (.html) if given, or ArgumentError."""
    target = None if path is None else check_page(path)
    return _page(result, content_of(result), target)


def comparison_to_html(comparison: Comparison, path: str | os.PathLike[str] | None = None) -> str:
    """The page of a comparison: its first run, and a menu of the others, drawn faintly.

    For learning-rate maps: the page of the best run, with a slider for the learning rate.
    """
    if comparison.ranged:
        best = min(comparison.maps, key=lambda rate_map: rate_map.losses[rate_map.best])
        return to_html(best.run, path)
    target, runs = None if path is None else check_page(path), comparison.runs
    if len(runs) > _MOST_RUNS:
        raise ArgumentError(f"a page compares at most {_MOST_RUNS} runs, these are {len(runs):,}")
    return _page(runs[0], content_of_several(runs, run_labels(comparison)), target)


def _page(result: Result, content: Content, target: Path | None) -> str:
    script, style = _script(content), _asset("page.css")
    policy = f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
    policy += "base-uri 'none'; form-action 'none'"
    text = Template(_asset("page.html")).substitute(
        policy=policy,
        title=markup(result.loss.read_as(pretty=True)[:300]),
        style=style,
        sketch=descent_svg(result, coarse=True),
        verdict=markup(result.verdict.sentence),
        script=script,
    )
    if target is not None:
        write_whole(target, text.encode("utf-8"))
    return text


def _script(content: Content) -> str:
    """The script of the page: data, functions, program; it cannot contain `</script` or `<!--`."""
    own = [_asset(name) for name in _SCRIPTS]
    functions = _object(content.functions)
    library = javascript.library([functions, *own])
    data = f"const D = {_json(content.data)};"
    return "\n".join(['"use strict";', data, library, f"const F = {functions};", *own])


def _object(functions: dict[str, Any]) -> str:
    """An object literal of functions: {grad: ..., rules: [..., null]}."""
    texts = []
    for name, value in functions.items():
        if isinstance(value, list):
            value = f"[{','.join(v or 'null' for v in value)}]"
        texts.append(f"{name}:{value}")
    return "{" + ",\n".join(texts) + "}"


def _json(value: Any) -> str:
    """JSON that is safe inside a script: ASCII, without the characters that could end it."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"


def _asset(name: str) -> str:
    return (files("symgd.report.page") / name).read_text("utf-8")
