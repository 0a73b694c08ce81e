"""The report of a Sweep: what was tried, and what came out best."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from symgd.descent.sweep import Sweep
from symgd.names import counted, escape


def report(sweep: Sweep) -> Iterator[str]:
    """Some lines, however large the grid is."""
    yield escape(sweep.loss.read_as(pretty=True))[:1000]
    yield f"{counted(len(sweep), 'descent')}:"
    for name, values in sweep.axes.items():
        if len(values) > 1:
            shown = [setting_text(v) for v in (values[0], values[-1])]
            yield escape(f"  {name}: {len(values):,} values, {shown[0]} to {shown[1]}")
    lost = int(sweep.lost.sum())
    if lost:
        yield f"{lost:,} left the finite numbers"
    yield best_sentence(sweep)


def best_sentence(sweep: Sweep) -> str:
    """The lowest loss, and where it was reached."""
    if sweep.best < 0:
        return "no loss is a number"
    setting = sweep.setting(sweep.best)
    tried = {n: v for n, v in setting.items() if len(sweep.axes.get(n, ())) > 1}
    where = ", ".join(f"{name} = {setting_text(v)}" for name, v in tried.items())
    lowest = f"lowest loss: {float(sweep.value[sweep.best]):.4g}"
    return escape(lowest + (f" at {where}" if where else ""))


def setting_text(value: Any) -> str:
    """A value on an axis: a number, a rule, a start."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return ",".join(f"{name}={float(v):.4g}" for name, v in value.items())
    if hasattr(value, "tolist"):
        numbers = value.tolist()
        return ",".join(f"{v:.4g}" for v in numbers) if isinstance(numbers, list) else f"{numbers}"
    return "; ".join(str(getattr(value, "name", value)).split("\n"))
