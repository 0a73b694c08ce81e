"""What can be said before the first step: critical points, convexity, stable learning rates."""

import symgd

print(symgd.explain("(1 - x)**2 + 100*(y - x**2)**2", rule="momentum", lr=0.001))

# a rule of one's own is analysed from its text
told = symgd.explain("theta**2", rule="v = 0.5*v + g; theta = theta - lr*(v + g)", lr=0.1)
[behavior] = told.behaviors
print(f"\nown rule: stable below {behavior.rates.lr_max:.6g} = {behavior.rates.formula}")
