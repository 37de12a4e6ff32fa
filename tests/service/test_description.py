"""The description of the service: it is the one checked in, its examples are right, and the service keeps to it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import schemathesis
from hypothesis import HealthCheck
from schemathesis.checks import (
    content_type_conformance,
    not_a_server_error,
    response_schema_conformance,
    status_code_conformance,
)

from tests import openapi_page
from tests.random_cases import cases
from tests.service.served import caller, order, serving
from wfsim.model.yaml_io import dumps
from wfsim.runtime.permissions import Permissions
from wfsim.service.app import openapi
from wfsim.service.limits import Limits
from wfsim.service.serving import Server

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
STREAMS = ["follow_instance", "follow_all"]
KNOWN = {
    "id": ["o", "a/b"],
    "name": ["order"],
    "version": ["latest", "1.0.0"],
    "workflow": ["order"],
    "event": ["pay", "ring", "drop"],
    "correlation_id": ["o:1:1"],
    "definition": [dumps(order())],
}
"""What there is: half of all requests are about it."""


def informed(part: Any) -> Any:
    """A description in which names and ids are often those of what there is."""
    if isinstance(part, list):
        return [informed(each) for each in part]
    if not isinstance(part, dict):
        return part
    found = {key: informed(each) for key, each in part.items()}
    for name, schema in part.get("properties", {}).items():
        if name in KNOWN and isinstance(schema, dict):
            found["properties"][name] = {"anyOf": [{"enum": KNOWN[name]}, schema]}
    if part.get("in") == "path" and part.get("name") in KNOWN:
        found["schema"] = {"anyOf": [{"enum": KNOWN[part["name"]]}, part["schema"]]}
    return found


schema = schemathesis.openapi.from_dict(informed(copy.deepcopy(openapi()))).exclude(operation_id=STREAMS)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    limits = Limits(rate=1e6, burst=10**6, check_seconds=0.1)
    # The host of the example, which there is not: nothing goes out.
    with serving(limits=limits, permissions=Permissions(hosts=["shop.example"])) as found:
        with caller(found) as client:
            for name in KNOWN["id"]:
                body = {"workflow": "order", "id": name, "input": {"total": 3}}
                assert client.post("/v1/instances", json=body).status_code == 201
        yield found


@schema.parametrize()
@cases(12, unchecked=[HealthCheck.filter_too_much, HealthCheck.data_too_large])
def test_whatever_is_asked_is_answered_as_the_description_says(case: Any, server: Server) -> None:
    answer = case.call(base_url=server.url)
    case.validate_response(answer, checks=CHECKS)
    assert "Traceback" not in answer.text


def test_the_description_is_the_one_checked_in() -> None:
    """If not, and it is meant: `python -m tests.openapi_page` writes it anew."""
    assert openapi_page.text() == openapi_page.PAGE.read_text(encoding="utf-8")


def test_examples_are_what_they_are_examples_of() -> None:
    parts = openapi()["components"]["schemas"]
    n = 0
    for name, part in parts.items():
        if "example" in part:
            whole = {**part, "components": {"schemas": parts}}
            jsonschema.Draft202012Validator(whole).validate(part["example"])
            n += 1
        assert part.get("description") or name == "JsonValue", name
    assert n > 10


def test_everything_is_described() -> None:
    for path, operations in openapi()["paths"].items():
        for method, each in operations.items():
            assert each["description"].endswith("."), (method, path)
            assert each["operationId"].isidentifier()
            if path.startswith("/v1"):
                refusals = {code for code in each["responses"] if int(code) >= 400}
                assert refusals >= {"400", "401", "403", "422", "429", "503"}
                for code in refusals:
                    assert list(each["responses"][code]["content"]) == ["application/problem+json"]
