"""Which losses SymPy's solver is asked for: those of sizes for which it is quick.

So the answer does not depend on how fast or busy the machine is. In processor seconds, on a busy
machine of two cores:

- polynomials of one parameter, 120 of degree 3 to 40: 0.3 at most, but for 0.8 once;
- polynomials of several, 152 whose gradients have a Bezout number up to 30: 0.9 at most up to 16,
  0.3 from 17 to 25, 5.0 at 27;
- other losses of one parameter, 217 of up to 9 operations: 0.5 for 95 of 100, 3.8 at most;
- powers of sums below 1 and powers with a parameter as exponent: not asked, sqrt(abs(x)) took 30;
- other losses of several, 97 of up to 6 operations: 0.9 for 95 of 100, 6.4 at most. With 12 to 24
  operations 26 of 39 were not solved in 4 s.
"""

from __future__ import annotations

from math import prod

from symgd.analysis.critical.kinks import has_broken_powers
from symgd.calculus.polynomial import Polynomial, degree, derivative
from symgd.model.loss import Loss

PARAMETERS = 4
DEGREE = 40  # of a polynomial of one parameter
BEZOUT = 25  # the product of the degrees of a polynomial's partial derivatives
OPERATIONS = (8, 5)  # of a loss that is no polynomial: of one parameter, of several
LONGEST = 150  # operations of any loss

SECONDS = 30.0  # of processor time, after which the solver is stopped: several times what is usual


def solvable(loss: Loss, terms: Polynomial | None) -> bool:
    """Whether the solver is asked. terms: the loss as a polynomial, None where it is none."""
    count = len(loss.params)
    operations = loss.internals.value_program.operations
    if loss.internals.rows is not None or count > PARAMETERS or operations > LONGEST:
        return False
    if terms is None and has_broken_powers(loss):
        return False
    if terms is None:
        return operations <= OPERATIONS[count > 1]
    if count == 1:
        return degree(terms) <= DEGREE
    return prod(max(1, degree(derivative(terms, k))) for k in range(count)) <= BEZOUT
