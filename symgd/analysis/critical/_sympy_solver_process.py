"""The child of `sympy_solver.py`: reads a loss from stdin, solves gradient = 0, prints JSON.

SymPy's own failures are part of the answer; any other exception ends the process with its trace.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from math import isfinite
from threading import Thread
from typing import Any

import sympy

from symgd.analysis.critical.polynomial_system import Coordinate, real_roots, real_zeros
from symgd.analysis.critical.sympy_solver import OUT_OF_MEMORY, OUT_OF_TIME
from symgd.formula.nodes import Op
from symgd.formula.sympy_bridge import definition
from symgd.model.loss import Loss

_MEMORY = 3 << 30  # bytes
_LONG = 48  # characters of a solution that a person would read
_MEMBERS = (0, 1, -1)  # of an infinite family
_INFINITE = (sympy.nan, sympy.zoo, sympy.oo, -sympy.oo)


class SolverError(Exception):
    """What SymPy's solver raised, though it does not say that it would."""


def main() -> None:
    """Solve within the CPU time limit given by the first argument, or be killed."""
    _limit(float(sys.argv[1]))
    request = json.load(sys.stdin)
    loss = Loss(request["loss"], params=request["params"])
    symbols = [sympy.Symbol(n, real=True) for n in request["params"]]
    grad = [
        _exact(sympy.diff(loss.expr, loss.symbols[n])) if n in loss.symbols else sympy.S.Zero
        for n in request["params"]
    ]
    try:
        found = _one(grad[0], symbols[0]) if len(symbols) == 1 else _several(grad, symbols)
    except SolverError as failed:
        found = {"failed": str(failed)}
    print(json.dumps(found))


def _limit(seconds: float) -> None:
    """Die when the processor time is used up, in whatever C function that happens."""
    try:
        import resource
        import signal
    except ImportError:  # Windows
        Thread(target=_watch, args=(seconds,), daemon=True).start()
        return
    allowed = resource.getrlimit(resource.RLIMIT_AS)[1]
    memory = _MEMORY if allowed == resource.RLIM_INFINITY else min(_MEMORY, allowed)
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)


def _watch(seconds: float) -> None:
    while time.process_time() < seconds:
        time.sleep(0.1)
    os._exit(OUT_OF_TIME)


def _exact(expr: sympy.Expr) -> sympy.Expr:
    """Decimals as fractions, functions that SymPy does not know by their definitions."""
    expr = expr.replace(lambda e: isinstance(e, Op), definition)
    return expr.xreplace({f: _fraction(f) for f in expr.atoms(sympy.Float)})


def _fraction(number: sympy.Float) -> sympy.Rational:
    """The decimal that is written for this double; a product of some may be beyond all doubles."""
    return sympy.Rational(repr(float(number)) if isfinite(float(number)) else str(number))


def _solved(solve: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """What SymPy's solver returns, None where it has no algorithm, or SolverError."""
    try:
        return solve(*args, **options)
    except NotImplementedError:
        return None
    except MemoryError:
        raise
    except Exception as error:
        raise SolverError(f"{type(error).__name__}: {error}") from error


def _one(slope: sympy.Expr, x: sympy.Symbol) -> dict[str, Any]:
    numerator = sympy.fraction(sympy.together(slope))[0]
    if numerator.has(x) and _is_rational_polynomial(numerator, [x]):
        return _zeros([[root] for root in real_roots(sympy.Poly(numerator, x))])
    solved = _solved(sympy.solveset, slope, x, sympy.S.Reals)
    if solved is None:
        return {}
    parts = solved.args if isinstance(solved, sympy.Union) else (solved,)
    points: list[Sequence[sympy.Expr]] = []
    families: list[str] = []
    complete = True
    for part in parts:
        if isinstance(part, sympy.FiniteSet):
            points += [[v] for v in part]
        elif isinstance(part, sympy.ImageSet) and part.base_set == sympy.S.Integers:
            (n,) = part.lamda.variables
            member = sympy.expand(part.lamda.expr)
            points += [[member.subs(n, k)] for k in _MEMBERS]
            text = str(member.xreplace({n: sympy.Symbol("k")}))
            families.append(f"{x.name} = {text} for every whole number k")
        elif isinstance(part, (sympy.Interval, sympy.Reals.__class__)):
            families.append(f"every {x.name} with {part.as_relational(x)}")
        elif part is not sympy.S.EmptySet:
            complete = False
    if not complete and not points and not families:
        return {}
    return _answer(points, families, complete)


def _is_rational_polynomial(expr: sympy.Expr, symbols: Sequence[sympy.Symbol]) -> bool:
    """Whether it is a polynomial whose coefficients are rational numbers."""
    if not expr.is_polynomial(*symbols):
        return False
    return sympy.Poly(expr, *symbols).domain in (sympy.ZZ, sympy.QQ)


def _several(grad: Sequence[sympy.Expr], symbols: Sequence[sympy.Symbol]) -> dict[str, Any]:
    every = all(_is_rational_polynomial(g, symbols) for g in grad)
    if every and (zeros := real_zeros([sympy.expand(g) for g in grad], symbols)) is not None:
        return _zeros(zeros)
    found = _solved(sympy.solve, grad, symbols, dict=True) or []
    points: list[Sequence[sympy.Expr]] = []
    families: list[str] = []
    for one in found:
        values = [sympy.sympify(one.get(s, s), strict=True) for s in symbols]
        if any(v.free_symbols for v in values):
            if all(sympy.im(v) == 0 for v in values):
                pairs = zip(symbols, values, strict=True)
                families.append(
                    ", ".join(
                        f"{s.name} = {v}" if s != v else f"{s.name} arbitrary" for s, v in pairs
                    )
                )
                free = sympy.Tuple(*values).free_symbols
                members = [[v.subs(dict.fromkeys(free, k)) for v in values] for k in _MEMBERS]
                points += [m for m in members if not any(v.has(*_INFINITE) for v in m)][:1]
        else:
            points.append(values)
    if not found:
        return {}
    return _answer(points, families, every and bool(families))


def _zeros(zeros: Sequence[Sequence[Coordinate]]) -> dict[str, Any]:
    """The answer where these are all."""
    numbers = [[float(c.number) for c in zero] for zero in zeros]
    texts = []
    for zero in zeros:
        written = [str(c.exact) for c in zero if c.exact is not None]
        short = len(written) == len(zero) and all(len(t) <= _LONG for t in written)
        texts.append(written if short else [])
    return {"points": numbers, "texts": texts, "families": [], "complete": True}


def _answer(
    points: Sequence[Sequence[sympy.Expr]], families: list[str], complete: bool
) -> dict[str, Any]:
    numbers, texts = [], []
    for point in points:
        values = [v.evalf(30) for v in point]
        if any(v.has(*_INFINITE) for v in values):
            continue
        if not all(v.is_number and abs(sympy.im(v)) < 1e-20 for v in values):
            continue
        reals = [float(sympy.re(v)) for v in values]
        written = [str(v) for v in point]
        short = all(len(t) <= _LONG and "CRootOf" not in t for t in written)
        numbers.append(reals)
        texts.append(written if short else [])
    return {"points": numbers, "texts": texts, "families": families, "complete": complete}


if __name__ == "__main__":
    try:
        main()
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
