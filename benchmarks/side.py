"""Peers side by side: a process each, in turn, A B C A B C, so that a busy machine slows all."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.measure import Row, json_of, missing, skipped
from benchmarks.peers.c import compiler


@dataclass(frozen=True)
class Peer:
    """name: as benchmarks.peers knows it. needs: modules, or "cc". target: of symgd's time over
    the peer's, at most. words: arguments of the task that are this peer's own.
    """

    name: str
    what: str
    needs: tuple[str, ...] = ()
    target: float | None = None
    words: tuple[tuple[str, str], ...] = ()

    @property
    def absent(self) -> str:
        """Why it cannot take part, or ""."""
        if "cc" in self.needs and not compiler():
            return "there is no C compiler (cc, or $CC)"
        return next(filter(None, (missing(n) for n in self.needs if n != "cc")), "")


@dataclass(frozen=True)
class Found:
    """Seconds of all runs, the answer (one: all rounds must agree), MB at the peak."""

    seconds: list[float]
    answer: list[float]
    peak: float | None
    whole: list[float]

    @property
    def median(self) -> float:
        """The median of all runs of all rounds."""
        return statistics.median(self.seconds)

    def memory(self) -> str:
        """The peak, for a note."""
        return "" if self.peak is None else f"peak {self.peak:.0f} MB"


def in_rounds(
    task: str, peers: Sequence[Peer], words: Mapping[str, Any], rounds: int, limit: float
) -> dict[str, Found | str]:
    """What each peer found, or why it found nothing. words: the task's arguments, in order."""
    found: dict[str, list[dict[str, Any]] | str] = {p.name: p.absent or [] for p in peers}
    for _ in range(rounds):
        for peer in peers:
            runs = found[peer.name]
            if isinstance(runs, str):
                continue
            own = {k: str(v) for k, v in {**words, **dict(peer.words)}.items()}
            command = [sys.executable, "-m", "benchmarks.peers", task, peer.name, *own.values()]
            try:
                runs.append(json_of(command, limit))
            except subprocess.TimeoutExpired:
                found[peer.name] = f"not done after {limit:g} s"
    return {name: runs if isinstance(runs, str) else joined(runs) for name, runs in found.items()}


def joined(runs: Sequence[Mapping[str, Any]]) -> Found:
    """All rounds of a peer as one."""
    peaks = [run["peak"] for run in runs if run["peak"] is not None]
    return Found(
        [s for run in runs for s in run["seconds"]],
        runs[0]["answer"],
        max(peaks, default=None),
        [s for run in runs for s in run.get("whole", ())],
    )


def rows(
    what: str, unit: str, scale: float, peers: Sequence[Peer], found: Mapping[str, Found | str]
) -> Iterator[Row]:
    """symgd's row (the first peer's), then one for each other, and its ratio where it is judged.

    scale: units per second.
    """
    first, *others = peers
    ours = found[first.name]
    if isinstance(ours, str):
        yield skipped(f"{what}: {first.what}", ours)
    else:
        spread = f"{len(ours.seconds)} runs; {ours.memory()}"
        target = None if first.target is None else scale * first.target
        yield Row(f"{what}: {first.what}", scale * ours.median, unit, target, spread)
    for peer in others:
        theirs = found[peer.name]
        if isinstance(theirs, str):
            yield skipped(f"  {peer.what}", theirs)
            continue
        ratio = None if isinstance(ours, str) else ours.median / theirs.median
        times = "" if ratio is None else f"symgd takes {ratio:.2f} times as long; "
        yield Row(f"  {peer.what}", scale * theirs.median, unit, note=times + theirs.memory())
        if ratio is not None and peer.target is not None:
            yield Row(f"    symgd over {peer.what.partition(',')[0]}", ratio, "x", peer.target)
