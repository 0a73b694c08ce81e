"""`python -m benchmarks.peers TASK PEER ...`: one task by one peer, warmed up, as JSON.

Prints {"seconds": [...], "answer": [...], "peak": ...}: seconds of each repeated run, what was
computed, and the peak memory of this process in MB.
"""

from __future__ import annotations

import json
import os
import sys
import time
import timeit
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.losses import standard_start
from benchmarks.peak import peak

Found = dict[str, Any]


def build(peer: str, n: str) -> Found:
    """Seconds from the loss to the end of the first call, after a small loss has warmed it."""
    import numpy as np

    from benchmarks.peers.chained import BUILT

    BUILT[peer](5)(np.array(standard_start(5)))
    point = np.array(standard_start(int(n)))
    took, (value, grad) = timed(lambda: BUILT[peer](int(n))(point))
    return {"seconds": [took], "answer": [float(value), *map(float, grad)]}


def evaluate(peer: str, n: str, repeats: str) -> Found:
    """Seconds per call of value and gradient."""
    import numpy as np

    from benchmarks.peers import chained

    gradient = (chained.BUILT | chained.WRITTEN)[peer](int(n))
    point = np.array(standard_start(int(n)))
    value, grad = gradient(point)
    answer = [float(value), *map(float, grad)]
    times = chained.AGAIN if peer == "c-alone" else 1
    took = loops(lambda: gradient(point), int(repeats))
    return {"seconds": [t / times for t in took], "answer": answer}


def descent(peer: str, rule: str, lr: str, checked: str, steps: str, repeats: str) -> Found:
    """Seconds per step, from runs of `steps` and twice as many; whole: of a run, over its steps.

    answer: the point after `checked` steps and after `steps`.
    """
    from benchmarks.peers.descents import PEERS

    run, n = PEERS[peer](rule, float(lr)), int(steps)
    answer = [*run(int(checked)), *run(n)]
    run(2 * n)
    pairs = [(timed(lambda: run(n))[0], timed(lambda: run(2 * n))[0]) for _ in range(int(repeats))]
    return {
        "seconds": [(two - one) / n for one, two in pairs],
        "whole": [one / n for one, _ in pairs],
        "answer": [float(v) for v in answer],
    }


def first(peer: str, notes: str) -> Found:
    """Seconds from text to first step, imports excluded."""
    from benchmarks.peers.first_step import timed as first_timed

    took, point = first_timed(peer, Path(notes))
    return {"seconds": [took], "answer": point}


def sweep(peer: str, count: str, steps: str, threads: str, repeats: str) -> Found:
    """Seconds of a sweep over `count` rates; on as many processors as there are threads."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(threads)])
    import numpy as np

    from benchmarks.peers.sweeps import PEERS

    rates = np.geomspace(1e-6, 1e-3, int(count))
    run = PEERS[peer](int(threads))
    theta = run(rates, int(steps))
    took = [timed(lambda: run(rates, int(steps)))[0] for _ in range(int(repeats))]
    return {"seconds": took, "answer": [float(v) for v in np.asarray(theta).ravel()]}


def rows(peer: str, loss: str, count: str, threads: str, repeats: str) -> Found:
    """Seconds of value and gradient over `count` rows, on as many processors as threads."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(threads)])
    from benchmarks.peers.rows import PEERS, columns

    run = PEERS[peer](loss, columns(loss, int(count)), int(threads))
    answer = run()
    run()
    took = [timed(run)[0] for _ in range(int(repeats))]
    return {"seconds": took, "answer": [float(v) for v in answer]}


def indices(peer: str, name: str, repeats: str) -> Found:
    """Seconds of value and gradient of a loss with indices, on one processor.

    answer: the value, and the gradient or a few thousand elements of it.
    """
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    from benchmarks.peers.indices import PEERS, TASKS, flat

    run = PEERS[peer](TASKS[name], 1)
    value, grad = run()
    parts = flat(grad if isinstance(grad, list) else [grad])
    answer = [float(value), *parts[:: 1 + len(parts) // 5000].tolist()]
    return {"seconds": loops(run, int(repeats)), "answer": answer}


def kernel(peer: str, name: str) -> Found:
    """Seconds of the processor from the text of a loss to its machine code, the second that is
    made.
    """
    from benchmarks.peers.indices import TASKS, Task, by_symgd

    by_symgd(Task("sum(exp(x[i]), i=1..n)", {"x": (7,)}, sizes={"n": 7}), 1)
    task = replace(TASKS[name], rows=100)  # the code is the same for any number of rows
    before = time.process_time()
    by_symgd(task, 1)
    return {"seconds": [time.process_time() - before], "answer": []}


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """(seconds, what came back) of one call."""
    before = time.perf_counter()
    result = call()
    return time.perf_counter() - before, result


def loops(call: Callable[[], Any], repeats: int, least: float = 0.01) -> list[float]:
    """Seconds per call in each of `repeats` loops of at least `least` seconds."""
    timer = timeit.Timer(call)
    number, took = 1, timer.timeit(1)
    while took < least:
        number = max(2 * number, int(1.2 * number * least / max(took, 1e-9)))
        took = timer.timeit(number)
    return [took / number for took in timer.repeat(repeats, number)]


TASKS = {f.__name__: f for f in (build, evaluate, descent, first, sweep, rows, indices, kernel)}


def main(words: Sequence[str]) -> None:
    """Run the task and print what it found."""
    task, *rest = words
    found = TASKS[task](*rest)
    print(json.dumps(found | {"peak": peak()}))


if __name__ == "__main__":
    main(sys.argv[1:])
