"""A picture as an image: it shows where neither scripts nor SVG are let in, as in a notebook not yet trusted."""

from __future__ import annotations

import re
from html import escape
from urllib.parse import quote

# What an image has no use for. In text all quotes and brackets are escaped, so that none of it can look like this.
_UNUSED = re.compile(
    "|".join(
        [
            # tips, names and descriptions; wide lines to point at
            '<title[^>]*>[^<]*</title>|<desc[^>]*>[^<]*</desc>| data-id="[^"]*"| aria-labelledby="[^"]*"',
            '<path d="[^"]*" fill="none" stroke-width="12" pointer-events="stroke"/>',
            # what tells it from other pictures of a page, or fits it in there, and what kind a part is
            '(?<= class=")(?:edge-label|edge|node|group) ',
            ' id="[^"]*"| class="wfsim-picture"| role="img"| style="[^"]*"',
            r"\n",
        ]
    )
)
# Colours for readers without style sheets, of pictures, which have one.
_COLOURS = re.compile(' (?:fill|stroke)="#[^"]*"')
_RULES = re.compile("<style>.*?</style>", re.DOTALL)
_THEMES = re.compile(r"^\[data-jp-theme-.*\n", re.MULTILINE)
# What may stand unencoded in an address that is an attribute in double quotes; a third of a picture would be brackets.
_PLAIN = " <>=:/;,.-_()'!*+{}|"


def still(svg: str, alt: str, name: str = "") -> str:
    """HTML with the picture as an image.

    Parameters
    ----------
    svg
        The picture; what an image has no use for is left out.
    alt
        What it shows, for those who do not see it.
    name
        A class, to find the image by.
    """
    slim = _UNUSED.sub("", _RULES.sub(_own_rules, svg))
    if 'class="wfsim-picture"' in svg:
        slim = _COLOURS.sub("", slim)
    kind = f' class="{escape(name)}"' if name else ""
    style = "max-width:100%;height:auto"
    address = quote(slim.replace('"', "'"), safe=_PLAIN)
    return f'<img{kind} alt="{escape(alt)}" style="{style}" src="data:image/svg+xml,{address}">'


def _own_rules(found: re.Match[str]) -> str:
    """Its style sheet without the themes of a page, and for all of it, as there is nothing else."""
    return re.sub(r"#wf\w+(?: |(?={))", lambda of: "" if of[0].endswith(" ") else "svg", _THEMES.sub("", found[0]))
