"""The examples that the live page offers: a loss with settings that show something."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NotRequired, TypedDict


class Preset(TypedDict):
    """A row of the menu. rule: a name of the catalogue. data: columns by name, of one length."""

    name: str
    loss: str
    start: Sequence[float]
    lr: float | str
    steps: int
    rule: str
    data: NotRequired[dict[str, Sequence[float]]]


# 2.5*exp(-0.7*x) + 0.5 and normal noise of standard deviation 0.1
_X = [round(0.2 * k, 1) for k in range(31)]
_Y = [2.97, 2.66, 2.45, 2.03, 2.01, 1.71, 1.48, 1.53, 1.29, 1.3, 1.07, 0.93, 1.05, 0.99, 0.76, 0.72, 0.81, 0.67, 0.75, 0.68, 0.69, 0.5, 0.73, 0.62, 0.48, 0.59, 0.66, 0.44, 0.56, 0.51, 0.45]  # fmt: skip  # noqa: E501

PRESETS: Sequence[Preset] = (
    {
        "name": "the exercise",
        "loss": "theta^2",
        "start": [1.0],
        "lr": 0.2,
        "steps": 20,
        "rule": "gd",
    },
    {
        "name": "valley (Rosenbrock)",
        "loss": "(1 - x)^2 + 100*(y - x^2)^2",
        "start": [-1.2, 1.0],
        "lr": 0.0008,
        "steps": 300,
        "rule": "momentum",
    },
    {
        "name": "saddle",
        "loss": "x^2 - y^2 + y^4/4",
        "start": [1.5, 0.001],
        "lr": 0.1,
        "steps": 80,
        "rule": "gd",
    },
    {
        "name": "double well",
        "loss": "x^4 - 2*x^2 + 0.3*x",
        "start": [1.6],
        "lr": 0.02,
        "steps": 60,
        "rule": "momentum",
    },
    {
        "name": "many minima (Rastrigin)",
        "loss": "20 + x^2 - 10*cos(2*pi*x) + y^2 - 10*cos(2*pi*y)",
        "start": [2.3, -1.7],
        "lr": 0.1,
        "steps": 150,
        "rule": "adam",
    },
    {
        "name": "a noisy fit",
        "loss": "mean((y - (a*exp(-b*x) + c))^2)",
        "start": [1.0, 1.0, 0.0],
        "lr": "cosine(0.5)",
        "steps": 200,
        "rule": "momentum",
        "data": {"x": _X, "y": _Y},
    },
)
