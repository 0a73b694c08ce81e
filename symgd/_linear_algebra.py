"""NumPy's linear algebra in one thread while symgd computes.

Matrices of some hundred rows gain nothing from more: OpenBLAS wakes its threads for each of them,
and where other processes want the processors, too, a factorization of 140 rows takes 11 ms in place
of 0.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from symgd._numpy import np

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController


@contextmanager
def one_thread() -> Iterator[None]:
    """Inside, a matrix is factored in one thread; after it, in as many as before."""
    with _libraries().limit(limits=1):
        yield


@cache
def _libraries() -> ThreadpoolController:
    """Those for linear algebra that this process has loaded."""
    from threadpoolctl import ThreadpoolController

    np.linalg.norm  # noqa: B018 - loads them
    return ThreadpoolController().select(user_api="blas")
