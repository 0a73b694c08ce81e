"""A picture, an animation and a live page of the same descent."""

from pathlib import Path
from tempfile import mkdtemp

import symgd

folder = Path(mkdtemp())
result = symgd.descend(
    "(1 - x)**2 + 100*(y - x**2)**2", start="x=-1.2, y=1", rule="momentum", lr=0.0005, steps=60
)
result.plot(folder / "path.png")
result.plot(folder / "path.gif")
result.to_html(folder / "page.html")
print("written:", ", ".join(sorted(file.name for file in folder.iterdir())))
