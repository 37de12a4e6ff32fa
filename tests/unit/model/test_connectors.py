"""Activities that a definition says how to carry out: what is refused when it is loaded, and how it is written."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator

import wfsim as wf
from tests.declared import one
from wfsim.errors import DefinitionError
from wfsim.history.runs import definition_of, hash_of_definition
from wfsim.model.yaml_reader import read

HTTP = {"url": "https://api.example.com/a"}


def refusal(input: dict[str, Any] | None = None, **activity: Any) -> str:
    """Why an activity is refused; the JSON Schema need not know."""
    with pytest.raises(DefinitionError) as caught:
        one(input=input, **activity)
    return str(caught.value)


@pytest.mark.parametrize(
    ("http", "told"),
    [
        ({"url": "/a"}, "is no address"),
        ({"url": "ftp://h/"}, "is no address"),
        ({"url": "https:///a"}, "is no address"),
        ({"url": "https://a b/"}, "is no address"),
        ({"url": "https://u:p@h/"}, r"Use a header and ${secrets.<name>}"),
        ({"url": "https://h/#a"}, "never sent"),
        ({"url": "https://${input.s}.h/"}, "Write the host out"),
        ({"url": "https://h${input.s}/"}, "Write the host out"),
        ({"url": "${input.s}/a"}, "is no address"),
        ({"url": "https://h/${secrets.key}"}, "a secret stands in headers, query and body"),
        ({"url": "https://h/${response.status}"}, "there is no response yet"),
        ({"url": "https://h/${input.t}"}, "there is no field 't'; fields are s, n, o"),
        ({"url": "https://h/", "query": {"a": "${context.s}"}}, "hand it over as a parameter: input.s"),
        ({"url": "https://h/", "query": {"a": "${event}"}}, "`event` is not given"),
        ({"url": "https://h/", "query": {"a": "${now}"}}, "`now` is not given"),
        ({"url": "https://h/", "query": {"a": "${functions.f(input.s)}"}}, "functions in Python belong"),
        ({"url": "https://h/", "query": {"a": "${input.s +}"}}, "not a complete expression"),
        ({"url": "https://h/", "query": {"a": "${input.n + input.s}"}}, "two integers, two numbers or two texts"),
        ({"url": "https://h/", "headers": {"X-A": "${secrets}"}}, "name one: secrets.<name>"),
        ({"url": "https://h/", "headers": {"X A": "a"}}, "is not the name of a header"),
        ({"url": "https://h/", "headers": {"X:": "a"}}, "is not the name of a header"),
        ({"url": "https://h/", "headers": {"Content-Length": "3"}}, "belongs to the connection"),
        ({"url": "https://h/", "headers": {"hOsT": "h"}}, "belongs to the connection"),
        ({"url": "https://h/", "headers": {"X-A": "a\r\nB: c"}}, "control character"),
        ({"url": "https://h/", "headers": {"X-A": "a", "x-a": "b"}}, "is there twice"),
        ({"url": "https://h/", "headers": {"X-A": "${input.o}"}}, "this is a object"),
        ({"url": "https://h/", "body": {"a": 1}}, "a GET brings no body"),
        ({"url": "https://h/", "method": "TRACE"}, "method"),
        ({"url": "https://h/", "timeout": "0s"}, "timeout is 0s"),
        ({"url": "https://h/", "timeout": "2m"}, "can never expire, because timeout 1m ends the attempt first"),
        ({"url": "https://h/", "redirects": 11}, "redirects"),
        ({"url": "https://h/", "max_bytes": 0}, "max_bytes"),
        ({"url": "https://h/", "expect": 99}, "is no status"),
        ({"url": "https://h/", "expect": []}, "at least 1"),
        ({"url": "https://h/", "errors": {"A": "6xx"}}, "is no status"),
        ({"url": "https://h/", "errors": {"A": 402, "B": [402]}}, "status 402 is A and B as well"),
        ({"url": "https://h/", "errors": {"A": "2xx"}}, "status 2xx is what is expected and A as well"),
        ({"url": "https://h/", "result": "${response.code}"}, "fields are status, headers, body"),
        ({"url": "https://h/", "result": "${secrets.key}"}, "a secret stands in"),
        ({"url": "https://h/", "result": {"a": "${response.status}"}, "verb": "GET"}, "'verb' is not a key of http"),
        ({}, "'url' is missing"),
    ],
)  # fmt: skip
def test_http_is_refused_with_what_is_wrong(http: dict[str, Any], told: str) -> None:
    assert told in refusal({"s": "string", "n": "integer", "o": "object"}, http=http)


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ([], "at least 1"),
        (["${input.s}"], "no expression chooses what runs"),
        (["bin/tar"], "its path from / on"),
        ([""], "is no program"),
        ([5], "written out"),
        (["tar", "${secrets.key}"], "a secret stands in"),
        (["tar", "${input.t}"], "there is no field 't'"),
        ({"run": ["tar"], "environment": {"A B": "x"}}, "is not the name of a variable"),
        ({"run": ["tar"], "environment": {"LD_PRELOAD": "x.so"}}, "load other code"),
        ({"run": ["tar"], "directory": "here"}, "a path from / on"),
        ({"run": ["tar"], "expect": 256}, "expect"),
        ({"run": ["tar"], "errors": {"A": 0}}, "status 0 is what is expected and A as well"),
        ({"run": ["tar"], "shell": True}, "'shell' is not a key of a command"),
        ({"run": ["tar"], "timeout": 0}, "timeout is 0s"),
        ("tar -x", "found the text"),
    ],
)
def test_a_command_is_refused_with_what_is_wrong(command: Any, told: str) -> None:
    assert told in refusal({"s": "string"}, command=command)


def test_an_activity_is_carried_out_in_one_way_and_declares_what_it_reads() -> None:
    assert "http or command, one of the two" in refusal(http=HTTP, command=["tar"])
    text = wf.dumps(one({"s": "string"}, http={"url": "https://h/${input.s}"}).model_copy())
    with pytest.raises(DefinitionError, match=r"it reads its input, which is not declared. Add input: \{"):
        wf.loads(text.replace("input: {s: string}, ", ""))


def test_a_result_that_never_fits_is_refused() -> None:
    assert "an integer is not a string" in refusal(result="string", http={**HTTP, "result": "${response.status}"})
    assert one(result="string", http=HTTP).activities["f"].http is not None


def test_it_is_written_in_its_shortest_form_and_read_again() -> None:
    workflow = one(
        {"s": "string"},
        http={**HTTP, "method": "POST", "body": {"timeout": 3, "after": "${input.s}"}, "errors": {"Busy": 429}},
    )
    text = wf.dumps(workflow)
    assert "body: {timeout: 3, after: '${input.s}'}" in text
    assert "errors: {Busy: [429]}" in text
    assert wf.loads(text) == workflow
    assert wf.loads(text.replace("[429]", "429")) == workflow
    # A body is nobody's duration.
    changed = wf.loads(text).model_copy(update={"description": "x"})
    assert "{timeout: 3, after:" in wf.dumps(changed)
    short = one(command=["tar", "-x"])
    assert "command: [tar, '-x']" in wf.dumps(short)
    assert wf.loads(wf.dumps(short)) == short
    assert wf.loads(wf.dumps(short).replace("[tar, '-x']", "{run: [tar, '-x']}")) == short


def test_the_hash_of_a_definition_knows_of_it() -> None:
    first, second = (one(http={"url": f"https://h/{name}"}) for name in "ab")
    assert hash_of_definition(definition_of(first)) != hash_of_definition(definition_of(second))
    assert first != second
    assert wf.loads(definition_of(first)) == first


def test_the_json_schema_knows_short_and_long_forms() -> None:
    validator = Draft202012Validator(wf.json_schema())

    def fits(**activity: Any) -> bool:
        data = wf.dumps(one(http=HTTP))
        definition = read(data, "<text>").data
        definition["activities"]["f"] = activity
        return validator.is_valid(definition)

    assert fits(http={**HTTP, "expect": ["2xx", 404], "errors": {"A": 402, "B": ["5xx"]}, "body": [1, {"a": None}]})
    assert fits(command=["tar", 3, "${input.x}"])
    assert fits(command={"run": ["tar"], "errors": {"A": 2, "B": [3, 4]}, "environment": {"A": 1}})
    assert not fits(http={**HTTP, "metod": "GET"})
    assert not fits(http={**HTTP, "expect": 42})
    assert not fits(http={**HTTP, "headers": {"X A": "b"}})
    assert not fits(command={"stdin": "x"})


def test_builders_declare_it_as_well() -> None:
    workflow = (
        wf.Builder("b")
        .activity("f", timeout="1m", http=HTTP, input={"s": "string"})
        .state("s", activity="f", initial=True)
        .state("t", terminal=True)
        .transition("s", "t", on="done")
        .transition("s", "t", on="error")
        .build()
    )
    assert workflow.activities["f"].http is not None
    assert workflow.activities["f"].http.url == HTTP["url"]
