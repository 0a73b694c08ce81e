"""The live page: one HTML file in which the descent runs again, with sliders, in any browser.

No network, no library: loss, gradient and rules are printed as JavaScript from their programs. The
page's policy allows its own script and style, by their hashes, and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING, Any

from symgd.backends import javascript
from symgd.errors import ArgumentError
from symgd.report.compare import labels_of
from symgd.report.markup import markup
from symgd.report.output_files import check_page, write_whole
from symgd.report.page.comparison_page import MOST_RUNS, content_of_several
from symgd.report.page.page_data import Content, content_of
from symgd.report.static_svg import sketch

if TYPE_CHECKING:
    from symgd.descent.compare import Comparison
    from symgd.model.result import Result

_SCRIPTS = ("descent.js", "draw.js", "controls.js")


def to_html(result: Result, path: str | os.PathLike[str] | None = None) -> str:
    """The page of a run, written to `path` (.html) if there is one, or ArgumentError."""
    target = None if path is None else check_page(path)
    text = _page(result, content_of(result))
    if target is not None:
        write_whole(target, text.encode("utf-8"))
    return text


def comparison_to_html(found: Comparison, path: str | os.PathLike[str] | None = None) -> str:
    """The page of a comparison: its first run, and a choice of all the others, drawn faintly.

    Of a learning-rate map: the page of its best run, whose slider is the map's axis.
    """
    target = None if path is None else check_page(path)
    if found.ranged:
        best = min(found.maps, key=lambda one: one.losses[one.best]).run
        text = _page(best, content_of(best))
    else:
        if len(found.runs) > MOST_RUNS:
            raise ArgumentError(
                f"a page compares at most {MOST_RUNS} runs, these are {len(found.runs):,}"
            )
        text = _page(found.runs[0], content_of_several(list(found.runs), labels_of(found)))
    if target is not None:
        write_whole(target, text.encode("utf-8"))
    return text


def _page(result: Result, content: Content) -> str:
    script, style = _script(content), _asset("page.css")
    policy = "; ".join(
        [
            "default-src 'none'",
            f"script-src '{_hash(script)}'",
            f"style-src '{_hash(style)}'",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
    return Template(_asset("page.html")).substitute(
        policy=policy,
        title=markup(result.loss.read_as(pretty=True)[:300]),
        style=style,
        sketch=sketch(result, coarse=True),
        verdict=markup(result.verdict.sentence),
        script=script,
    )


def _script(content: Content) -> str:
    """The data, the functions, the program of the page; no `</script` or `<!--` can be in it."""
    own = [_asset(name) for name in _SCRIPTS]
    functions = _object(content.functions)
    library = javascript.library([functions, *own])
    data = f"const D = {_json(content.data)};"
    return "\n".join(['"use strict";', data, library, f"const F = {functions};", *own])


def _object(functions: dict[str, Any]) -> str:
    """A literal of functions: {grad: ..., rules: [..., null]}."""
    texts = []
    for name, value in functions.items():
        if isinstance(value, list):
            value = f"[{','.join(v or 'null' for v in value)}]"
        texts.append(f"{name}:{value}")
    return "{" + ",\n".join(texts) + "}"


def _json(value: Any) -> str:
    """JSON that is safe inside a script: ASCII, and no character that could end it."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"


def _asset(name: str) -> str:
    return (files("symgd.report.page") / name).read_text("utf-8")
