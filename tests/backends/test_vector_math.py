"""symgd's own functions of vectors against mpmath, and against the C library where it ends."""

import ctypes
import math

import mpmath
import numpy as np
import pytest

from symgd.backends.native import jit
from symgd.backends.native.jit import compile_module, lanes, source
from symgd.backends.native.vectors.vector_emit import VectorEmitter, Vectors
from symgd.backends.native.vectors.vector_exp import sech_squared
from symgd.backends.native.vectors.vector_math import OWN
from symgd.backends.native.vectors.vector_trig import LIMIT

inf, nan = math.inf, math.nan
DIGITS = mpmath.MPContext()
DIGITS.prec = 400


def compiled(symbol, arguments=1, fused=True):
    """The function of arrays of one length, computed in vectors, their rest in a shorter run."""
    width = 2 * lanes()
    e = VectorEmitter(width, Vectors(frozenset(OWN), lambda *_: None, fused))
    loads = [e.load(f"%x{k}", 0, wide=True) for k in range(arguments)]
    result = sech_squared(e, *loads) if symbol == "sech2" else e.call(symbol, *loads)
    e.store(result, "%y", 0)
    heads = ", ".join(f"ptr %x{k}" for k in range(arguments))
    text = e.define(f"i64 @run({heads}, ptr %y)")
    module = compile_module(source([text, *e.functions.values()], e.declared))
    run = module.function("run", arguments + 1)

    def call(*columns):
        count = len(columns[0])
        padded = [
            np.resize(np.asarray(c, dtype=float), -(-count // width) * width) for c in columns
        ]
        out = np.empty_like(padded[0])
        for start in range(0, len(out), width):
            run(*(c[start:].ctypes.data for c in (*padded, out)))
        assert module  # its code must live as long as it is called
        return out[:count]

    return call


def ulps(got, exact):
    """The distance of a double from a number, in units of the last place of that number."""
    if abs(exact) >= DIGITS.mpf(2) ** 1024 * (1 - DIGITS.mpf(2) ** -54):
        return 0.0 if got == math.copysign(inf, exact) else inf
    exponent = DIGITS.frexp(exact)[1] if exact else -2000
    return float(abs(DIGITS.mpf(float(got)) - exact) / DIGITS.mpf(2) ** max(exponent - 53, -1074))


def spread(low, high, count=300, seed=1):
    return np.random.default_rng(seed).uniform(low, high, count)


def sizes(low, high, count=300, seed=2):
    """Of both signs, each magnitude as likely."""
    generator = np.random.default_rng(seed)
    return 10.0 ** generator.uniform(low, high, count) * generator.choice([-1.0, 1.0], count)


def near_quarters(count=300, seed=3):
    """Doubles next to multiples of pi/2, where sin or cos has lost nearly all its digits."""
    turns = np.random.default_rng(seed).integers(-500_000, 500_000, count)
    return np.array([float(int(k) * DIGITS.pi / 2) for k in turns])


ANGLES = [
    spread(-1, 1),
    spread(-100, 100),
    spread(-LIMIT, LIMIT),
    sizes(-300, 300, 60),
    near_quarters(),
]
ANGLES.append(np.array([LIMIT, np.nextafter(LIMIT, inf), -LIMIT, 1e22, 2.0**1000, 5e-324]))
SMALL = sizes(-320, 0)
CASES = {
    "exp": (DIGITS.exp, [[spread(-1, 1)], [spread(-745.2, -700)], [spread(-708, 709.79)], [SMALL]]),
    "expm1": (DIGITS.expm1, [[spread(-1, 1)], [spread(-45, 45)], [spread(-745, 709.7)], [SMALL]]),
    "sinh": (DIGITS.sinh, [[spread(-2, 2)], [spread(-45, 45)], [spread(-711, 711)], [SMALL]]),
    "cosh": (DIGITS.cosh, [[spread(-2, 2)], [spread(-45, 45)], [spread(-711, 711)], [SMALL]]),
    "tanh": (DIGITS.tanh, [[spread(-1, 1)], [spread(-25, 25)], [spread(-800, 800)], [SMALL]]),
    "sech2": (
        lambda x: DIGITS.sech(x) ** 2,
        [[spread(-1, 1)], [spread(-25, 25)], [spread(-375, 375)]],
    ),
    "log": (DIGITS.log, [[spread(0.5, 2)], [abs(sizes(-323, 308))], [1 + SMALL / 2]]),
    "log1p": (
        DIGITS.log1p,
        [[spread(-0.5, 1)], [abs(sizes(-20, 308))], [SMALL[SMALL > -1]], [spread(-1, -0.5)]],
    ),
    "sin": (DIGITS.sin, [[a] for a in ANGLES]),
    "cos": (DIGITS.cos, [[a] for a in ANGLES]),
    "pow": (
        DIGITS.power,
        [
            [spread(0.1, 4), spread(-2, 3, seed=9)],
            [abs(sizes(-300, 300)), spread(-1.1, 1.1)],
            [spread(0.99, 1.01), spread(-8e4, 8e4, seed=9)],
            [1 + sizes(-15, -2), sizes(0, 14, seed=9)],
            [abs(sizes(-323, -307)), spread(-1.1, 1.1)],
            [abs(sizes(-3, 3)), spread(-150, 150)],
        ],
    ),
}  # fmt: skip
#: Units in the last place: what the functions promise, and a slope of two exponentials.
BOUND = {"sech2": 3.5}


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("symbol", CASES)
def test_functions_err_by_less_than_two_units(symbol, fused):
    exact, inputs = CASES[symbol]
    function = compiled(symbol, len(inputs[0]), fused)
    for columns in inputs:
        for *args, got in zip(*columns, function(*columns), strict=True):
            expected = exact(*(DIGITS.mpf(float(a)) for a in args))
            assert ulps(got, expected) < BOUND.get(symbol, 2.0), (args, got)


def test_every_function_is_tried():
    assert set(CASES) - {"sech2"} == set(OWN)


EDGES = [0.0, -0.0, 5e-324, -5e-324, 2.0**-1022, 1.0, -1.0, 2.0, 3.0, -3.0, 0.5, 1e300, -1e300]
EDGES += [inf, -inf, nan, 709.782712893384, 709.7827128933841, 710.475860073944, -745.1332191019412]


def reference(symbol, *args):
    """What this system's C library says."""
    function = getattr(jit._library(), symbol)
    function.restype, function.argtypes = ctypes.c_double, [ctypes.c_double] * len(args)
    return function(*args)


def alike(a, b):
    """Equal with its sign, both NaN, or a unit or two apart."""
    if math.isnan(b) or b == 0 or math.isinf(b):
        return (
            math.isnan(a)
            if math.isnan(b)
            else a == b and math.copysign(1, a) == math.copysign(1, b)
        )
    return abs(a - b) <= max(2 * math.ulp(b), 5e-324)


@pytest.mark.parametrize("symbol", sorted(OWN))
def test_edges_are_those_of_the_library(symbol):
    """Zeros with their sign, infinities, NaN, poles, overflow and underflow; one lane each."""
    count = 2 if symbol == "pow" else 1
    pairs = [(x,) for x in EDGES] if count == 1 else [(x, y) for x in EDGES for y in EDGES]
    got = compiled(symbol, count)(*map(list, zip(*pairs, strict=True)))
    for args, value in zip(pairs, got, strict=True):
        assert alike(float(value), reference(symbol, *args)), (args, value)


@pytest.mark.parametrize("symbol", sorted(OWN))
def test_a_lane_does_not_depend_on_its_neighbors(symbol):
    """Those that the form does not serve are computed apart; the others keep their bits."""
    generator, count = np.random.default_rng(4), 2 if symbol == "pow" else 1
    function = compiled(symbol, count)
    plain = [generator.uniform(0.1, 3.0, 64) for _ in range(count)]
    alone = function(*plain)
    for strange in (-2.5, 0.0, 1e30, inf, nan):
        mixed = [column.copy() for column in plain]
        mixed[0][::3] = strange
        got = function(*mixed)
        kept = np.arange(64) % 3 != 0
        assert np.array_equal(got[kept], alone[kept])
        again = function(*(np.full(64, c[0]) for c in mixed))
        assert np.array_equal(again, np.full(64, got[0]), equal_nan=True)
