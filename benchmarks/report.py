"""Rows -> a table for people at 80 columns, and JSON for machines."""

from __future__ import annotations

import os
import platform
import subprocess
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import symgd
from benchmarks.measure import Row
from benchmarks.peers.c import compiler

_PACKAGES = (
    *("sympy", "numpy", "llvmlite", "pyarrow", "jax", "jaxlib", "optax"),
    *("numba", "torch", "mpmath", "casadi", "symengine", "scipy", "lmfit", "matplotlib"),
)
_VERDICT = {True: "met", False: "MISSED", None: ""}


def machine() -> dict[str, str]:
    """Where it ran, in words that matter to the numbers."""
    found = {
        "symgd": symgd.__version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs",
    }
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found | {"cc": compiler_version()}


def compiler_version() -> str:
    """The C compiler's first line about itself."""
    cc = compiler()
    if not cc:
        return "none"
    said = subprocess.run([cc, "--version"], capture_output=True, text=True, timeout=60)
    return said.stdout.partition("\n")[0]


def heading(name: str, sentence: str) -> str:
    """The title of one benchmark and of its columns."""
    head = f"{'':44} {'measured':>12}  {'target':>10}"
    title = textwrap.wrap(f"{name}: {sentence}", 78, subsequent_indent="    ")
    return "\n".join(["", *title, head, "-" * 78])


def lines(row: Row) -> Iterator[str]:
    """One row, and its note below it."""
    measured = "-" if row.value is None else f"{show(row.value)} {row.unit}".rstrip()
    target = "" if row.target is None else f"<= {show(row.target)}"
    yield f"{row.what:44} {measured:>12}  {target:>10}  {_VERDICT[row.met]}".rstrip()
    yield from textwrap.wrap(row.note, 78, initial_indent="    ", subsequent_indent="    ")


def show(value: float) -> str:
    """A number in at most nine characters."""
    if value == int(value) and abs(value) < 1e7:
        return str(int(value))
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.4g}"


def summary(results: Mapping[str, Sequence[Row]]) -> str:
    """How many targets are met, and which are not."""
    judged = [(name, row) for name, rows in results.items() for row in rows if row.met is not None]
    missed = [f"{name}: {row.what}" for name, row in judged if not row.met]
    first = f"\n{len(judged) - len(missed)} of {len(judged)} targets met"
    return "\n  missed: ".join([first, *missed])


def to_json(results: Mapping[str, Sequence[Row]]) -> dict[str, Any]:
    """One object: the machine, and the rows by benchmark."""
    rows = {
        name: [asdict(row) | {"met": row.met} for row in rows] for name, rows in results.items()
    }
    return {"machine": machine(), "benchmarks": rows}
