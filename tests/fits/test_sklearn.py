"""FormulaRegressor as an estimator among scikit-learn's."""

import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.linear_model import LinearRegression  # noqa: E402
from sklearn.model_selection import cross_val_score  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402
from sklearn.utils.estimator_checks import estimator_checks_generator  # noqa: E402

from symgd import ArgumentError, FormulaError  # noqa: E402
from symgd.sklearn import FormulaRegressor  # noqa: E402
from tests import regression  # noqa: E402

CHECKS = [check for _, check in estimator_checks_generator(FormulaRegressor())]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("check", CHECKS, ids=lambda c: getattr(c, "func", c).__name__)
def test_scikit_learns_own_check(check):
    check(FormulaRegressor())


@pytest.fixture
def decay():
    generator = np.random.default_rng(2)
    x = np.linspace(0.0, 4.0, 80)
    return x[:, None], 2.0 * np.exp(-1.2 * x) + 0.3 + generator.normal(0, 0.01, 80)


def test_a_formula_of_features(decay):
    model = FormulaRegressor("a*exp(-b*x0) + c").fit(*decay)
    assert model.status_ == "converged"
    assert model.params_ == pytest.approx({"a": 2.0, "b": 1.2, "c": 0.3}, abs=0.05)
    assert model.stderr_["b"] < 0.05
    assert model.score(*decay) > 0.99
    assert cross_val_score(FormulaRegressor("a*exp(-b*x0) + c"), *decay).shape == (5,)


def test_the_default_is_linear_regression():
    generator = np.random.default_rng(4)
    x, y = generator.normal(size=(50, 3)), generator.normal(size=50)
    weight = generator.uniform(0.5, 2.0, 50)
    ours = FormulaRegressor().fit(x, y, sample_weight=weight).predict(x)
    theirs = LinearRegression().fit(x, y, sample_weight=weight).predict(x)
    assert ours == pytest.approx(theirs, rel=1e-11, abs=1e-11)


def test_names_of_a_frame_are_names_of_the_formula(decay):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"dose (mg)": decay[0][:, 0]})
    model = FormulaRegressor("y = a*exp(-b*`dose (mg)`) + c").fit(frame, decay[1])
    a, b, c = regression.decay(decay[0][:, 0], decay[1])[0]
    right = a * np.exp(-b * decay[0][:, 0]) + c
    plain = FormulaRegressor("a*exp(-b*x0) + c").fit(*decay)
    assert model.predict(frame) == pytest.approx(right, rel=1e-10)
    assert plain.predict(decay[0]) == pytest.approx(right, rel=1e-10)


def test_a_pickled_fit_predicts_the_same_bits(decay):
    model = FormulaRegressor("a*exp(-b*x0) + c").fit(*decay)
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict(decay[0]), model.predict(decay[0]))


def test_sums_over_rows_are_refused_in_a_model(decay):
    model = FormulaRegressor("a*(x0 - mean(x0))").fit(*decay)
    with pytest.raises(FormulaError, match="may not hold sums"):
        model.predict(decay[0])


@pytest.mark.parametrize("running", [{"backend": "lambdify"}, {"backend": "native", "threads": 2}])
def test_backend_and_threads_are_those_of_a_fit(decay, running):
    model = FormulaRegressor("a*exp(-b*x0) + c", **running).fit(*decay)
    right = regression.decay(decay[0][:, 0], decay[1])[0]
    assert model.get_params()["backend"] == running["backend"]
    assert list(model.params_.values()) == pytest.approx(right, rel=1e-9)


@pytest.mark.parametrize("wrong", [{"backend": "gpu"}, {"threads": 0}, {"threads": 1.5}])
def test_no_such_backend_and_no_such_threads_are_refused(decay, wrong):
    with pytest.raises(ArgumentError, match=next(iter(wrong))):
        FormulaRegressor("a*x0", **wrong).fit(*decay)


def test_a_formula_with_indices():
    generator = np.random.default_rng(8)
    x = np.column_stack([generator.uniform(0, 2, 50), generator.integers(1, 4, 50)])
    y = x[:, 1] ** 2 + np.sin(x[:, 0])
    model = FormulaRegressor("a[x1] + sum(c[k]*x0^k, k=1..3)").fit(x, y)
    matrix = np.column_stack([x[:, 1:] == [1, 2, 3], x[:, :1] ** [1, 2, 3]]).astype(float)
    solution = np.linalg.lstsq(matrix, y, rcond=None)[0]
    assert list(model.params_.values()) == pytest.approx(solution.tolist())
    assert model.predict(x[:1]) == pytest.approx(matrix[:1] @ solution)


def test_formula_that_reads_no_feature_is_refused_with_the_reason(decay):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"dose": decay[0][:, 0]})
    with pytest.raises(ArgumentError, match="reads no feature\nthey are dose"):
        FormulaRegressor("a*exp(-b*t)").fit(frame, decay[1])
    scaled = make_pipeline(StandardScaler(), FormulaRegressor("a*exp(-b*dose) + c"))
    with pytest.raises(ArgumentError, match="set_output"):
        scaled.fit(frame, decay[1])
    scaled.set_output(transform="pandas").fit(frame, decay[1])
    assert scaled.score(frame, decay[1]) > 0.99
