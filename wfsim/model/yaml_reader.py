"""Strict YAML: text to plain data with line numbers, everything doubtful refused.

Only events of the parser are used, one at a time, so limits act before memory is spent: no aliases, anchors,
tags or merge keys; no duplicate keys; one document; at most 10 MB, 64 levels, 200,000 nodes. Plain scalars
are `true`, `false`, `null`, decimal integers and numbers; words that YAML versions read differently (`yes`,
`on`, `1_0`, `0x1F`, `1:30`, `.nan`) must be put in quotes or written otherwise.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wfsim.model.problems import Path, Problem, definition_error, path_text
from wfsim.model.values import LARGEST_INTEGER, SMALLEST_INTEGER, brief

if TYPE_CHECKING:
    from collections.abc import Callable

LARGEST_FILE = 10_000_000
DEEPEST = 64
MOST_NODES = 200_000
MOST_LINES = 500_000

_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)(?:[eE][-+]?[0-9]+)?")
_AMBIGUOUS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"yes|no|on|off", re.IGNORECASE), "true or false"),
    (re.compile(r"(?!true$|false$)(?i:true|false)"), "true or false in small letters"),
    (re.compile(r"~|(?!null$)(?i:null)"), "null"),
    (re.compile(r"[-+]?[0-9][0-9_]*_[0-9_.]*(?:[eE][-+]?[0-9]+)?"), "the number without _"),
    (re.compile(r"[-+]?0(?:[xX][0-9a-fA-F_]+|[oO][0-7_]+|[bB][01_]+|[0-9_]+)"), "a decimal number"),
    (re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?"), "a duration such as 90m"),
    (re.compile(r"[-+]?\.(?:inf|nan)", re.IGNORECASE), "a finite number"),
    (re.compile(r"<<|="), "the keys themselves"),
)
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


@dataclass
class Document:
    """Plain data and the line (from 1) at which each path of it begins."""

    data: Any = None
    lines: dict[Path, int] = field(default_factory=dict)

    def line_of(self, path: Path) -> int | None:
        """The line of the path, or of the nearest thing around it that is in the file."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def plain_scalar(text: str) -> Any:
    """What an unquoted scalar means.

    Raises
    ------
    ValueError
        With advice, for words that versions of YAML read differently and numbers out of bounds.
    """
    if text in ("", "null"):
        return None
    if text in ("true", "false"):
        return text == "true"
    for pattern, advice in _AMBIGUOUS:
        if pattern.fullmatch(text):
            raise ValueError(
                f"{brief(text)} is read differently by versions of YAML. Write {advice}, or put it in quotes."
            )
    if _INTEGER.fullmatch(text):
        # 20 characters bound the conversion, whose time grows with the square of the length.
        if len(text) > 20 or not SMALLEST_INTEGER <= int(text) <= LARGEST_INTEGER:
            raise ValueError(f"the integer {text[:40]} is beyond 64 bits.")
        return int(text)
    if _NUMBER.fullmatch(text):
        number = float(text)
        if number in (float("inf"), float("-inf")):
            raise ValueError(f"the number {text[:40]} is beyond a finite double.")
        return number + 0.0
    return text


def decode(raw: bytes, file: str) -> str:
    """UTF-8 text of a file; a byte order mark is dropped."""
    if len(raw) > LARGEST_FILE:
        raise _refuse(file, 1, f"the file has {len(raw):,} bytes, more than {LARGEST_FILE:,}.")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise _refuse(file, line, f"byte {raw[error.start]:#04x} is not UTF-8. Save the file as UTF-8.") from None


def read(text: str, file: str) -> Document:
    """Read one YAML document strictly.

    Raises
    ------
    DefinitionError
        Naming file and line.
    """
    if len(text) > LARGEST_FILE:
        raise _refuse(file, 1, f"the text has {len(text):,} characters, more than {LARGEST_FILE:,}.")
    bad = _FORBIDDEN.search(text)
    if bad is not None:
        line = text.count("\n", 0, bad.start()) + 1
        raise _refuse(file, line, f"the character U+{ord(bad.group()):04X} is not allowed in a file.")
    lines = text.count("\n")
    if lines > MOST_LINES:
        raise _refuse(file, MOST_LINES, f"the file has {lines:,} lines, more than {MOST_LINES:,}.")
    _refuse_directives(text, file)
    from yaml.error import MarkedYAMLError, YAMLError

    builder = _Builder(file)
    try:
        for event in _events(text):
            builder.take(event)
    except MarkedYAMLError as error:
        # A bracket that is never closed is missed at the end of the file; what helps is where it was opened.
        unclosed = "',' or" in str(error.problem)
        mark = (error.context_mark if unclosed else None) or error.problem_mark or error.context_mark
        raise _refuse(file, mark.line + 1 if mark else 1, _why(str(error.problem or ""), text, mark)) from None
    except YAMLError:
        raise _refuse(file, builder.line, "the file is not well-formed YAML here.") from None
    return builder.document


def _refuse_directives(text: str, file: str) -> None:
    """The parser skips directives that it does not know, and here nothing is skipped in silence."""
    if "%" not in text:
        return
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("%") and line[1:].split(maxsplit=1)[:1] not in (["YAML"], ["TAG"]):
            raise _refuse(file, number, f"the directive {line[:40]!r} means nothing here. Remove the line.")
        if line.strip() and not line.startswith(("%", "#")) and not line.lstrip().startswith("#"):
            return


def _events(text: str) -> Any:
    import yaml

    # libyaml, forty times as fast as a parser in Python; a build of PyYAML without it has only the latter.
    return yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


_TELLING: tuple[tuple[str, str], ...] = (
    ("'\\t'", "a tab cannot indent; use spaces."),
    (
        "mapping values are not allowed",
        "there is a second `key:` on this line. Put a text that holds `: ` in quotes.",
    ),
    ("expected ',' or", "a bracket is not closed, or a comma is missing."),
    ("could not find expected ':'", "a line without `key: value`."),
    ("expected <block end>", "the indentation does not fit the lines above."),
    ("did not find expected", "the indentation does not fit the lines above."),
    ("unexpected end of stream", "a quotation mark is not closed."),
    ("unknown escape", "an unknown escape in a double-quoted text. Use single quotes, or \\\\ for one \\."),
    ("undefined alias", "references (*name) are not allowed. Write the value out."),
    ("cannot start any token", "a text cannot begin with this sign. Put it in quotes."),
    ("found duplicate", "given twice."),
)


def _why(problem: str, text: str, mark: Any) -> str:
    line = text.splitlines()[mark.line].strip() if mark and mark.line < len(text.splitlines()) else ""
    near = f" Near: {line[:60]!r}." if line else ""
    if "\t" in (text.splitlines()[mark.line][: mark.column + 1] if line else ""):
        return f"a tab cannot indent; use spaces.{near}"
    for phrase, told in _TELLING:
        if phrase in problem:
            return f"{told}{near}"
    return f"the file is not well-formed YAML here.{near}"


def _refuse(file: str, line: int, message: str) -> Exception:
    return definition_error([Problem((), message)], file, lambda _: line)


class _Builder:
    """Builds plain data from parser events; a stack instead of recursion, limits checked at every event."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.document = Document()
        self.line = 1
        self.nodes = 0
        self.documents = 0
        self.open: list[_Open] = []
        self.handlers: dict[str, Callable[[Any], None]] = {
            "DocumentStartEvent": self.start_document,
            "AliasEvent": self.alias,
            "ScalarEvent": self.scalar,
            "MappingStartEvent": lambda event: self.start(event, {}),
            "SequenceStartEvent": lambda event: self.start(event, []),
            "MappingEndEvent": lambda event: self.end(),
            "SequenceEndEvent": lambda event: self.end(),
        }

    def take(self, event: Any) -> None:
        self.line = event.start_mark.line + 1
        handler = self.handlers.get(type(event).__name__)
        if handler is not None:
            handler(event)

    def refuse(self, message: str) -> Exception:
        return _refuse(self.file, self.line, message)

    def start_document(self, event: Any) -> None:
        self.documents += 1
        if self.documents > 1:
            raise self.refuse("a second document begins here (---). One file holds one workflow.")
        if event.version not in (None, (1, 2)):
            raise self.refuse("only YAML 1.2 is read. Remove the %YAML line.")
        if event.tags:
            raise self.refuse("tags (%TAG) are not allowed.")

    def alias(self, event: Any) -> None:
        raise self.refuse(f"references (*{event.anchor[:40]}) are not allowed. Write the value out.")

    def node(self, event: Any) -> None:
        self.nodes += 1
        if self.nodes > MOST_NODES:
            raise self.refuse(f"the file has more than {MOST_NODES:,} values.")
        if event.anchor is not None:
            raise self.refuse(f"anchors (&{event.anchor[:40]}) are not allowed. Write the value out where it is used.")
        tag = getattr(event, "ctag", None) or event.tag
        if tag is not None and str(tag) not in ("", "None"):
            raise self.refuse(f"tags ({str(tag)[:40]}) are not allowed. Values are texts, numbers, true, false, null.")

    def start(self, event: Any, container: Any) -> None:
        self.node(event)
        if len(self.open) >= DEEPEST:
            raise self.refuse(f"the file is nested deeper than {DEEPEST} levels.")
        if self.open and self.open[-1].wants_key():
            raise self.refuse("a key is a text, not a list or a mapping.")
        path = self.place(container)
        self.open.append(_Open(container, path))

    def end(self) -> None:
        self.open.pop()

    def scalar(self, event: Any) -> None:
        self.node(event)
        value = event.value
        if event.style in (None, "") or event.implicit[0]:
            try:
                value = plain_scalar(event.value)
            except ValueError as error:
                raise self.refuse(str(error)) from None
        if self.open and self.open[-1].wants_key():
            self.key(value, event.value)
        else:
            self.place(value)

    def key(self, value: object, text: str) -> None:
        holder = self.open[-1]
        if not isinstance(value, str):
            raise self.refuse(f"the key {text or 'nothing'} is not a text. Put it in quotes.")
        if value in holder.container:
            first = self.document.lines.get((*holder.path, value))
            where = path_text(holder.path) or "the file"
            raise self.refuse(f"the key {value!r} is given twice in {where}, first in line {first}.")
        holder.key = value
        self.document.lines[(*holder.path, value)] = self.line

    def place(self, value: Any) -> Path:
        if not self.open:
            self.document.data = value
            self.document.lines[()] = self.line
            return ()
        holder = self.open[-1]
        if isinstance(holder.container, list):
            path: Path = (*holder.path, len(holder.container))
            holder.container.append(value)
            self.document.lines[path] = self.line
        else:
            key = holder.key
            assert key is not None
            path = (*holder.path, key)
            holder.container[key] = value
            holder.key = None
        return path


@dataclass
class _Open:
    container: Any
    path: Path
    key: str | None = None

    def wants_key(self) -> bool:
        return isinstance(self.container, dict) and self.key is None
