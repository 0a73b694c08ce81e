"""A library of fits: formulas of lmfit, Fityk, Origin and Prism, and data for each.

A line of `fit_library.txt` has a formula and its parameters with their values and units, where x
and y are the scales of the columns: "k=0.7/x" is a rate; those with ! belong to one scale of x.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import special

ROWS = 60


def formulas() -> dict[str, tuple[str, str, float, float]]:
    """name -> (formula, its parameters, the least and the greatest x)."""
    lines = (Path(__file__).parent / "fit_library.txt").read_text().splitlines()[1:]
    found = {}
    for line in lines:
        name, formula, typed, low, high = line.split("; ")
        found[name] = formula, typed, float(low), float(high)
    return found


_PARAMETER = re.compile(r"(\w+)=([-\d.e]+?)(!?)((?:[xy]|/x|/y)*)(!?)$")


class Case(NamedTuple):
    """A fit: its model, its columns, and the parameters that the data were made with."""

    name: str
    model: str
    data: dict[str, Any]
    truth: dict[str, float]


def function(text: str) -> Any:
    """The right side of a model as a NumPy function of a mapping of names. For these texts only."""
    code = compile(re.sub(r"\^", "**", text), text, "eval")
    space = {
        name: getattr(np, name)
        for name in ("exp", "log", "sin", "cos", "sqrt", "cosh", "where", "pi")
    }
    space |= {
        "heaviside": lambda x: np.heaviside(x, 0.5),
        "atan": np.arctan,
        "erf": special.erf,
        "erfc": special.erfc,
        "floor": np.floor,
    }
    return lambda values: eval(code, {"__builtins__": {}}, {**space, **values})


def parameters(text: str, x: float, y: float) -> tuple[dict[str, float], bool]:
    """The values at these scales, and whether the columns may be scaled at all."""
    found, scaled = {}, True
    for part in text.split():
        match = _PARAMETER.match(part)
        assert match is not None, part
        name, value, mark, units, late = match.groups()
        scaled &= not (mark or late)
        factor = 1.0
        for unit in re.findall(r"/?[xy]", units):
            factor *= {"x": x, "y": y, "/x": 1 / x, "/y": 1 / y}[unit]
        found[name] = float(value) * factor
    return found, scaled


def cases(seeds: tuple[int, ...] = (1, 2, 3), noise: float = 0.01) -> Iterator[Case]:
    """Every formula at three scales, each with its seed; noise: of the range of y."""
    scales = [(1.0, 1.0), (1e-3, 250.0), (40.0, 2e-3)]
    for seed, (sx, sy) in zip(seeds, scales, strict=True):
        for k, (name, (formula, typed, low, high)) in enumerate(formulas().items()):
            generator = np.random.default_rng([seed, k])
            truth, scaled = parameters(typed, sx, sy)
            if not scaled or name == "asymptotic":
                truth, sx_here = parameters(typed, 1.0, 1.0)[0], 1.0
            else:
                sx_here = sx
            spread = generator.uniform(0.9, 1.1, len(truth))
            truth = {n: v * s for (n, v), s in zip(truth.items(), spread, strict=True)}
            x = np.linspace(low * sx_here, high * sx_here, ROWS)
            clean = function(formula)({"x": x, **truth})
            y = clean + generator.normal(0.0, noise * float(np.ptp(clean)), ROWS)
            yield Case(f"{name} {seed}", f"y = {formula}", {"x": x, "y": y}, truth)


def sine(cycles: float, seed: int) -> Case:
    """A sine of so many cycles, at least four rows for each."""
    generator = np.random.default_rng([seed, 77])
    rows = max(100, int(cycles * 5))
    x = np.sort(generator.uniform(0, 50, rows)) if seed % 2 else np.linspace(0, 50, rows)
    truth = {
        "A": 2.0,
        "f": cycles / 50,
        "p": generator.uniform(-3, 3),
        "b": generator.uniform(-5, 5),
    }
    y = truth["A"] * np.sin(2 * math.pi * truth["f"] * x + truth["p"]) + truth["b"]
    y = y + generator.normal(0, 0.4, rows)
    return Case(f"{cycles:.3g} cycles", "y = A*sin(2*pi*f*x + p) + b", {"x": x, "y": y}, truth)


def gaussians(count: int, seed: int) -> Case:
    """So many Gaussian peaks on a sloping background."""
    generator = np.random.default_rng([seed, count, 78])
    x = np.linspace(0, 100, 300)
    places = (np.arange(count) + generator.uniform(0.2, 0.8, count)) * 100 / count
    terms, truth = [], {"m": 0.02, "b": 3.0}
    for k in range(count):
        terms.append(f"A{k}*exp(-(x-c{k})^2/(2*s{k}^2))")
        truth |= {
            f"A{k}": generator.uniform(4, 12),
            f"c{k}": places[k],
            f"s{k}": generator.uniform(1.5, 4.0),
        }
    formula = " + ".join([*terms, "m*x + b"])
    clean = function(formula)({"x": x, **truth})
    y = clean + generator.normal(0, 0.15, len(x))
    return Case(f"{count} peaks", f"y = {formula}", {"x": x, "y": y}, truth)


def peak(place: float, kind: int, seed: int, poisson: bool = False) -> Case:
    """A peak of width about 1 that far from 0."""
    generator = np.random.default_rng([seed, kind, 79])
    x = np.linspace(place - 10, place + 10, 80)
    formula = ("A*exp(-((x-c)/w)^2/2) + b", "A/(1 + ((x-c)/w)^2) + b", "A/cosh((x-c)/w)^2 + b")[
        kind
    ]
    truth = {
        "A": 60.0,
        "c": place + generator.uniform(-5, 5),
        "w": generator.uniform(0.6, 1.5),
        "b": 5.0,
    }
    clean = function(formula)({"x": x, **truth})
    y = (
        generator.poisson(clean).astype(float)
        if poisson
        else clean + generator.normal(0, 0.8, len(x))
    )
    return Case(f"peak at {place:g}", f"y = {formula}", {"x": x, "y": y}, truth)


def step(kind: int, seed: int) -> Case:
    """A staircase."""
    generator = np.random.default_rng([seed, kind, 80])
    x = np.linspace(0, 20, 90)
    formula, truth = (
        ("where(x < c, a, b)", {"c": 7.3, "a": 1.0, "b": 4.0}),
        ("a + b*heaviside(x - c)", {"c": 12.1, "a": 2.0, "b": -3.0}),
        (
            "where(x < c, a, where(x < d, b, e0))",
            {"c": 5.2, "d": 13.7, "a": 1.0, "b": 4.0, "e0": 2.0},
        ),
        ("a*floor(x/w) + b", {"w": 3.17, "a": 2.0, "b": 1.0}),
    )[kind]
    y = function(formula)({"x": x, **truth}) + generator.normal(0, 0.1, len(x))
    return Case(f"step {kind}", f"y = {formula}", {"x": x, "y": y}, truth)


def minimum(case: Case) -> float:
    """The sum of squares that SciPy reaches from the parameters that the data were made with."""
    from scipy.optimize import least_squares

    names, begin = list(case.truth), np.array(list(case.truth.values()))
    formula = case.model.split("=", 1)[1].strip()
    model, y = function(formula), case.data["y"]

    def residuals(scaled):
        return model({"x": case.data["x"], **dict(zip(names, scaled * begin, strict=True))}) - y

    with np.errstate(all="ignore"):
        found = least_squares(residuals, np.ones(len(begin)), xtol=1e-12, ftol=1e-12, gtol=1e-12)
    return 2 * float(found.cost)
