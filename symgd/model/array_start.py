"""Starts of losses with arrays: numbers, arrays, formulas of the subscripts, random numbers."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from symgd import names
from symgd._numpy import NDArray, np
from symgd.backends.compiler import compile_program
from symgd.backends.lambdified import compile_array
from symgd.errors import ArgumentError, FormulaError
from symgd.formula.parse import parse
from symgd.model.array_model import ArrayModel
from symgd.model.elements import place_on_axis
from symgd.model.schedule import parse_number

Floats: TypeAlias = "NDArray[np.float64]"

_PART = re.compile(
    r"\s*(?P<name>[^\W\d]\w*)\s*(?:\[(?P<subscripts>[^\]]*)\])?\s*(?P<sign>[=~])\s*(?P<value>.+)",
    re.DOTALL,
)
_DRAW = re.compile(r"\s*(?P<kind>\w+)\s*\((?P<first>[^,]*),(?P<second>[^,]*)\)\s*")


def array_origin(model: ArrayModel, start: Any, seed: int = 0, left_out: float = 0.0) -> Floats:
    """(P,) float64: the start of a descent in the order of params, arrays row-major.

    start: one number for all; P numbers; a mapping name -> number, array or text; or text, parts
    joined by commas, later ones over earlier ones: `b=0`, `x=-1.2`, `x[i]=i/10`, `x[3]=1`,
    `W~normal(0,0.3)`, `W~uniform(-1,1)`. In a mapping and in text what is not mentioned starts at
    `left_out`. Random numbers depend on (seed, name, place) alone.
    """
    if isinstance(start, str):
        text = start.strip()
        if "=" not in text and "~" not in text:
            return np.full(model.count, parse_number(text, "the start"))
        given = [_read_part(part) for part in names.split_outside(text, ",;")]
    elif isinstance(start, (int, float)):
        return np.full(model.count, float(start))
    elif isinstance(start, Mapping):
        given = [
            _read_part(f"{name}={value!r}") if "[" in name else (names.canonical(name), value)
            for name, value in ((str(k), v) for k, v in start.items())
        ]
    else:
        return np.array(model.flat(start))
    point = {name: np.full(model.shape(name), left_out) for name in model.params}
    for name, value in given:
        if name not in point:
            raise ArgumentError(names.unknown("the loss has no parameter", name, model.params))
        if isinstance(value, str):
            _StartReader(model, name, seed).read(value, point[name])
        else:
            point[name] = np.array(model.elements(name, value)).reshape(model.shape(name))
    parts = [point[name].ravel() for name in model.params]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _read_part(part: str) -> tuple[str, str]:
    """`x[i]=i/10` as ("x", "[i]=i/10")."""
    found = _PART.fullmatch(part)
    if found is None:
        shown = names.escape(part.strip())
        raise ArgumentError(f"'{shown}' is no start: write x=1, x[i]=i/10 or x~normal(0,1)")
    subscripts = found["subscripts"]
    head = "" if subscripts is None else f"[{subscripts}]"
    return found["name"], f"{head}{found['sign']}{found['value']}"


def listed_shapes(text: str) -> dict[str, tuple[int, ...]]:
    """The shapes of the arrays that a start lists: `x=[1,2,3]`, `A=[[1,2],[3,4]]`."""
    found = {}
    for part in names.split_outside(text, ",;"):
        name, sign, value = part.partition("=")
        if sign and value.strip().startswith("[") and name.strip().isidentifier():
            found[name.strip()] = list_shape(_list(value.strip()))
    return found


def list_shape(values: Any) -> tuple[int, ...]:
    """The shape of nested lists, by their first elements."""
    if not isinstance(values, (list, tuple)):
        return ()
    return (len(values), *(list_shape(values[0]) if values else ()))


def _list(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise ArgumentError(f"'{names.escape(text)}' is no list of numbers") from None


class _StartReader:
    """Reads the text of the start of one parameter."""

    def __init__(self, model: ArrayModel, name: str, seed: int) -> None:
        self.model, self.name, self.seed = model, name, seed
        self.shape = model.shape(name)
        self.shown = names.escape(name)

    def read(self, text: str, into: Floats) -> None:
        """Put its numbers into an array. text: `=1`, `[i]=i/10`, `[3]=1`, `~normal(0,1)`."""
        found = re.fullmatch(r"(?:\[([^\]]*)\])?\s*([=~]?)\s*(.+)", text, re.DOTALL)
        assert found is not None
        subscripts, sign, value = found.groups()
        draw = _DRAW.fullmatch(value)
        if draw is not None and draw["kind"] in _DISTRIBUTIONS:
            into[...] = self._drawn(draw)
        elif sign == "~":
            listed = " or ".join(f"{name}(a, b)" for name in _DISTRIBUTIONS)
            raise ArgumentError(f"the start of {self.shown} is drawn from {listed}")
        elif subscripts is None and value.startswith("["):
            into[...] = self.model.elements(self.name, _list(value)).reshape(self.shape)
        elif subscripts is None or subscripts.strip() == "*":
            into[...] = parse_number(value, f"the start of {self.shown}")
        else:
            self._assign([s.strip() for s in subscripts.split(",")], value, into)

    def _assign(self, subscripts: list[str], text: str, into: Floats) -> None:
        """One element, or all by a formula of the subscripts."""
        if len(subscripts) != len(self.shape):
            usual = f"{self.shown}[{', '.join('ijkl'[: len(self.shape)])}]"
            raise ArgumentError(f"the start of {self.shown} is written {usual}=...")
        found = [place_on_axis(s, extent) for s, extent in zip(subscripts, self.shape, strict=True)]
        place = tuple(k for k in found if k is not None)
        if len(place) != len(found):
            into[...] = self._formula(subscripts, text)
            return
        if not all(0 <= k < extent for k, extent in zip(place, self.shape, strict=True)):
            last = ",".join(map(str, self.shape))
            element = f"{self.shown}[{','.join(subscripts)}]"
            raise ArgumentError(f"there is no {element}: the last is {self.shown}[{last}]")
        into[place] = parse_number(text, f"the start of {self.shown}")

    def _drawn(self, draw: re.Match[str]) -> Floats:
        first, second = (
            parse_number(draw[k], f"the start of {self.shown}") for k in ("first", "second")
        )
        count = 1
        for extent in self.shape:
            count *= extent
        return _DISTRIBUTIONS[draw["kind"]](self._words(count), first, second).reshape(self.shape)

    def _words(self, count: int) -> NDArray[np.uint64]:
        """(2*count,) random words of (seed, name, place), by a counter-based generator."""
        digest = hashlib.sha256(f"{self.seed}:{self.name}".encode()).digest()
        generator = np.random.Philox(key=int.from_bytes(digest[:16], "little"))
        return generator.random_raw(2 * count)

    def _formula(self, subscripts: list[str], text: str) -> Floats:
        """The values of a formula of the subscripts and sizes."""
        formula = parse(text)
        places = np.indices(self.shape) + 1.0
        known: dict[str, Any] = dict(zip(subscripts, places, strict=True))
        sizes = {s.text: float(n) for s, n in self.model.shapes.sizes.items()}
        for name in formula.variables:
            if name not in known and name not in sizes:
                shown = names.escape(name)
                hint = f"it may hold {', '.join([*subscripts, *sizes])}"
                column = max(0, text.find(name))
                raise FormulaError(text, column, f"'{shown}' is not known in a start", hint)
        inputs = [known.get(name, sizes.get(name)) for name in formula.variables]
        program = compile_program(list(formula.variables.values()), {"start": formula.root})
        with np.errstate(all="ignore"):
            [values] = compile_array(program)(*inputs)
        found = np.broadcast_to(np.asarray(values, dtype=np.float64), self.shape)
        if not np.isfinite(found).all():
            raise ArgumentError(f"the start of {self.shown} is not finite everywhere: {text}")
        return found


def _normal(words: NDArray[np.uint64], mean: float, deviation: float) -> Floats:
    """Box and Muller's normal numbers, two words each."""
    first, second = _uniform_numbers(words[0::2]), _uniform_numbers(words[1::2])
    angle = 2 * np.pi * second
    return np.asarray(mean + deviation * np.sqrt(-2 * np.log(first)) * np.cos(angle))


def _uniform(words: NDArray[np.uint64], low: float, high: float) -> Floats:
    numbers: Floats = low + (high - low) * _uniform_numbers(words[0::2])
    return numbers


def _uniform_numbers(words: NDArray[np.uint64]) -> Any:
    """Numbers in (0, 1) of 53 bits."""
    return ((words >> 11) + 0.5) * 2.0**-53


#: The distributions of a start: (words, a, b) -> numbers.
_DISTRIBUTIONS: dict[str, Callable[[Any, float, float], Floats]] = {
    "normal": _normal,
    "uniform": _uniform,
}
