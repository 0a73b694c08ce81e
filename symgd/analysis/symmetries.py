"""Translations and scalings of the parameters that leave a loss alone: what it does not determine.

A vector field sum((a_i + b_i*theta_i) d/dtheta_i) leaves the loss alone where its product with the
gradient is 0 everywhere: a linear system for a and b, a row for each of some random points. So
structural identifiability is decided by the rank at a generic point (A. Raue et al., 2009,
Structural and practical identifiability analysis of partially observed dynamical models,
Bioinformatics 25(15)), and the null space says why.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from symgd._numpy import NDArray, np
from symgd.model.loss import Loss
from symgd.names import escape

_LARGEST = 12  # parameters
_LONGEST = 20_000  # operations of the loss, those over all rows counted
_NOTHING = 1e-9  # of the largest singular value, one that is 0
_DENOMINATOR, _RIGHT = 6, 1e-6


def symmetries(loss: Loss) -> tuple[str, ...]:
    """A sentence for each of them, such as "of a and b only a*b matters: ..."."""
    count = len(loss.params)
    if not 2 <= count <= _LARGEST or loss.internals.work > _LONGEST:
        return ()
    rows = _rows(loss)
    if rows is None:
        return ()
    values, vectors = np.linalg.svd(rows)[1:]
    rank = int((values > _NOTHING * values[0]).sum()) if values[0] > 0 else 2 * count
    found = []
    for field in _echelon(vectors[rank:]):
        near = [Fraction(v).limit_denominator(_DENOMINATOR) for v in field.tolist()]
        if max(abs(float(a) - v) for a, v in zip(near, field.tolist(), strict=True)) <= _RIGHT:
            found.append(_sentence(loss.params, near[:count], near[count:]))
    return tuple(found)


def _rows(loss: Loss) -> NDArray[np.float64] | None:
    """The gradient, and the gradient times theta, at random points; None where too few are finite.

    Scaled, so that no point outweighs the others.
    """
    chance = np.random.default_rng(0)
    count, rows = len(loss.params), []
    for _ in range(4 * count + 16):
        theta = chance.uniform(0.4, 1.7, count)
        if loss.internals.box is not None:
            theta = np.array(loss.internals.box.clip(theta.tolist()))
        with np.errstate(all="ignore"):
            grad = np.array(loss.internals.evaluate(*theta.tolist())[1:])
            size = float(np.linalg.norm(grad))
        if np.isfinite(size) and size > 0:
            rows.append(np.concatenate([grad, grad * theta]) / size)
    return np.array(rows) if len(rows) >= 2 * count + 4 else None


def _echelon(null: NDArray[np.float64]) -> NDArray[np.float64]:
    """A basis of the same space, reduced from the last column on: of small numbers, if any."""
    basis, row = null.copy(), 0
    for column in range(basis.shape[1] - 1, -1, -1):
        if row >= len(basis):
            break
        pivot = row + int(np.abs(basis[row:, column]).argmax())
        if abs(basis[pivot, column]) < 1e-7:
            continue
        basis[[row, pivot]] = basis[[pivot, row]]
        basis[row] /= basis[row, column]
        for other in range(len(basis)):
            if other != row:
                basis[other] -= basis[other, column] * basis[row]
        row += 1
    return basis


def _sentence(names: Sequence[str], moves: Sequence[Fraction], scales: Sequence[Fraction]) -> str:
    """What a field says, in whole numbers; of two parameters, what is left alone."""
    unit = math.lcm(*(v.denominator for v in (*moves, *scales)))
    shifted = [(escape(n), int(v * unit)) for n, v in zip(names, moves, strict=True) if v]
    scaled = [(escape(n), int(v * unit)) for n, v in zip(names, scales, strict=True) if v]
    step = "log(s)" if scaled else "s"
    how = [f"{n} times {_power('s', v) if v > 0 else '1/' + _power('s', -v)}" for n, v in scaled]
    how += [f"{n} {'plus' if v > 0 else 'minus'} {_times(abs(v), step)}" for n, v in shifted]
    change = f"{', '.join(how[:-1])} and {how[-1]}" if len(how) > 1 else how[0]
    if len(scaled) == len(shifted) == 1:
        (a, p), (b, q) = scaled[0], shifted[0]
        rate = Fraction(-p, q)
        factor = "" if abs(rate) == 1 else f"{abs(rate)}*"
        what = f"{a}*exp({'-' if rate < 0 else ''}{factor}{b})"
        return f"of {a} and {b} only {what} matters: {change} change nothing; fix {b} = 0"
    if len(how) != 2:
        return f"the parameters are not determined: {change} change nothing"
    (a, p), (b, q) = scaled or shifted
    common = math.gcd(p, q)
    left, right = abs(q) // common, abs(p) // common
    if scaled:
        what = f"{_power(a, left)}{'*' if p * q < 0 else '/'}{_power(b, right)}"
    else:
        what = f"{_times(left, a)} {'+' if p * q < 0 else '-'} {_times(right, b)}"
    return f"of {a} and {b} only {what} matters: {change} change nothing"


def _power(name: str, exponent: int) -> str:
    return name if exponent == 1 else f"{name}^{exponent}"


def _times(factor: int, name: str) -> str:
    return name if factor == 1 else f"{factor}*{name}"
