"""Rules against optax, torch.optim and NumPy over 200 steps; the line search per step.

The problems, the settings and the oracles are those of tests/model/test_catalogue.py; a difference
is the largest of a path, relative to the largest value.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from importlib.util import find_spec

from benchmarks.measure import Row, missing, skipped

TARGET = 1e-12
ROSENBROCK, START = "(1-x)^2 + 100*(y-x^2)^2", [-1.2, 1.0]


def rows() -> Iterator[Row]:
    """One row per rule and oracle: the worst of the three problems; then the line search."""
    yield from line_search()
    absent = missing("jax") or missing("optax") or missing("pytest")
    if absent:
        yield skipped("rules", absent)
        return
    from tests.model import test_catalogue as catalogue

    torch = None
    if find_spec("torch"):
        import torch

        torch.set_default_dtype(torch.float64)  # NAdam keeps its product of momenta in it
    else:
        yield skipped("torch.optim", missing("torch"))
    for rule, oracle in catalogue.ORACLES.items():
        if oracle.optax:
            yield row(rule, "optax", catalogue, lambda p, lr, o=oracle: (
                catalogue.optax_path(o.optax, p, lr)), oracle.set)  # fmt: skip
        if oracle.on:
            given = {} if oracle.optax else oracle.set
            yield row(rule, "its paper in NumPy", catalogue, lambda p, lr, o=oracle: (
                catalogue.hand_path(o.on(lr, p), p)), given)  # fmt: skip
        if oracle.torch and torch:
            name, settings = oracle.torch
            yield row(rule, f"torch.optim.{name}", catalogue, lambda p, lr, n=name, s=settings: (
                catalogue.torch_path(torch, n, s, p, lr)))  # fmt: skip


def row(rule, peer, catalogue, path, given=None) -> Row:
    """The worst relative difference over the problems."""
    errors = {}
    for name, problem in catalogue.PROBLEMS.items():
        lr = problem.rate(rule)
        theirs, ours = path(problem, lr), catalogue.our_paths(rule, problem, lr, given)
        gap = abs(ours - theirs).max(axis=(0, 1)) / abs(theirs).max(axis=0)
        errors[name] = float(gap.max())
    settings = ", ".join(f"{k} = {v:g}" for k, v in (given or {}).items())
    note = f"with {settings}, which it can only match so" if settings else ""
    return Row(f"{rule}: {peer}", max(errors.values()), "", TARGET, note)


def line_search() -> Iterator[Row]:
    """CPU time of a step of lr="auto" in machine code, and the floor that it reaches."""
    import symgd
    from symgd.descent.choose_backend import DescentTask
    from symgd.descent.kernel import Run
    from symgd.descent.native_kernel import NativeLineSearch
    from symgd.model.arguments import read_arguments, resolve
    from symgd.model.result import History

    loss = symgd.Loss(ROSENBROCK)
    for rule, steps in (("gd", 4000), ("momentum", 1500), ("adam", 1500)):
        arguments = read_arguments("auto", steps, rule, None, None)
        task = DescentTask(loss, arguments, resolve(arguments))
        kernel = NativeLineSearch(loss, task.program, 2, task.tail)
        best = float("inf")
        for _ in range(200):
            state = [0.0] * sum(arguments.rule.widths(2))
            run = Run(x=START, state=state, tol=None, history=History(2))
            began = time.process_time_ns()
            kernel.advance(run, steps)
            best = min(best, (time.process_time_ns() - began) / run.t)
        target = 60 if rule == "gd" else None
        yield Row(f"--lr auto, {rule}, Rosenbrock, per step", best, "ns", target)
    run = symgd.descend("(x-1)^2+100*(y-2)^2+1000", start=5.0, lr="auto", steps=5000, tol=1e-9)
    slope = max(map(abs, run.grad.values()))
    yield Row("--lr auto, max|g| where the loss is 1000 + rounding", slope, "", 1e-9)
