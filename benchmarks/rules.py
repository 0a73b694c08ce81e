"""Largest difference from optax and torch.optim over 200 steps, relative to the largest value.

The problems, the settings and the oracles are those of tests/model/test_catalogue.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

from benchmarks.measure import Row, missing, skipped

TARGET = 1e-12


def rows() -> Iterator[Row]:
    """One row per rule and library: the worst of the three problems."""
    absent = missing("jax") or missing("optax") or missing("pytest")
    if absent:
        yield skipped("rules", absent)
        return
    from tests import test_catalogue as catalogue

    torch = None
    if find_spec("torch"):
        import torch

        torch.set_default_dtype(torch.float64)  # NAdam keeps its product of momenta in it
    else:
        yield skipped("torch.optim", missing("torch"))
    for rule, oracle in catalogue.ORACLES.items():
        if oracle.optax:
            yield row(rule, "optax", catalogue, lambda p, lr, o=oracle: (
                catalogue.optax_path(o.optax(lr), p)), oracle.set)  # fmt: skip
        if oracle.torch and torch:
            name, settings = oracle.torch
            yield row(rule, f"torch.optim.{name}", catalogue, lambda p, lr, n=name, s=settings: (
                catalogue.torch_path(torch, n, s, p, lr)))  # fmt: skip


def row(rule, peer, catalogue, path, given=None) -> Row:
    """The worst relative difference over the problems."""
    errors = {}
    for name, problem in catalogue.PROBLEMS.items():
        lr = problem.rate(rule)
        theirs, ours = path(problem, lr), catalogue.our_path(rule, problem, lr, given)
        errors[name] = float((abs(ours - theirs).max(axis=0) / abs(theirs).max(axis=0)).max())
    settings = ", ".join(f"{k} = {v:g}" for k, v in (given or {}).items())
    note = f"with {settings}, which it can only match so" if settings else ""
    return Row(f"{rule}: {peer}", max(errors.values()), "", TARGET, note)
