"""Update rules worked by hand in NumPy, after the equations of their papers.

Each is (lr, problem) -> step: (theta, g, t) -> the next theta. Random numbers come from the same
generator, written here with Python's integers.
"""

import math

import numpy as np

WORD = 1 << 26


def words(seed, t, index, call):
    """A Feistel network of middle squares, words of 26 bits, as whole numbers."""
    key = (seed % WORD + seed // WORD * 40503 + t // WORD * 25173 + call * 3373259) % WORD
    a, b = t % WORD, index % WORD
    for _ in range(8):
        a, b = (b + (((a + key) % WORD) ** 2 >> 13)) % WORD, a
        key = (key + 41474357) % WORD
    return a, b


def signs(t, seed=0, call=1):
    return np.array([-1.0 if words(seed, t, k, call)[0] < WORD // 2 else 1.0 for k in range(2)])


def normals(t, seed=0, call=1):
    found = []
    for k in range(2):
        a, b = words(seed, t, k, call)
        rest, sign = (b, -1.0) if b < WORD // 2 else (b - WORD // 2, 1.0)
        angle = (rest + 0.5) * math.pi / WORD
        found.append(sign * math.sqrt(-2 * math.log((a + 0.5) / WORD)) * math.cos(angle))
    return np.array(found)


def adam_parts(beta1=0.9, beta2=0.999, eps=1e-8):
    """g, t -> Adam's direction."""
    m, v = np.zeros(2), np.zeros(2)

    def direction(g, t):
        m[:] = beta1 * m + (1 - beta1) * g
        v[:] = beta2 * v + (1 - beta2) * g * g
        return m / (1 - beta1**t) / (np.sqrt(v / (1 - beta2**t)) + eps)

    return direction


def qhadam(lr, problem):
    m, v = np.zeros(2), np.zeros(2)

    def step(theta, g, t):
        m[:] = 0.995 * m + 0.005 * g
        v[:] = 0.999 * v + 0.001 * g * g
        d = 0.3 * g + 0.7 * m / (1 - 0.995**t)
        return theta - lr * d / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)

    return step


def laprop(lr, problem):
    m, v = np.zeros(2), np.zeros(2)

    def step(theta, g, t):
        v[:] = 0.999 * v + 0.001 * g * g
        m[:] = 0.9 * m + 0.1 * g / (np.sqrt(v / (1 - 0.999**t)) + 1e-15)
        return theta - lr * m / (1 - 0.9**t)

    return step


def cautious_adam(lr, problem):
    direction = adam_parts()

    def step(theta, g, t):
        u = direction(g, t)
        mask = (u * g > 0).astype(float)
        return theta - lr * u * mask / max(mask.mean(), 1e-3)

    return step


def grams(lr, problem):
    direction = adam_parts()
    return lambda theta, g, t: theta - lr * np.sign(g) * np.abs(direction(g, t))


def mars(lr, problem):
    direction, last = adam_parts(0.95, 0.99), []

    def step(theta, g, t):
        before = last.pop() if last else g
        last.append(g)
        c = g + 0.025 * 0.95 / 0.05 * (g - before)
        return theta - lr * direction(c / max(np.hypot(*c), 1.0), t)

    return step


def fista(lr, problem):
    kept = {"a": 1.0}

    def step(theta, g, t):
        before, x = kept.get("x", theta), theta - lr * g
        b = (1 + math.sqrt(1 + 4 * kept["a"] ** 2)) / 2
        y = x + (kept["a"] - 1) / b * (x - before)
        kept.update(a=b, x=x)
        return y

    return step


def asgd(lr, problem):
    eta = [lr]

    def step(theta, g, t):
        new = theta * (1 - 1e-4 * eta[0]) - eta[0] * g
        eta[0] = lr / (1 + 1e-4 * lr * t) ** 0.75
        return new

    return step


def alig(lr, problem):
    def step(theta, g, t):
        return theta - min(lr, problem.loss(*theta) / (g @ g + 1e-5)) * g

    return step


def barzilai_borwein(lr, problem):
    last = []

    def step(theta, g, t):
        a = lr
        if last:
            s, y = theta - last[0], g - last[1]
            a = s @ s / (s @ y) if s @ y > 0 else lr
        last[:] = [theta, g]
        return theta - a * g

    return step


def hypergradient(lr, problem):
    kept = {"a": lr, "last": np.zeros(2)}

    def step(theta, g, t):
        kept["a"] += 1e-12 * (g @ kept["last"])
        kept["last"] = g
        return theta - kept["a"] * g

    return step


def extragradient(lr, problem):
    return lambda theta, g, t: theta - lr * np.array(problem.grad(*(theta - lr * g)))


def sam(lr, problem):
    def step(theta, g, t):
        up = theta + 0.05 * g / (np.hypot(*g) + 1e-12)
        return theta - lr * np.array(problem.grad(*up))

    return step


def conjugate_gradient(lr, problem):
    kept = {"d": np.zeros(2)}

    def step(theta, g, t):
        last = kept.get("last")
        ratio = 0.0 if last is None else max(g @ (g - last) / (last @ last), 0.0)
        kept.update(d=ratio * kept["d"] - g, last=g)
        return theta + lr * kept["d"]

    return step


def spsa(lr, problem):
    def step(theta, g, t):
        c, d = 0.01 / t**0.101, signs(t)
        slope = (problem.loss(*(theta + c * d)) - problem.loss(*(theta - c * d))) / (2 * c)
        return theta - lr / (t + 50.0) ** 0.602 * slope / d

    return step


def adahessian(lr, problem):
    m, v = np.zeros(2), np.zeros(2)

    def step(theta, g, t):
        z = signs(t)
        m[:] = 0.9 * m + 0.1 * g
        v[:] = 0.999 * v + 0.001 * (z * (problem.hess(*theta) @ z)) ** 2
        return theta - lr * m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-4)

    return step


def sophia_h(lr, problem):
    m, h = np.zeros(2), np.zeros(2)

    def step(theta, g, t):
        m[:] = 0.965 * m + 0.035 * g
        if (t - 1) % 10 == 0:
            u = normals(t)
            h[:] = 0.99 * h + 0.01 * u * (problem.hess(*theta) @ u)
        return theta - lr * np.clip(m / np.maximum(0.01 * h, 1e-12), -1, 1)

    return step


def lookahead(lr, problem):
    slow = []

    def step(theta, g, t):
        if not slow:
            slow.append(theta)
        fast = theta - lr * g
        if t % 5:
            return fast
        slow[0] = slow[0] + 0.5 * (fast - slow[0])
        return slow[0]

    return step


def plateau(lr, problem, patience=3, factor=0.5):
    kept = {"lr": lr, "best": math.inf, "bad": 0}

    def step(theta, g, t):  # torch.optim.lr_scheduler.ReduceLROnPlateau after each step
        loss, new = problem.loss(*theta), theta - kept["lr"] * g
        kept["bad"] = 0 if loss < kept["best"] * (1 - 1e-4) else kept["bad"] + 1
        kept["best"] = min(kept["best"], loss)
        if kept["bad"] > patience:
            kept["lr"] *= factor
            kept["bad"] = 0
        return new

    return step


def nadamw(lr, problem):
    m, v = np.zeros(2), np.zeros(2)
    mus = [0.9 * (1 - 0.5 * 0.96 ** (0.004 * i)) for i in range(1, 300)]

    def step(theta, g, t):
        m[:] = 0.9 * m + 0.1 * g
        v[:] = 0.999 * v + 0.001 * g * g
        d = mus[t] * m / (1 - np.prod(mus[: t + 1]))
        d += (1 - mus[t - 1]) * g / (1 - np.prod(mus[:t]))
        d /= np.sqrt(v / (1 - 0.999**t)) + 1e-8
        return theta - lr * (d + 0.01 * theta)

    return step


def madgrad(lr, problem):
    s, v, start = np.zeros(2), np.zeros(2), []

    def step(theta, g, t):
        start[:] = start or [theta]
        k = (lr + 1e-6) * math.sqrt(t)
        v[:] += k * g**2
        s[:] += k * g
        return 0.9 * theta + (1 - 0.9) * (start[0] - s / (np.cbrt(v) + 1e-6))

    return step
