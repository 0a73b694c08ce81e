"""Total variation denoising: a piecewise constant signal under noise (Rudin et al., 1992)."""

import numpy as np

import symgd

random = np.random.default_rng(6)
truth = np.repeat([0.0, 2.0, 1.0, 3.0], 12)
data = {"y": truth + 0.3 * random.normal(size=len(truth))}
# |d| made smooth by sqrt(d^2 + e^2)
result = symgd.descend(
    "sum((x[i] - y[i])^2, i=1..n)/2 + 0.5*sum(sqrt((x[i+1] - x[i])^2 + 1e-3), i=1..n-1)",
    data=data, sizes={"n": len(truth)}, start="x[i]=1", rule="nesterov", lr=0.02, steps=1500,
)  # fmt: skip
before, after = (np.sqrt(np.mean((v - truth) ** 2)) for v in (data["y"], result.theta["x"]))
print(f"root mean square error {before:.3f} of the noisy signal, {after:.3f} of the result")
