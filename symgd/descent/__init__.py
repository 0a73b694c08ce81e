"""The verbs: descend, descend_with, sweep, compare, explain; engine, kernels, minibatches."""
