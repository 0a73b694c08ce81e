"""After the build: every link within the site leads to a file, and to a place in it."""

from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sphinx.application import Sphinx
from sphinx.util import logging

_LOG = logging.getLogger(__name__)


class _Page(HTMLParser):
    """The links and the named places of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.places: set[str] = {""}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.places |= {given[name] for name in ("id", "name") if name in given}
        self.links += [given[name] for name in ("href", "src") if name in given]


@cache
def _page(path: Path) -> _Page:
    return _Page(path.read_text("utf-8"))


def _follow(app: Sphinx, error: Exception | None) -> None:
    if error or app.builder.format != "html":
        return
    for path in sorted(Path(app.outdir).rglob("*.html")):
        for link in _page(path).links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            found = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not found.is_file():
                _LOG.warning("%s: no file for the link %s", path, link)
            elif found.suffix == ".html" and unquote(parts.fragment) not in _page(found).places:
                _LOG.warning("%s: no such place for the link %s", path, link)


def setup(app: Sphinx) -> dict[str, bool]:
    """Follow the links when all is written."""
    app.connect("build-finished", _follow)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
