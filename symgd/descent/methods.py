"""The solvers that certify a minimum, by name, and the kernel that takes their steps."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import cycle
from typing import Any

from symgd import names
from symgd._numpy import np
from symgd._threads import one_blas_thread
from symgd.analysis.critical.kinks import has_kinks
from symgd.analysis.minima import LossObjective
from symgd.analysis.smooth_loss import FEW, GaussNewton, SmoothLoss, work_of
from symgd.backends.step_checks import VALUE_CHECKS, Stop
from symgd.calculus.gauss_newton import gauss_newton
from symgd.descent.kernel import Run, norm_of, norm_of_array
from symgd.errors import ArgumentError
from symgd.model.array_internals import ArrayInternals
from symgd.model.loss import Loss
from symgd.solvers import lbfgs, newton, trust_region
from symgd.solvers.objectives import Box, End, Iterate, Iteration

MOST, TOLERANCE = 5_000, 1e-8  # where none is given
_NESTS = 4  # parameters of a loss with indices, beyond which its loop nests take the steps
_SQUARES = 60  # parameters of a sum of squares for lm
_CHECKED = 30  # parameters up to which the verdict looks at the curvature again
_FAR = 1e12  # times the size of the start: so far away no minimum is looked for
_FEW_STEPS, _FEW_NEWTON_STEPS = 1_000, 40  # of lbfgs and of the trust region, in turn
_COSTLY = 10**8  # operations of value and gradient, beyond which a Hessian is too expensive

#: (loss, start, box, tol) -> the points of a solver
Solver = Callable[[Loss, Any, Box | None, float], Iteration]


@dataclass(frozen=True)
class Method:
    """A solver. text: what it does, in a line."""

    text: str
    solve: Solver


def _newton(loss: Loss, start: Any, box: Box | None, tol: float) -> Iteration:
    if len(start) > FEW or (loss.indexed is not None and len(start) > _NESTS):
        return _trust_region(loss, start, box, tol)
    return _by_line_search(loss, start, box, tol)


def _by_line_search(loss: Loss, start: Any, box: Box | None, tol: float) -> Iteration:
    points = newton.iterate(LossObjective(loss.internals), start.tolist(), box, tol=tol)
    while True:
        try:
            found = next(points)
        except StopIteration as ended:
            return ended.value  # type: ignore[no-any-return]
        yield Iterate(np.array(found.x), found.value, np.array(found.gradient))


def _one_after_another(loss: Loss, start: Any, box: Box | None, tol: float) -> Iteration:
    """The steps of one solver after another, until one of them certifies a minimum.

    In machine code lbfgs comes first: it reaches most minima before the first Hessian is there;
    then it and the trust region take turns. At a kink, where the gradient does not vanish, lbfgs
    has the last word.
    """
    kinks = has_kinks(loss)
    if kinks or SmoothLoss(loss).code is not None:
        few = MOST if kinks else _FEW_STEPS
        turns = cycle(((_lbfgs, few), (_trust_region, _FEW_NEWTON_STEPS)))
    else:
        turns = cycle(((_newton, MOST), (_trust_region, MOST), (_lbfgs, MOST)))
    here, last = None, End.BLOCKED
    for solve, most in turns:
        points = solve(loss, start if here is None else here.x, box, tol)
        new, end, made = next(points), None, 0
        if here is None:
            yield new
        here = new
        for _ in range(most):
            try:
                here = next(points)
            except StopIteration as ended:
                end = End(ended.value)
                break
            made += 1
            yield here
        if end is not None:
            certified = solve is not _lbfgs and end is not End.BLOCKED
            if certified or (end is not End.SMALL and (kinks or not made)):
                return end
            last = end
    return last


def _trust_region(loss: Loss, start: Any, box: Box | None, tol: float) -> Iteration:
    return trust_region.iterate(SmoothLoss(loss), start, box, tol)


def _lbfgs(loss: Loss, start: Any, box: Box | None, tol: float) -> Iteration:
    function = SmoothLoss(loss)
    if function.code is None:
        return lbfgs.iterate(function.gradient, start, box, tol)
    from symgd.solvers import native_lbfgs

    x = start if box is None else box.clip(start)
    return native_lbfgs.iterate(function.code, Iterate(x, *function.gradient(x)), box, tol)


def _levenberg_marquardt(loss: Loss, start: Any, box: Box | None, tol: float) -> Iteration:
    inner, count = loss.internals, len(start)
    if isinstance(inner, ArrayInternals) or count > _SQUARES:
        raise ArgumentError(
            f"lm is for {_SQUARES} parameters at most, and the loss has {count:,}; "
            "use the method tr or lbfgs"
        )
    inner = inner.by_rows()
    loss = loss.around(inner)
    entries = gauss_newton(inner.graph, inner.stable, inner.atoms)
    if entries is None:
        raise ArgumentError("lm is for sums of squares, which this is not; use the method auto")
    return trust_region.iterate(GaussNewton(loss, entries), start, box, tol)


METHODS: dict[str, Method] = {
    "newton": Method("exact Hessian; steps are halved until the loss falls", _newton),
    "lbfgs": Method("gradients only; the curvature from the last 10 steps", _lbfgs),
    "tr": Method("exact Hessian, or products with it, in a trust region", _trust_region),
    "lm": Method(
        "Gauss-Newton steps for sums of squares in a trust region (Levenberg-Marquardt)",
        _levenberg_marquardt,
    ),
}
NAMES = ("auto", *METHODS)


def check_method(method: str, who: str, lr: bool, rule: bool, batch: bool = False) -> None:
    """ArgumentError where there is no such method, or lr, a rule or a batch is given too."""
    if method not in NAMES:
        raise ArgumentError(names.unknown("there is no method", str(method), NAMES))
    for given, what in ((rule, "rule"), (lr, "lr"), (batch, "batch")):
        if given:
            raise ArgumentError(
                f"{who} and {what} do not go together: a solver chooses its own steps, "
                f"and {what} belongs to the rules; leave one of them out"
            )


def choose_method(method: str, loss: Loss) -> str:
    """The method itself; for auto the one for the size and form of the loss."""
    if method != "auto":
        return method
    return "lbfgs" if has_kinks(loss) or work_of(loss) > _COSTLY else "newton"


class SolverKernel:
    """Takes the points of a solver as the steps of a run. name: of the solver."""

    def __init__(self, method: str, loss: Loss, start: Any, box: Box | None, tol: float) -> None:
        self.name = choose_method(method, loss)
        among = method == "auto" and work_of(loss) <= _COSTLY
        solve = _one_after_another if among else METHODS[self.name].solve
        self.points: Any = solve(loss, np.array(start, dtype=float), box, tol)
        least = _CHECKED if loss.indexed is None else _NESTS
        leaves = among or self.name in ("newton", "tr")
        self.leaves_saddles = leaves and len(start) > least
        self.certified = False  # a solver that leaves saddles has found no way out of the end
        self.here = next(self.points)
        self.plain = loss.arrays is None  # points are lists in the end, for the reports
        self.box = box if self.plain else None
        self.farthest = _FAR**2 * (1.0 + norm_of(np.asarray(start, dtype=float))) ** 2

    def advance(self, run: Run, count: int) -> Stop | None:
        """`count` points more, or fewer and the reason."""
        many = len(run.x) > FEW  # else NumPy's linear algebra wakes no threads
        try:
            with np.errstate(all="ignore"), one_blas_thread() if many else nullcontext():
                return self._advance(run, count)
        finally:
            if self.plain:
                run.to_lists()

    def _advance(self, run: Run, count: int) -> Stop | None:
        for _ in range(count):
            run.x, value, slope = self.here
            grad: Any = slope if self.box is None else self.box.projected(run.x, slope)
            stop = run.first_stop(VALUE_CHECKS[:2], value, norm_of_array(grad), grad)
            if stop is not None:
                return stop
            if run.x.dot(run.x) > self.farthest:
                return Stop.NO_DESCENT
            try:
                self.here = next(self.points)
            except StopIteration as ended:
                self.certified = ended.value is End.FLOOR or (
                    ended.value is End.SMALL and self.leaves_saddles
                )
                return _STOPS[ended.value]
            run.x, run.t = self.here.x, run.t + 1
        return None


_STOPS = {
    End.SMALL: Stop.CONVERGED,
    End.SADDLE: Stop.CONVERGED,
    End.FLOOR: Stop.SETTLED,
    End.SETTLED: Stop.SETTLED,
    End.BLOCKED: Stop.NO_DESCENT,
}
