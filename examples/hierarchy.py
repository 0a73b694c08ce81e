"""A hierarchical model: sites with few rows are drawn towards the mean of all sites."""

import symgd

data = {
    "site": ["north"] * 6 + ["south"] * 4 + ["west"],
    "y": [2.1, 1.9, 2.4, 2.2, 1.8, 2.0, 3.1, 2.8, 3.3, 3.0, 5.0],
}
# -log of the joint density: y ~ normal(a[site], 0.5), a ~ normal(m, 0.6), m flat
LOSS = "sum((y - a[site])^2)/(2*0.5^2) + sum((a[k] - m)^2, k)/(2*0.6^2)"
result = symgd.fit(LOSS, data)
print(result)
apart = symgd.fit("y = a[site]", data)  # each site on its own
for name in ("a[north]", "a[south]", "a[west]"):
    print(name, round(apart.theta[name], 3), "->", round(result.theta[name], 3))
