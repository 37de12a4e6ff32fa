"""XML with line numbers, and without what makes it dangerous: DOCTYPE, entities, unbounded size.

Only the standard library's expat is used; it builds the tree without recursion.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import NoReturn

from wfsim.errors import NetError
from wfsim.files import read_file

MAX_BYTES = 256 * 2**20
MAX_DEPTH = 64
MAX_ELEMENTS = 5_000_000


def net_file(path: str | os.PathLike[str]) -> bytes:
    """The bytes of an XML file.

    Raises
    ------
    NetError
        If it cannot be read, is no regular file, or too large.
    """
    try:
        return read_file(path, MAX_BYTES)
    except OSError as error:
        raise NetError(f"{os.fspath(path)}: cannot be read: {error.strerror or error}.") from None


@dataclass(slots=True)
class Element:
    """One XML element: its local name (without namespace), attributes, text and children."""

    tag: str
    line: int
    attributes: dict[str, str]
    children: list[Element] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Own text, without the white space around it."""
        return "".join(self.parts).strip()

    def all(self, tag: str) -> list[Element]:
        """The children called `tag`."""
        return [child for child in self.children if child.tag == tag]

    def first(self, tag: str) -> Element | None:
        """The first child called `tag`."""
        return next((child for child in self.children if child.tag == tag), None)


def parse(data: bytes, file: str) -> Element:
    """Read a document into its root element; `NetError` with `file:line` for anything wrong or refused."""
    from xml.parsers import expat

    if len(data) > MAX_BYTES:
        raise NetError(f"{file}: {len(data):,} bytes are more than the {MAX_BYTES:,} that are read.")
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    open_elements: list[Element] = []
    roots: list[Element] = []
    count = 0

    def refuse(what: str) -> NoReturn:
        raise NetError(f"{file}:{parser.CurrentLineNumber}: {what}")

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if len(open_elements) >= MAX_DEPTH:
            refuse(f"elements are nested deeper than {MAX_DEPTH}.")
        if count > MAX_ELEMENTS:
            refuse(f"more than {MAX_ELEMENTS:,} elements.")
        plain = {key.rpartition(" ")[2]: value for key, value in attributes.items()}
        element = Element(name.rpartition(" ")[2], parser.CurrentLineNumber, plain)
        (open_elements[-1].children if open_elements else roots).append(element)
        open_elements.append(element)

    def end(name: str) -> None:
        open_elements.pop()

    def text(value: str) -> None:
        open_elements[-1].parts.append(value)

    def doctype(*declared: object) -> None:
        refuse("a DOCTYPE is refused: it could pull in other files. Remove it; no file that is read here needs one.")

    def entity(*declared: object) -> None:
        refuse("an entity declaration is refused. Write the text out.")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = doctype
    parser.EntityDeclHandler = entity
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise NetError(f"{file}:{error.lineno}: not well-formed XML: {expat.ErrorString(error.code)}.") from None
    except (ValueError, LookupError) as error:
        # An encoding that Python does not know, or a multi-byte one that expat cannot take.
        raise NetError(f"{file}:1: the encoding cannot be read: {error}. Save the file as UTF-8.") from None
    return roots[0]


# A subset of the letters that XML 1.0 (fifth edition) allows in an id.
_LETTER = "A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02ff\u0370-\u037d\u037f-\u1fff\u3001-\ud7ff"
_INNER = rf"{_LETTER}_0-9.\-"
# An underscore is odd only where the result could be taken for an escape.
_ODD = re.compile(rf"^[^{_LETTER}_]|[^{_INNER}]|_(?=x[0-9A-F]{{4,6}}(?:_|[^{_INNER}]))")
_ESCAPED = re.compile(r"_x([0-9A-F]{4,6})_")
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def id_from_name(name: str) -> str:
    """An XML id for any name: signs that an id cannot hold become `_xHHHH_`; reversed by `name_from_id`."""
    return _ODD.sub(lambda match: f"_x{ord(match[0]):04X}_", name)


def name_from_id(identifier: str) -> str:
    """The name that `id_from_name` encoded, or the id itself if it is not what that would have written."""

    def sign(match: re.Match[str]) -> str:
        code = int(match[1], 16)
        return chr(code) if code <= 0x10FFFF else match[0]

    name = _ESCAPED.sub(sign, identifier)
    return name if id_from_name(name) == identifier else identifier


def unwritable(text: str) -> str | None:
    """The first sign that no XML document can hold, if there is one."""
    odd = _NOT_XML.search(text)
    return odd[0] if odd else None
