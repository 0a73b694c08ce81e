"""The rule language: reductions, other points, random numbers, initial values, own rates.

Oracles are the same steps written in NumPy, by hand, with gradients worked by hand.
"""

import math

import numpy as np
import pytest

import symgd
from symgd.errors import FormulaError, RuleError, SymgdError
from symgd.model.rules import Rule
from tests.model.rules_by_hand import normals, signs, words

LOSS, START = "x**2 + 3*y**2 + x*y/2", np.array([1.5, -0.8])
H = np.array([[2.0, 0.5], [0.5, 6.0]])


def value(x):
    return x[0] ** 2 + 3 * x[1] ** 2 + x[0] * x[1] / 2


def slope(x):
    return H @ x


#: A rule, and its step as (theta, g, t, kept) -> theta in NumPy, at lr = 0.03, 40 steps.
RULES = {
    "reductions": (
        "theta = theta - lr*g/(1 + max(abs(g))) + lr*0.1*(mean(g) + min(g) + count(g > 0))",
        lambda x, g, t, k: (
            x - 0.03 * g / (1 + abs(g).max()) + 0.003 * (g.mean() + g.min() + (g > 0).sum())
        ),
    ),
    "dot, sum, norm": (
        "theta = theta - lr*g*dot(g, theta)/(norm(g)*norm(theta) + sum(abs(g)))",
        lambda x, g, t, k: x - 0.03 * g * (g @ x) / (np.hypot(*g) * np.hypot(*x) + abs(g).sum()),
    ),
    "one number": (
        "a = 0.9*a + dot(g, g); theta = theta - lr*g/sqrt(a)",
        lambda x, g, t, k: x - 0.03 * g / math.sqrt(k.setdefault(t, 0.9 * k.get(t - 1, 0) + g @ g)),
    ),
    "loss and steps": (
        "theta = theta - lr*L*(1 - t/(n + 1))*g",
        lambda x, g, t, k: x - 0.03 * value(x) * (1 - t / 41) * g,
    ),
    "gradient elsewhere": (
        "theta = theta - lr*grad(theta - 0.1*g)",
        lambda x, g, t, k: x - 0.03 * slope(x - 0.1 * g),
    ),
    "loss elsewhere": (
        "theta = theta - lr*loss(theta - 0.1*g)*sign(g)",
        lambda x, g, t, k: x - 0.03 * value(x - 0.1 * g) * np.sign(g),
    ),
    "product": ("theta = theta - lr*hvp(theta)", lambda x, g, t, k: x - 0.03 * H @ x),
    "initial value": (
        "v0 = 0.5*g; v = 0.9*v + 0.1*g; theta = theta - lr*v",
        lambda x, g, t, k: x - 0.03 * k.setdefault(t, 0.9 * k.get(t - 1, 0.5 * g) + 0.1 * g),
    ),
    "start": (
        "theta = theta - lr*g + 0.01*(theta0 - theta)",
        lambda x, g, t, k: x - 0.03 * g + 0.01 * (START - x),
    ),
    "mod": (
        "theta = where(mod(t, 3) == 0, theta, theta - lr*g)",
        lambda x, g, t, k: x if t % 3 == 0 else x - 0.03 * g,
    ),
    "random": (
        "theta = theta - lr*g + 0.01*(normal() + rademacher())",
        lambda x, g, t, k: x - 0.03 * g + 0.01 * (normals(t, 7, 1) + signs(t, 7, 2)),
    ),
}


def path(step, steps=40):
    points, kept = [START], {}
    for t in range(1, steps + 1):
        points.append(step(points[-1], slope(points[-1]), t, kept))
    return np.array(points)


@pytest.mark.parametrize("backend", ["lambdify", "native"])
@pytest.mark.parametrize("name", RULES)
def test_rule_takes_the_steps_worked_by_hand(name, backend):
    text, step = RULES[name]
    run = symgd.descend(LOSS, start=list(START), rule=text, lr=0.03, steps=40, seed=7,
                        backend=backend)  # fmt: skip
    assert np.abs(np.asarray(run.history.theta) - path(step)).max() <= 1e-13


@pytest.mark.parametrize("name", RULES)
def test_rule_over_arrays_takes_the_same_steps(name):
    text, step = RULES[name]
    # two elements repeated: the same path in each pair, of a loss too long to write out
    pairs = 3000
    long = f"sum(u[i]^2 + 3*v[i]^2 + u[i]*v[i]/2, i=1..{pairs})"
    if name in ("initial value", "mod", "product", "gradient elsewhere"):
        start = {"u": np.full(pairs, START[0]), "v": np.full(pairs, START[1])}
        run = symgd.descend(long, start=start, rule=text, lr=0.03, steps=40)
        end = np.stack([run.theta["u"], run.theta["v"]], axis=1)
        assert np.abs(end - path(step)[-1]).max() <= 1e-13


def test_reductions_over_long_arrays():
    count = 25_000  # no path of theta is kept
    text = "a = 0.9*a + dot(g, g); theta = theta - lr*g/sqrt(a) + lr*mean(g)*L/1e12"
    run = symgd.descend(f"sum(i*w[i]^2, i=1..{count})", start=1.0, rule=text, lr=0.5, steps=5)
    weights, w, a = np.arange(1.0, count + 1), np.ones(count), 0.0
    for _ in range(5):
        g, loss = 2 * weights * w, float(weights @ w**2)
        a = 0.9 * a + g @ g
        w = w - 0.5 * g / math.sqrt(a) + 0.5 * g.mean() * loss / 1e12
    assert np.abs(run.theta["w"] - w).max() <= 1e-9 * abs(w).max()


def test_many_parameters_in_machine_code():
    names = [f"p{k}" for k in range(150)]  # too many for registers
    loss = " + ".join(f"{k + 1}*{n}**2" for k, n in enumerate(names))
    texts = (
        "a = 0.9*a + dot(g, g); m = max(abs(g)); theta = theta - lr*g/sqrt(a) - lr*L*g/m/1e9",
        "theta = theta - lr*grad(theta - lr*g)",
    )
    for text in texts:
        runs = [
            symgd.descend(loss, rule=text, lr=0.001, steps=20, backend=b)
            for b in ("lambdify", "native")
        ]
        assert np.abs(runs[0].x - runs[1].x).max() <= 1e-13


def test_sweep_and_single_runs_agree():
    for name in ("reductions", "one number", "gradient elsewhere", "initial value", "random"):
        text = RULES[name][0]
        rates = list(np.geomspace(0.001, 0.05, 9))
        sweep = symgd.sweep(LOSS, start=tuple(START), rule=text, lr=rates, steps=200)
        single = [symgd.descend(LOSS, start=list(START), rule=text, lr=r, steps=200) for r in rates]
        assert np.abs(sweep.theta - [run.x for run in single]).max() <= 1e-12


def test_descend_with_knows_other_points():
    for name in ("reductions", "gradient elsewhere", "loss elsewhere", "loss and steps"):
        text, step = RULES[name]
        run = symgd.descend_with(slope, START, 0.03, 40, rule=text, value=value)
        assert np.abs(run.x - path(step)[-1]).max() <= 1e-13
    with pytest.raises(RuleError, match="hvp"):
        symgd.descend_with(slope, START, 0.03, 5, rule="theta = theta - lr*hvp(g)")
    with pytest.raises(RuleError, match="L"):
        symgd.descend_with(slope, START, 0.03, 5, rule="theta = theta - lr*L*g")


def test_random_numbers_have_the_same_bits_everywhere():
    rule = "theta = 0*lr*g + normal() + 8*rademacher()"
    runs = [
        symgd.descend("x**2 + y**2", rule=rule, steps=300, seed=3, backend=b, lr=1.0)
        for b in ("lambdify", "native")
    ]
    paths = [np.asarray(run.history.theta)[1:] for run in runs]
    assert (paths[0] == paths[1]).all()
    expected = np.array([normals(t, 3, 1) + 8 * signs(t, 3, 2) for t in range(1, 301)])
    assert np.abs(paths[0] - expected).max() <= 1e-9  # logarithm and cosine by their series
    sweep = symgd.sweep("x**2 + y**2", rule=rule, lr=[1.0, 0.5], steps=300)
    base = symgd.descend("x**2 + y**2", rule=rule, steps=300, lr=1.0)
    assert (sweep.theta[0] == base.x).all()


def test_random_words_are_uniform_and_uncorrelated():
    drawn = np.array([[words(0, t, k, 1) for k in range(64)] for t in range(1, 129)], float)
    uniform = (drawn.reshape(-1, 2) + 0.5) / 2**26
    assert abs(uniform.mean(axis=0) - 0.5).max() < 5 * math.sqrt(1 / 12 / len(uniform))
    counts = np.histogram2d(*uniform.T, bins=16)[0]
    expected = len(uniform) / 256
    chi = ((counts - expected) ** 2 / expected).sum()
    assert 160 < chi < 370  # 255 degrees of freedom: 1e-5 on either side
    flat = uniform[:, 0] - 0.5
    for shift in (1, 64):  # next parameter, next step
        correlation = (flat[shift:] * flat[:-shift]).mean() * 12
        assert abs(correlation) < 5 / math.sqrt(len(flat))


def test_own_rates_and_held_parameters():
    for backend in ("lambdify", "native"):
        run = symgd.descend(LOSS, start=[1.5, -0.8], lr="x=0.1, y=0.01/t", steps=30,
                            backend=backend)  # fmt: skip
        x = START
        for t in range(1, 31):
            x = x - np.array([0.1, 0.01 / t]) * slope(x)
        assert np.abs(run.x - x).max() <= 1e-14
        held = symgd.descend(LOSS, start=[1.5, -0.8], lr="x=0.1, y=0", tol=1e-10, steps=500)
        assert held.theta["y"] == -0.8
        assert held.status == "converged"
        assert abs(held.theta["x"] - 0.2) <= 1e-9  # 2x + y/2 = 0


def test_own_rates_predict_the_factor():
    rates = np.array([0.2, 0.05])
    factor = max(np.linalg.eigvals(np.eye(2) - rates[:, None] * H), key=abs)
    run = symgd.descend(LOSS, start=[1.5, -0.8], lr="x=0.2, y=0.05", steps=60)
    assert run.verdict.rate_predicted == pytest.approx(factor, rel=1e-9)
    assert run.verdict.rate_observed == pytest.approx(factor, rel=1e-3)


def test_extragradient_is_analysed():
    found = symgd.explain("3*x**2", lr=0.1, rule="extragradient")
    [behavior] = found.behaviors
    assert behavior.rates.rate == pytest.approx(1 - 0.6 * (1 - 0.6))  # 1 - lr*c*(1 - lr*c)
    assert behavior.rates.lr_max == pytest.approx(1 / 6)


@pytest.mark.parametrize(
    "rule",
    ["theta = theta - lr*(g - mean(g)/2)", "theta = theta - lr*g + 1e-9*normal()", "dog", "sam+gd",
     "hypergradient", "a0 = 1; a = a; theta = theta - lr*a*g"],
)  # fmt: skip
def test_no_factor_is_claimed_where_the_rule_is_not_one_map_per_eigenvector(rule):
    found = symgd.explain("3*x**2 + y**2", lr=0.01, rule=rule)
    assert all(b.rates.why_not and b.rates.rate is None for b in found.behaviors)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("theta = theta - lr*dot(g)", "dot takes 2 arguments"),
        ("theta = theta - lr*normal(2)*g", "normal takes 0 arguments"),
        ("theta = theta - lr*grad()*g", "grad takes 1 argument"),
        ("theta = theta - lr*g; report g", "'g' is not kept"),
        ("theta = theta - lr*g; report norm(theta)", "a line of its own"),
        ("theta = theta - lr*g; report theta; report theta", "one iterate"),
        ("v0 = ; v = v + g; theta = theta - lr*v", "nothing is assigned"),
    ],
)
def test_mistakes_are_shown_where_they_are(text, place):
    with pytest.raises(FormulaError) as caught:
        Rule(text).lines  # noqa: B018
    assert place in str(caught.value)
    assert "^" in str(caught.value)


@pytest.mark.parametrize(
    ("lr", "message"),
    [
        ("x=0.1", "no rate of y"),
        ("x=0.1,y=0.1,z=1", "no parameter 'z'"),
        ("x=0.1,y=", "no rate of a parameter"),
        ("x=0,y=0", "every learning rate is 0"),
        ("x=0.1,x=0.2,y=1", "given twice"),
        ("x=auto,y=1", "auto is one rate"),
        ("cosine", "needs its peak"),
        ("cosine(a)", "no number"),
        ("cosin(0.1)", "did you mean 'cosine'"),
        ("step(0.1, often=3)", "no constant 'often'"),
    ],
)
def test_rates_that_cannot_be_are_refused(lr, message):
    with pytest.raises(SymgdError, match=message):
        symgd.descend(LOSS, lr=lr)


def test_compare_separates_own_rates_by_semicolons():
    runs = symgd.compare(LOSS, start="x=1,y=1", lr="x=0.1,y=0.1; x=0.1,y=0.2").runs
    assert [run.lr for run in runs] == ["x=0.1,y=0.1", "x=0.1,y=0.2"]
    assert np.abs(runs[0].x - symgd.descend(LOSS, start="x=1,y=1", lr=0.1).x).max() == 0
