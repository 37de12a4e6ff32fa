"""Whatever values an activity gets, its request goes where the definition says; a command has its arguments."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from hypothesis import example, given
from hypothesis import strategies as st

from tests.declared import one
from tests.random_cases import cases
from wfsim.errors import ActivityError
from wfsim.model.values import EvaluationFault
from wfsim.runtime.command import arguments_of
from wfsim.runtime.http import request_of
from wfsim.runtime.secrecy import Secrets

WORKFLOW = one(
    {"v": "any"},
    http={
        "url": "https://api.example.com/a/${input.v}/b?q=${input.v}",
        "method": "POST",
        "query": {"r": "${input.v}"},
        "headers": {"X-V": "v ${input.v}"},
        "body": {"v": "${input.v}"},
    },
)
COMMAND = one({"v": "any"}, command=["tar", "-x", "${input.v}", "--file=${input.v}"]).activities["f"].command
HTTP = WORKFLOW.activities["f"].http
TEXTS = st.text() | st.text("/.\\%#?&@:\r\n \t-=;\0aü", max_size=12)


@cases(40)
@given(TEXTS | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.booleans())
@example("..")
@example("a/../../b")
@example("@evil.org/")
@example("\r\nX-Evil: 1")
def test_no_value_changes_where_a_request_goes_or_which_headers_it_has(value: Any) -> None:
    assert HTTP is not None
    try:
        request = request_of(HTTP, {"v": value}, {}, "key")
    except (ActivityError, EvaluationFault):
        return
    shown = str(value).lower() if isinstance(value, bool) else str(value)
    assert (request.url.scheme, request.url.host, request.url.port) == ("https", "api.example.com", None)
    raw = request.url.raw_path.decode()
    path, _, query = raw.partition("?")
    first, name, middle, last = path.split("/")
    assert (first, name, unquote(middle), last) == ("", "a", shown, "b")
    assert [unquote(part) for part in query.split("&")] == [f"q={shown}", f"r={shown}"]
    assert request.headers["X-V"] == f"v {shown}"
    assert all(sign.isprintable() or sign == "\t" for each in request.headers.values() for sign in each)


@cases(40)
@given(TEXTS)
@example("-rf")
@example("--")
def test_no_value_adds_an_argument_or_an_option(value: str) -> None:
    assert COMMAND is not None
    try:
        found = arguments_of(COMMAND, {"v": value})
    except ActivityError:
        assert "\0" in value or value.startswith("-")
        return
    assert found == ["-x", value, f"--file={value}"]
    assert not value.startswith("-")


@cases(40)
@given(st.text(min_size=4), TEXTS, TEXTS, st.integers(0, 40), st.integers(0, 40))
def test_no_part_of_a_text_that_was_cut_shows_a_secret(
    secret: str, before: str, after: str, left: int, right: int
) -> None:
    secrets = Secrets({"key": secret})
    assert secret not in secrets.masked(before + secret + after).replace("***", "\ue000")
    whole = "x" * 300 + secret + "y" * 300
    start, end = 300 + min(left, len(secret)), 300 + len(secret) - min(right, len(secret))
    for piece, cut in ((whole[start:], {"cut_before": True}), (whole[:end], {"cut_after": True})):
        told = secrets.masked(piece, **cut)
        assert set(told) <= {"x", "y", "*"} or secret in piece
