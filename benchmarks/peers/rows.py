"""Value and gradient of losses over rows, by each peer: () -> [value, gradient ...], in float64.

LOSSES: the text, as symgd reads it, and the point, its parameters in the order of the names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

WIDE = 20
_LINEAR = " + ".join(["w0", *(f"w{k}*x{k}" for k in range(1, WIDE + 1))])

LOSSES: dict[str, tuple[str, list[float]]] = {
    "exponential": ("mean((y - (a*exp(-b*x) + c))**2)", [2.0, 1.0, 0.3]),
    "logistic": (
        f"mean(softplus({_LINEAR}) - y*({_LINEAR}))",
        [0.1 * k for k in range(-WIDE // 2, WIDE // 2 + 1)],
    ),
    "waves": ("mean((y - (a*sin(c*x) + b*cos(c*x)))**2)", [2.0, 1.0, 0.7]),
    "logarithm": ("mean((y - a*log(1 + b*x))**2)", [2.0, 1.0]),
    "saturation": ("mean((y - a*tanh(b*x + c))**2)", [2.0, 1.0, 0.3]),
    "power": ("mean((y - a*x**b)**2)", [2.0, 0.7]),
}

Evaluate = Callable[[], list[float]]
Columns = Mapping[str, Any]


def columns(name: str, count: int) -> Columns:
    """The response first."""
    import numpy as np

    generator = np.random.default_rng(7)
    if name == "logistic":
        x = {f"x{k}": generator.normal(size=count) for k in range(1, WIDE + 1)}
        return {"y": (generator.random(count) < 0.5).astype(float)} | x
    x = generator.uniform(0.1, 4.0, count)
    return {"y": np.exp(-x) + generator.normal(0.0, 0.1, count), "x": x}


def loss(name: str, np: Any, theta: Any, data: Columns) -> Any:
    """The loss in any library of arrays."""
    y = data["y"]
    if name == "logistic":
        z = theta[0]
        for k in range(1, WIDE + 1):
            z = z + theta[k] * data[f"x{k}"]
        softplus = np.log1p(np.exp(-abs(z))) + np.maximum(z, 0.0 * z)
        return (softplus - y * z).mean()
    x, a, b = data["x"], theta[0], theta[1]
    model = {
        "exponential": lambda: a * np.exp(-b * x) + theta[2],
        "waves": lambda: a * np.sin(theta[2] * x) + b * np.cos(theta[2] * x),
        "logarithm": lambda: a * np.log(1 + b * x),
        "saturation": lambda: a * np.tanh(b * x + theta[2]),
        "power": lambda: a * x**b,
    }[name]()
    return ((y - model) ** 2).mean()


def by_symgd(name: str, data: Columns, threads: int) -> Evaluate:
    """Loss.value_and_grad."""
    import symgd

    text, theta = LOSSES[name]
    function = symgd.Loss(text, data)
    assert function.internals.rows is not None
    function.internals.rows.threads = threads

    def evaluate() -> list[float]:
        value, grad = function.value_and_grad(theta)
        return [value, *grad]

    return evaluate


def by_c(name: str, data: Columns, threads: int) -> Evaluate:
    """rows.c, in one thread."""
    return _of_c(name, data, LOSSES[name][1])


def reading(data: Columns) -> Evaluate:
    """C that reads the columns and adds their cells up."""
    return _of_c("reading", data, [len(data)])


def _of_c(name: str, data: Columns, numbers: Sequence[float]) -> Evaluate:
    import ctypes

    import numpy as np

    from benchmarks.peers import c

    function = getattr(c.load("rows", "-ffast-math"), name)
    function.argtypes = [ctypes.c_void_p, ctypes.c_long, *[ctypes.c_void_p] * 2]
    function.restype = None
    places = (ctypes.c_void_p * len(data))(*(a.ctypes.data for a in data.values()))
    theta = np.array(numbers, dtype=np.float64)
    out = np.empty(len(theta) + 1)

    def evaluate() -> list[float]:
        count = len(data["y"])  # held here: C reads the columns
        function(ctypes.addressof(places), count, theta.ctypes.data, out.ctypes.data)
        return out.tolist()

    return evaluate


def by_jax(name: str, data: Columns, threads: int) -> Evaluate:
    """jit of value_and_grad; XLA uses the processors it is given."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    there = {k: jnp.asarray(v) for k, v in data.items()}
    theta = jnp.asarray(LOSSES[name][1])
    function = jax.jit(jax.value_and_grad(lambda t, d: loss(name, jnp, t, d)))

    def evaluate() -> list[float]:
        value, grad = function(theta, there)
        return [float(value), *map(float, grad.tolist())]

    return evaluate


def by_torch(name: str, data: Columns, threads: int) -> Evaluate:
    """Its own autograd."""
    import torch

    torch.set_num_threads(threads)
    there = {k: torch.from_numpy(v) for k, v in data.items()}

    def evaluate() -> list[float]:
        theta = torch.tensor(LOSSES[name][1], dtype=torch.float64, requires_grad=True)
        value = loss(name, torch, theta, there)
        value.backward()
        return [value.item(), *theta.grad.tolist()]

    return evaluate


def by_numpy(name: str, data: Columns, threads: int) -> Evaluate:
    """symgd's own program in NumPy, block by block: what runs where there is no compiler."""
    import symgd

    text, theta = LOSSES[name]
    loss = symgd.Loss(text, data)
    function = loss.around(loss.internals.on("lambdify"))

    def evaluate() -> list[float]:
        value, grad = function.value_and_grad(theta)
        return [value, *grad]

    return evaluate


def by_hand(name: str, data: Columns, threads: int) -> Evaluate:
    """Value and gradient written by hand for whole arrays, for the exponential alone."""
    import numpy as np

    assert name == "exponential"
    x, y, (a, b, c) = data["x"], data["y"], LOSSES[name][1]

    def evaluate() -> list[float]:
        e = np.exp(-b * x)
        r = y - (a * e + c)
        slopes = [-2 * np.mean(r * e), 2 * a * np.mean(r * e * x), -2 * np.mean(r)]
        return [float(v) for v in (np.mean(r * r), *slopes)]

    return evaluate


PEERS = {
    "symgd": by_symgd,
    "c": by_c,
    "jax": by_jax,
    "torch": by_torch,
    "numpy": by_numpy,
    "numpy-by-hand": by_hand,
}
