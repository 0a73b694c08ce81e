"""explain: what can be said about a loss and a rule before a single step is taken."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import sympy

from symgd._locks import cached_property
from symgd._threads import one_blas_thread
from symgd.analysis.convexity import Convexity, convexity
from symgd.analysis.critical.bounded_points import points_in_bounds
from symgd.analysis.critical.critical_point import CriticalPoint, CriticalPoints
from symgd.analysis.critical.solver_sizes import SECONDS
from symgd.analysis.lower_bound import LowerBound, lower_bound
from symgd.analysis.stable_rates import Rates
from symgd.analysis.symmetries import symmetries
from symgd.calculus.derivation import DerivationStep, derivation
from symgd.calculus.polynomial import polynomial, to_node
from symgd.descent.behavior import Behavior, behavior_at, quadratic
from symgd.descent.loss_argument import ArraysGiven, at_start, clipped, loss_of, plain_start, within
from symgd.errors import excerpt
from symgd.formula.nodes import Node, topological
from symgd.formula.printing.plain import write
from symgd.model.arguments import Start, read_arguments, resolve
from symgd.model.bounds import BoundsByName
from symgd.model.checks import finite_or_none
from symgd.model.loss import Loss
from symgd.model.present import Report
from symgd.model.rules import Rule

if TYPE_CHECKING:
    from symgd.analysis.certified.certified_rate import CertifiedRate

_LARGEST = 60  # parameters up to which a Hessian is written,
_LONGEST = 2_500  # and operations of the loss times parameters
_EXPANDABLE = 100  # nodes of a formula that is expanded to see whether that is shorter
_SHORT = 5  # terms of a polynomial that is written expanded
_FOLLOWED = 200  # steps from the start on which the sharpness is looked at,
_WORK = 10**9  # and operations of these, at most


@dataclass(frozen=True, repr=False)
class Explanation(Report):
    """What `explain` found.

    critical: the critical points. behaviors: the rule at each of the minima among them. lr: the
    learning rate, or None where it is no constant. below: whether the loss is bounded below.
    certified: rates of gradient descent that provably descend from the start, if asked for.
    sharpness: (t, largest eigenvalue of the Hessian) at some steps of a run from the start.
    interrupted: what Ctrl-C left unfinished; the fields then hold what was found before.
    """

    loss: Loss
    rule: Rule
    hyperparameters: Mapping[str, float]
    lr: float | None
    lr_text: float | str
    convexity: Convexity
    critical: CriticalPoints
    behaviors: tuple[Behavior, ...]
    below: LowerBound
    certified: CertifiedRate | None = None
    sharpness: tuple[tuple[int, float], ...] = ()
    interrupted: str = ""

    def __repr__(self) -> str:
        return f"<Explanation of {excerpt(self.loss.text)}>"

    @property
    def bound(self) -> float:
        """A number that the loss never falls below; -inf where none is known."""
        return self.below.value

    @cached_property
    def symmetries(self) -> tuple[str, ...]:
        """The translations and scalings of parameters that leave the loss alone, in sentences."""
        return symmetries(self.loss)

    @cached_property
    def gradient(self) -> dict[str, str]:
        """The partial derivatives by parameter, as formulas."""
        return self.loss.gradient_text()

    @cached_property
    def hessian_nodes(self) -> list[list[Node]]:
        """The second derivatives as nodes of the loss's graph; [] where they are too many."""
        loss = self.loss
        if not _small(loss):
            return []
        rows = loss.internals.written_out.second_derivatives
        return [[readable(loss, entry) for entry in row] for row in rows]

    @cached_property
    def hessian(self) -> list[list[str]]:
        """The second derivatives as formulas, row by row; [] where they are too many."""
        return [[write(entry, 2000) for entry in row] for row in self.hessian_nodes]

    @cached_property
    def derivation(self) -> tuple[DerivationStep, ...]:
        """How the gradient comes about: the rules of calculus, one by one."""
        loss = self.loss
        return tuple(
            derivation(
                loss.internals.graph,
                loss.internals.root,
                loss.internals.leaves,
                lambda n: readable(loss, n),
            )
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON; non-finite numbers are None."""
        names = self.loss.params
        behaviors = {id(b.point): b for b in self.behaviors}
        data: dict[str, Any] = {
            "loss": self.loss.text,
            "params": list(names),
            "gradient": self.gradient,
            "hessian": self.hessian,
            "convex": self.convexity.convex,
            "convexity": _convexity(self.convexity, names),
            "rule": str(self.rule) if self.rule.name == "custom" else self.rule.name,
            "hyperparameters": dict(self.hyperparameters),
            "lr": self.lr_text,
            "lower_bound": self.bound,
            "bounded_below": self.below.bounded,
            "method": self.critical.method,
            "complete": self.critical.complete,
            "families": list(self.critical.families),
            "note": self.critical.note,
            "incomplete": self.critical.incomplete or None,
            "certified": self._certified_data(),
            "sharpness": [{"t": t, "value": value} for t, value in self.sharpness],
            "critical_points": [
                _point(p, names, behaviors.get(id(p))) for p in self.critical.points
            ],
        }
        if self.symmetries:
            data["symmetries"] = list(self.symmetries)
        if (box := self.loss.internals.box) is not None:
            data["bounds"] = box.by_name(names)
        return dict(finite_or_none(data))

    def _certified_data(self) -> dict[str, Any] | None:
        found = self.certified
        if found is None or found.box is None:
            return None
        box = {n: list(ends) for n, ends in zip(self.loss.params, found.box, strict=True)}
        return {"lr_max": found.lr_max, "box": box, "curvature": found.curvature}


def explain(
    loss: str | sympy.Expr | Callable[..., Any] | Loss = "theta**2",
    *,
    rule: str | Rule = "gd",
    lr: float | str = 0.2,
    start: Start = 1.0,
    set: Mapping[str, float] | None = None,  # noqa: A002 - as on the command line
    seconds: float = SECONDS,
    data: Any = None,
    drop_missing: bool = False,
    certify: bool = False,
    seed: int = 0,
    sizes: Mapping[str, int] | None = None,
    shapes: Mapping[str, Sequence[int | str]] | None = None,
    vectors: Mapping[str, Sequence[str]] | None = None,
    bounds: BoundsByName | None = None,
) -> Explanation:
    """Gradient, Hessian, convexity and critical points of a loss, and what a rule does there.

    loss, rule, lr, set: as for `descend`. start: where the search for critical points begins.
    seconds: the processor time after which SymPy's solver is stopped; 0: it is not asked. data,
    drop_missing: the rows of sum(...) and mean(...), as for `descend`. certify: whether to prove
    learning rates for which gradient descent from `start` lowers the loss at every step. bounds: as
    for `descend`; then all that is found is said of the loss within them. seed, sizes, shapes,
    vectors: as for `descend`. Raises a SymgdError where an argument makes no sense.

    >>> found = explain("theta**2", lr=0.2)
    >>> found.convexity.convex, found.critical.points[0].kind
    (True, 'minimum')
    >>> found.behaviors[0].rates.lr_max, found.behaviors[0].rates.best
    (1.0, 0.5)
    """
    arguments = read_arguments(lr, 1, rule, set, None)
    arrays = ArraysGiven(sizes, shapes, vectors)
    given = arguments.others, [start], bounds, data, drop_missing, arrays
    loss = loss_of(loss, [arguments.rule], *given)
    loss, origin = at_start(loss, plain_start(start)[0], seed)
    values = resolve(arguments)
    loss = within(loss, bounds, arguments.rule, values)
    origin = clipped(loss, origin)
    rate = arguments.schedule.value
    found = Explanation(
        loss=loss,
        rule=arguments.rule,
        hyperparameters=values,
        lr=rate,
        lr_text=arguments.schedule.shown,
        convexity=Convexity(None, "convexity was not looked at"),
        critical=CriticalPoints((), "numeric", False),
        behaviors=(),
        below=LowerBound(),
    )
    stage = "the lower bound"
    try:
        # one parameter needs no matrices, and no NumPy
        with one_blas_thread() if len(origin) > 1 else nullcontext():
            found = replace(found, below=lower_bound(loss, origin))
            stage = "critical points"
            critical = points_in_bounds(loss, origin, seconds, found.below.bounded)
            found, stage = replace(found, critical=critical), "convexity"
            found = _with_convexity(found, convexity(loss, [p.x for p in critical.points]))
            stage = "what the rule does there"
            at = partial(behavior_at, loss, arguments.rule, values)
            found = replace(
                found, behaviors=tuple(at(p, rate) for p in found.critical.points if lowest(p))
            )
            if certify:
                stage = "certified rates"
                found = replace(found, certified=_certified(loss, origin))
            stage = "the sharpness"
            run = _sharpness(loss, origin, lr, arguments.rule, set)
            return replace(found, sharpness=run)
    except KeyboardInterrupt:
        left = f"interrupted while looking for {stage}; what was found before is shown"
        return replace(found, interrupted=left)


def _with_convexity(found: Explanation, shape: Convexity) -> Explanation:
    """What was found, with what convexity says of it."""
    critical, below = found.critical, found.below
    if shape.convex:
        critical = replace(critical, points=tuple(map(_of_convex, critical.points)))
    if _only_minimum(critical, shape):
        critical = replace(critical, complete=True, note="", incomplete="")
    if below.bounded is None and shape.convex and any(map(lowest, critical.points)):
        below = replace(below, bounded=True)
    return replace(found, convexity=shape, critical=critical, below=below)


def _sharpness(
    loss: Loss, origin: Sequence[float], lr: float | str, rule: Rule, given: Any
) -> tuple[tuple[int, float], ...]:
    """Along the first steps from the start; of a quadratic once, for it is the same everywhere."""
    if not loss.params or 3 * loss.internals.work * _FOLLOWED > _WORK:
        return ()
    from symgd.analysis.sharpness import along, sharpness

    if quadratic(loss):
        value = sharpness(loss, origin)
        return () if value is None else ((0, value),)
    from symgd.descent.descend import descend

    run = descend(loss, start=origin, lr=lr, steps=_FOLLOWED, rule=rule, set=given, advise=False)
    return tuple(along(loss, run.history))


def _certified(loss: Loss, origin: Sequence[float]) -> CertifiedRate | None:
    from symgd.analysis.certified.certified_rate import certified_rate  # needs NumPy

    return certified_rate(loss, origin)


def _only_minimum(found: CriticalPoints, shape: Convexity) -> bool:
    """Whether convexity shows that there is no other: its Hessian there is positive definite."""
    kinds = [p.kind for p in found.points if not p.kinked]
    return bool(shape.convex) and kinds == ["minimum"] == [p.kind for p in found.points]


def _of_convex(point: CriticalPoint) -> CriticalPoint:
    """Wherever the gradient of a convex loss vanishes, the loss is as low as it gets."""
    if point.kind != "degenerate" or not point.note.endswith("the curvature vanishes"):
        return point
    return replace(point, note="a minimum, for the loss is convex; the curvature vanishes")


def lowest(point: CriticalPoint) -> bool:
    """Whether a critical point is a minimum, as far as is known."""
    return point.kind == "minimum" or point.note.startswith("a minimum")


def readable(loss: Loss, node: Node) -> Node:
    """A node in readable form: a short polynomial expanded, else tidied."""
    [tidy] = loss.internals.tidy([node])
    if len(topological([node])) > _EXPANDABLE:
        return tidy
    terms = polynomial(node, loss.internals.leaves)
    if terms is None or len(terms) > _SHORT:
        return tidy
    expanded = to_node(loss.internals.graph, terms, loss.internals.atoms)
    return expanded if len(write(expanded)) <= len(write(tidy)) else tidy


def _small(loss: Loss) -> bool:
    count = len(loss.params)
    return count <= _LARGEST and loss.internals.value_program.operations * count <= _LONGEST


def _convexity(found: Convexity, names: Sequence[str]) -> dict[str, Any]:
    points = [{n: float(v) for n, v in zip(names, p, strict=True)} for p in found.points or ()]
    return {
        "reason": found.reason,
        "points": points or None,
        "values": list(found.values) if found.values else None,
    }


def _point(point: CriticalPoint, names: Sequence[str], behavior: Behavior | None) -> dict[str, Any]:
    found = behavior.rates if behavior else Rates()
    measured = behavior.measured if behavior else None
    return {
        "theta": dict(zip(names, point.x, strict=True)),
        "exact": dict(zip(names, point.exact, strict=True)) if point.exact else None,
        "value": point.value,
        "kind": point.kind,
        "shape": point.shape,
        "note": point.note,
        "eigenvalues": list(point.eigenvalues),
        "lr_max": found.lr_max,
        "lr_max_formula": found.formula or None,
        "lr_stable": found.stable,
        "lr_best": found.best,
        "lr_fastest": list(found.fastest) if found.fastest else None,
        "rate_best": found.best_rate,
        "rate_at_lr": found.rate,
        "steps_per_digit": found.steps_per_digit,
        "why_no_rate": found.why_not or None,
        "measured": None
        if measured is None
        else {
            "steps": measured.steps,
            "distance_before": measured.before,
            "distance_after": measured.after,
            "rate_observed": measured.rate,
        },
    }
