"""A differential fuzzer: random formulas, symgd against oracles that share no code with it.

    python -m tests.fuzz --seconds 600 --seed 1

`generate` and `edges` draw a formula, `points` a point; `oracle` evaluates the tree with value,
gradient and Hessian in mpmath at 60 digits; `floats` is a second oracle, Python's own arithmetic.
`checks`, `backends`, `shown` and `descents` compare; `shrink` reduces what disagrees to a minimal
formula. `subject` holds the calls that are not in symgd's public interface.

What the comparison assumes of symgd (docs/formulas.md):

1. Outside its real domain an operation is nan. nan goes through everything but a comparison, which
   is false (!= is true). Where the value is nan, nothing is claimed of the derivatives.
2. Where a reached operation or its derivative has a pole, nothing is claimed of what lies above.
   Nor is anything of 1**nan and nan**0, and at the jumps of acot and atan2, where the sign of a
   zero decides.
3. Where a number on the way leaves 1e-150 .. 1e150 (so that its product with another may leave
   the doubles), nothing is claimed, except that the value is right where Python's own arithmetic
   is, and so are value and gradient of the formulas of `edges.Tails`.
4. At kinks: abs, sign, floor, ceil, heaviside and relu have derivative 0; a tie of max or min gives
   each of the two arguments half; clip passes the derivative on at both bounds; where has that of
   its branch, and the other branch is not evaluated; huber belongs to its parabola at |x| = y;
   0**y has derivative 0 in y. acot, asec, acsc, ... are the inverse function of 1/x.
5. A formula with a constant part that is not finite is refused, and no other is.

A number agrees if it is within 1e-13 of the oracle's, relative (1e-12 after steps of a descent). If
not, it is judged by its conditioning: a difference counts if it exceeds 64 (`compare.BOUND`) times
`oracle.rounding_spread`. That is the largest change of the number in 16 runs at 60 digits in
which every intermediate result and every term of a derivative is perturbed by 2^-53 (all up, all
down, 14 times at random), or 2^-53 times the sum of the sizes of the terms of the derivative.
"""
