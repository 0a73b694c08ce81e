"""Random formulas as trees: written in the formula language in many styles, evaluated by mpmath.

A tree is (operator, operands...). Nothing of symgd is used: what it reads is compared with these.
"""

import operator

import mpmath
from mpmath import mpf

from tests.oracle import REFERENCE

PARAMETERS = ("x", "y", "theta_1", "x2", "speed", "N", "lambda")
COLUMNS = ("u", "v", "dose_2")
NUMBERS = ("1", "2", "3", "7", "0.5", "2.5", "0.1", "1.5e-9", "12.25", "pi", "e")
SMOOTH = ("exp", "log", "sin", "cos", "tanh", "atan", "cosh", "asinh", "erf", "gamma", "sigmoid")
SMOOTH += ("softplus", "logcosh", "cbrt", "sec", "coth", "acos", "digamma")
KINKED = ("abs", "relu", "sign", "floor", "ceil", "heaviside")
PAIRS = ("max", "min", "hypot", "logsumexp", "atan2", "betaln")
RELATIONS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
RELATIONS |= {"==": operator.eq, "!=": operator.ne}
_CHAINS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}


def grow(source, depth, rows=0):
    """A random tree. rows: 0 without data; 1 with sums over rows; 2 inside of one."""
    if depth <= 0 or source.random() < 0.1:
        names = PARAMETERS + (COLUMNS if rows == 2 else ())
        kind = source.random()
        return ("name", source.choice(names)) if kind < 0.65 else ("number", source.choice(NUMBERS))
    more = lambda: grow(source, depth - 1 - (source.random() < 0.3), rows)  # noqa: E731
    kind = source.random()
    if rows and kind < 0.25:
        return (source.choice(("sum", "mean")), grow(source, depth - 1, 2))
    if kind < 0.55:
        return (source.choice("++--**/"), more(), more())
    if kind < 0.62:
        return ("-", more())
    if kind < 0.74:
        exponents = [("number", n) for n in ("2", "3", "0.5", "1")] + [
            ("-", ("number", "2")),
            more(),
        ]
        return ("^", more(), source.choice(exponents))
    if kind < 0.86:
        return (source.choice(SMOOTH + ("sqrt",)), more())
    if kind < 0.9:
        return (source.choice(KINKED), more())
    if kind < 0.95:
        return (source.choice(PAIRS), more(), more())
    if kind < 0.96:
        return ("clip", more(), ("-", ("number", "1")), ("number", "2.5"))
    return ("where", condition(source, depth - 1, rows), more(), more())


def condition(source, depth, rows):
    """A random condition."""
    kind = source.random()
    if depth <= 0 or kind < 0.5:
        return (source.choice(list(RELATIONS)), *(grow(source, depth - 1, rows) for _ in range(2)))
    if kind < 0.65:
        return ("not", condition(source, depth - 1, rows))
    return (source.choice(("and", "or")), *(condition(source, depth - 1, rows) for _ in range(2)))


# -- as text -----------------------------------------------------------------------------------

_LEVEL = {"or": 0, "and": 1, "not": 2, "+": 4, "*": 5, "/": 5, "^": 7, "name": 9, "number": 9}
_LEVEL |= dict.fromkeys(RELATIONS, 3)


def spell(tree, source):
    """The formula that a person might type for the tree, at random."""

    def bind(node, level):
        text, own = piece(node)
        return f"({text})" if own < level or source.random() < 0.05 else text

    def piece(node):
        kind, *args = node
        own = _LEVEL.get(kind, 9)
        gap = source.choice(("", " "))
        if kind in ("name", "number"):
            return ("π" if args[0] == "pi" and source.random() < 0.5 else args[0]), own
        if kind == "-" and len(args) == 1:
            return "-" + bind(args[0], 6), 4
        if kind in ("+", "-"):
            return f"{bind(args[0], 4)}{gap}{kind}{gap}{bind(args[1], 5)}", 4
        if kind in ("*", "/"):
            sign = source.choice({"*": "*·×", "/": "/÷"}[kind])
            return f"{bind(args[0], 5)}{gap}{sign}{gap}{bind(args[1], 6)}", own
        if kind == "^":
            base = bind(args[0], 8)
            if args[1] == ("number", "2") and source.random() < 0.3:
                return base + "²", own
            return f"{base}{source.choice(('^', '**'))}{bind(args[1], 7)}", own
        if kind in RELATIONS or kind in ("and", "or"):
            left, right = (bind(a, own + k * (kind != "or")) for k, a in enumerate(args))
            return f"{left} {kind} {right}", own
        if kind == "not":
            return "not " + bind(args[0], own), own
        if kind == "abs" and source.random() < 0.3 and "|" not in (inner := bind(args[0], 0)):
            return f"|{inner}|", 9
        if kind == "sqrt" and source.random() < 0.3:
            return f"√({bind(args[0], 0)})", 9
        return f"{kind}({', '.join(bind(a, 0) for a in args)})", 9

    return piece(tree)[0]


# -- values ------------------------------------------------------------------------------------


def value(tree, at, columns=None, row=None):
    """The value in mpmath's numbers, at its working precision; nan where it is not real."""
    found = _value(tree, at, columns, row)
    return found if isinstance(found, (bool, mpf)) else mpmath.nan


def _value(tree, at, columns, row):
    kind, *args = tree
    if kind == "name":
        return mpf(columns[args[0]][row]) if args[0] in COLUMNS else mpf(at[args[0]])
    if kind == "number":
        return (
            {"pi": +mpmath.pi, "e": +mpmath.e}[args[0]]
            if args[0] in ("pi", "e")
            else mpf(float(args[0]))
        )
    count = len(next(iter(columns.values()))) if columns else 0
    if kind == "count":
        return mpf(count)
    if kind in ("sum", "mean"):
        total = mpmath.fsum(value(args[0], at, columns, k) for k in range(count))
        return total / count if kind == "mean" else total
    if kind == "where":
        test_, yes, no = args
        return value(yes if value(test_, at, columns, row) else no, at, columns, row)
    found = [value(a, at, columns, row) for a in args]
    if kind == "not":
        return not found[0]
    if kind in ("and", "or"):
        return all(found) if kind == "and" else any(found)
    if any(mpmath.isnan(v) or mpmath.isinf(v) for v in found):
        raise ArithmeticError
    return _operation(kind, found)


def _operation(kind, args):
    if kind == "-" and len(args) == 1:
        return -args[0]
    if kind in _CHAINS:
        return _CHAINS[kind](*args)
    if kind in RELATIONS:
        return RELATIONS[kind](*args)
    if kind == "^":
        return args[0] ** args[1]
    return mpmath.sqrt(*args) if kind == "sqrt" else mpmath.mpmathify(REFERENCE[kind](*args))
