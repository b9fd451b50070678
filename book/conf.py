"""Sphinx's settings for the book. `make book` writes the pages into _build/source first; see src/dojo/site/."""

import json
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "extensions"))
SOURCE = Path(next((a for a in sys.argv if a.endswith("source")), HERE / "_build" / "source"))
SITE = json.loads((SOURCE / "site.json").read_text("utf-8"))

project = "DataOps Dojo"
author = "The DataOps Dojo authors"
copyright = "the DataOps Dojo authors. Text and pictures CC BY 4.0, code MIT"
language = "en"
extensions = ["myst_nb", "sphinx_design", "sphinx_copybutton", "sphinx_togglebutton", "dojo_book"]
root_doc = "index"
exclude_patterns = ["_made"]

highlight_language = "none"
nb_execution_mode = "off"
nb_merge_streams = True
nb_render_text_lexer = "none"
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_fence_as_directive = ["mermaid"]
myst_heading_anchors = 3
myst_links_external_new_tab = False
# Ids as they are written, so that HTML made elsewhere can link to them.
suppress_warnings = ["mystnb.unknown_mime_type"]
copybutton_selector = "div.cell_input div.highlight pre, div.highlight-default pre"
togglebutton_hint = "Show"
add_module_names = False

html_theme = "sphinx_book_theme"
html_title = "DataOps Dojo"
html_baseurl = SITE["url"]
html_favicon = "assets/mark.svg"
html_static_path = ["assets", str(SOURCE / "_made")]
html_css_files = ["tokens.css", "dojo.css"]
html_js_files = [("dojo.js", {"defer": "defer"})]
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_last_updated_fmt = None
html_use_index = True
html_theme_options = {
    # The sidebar has a search box and the header a theme switch already.
    "navbar_start": [],
    "navbar_center": [],
    "navbar_end": [],
    "navbar_persistent": [],
    "show_navbar_depth": 1,
    "show_toc_level": 2,
    "use_download_button": False,
    "use_fullscreen_button": False,
    "use_issues_button": False,
    "use_repository_button": bool(SITE["repository"]),
    "repository_url": f"https://github.com/{SITE['repository']}" if SITE["repository"] else "",
    "home_page_in_toc": True,
    "logo": {"image_light": "assets/mark.svg", "image_dark": "assets/mark.svg", "text": "DataOps Dojo", "alt_text": ""},
    "article_header_end": ["dojo-print.html", "article-header-buttons.html"],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_context = {"default_mode": "auto"}
templates_path = ["templates"]
