"""The loop: draws cases, runs the checks that are due, shrinks what disagrees."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from . import backends, checks, descents, shown
from .case import Case, draw
from .compare import Disagreement, Tally
from .shrink import Check, failure, shrink


@dataclass(frozen=True)
class Due:
    """A check and how often it runs: on one of `every` cases."""

    name: str
    check: Check
    every: int = 1


CHECKS: tuple[Due, ...] = (
    Due("numbers", checks.numbers),
    Due("oracles", checks.oracles),
    Due("echo", shown.typed_again, 10),
    Due("gradient", shown.gradient_texts, 10),
    Due("latex", shown.latex, 5),
    Due("sympy", shown.sympy_again, 20),
    Due("javascript", backends.javascript, 5),
    Due("compiled", backends.machine_code, 50),
    Due("descents", descents.descents, 40),
    Due("sweeps", descents.sweeps, 80),
)


@dataclass
class Fault:
    """A disagreement with the case that shows it and the smallest one that does."""

    k: int
    check: str
    first: Disagreement
    case: Case
    smallest: Case
    shown: Disagreement

    def __str__(self) -> str:
        data = f", {dict(self.smallest.point.columns)}" if self.smallest.point.columns else ""
        point = dict(self.smallest.point.params)
        return (
            f"{self.shown}\n  formula  {self.smallest.text}\n  at       {point}{data}\n"
            f"  first    {self.case.text}\n  again    python -m tests.fuzz --seed "
            f"{self.case.seed.partition(':')[0]} --first {self.k} --count 1\n"
            f"  python   symgd.Loss({self.smallest.text!r}{data}).value_and_grad({point})"
        )


@dataclass
class Report:
    """What a run did and found."""

    cases: int = 0
    ran: Counter[str] = field(default_factory=Counter)
    tallies: dict[str, Tally] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    seconds: float = 0.0

    def summary(self) -> str:
        """One line per check."""
        lines = [f"{self.cases} formulas in {self.seconds:.0f} s of processor time"]
        for name, count in self.ran.items():
            tally = ", ".join(f"{n} {what}" for what, n in sorted(self.tallies[name].items()))
            lines.append(f"  {name:<12} {count:>7} formulas: {tally}")
        return "\n".join([*lines, f"{len(self.faults)} disagreements"])


def run(
    seed: int,
    *,
    first: int = 0,
    count: int | None = None,
    seconds: float | None = None,
    due: Sequence[Due] = CHECKS,
    found: Callable[[Fault], None] = lambda fault: None,
    progress: Callable[[Report], None] = lambda report: None,
    shrinking: float = 20,
) -> Report:
    """Cases first, first + 1, ... of a seed, until `count` or the time is over.

    found: told every fault at once. progress: told the report before every case. shrinking: seconds
    for one fault.
    """
    report = Report()
    begin, processor = time.monotonic(), time.process_time()
    k = first
    while (count is None or k < first + count) and (
        seconds is None or time.monotonic() < begin + seconds
    ):
        case = draw(seed, k)
        progress(report)
        for item in due:
            if (k + k // 20) % item.every:  # of every kind
                continue
            report.ran[item.name] += 1
            tally = report.tallies.setdefault(item.name, Counter())
            first_found = failure(case, lambda c, _, i=item, t=tally: i.check(c, t))
            if first_found is not None:
                smallest, shown = shrink(case, item.check, shrinking)
                fault = Fault(k, item.name, first_found, case, smallest, shown or first_found)
                report.faults.append(fault)
                found(fault)
        k += 1
        report.cases += 1
        report.seconds = time.process_time() - processor
    return report
