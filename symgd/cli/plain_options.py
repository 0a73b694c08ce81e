"""Options that are texts stay texts: no pydantic for them, whose import takes 0.1 s of each run.

Typer 0.29 asks pydantic to turn every value of an option into its type. Ours are texts, lists of
texts and names of formats. Where Typer is another one, nothing is changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any


def spare_pydantic(params: Iterable[Any]) -> None:
    """Give each parameter of a command our coercion in the place of Typer's."""
    for param in params:
        kind = getattr(getattr(param, "type_descriptor", None), "annotation", None)
        done = "get_runtime_param" in vars(param)
        if done or not hasattr(param, "get_runtime_param"):
            continue
        if kind in (str, bool, list[str]) or _is_enum(kind):
            param.get_runtime_param = partial(_Coercion, kind, param.get_runtime_param)


@dataclass(frozen=True)
class _Coercion:
    """What Typer does for texts, lists of texts, flags and Enums of texts.

    typers: returns Typer's own coercion, which words the message about a mistake.
    """

    kind: Any
    typers: Callable[[], Any]

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """The value as the command wants it."""
        if value is None:
            return () if param.multiple or param.nargs == -1 else None
        if self.kind in (str, bool) and isinstance(value, self.kind):
            return value
        if self.kind == list[str] and isinstance(value, (list, tuple)):
            return list(value)
        if _is_enum(self.kind) and value in {member.value for member in self.kind}:
            return self.kind(value)
        return self.typers().coerce(value, param=param, ctx=ctx)


def _is_enum(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Enum)
