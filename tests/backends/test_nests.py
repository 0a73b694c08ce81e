"""Programs of loop nests: values and gradients of losses with indices, against JAX."""

import jax
import numpy as np
import pytest

from symgd import Loss
from symgd.backends.nest_compiler import compile_nests
from symgd.backends.numpy_nests import NumpyNests
from symgd.calculus.index_gradient import directional_derivative, index_gradient
from symgd.calculus.row_sums import lower
from symgd.calculus.stabilize import stabilize
from symgd.formula.indices import Array, ColumnVector
from symgd.formula.nodes import Name
from tests.indexed_losses import DATA, LOSSES

each = pytest.mark.parametrize("record", LOSSES, ids=lambda record: record.name)


class Compiled:
    """A loss with indices and its programs, with a point at random."""

    def __init__(self, record):
        data = DATA if record.data else None
        self.loss = Loss(record.text, data, sizes=record.sizes, shapes=record.shapes)
        self.model = self.loss.arrays
        rng = np.random.default_rng(len(record.text))
        self.point = {
            name: rng.uniform(0.1, 0.9, self.model.shape(name))
            * rng.choice([-1, 1], self.model.shape(name) or None)
            for name in self.model.params
        }
        for name in self.model.scalars:
            self.point[name] = abs(float(self.point[name]))
        formula = self.model.formula
        self.graph = formula.graph
        [self.root] = lower(self.graph, stabilize(self.graph, [formula.root]))
        self.scalars = [self.model.scalars[n] for n in sorted(self.model.scalars)]
        self.arrays = [self.model.arrays[n] for n in sorted(self.model.arrays)]
        self.inputs = {}
        for array in formula.indexed.arrays.values():
            if isinstance(array, ColumnVector):
                names = formula.indexed.vectors[array.text]
                self.inputs[array] = np.stack([DATA[n] for n in names], axis=1)
            elif not isinstance(array, Array):
                self.inputs[array] = DATA[array.text]
        for name, symbol in formula.columns.items():
            self.inputs[symbol] = DATA[name]

    def gradient(self):
        return index_gradient(self.graph, self.root, self.scalars, self.arrays)

    def run(self, program, numbers=(), arrays=(), direction=None):
        """Outputs and gradients; numbers, arrays: further inputs, parts of a direction."""
        scalars = {s.name: self.point[s.text] for s in self.scalars}
        scalars |= {s.name: direction[s.text] for s in numbers}
        found = {a.name: self.point[a.text] for a in self.arrays}
        found |= {a.name: direction[a.text] for a in arrays}
        found |= {a.name: values for a, values in self.inputs.items()}
        return NumpyNests(program).run(self.model.shapes.sizes, scalars, found)

    def value_and_grad(self):
        numbers, scatters = self.gradient()
        outputs = {"value": self.root}
        outputs |= {f"d/d{s.text}": g for s, g in zip(self.scalars, numbers, strict=True)}
        program = compile_nests(self.scalars, [*self.arrays, *self.inputs], outputs, scatters)
        found, grads = self.run(program)
        grad = {s.text: found[f"d/d{s.text}"] for s in self.scalars}
        return found["value"], grad | {a.text: grads.get(a.name, 0.0) for a in self.arrays}

    def hessian_product(self, direction):
        numbers = [Name(f"u{k}", s.text) for k, s in enumerate(self.scalars)]
        arrays = {a: Array(f"u_{a.name}", a.text) for a in self.arrays}
        slope = directional_derivative(self.graph, self.gradient(), numbers, arrays)
        grads, scatters = index_gradient(self.graph, slope, self.scalars, self.arrays)
        outputs = {s.text: g for s, g in zip(self.scalars, grads, strict=True)}
        scalars = [*self.scalars, *numbers]
        arrays_ = [*self.arrays, *arrays.values(), *self.inputs]
        program = compile_nests(scalars, arrays_, outputs, scatters)
        found, products = self.run(program, numbers, arrays.values(), direction)
        return found | {a.text: products.get(a.name, 0.0) for a in self.arrays}


@each
def test_value_and_gradient_agree_with_jax(record):
    compiled = Compiled(record)
    value, grad = compiled.value_and_grad()
    theirs = jax.jit(jax.value_and_grad(lambda point: record.jax(**point)))(compiled.point)
    assert value == pytest.approx(float(theirs[0]), rel=1e-12)
    for name, g in theirs[1].items():
        scale = float(np.abs(g).max()) + 1e-300
        np.testing.assert_allclose(grad[name], g, rtol=1e-12, atol=1e-12 * scale, err_msg=name)


@each
def test_value_and_gradient_equal_those_of_the_formula_written_out(record):
    compiled = Compiled(record)
    value, grad = compiled.value_and_grad()
    written_out = compiled.loss.by_elements
    theirs = written_out.value_and_grad(compiled.model.flat(compiled.point))
    ours = np.concatenate([np.ravel(grad[name]) for name in compiled.model.params])
    assert value == pytest.approx(theirs[0], rel=1e-14)
    scale = np.abs(theirs[1]).max()
    np.testing.assert_allclose(ours, theirs[1], rtol=1e-14, atol=1e-14 * scale)


@each
def test_products_with_the_hessian_agree_with_jax(record):
    compiled = Compiled(record)
    rng = np.random.default_rng(3)
    direction = {name: rng.normal(size=np.shape(value)) for name, value in compiled.point.items()}
    slope = jax.grad(lambda point: record.jax(**point))
    theirs = jax.jit(lambda p, v: jax.jvp(slope, (p,), (v,))[1])(compiled.point, direction)
    found = compiled.hessian_product(direction)
    for name, product in theirs.items():
        scale = float(np.abs(product).max()) + 1e-300
        np.testing.assert_allclose(found[name], product, 1e-12, 1e-12 * scale, err_msg=name)
