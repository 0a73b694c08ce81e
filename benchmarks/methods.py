"""Solvers: MGH, families of problems, constraints, many starts and a Newton step against SciPy."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import numpy as np
from scipy import optimize

import symgd
from benchmarks.families import FAMILIES
from benchmarks.family import Family
from benchmarks.hock_schittkowski import PROBLEMS, Constrained
from benchmarks.measure import CORPORA, ROOT, Row, seconds, skipped
from symgd._threads import one_blas_thread
from symgd.analysis.smooth_loss import SmoothLoss
from symgd.solvers.banded import BandedHessian

SIZES = (10, 100, 1000, 10_000)
_ALL_PEERS = 100  # parameters up to which all of SciPy's methods run; beyond, L-BFGS-B
_DEAR = 2_000_000  # operations of value and gradient, beyond which a family is left out: minutes
_TOL = 1e-6
_FEW = 1e-4  # of the gradient in units of 1 + |f|: solved
_PEERS = ("L-BFGS-B", "BFGS", "Newton-CG", "trust-ncg")
_LONG = 2000  # evaluations of a peer

#: standard starts, (n, i) -> x[i]; others begin at 0.5 + 0.4*cos(i)
STARTS: dict[str, Callable[[int, Any], Any]] = {
    **dict.fromkeys(("arglina", "arwhead", "bdexp", "bdqrtic", "cosine", "power", "tridia"),
                    lambda n, i: 1 + 0 * i),
    "broydn3d": lambda n, i: -1 + 0 * i, "brybnd": lambda n, i: -1 + 0 * i,
    "cragglvy": lambda n, i: np.where(i == 1, 1.0, 2.0), "dqdrtic": lambda n, i: 3 + 0 * i,
    "dqrtic": lambda n, i: 2 + 0 * i, "edensch": lambda n, i: 0 * i, "eg2": lambda n, i: 0 * i,
    "engval1": lambda n, i: 2 + 0 * i, "errinros_mod": lambda n, i: -1 + 0 * i,
    "extrosnb": lambda n, i: -1 + 0 * i, "fletchcr": lambda n, i: 0 * i,
    "fletcbv2": lambda n, i: i / (n + 1), "genrose": lambda n, i: i / (n + 1),
    "freuroth": lambda n, i: np.where(i == 1, 0.5, np.where(i == 2, -2.0, 0)),
    "genhumps": lambda n, i: np.where(i == 1, -506.0, 506.2),
    "indef_mod": lambda n, i: i / (n + 1), "liarwhd": lambda n, i: 4 + 0 * i,
    "morebv": lambda n, i: 0.5 + 0 * i, "nondia": lambda n, i: -1 + 0 * i,
    "nondquar": lambda n, i: np.where(i % 2 == 1, 1.0, -1.0), "penalty1": lambda n, i: i,
    "powellsg": lambda n, i: np.array([3.0, -1, 0, 1])[(i.astype(int) - 1) % 4],
    "schmvett": lambda n, i: 0.5 + 0 * i, "scosine": lambda n, i: np.exp(-6 * (i - 1) / (n - 1)),
    "sinquad": lambda n, i: 0.1 + 0 * i, "srosenbr": lambda n, i: np.where(i % 2 == 1, -1.2, 1.0),
    "tointgss": lambda n, i: 3 + 0 * i, "tquartic": lambda n, i: 0.1 + 0 * i,
    "vardim": lambda n, i: 1 - i / n, "woods": lambda n, i: np.where(i % 2 == 1, -3.0, -1.0),
}  # fmt: skip


def rows() -> Iterator[Row]:
    """MGH first, then the families by size."""
    yield mgh()
    for count in SIZES:
        yield from families(count)
    yield from constrained()
    yield from global_minima()
    yield newton_step()


def mgh() -> Row:
    """How many of 20 problems are not certified at a legal minimum, from the standard starts."""
    wrong = []
    for row in json.loads((ROOT / "tests" / "files" / "mgh.json").read_text("utf-8")):
        loss = symgd.Loss(row["expr"], params=row["params"])
        pairs = zip(row["params"], row["start"], strict=True)
        result = symgd.descend(loss, start={p: v for p, v in pairs if p in loss.params},
                               method="auto")  # fmt: skip
        legal = [row["fmin"], *(m.get("fmin_published") for m in row["other_minima"])]
        near = (abs(result.value - f) <= 1e-4 * abs(f) + 1e-8 for f in legal if f is not None)
        if result.status != "converged" or not any(near):
            wrong.append(row["name"])
    return Row("MGH, 20 problems: not certified by auto", float(len(wrong)), target=0,
               note=" ".join(wrong))  # fmt: skip


def family_loss(family: Family, count: int) -> tuple[symgd.Loss, Any]:
    """The loss of a family and its standard start."""
    loss, n = family.loss(count)
    start = STARTS.get(family.name, lambda n, i: 0.5 + 0.4 * np.cos(i))
    return loss, np.asarray(start(n, np.arange(1.0, n + 1)), dtype=float)


def families(count: int) -> Iterator[Row]:
    """Solved by auto and by SciPy's methods with the same gradients, and the times in process."""
    peers = _PEERS if count <= _ALL_PEERS else _PEERS[:1]
    solved = dict.fromkeys(("symgd", *peers), 0)
    took: dict[str, list[float]] = {name: [] for name in solved}
    lost, false, left_out, run = [], [], [], 0
    loss, start = family_loss(FAMILIES[0], 10)
    symgd.descend(loss, start=start, method="auto")  # modules and the solver's code: once a process
    for family in FAMILIES:
        loss, start = family_loss(family, count)
        functions = loss.indexed_text.functions
        if functions.work(functions.program).operations > _DEAR:
            left_out.append(family.name)
            continue
        run += 1
        function = SmoothLoss(loss)
        function.gradient(start), function.products(start)(start)  # compiled for all of them

        def good(value: float, grad: Any) -> bool:
            return bool(np.abs(grad).max() <= _FEW * (1 + abs(value)))

        before = time.process_time()
        result = symgd.descend(loss, start=start, method="auto", tol=_TOL)
        took["symgd"].append(time.process_time() - before)
        there = good(*function.gradient(result.x))
        solved["symgd"] += there
        lost += [] if there else [family.name]
        if result.status == "converged" and not there:
            false.append(family.name)
        for peer in peers:
            before = time.process_time()
            with suppress(ValueError, OverflowError, np.linalg.LinAlgError):
                solved[peer] += good(*function.gradient(_scipy(peer, function, start)))
            took[peer].append(time.process_time() - before)
    best = max(peers, key=lambda peer: solved[peer])
    listed = ", ".join(f"{name} {solved[name]} in {sum(took[name]):.1f} s" for name in solved)
    listed += f"; left out {' '.join(left_out)}" if left_out else ""
    yield Row(f"{run} families, n = {count}: solved fewer than {best}",
              float(max(0, solved[best] - solved["symgd"])), target=0,
              note=f"{listed}; lost {' '.join(lost)}")  # fmt: skip
    yield Row(f"n = {count}: converged without a small gradient", float(len(false)), target=0,
              note=" ".join(false))  # fmt: skip
    ours, theirs = took["symgd"], took["L-BFGS-B"]
    target = 1.0 if count <= 100 else 1 / 3 if count == SIZES[-1] else None
    yield Row(f"n = {count}: time over that of L-BFGS-B", sum(ours) / sum(theirs), target=target,
              note=f"of one family {1e3 * float(np.median(ours)):.3g} ms and"
                   f" {1e3 * float(np.median(theirs)):.3g} ms in the median")  # fmt: skip


def _scipy(method: str, function: SmoothLoss, start: Any) -> Any:
    options: dict[str, Any] = {"maxiter": _LONG, "gtol": _TOL}
    more: dict[str, Any] = {}
    if method == "L-BFGS-B":
        options |= {"maxfun": _LONG, "ftol": 0}
    if method in ("Newton-CG", "trust-ncg"):
        more["hessp"] = lambda x, v: function.products(x)(v)
        options = {"maxiter": 500} | ({} if method == "Newton-CG" else {"gtol": _TOL})
    with np.errstate(all="ignore"), one_blas_thread():  # two would spin beside one another
        found = optimize.minimize(function.gradient, start, jac=True, method=method,
                                  options=options, **more)  # fmt: skip
    return found.x


def constrained() -> Iterator[Row]:
    """Hock and Schittkowski's problems by the augmented Lagrangian and by SLSQP."""
    lost, false, times = [], [], [0.0, 0.0]
    for number, problem in PROBLEMS.items():
        before = time.process_time()
        result = symgd.descend(problem.loss, **problem.arguments)
        times[0] += time.process_time() - before
        assert result.violation is not None
        near = abs(result.value - problem.value) <= 1e-6 * max(1.0, abs(problem.value))
        if not (near and result.violation <= 1e-6):
            (false if result.status == "converged" else lost).append(str(number))
        before = time.process_time()
        _slsqp(problem)
        times[1] += time.process_time() - before
    yield Row(f"Hock and Schittkowski, {len(PROBLEMS)} problems: not to 1e-6",
              float(len(lost) + len(false)), target=1, note=" ".join(lost + false))  # fmt: skip
    yield Row("of these falsely converged", float(len(false)), target=0, note=" ".join(false))
    yield Row("time over that of SLSQP, formulas read by both", times[0] / times[1], target=1.0,
              note=f"{times[0]:.1f} s and {times[1]:.1f} s")  # fmt: skip


def _slsqp(problem: Constrained) -> None:
    from symgd.model.constraints import read_constraints

    names = problem.names
    zero = " + ".join(f"0*{name}" for name in names)

    def compiled(text: str) -> Callable[[Any], tuple[float, Any]]:
        function = SmoothLoss(symgd.Loss(f"{text} + {zero}"))
        return lambda x: function.gradient(np.asarray(x, dtype=float))

    loss = compiled(problem.loss)
    limits = []
    for constraint in read_constraints(problem.constraints):
        side = compiled(constraint.difference)
        sign = 1.0 if constraint.equality else -1.0
        limits.append({"type": "eq" if constraint.equality else "ineq",
                       "fun": lambda x, f=side, s=sign: s * f(x)[0],
                       "jac": lambda x, f=side, s=sign: s * f(x)[1]})  # fmt: skip
    optimize.minimize(loss, problem.start, jac=True, method="SLSQP", constraints=limits,
                      bounds=problem.bounds or None,
                      options={"maxiter": 500, "ftol": 1e-10})  # fmt: skip


def global_minima() -> Iterator[Row]:
    """Test functions of global optimization from 1,000 starts, and by differential evolution."""
    path = CORPORA / "test_functions.json"
    if not path.exists():
        yield skipped("global test functions", f"{path} is not there")
        return
    solved, times, count, lost = [0, 0], [0.0, 0.0], 0, []
    for row in json.loads(path.read_text("utf-8")):
        loss = symgd.Loss(row["expr"], params=row["params"])
        if not loss.params:
            continue
        count += 1
        pairs = zip(row["params"], row["bounds"], strict=True)
        box = {name: (float(a), float(b)) for name, (a, b) in pairs if name in loss.params}
        goal = row["fglob"] + 1e-4 * abs(row["fglob"]) + 1e-6
        middle = {name: (a + b) / 2 for name, (a, b) in box.items()}
        before = time.process_time()
        found = symgd.descend(loss, start=middle, starts=1000, within=box, bounds=box)
        times[0] += time.process_time() - before
        solved[0] += found.value <= goal
        lost += [] if found.value <= goal else [row["name"]]
        value = loss.internals.evaluate_value

        def finite(x: Any, value: Callable[..., list[float]] = value) -> float:
            here = value(*x)[0]
            return here if np.isfinite(here) else 1e300

        before = time.process_time()
        ends = [box[name] for name in loss.params]
        peer = optimize.differential_evolution(finite, ends, seed=0, maxiter=300)
        times[1] += time.process_time() - before
        solved[1] += peer.fun <= goal
    note = f"differential evolution {count - solved[1]}; {' '.join(lost)}"
    yield Row(f"{count} global test functions: lost from 1,000 starts", float(count - solved[0]),
              target=10, note=note)  # fmt: skip
    yield Row("time over that of differential evolution", times[0] / times[1], target=1.0,
              note=f"{times[0]:.1f} s and {times[1]:.1f} s")  # fmt: skip


def newton_step() -> Row:
    """Gradient, Hessian, factor and solution on Rosenbrock's chain of 10^5 parameters."""
    n = 100_000
    text = "sum(100*(x[i+1]-x[i]^2)^2 + (1-x[i])^2, i=1..n-1)"
    function = SmoothLoss(symgd.Loss(text, sizes={"n": n}))
    found, x = BandedHessian(n), np.full(n, 1.01)

    def step() -> Any:
        grad = function.gradient(x)[1]
        matrix = found.at(function.products(x))
        assert matrix is not None
        solve = matrix.factor(0.0)
        assert solve is not None
        return solve(-grad)

    return Row("Newton step, chain of 10^5", 1e3 * seconds(step), "ms", target=50)
