"""Commands that run while the site is built, and what they print or draw.

    ```{run}
    symgd "theta**2" --lr 0.2 -q
    ```

shows the command and its output. `{picture}` shows the command and the picture that it draws with
`--plot NAME.svg`, `{live}` the command and a link to the page that it writes with `--html NAME`;
the argument of both is a caption. A command that fails stops the build.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).parents[2]
_CLOSED_PIPE = 141  # `head` has read enough
_SYMGD = f'symgd() {{ "{sys.executable}" -m symgd "$@"; }}\n'


class Run(SphinxDirective):
    """A command and what it prints."""

    has_content = True
    optional_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """The nodes of the command and of its result."""
        command = "\n".join(self.content)
        text = "$ " + command.replace("\n", "\n> ")
        shown = nodes.literal_block(text, text, language="console", classes=["command"])
        return [shown, *self.result(command)]

    def result(self, command: str) -> list[nodes.Node]:
        """What is below the command."""
        printed = self.printed(command, ROOT).rstrip()
        return [nodes.literal_block(printed, printed, language="text", classes=["printed"])]

    def printed(self, command: str, folder: Path) -> str:
        """The standard output of a command in a folder that holds `examples`."""
        env = {**os.environ, "COLUMNS": "88", "PYTHONIOENCODING": "utf-8"}
        examples = folder / "examples"
        if not examples.exists():
            examples.symlink_to(ROOT / "examples")
        done = subprocess.run(
            ["bash", "-c", "set -o pipefail\n" + _SYMGD + command],
            cwd=folder, capture_output=True, encoding="utf-8", env=env, check=False,
        )  # fmt: skip
        if done.returncode not in (0, _CLOSED_PIPE):
            raise self.error(f"{command}\nexit code {done.returncode}: {done.stderr}")
        return done.stdout


class Picture(Run):
    """A command and the picture that it draws."""

    option = "--plot"

    def result(self, command: str) -> list[nodes.Node]:
        """The picture, with the argument of the directive as its caption."""
        folder = Path(self.env.app.doctreedir) / "pictures"
        name = self.written(command, folder)
        alt = self.arguments[0] if self.arguments else command
        place = os.path.relpath(folder / name, Path(self.env.doc2path(self.env.docname)).parent)
        image = nodes.image(uri=place, alt=alt, loading="lazy")
        return [nodes.figure("", image, nodes.caption(alt, alt))]

    def written(self, command: str, folder: Path) -> str:
        """The name of the file that the command writes into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        self.printed(command, folder)
        found = re.search(rf"{self.option} (\S+)", command)
        if found is None or not (folder / found[1]).is_file():
            raise self.error(f"{command}\ndoes not write a file with {self.option}")
        return found[1]


class Live(Picture):
    """A command and a link to the page that it writes."""

    option = "--html"

    def result(self, command: str) -> list[nodes.Node]:
        """A link to the page, which stands beside the site's own pages."""
        name = self.written(command, Path(self.env.app.outdir) / "live")
        (Path(self.env.app.outdir) / "live" / "examples").unlink(missing_ok=True)
        up = "../" * self.env.docname.count("/")
        text = self.arguments[0] if self.arguments else name
        link = nodes.reference(text, text, refuri=f"{up}live/{name}", classes=["live"])
        return [nodes.paragraph("", "", link)]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directives."""
    app.add_directive("run", Run)
    app.add_directive("picture", Picture)
    app.add_directive("live", Live)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
