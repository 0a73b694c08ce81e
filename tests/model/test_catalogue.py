"""Every entry of the catalogue walks the path of an independent engine: optax, torch, or NumPy.

Two paths agree when they differ by at most 1e-12 of the largest value that a parameter takes on
them, at each of 200 steps. The learning rates are generic numbers (no step lands on a kink) and
small enough that a rounding error does not grow along the path.
"""

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import symgd
from symgd.formula.rule_functions import RULE_FUNCTIONS
from symgd.model.catalogue import CATALOGUE, Entry
from tests.grids import grid
from tests.model import rules_by_hand as by_hand

jax.config.update("jax_enable_x64", True)

STEPS = 200
Step = Callable[[np.ndarray, np.ndarray, int], np.ndarray]  # (theta, g, t) -> the next theta


@dataclass(frozen=True)
class Problem:
    """A loss as symgd reads it, the same for jax and torch, and its gradient worked by hand."""

    text: str
    loss: Callable[[Any, Any], Any]
    grad: Callable[[float, float], tuple[float, float]]
    hess: Callable[[float, float], np.ndarray]
    start: tuple[float, float]
    rates: Mapping[str, float] = field(default_factory=dict)

    def rate(self, rule: str) -> float:
        return self.rates.get(rule, 1.0 if rule in FREE else 0.013)


#: Rules that find the size of their steps: lr is a factor or a bound. Rules of plain steps.
FREE = {"adadelta", "dog", "dowg", "dadapt_adam", "prodigy", "cocob", "polyak", "momo"}
SMALL = dict.fromkeys(
    ["gd", "radam", "optimistic", "fista", "asgd", "schedule_free_sgd", "extragradient",
     "conjugate_gradient", "hypergradient", "barzilai_borwein", "acprop", "sam", "novograd"],
    0.00013,
) | dict.fromkeys(["gd", "radam", "polyak", "momo", "alig"], 0.00113)  # fmt: skip

PROBLEMS = {
    "rosenbrock": Problem(
        text="(1 - x)**2 + 100*(y - x**2)**2",
        loss=lambda x, y: (1 - x) ** 2 + 100 * (y - x**2) ** 2,
        grad=lambda x, y: (-2 * (1 - x) - 400 * x * (y - x**2), 200 * (y - x**2)),
        hess=lambda x, y: np.array(
            [[2 - 400 * y + 1200 * x * x, -400 * x], [-400 * x, 200.0]],
        ),
        start=(-1.2, 1.0),
        rates={"momentum": 0.00023, "nesterov": 0.00023, "dowg": 0.1, "prodigy": 0.5, **SMALL},
    ),
    "ill-conditioned": Problem(  # eigenvalues of the Hessian: 1001 and 3.6
        text="100*(x - 2*y)**2 + (x + y - 3)**2",
        loss=lambda x, y: 100 * (x - 2 * y) ** 2 + (x + y - 3) ** 2,
        grad=lambda x, y: (
            200 * (x - 2 * y) + 2 * (x + y - 3),
            -400 * (x - 2 * y) + 2 * (x + y - 3),
        ),
        hess=lambda x, y: np.array([[202.0, -398.0], [-398.0, 802.0]]),
        start=(3.0, -2.0),
        rates={"momentum": 0.00113, "nesterov": 0.00113, **SMALL},
    ),
    "non-smooth": Problem(
        text="abs(x) + 2*abs(y - 1)",
        loss=lambda x, y: abs(x) + 2 * abs(y - 1),
        grad=lambda x, y: (np.sign(x), 2 * np.sign(y - 1)),
        hess=lambda x, y: np.zeros((2, 2)),
        start=(0.7, -1.3),
    ),
}


def adagrad(lr: float, eps: float = 1e-10) -> Step:
    total = np.zeros(2)

    def step(theta: np.ndarray, g: np.ndarray, t: int) -> np.ndarray:
        total[:] += g * g
        return theta - lr * g / (np.sqrt(total) + eps)

    return step


def amsgrad(lr: float, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8) -> Step:
    m, v, largest = np.zeros(2), np.zeros(2), np.zeros(2)

    def step(theta: np.ndarray, g: np.ndarray, t: int) -> np.ndarray:
        m[:] = beta1 * m + (1 - beta1) * g
        v[:] = beta2 * v + (1 - beta2) * g * g
        largest[:] = np.maximum(largest, v)
        root = np.sqrt(largest) / np.sqrt(1 - beta2**t)
        return theta - lr / (1 - beta1**t) * m / (root + eps)

    return step


def nadam(lr: float, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8) -> Step:
    m, v = np.zeros(2), np.zeros(2)
    mus = [beta1 * (1 - 0.5 * 0.96 ** (0.004 * i)) for i in range(1, STEPS + 2)]  # mu_1, mu_2, ...

    def step(theta: np.ndarray, g: np.ndarray, t: int) -> np.ndarray:
        m[:] = beta1 * m + (1 - beta1) * g
        v[:] = beta2 * v + (1 - beta2) * g * g
        m_hat = mus[t] * m / (1 - np.prod(mus[: t + 1]))
        m_hat += (1 - mus[t - 1]) * g / (1 - np.prod(mus[:t]))
        return theta - lr * m_hat / (np.sqrt(v / (1 - beta2**t)) + eps)

    return step


def radam(lr: float, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8) -> Step:
    m, v = np.zeros(2), np.zeros(2)
    longest = 2 / (1 - beta2) - 1

    def step(theta: np.ndarray, g: np.ndarray, t: int) -> np.ndarray:
        m[:] = beta1 * m + (1 - beta1) * g
        v[:] = beta2 * v + (1 - beta2) * g * g
        m_hat = m / (1 - beta1**t)
        length = longest - 2 * t * beta2**t / (1 - beta2**t)
        if length <= 5:
            return theta - lr * m_hat
        r = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
        return theta - lr * m_hat * np.sqrt(r) * np.sqrt(1 - beta2**t) / (np.sqrt(v) + eps)

    return step


def rprop(lr: float) -> Step:
    size, last = np.full(2, lr), np.zeros(2)

    def step(theta: np.ndarray, g: np.ndarray, t: int) -> np.ndarray:
        theta = theta.copy()
        for i in range(2):
            if g[i] * last[i] > 0:
                size[i] = min(1.2 * size[i], 50.0)
            elif g[i] * last[i] < 0:
                size[i] = max(0.5 * size[i], 1e-6)
                g[i] = 0.0
            theta[i] -= size[i] * np.sign(g[i])
            last[i] = g[i]
        return theta

    return step


@dataclass(frozen=True)
class Oracle:
    """Who knows the path of a rule.

    optax: the transformation at a learning rate, the same formula as ours under `set`; or None.
    set: our hyperparameters for the comparison with optax, where it differs at the defaults.
    torch: the name in torch.optim and what to set there; all else are torch's defaults, and ours.
    by_hand: the rule at its defaults in NumPy, after the pseudo-code in torch's documentation. on:
    the same of a rule that also reads the loss, after its paper.
    """

    optax: Callable[[float], Any] | None
    set: Mapping[str, float] = field(default_factory=dict)
    torch: tuple[str, Mapping[str, Any]] | None = None
    by_hand: Callable[[float], Step] | None = None
    on: Callable[[float, Any], Step] | None = None


ORACLES = {
    "gd": Oracle(optax.sgd, torch=("SGD", {})),
    "momentum": Oracle(
        lambda lr: optax.sgd(lr, momentum=0.9),
        torch=("SGD", {"momentum": 0.9}),
    ),
    "nesterov": Oracle(
        lambda lr: optax.sgd(lr, momentum=0.9, nesterov=True),
        torch=("SGD", {"momentum": 0.9, "nesterov": True}),
    ),
    "adagrad": Oracle(  # optax has eps inside the root and starts at 0.1: agree without both
        lambda lr: optax.adagrad(lr, initial_accumulator_value=0.0, eps=0.0),
        set={"eps": 0.0},
        torch=("Adagrad", {}),
        by_hand=adagrad,
    ),
    "rmsprop": Oracle(
        lambda lr: optax.rmsprop(lr, decay=0.99, eps=1e-8, eps_in_sqrt=False),
        torch=("RMSprop", {}),
    ),
    "adadelta": Oracle(lambda lr: optax.adadelta(lr, rho=0.9, eps=1e-6), torch=("Adadelta", {})),
    "adam": Oracle(optax.adam, torch=("Adam", {})),
    "adamw": Oracle(lambda lr: optax.adamw(lr, weight_decay=0.01), torch=("AdamW", {})),
    "amsgrad": Oracle(  # optax corrects v before the maximum or never: never, and the rest in lr
        lambda lr: optax.amsgrad(
            lambda count: lr * jnp.sqrt(1 - 0.999 ** (count + 1)),
            eps=0.0,
            bias_correction_nu=False,
        ),
        set={"eps": 0.0},
        torch=("Adam", {"amsgrad": True}),
        by_hand=amsgrad,
    ),
    "adamax": Oracle(optax.adamax, torch=("Adamax", {})),
    "nadam": Oracle(  # optax has no momentum schedule: 0.96**1e4 is 0 beside 1, so mu is beta1
        optax.nadam,
        set={"momentum_decay": 1e4},
        torch=("NAdam", {}),
        by_hand=nadam,
    ),
    "radam": Oracle(  # optax adds eps after the bias of v is corrected: agree without it
        lambda lr: optax.radam(lr, eps=0.0),
        set={"eps": 0.0},
        torch=("RAdam", {}),
        by_hand=radam,
    ),
    "lion": Oracle(lambda lr: optax.lion(lr, b1=0.9, b2=0.99, weight_decay=0.001)),
    "signsgd": Oracle(optax.sign_sgd),
    "nadamw": Oracle(
        lambda lr: optax.nadamw(lr, weight_decay=0.01),
        set={"momentum_decay": 1e4},
        torch=("NAdam", {"weight_decay": 0.01, "decoupled_weight_decay": True}),
        on=by_hand.nadamw,
    ),
    "adamaxw": Oracle(lambda lr: optax.adamaxw(lr, weight_decay=0.01)),
    "adabelief": Oracle(optax.adabelief),
    "yogi": Oracle(optax.yogi),
    "adan": Oracle(optax.adan),
    "adopt": Oracle(optax.contrib.adopt),
    "ademamix": Oracle(lambda lr: optax.contrib.ademamix(lr, alpha=6.0)),
    "qhadam": Oracle(None, on=by_hand.qhadam),
    "laprop": Oracle(None, on=by_hand.laprop),
    "acprop": Oracle(optax.contrib.acprop),
    "cautious_adam": Oracle(None, on=by_hand.cautious_adam),
    "grams": Oracle(None, on=by_hand.grams),
    "mars": Oracle(None, on=by_hand.mars),
    "lars": Oracle(optax.lars),
    "lamb": Oracle(optax.lamb),
    "novograd": Oracle(optax.novograd),
    "fromage": Oracle(optax.fromage),
    "signum": Oracle(
        lambda lr: optax.chain(optax.ema(0.9, debias=False), optax.scale_by_sign(), optax.sgd(lr))
    ),
    "sm3": Oracle(optax.sm3),
    "optimistic": Oracle(optax.optimistic_gradient_descent),
    "fista": Oracle(None, on=by_hand.fista),
    "asgd": Oracle(None, torch=("ASGD", {}), on=by_hand.asgd),
    "madgrad": Oracle(None, on=by_hand.madgrad),
    "schedule_free_sgd": Oracle(optax.contrib.schedule_free_sgd),
    "schedule_free_adam": Oracle(optax.contrib.schedule_free_adamw),
    "dog": Oracle(optax.contrib.dog),
    "dowg": Oracle(optax.contrib.dowg),
    "dadapt_adam": Oracle(optax.contrib.dadapt_adamw),
    "prodigy": Oracle(optax.contrib.prodigy),
    "cocob": Oracle(optax.contrib.cocob),
    "polyak": Oracle(lambda lr: optax.polyak_sgd(max_learning_rate=lr)),
    "alig": Oracle(None, on=by_hand.alig),
    "momo": Oracle(optax.contrib.momo),
    "barzilai_borwein": Oracle(None, on=by_hand.barzilai_borwein),
    "hypergradient": Oracle(None, set={"beta": 1e-12}, on=by_hand.hypergradient),
    "extragradient": Oracle(None, on=by_hand.extragradient),
    "conjugate_gradient": Oracle(None, on=by_hand.conjugate_gradient),
    "spsa": Oracle(None, on=by_hand.spsa),
    "adahessian": Oracle(None, on=by_hand.adahessian),
    "sophia_h": Oracle(None, on=by_hand.sophia_h),
    "rprop": Oracle(None, torch=("Rprop", {}), by_hand=rprop),  # optax applies a step one step late
}

BOX = {"lower": -0.5, "upper": 0.75}

# Prefixes and suffixes, as compositions: what we set, and the same chain in optax.
COMPOSITIONS: dict[str, tuple[dict[str, float], Callable[[float], Any]]] = {
    "clip_value+gd": (
        {"max_value": 2.5},
        lambda lr: optax.chain(optax.clip(2.5), optax.sgd(lr)),
    ),
    "clip_norm+gd": (
        {"max_norm": 2.5},
        lambda lr: optax.chain(optax.clip_by_global_norm(2.5), optax.sgd(lr)),
    ),
    "clip_norm+adam": (
        {},
        lambda lr: optax.chain(optax.clip_by_global_norm(1.0), optax.adam(lr)),
    ),
    "weight_decay+gd": (
        {},
        lambda lr: optax.chain(optax.add_decayed_weights(0.01), optax.sgd(lr)),
    ),
    "weight_decay+adam": (
        {"weight_decay": 0.3},
        lambda lr: optax.chain(optax.add_decayed_weights(0.3), optax.adam(lr)),
    ),
    "gd+box": (BOX, optax.sgd),
    "clip_norm+weight_decay+momentum+box": (
        {"max_norm": 2.5, "weight_decay": 0.3, **BOX},
        lambda lr: optax.chain(
            optax.clip_by_global_norm(2.5),
            optax.add_decayed_weights(0.3),
            optax.sgd(lr, momentum=0.9),
        ),
    ),
}


def of_kind(kind: str) -> list[str]:
    return [entry.name for entry in CATALOGUE.values() if entry.kind == kind]


def our_paths(
    rule: str, problem: Problem, lr: float, given: Mapping[str, float] | None = None
) -> np.ndarray:
    """The same path by Python and by machine code: (2, steps + 1, parameters)."""
    start = dict(zip("xy", problem.start, strict=True))
    how = {"start": start, "rule": rule, "lr": lr, "steps": STEPS, "set": dict(given or {})}
    results = [symgd.descend(problem.text, backend=b, **how) for b in ("lambdify", "native")]
    return np.array([result.history.theta for result in results])


def optax_path(
    optimizer: Callable[[Any], Any],
    problem: Problem,
    lr: float,
    boxed: bool = False,
) -> np.ndarray:
    number = list(PROBLEMS.values()).index(problem)
    path = _paths_of_optax(optimizer, boxed)
    return np.vstack([problem.start, path(jnp.array(problem.start), number, lr)])


@functools.cache
def _paths_of_optax(
    optimizer: Callable[[Any], Any], boxed: bool
) -> Callable[[Any, int, float], Any]:
    """One compilation for all problems: (start, number of the problem, lr) -> thetas."""
    losses = [lambda theta, p=problem: p.loss(theta[0], theta[1]) for problem in PROBLEMS.values()]
    gradient = jax.grad(lambda theta, number: jax.lax.switch(number, losses, theta))

    def path(start: Any, number: Any, lr: Any) -> Any:
        rule = optax.with_extra_args_support(optimizer(lr))

        def step(carry: Any, _: None) -> Any:
            theta, state = carry
            value = jax.lax.switch(number, losses, theta)
            updates, state = rule.update(gradient(theta, number), state, theta, value=value)
            theta = optax.apply_updates(theta, updates)
            if boxed:
                theta = optax.projections.projection_box(theta, BOX["lower"], BOX["upper"])
            return (theta, state), theta

        return jax.lax.scan(step, (start, rule.init(start)), None, length=STEPS)[1]

    return jax.jit(path)


def hand_path(step: Step, problem: Problem) -> np.ndarray:
    path = [np.array(problem.start)]
    for t in range(1, STEPS + 1):
        path.append(step(path[-1], np.array(problem.grad(*path[-1])), t))
    return np.array(path)


def torch_path(
    torch: Any,
    name: str,
    settings: Mapping[str, Any],
    problem: Problem,
    lr: float,
    before_step: Callable[[Any], Any] = lambda theta: None,
) -> np.ndarray:
    theta = torch.tensor(problem.start, dtype=torch.float64, requires_grad=True)
    optimizer = getattr(torch.optim, name)([theta], lr=lr, **settings)
    path = [theta.detach().numpy().copy()]
    for _ in range(STEPS):
        optimizer.zero_grad()
        problem.loss(theta[0], theta[1]).backward()
        before_step(theta)
        optimizer.step()
        path.append(theta.detach().numpy().copy())
    return np.array(path)


def assert_same_paths(actual: np.ndarray, expected: np.ndarray) -> None:
    assert expected.shape == (STEPS + 1, 2)
    assert actual.shape == (2, *expected.shape)
    assert actual.dtype == expected.dtype == np.float64
    assert np.isfinite(expected).all()
    error = abs(actual - expected).max(axis=(0, 1)) / abs(expected).max(axis=0)
    assert error.max() <= 1e-12


@pytest.fixture
def torch():
    """torch in float64: NAdam keeps its product of momenta in the default type."""
    torch = pytest.importorskip("torch")
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield torch
    torch.set_default_dtype(before)


@pytest.fixture(params=PROBLEMS)
def problem(request) -> Problem:
    return PROBLEMS[request.param]


def on_problems(rules):
    """Tests of rules on losses."""
    return pytest.mark.parametrize(("rule", "problem"), grid(rules, PROBLEMS), indirect=["problem"])


@on_problems([rule for rule in ORACLES if ORACLES[rule].optax])
def test_rule_walks_the_path_of_optax(rule, problem):
    oracle, lr = ORACLES[rule], problem.rate(rule)
    assert_same_paths(
        our_paths(rule, problem, lr, oracle.set), optax_path(oracle.optax, problem, lr)
    )


@on_problems([rule for rule in ORACLES if ORACLES[rule].torch])
def test_rule_at_its_defaults_walks_the_path_of_torch(rule, problem, torch):
    name, settings = ORACLES[rule].torch
    lr = problem.rate(rule)
    assert_same_paths(our_paths(rule, problem, lr), torch_path(torch, name, settings, problem, lr))


@on_problems([rule for rule in ORACLES if ORACLES[rule].by_hand])
def test_rule_at_its_defaults_walks_the_path_worked_by_hand(rule, problem):
    lr = problem.rate(rule)
    step = ORACLES[rule].by_hand(lr)
    assert_same_paths(our_paths(rule, problem, lr), hand_path(step, problem))


@on_problems([rule for rule in ORACLES if ORACLES[rule].on])
def test_rule_at_its_defaults_walks_the_path_of_its_paper(rule, problem):
    lr = problem.rate(rule)
    step, given = ORACLES[rule].on(lr, problem), {} if ORACLES[rule].optax else ORACLES[rule].set
    assert_same_paths(our_paths(rule, problem, lr, given), hand_path(step, problem))


#: Prefixes and suffixes that no chain of optax is.
JOINED = {
    "sam+gd": (by_hand.sam, {}),
    "gd+lookahead": (by_hand.lookahead, {}),
    "gd+plateau": (by_hand.plateau, {"patience": 3.0, "factor": 0.5}),
    "gd+averaging": (lambda lr, problem: lambda theta, g, t: theta - lr * g, {}),
}


@on_problems(JOINED)
def test_joined_rule_walks_the_path_of_its_paper(rule, problem):
    hand, given = JOINED[rule]
    lr = problem.rate("gd")
    path = our_paths(rule, problem, lr, given)
    assert_same_paths(path, hand_path(hand(lr, problem), problem))


def test_reported_iterates_are_means_of_the_path(problem):
    how = {"start": dict(zip("xy", problem.start, strict=True)), "steps": 50}
    # torch's weight of step t is 1/max(1, t - 1 - t0): its mean begins with the second point
    for rule, lr, first in (("gd+averaging", problem.rate("gd"), 1), ("asgd", 1e-4, 2)):
        given = {"begin": 0.0} if rule == "asgd" else {}
        result = symgd.descend(problem.text, rule=rule, lr=lr, set=given, **how)
        mean = np.asarray(result.history.theta)[first:].mean(axis=0)
        assert np.abs(result.x - mean).max() <= 1e-13
        assert result.value == symgd.Loss(problem.text).value(result.x)


@on_problems(COMPOSITIONS)
def test_composition_walks_the_path_of_optax(rule, problem):
    given, optimizer = COMPOSITIONS[rule]
    lr = problem.rate("momentum" if "momentum" in rule else "gd" if "gd" in rule else rule)
    theirs = optax_path(optimizer, problem, lr, boxed=rule.endswith("+box"))
    assert_same_paths(our_paths(rule, problem, lr, given), theirs)


def test_box_walks_the_path_worked_by_hand(problem):
    lr = problem.rate("gd")

    def step(theta: np.ndarray, g: np.ndarray, t: int) -> np.ndarray:
        return np.minimum(np.maximum(theta - lr * g, BOX["lower"]), BOX["upper"])

    assert_same_paths(our_paths("gd+box", problem, lr, BOX), hand_path(step, problem))


def test_clip_norm_walks_the_path_worked_by_hand(problem):
    lr = problem.rate("gd")

    def step(theta: np.ndarray, g: np.ndarray, t: int) -> np.ndarray:
        length = np.hypot(*g)
        return theta - lr * (g if length <= 1.5 else g / length * 1.5)

    path = our_paths("clip_norm+gd", problem, lr, {"max_norm": 1.5})
    assert_same_paths(path, hand_path(step, problem))


def test_clip_value_is_that_of_torch(problem, torch):
    def clip(theta: Any) -> None:
        torch.nn.utils.clip_grad_value_([theta], 1.5)

    lr = problem.rate("gd")
    path = our_paths("clip_value+gd", problem, lr, {"max_value": 1.5})
    assert_same_paths(path, torch_path(torch, "SGD", {}, problem, lr, clip))


@pytest.mark.parametrize(
    ("rule", "name"), [("gd", "SGD"), ("adam", "Adam"), ("adagrad", "Adagrad")]
)
def test_weight_decay_is_that_of_torch(rule, name, problem, torch):
    lr = problem.rate(rule)
    path = our_paths(f"weight_decay+{rule}", problem, lr, {"weight_decay": 0.3})
    assert_same_paths(path, torch_path(torch, name, {"weight_decay": 0.3}, problem, lr))


def test_clip_norm_leaves_a_gradient_of_zero_alone():
    result = symgd.descend(
        "x**2 + y**2", start={"x": 0.0, "y": 0.0}, rule="clip_norm+gd", lr=0.1, steps=3
    )
    assert (np.asarray(result.history.theta) == 0).all()


def test_box_without_bounds_is_refused():
    with pytest.raises(symgd.SymgdError, match="lower"):
        symgd.descend("x**2", start={"x": 1.0}, rule="gd+box", lr=0.1, steps=1)


def test_every_rule_has_an_oracle():
    assert set(ORACLES) == set(of_kind("rule"))
    assert all(oracle.optax or oracle.by_hand or oracle.on for oracle in ORACLES.values())


def test_every_rule_is_checked_at_its_defaults_without_torch():
    assert all(o.by_hand or o.on for o in ORACLES.values() if o.set or not o.optax)


def test_every_prefix_and_suffix_is_in_a_composition():
    used = {name for rule in (*COMPOSITIONS, *JOINED) for name in rule.split("+")}
    assert used >= set(of_kind("prefix")) | set(of_kind("suffix"))


@pytest.fixture(params=CATALOGUE.values(), ids=CATALOGUE)
def entry(request) -> Entry:
    return request.param


FUNCTIONS = {"abs", "cbrt", "clip", "max", "min", "mod", "or", "sign", "sqrt", "where", "report"}
FUNCTIONS |= {*RULE_FUNCTIONS}
GIVEN = {"theta", "g", "t", "lr", "L", "theta0"}


def assigned(text: str) -> set[str]:
    return {line.partition("=")[0].strip() for line in text.splitlines() if "=" in line}


def test_entry_says_what_it_is_and_whence(entry):
    assert CATALOGUE[entry.name] is entry
    assert re.fullmatch(r"[A-Z][^\n]*\.", entry.title)
    assert re.search(r"\b(1[89]|20)\d\d\b", entry.source)
    assert re.search(r"https://\S+\.\S+", entry.source)
    assert entry.note.endswith(".")
    assert entry.lr > 0


def test_entry_text_is_ready_to_print(entry):
    lines = entry.text.splitlines()
    assert all(line == line.strip() and 0 < len(line) <= 80 for line in lines)
    assert len({line.index("=") for line in lines if "=" in line}) == 1


def test_entry_defaults_are_the_free_names_of_its_text(entry):
    names = set(re.findall(r"(?<![\w.])[^\W\d]\w*", entry.text))
    free = names - assigned(entry.text) - FUNCTIONS - GIVEN
    assert set(entry.defaults) == free - ({"lower", "upper"} if entry.name == "box" else set())


def test_rules_assign_theta_prefixes_g_suffixes_theta(entry):
    if entry.kind == "rule":
        assert "theta" in assigned(entry.text)
        assert not assigned(entry.text) & {"g", "t", "lr"}
    else:
        changed = "g" if entry.kind == "prefix" else "theta"
        own = assigned(entry.text) - {changed}
        others = {n for e in CATALOGUE.values() if e is not entry for n in assigned(e.text)}
        assert changed in assigned(entry.text) or entry.name == "averaging"
        assert not own & (others | {"theta", "g", "t", "lr"})


def test_catalogue_is_ordered_rules_prefixes_suffixes():
    assert list(CATALOGUE) == of_kind("rule") + of_kind("prefix") + of_kind("suffix")
