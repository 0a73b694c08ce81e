"""The settings of the documentation site: `.ci/docs` builds it, the pages are Markdown (MyST)."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

from symgd import __version__ as release

project = "symgd"
author = copyright = "The symgd developers"  # noqa: A001 - Sphinx's names
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx_copybutton",
    "commands",
    "docstrings",
    "links",
    "mathml",
    "tables",
]
exclude_patterns = ["_extensions", "schemas"]
nitpicky = True
nitpick_ignore_regex = [("py:.*", r"(?!symgd\.\w+$).*")]  # other packages, and what is not public

myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
suppress_warnings = ["misc.highlighting_failure"]
smartquotes = False  # -- is an option, not a dash
pygments_style = "friendly"
pygments_dark_style = "github-dark"
highlight_language = "text"

copybutton_prompt_text = r"\$ |>>> |\.\.\. "
copybutton_prompt_is_regexp = True

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 88

html_theme = "furo"
html_title = f"symgd {release}"
html_static_path = ["static"]
html_css_files = ["symgd.css"]
html_theme_options = {"navigation_with_keys": True}
html_copy_source = False
html_show_sphinx = False
