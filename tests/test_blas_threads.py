"""NumPy's linear algebra runs in one thread inside symgd, and as before outside."""

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController

import symgd

BLAS = ThreadpoolController().select(user_api="blas")


def threads():
    return {library["num_threads"] for library in BLAS.info()}


@pytest.fixture
def two_threads():
    with BLAS.limit(limits=2):
        if threads() != {2}:
            pytest.skip("NumPy's linear algebra is never in two threads here")
        yield


def test_factorizations_run_in_one_thread(two_threads, monkeypatch):
    seen, cholesky = [], np.linalg.cholesky

    def watched(matrix):
        seen.append(threads())
        return cholesky(matrix)

    monkeypatch.setattr(np.linalg, "cholesky", watched)
    text = " + ".join(f"cosh(a{i} - 1)" for i in range(80))
    result = symgd.descend(text, method="tr", start=0)
    assert result.status is symgd.Status.CONVERGED
    assert seen
    assert all(counts == {1} for counts in seen)
    assert threads() == {2}


def test_an_error_ends_it(two_threads):
    with pytest.raises(symgd.SymgdError):
        symgd.explain("x**")
    assert threads() == {2}
