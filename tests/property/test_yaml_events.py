"""The reader's events come from libyaml; a second parser, written for YAML 1.2, reads the same into the same."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from hypothesis import example, given
from hypothesis import strategies as st
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from tests.random_cases import cases
from wfsim.errors import DefinitionError
from wfsim.model import yaml_reader
from wfsim.model.yaml_reader import Document, read

PIECES = [
    *(
        "a",
        "b",
        "key",
        "1",
        "-1",
        "1.5",
        "true",
        "null",
        "yes",
        "${context.x > 1}",
        "ü",
        "90s",
        "a b",
        "x:y",
        "http://x/y",
    ),
    *("'q'", "'it''s'", '"d"', '"\\n\\u00e9"', "''", '""'),
    *(
        ": ",
        ":",
        ", ",
        ",",
        "- ",
        "-",
        "[",
        "]",
        "{",
        "}",
        "#",
        " # note",
        "|",
        ">",
        "|-",
        ">+",
        "?",
        "? ",
        "!",
        "&a ",
        "*a",
    ),
    *("\n", "\n  ", "\n    ", "\n- ", "\n  - ", " ", "\t", "---\n", "...\n", "%"),
]


def by_the_other(text: str) -> Document | None:
    """What the second parser makes of it; `None` where it, or the builder, refuses."""

    def events(text: str) -> Any:
        return YAML(typ="safe", pure=True).parse(text)

    with patch.object(yaml_reader, "_events", events):
        try:
            return read(text, "f.yaml")
        except (DefinitionError, YAMLError):
            return None


def by_ours(text: str) -> Document | None:
    try:
        return read(text, "f.yaml")
    except DefinitionError:
        return None


@cases(500)
@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join))
@example("a: [1, {b: c}]\nd: |\n  text\n  more\n")
def test_both_parsers_read_the_same(text: str) -> None:
    ours, other = by_ours(text), by_the_other(text)
    # Where only one reads a text, that one is more lenient (a tab at the end of a line, a comment behind `|`).
    if ours is not None and other is not None:
        assert ours.data == other.data
        # They differ in where a document begins that holds nothing.
        assert ours.lines == other.lines or ours.data is None
