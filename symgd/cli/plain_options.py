"""Options that are texts stay texts: no pydantic for them, whose import takes 0.1 s of each run.

Typer 0.29 asks pydantic to turn every value of an option into its type. Ours are texts, lists of
texts and names of formats. Where Typer is another one, nothing is changed.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Any


def spare_pydantic(params: Iterable[Any]) -> None:
    """Give each parameter of a command our coercion in the place of Typer's, which comes late."""
    for param in params:
        kind = getattr(getattr(param, "type_descriptor", None), "annotation", None)
        late = getattr(param, "_runtime_param", param) is None
        if late and (kind in (str, bool, list[str]) or _is_enum(kind)):
            param._runtime_param = _Coercion()


class _Coercion:
    """What Typer's RuntimeParam does for texts, lists of texts, flags and Enums of texts."""

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """The value as the command wants it."""
        kind = param.type_descriptor.annotation
        if value is None:
            return () if param.multiple or param.nargs == -1 else None
        if kind in (str, bool) and isinstance(value, kind):
            return value
        if kind == list[str] and isinstance(value, (list, tuple)):
            return list(value)
        if _is_enum(kind) and value in {member.value for member in kind}:
            return kind(value)
        from typer._coercion import build_runtime_param  # a mistake: Typer words the message

        return build_runtime_param(param.type_descriptor).coerce(value, param=param, ctx=ctx)


def _is_enum(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Enum)
