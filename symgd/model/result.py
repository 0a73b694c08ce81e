"""What a descent returns: Result, with its Status and Verdict."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from functools import partial
from typing import Any, Protocol

from symgd._locks import cached_property
from symgd._numpy import NDArray, np
from symgd.errors import DescentError, excerpt
from symgd.model.bounds import ParameterBox
from symgd.model.checks import finite_or_none
from symgd.model.elements import named, nested
from symgd.model.history import History
from symgd.model.present import Paged
from symgd.model.rules import Rule
from symgd.names import counted, escape


class Status(StrEnum):
    """How a descent ended. One vocabulary for every method."""

    CONVERGED = "converged"  #: max|g| <= tol at the returned point
    COMPLETED = "completed"  #: no tol was given; all steps were run
    MAX_STEPS = "max_steps"  #: tol was given and not reached
    DIVERGED = "diverged"  #: it runs away: the error grows from step to step
    NONFINITE = "nonfinite"  #: left the domain of the loss (log of a negative number, ...)
    STALLED = "stalled"  #: it no longer moves although max|g| > tol
    SADDLE = "saddle"  #: stationary, but some direction leads down
    INTERRUPTED = "interrupted"  #: Ctrl-C; the best point so far is returned
    INFEASIBLE = "infeasible"  #: no point satisfies the constraints
    STOPPED = "stopped"  #: the callback asked for it


@dataclass(frozen=True)
class Verdict:
    """What happened, in one sentence, with the numbers behind it.

    kind: a kind of `symgd.analysis.verdicts.sentences`. The error is the distance from a minimum
    that was found from the end of the run and certified. rate_observed: the factor by which one
    step multiplied it, measured over the last part of the run, negative where it changes sides.
    rate_predicted: the same from the Hessian at the minimum and the rule, where both agree. lr_max:
    the least upper bound of the stable learning rates there. distance: the error. digit_steps: how
    many steps more make it a tenth. None where it does not apply. advice: what to try instead, with
    the command, or "".
    """

    kind: str
    sentence: str
    rate_predicted: float | None = None
    rate_observed: float | None = None
    lr_max: float | None = None
    distance: float | None = None
    digit_steps: float | None = None
    advice: str = ""


@dataclass(frozen=True)
class ConstraintEnd:
    """A constraint at the returned point.

    value: left side minus right side, or the reverse of >=: at most 0 where it holds, the absolute
    value of an equality; the largest for all indices. multiplier: of the Lagrangian loss +
    multiplier*value. active: whether it holds with equality. proof: what is proven of it, or "".
    """

    text: str
    value: float
    multiplier: float
    active: bool
    proof: str = ""
    equality: bool = False

    @property
    def lack(self) -> float:
        """What it lacks."""
        return max(self.value, 0.0)

    @property
    def sentence(self) -> str:
        """What it does to the minimum, "" where it is not active."""
        text = f'"{escape(self.text)}"'
        if self.proof:
            return f"{text} {self.proof}"
        if not self.active:
            return ""
        how = "raising its right side" if self.equality else "relaxing it"
        effect = f"{how} by 1 changes the loss by {0.0 - self.multiplier:.3g}"
        return f"{text}: {effect}" if self.equality else f"{text} is active: {effect}"


@dataclass(frozen=True)
class Starts:
    """What many starts led to: how many converged, to how many minima, what part to the best."""

    count: int
    converged: int
    minima: int
    share_best: float

    @property
    def sentence(self) -> str:
        """In words."""
        many = f"{self.minima:,} minima" if self.minima > 1 else "one minimum"
        return f"of {self.count:,} starts {100 * self.share_best:.3g} % end at the best of {many}"


class Described(Protocol):
    """What a Result tells of its loss: a `Loss`, or a stand-in for a bare gradient function."""

    @property
    def params(self) -> tuple[str, ...]: ...

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]: ...

    @property
    def indexed(self) -> Any: ...

    @property
    def text(self) -> str: ...

    def read_as(self, pretty: bool = True) -> str: ...

    def gradient_text(self, limit: int = 2000) -> dict[str, str]: ...


@dataclass(frozen=True)
class Best:
    """The point with the least loss that the run visited, and when."""

    theta: dict[str, float]
    value: float
    step: int


def _known(verdict: Verdict) -> Verdict:
    return verdict


@dataclass(frozen=True, repr=False)
class Result(Paged):
    """The end of a descent, and how it came there.

    theta: parameter -> value at the returned point; of a loss with arrays element -> value, and by
    the name of an array all of it (`symgd.model.elements`). value, grad: the loss and its gradient
    there. steps: how many steps were taken. best: the least loss on the way. judge: forms the
    verdict, which may continue the run and try others: when it is first read, and once. box: the
    bounds of the parameters, if there are any. method: the solver whose run it is; then rule and lr
    are None. constraints, violation: at the end, and the sum of what they lack.
    starts: of a run from next to the best of many starts.
    """

    theta: dict[str, float]
    value: float
    grad: dict[str, float]
    steps: int
    status: Status
    message: str
    history: History
    best: Best
    judge: Callable[[], Verdict] = field(repr=False, compare=False)
    loss: Described
    rule: Rule | None
    lr: float | str | None
    start: dict[str, float]
    hyperparameters: Mapping[str, float]
    box: ParameterBox | None = None
    method: str | None = None
    constraints: tuple[ConstraintEnd, ...] = ()
    violation: float | None = None
    starts: Starts | None = None

    def __repr__(self) -> str:
        theta = excerpt(" ".join(repr(self.theta).split()), 1000)
        what = f"{self.status.value} after {counted(self.steps, 'step')}"
        return f"<Result: {what}, theta = {theta}, value = {self.value!r}>"

    @cached_property
    def verdict(self) -> Verdict:
        """What the run did, and why."""
        return self.judge()

    def __getstate__(self) -> dict[str, Any]:
        """What pickles: the verdict in place of what forms it."""
        return {**self.__dict__, "verdict": self.verdict, "judge": partial(_known, self.verdict)}

    @property
    def x(self) -> NDArray[np.float64]:
        """(P,) float64: the parameters in the order of Loss.params."""
        return _flat(self.theta)

    @property
    def grad_norm(self) -> float:
        """The Euclidean norm of the gradient at the returned point.

        Without the parameters that are at a bound where the gradient points out of the box.
        """
        grad = list(self.grad.values())
        if self.box is not None:
            grad = self.box.projected(list(self.theta.values()), grad)
        if all(isinstance(v, float) for v in grad):
            return math.hypot(*grad)
        return math.hypot(*(float(np.linalg.norm(v)) for v in grad))

    @property
    def fun(self) -> float:
        """The loss at the returned point: `value`, by SciPy's name."""
        return self.value

    @property
    def jac(self) -> NDArray[np.float64]:
        """(P,) float64: the gradient there, in the order of Loss.params."""
        return _flat(self.grad)

    @property
    def nit(self) -> int:
        """How many steps were taken: `steps`, by SciPy's name."""
        return self.steps

    @property
    def nfev(self) -> int | None:
        """How often loss and gradient were evaluated; None for a line search or a solver."""
        if self.rule is None or self.lr == "auto":
            return None
        return (1 + len(self.rule.evaluations)) * self.steps + 1

    @property
    def success(self) -> bool:
        """Whether it converged, or ran all its steps where no tol was given."""
        return self.status in (Status.CONVERGED, Status.COMPLETED)

    @property
    def bounds(self) -> dict[str, tuple[float | None, float | None]]:
        """The bounds that the run was kept in: parameter -> (low, high), None for an open end."""
        return {} if self.box is None else self.box.by_name(self.loss.params)

    def raise_for_status(self) -> Result:
        """The result itself, or DescentError if the run did not converge or complete."""
        if not self.success:
            raise DescentError(f"{self.status.value}: {self.message}")
        return self

    def to_dict(self) -> dict[str, Any]:
        """The result as plain data, ready for JSON; non-finite numbers are None."""
        data: dict[str, Any] = {
            "loss": {
                "text": self.loss.text,
                "params": list(self.loss.params if self.loss.shapes else self.theta),
                "gradient": self.loss.gradient_text(),
            },
            **({} if self.method is None else {"method": self.method}),
            "rule": None if self.rule is None else self.rule_title,
            "hyperparameters": dict(self.hyperparameters),
            "lr": self.lr,
            "steps": self.steps,
            "start": nested(self.start),
            "theta": nested(self.theta),
            "value": self.value,
            "grad_norm": self.grad_norm,
            "status": self.status.value,
            "message": self.message,
            "verdict": asdict(self.verdict),
            "history": [
                {
                    "t": t,
                    "theta": nested(named(self.loss.params, theta, self.loss.shapes)),
                    "loss": loss,
                }
                for t, theta, loss, _ in self.history.rows()
            ],
        }
        if self.box is not None:
            data["bounds"] = self.bounds
        if self.starts is not None:
            data["starts"] = asdict(self.starts)
        if self.constraints:
            keys = ("text", "value", "multiplier", "active")
            data["constraints"] = [{k: getattr(c, k) for k in keys} for c in self.constraints]
            data["violation"] = self.violation
        return dict(finite_or_none(data))

    @property
    def rule_title(self) -> str:
        """What ran: the name of the rule or its equations, or the solver."""
        if self.rule is None:
            return self.method or ""
        return str(self.rule) if self.rule.name == "custom" else self.rule.name

    @property
    def lost(self) -> bool:
        """Whether it ended because the next point, or the next step, is not a finite number."""
        left = self.status is Status.NONFINITE or "the last finite point" in self.message
        return left or not math.isfinite(self.value)

    def to_pandas(self) -> Any:
        """The history as a pandas DataFrame: t, one column per parameter, loss, grad_norm."""
        return self.history.to_pandas()

    def to_polars(self) -> Any:
        """The same as a polars DataFrame."""
        return self.history.to_polars()


def _flat(point: Mapping[str, Any]) -> NDArray[np.float64]:
    values = list(point.values())
    return np.concatenate([np.ravel(v) for v in values]) if values else np.empty(0)
