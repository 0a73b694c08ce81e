"""Indexed formulas against loops in Python: parser, shapes, values, gradients, texts, SymPy.

Each formula has a twin, a function of its arrays (indexed from 0) and of the columns of DATA.
"""

# ruff: noqa: N803 - matrices have capital letters

import math
import pickle

import numpy as np
import pytest
import sympy

import symgd
from symgd import FormulaError, Loss
from symgd.formula.printing.latex import latex
from symgd.formula.printing.plain import write
from symgd.report.explain import as_latex

DATA = {
    "y": [1.0, -0.5, 2.0, 0.25],
    "x1": [0.5, 2.0, -1.0, 1.5],
    "x2": [1.0, 0.25, 2.0, -0.5],
    "site": [1.0, 2.0, 1.0, 3.0],
    "label": [3.0, 1.0, 2.0, 2.0],
    "dose (mg)": [0.5, 1.0, 2.0, 4.0],
}
Y, X1, X2, SITE, LABEL, DOSE = (np.array(column) for column in DATA.values())
XS = np.stack([X1, X2], axis=1)
S, K = SITE.astype(int) - 1, LABEL.astype(int) - 1


def lse(values):
    return math.log(math.fsum(math.exp(v) for v in values))


def classes(W, b):
    total = 0.0
    for x, label in zip(XS, K, strict=True):
        z = [W[k] @ x + b[k] for k in range(3)]
        total += lse(z) - z[label]
    return total / 4


def network(W, b, c, v):
    errors = [(y - v @ np.tanh(W @ x + b) - c) ** 2 for y, x in zip(Y, XS, strict=True)]
    return float(np.mean(errors))


def triangle(L, x):
    return sum(L[i, j] * x[j] for i in range(3) for j in range(i + 1)) ** 2


# text, sizes, parameters with their shapes, twin
CASES = [
    (
        "sum(100*(x[i+1] - x[i]^2)^2 + (1 - x[i])^2, i=1..n-1)", {"n": 5}, {"x": (5,)},
        lambda x: sum(100 * (x[i + 1] - x[i] ** 2) ** 2 + (1 - x[i]) ** 2 for i in range(4)),
    ),
    ("x[1]^2 + 3*x[4] + x[2*1]", {}, {"x": (4,)}, lambda x: x[0] ** 2 + 3 * x[3] + x[1]),
    ("θ[1]^2 + theta[2]^3", {}, {"theta": (2,)}, lambda theta: theta[0] ** 2 + theta[1] ** 3),
    ("x[n]*x[n-1]^2 + n*b", {"n": 3}, {"b": (), "x": (3,)},
     lambda b, x: x[2] * x[1] ** 2 + 3 * b),
    ("sum(i*x[n-i+1]^2, i=1..n)/n^2", {"n": 4}, {"x": (4,)},
     lambda x: sum((i + 1) * x[3 - i] ** 2 for i in range(4)) / 16),
    ("sum(x[2*i]^3 - x[2*i-1], i=1..3)", {}, {"x": (6,)},
     lambda x: sum(x[2 * i + 1] ** 3 - x[2 * i] for i in range(3))),
    ("sum(x[i], i=3..2) + prod(x[i], i=3..2) + x[1]^2", {}, {"x": (1,)},
     lambda x: 1 + x[0] ** 2),
    ("mean(x[i]^2, i=2..n)*prod(x[i] + 2, i=1..n)", {"n": 3}, {"x": (3,)},
     lambda x: (x[1] ** 2 + x[2] ** 2) / 2 * np.prod(x + 2)),
    ("max(x[i], i=1..4)^2 - min(x[i]*i, i=1..4) + norm(x[i], i=2..4)", {}, {"x": (4,)},
     lambda x: max(x) ** 2 - min(x * [1, 2, 3, 4]) + math.sqrt(sum(x[1:] ** 2))),
    ("max(x[1], 0.2) + max(x[1], 0.3, x[2])", {}, {"x": (2,)},
     lambda x: max(x[0], 0.2) + max(x[0], 0.3, x[1])),
    ("logsumexp(x[i], i=1..4) + logsumexp(x[1], 2*x[2])", {}, {"x": (4,)},
     lambda x: lse(x) + lse([x[0], 2 * x[1]])),
    ("sum(A[i,j]*B[j,k]*C[k,i], i=1..2, j=1..3, k=1..2)", {},
     {"A": (2, 3), "B": (3, 2), "C": (2, 2)}, lambda A, B, C: np.trace(A @ B @ C)),
    ("sum(sum(L[i,j]*x[j], j=1..i), i=1..3)^2", {}, {"L": (3, 3), "x": (3,)}, triangle),
    ("mean(A[i,j]^2, i=1..3, j=i..3)", {}, {"A": (3, 3)},
     lambda A: np.mean([A[i, j] ** 2 for i in range(3) for j in range(i, 3)])),
    ("sum(A^2) + norm(v) + max(A)", {}, {"A": (2, 3), "v": (3,)},
     lambda A, v: np.sum(A**2) + np.linalg.norm(v) + A.max()),
    ("dot(u, v)^2 + matmul(A, v)[2] + softmax(v)[1]", {},
     {"A": (3, 3), "u": (3,), "v": (3,)},
     lambda A, u, v: (u @ v) ** 2 + (A @ v)[1] + math.exp(v[0] - lse(v))),
    ("sum(matmul(A, v)[i]^2, i) + sum(softmax(v)[k]*k, k=1..3)", {}, {"A": (3, 3), "v": (3,)},
     lambda A, v: sum((A @ v) ** 2) + sum(np.exp(v - lse(v)) * [1, 2, 3])),
    ("s = x[1] + x[2]; t = s^2; t*s + t", {}, {"x": (2,)},
     lambda x: (x[0] + x[1]) ** 3 + (x[0] + x[1]) ** 2),
    ("t = s^2\ns = x[1] +\n  x[2]\nt*s", {}, {"x": (2,)}, lambda x: (x[0] + x[1]) ** 3),
    ("z[k] = x[k]^2 + k, k=1..4; z[1]*z[4] + sum(z[k+1] - z[k], k=1..3) + sum(z)", {}, {"x": (4,)},
     lambda x: (lambda z: z[0] * z[3] + z[3] - z[0] + sum(z))(x**2 + [1, 2, 3, 4])),
    ("d[i] = x[i+1] - x[i], i=1..n-1; e[i] = d[i+1] - d[i], i=1..n-2; sum(e[i]^2, i)",
     {"n": 5}, {"x": (5,)}, lambda x: sum(np.diff(x, 2) ** 2)),
    ("sum(where(i == j, A[i,j], A[i,j]*A[j,i]), i=1..2, j=1..2)", {}, {"A": (2, 2)},
     lambda A: A[0, 0] + A[1, 1] + 2 * A[0, 1] * A[1, 0]),
    ("sum((T[i+1,j]-T[i,j])^2, i=1..n-1, j=1..m) + sum((T[i,j+1]-T[i,j])^2, i=1..n, j=1..m-1)",
     {"n": 2, "m": 3}, {"T": (2, 3)},
     lambda T: np.sum(np.diff(T, axis=0) ** 2) + np.sum(np.diff(T, axis=1) ** 2)),
    ("mean((y - sum(w[j]*x[j], j) - b)^2) + 0.1*sum(w[j]^2, j)", {}, {"b": (), "w": (2,)},
     lambda b, w: np.mean((Y - XS @ w - b) ** 2) + 0.1 * sum(w**2)),
    ("mean((y - dot(w, x))^2)", {}, {"w": (2,)}, lambda w: np.mean((Y - XS @ w) ** 2)),
    ("mean((y - a[site] - b*x1)^2) + sum((a[g] - m)^2, g)/2", {}, {"a": (3,), "b": (), "m": ()},
     lambda a, b, m: np.mean((Y - a[S] - b * X1) ** 2) + sum((a - m) ** 2) / 2),
    ("mean((y - a[site+1])^2)", {}, {"a": (4,)}, lambda a: np.mean((Y - a[S + 1]) ** 2)),
    ("mean((y - dot(U[site], V[label]))^2)", {"f": 2}, {"U": (3, 2), "V": (3, 2)},
     lambda U, V: np.mean((Y - np.sum(U[S] * V[K], axis=1)) ** 2)),
    ("sum((y[i+1] - a*y[i])^2, i=1..n-1) + n*a", {}, {"a": ()},
     lambda a: sum((Y[1:] - a * Y[:-1]) ** 2) + 4 * a),
    ("sum((`dose (mg)`[i] - a)^2, i)", {}, {"a": ()}, lambda a: sum((DOSE - a) ** 2)),
    ("z[k] = sum(W[k,j]*x[j], j) + b[k], k=1..K; mean(logsumexp(z[k], k) - z[label])", {},
     {"W": (3, 2), "b": (3,)}, classes),
    ("mean((y - sum(v[h]*tanh(sum(W[h,j]*x[j], j) + b[h]), h=1..H) - c)^2)", {"H": 3},
     {"W": (3, 2), "b": (3,), "c": (), "v": (3,)}, network),
    ("mean(min((y - c[k])^2, k=1..3))", {}, {"c": (3,)},
     lambda c: np.mean([min((y - c) ** 2) for y in Y])),
]  # fmt: skip


def options(case):
    text, sizes, shapes, _ = case
    data = DATA if any(name in text for name in ("y", "site", "dose", "x1", "label")) else None
    given = {"U": ("site", "f"), "V": ("label", "f")} if "U[site]" in text else {}
    if any(whole in text for whole in ("A^2", "matmul")):
        given = {name: shape for name, shape in shapes.items() if shape}
    return {"data": data, "sizes": sizes, "shapes": given}


class Case:
    """A loss, a point of it, and its twin there. differences: the gradient, by name."""

    def __init__(self, case):
        self.text, _, self.shapes, self.twin = case
        self.options = options(case)
        self.loss = Loss(self.text, **self.options)
        source = np.random.default_rng(len(self.text))
        self.point = {n: source.uniform(-1.5, 1.5, shape) for n, shape in self.shapes.items()}

    def differences(self):
        found = {}
        for name, shape in self.shapes.items():
            grad = np.zeros(shape)
            for place in np.ndindex(shape):
                ends = []
                for step in (1e-5, -1e-5):
                    moved = {k: v.copy() for k, v in self.point.items()}
                    moved[name][place] += step
                    ends.append(float(self.twin(**moved)))
                grad[place] = (ends[0] - ends[1]) / 2e-5
            found[name] = grad
        return found


def flat(arrays):
    return np.concatenate([np.ravel(value) for value in arrays.values()])


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case[0][:40])
def case(request):
    return Case(request.param)


def test_value_and_gradient_are_those_of_loops(case):
    assert case.loss.params == tuple(case.shapes)
    model = case.loss.arrays
    assert {name: model.shape(name) for name in model.params} == case.shapes
    value, grad = case.loss.value_and_grad(case.point)
    assert value == pytest.approx(float(case.twin(**case.point)), rel=1e-13, abs=1e-13)
    assert grad == pytest.approx(flat(case.differences()), rel=2e-7, abs=2e-8)


def test_plain_text_reads_back_as_the_same_formula(case):
    root = case.loss.arrays.formula.root
    text = write(root)
    named = {s.text: n for s, n in case.loss.arrays.shapes.sizes.items() if "#" not in s.text}
    sizes = case.options["sizes"] | {n: v for n, v in named.items() if f"..{n}" in text}
    sizes = {n: v for n, v in sizes.items() if n in text or n == "f"}
    again = Loss(text, **{**case.options, "sizes": sizes})
    assert write(again.arrays.formula.root) == text
    assert again.value(case.point) == case.loss.value(case.point)
    assert np.array_equal(again.grad(case.point), case.loss.grad(case.point))
    pretty = write(root, pretty=True)
    assert Loss(pretty, **{**case.options, "sizes": sizes}).value(case.point) == again.value(
        case.point
    )


def test_latex_has_balanced_braces(case):
    shown = latex(case.loss.arrays.formula.root)
    assert shown.count("{") == shown.count("}")
    assert shown.count(r"\left") == shown.count(r"\right")
    assert "#" not in shown.replace(r"\#", "")


def test_latex_of_an_explanation_shows_indices():
    text = "sum(100*(x[i+1] - x[i]^2)^2, i=1..n-1)"
    lines = list(as_latex(symgd.explain(text, sizes={"n": 3})))
    assert lines[0] == (
        r"\[ L\left(x\right) = \sum_{i=1}^{n - 1} 100 \left(x_{i + 1} - x_{i}^{2}\right)^{2} \]"
    )
    assert lines[1].startswith(r"\[ \frac{\partial L}{\partial x_{i}} = \begin{cases} 200 ")
    assert r"\text{if } i \ge 2" in lines[1]


def test_pickle_keeps_everything(case):
    again = pickle.loads(pickle.dumps(case.loss))
    assert again.read_as() == case.loss.read_as()
    assert again.gradient_text() == case.loss.gradient_text()
    assert again.value(case.point) == case.loss.value(case.point)
    assert repr(again) == repr(case.loss)
    elements = pickle.loads(pickle.dumps(case.loss.by_elements))
    assert elements.params == case.loss.by_elements.params
    assert elements.value(flat(case.point)) == case.loss.by_elements.value(flat(case.point))
    if case.options["data"] is None:  # else the columns that are not read are gone
        assert again.program.key == case.loss.program.key


# -- SymPy: expressions are evaluated by a walk of their trees -------------------------------------


class Walk:
    """Evaluates an expression of SymPy at numbers. names: symbols; arrays: counted from 1."""

    def __init__(self, names, arrays):
        self.names, self.arrays = names, arrays

    def __call__(self, node):
        if isinstance(node, sympy.Symbol):
            return self.names[node.name]
        if isinstance(node, sympy.Indexed):
            place = tuple(round(self(k)) - 1 for k in node.indices)
            array = self.arrays[node.base.label.name]
            inside = all(0 <= k < n for k, n in zip(place, array.shape, strict=True))
            return float(array[place]) if inside else math.nan  # of a case that does not hold
        if (
            isinstance(node, (sympy.Sum, sympy.Product))
            or node.func.__name__ == "Max"
            and any(isinstance(a, sympy.Tuple) for a in node.args)
        ):
            return self.over(node)
        if isinstance(node, sympy.Piecewise):
            return next(self(value) for value, condition in node.args if self(condition))
        if isinstance(node, sympy.KroneckerDelta):
            one, other = (float(self(a)) for a in node.args)
            return float(one == other)
        if isinstance(node, sympy.Heaviside):
            gap = float(self(node.args[0]))
            return float(gap > 0) if gap else self(node.args[1])
        if isinstance(node, sympy.Mul):  # a case that does not hold is 0, whatever it multiplies
            parts = [self(a) for a in node.args]
            return 0.0 if 0 in parts else math.prod(parts)
        if not node.args:
            return bool(node) if node in (sympy.true, sympy.false) else float(node)
        parts = [self(a) for a in node.args]
        found = node.func(*(p if isinstance(p, bool) else sympy.Float(p, 17) for p in parts))
        return bool(found) if found in (sympy.true, sympy.false) else found

    def over(self, node):
        term, *ranges = node.args
        values = []

        def go(left):
            if not left:
                values.append(float(self(term)))
                return
            index, low, high = left[0]
            before = self.names.get(index.name)
            for k in range(round(self(low)), round(self(high)) + 1):
                self.names[index.name] = k
                go(left[1:])
            self.names[index.name] = before

        go(ranges[::-1])
        how = {"Sum": math.fsum, "Product": math.prod, "Max": max}[node.func.__name__]
        return how(values)


def walk(case):
    columns = {"y": Y, "x1": X1, "x2": X2, "site": SITE, "label": LABEL, "_dose__mg_": DOSE}
    vectors = {"x": XS} if case.options["data"] and "x" not in case.shapes else {}
    names = {n: float(v) for n, v in case.point.items() if not v.shape}
    sizes = {s.text: n for s, n in case.loss.arrays.shapes.sizes.items()}
    names |= {**sizes, "n": sizes.get("n", 4), "N": 4}
    return Walk(names, {**columns, **case.point, **vectors})


def test_sympy_expression_and_gradient_have_the_values_of_loops(case):
    at = walk(case)
    assert float(at(case.loss.expr)) == pytest.approx(float(case.twin(**case.point)), rel=1e-12)
    expected = case.differences()
    keys = list(case.loss.gradient_text())
    for name, key in zip(case.loss.params, keys, strict=True):
        letters = key[len(name) + 1 : -1].split(",") if "[" in key else []
        for place in np.ndindex(case.shapes[name]):
            at.names.update({c: k + 1 for c, k in zip(letters, place, strict=True)})
            found = float(at(case.loss.gradient[name]))
            assert found == pytest.approx(expected[name][place], rel=2e-7, abs=2e-8), key


TEXTS = {
    "sum(100*(x[i+1]-x[i]^2)^2, i=1..n-1)": (
        "L(x) = sum(100·(x[i+1] - x[i]²)², i=1..n-1) with x[n], n = 4",
        {
            "x[i]": "where(i >= 2, 200*(x[i] - x[i-1]**2), 0)"
            " + where(i <= n - 1, -400*x[i]*(x[i+1] - x[i]**2), 0)"
        },
    ),
    "mean(x[k]^2, k=1..n) + sum(x[i], i=2..n-1)^2": (
        "L(x) = mean(x[k]², k=1..n) + sum(x[i], i=2..n-1)² with x[n], n = 4",
        {"x[k]": "2*x[k]/n + where(k >= 2 and k <= n - 1, 2*sum(x[i], i=2..n-1), 0)"},
    ),
    "sum(x[n-i+1]*x[i], i=1..n)*b": (
        "L(b, x) = sum(x[n-i+1]·x[i], i=1..n)·b with x[n], n = 4",
        {"b": "sum(x[n-i+1]*x[i], i=1..n)", "x[i]": "2*b*x[n-i+1]"},
    ),
    "sum(x[2*i]^2, i=1..n) + x[1]": (
        "L(x) = sum(x[2·i]², i=1..n) + x[1] with x[8], n = 4",
        {"x[i]": "sum(where(i == 2*j, 2*x[2*j], 0), j=1..n) + where(i == 1, 1, 0)"},
    ),
}


@pytest.mark.parametrize("text", TEXTS)
def test_echo(text):
    loss = Loss(text, sizes={"n": 4})
    assert (loss.read_as(), loss.gradient_text()) == TEXTS[text]
    assert loss.by_elements.read_as() == loss.read_as()


def test_echo_of_gathers_sums_over_the_rows_with_a_condition():
    loss = Loss("sum((y - a[site])^2)", DATA)
    assert loss.read_as(pretty=False) == "L(a) = sum((y - a[site])**2) with a[3]"
    assert loss.gradient_text() == {"a[i]": "sum(where(i == site, -2*(y - a[site]), 0))"}


def test_definitions_in_losses_without_indices():
    loss = Loss("s = x + 1; s^2 + s")
    assert loss.arrays is None
    assert loss.value({"x": 2.0}) == 12.0
    assert loss.read_as(pretty=False) == "L(x) = (x + 1)**2 + (x + 1)"
    loss = Loss("r = y - a*x1\nm = mean(r)\nmean((r - m)^2)", DATA)
    r = Y - 0.5 * X1
    assert loss.value({"a": 0.5}) == pytest.approx(np.mean((r - r.mean()) ** 2))


def test_constants_params_and_sizes_of_any_whole_type():
    loss = Loss(
        "sum(c*x[i]^e, i=1..n)", sizes={"n": np.int64(3)}, constants={"c": 2.0}, params=["e"]
    )
    assert loss.params == ("e", "x")
    assert loss.value({"e": 2.0, "x": [1.0, 2.0, 3.0]}) == 28.0


def test_columns_with_numbers_are_a_vector_unless_a_parameter_is_declared():
    assert Loss("mean((y - x*x1)^2)", DATA, params=["x"]).params == ("x",)
    with pytest.raises(FormulaError, match="x is the vector of the columns x1, x2"):
        Loss("mean((y - x*x1)^2)", DATA)
    assert Loss("mean((y - dot(w, x))^2)", DATA).params == ("w",)


def test_equal_sums_are_one_node():
    loss = Loss("sum(x[i]^2, i=1..n)*sum(x[k]^2, k=1..n)", sizes={"n": 3})
    first, second = loss.arrays.formula.root.args
    assert first is second


def test_text_that_was_pasted_in_many_definitions_is_read_in_linear_time():
    text = "".join(f"a{k}=a{k - 1}+a{k - 1}*0.5;" if k else "a0=x;" for k in range(3000))
    assert Loss(f"{text}a10").value({"x": 1.0}) == 1.5**10


def test_an_index_inside_a_reduction_over_itself_is_written_by_another_name():
    text, sizes = "max(sum(A[i,j]*x[j], j=1..n), i=1..m)", {"m": 3, "n": 2}
    loss = Loss(text, sizes=sizes)
    point = {"A": [[1.0, 2.0], [0.5, 3.0], [0.0, -1.0]], "x": [1.0, 2.0]}
    slope = loss.gradient_text()["x[j]"]
    again = Loss(f"g[j] = {slope}, j=1..n; g[1] + 10*g[2]", sizes=sizes)
    assert again.value(point) == 0.5 + 10 * 3.0  # the row of the largest sum
