"""`python -m benchmarks [NAME...] [--json FILE]`: measure, print a table, write JSON."""

from __future__ import annotations

import argparse
import json
import time
from importlib import import_module
from pathlib import Path

from benchmarks import report
from benchmarks.measure import Row, WrongAnswerError, skipped

# Whole processes first: this one is still small and quiet then.
BENCHMARKS = (
    *("house", "startup", "memory", "first_step", "build", "evaluation", "descents", "sweeps"),
    *(
        "explain",
        "data",
        "growth",
        "steps",
        "rules",
        "exactness",
        "rows",
        "fits",
        "fit_intervals",
        "plots",
        "pages",
    ),
    *("verdicts", "indices", "families", "methods", "grids"),
)
GROUPS = {  # what native code is for
    "native": ("startup", "first_step", "build", "evaluation", "descents", "sweeps"),
}
NAMES = (*BENCHMARKS, *GROUPS)


def main() -> None:
    """Run the benchmarks that were asked for, or all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers here too")
    asked = parser.parse_args()
    unknown = [name for name in asked.names if name not in NAMES]
    if unknown:
        parser.error(f"there is no benchmark '{unknown[0]}'; there are {', '.join(NAMES)}")
    chosen = [one for name in asked.names for one in GROUPS.get(name, (name,))]
    print(*(f"{name}: {value}" for name, value in report.machine().items()), sep="\n")
    results: dict[str, list[Row]] = {}
    for name in dict.fromkeys(chosen or BENCHMARKS):
        results[name] = run(name)
        if asked.json:  # after each: a run that is stopped keeps what it has
            asked.json.write_text(json.dumps(report.to_json(results), indent=1) + "\n")
    print(report.summary(results))


def run(name: str) -> list[Row]:
    """The rows of one benchmark, printed as they come."""
    module = import_module(f"benchmarks.{name}")
    print(report.heading(name, (module.__doc__ or "").splitlines()[0]), flush=True)
    rows: list[Row] = []
    began = time.perf_counter()
    try:
        for row in module.rows():
            rows.append(row)
            print(*report.lines(row), sep="\n", flush=True)
    except WrongAnswerError as error:
        rows.append(skipped("WRONG ANSWER", str(error)))
        print(*report.lines(rows[-1]), sep="\n", flush=True)
    print(f"({time.perf_counter() - began:.0f} s)", flush=True)
    return rows


if __name__ == "__main__":
    main()
