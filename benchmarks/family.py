"""One family of test problems of any size: typed with indices, and written for JAX."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Family:
    """text: with the size n; k = n/step where there are steps; p*p = n for a grid.

    jax: (jax.numpy, x, n) -> the loss. tolerance: 1e-12, or what the rounding of large arguments of
    cos, or of terms that cancel, leaves. least, most: of n; the most where terms are of all pairs,
    or overflow. sizes, data: of n, where they are others. number: of parameters, by n.
    """

    name: str
    text: str
    jax: Callable[[Any, Any, int], Any]
    step: int = 1
    tolerance: float = 1e-12
    least: int = 1
    most: int = 10**9
    grid: bool = False
    sizes: Callable[[int], Mapping[str, int]] | None = None
    data: Callable[[int], Mapping[str, Any]] | None = None
    number: Callable[[int], int] = lambda n: n

    def loss(self, count: int) -> tuple[Any, int]:
        """The loss of about so many parameters, and n."""
        from symgd import Loss

        n = max(self.least, min(count, self.most))
        n = round(n**0.5) ** 2 if self.grid else self.number(-(-n // self.step) * self.step)
        p = round(n**0.5)
        sizes = {"p": p} if self.grid else {"n": n} if self.step == 1 else {"k": n // self.step}
        loss = Loss(
            self.text,
            self.data(n) if self.data else None,
            sizes=self.sizes(n) if self.sizes else sizes,
            shapes={"x": (p, p) if self.grid else (n,)},
        )
        return loss, n

    def difference(self, count: int) -> float:
        """How far value and gradient are from JAX's, relative to the largest magnitude."""
        import jax

        from symgd.model.array_functions import ArrayFunctions

        jax.config.update("jax_enable_x64", True)
        loss, n = self.loss(count)
        assert loss.params == ("x",)
        x = 0.5 + 0.4 * np.cos(np.arange(1.0, n + 1))
        # into memory that is not 0: every element of the gradient must be written
        value, *_ = out = ArrayFunctions(loss.arrays).bound(x, np.full(1 + n, np.nan))
        grad = out[1:]
        there, slope = jax.jit(jax.value_and_grad(lambda x: self.jax(jax.numpy, x, n)))(x)
        apart = [abs(value - float(there)) / max(abs(float(there)), 1e-300)]
        scale = float(np.abs(slope).max())
        apart.append(float(np.abs(grad - np.asarray(slope)).max()) / scale)
        return float(np.max(apart))


def counted(jnp: Any, first: int, last: int) -> Any:
    """first, first + 1, ..., last."""
    return jnp.arange(first, last + 1.0)
