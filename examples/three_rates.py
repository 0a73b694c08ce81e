"""The exercise's three learning rates in one picture. What do you notice?"""

from pathlib import Path
from tempfile import mkdtemp

import symgd
from symgd.report.plot import overlay

file = Path(mkdtemp()) / "rates.png"
rates = (0.001, 0.2, 10)
overlay([symgd.descend("theta**2", lr=lr) for lr in rates], [f"lr = {lr}" for lr in rates], file)
print("written:", file.name)
