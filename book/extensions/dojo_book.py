"""What the book needs of Sphinx and Sphinx has not: diagrams and formulas without a request, scrolling where a page is narrow, a preview picture."""

from __future__ import annotations

import hashlib
import html
import json
import re
from pathlib import Path

import latex2mathml.converter
import mermaidx
from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging

LOG = logging.getLogger(__name__)
PAINT = {
    "background": "#fdfdf1",
    "primaryColor": "#fdfdf2",
    "mainBkg": "#fdfdf2",
    "primaryTextColor": "#fdfdf3",
    "textColor": "#fdfdf3",
    "titleColor": "#fdfdf3",
    "nodeTextColor": "#fdfdf3",
    "lineColor": "#fdfdf4",
    "primaryBorderColor": "#fdfdf5",
    "nodeBorder": "#fdfdf5",
    "clusterBkg": "#fdfdf6",
    "clusterBorder": "#fdfdf7",
    "edgeLabelBackground": "#fdfdf1",
    "commitLabelColor": "#fdfdf3",
    "commitLabelBackground": "#fdfdf6",
    "tagLabelColor": "#fdfdf3",
    "tagLabelBackground": "#fdfdf2",
    "tagLabelBorder": "#fdfdf5",
    "noteBkgColor": "#fdfdf6",
    "noteTextColor": "#fdfdf3",
}
"""Colours that stand in for variables while mermaid draws."""
GIT = ["#fdfd01", "#fdfd02", "#fdfd03", "#fdfd04", "#fdfd05", "#fdfd06", "#fdfd07", "#fdfd08"]
VARIABLES = {
    "#fdfdf1": "paper",
    "#fdfdf2": "soft",
    "#fdfdf3": "ink",
    "#fdfdf4": "faint",
    "#fdfdf5": "model",
    "#fdfdf6": "code",
    "#fdfdf7": "edge",
    **dict(zip(GIT, ["model", "source", "promise", "not-yet", "check", "objective", "not-checkable", "fault"], strict=True)),
}


class diagram(nodes.General, nodes.Element):
    """A mermaid diagram."""


class Mermaid(Directive):
    """The directive behind a plain ```mermaid fence, which JupyterLab draws by itself."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        return [diagram(code="\n".join(self.content))]


class Captions(SphinxPostTransform):
    """The line in italics under a diagram or picture becomes what a screen reader says for it."""

    default_priority = 500

    def run(self) -> None:
        for node in list(self.document.findall(diagram)):
            after = node.next_node(descend=False, siblings=True)
            only = isinstance(after, nodes.paragraph) and len(after.children) == 1 and isinstance(after[0], nodes.emphasis)
            node["alt"] = after.astext() if only else "Diagram"


LEXERS = {".yml": "yaml", ".yaml": "yaml", ".sql": "sql", ".py": "python", ".toml": "toml", ".md": "markdown", ".sh": "bash"}


class Files(SphinxTransform):
    """A cell that writes a file is coloured as that file, not as Python."""

    default_priority = 400

    def apply(self, **kwargs) -> None:
        for node in self.document.findall(nodes.literal_block):
            first = node.astext().partition("\n")[0]
            if first.startswith("%%workfile "):
                suffix = Path(first.split()[-1]).suffix
                node["language"] = LEXERS.get(suffix, "none")
                # The line with the magic is none of the file's own; templates in a file are none of its language.
                node["force"] = True


def draw(code: str, alt: str) -> str:
    """A diagram as SVG that follows the book's colours. ExtensionError when mermaid does not understand it."""
    ident = "m" + hashlib.sha256(code.encode()).hexdigest()[:10]
    git = {f"git{n}": colour for n, colour in enumerate(GIT)} | {f"gitBranchLabel{n}": "#fdfdf1" for n in range(8)}
    config = {
        "theme": "base",
        "themeVariables": {**PAINT, **git, "fontSize": "18px"},
        "fontFamily": "DejaVu Sans, Verdana, sans-serif",
        "deterministicIds": True,
        "flowchart": {"nodeSpacing": 22, "rankSpacing": 20, "padding": 7, "subGraphTitleMargin": {"top": 4, "bottom": 10}},
        "gitGraph": {"rotateCommitLabel": False},
    }
    try:
        svg = mermaidx.render(code, config=config).svg()
    except Exception as error:
        raise ExtensionError(f"mermaid cannot draw this diagram: {error}\n{code}") from error
    svg = svg.replace("my-svg", ident)
    svg = re.sub(r"#fdfd[0-9a-f]{2}", lambda found: f"var(--dojo-{VARIABLES.get(found[0], 'soft')})", svg)
    svg = re.sub(r' role="[^"]*"| aria-roledescription="[^"]*"', "", svg, count=2)
    wide = re.search(r"max-width: ([\d.]+)px", svg)
    # Letters of 18 px come out between 9 and 15: what is wider than the page then scrolls.
    size = f' style="min-width:{float(wide[1]) * 0.5:.0f}px"' if wide else ""
    svg = svg.replace(wide[0], f"max-width: {float(wide[1]) * 0.83:.0f}px") if wide else svg
    told = html.escape(alt, quote=True)
    svg = re.sub(r"<svg ", f'<svg role="img" aria-label="{told}" ', svg, count=1)
    return f'<div class="dojo-diagram"><div{size}>{svg}</div></div>'


def visit_diagram(self, node: diagram) -> None:
    self.body.append(draw(node["code"], node.get("alt", "Diagram")))
    raise nodes.SkipNode


def math_inline(self, node: nodes.math) -> None:
    self.body.append(latex2mathml.converter.convert(node.astext()))
    raise nodes.SkipNode


def math_block(self, node: nodes.math_block) -> None:
    formula = latex2mathml.converter.convert(node.astext(), display="block")
    self.body.append(f'<div class="math" tabindex="0" role="group" aria-label="Formula">{formula}</div>')
    raise nodes.SkipNode


def page_context(app: Sphinx, pagename: str, template: str, context: dict, doctree) -> None:
    """What other sites show when somebody links here, and the page's own address."""
    url, title = app.config.html_baseurl, re.sub(r"<[^>]+>", "", context.get("title") or "DataOps Dojo")
    said = "Learn DataOps by keeping a company's data reliable: notebooks that grade what your work does."
    if doctree is not None:
        paragraphs = (p.astext() for p in doctree.findall(nodes.paragraph))
        said = next((p for p in paragraphs if 60 < len(p) < 600), said)
    said = " ".join(said.split())
    told = {
        "og:title": title,
        "og:type": "article",
        "og:site_name": "DataOps Dojo",
        "og:description": said[:197] + "…" if len(said) > 198 else said,
        "og:image": f"{url}_static/preview.png",
        "og:image:alt": "DataOps Dojo: the run is green, the number is wrong",
        "og:image:width": "1200",
        "og:image:height": "630",
    }
    tags = "".join(f'<meta property="{k}" content="{html.escape(v, quote=True)}">\n' for k, v in told.items())
    tags += f'<meta name="twitter:card" content="summary_large_image">\n<meta name="description" content="{html.escape(told["og:description"], quote=True)}">\n'
    # What a folded cell says is its name; a corner of a table without words heads nothing.
    body = context.get("body", "").replace(' aria-label="Toggle hidden content"', "")
    context["body"] = re.sub(r"<th([^>]*)>(?:\s|<p>\s*</p>)*</th>", r"<td\1></td>", body)
    context["metatags"] = context.get("metatags", "") + tags


def write_preview(app: Sphinx, error: Exception | None) -> None:
    """The picture that other sites show, from its SVG, with figures of this course in it."""
    if error is not None or app.builder.format != "html":
        return
    facts = json.loads((Path(app.srcdir) / "site.json").read_text("utf-8"))
    svg = (Path(app.confdir) / "assets" / "preview.svg").read_text("utf-8")
    svg = re.sub(r"\{\{ (\w+) \}\}", lambda found: str(facts[found[1]]), svg)
    picture = mermaidx.svg_to_png(svg, width=1200, height=630)
    (Path(app.outdir) / "_static" / "preview.png").write_bytes(picture)


def setup(app: Sphinx) -> dict:
    app.add_directive("mermaid", Mermaid)
    app.add_node(diagram, html=(visit_diagram, None))
    app.add_transform(Files)
    app.add_post_transform(Captions)
    app.add_html_math_renderer("mathml", (math_inline, None), (math_block, None))
    app.config.html_math_renderer = "mathml"
    app.connect("html-page-context", page_context)
    app.connect("build-finished", write_preview)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
