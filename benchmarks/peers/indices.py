"""Value and gradient of losses with indices, by each peer: () -> (value, gradient), in float64.

A gradient is in the order of the parameters' names, arrays row by row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

ROWS, WIDTH, CLASSES, UNITS = 100_000, 20, 10, 32
RATINGS, USERS, ITEMS, FACTORS, SITES = 1_000_000, 20_000, 10_000, 16, 10_000

Evaluate = Callable[[], tuple[float, Any]]


@dataclass(frozen=True)
class Task:
    """text, sizes, shapes: of symgd's Loss. parameters: their shapes, by name. columns: in the
    order in which C reads them. extents: the numbers that C is told.
    """

    text: str
    parameters: Mapping[str, tuple[int, ...]]
    columns: tuple[str, ...] = ()
    sizes: Mapping[str, int] | None = None
    shapes: Mapping[str, tuple[str, ...]] | None = None
    rows: int = 0
    extents: tuple[int, ...] = ()
    in_c: str = ""  # the parameters in the order in which C reads them


_X = tuple(f"X{k}" for k in range(1, WIDTH + 1))


def chain(n: int) -> Task:
    """The chained Rosenbrock function of n parameters."""
    text = "sum(100*(x[i+1] - x[i]^2)^2 + (1 - x[i])^2, i=1..n-1)"
    return Task(text, {"x": (n,)}, sizes={"n": n}, in_c="x")


TASKS = {
    **{f"chain {n:,}": chain(n) for n in (10**5, 10**6, 10**7)},
    "softmax": Task(
        "z[k] = sum(W[k,j]*X[j], j) + b[k], k=1..K; mean(logsumexp(z[k], k) - z[label])",
        {"W": (CLASSES, WIDTH), "b": (CLASSES,)},
        (*_X, "label"), {"K": CLASSES}, None, ROWS, (WIDTH, CLASSES), "W b",
    ),
    "network": Task(
        "mean((y - sum(v[h]*tanh(sum(W[h,j]*X[j], j) + b[h]), h=1..H) - c)^2)",
        {"W": (UNITS, WIDTH), "b": (UNITS,), "c": (), "v": (UNITS,)},
        (*_X, "y"), {"H": UNITS}, None, ROWS, (WIDTH, UNITS), "W b c v",
    ),
    "factor": Task(
        "sum((y - dot(U[user], V[item]))^2) + 0.1*(sum(U^2) + sum(V^2))",
        {"U": (USERS, FACTORS), "V": (ITEMS, FACTORS)},
        ("user", "item", "y"), {"f": FACTORS}, {"U": ("user", "f"), "V": ("item", "f")},
        RATINGS, (USERS, ITEMS), "U V",
    ),
    "mixed": Task(
        "sum((y - a[site] - c*x)^2) + sum((a[g] - m)^2, g)/(2*s^2)",
        {"a": (SITES,), "c": (), "m": (), "s": ()},
        ("site", "y", "x"), None, None, RATINGS, (SITES,), "a c m s",
    ),
}  # fmt: skip
_MOST = {"label": CLASSES, "user": USERS, "item": ITEMS, "site": SITES}


def point(task: Task) -> dict[str, Any]:
    """The parameters."""
    import numpy as np

    generator = np.random.default_rng(1)
    found = {name: 0.3 * generator.normal(size=shape) for name, shape in task.parameters.items()}
    return found | ({"s": np.array(1.3)} if "s" in found else {})


def columns(task: Task) -> dict[str, Any]:
    """The data; each category occurs."""
    import numpy as np

    generator = np.random.default_rng(2)
    found = {}
    for name in task.columns:
        most = _MOST.get(name)
        if most is None:
            found[name] = generator.normal(size=task.rows)
        else:
            found[name] = generator.integers(1, most + 1, task.rows).astype(np.float64)
            found[name][0] = most
    return found


def flat(parts: Sequence[Any]) -> Any:
    """Arrays as one."""
    import numpy as np

    return np.concatenate([np.ravel(part) for part in parts])


def functions(task: Task) -> Any:
    """symgd's functions of the loss, from the text."""
    import symgd
    from symgd.model.array_functions import ArrayFunctions

    data, sizes, shapes = columns(task) or None, task.sizes or {}, task.shapes or {}
    loss = symgd.Loss(task.text, data, sizes=sizes, shapes=shapes)
    assert loss.arrays is not None
    return ArrayFunctions(loss.arrays)


def by_symgd(task: Task, threads: int) -> Evaluate:
    """Its machine code, called as its descents call it: in arrays that are there."""
    return _called(task, functions(task), 1, threads)


def products(task: Task) -> Evaluate:
    """The same of a product of the Hessian and a vector."""
    return _called(task, functions(task), 2, 1)


def _called(task: Task, found: Any, vectors: int, threads: int) -> Evaluate:
    import numpy as np

    from symgd.backends.bound_nests import bind_native

    program = found.program if vectors == 1 else found.product_program
    code = bind_native(program, found.layout(vectors), found.columns, threads)
    x = flat([point(task)[name] for name in sorted(task.parameters)] * vectors)
    out = np.empty(1 + len(x))

    def evaluate() -> tuple[float, Any]:
        code.evaluate(x, out)
        return out[0], out[1:]

    return evaluate


def by_c(task: Task, threads: int) -> Evaluate:
    """nests.c, in one thread; every operation rounded by itself, as in symgd."""
    import ctypes

    import numpy as np

    from benchmarks.peers import c

    name = next(name for name, one in TASKS.items() if one is task)
    function = getattr(
        c.load("nests", "-ffp-contract=off", "-fopenmp-simd", "-lmvec"), name.split()[0]
    )
    data, at, order = columns(task), point(task), task.in_c.split()
    x = flat([at[n] for n in order])
    out = np.empty(1 + len(x))
    places = (ctypes.c_void_p * len(data))(*(a.ctypes.data for a in data.values()))
    numbers = [ctypes.c_long(n) for n in (task.rows, *task.extents)]
    sizes = [prod(task.parameters[n]) for n in order]
    ends = [1 + sum(sizes[: k + 1]) for k in range(len(sizes))]
    parts = {n: out[end - size : end] for n, size, end in zip(order, sizes, ends, strict=True)}

    def evaluate() -> tuple[float, Any]:
        assert data is not None  # held here: C reads the columns
        if task.rows:
            function(places, *numbers, c.pointer(x), c.pointer(out))
        else:
            function(c.pointer(x), c.pointer(out), ctypes.c_long(len(x)))
        return out[0], [parts[n] for n in sorted(order)]

    return evaluate


def _loss(task: Task, np: Any, special: Any) -> Callable[[Any, Any], Any]:
    """The loss for whole arrays."""

    def chained(p: Any, data: Any) -> Any:
        x = p["x"]
        return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    def softmax(p: Any, data: Any) -> Any:
        z = data["X"] @ p["W"].T + p["b"]
        own = np.take_along_axis(z, data["label"][:, None], axis=1)[:, 0]
        return np.mean(special.logsumexp(z, axis=1) - own)

    def network(p: Any, data: Any) -> Any:
        return np.mean((data["y"] - np.tanh(data["X"] @ p["W"].T + p["b"]) @ p["v"] - p["c"]) ** 2)

    def factor(p: Any, data: Any) -> Any:
        fitted = np.sum(p["U"][data["user"]] * p["V"][data["item"]], axis=1)
        return np.sum((data["y"] - fitted) ** 2) + 0.1 * (np.sum(p["U"] ** 2) + np.sum(p["V"] ** 2))

    def mixed(p: Any, data: Any) -> Any:
        rest = data["y"] - p["a"][data["site"]] - p["c"] * data["x"]
        return np.sum(rest**2) + np.sum((p["a"] - p["m"]) ** 2) / (2 * p["s"] ** 2)

    kinds = {"W": softmax, "U": factor, "a": mixed, "x": chained}
    return network if "v" in task.parameters else kinds[next(iter(task.parameters))]


def by_jax(task: Task, threads: int) -> Evaluate:
    """jit of value_and_grad, the loss written for whole arrays, the columns one matrix."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    there = {}
    for name, cells in columns(task).items():
        there[name] = jnp.asarray(cells.astype(int) - 1 if name in _MOST else cells)
    if "X1" in there:
        there["X"] = jnp.stack([there[name] for name in _X], axis=1)
    at = {name: jnp.asarray(value) for name, value in point(task).items()}
    function = jax.jit(jax.value_and_grad(_loss(task, jnp, jax.scipy.special)))

    def evaluate() -> tuple[float, Any]:
        value, grad = jax.block_until_ready(function(at, there))
        return value, [grad[name] for name in sorted(grad)]

    return evaluate


def by_casadi(task: Task, threads: int) -> Evaluate:
    """CasADi's matrix expressions, without copies; for the chain."""
    import casadi
    import numpy as np

    at = point(task)["x"]
    x = casadi.MX.sym("x", len(at))
    loss = casadi.sum1(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)
    function = casadi.Function("f", [x], [loss, casadi.gradient(loss, x)])
    buffer, call = function.buffer()
    value, grad = np.empty(1), np.empty(len(at))
    buffer.set_arg(0, memoryview(at))
    buffer.set_res(0, memoryview(value))
    buffer.set_res(1, memoryview(grad))

    def evaluate(alive: Any = (function, buffer, at)) -> tuple[float, Any]:
        call()
        return value[0], grad

    return evaluate


PEERS = {"symgd": by_symgd, "c": by_c, "jax": by_jax, "casadi": by_casadi}
