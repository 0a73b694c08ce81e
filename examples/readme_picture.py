"""The picture at the top of the README, docs/images/valley.png: three rules on Rosenbrock's valley.

python examples/readme_picture.py docs/images/valley.png
"""

import sys
import tempfile
from pathlib import Path

from PIL import Image

import symgd

path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp()) / "valley.png"
found = symgd.compare(
    "(1 - x)^2 + 100*(y - x^2)^2",
    rule=["gd", "momentum", "nesterov"],
    lr=0.0015,
    start="x=-1.2,y=1",
    steps=200,
)
found.plot(path)
with Image.open(path) as picture:
    few = picture.convert("RGB").quantize(128, dither=Image.Dither.NONE)
few.save(path, optimize=True)
for run in found.runs:
    print(f"{run.rule.name}: loss {run.value:.3g} after {run.steps} steps")
