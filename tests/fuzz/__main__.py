"""python -m tests.fuzz: run the fuzzer and print what it finds."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace

from .run import CHECKS, Fault, Report, run

_TOLD = 2000  # formulas between two words of progress


def main() -> int:
    """0 where everything agrees, 1 where something does not."""
    names = [item.name for item in CHECKS]
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=None, help="of wall time")
    parser.add_argument("--first", type=int, default=0, help="number of the first formula")
    parser.add_argument("--count", type=int, default=None, help="how many formulas")
    parser.add_argument("--checks", default=",".join(names), help=f"some of {', '.join(names)}")
    parser.add_argument("--every", type=int, default=None, help="these on one of so many formulas")
    told = parser.parse_args()
    if told.seconds is None and told.count is None:
        told.seconds = 60.0
    chosen = told.checks.split(",")
    unknown = [name for name in chosen if name not in names]
    if unknown:
        parser.error(f"there is no check {unknown[0]}; there are {', '.join(names)}")

    def found(fault: Fault) -> None:
        print(f"{fault}\n", flush=True)

    def progress(report: Report) -> None:
        if report.cases and report.cases % _TOLD == 0:
            count = f"{report.cases} formulas, {len(report.faults)} disagreements"
            print(f"{count}, {report.seconds:.0f} s", file=sys.stderr, flush=True)

    report = run(
        told.seed,
        first=told.first,
        count=told.count,
        seconds=told.seconds,
        due=[
            replace(item, every=told.every or item.every) for item in CHECKS if item.name in chosen
        ],
        found=found,
        progress=progress,
    )
    print(report.summary())
    return 1 if report.faults else 0


if __name__ == "__main__":
    sys.exit(main())
