"""Losses with indices evaluated by the reference machine, by the text written out, and by JAX."""

import math
from functools import cached_property

import jax
import numpy as np

from symgd import Loss
from symgd.backends.bound_nests import bind_numpy
from symgd.model.array_functions import ArrayFunctions
from tests.indexed_losses import DATA


class Indexed:
    """A loss with indices. x, v: a point and a direction, in the order of params."""

    def __init__(self, text, data=False, sizes=None, shapes=None):
        self.loss = Loss(text, DATA if data else None, sizes=sizes or {}, shapes=shapes or {})
        self.model = self.loss.arrays
        self.functions = ArrayFunctions(self.model)
        rng = np.random.default_rng(len(text))
        self.x, self.v = rng.uniform(0.1, 0.9, self.model.count), rng.normal(size=self.model.count)
        self.x *= [
            1 if name in self.model.scalars else -1 + 2 * (k % 2) for k, name in self._names()
        ]

    def _names(self):
        names = (name for name in self.model.params for _ in self.model.subscripts(name))
        return enumerate(names)

    @cached_property
    def gradient(self):
        """x -> [value, gradient...] by NumPy."""
        own = self.functions
        return bind_numpy(own.program, own.layout(), own.columns)

    @cached_property
    def product(self):
        """(x, v) -> the Hessian times v by NumPy."""
        own = self.functions
        function = bind_numpy(own.product_program, own.layout(2), own.columns)
        return lambda x, v: function(np.concatenate([x, v]))[1 : 1 + len(x)]

    def by_jax(self, function):
        """[value, gradient...] and the Hessian times v, of a function of the parameters by name."""
        names, shapes = self.model.params, [self.model.shape(n) for n in self.model.params]
        ends = np.cumsum([math.prod(shape) for shape in shapes])

        def of_numbers(x):
            parts = np.split(np.arange(len(x)), ends[:-1])
            values = [x[p].reshape(s) for p, s in zip(parts, shapes, strict=True)]
            return function(**dict(zip(names, values, strict=True)))

        def everything(x, v):
            slope = jax.value_and_grad(of_numbers)
            (value, grad), (_, product) = jax.jvp(slope, (x,), (v,))
            return value, grad, product

        value, grad, product = jax.jit(everything)(self.x, self.v)
        return np.array([value, *grad]), np.asarray(product)

    def written_out(self):
        """[value, gradient...] of the formula without indices."""
        value, grad = self.loss.by_elements.value_and_grad(self.x)
        return np.array([value, *grad])
