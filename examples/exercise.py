"""The exercise: theta**2 at three learning rates. What do you notice?"""

import symgd

for lr in (0.2, 0.001, 10):
    result = symgd.descend("theta**2", start=1.0, lr=lr, steps=20)
    print(f"lr = {lr}: theta = {result.theta['theta']!r}")
    print(f"    {result.verdict.sentence}")
