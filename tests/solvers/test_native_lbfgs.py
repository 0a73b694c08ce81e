"""L-BFGS in machine code takes the steps of the one in NumPy, to minima that SciPy finds."""

import numpy as np
import pytest
from scipy import optimize

import symgd
from symgd.analysis.smooth_loss import SmoothLoss
from symgd.solvers import lbfgs, native_lbfgs
from symgd.solvers.objectives import Box, Iterate

CHAIN = symgd.Loss("sum(100*(x[i+1]-x[i]^2)^2 + (1-x[i])^2, i=1..n-1)", sizes={"n": 12})
WRITTEN = symgd.Loss(" + ".join(f"exp(x{k}-x{k + 1})+(x{k}-{k})^2" for k in range(40)) + "+x40^2")


@pytest.mark.parametrize("loss", [CHAIN, WRITTEN], ids=["indexed", "written out"])
@pytest.mark.parametrize("bounded", [False, True])
def test_the_path_is_that_of_numpy_and_ends_where_scipy_does(loss, bounded):
    function = SmoothLoss(loss)
    count = 12 if loss is CHAIN else len(loss.params)
    start = np.where(np.arange(count) % 2, 1.0, -1.2)
    box = Box(np.full(count, -2.0), np.full(count, 0.7)) if bounded else None
    first = start if box is None else box.clip(start)
    assert function.code is not None
    here = Iterate(first, *function.gradient(first))
    fast = list(native_lbfgs.iterate(function.code, here, box, 1e-7))
    slow = list(lbfgs.iterate(function.gradient, start, box, 1e-7))
    for ours, right in zip(fast[:8], slow[:8], strict=True):  # then rounding grows
        assert ours.x == pytest.approx(right.x, rel=1e-8)
        assert ours.value == pytest.approx(right.value, rel=1e-10)
    limits = [(-2, 0.7)] * count if bounded else None
    peer = optimize.minimize(function.gradient, first, jac=True, method="L-BFGS-B", bounds=limits,
                             options={"ftol": 0, "gtol": 1e-9, "maxfun": 10_000})  # fmt: skip
    assert fast[-1].value == pytest.approx(peer.fun, rel=1e-9, abs=1e-11)
    assert fast[-1].x == pytest.approx(peer.x, abs=1e-5)
