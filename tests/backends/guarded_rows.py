"""Sums over rows whose columns end where an unreadable page begins, and begin where one ends; dies
by a signal if one element too far is read. Called by test_native_rows.py."""

import numpy as np

from symgd import Loss
from symgd.backends.native.row_blocks import compile_native
from symgd.backends.numpy_rows import compile_rows
from tests.backends.guarded_arrays import guarded


class Rows:
    """A table of one piece."""

    def __init__(self, data):
        self.data = data

    def blocks(self):
        yield self.data


generator = np.random.default_rng(3)
loss = Loss("mean((y - (a*exp(-b*x) + c))**2)", {"x": [1.0, 2.0], "y": [1.0, 2.0]})
slow, fast = compile_rows(loss.program), compile_native(loss.program, 2)
for name, kinds in (
    ("float64", (np.float64, np.float64)),
    ("float32", (np.float32, np.float32)),
    ("mixed", (np.float32, np.float64)),
):
    for rows in (*range(1, 20), 1023, 1024, 1025, 8191, 8192, 8193, 20_001):
        for end in (True, False):
            x, y = (generator.uniform(0.1, 2.0, rows).astype(k) for k in kinds)
            table = Rows({"x": guarded(x, end), "y": guarded(y, end)})
            expected = slow([1.3, 0.7, 0.2, rows], table)
            np.testing.assert_allclose(fast([1.3, 0.7, 0.2, rows], table), expected, rtol=1e-11)
    print(name)
