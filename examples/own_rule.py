"""A rule of one's own is its equations; a prefix joins with +."""

import symgd
from symgd import Rule

decay = Rule("lr_t = lr/(1 + decay*t); theta = theta - lr_t*g", {"decay": 0.01}, name="decaying")
result = symgd.descend("(x - 3)**2 + abs(x)", start=0.0, rule=decay, lr=0.2, steps=50)
print(f"x = {result.theta['x']:.6f} by {result.rule.name}")

clipped = symgd.descend(
    "exp(x**2)", start=3.0, rule="clip_norm+gd", set={"max_norm": 1.0}, lr=0.1, steps=60
)
print(f"x = {clipped.theta['x']:.2g}: clipping tames exp(9) = 8103")
