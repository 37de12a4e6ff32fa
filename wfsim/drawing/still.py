"""A picture as an image: it shows where neither scripts nor SVG are let in, as in a notebook not yet trusted."""

from __future__ import annotations

import re
from html import escape
from urllib.parse import quote

# What an image has no use for: tips and names, wide lines to point at, descriptions, and rules for themes of a page. In
# text all quotes and brackets are escaped, so that none of it can look like this.
_UNUSED = re.compile(
    r'<title[^>]*>[^<]*</title>|<desc[^>]*>[^<]*</desc>| data-id="[^"]*"| aria-labelledby="[^"]*"'
    r'|<path d="[^"]*" fill="none" stroke-width="12" pointer-events="stroke"/>|^\[data-jp-theme-.*\n',
    re.MULTILINE,
)
# What may stand unencoded in an address that is an attribute in double quotes.
_PLAIN = " =:/;,.-_()'!*+{}|"


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
    slim = _UNUSED.sub("", svg).replace('"', "'")
    kind = f' class="{escape(name)}"' if name else ""
    style = "max-width:100%;height:auto"
    address = quote(slim, safe=_PLAIN)
    return f'<img{kind} alt="{escape(alt)}" style="{style}" src="data:image/svg+xml,{address}">'
