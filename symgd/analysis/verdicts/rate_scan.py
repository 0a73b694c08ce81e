"""The best constant learning rate of a run: found by runs with rates of a geometric scan.

Factors of 2 up and down, and 2^(1/8) around the best. Where it is not the only valley, as of a rule
that jumps, 2^(1/4) far to both sides and 2^(1/8) around others that may be better. A rate is judged
by the error after the run, where a minimum is found, else by the loss: by the largest value in the
last eighth of the steps and, at last, by the median of five neighboring rates, so that luck counts
for nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from symgd.analysis.minima import certified_minimum
from symgd.model.loss import Loss
from symgd.model.result import Result, Status

_LATE = 8  # the part of a run that is judged: its last eighth
_SAMPLES = 48  # points of it
_WORSE = 7  # rates in a row that are no better, after which the scan turns
_MOST = 48  # rates up, and as many down
_FINALISTS = 4  # rates that are judged with their neighbors,
_MORE_STEPS = 40_000  # of the runs with rates in between,
_APART = 1.9  # by this factor at least,
_BESIDE = 4  # neighbors on each side,
_FINE = 2 ** (1 / 8)  # by this factor each, of which
_MEDIAN = 2  # on each side count
_TIED = 1e-9  # scores so near to each other, as a part, are the same,
_EXACT = 1e-14  # and errors so small, as a part of the first one
_HUGE = 1e300

Score = tuple[bool, float, float]
_LOST: Score = (True, math.inf, math.inf)


@dataclass(frozen=True)
class Trial:
    """A learning rate, its run, and the largest loss late in the run: inf where it was lost."""

    lr: float
    run: Result
    loss: float


@dataclass
class RateScan:
    """Trials, and the order of them.

    run: a learning rate -> the result. loss: of which a minimum is looked for, or None. limit: of
    the rates that are tried. noisy: the history holds losses of batches.
    """

    run: Callable[[float], Result]
    loss: Loss | None
    limit: float = math.inf
    noisy: bool = False
    trials: dict[float, Trial] = field(default_factory=dict)
    minimum: list[float] | None = None
    _fastest: float | None = None

    def ranked(self, center: float, fastest: float | None = None) -> list[Trial]:
        """The trials, best first; of rates that are as good, the middle one."""
        if fastest is not None:
            self._fastest = self._try(fastest).lr
        for factor in (2.0, 0.5):
            self._walk(center, factor)
        self._look_for_minimum()
        if not self._one_valley():
            best = self._order(self.score)[0]
            most = _MORE_STEPS // (3 * max(1, best.run.steps))
            for lr in sorted(self.trials, key=lambda lr: abs(math.log(lr / best.lr)))[:most]:
                for k in (1, 2, 3) if lr * 2 < self.limit else ():
                    self._try(lr * 2 ** (k / 4))
        sure: dict[float, Score] = {}
        for trial in self._finalists():
            if self.score(trial) < min(sure.values(), default=_LOST):
                sure |= self._medians(trial)
        return self._order(lambda t: sure.get(t.lr, _LOST))

    def _one_valley(self) -> bool:
        """Whether the scores fall to the least one and rise behind it."""
        scores = [self.score(self.trials[lr]) for lr in sorted(self.trials)]
        least = scores.index(min(scores))
        fall, rise = scores[: least + 1], scores[least:]
        return fall == sorted(fall, reverse=True) and rise == sorted(rise)

    def _finalists(self) -> list[Trial]:
        """The best rate, and the best ones that are apart from better ones."""
        chosen: list[Trial] = []
        for trial in self._order(self.score):
            apart = all(max(t.lr / trial.lr, trial.lr / t.lr) > _APART for t in chosen)
            if apart and len(chosen) < _FINALISTS and trial.loss < math.inf:
                chosen.append(trial)
        return chosen

    def _medians(self, trial: Trial) -> dict[float, Score]:
        """The medians of five scores, of a rate and its nearest neighbors."""
        lrs = (trial.lr * _FINE**k for k in range(-_BESIDE, _BESIDE + 1))
        row = [self._try(lr) for lr in lrs if lr < self.limit]
        scores = [self.score(t) for t in row]
        middle = range(min(_MEDIAN, len(row) - 1), max(len(row) - _MEDIAN, _MEDIAN + 1))
        return {
            row[k].lr: sorted(near)[len(near) // 2]
            for k in middle
            if (near := scores[max(0, k - _MEDIAN) : k + _MEDIAN + 1])
        }

    def judged(self, run: Result, lr: float = math.nan) -> Trial:
        """A run as a trial."""
        return Trial(lr, run, self._late_loss(run))

    def score(self, trial: Trial) -> Score:
        """The smaller the better: the steps to tol, the error, else loss and gradient."""
        run = trial.run
        if trial.loss == math.inf:
            return _LOST
        if run.status is Status.CONVERGED:
            return False, run.steps, 0.0
        if self.minimum is None:
            return True, trial.loss, run.grad_norm
        late = run.history.last(run.steps // _LATE, _SAMPLES)
        return True, max(math.dist(x, self.minimum) for _, x in late), 0.0

    def left(self, trial: Trial) -> float:
        """How far the loss late in a trial is above the minimum, where there is one."""
        if self.loss is None or self.minimum is None:
            return math.inf
        return trial.loss - self.loss.value(self.minimum)

    def _walk(self, lr: float, factor: float) -> None:
        """Rates by a factor, until some in a row are no better; lost ones lead nowhere but down."""
        best, worse = _LOST, 0
        for _ in range(_MOST):
            now = self.score(trial := self._try(lr))
            lr *= factor
            if now < best:
                best, worse = now, 0
            elif factor > 1 or best < _LOST:
                worse += 1
            over = not 0 < lr < min(self.limit, _HUGE) or (factor < 1 and _still(trial))
            if over or worse == _WORSE:
                break

    def _try(self, lr: float) -> Trial:
        lr = rounded(lr)
        if lr not in self.trials:
            run = self.run(lr)
            self.trials[lr] = self.judged(run, lr)
        return self.trials[lr]

    def _late_loss(self, run: Result) -> float:
        if run.lost or self.noisy:
            return math.inf if run.lost else run.value
        rows = len(run.history)
        apart = rows // (_LATE * _SAMPLES) | 1  # an odd number: both sides of a jump are seen
        late = range(rows - 1, rows - 2 - rows // _LATE, -apart)
        losses = [run.history.loss_at(k) for k in late if k >= 0]
        return max(losses) if all(map(math.isfinite, losses)) else math.inf

    def _look_for_minimum(self) -> None:
        first = self._order(self.score)[0]
        if self.loss is not None and first.loss < math.inf:
            found = certified_minimum(self.loss, list(first.run.theta.values()))
            self.minimum = None if found is None else found.x

    def _order(self, score: Callable[[Trial], Score]) -> list[Trial]:
        order = sorted(self.trials.values(), key=lambda t: (score(t), self.score(t), t.lr))
        under_way, least, _ = score(order[0])
        floor = self._floor(order[0].run) if under_way else 0.0
        limit = (under_way, max(least + _TIED * abs(least), floor), math.inf)
        tied = sorted((t for t in order if score(t) <= limit), key=lambda t: t.lr)
        first = next((t for t in tied if t.lr == self._fastest), tied[len(tied) // 2])
        return [first, *(t for t in order if t is not first)]

    def done(self, run: Result) -> bool:
        """Whether a run is as good as at the minimum."""
        kind, score, _ = self.score(self.judged(run))
        return not kind or score <= self._floor(run)

    def _floor(self, run: Result) -> float:
        """A score that is as good as 0."""
        if self.minimum is None:
            return _EXACT**2 * abs(run.history.loss_at(0))
        return _EXACT * (math.hypot(*self.minimum) + math.hypot(*run.start.values()))


def _still(trial: Trial) -> bool:
    """Whether the rate is so small that no step changes anything."""
    run = trial.run
    points = run.history.last(run.steps, _SAMPLES)
    return trial.loss < math.inf and all(x == points[0][1] for _, x in points)


def rounded(value: float) -> float:
    """Two digits, rounded down."""
    unit = 10.0 ** (math.floor(math.log10(value)) - 1)
    return float(f"{math.floor(value / unit * (1 + 1e-9)) * unit:.2g}")
