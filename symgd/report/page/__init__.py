"""The live page: an HTML file that runs the descent in a browser, with sliders.

It loads nothing. The engine (`engine/*.js`) reads formulas, rules and schedules as Python does, by
Python's own tables (`language`); loss and gradient of the run itself are printed as JavaScript from
their programs. The program is packed, so that a page is small; its button "source" shows it. The
Content-Security-Policy allows only the page's own scripts and style, by their hashes.
"""

from __future__ import annotations

import base64
import hashlib
import os
import zlib
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
from symgd.report.page.language import engine_source, script_json
from symgd.report.page.page_data import Content, content_of, content_of_several
from symgd.report.page.presets import PRESETS
from symgd.report.static_svg import descent_svg

_MOST_RUNS = 30  # of a comparison
_SCRIPTS = (
    "descent.js",
    "minima.js",
    "problem.js",
    "trace.js",
    "facts.js",
    "verdict.js",
    "draw.js",
    "controls.js",
    "typed.js",
    "page.js",
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
    program, unpack, style = program_of(content), _asset("unpack.js"), _asset("page.css")
    allowed = f"script-src '{_hash(unpack)}' '{_hash(program)}'; style-src '{_hash(style)}'"
    text = Template(_asset("page.html")).substitute(
        policy=f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'",
        title=markup(result.loss.read_as(pretty=True)[:300]),
        style=style,
        sketch=descent_svg(result, coarse=True),
        verdict=markup(result.verdict.sentence),
        packed=_packed(program),
        size=len(program.encode("utf-8")),
        unpack=unpack,
    )
    if target is not None:
        write_whole(target, text.encode("utf-8"))
    return text


def _packed(program: str) -> str:
    """The base64 of the DEFLATE of a program, in one block or more with dynamic codes."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    data = packer.compress(program.encode("utf-8")) + packer.flush()
    return base64.b64encode(data).decode("ascii")


def program_of(content: Content) -> str:
    """The program of a page: the engine, the data and functions of Python's runs, the modules."""
    functions = _object(content.functions)
    library = javascript.library([functions], known=javascript.written())
    own = [_asset(name) for name in _SCRIPTS]
    data = script_json(content.data)
    presets = f"const PRESETS = {script_json(PRESETS)};"
    given = [presets, f"const DATA = {data};", library, f"const FUNCTIONS = {functions};"]
    return "\n".join(['"use strict";', engine_source(), *given, *own])


def _object(functions: dict[str, Any]) -> str:
    """An object literal of functions: {grad: ..., rules: [..., null]}."""
    texts = []
    for name, value in functions.items():
        if isinstance(value, list):
            value = f"[{','.join(v or 'null' for v in value)}]"
        texts.append(f"{name}:{value}")
    return "{" + ",\n".join(texts) + "}"


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"


def _asset(name: str) -> str:
    return (files("symgd.report.page") / name).read_text("utf-8")
