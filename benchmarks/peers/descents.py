"""Rosenbrock by gradient descent and Adam: steps -> (x, y), by each peer, all in float64.

Each function gets the learning rate and gives back a descent that is compiled at its first call
(or for each number of steps), so that a caller who warms it up times the steps alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benchmarks.losses import ROSENBROCK

Descent = Callable[[int], Sequence[float]]
START = (-1.2, 1.0)
BETA1, BETA2, EPS = 0.9, 0.999, 1e-8


def rosenbrock(x, y):
    """The loss in any arithmetic."""
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


def by_symgd(rule: str, lr: float, backend: str = "native") -> Descent:
    """symgd.descend, with all that it records."""
    import symgd

    def descent(steps: int) -> list[float]:
        result = symgd.descend(
            ROSENBROCK, start=START, rule=rule, lr=lr, steps=steps, backend=backend
        )
        return list(result.theta.values())

    return descent


def by_c(rule: str, lr: float, *flags: str) -> Descent:
    """descents.c."""
    import ctypes

    from benchmarks.peers import c

    function = getattr(c.load("descents", *flags), rule)
    numbers = [lr] if rule == "gd" else [lr, BETA1, BETA2, EPS]
    function.argtypes = [ctypes.c_void_p, *[ctypes.c_double] * len(numbers), ctypes.c_long]
    function.restype = None

    def descent(steps: int) -> list[float]:
        point = (ctypes.c_double * 2)(*START)
        function(point, *numbers, steps)
        return list(point)

    return descent


def by_c_rounded(rule: str, lr: float) -> Descent:
    """The same, each operation rounded by itself, as in Python and symgd."""
    return by_c(rule, lr, "-ffp-contract=off")


def by_jax(rule: str, lr: float) -> Descent:
    """fori_loop over the gradient that JAX derives, optax's Adam, the whole under jit."""
    import jax
    import jax.numpy as jnp
    import optax

    jax.config.update("jax_enable_x64", True)
    grad = jax.grad(lambda p: rosenbrock(p[0], p[1]))

    @jax.jit
    def gd(p, steps):
        return jax.lax.fori_loop(0, steps, lambda _, p: p - lr * grad(p), p)

    rules = optax.adam(lr, b1=BETA1, b2=BETA2, eps=EPS)

    @jax.jit
    def adam(p, steps):
        def step(_, carry):
            p, state = carry
            update, state = rules.update(grad(p), state, p)
            return optax.apply_updates(p, update), state

        return jax.lax.fori_loop(0, steps, step, (p, rules.init(p)))[0]

    run = gd if rule == "gd" else adam
    return lambda steps: [float(v) for v in run(jnp.array(START), steps).block_until_ready()]


def by_jax_scalars(rule: str, lr: float) -> Descent:
    """JAX again, x and y as two scalars in place of one array: XLA fuses more of it."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    grad = jax.grad(rosenbrock, argnums=(0, 1))

    @jax.jit
    def gd(p, steps):
        def step(_, p):
            g = grad(*p)
            return p[0] - lr * g[0], p[1] - lr * g[1]

        return jax.lax.fori_loop(0, steps, step, p)

    @jax.jit
    def adam(p, steps):
        def step(i, carry):
            p, m, v = carry
            g, t = grad(*p), i + 1.0
            m = tuple(BETA1 * a + (1 - BETA1) * b for a, b in zip(m, g, strict=True))
            v = tuple(BETA2 * a + (1 - BETA2) * b * b for a, b in zip(v, g, strict=True))
            bias1, bias2 = 1 - BETA1**t, 1 - BETA2**t
            p = tuple(
                a - lr * (b / bias1) / (jnp.sqrt(c / bias2) + EPS)
                for a, b, c in zip(p, m, v, strict=True)
            )
            return p, m, v

        zero = (jnp.float64(0), jnp.float64(0))
        return jax.lax.fori_loop(0, steps, step, (p, zero, zero))[0]

    run, start = gd if rule == "gd" else adam, tuple(map(jnp.float64, START))
    return lambda steps: [float(v) for v in jax.block_until_ready(run(start, steps))]


def by_numba(rule: str, lr: float, by_hand: bool = False) -> Descent:
    """The loop under njit, over the gradient that SymPy derives and lambdifies."""
    import numba

    grad = numba.njit(gradient_by_hand if by_hand else lambdified_gradient())

    @numba.njit
    def gd(x, y, steps):
        for _ in range(steps):
            gx, gy = grad(x, y)
            x -= lr * gx
            y -= lr * gy
        return x, y

    @numba.njit
    def adam(x, y, steps):
        mx = my = vx = vy = 0.0
        for t in range(1, steps + 1):
            gx, gy = grad(x, y)
            mx = BETA1 * mx + (1 - BETA1) * gx
            my = BETA1 * my + (1 - BETA1) * gy
            vx = BETA2 * vx + (1 - BETA2) * gx * gx
            vy = BETA2 * vy + (1 - BETA2) * gy * gy
            bias1, bias2 = 1 - BETA1 ** float(t), 1 - BETA2 ** float(t)
            x -= lr * (mx / bias1) / ((vx / bias2) ** 0.5 + EPS)
            y -= lr * (my / bias1) / ((vy / bias2) ** 0.5 + EPS)
        return x, y

    run = gd if rule == "gd" else adam
    return lambda steps: run(*START, steps)


def by_numba_by_hand(rule: str, lr: float) -> Descent:
    """The same over the gradient that a programmer writes."""
    return by_numba(rule, lr, by_hand=True)


def gradient_by_hand(x: float, y: float) -> tuple[float, float]:
    """The slopes in x and y."""
    rest = y - x * x
    return -2 * (1 - x) - 400 * x * rest, 200 * rest


def lambdified_gradient() -> Callable[[float, float], Sequence[float]]:
    """The slopes by SymPy's own diff and lambdify."""
    import sympy

    x, y = sympy.symbols("x y", real=True)
    loss = rosenbrock(x, y)
    slopes = [sympy.diff(loss, s) for s in (x, y)]
    return sympy.lambdify((x, y), slopes, modules="math", cse=True)


def by_casadi(rule: str, lr: float) -> Descent:
    """CasADi's fold of one step, built once for each number of steps."""
    import casadi

    theta = casadi.SX.sym("theta", 2)
    grad = casadi.gradient(rosenbrock(theta[0], theta[1]), theta)
    if rule == "gd":
        state, after = theta, theta - lr * grad
    else:
        m, v, t = casadi.SX.sym("m", 2), casadi.SX.sym("v", 2), casadi.SX.sym("t")
        state = casadi.vertcat(theta, m, v, t)
        m, v, t = BETA1 * m + (1 - BETA1) * grad, BETA2 * v + (1 - BETA2) * grad**2, t + 1
        move = (m / (1 - BETA1**t)) / (casadi.sqrt(v / (1 - BETA2**t)) + EPS)
        after = casadi.vertcat(theta - lr * move, m, v, t)
    step = casadi.Function("step", [state], [after])
    origin = casadi.DM([*START, *[0.0] * (state.shape[0] - 2)])
    folds: dict[int, casadi.Function] = {}

    def descent(steps: int) -> list[float]:
        folds[steps] = folds.get(steps) or step.fold(steps)
        return [float(v) for v in folds[steps](origin).full().ravel()[:2]]

    return descent


def by_lambdify(rule: str, lr: float) -> Descent:
    """A Python loop over SymPy's own lambdified gradient."""
    grad = lambdified_gradient()

    def gd(steps: int) -> list[float]:
        a, b = START
        for _ in range(steps):
            ga, gb = grad(a, b)
            a, b = a - lr * ga, b - lr * gb
        return [a, b]

    def adam(steps: int) -> list[float]:
        a, b = START
        ma = mb = va = vb = 0.0
        for t in range(1, steps + 1):
            ga, gb = grad(a, b)
            ma, mb = BETA1 * ma + (1 - BETA1) * ga, BETA1 * mb + (1 - BETA1) * gb
            va, vb = BETA2 * va + (1 - BETA2) * ga * ga, BETA2 * vb + (1 - BETA2) * gb * gb
            bias1, bias2 = 1 - BETA1**t, 1 - BETA2**t
            a -= lr * (ma / bias1) / ((va / bias2) ** 0.5 + EPS)
            b -= lr * (mb / bias1) / ((vb / bias2) ** 0.5 + EPS)
        return [a, b]

    return gd if rule == "gd" else adam


def by_torch(rule: str, lr: float) -> Descent:
    """torch.optim, step by step."""
    import torch

    def descent(steps: int) -> list[float]:
        p = torch.tensor(START, dtype=torch.float64, requires_grad=True)
        optimizer = (
            torch.optim.SGD([p], lr=lr)
            if rule == "gd"
            else torch.optim.Adam([p], lr=lr, betas=(BETA1, BETA2), eps=EPS)
        )
        for _ in range(steps):
            optimizer.zero_grad()
            rosenbrock(p[0], p[1]).backward()
            optimizer.step()
        return p.tolist()

    return descent


PEERS = {
    "symgd": by_symgd,
    "c": by_c,
    "c-rounded": by_c_rounded,
    "jax": by_jax,
    "jax-scalars": by_jax_scalars,
    "numba": by_numba,
    "numba-by-hand": by_numba_by_hand,
    "casadi": by_casadi,
    "lambdify": by_lambdify,
    "torch": by_torch,
}
