"""The child of `drawing.py`: reads a pickled scene from stdin, writes the picture's file to stdout.

matplotlib is imported before the scene is there: that is what the child is for.
"""

from __future__ import annotations

import gc
import pickle
import sys


def main() -> None:
    """Get ready, wait for (form, scene), draw it, end."""
    gc.disable()  # one picture, then the end
    _hurry()
    from symgd.report import plots

    form, scene = pickle.load(sys.stdin.buffer)  # noqa: S301 - from the parent, see there
    sys.stdout.buffer.write(plots.draw(scene, form)[1])
    sys.stdout.buffer.flush()


def _hurry() -> None:
    """Import matplotlib without the docstrings that it writes for each of its classes.

    These texts, which nobody reads here, take a third of the import. Where matplotlib has changed,
    nothing happens.
    """
    from matplotlib import artist

    if hasattr(artist, "kwdoc"):
        vars(artist)["kwdoc"] = lambda _: ""


if __name__ == "__main__":
    main()
