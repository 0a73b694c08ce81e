"""Coercion of option values without pydantic, whose import takes 0.1 s.

Typer 0.29 uses pydantic to convert every option value. The values here are flags, strings and
lists of strings. With other versions of Typer nothing is changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any


def skip_pydantic(params: Iterable[Any]) -> None:
    """Replace Typer's coercion for each parameter of a command."""
    for param in params:
        kind = getattr(getattr(param, "type_descriptor", None), "annotation", None)
        is_new = hasattr(param, "get_runtime_param") and "get_runtime_param" not in vars(param)
        if is_new and kind in (str, bool, list[str]):
            param.get_runtime_param = partial(_Coercion, kind, param.get_runtime_param)


@dataclass(frozen=True)
class _Coercion:
    """The coercion of strings, lists of strings and flags.

    typer_coercion: returns that of Typer, which raises the error for an invalid value.
    """

    kind: Any
    typer_coercion: Callable[[], Any]

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """The value as an argument of the command."""
        if value is None:
            return () if param.multiple or param.nargs == -1 else None
        if self.kind in (str, bool) and isinstance(value, self.kind):
            return value
        if self.kind == list[str] and isinstance(value, (list, tuple)):
            return list(value)
        return self.typer_coercion().coerce(value, param=param, ctx=ctx)
