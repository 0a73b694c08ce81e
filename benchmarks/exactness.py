"""Constants bit for bit, the exercise's iterates bit for bit, gradients against 50 digits."""

from __future__ import annotations

import json
import math
import random
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import symgd
from benchmarks import oracle
from benchmarks.measure import CORPORA, Row, missing, skipped
from symgd.model.loss import Loss
from symgd.names import canonical

DOUBLES, PER_LOSS = 100_000, 100
TOLERANCE = 1e-12
SMALLEST = 2.2250738585072014e-308  # the smallest normal double


def rows() -> Iterator[Row]:
    """Constants, iterates, gradients."""
    yield constants()
    yield iterates()
    yield from gradients()


# -- constants and iterates -------------------------------------------------------------------


def constants() -> Row:
    """How many of 10^5 doubles do not arrive in the compiled value and gradient as typed."""
    rng = random.Random(2)
    numbers = [5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 0.1, 1e308, 1e23]
    while len(numbers) < DOUBLES:
        value = struct.unpack("<d", rng.randbytes(8))[0]
        if math.isfinite(value):
            numbers.append(value)
    wrong = sum(altered(numbers[k : k + PER_LOSS]) for k in range(0, DOUBLES, PER_LOSS))
    subnormal = sum(abs(v) < SMALLEST for v in numbers)
    note = f"of {DOUBLES} with random bits ({subnormal} subnormal), in value and gradient"
    return Row("constants that are not bit-exact", wrong, "", 0, note)


def altered(numbers: Sequence[float]) -> int:
    """How many of the numbers c differ in c1*x1 + c2*x2 + ...: its slopes, its values at units."""
    spelled = [repr(c) if k % 2 else f"{c:.17g}" for k, c in enumerate(numbers)]
    loss = Loss(" + ".join(f"({c})*x{k + 1}" for k, c in enumerate(spelled)))
    wrong = 0
    for k, c in enumerate(numbers):
        unit = [0.0] * len(numbers)
        unit[k] = 1.0
        value, *grad = loss.internals.evaluate(*unit)
        wrong += not (bits(grad[k]) == bits(c) and value == c)
    return wrong


def bits(value: float) -> bytes:
    """The eight bytes of a double."""
    return struct.pack("<d", value)


def iterates() -> Row:
    """How many iterates differ from those of the exercise's loop."""
    theta, wrong, count = 1.0, 0, 0
    for lr in (0.2, 0.001, 10.0, 1.0, 0.9):
        theta, path = 1.0, [1.0]
        for _ in range(100):
            theta = theta - lr * (2 * theta)
            path.append(theta)
        ours = symgd.descend("theta**2", lr=lr, steps=100).history.theta[:, 0]
        wrong += sum(bits(a) != bits(b) for a, b in zip(ours, path, strict=True))
        count += len(path)
    theta = symgd.gradient_descent(initial_theta=1.0, learning_rate=0.2, number_steps=20)
    wrong += theta != 3.656158440062973e-05
    return Row("iterates of the exercise that differ", wrong, "", 0, f"of {count}, at 5 rates")


# -- gradients --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A formula and a point."""

    name: str
    text: str
    at: dict[str, float]


@dataclass
class Tally:
    """Errors of gradients by formula: of the worst entry, and relative to the norm of the whole."""

    entries: list[tuple[float, str]] = field(default_factory=list)
    norms: list[tuple[float, str]] = field(default_factory=list)

    def add(self, name: str, grad: Sequence[float], exact: Sequence) -> None:
        """Compare one gradient; `exact` may be of higher precision."""
        size = sum(e * e for e in exact) ** 0.5
        off = sum((g - e) ** 2 for g, e in zip(grad, exact, strict=True)) ** 0.5
        self.norms.append((relative(off, size), name))
        worst = max(relative(abs(g - e), abs(e)) for g, e in zip(grad, exact, strict=True))
        self.entries.append((worst, name))

    @property
    def accurate(self) -> bool:
        """Whether the last one is within the tolerance, entry by entry."""
        return self.entries[-1][0] <= TOLERANCE


def relative(error, size) -> float:
    """error/size, where no double is nearer than the error 0: an exact 1e-400 is 0 in doubles."""
    if error <= SMALLEST:
        return 0.0
    return float(error / size) if size else math.inf


def gradients() -> Iterator[Row]:
    """`Loss.grad`, the compiled gradient and JAX against mpmath, then `Loss.grad` against JAX."""
    if not CORPORA.is_dir():
        yield skipped("gradients", "the corpora are not there")
        return
    if missing("mpmath"):
        yield skipped("gradients", missing("mpmath"))
        return
    jax_grad = None if missing("jax") else grad_by_jax()
    if jax_grad is None:
        yield skipped("gradients of JAX", missing("jax"))
    exact_grad = grad_by_mpmath()
    for corpus, cases in corpora().items():
        ours, fast, theirs, between = Tally(), Tally(), Tally(), Tally()
        refused: dict[str, None] = {}
        unexplained: list[str] = []
        for case in cases:
            loss = loss_of(case)
            exact = exact_grad(case)
            if loss is None:
                refused[case.name] = None
                continue
            grad = our_grad(loss, case)
            if exact is None or not all(map(math.isfinite, grad)):
                continue
            ours.add(case.name, grad, exact)
            compiled = compiled_grad(loss, case)
            fast.add(case.name, compiled, exact)
            if not fast.accurate and not explained(case, compiled, exact, exact_grad):
                unexplained.append(case.name)
            jax = jax_grad(case) if jax_grad else None
            if jax is not None and all(map(math.isfinite, jax)):
                theirs.add(case.name, jax, exact)
                if theirs.accurate:
                    between.add(case.name, grad, jax)
        if refused:
            yield skipped(corpus, f"not in the language: {', '.join(refused)}")
        yield from tallied(f"{corpus}, mpmath", ours, 0)
        yield from tallied("    compiled, in doubles", fast)
        note = "above 1e-12, and the exact gradient varies less within 2 ulp of the point"
        yield Row("    that rounding does not explain", len(unexplained), "", 0,
                  "; ".join([note, *dict.fromkeys(unexplained)]))  # fmt: skip
        if jax_grad:
            yield from tallied("    JAX against mpmath", theirs)
            yield from tallied(f"{corpus}, JAX where it is right", between, 0, 2 * TOLERANCE)


def explained(case: Case, grad: Sequence[float], exact: Sequence, exact_grad: Callable) -> bool:
    """Whether no code in doubles could know better.

    That is when each entry is as near to the exact one as the exact ones are to each other at
    points 2 ulp of one parameter away: the formula's first operation rounds by as much.
    """
    spread = [SMALLEST for _ in grad]
    for name, value in case.at.items():
        for side in (-2, 2):
            moved = exact_grad(
                Case(case.name, case.text, case.at | {name: value + side * math.ulp(value)})
            )
            if moved is None:
                return True  # the domain ends here
            spread = [s + abs(m - e) for s, m, e in zip(spread, moved, exact, strict=True)]
    errors = (abs(g - e) for g, e in zip(grad, exact, strict=True))
    return all(e <= TOLERANCE * abs(x) + s for e, x, s in zip(errors, exact, spread, strict=True))


def tallied(
    what: str, tally: Tally, target: float | None = None, tolerance: float = TOLERANCE
) -> Iterator[Row]:
    """How many gradients are off by more than the tolerance, and the worst."""
    for scale, errors in (("norm", tally.norms), ("entries", tally.entries)):
        above = sorted({name for error, name in errors if error > tolerance})
        worst = max(errors, default=(0.0, "none"))
        note = f"of {len(errors)}; worst {worst[0]:.1e} ({worst[1]})"
        note += f"; above {tolerance:g}: {', '.join(above)}" if above else ""
        count = sum(e > tolerance for e, _ in errors)
        yield Row(f"{what}, by {scale}", count, "", target, note)


def corpora() -> dict[str, list[Case]]:
    """The formulas with parameters, at the points that the corpora give."""
    found: dict[str, list[Case]] = {}
    read = {name: json.loads((CORPORA / f"{name}.json").read_text()) for name in _CORPORA}
    found["MGH"] = [
        Case(r["name"], r["expr"], dict(zip(r["params"], map(float, r["start"]), strict=True)))
        for r in read["mgh"]
    ]
    found["test functions"] = [
        Case(r["name"], r["expr"], dict(zip(r["params"], map(float, point), strict=True)))
        for r in read["test_functions"]
        for point in r["check_points"]
    ]
    found["Feynman"] = [
        Case(r["id"], r["formula"], p["at"]) for r in read["feynman"] for p in r["check_points"]
    ]
    found["expressions"] = [
        Case(r["plain"], r["plain"], {k: float(v) for k, v in p["at"].items()})
        for r in read["expressions"]
        if r["vars"]
        for p in r["check_points"]
    ]
    return found


_CORPORA = ("mgh", "test_functions", "feynman", "expressions")


_losses: dict[str, Loss | None] = {}


def loss_of(case: Case) -> Loss | None:
    """The formula, or None where the language refuses it."""
    if case.text not in _losses:
        try:
            _losses[case.text] = Loss(case.text, params=list(case.at))
        except symgd.FormulaError:
            _losses[case.text] = None
    return _losses[case.text]


def our_grad(loss: Loss, case: Case) -> list[float]:
    """`Loss.grad` in the order of `at`."""
    return in_order(loss, case, loss.exact.grad(point(loss, case)))


def compiled_grad(loss: Loss, case: Case) -> list[float]:
    """The gradient that descents use, every operation rounded to a double."""
    return in_order(loss, case, loss.internals.evaluate(*point(loss, case))[1:])


def point(loss: Loss, case: Case) -> list[float]:
    """The case's point in the order of the loss's parameters."""
    at = {canonical(name): value for name, value in case.at.items()}
    return [at[p] for p in loss.params]


def in_order(loss: Loss, case: Case, slopes: Sequence[float]) -> list[float]:
    """The slopes in the order of `at`; 0 for names that the formula does not hold."""
    by_name = dict(zip(loss.params, slopes, strict=True))
    return [float(by_name.get(canonical(p), 0.0)) for p in case.at]


def grad_by_mpmath() -> Callable[[Case], list | None]:
    """Central differences of the formula's value that leave 50 digits of the loss's scale right.

    Slopes much smaller than the loss itself are taken again with digits to spare for 1e-308.
    """
    from mpmath import mp

    mp.dps = 50
    arithmetic = oracle.with_mpmath()

    def differences(case: Case) -> list:
        point = {k: mp.mpf(v) for k, v in case.at.items()}
        return [
            mp.diff(lambda v, k=k: arithmetic.evaluate(case.text, point | {k: v}), point[k])
            for k in point
        ]

    def grad(case: Case) -> list | None:
        try:
            slopes = differences(case)
            if min(map(abs, slopes)) < 1e-20 * (1 + abs(arithmetic.evaluate(case.text, case.at))):
                with mp.workdps(400):
                    slopes = differences(case)
        except (LookupError, ZeroDivisionError, TypeError, ValueError):
            return None  # not a function of the oracle's, or outside the domain
        return slopes if all(isinstance(s, mp.mpf) and mp.isfinite(s) for s in slopes) else None

    return grad


def grad_by_jax() -> Callable[[Case], list[float] | None]:
    """Reverse accumulation in float64."""
    import jax

    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_platforms", "cpu")
    arithmetic = oracle.with_jax()

    def grad(case: Case) -> list[float] | None:
        try:
            slopes = jax.grad(lambda at: arithmetic.evaluate(case.text, at))(case.at)
        except (LookupError, TypeError, ZeroDivisionError):
            return None
        return [float(slopes[k]) for k in case.at]

    return grad
