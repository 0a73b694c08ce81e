"""Loop nests whose arrays end where an unreadable page begins, or begin where one ends; dies by a
signal if one element too far is read or written. Called by test_native_nests.py."""

import numpy as np

from symgd.backends.bound_nests import bind_native, bind_numpy
from symgd.model.array_functions import ArrayFunctions
from symgd.model.loss import Loss
from tests.backends.guarded_arrays import guarded
from tests.backends.test_native_nests import LONG, NEED_DATA

rng = np.random.default_rng(5)
for name, text, sizes, shapes in LONG:
    for count in (7, 8, 33, 130):
        columns = {key: rng.normal(size=count) for key in ("X1", "X2", "X3", "y")}
        for column, most in (("label", 4), ("site", 6), ("item", 6)):
            columns[column] = rng.integers(1, most + 1, count).astype(float)
            columns[column][0] = most
        scales = (
            {"m": count // 2, "n": 2 * (count // 2)} if name == "every second" else {"n": count}
        )
        own = {key: size if key == "f" else scales.get(key, size) for key, size in sizes.items()}
        data = columns if name in NEED_DATA else None
        functions = ArrayFunctions(Loss(text, data, sizes=own, shapes=shapes or {}).arrays)
        layout, x = functions.layout(), rng.uniform(0.2, 0.9, functions.model.count)
        expected = bind_numpy(functions.program, layout, functions.columns)(x)
        for end in (True, False):
            cells = {
                key: [guarded(c, end) for c in column]
                if isinstance(column, list)
                else guarded(column, end)
                for key, column in functions.columns.items()
            }
            bound = bind_native(functions.program, layout, cells, 1)
            work = np.empty(bound.binding.room_for_all)
            arrays = (x, work, bound.slots, np.full(layout.length, np.nan))
            arrays = [guarded(array, end) for array in arrays]
            bound._call(*(array.ctypes.data for array in arrays))
            np.testing.assert_allclose(arrays[-1], expected, 1e-11, 1e-11)
    print(name)
