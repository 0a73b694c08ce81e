"""The exercise's three learning rates side by side, then a map of all learning rates."""

import symgd

print(symgd.compare("theta**2", lr=[0.001, 0.2, 10]))
print()
print(symgd.compare("theta**2", lr="1e-3..10:80", rule=["gd", "momentum"]))
