"""The examples with indices reach what NumPy, SciPy, scikit-learn and algebra say."""

import runpy
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import least_squares, minimize, rosen, rosen_der
from sklearn.cluster import KMeans
from sklearn.datasets import load_iris
from sklearn.linear_model import Lasso, LinearRegression, LogisticRegression, Ridge

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.fixture
def example(request):
    """The names that an example leaves."""
    return runpy.run_path(str(EXAMPLES / f"{request.param}.py"))


def of(name):
    return pytest.mark.parametrize("example", [name], indirect=True)


@of("chain")
def test_chain(example):
    assert example["result"].theta["x"] == pytest.approx(np.ones(10), abs=1e-3)
    x = np.full(100_000, -1.2)
    assert example["value"] == pytest.approx(rosen(x), rel=1e-13)
    assert example["gradient"] == pytest.approx(rosen_der(x), rel=1e-13)


@of("regularized")
def test_linear_models(example):
    data = example["data"]
    X, y = np.stack([data[f"X{j}"] for j in range(1, 6)], axis=1), data["y"]  # noqa: N806
    for name, model in (
        ("least_squares", LinearRegression()),
        ("ridge", Ridge(alpha=0.1 * len(y))),
        ("lasso", Lasso(alpha=0.25, tol=1e-12)),  # it halves the squares
    ):
        expected = model.fit(X, y)
        assert example[name].theta["w"] == pytest.approx(expected.coef_, abs=1e-5), name
        assert example[name].theta["b"] == pytest.approx(expected.intercept_, abs=1e-5), name


@of("iris")
def test_iris(example):
    iris = load_iris()
    exact = {"C": 1.0, "tol": 1e-10, "max_iter": 10_000}
    expected = LogisticRegression(**exact).fit(iris.data, iris.target)
    found = example["softmax"].theta
    assert found["W"] == pytest.approx(expected.coef_, abs=1e-4)
    intercept = expected.intercept_ - expected.intercept_[2]
    assert found["b"] == pytest.approx(intercept, abs=1e-3)
    expected = LogisticRegression(**exact).fit(iris.data[:, :2], iris.data[:, 2] > 4)
    assert example["logistic"].theta["w"] == pytest.approx(expected.coef_[0], abs=1e-4)
    assert example["logistic"].theta["c"] == pytest.approx(expected.intercept_[0], abs=1e-3)


@of("network")
def test_network(example):
    assert example["right"] == 1
    score, upper = example["score"], example["upper"]
    loss = np.mean(np.logaddexp(0, score) - upper * score)
    assert example["result"].value == pytest.approx(loss, rel=1e-10)


@of("factorisation")
def test_factorisation(example):
    assert example["error"] < 1e-6  # a matrix of rank 1 is known from some entries


@of("hierarchy")
def test_hierarchy(example):
    """The minimum of a quadratic by its normal equations."""
    y = np.array(example["data"]["y"])
    counts, sums = np.array([6, 4, 1]), np.array([y[:6].sum(), y[6:10].sum(), y[10]])
    hessian = np.diag([*(counts / 0.25 + 1 / 0.36), 3 / 0.36])
    hessian[:3, 3] = hessian[3, :3] = -1 / 0.36
    solution = np.linalg.solve(hessian, [*(sums / 0.25), 0])
    found = example["result"]
    assert list(found.theta.values()) == pytest.approx(solution)
    errors = np.sqrt(np.diag(np.linalg.inv(hessian)))
    assert list(found.stderr.values()) == pytest.approx(errors)
    assert example["apart"].theta["a"] == pytest.approx(sums / counts)


@of("clusters")
def test_clusters(example):
    expected = KMeans(3, n_init=10, random_state=0).fit(example["points"])
    assert 90 * example["result"].value == pytest.approx(expected.inertia_, rel=1e-8)


@of("springs")
def test_springs(example):
    """The discrete parabola in which k*(y[i-1] - 2*y[i] + y[i+1]) = m."""
    i = np.arange(1, 10)
    assert example["x"] == pytest.approx(i / 10, abs=1e-6)
    assert example["y"] == pytest.approx(-i * (10 - i) / 100, abs=1e-6)


@of("denoising")
def test_denoising(example):
    y = example["data"]["y"]

    def loss(x):
        d = np.sqrt(np.diff(x) ** 2 + 1e-3)
        slope = 0.5 * np.diff(x) / d
        gradient = x - y
        gradient[1:] += slope
        gradient[:-1] -= slope
        return np.sum((x - y) ** 2) / 2 + 0.5 * d.sum(), gradient

    expected = minimize(loss, y, jac=True, method="BFGS", options={"gtol": 1e-9, "maxiter": 5000})
    assert example["result"].value == pytest.approx(expected.fun, rel=1e-9)
    assert example["after"] < 0.5 * example["before"]


@of("trilateration")
def test_trilateration(example):
    b = {name: np.array(column) for name, column in example["beacons"].items()}

    def residuals(q):
        return np.hypot(b["P1"] - q[0], b["P2"] - q[1]) - b["distance"]

    expected = least_squares(residuals, [1.0, 1.0], xtol=1e-15, ftol=1e-15, gtol=1e-15)
    assert example["result"].theta["q"] == pytest.approx(expected.x, abs=1e-7)
    covariance = np.linalg.inv(expected.jac.T @ expected.jac) * 2 * expected.cost / 3
    errors = [example["result"].stderr[f"q[{k}]"] for k in (1, 2)]
    assert errors == pytest.approx(np.sqrt(np.diag(covariance)), rel=1e-4)
