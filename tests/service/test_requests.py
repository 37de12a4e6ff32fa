"""What requests are answered: once however often they come, never without a reason, whatever they are."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import sqlalchemy as sa

import wfsim as wf
from tests.service.served import caller, order, serving
from wfsim.errors import EngineError, ServiceError, WfsimError
from wfsim.runtime.database import DatabaseError
from wfsim.service.codes import ADVICE, TOLD, error_of, problem_of
from wfsim.service.ledger import REQUESTS
from wfsim.service.limits import Limits, Rates
from wfsim.service.serving import Server


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving(limits=Limits(body=20_000, body_seconds=0.4, rate=1e6, burst=10**6)) as found:
        yield found


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    with caller(server) as found:
        yield found


def start(client: httpx.Client, id: str, **more: Any) -> httpx.Response:
    body = {"workflow": "order", "id": id, "input": {"total": 3}}
    return client.post("/v1/instances", json=body, **more)


def forget_answers(server: Server) -> None:
    """As if the process had died between doing what it was asked and keeping its answer."""
    with server.tenants.default.engine.core.database.transaction() as rows:
        rows.connection.execute(sa.update(REQUESTS).values(answer=None))


# --- once ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("died", [False, True], ids=["kept", "died"])
def test_a_request_under_one_key_is_done_once_and_answered_twice_the_same(
    server: Server, client: httpx.Client, died: bool
) -> None:
    name = f"once-{died}"
    asked: list[tuple[str, dict[str, Any]]] = [
        ("/v1/instances", {"workflow": "order", "id": name, "input": {"total": 3}}),
        (f"/v1/instances/{name}/events", {"event": "ring"}),
        (f"/v1/instances/{name}/events", {"event": "pay", "payload": {"amount": 1}}),
        (f"/v1/instances/{name}/events", {"event": "pay", "payload": {"amount": "x"}}),
        (f"/v1/instances/{name}/commands", {"command": "pause"}),
        (f"/v1/instances/{name}/commands", {"command": "pause", "reason": "again"}),
        ("/v1/commands", {"ids": [name, "nobody"], "command": "resume"}),
        ("/v1/instances", {"workflow": "order", "input": {"total": 3}}),
        ("/v1/instances", {"workflow": "order", "input": {"total": "x"}}),
        ("/v1/definitions", {"definition": wf.dumps(order())}),
        ("/v1/activities/complete", {"correlation_id": f"{name}:1:1"}),
    ]
    for n, (path, body) in enumerate(asked):
        key = {"Idempotency-Key": f"{name}:{n}"}
        first = client.post(path, json=body, headers=key)
        version = client.get(f"/v1/instances/{name}").json()["version"]
        if died:
            forget_answers(server)
        second = client.post(path, json=body, headers=key)
        assert second.status_code == first.status_code, (path, body, first.text, second.text)
        same = ("id", "answer", "fate", "results", "code", "reason", "name")
        told = [{each: answer.json().get(each) for each in same} for answer in (first, second)]
        for one in (each for answer in told for each in (answer["results"] or {}).values()):
            # Where it stands is told as of now.
            del one["version"]
        assert told[0] == told[1], (path, body)
        if not died:
            assert first.text == second.text
            assert second.headers["Idempotency-Replayed"] == "true"
        grown = client.get(f"/v1/instances/{name}").json()["version"] - version
        # A duplicate is recorded where it arrives, and does nothing.
        assert grown == 0 if not died else grown <= 2


def test_a_request_repeated_at_the_same_time_is_done_once(server: Server) -> None:
    body = {"workflow": "order", "input": {"total": 7}}
    with caller(server) as client, ThreadPoolExecutor(8) as threads:
        before = len(client.get("/v1/instances", params={"limit": 1000}).json()["instances"])

        def ask(_: int) -> httpx.Response:
            return client.post("/v1/instances", json=body, headers={"Idempotency-Key": "crowd"})

        answers = list(threads.map(ask, range(16)))
        assert {each.status_code for each in answers} == {201}
        assert len({each.json()["id"] for each in answers}) == 1
        after = len(client.get("/v1/instances", params={"limit": 1000}).json()["instances"])
        assert after == before + 1


def test_what_was_refused_for_the_moment_is_done_once_the_moment_is_over() -> None:
    body = {"workflow": "order", "id": "second", "input": {"total": 3}}
    with serving(limits=Limits(rate=1e6, burst=10**6, open_instances=1)) as server, caller(server) as client:
        start(client, "first")
        again = {"Idempotency-Key": "k"}
        refused = [client.post("/v1/instances", json=body, headers=again) for _ in range(2)]
        assert [(each.status_code, each.json()["code"]) for each in refused] == [(429, "quota")] * 2
        client.post("/v1/instances/first/events", json={"event": "drop"})
        assert client.post("/v1/instances", json=body, headers=again).status_code == 201


def test_a_priority_is_stored_with_the_instance(server: Server, client: httpx.Client) -> None:
    assert start(client, "plain").status_code == 201
    body = {"workflow": "order", "id": "urgent", "input": {"total": 3}, "priority": 7}
    assert client.post("/v1/instances", json=body).status_code == 201
    with wf.connect(server.url) as engine:
        engine.start("order", {"total": 3}, id="slow", priority=-7)
        with pytest.raises(ServiceError, match="priority"):
            engine.start("order", {"total": 3}, id="never", priority=1_001)
    with server.tenants.default.engine.core.database.reading() as rows:
        found = [rows.read(name) for name in ("plain", "urgent", "slow")]
    assert [None if row is None else row.priority for row in found] == [0, 7, -7]
    for wrong in (1_001, -1_001, "high", True, 1.5):
        assert client.post("/v1/instances", json={**body, "id": "never", "priority": wrong}).status_code == 422


def test_a_key_of_another_request_is_refused(client: httpx.Client) -> None:
    assert start(client, "r1", headers={"Idempotency-Key": "r"}).status_code == 201
    answer = start(client, "r2", headers={"Idempotency-Key": "r"})
    assert (answer.status_code, answer.json()["code"]) == (422, "key_reused")
    assert client.get("/v1/instances/r2").status_code == 404


def test_a_version_that_has_passed_is_refused_and_nothing_happens(client: httpx.Client) -> None:
    tag = start(client, "v").headers["ETag"]
    ring = {"url": "/v1/instances/v/events", "json": {"event": "ring"}}
    rung = client.post(**ring, headers={"If-Match": tag})
    assert (rung.status_code, rung.json()["state"]) == (200, "created")
    # Its ETag is the next one's If-Match.
    assert client.post(**ring, headers={"If-Match": rung.headers["ETag"]}).status_code == 200
    answer = client.post(**ring, headers={"If-Match": tag})
    assert (answer.status_code, answer.json()["code"]) == (412, "version_conflict")
    assert client.get("/v1/instances/v").headers["ETag"] == f'"{answer.json()["stored"]}"'
    assert client.post(**ring, headers={"If-Match": "*"}).status_code == 200
    assert client.post(**ring, headers={"If-Match": "W/abc"}).status_code == 422
    paused = client.post("/v1/instances/v/commands", json={"command": "pause"}, headers={"If-Match": tag})
    assert paused.status_code == 412


def test_metadata_comes_by_header_or_body_and_stands_beside_the_record(client: httpx.Client) -> None:
    start(client, "m", headers={"Wfsim-Metadata": '{"traceparent": "00-1"}'})
    body = {"event": "ring", "metadata": {"b": 2}}
    client.post("/v1/instances/m/events", json=body, headers={"Wfsim-Metadata": '{"a": 1}'})
    records = client.get("/v1/instances/m/history").json()["records"]
    assert records[0]["metadata"]["traceparent"] == "00-1"
    event = next(each for each in records if each["kind"] == "event_received")
    assert (event["metadata"]["a"], event["metadata"]["b"]) == (1, 2)
    for wrong in ("[]", "{", "7", "[" * 5_000):
        assert start(client, "n", headers={"Wfsim-Metadata": wrong}).status_code == 422


# --- ids in paths --------------------------------------------------------------------------------


@pytest.mark.parametrize("id", ["a/b", "a%2Fb", "a b", "ä/€", "a/events", "...", "a?b#c", "a:1:1", "x" * 200, "%"])
def test_any_id_has_its_place(client: httpx.Client, id: str) -> None:
    made = start(client, id)
    assert made.status_code == 201, made.text
    assert client.get(made.headers["Location"]).json()["id"] == id
    assert client.post(f"{made.headers['Location']}/events", json={"event": "ring"}).json()["answer"] == "accepted"
    assert [each["id"] for each in client.get("/v1/instances", params={"prefix": id}).json()["instances"]][-1:] != []


def test_a_key_in_a_query_is_json_or_a_text_that_is_none(client: httpx.Client) -> None:
    for asked in ("A-7", '"A-7"', "7", '"7"', "{", "[" * 5_000, "null", "NaN"):
        answer = client.get("/v1/instances", params={"key": asked})
        assert answer.status_code == 200, asked
        assert answer.json()["instances"] == []


@pytest.mark.parametrize("asked", ["{", "7", "[1]", '{"a": null}', '{"nobody": 1}', "[" * 5_000])
def test_values_that_nobody_can_be_found_by_are_refused_in_a_query(client: httpx.Client, asked: str) -> None:
    answer = client.get("/v1/instances", params={"where": asked})
    assert answer.status_code in (400, 422), answer.text
    assert "searchable" in answer.json()["detail"] or "null" in answer.json()["detail"]


def test_a_client_reaches_any_id(server: Server) -> None:
    with wf.connect(server.url) as engine:
        for id in ("c/d", "c%2Fd", "...."):
            assert engine.start("order", {"total": 1}, id=id).send("ring") == "accepted"
            assert engine.get(id).id == id
            assert engine.exists(id)
        assert not engine.exists("c")
        for id in (".", ".."):
            with pytest.raises(WfsimError):
                engine.start("order", {"total": 1}, id=id)
            with pytest.raises(WfsimError, match="has no address"):
                engine.get(id)


# --- hostile -------------------------------------------------------------------------------------

DEEP = "[" * 9_000 + "]" * 9_000
HOSTILE = {
    "empty": b"",
    "no JSON": b"{",
    "no text": b"\xff\xfe\x00",
    "deep": DEEP.encode(),
    "deep value": b'{"workflow": "order", "input": {"total": ' + DEEP.encode() + b"}}",
    "nan": b'{"workflow": "order", "input": {"total": NaN}}',
    "infinity": b'{"workflow": "order", "input": {"total": -Infinity}}',
    "nan in metadata": b'{"workflow": "order", "input": {"total": 1}, "metadata": {"a": NaN}}',
    "huge number": b'{"workflow": "order", "input": {"total": ' + b"9" * 5_000 + b"}}",
    "beyond doubles": b'{"workflow": "order", "input": {"total": 1e999}}',
    "beyond 64 bits": b'{"workflow": "order", "input": {"total": 1e30}}',
    "half a character": b'{"workflow": "order", "id": "\\ud800", "input": {"total": 1}}',
    "half a name": b'{"workflow": "\\ud800", "input": {"total": 1}}',
    "half a variable": b'{"workflow": "order", "input": {"total": 1, "\\ud800": 1}}',
    "zero": b'{"workflow": "order", "id": "\\u0000", "input": {"total": 1}}',
    "zero name": b'{"workflow": "\\u0000", "input": {"total": 1}}',
    "list": b"[]",
    "text": b'"order"',
    "null": b"null",
    "other types": b'{"workflow": 7, "input": []}',
    "unknown field": b'{"workflow": "order", "input": {"total": 1}, "admin": true}',
    "seed": b'{"workflow": "order", "input": {"total": 1}, "seed": 1e40}',
    "long id": b'{"workflow": "order", "id": "' + b"a" * 5_000 + b'", "input": {"total": 1}}',
    "version": b'{"workflow": "order", "version": "' + b"9" * 199 + b'.0.0", "input": {"total": 1}}',
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_body_is_refused_with_a_reason(client: httpx.Client, body: bytes) -> None:
    before = client.get("/v1/instances", params={"limit": 1000}).json()
    answer = client.post("/v1/instances", content=body, headers={"Content-Type": "application/json"})
    problem(answer)
    assert client.get("/v1/instances", params={"limit": 1000}).json() == before


def problem(answer: httpx.Response) -> dict[str, Any]:
    """What it says, if it is a refusal as it should be."""
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    told: dict[str, Any] = answer.json()
    assert set(told) >= {"type", "title", "status", "detail", "code", "advice"}
    assert told["detail"]
    assert told["advice"]
    assert "Traceback" not in answer.text
    assert told["status"] == answer.status_code
    return told


@pytest.mark.parametrize(
    "definition",
    [
        "",
        "name: [",
        "a: &a [*a]",
        DEEP,
        "\0",
        "\ud800",
        "name: x\n" * 500,
        {},
        {"name": "x"},
        {"a": [[[[]]]]},
        "!!python/object:os.system {}",
    ],
)
def test_a_hostile_definition_is_refused_with_a_reason(client: httpx.Client, definition: Any) -> None:
    body = json.dumps({"definition": definition})
    for path in ("/v1/definitions", "/v1/definitions/validate"):
        problem(client.post(path, content=body, headers={"Content-Type": "application/json"}))


@pytest.mark.parametrize(
    "event",
    [
        {"event": "\0"},
        {"event": "\ud800"},
        {"event": "pay", "payload": {"\ud800": 1}},
        {"event": "ring", "event_id": "\ud800"},
    ],
)
def test_a_hostile_event_is_refused_with_a_reason(client: httpx.Client, event: Any) -> None:
    start(client, "h")
    content = json.dumps(event)
    problem(client.post("/v1/instances/h/events", content=content, headers={"Content-Type": "application/json"}))
    assert client.get("/v1/instances/h").json()["state"] == "created"


@pytest.mark.parametrize(
    "path",
    [
        "nothing",
        "instances/%00",
        "instances/%ff",
        "instances/%ed%a0%80",
        "instances/" + "a" * 700,
        "instances?after=[1,2]",
        "instances?after=" + quote("[" * 500),
        "instances?after=" + quote('[1e999,"a"]'),
        "instances?after=" + quote('[true,"\\u0000"]'),
        "instances?limit=1e3",
        "instances?status=%00",
        "instances/o/history?after=-1",
        "statistics/trend?bucket=0s",
        "statistics/trend?bucket=1us",
        "statistics/trend?bucket=" + "9" * 19 + "d",
        "statistics/durations?since=99999999999999999999",
        "statistics/durations?since=-",
        "statistics/hot-paths?limit=0",
        "audit?after=0",
        "schedules?count=1000000",
    ],
)
def test_a_hostile_address_is_refused_with_a_reason(client: httpx.Client, path: str) -> None:
    problem(client.get(f"/v1/{path}"))


@pytest.mark.parametrize(
    "given", [{"workflow": "'; DROP TABLE cases; --"}, {"workflow": "\0"}, {"since": "0", "until": "1"}]
)
def test_what_is_asked_of_statistics_is_bound_and_never_part_of_the_question(
    client: httpx.Client, given: dict[str, str]
) -> None:
    for name in ("states", "activities", "durations", "trend", "hot-paths", "bottlenecks"):
        answer = client.get(f"/v1/statistics/{name}", params=given)
        assert answer.status_code == 200, answer.text
        if name != "states":
            assert answer.json() == {"rows": []}


def test_a_large_body_is_refused_before_it_has_come(server: Server, client: httpx.Client) -> None:
    answer = client.post("/v1/instances", content=b" " * 20_001)
    assert (problem(answer)["code"], answer.status_code) == ("too_large", 413)

    def endless() -> Iterator[bytes]:
        while True:
            yield b" " * 5_000

    # It is cut off, before or after the refusal has been read.
    try:
        answer = client.post("/v1/instances", content=endless())
        assert answer.status_code == 413
    except httpx.TransportError:
        pass
    assert client.get("/v1/caller").status_code == 200


def test_a_slow_body_is_given_up(server: Server) -> None:
    host, _, port = server.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=20) as slow:
        slow.sendall(b"POST /v1/instances HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
        answer = http.client.HTTPResponse(slow)
        answer.begin()
        assert answer.status == 408
        assert json.loads(answer.read())["code"] == "too_slow"


def test_a_form_of_a_strangers_page_does_nothing(client: httpx.Client) -> None:
    # Such a request needs no leave of the browser: it must not be read as JSON.
    body = b'{"workflow": "order", "id": "csrf", "input": {"total": 1}}'
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        problem(client.post("/v1/instances", content=body, headers={"Content-Type": kind}))
    assert client.get("/v1/instances/csrf").status_code == 404


# --- defects and outages -------------------------------------------------------------------------


def test_a_defect_is_told_by_its_number_and_logged_whole(
    server: Server, client: httpx.Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*given: object, **more: object) -> None:
        raise KeyError("a secret of the inside")

    monkeypatch.setattr(server.tenants.default.engine, "list", broken)
    answer = client.get("/v1/instances")
    told = answer.json()
    assert (answer.status_code, told["code"]) == (500, "internal")
    assert "secret" not in answer.text
    logged = [each for each in caplog.records if each.message == "failed"]
    assert logged[-1].__dict__["fields"]["request"] == told["request"] == answer.headers["X-Request-Id"]
    assert "a secret of the inside" in (caplog.text)


@pytest.mark.parametrize(
    "error",
    [
        DatabaseError("postgresql://db.internal/secret cannot be used."),
        sa.exc.OperationalError("SELECT secret", {}, Exception("no route to db.internal")),
        sa.exc.TimeoutError("no connection to db.internal"),
    ],
)
def test_a_database_that_is_away_is_told_so_and_when_to_come_again(
    server: Server, client: httpx.Client, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def away(*given: object, **more: object) -> None:
        raise error

    monkeypatch.setattr(server.tenants.default.engine, "list", away)
    answer = client.get("/v1/instances")
    assert (answer.status_code, answer.json()["code"], answer.headers["Retry-After"]) == (503, "database", "1")
    assert "secret" not in answer.text
    assert "db.internal" not in answer.text


def test_the_place_of_the_database_is_told_to_nobody(client: httpx.Client) -> None:
    assert "sqlite" not in client.get("/v1/instances/nobody").text


# --- how often -----------------------------------------------------------------------------------


def test_a_bucket_of_tokens_lets_a_burst_through_and_then_the_rate() -> None:
    rates, limits = Rates(), Limits(rate=2.0, burst=3)
    for _ in range(3):
        rates.take("a", limits, now=0.0)
    with pytest.raises(ServiceError) as refused:
        rates.take("a", limits, now=0.0)
    assert (refused.value.status, refused.value.retry_after) == (429, 0.5)
    rates.take("b", limits, now=0.0)
    rates.take("a", limits, now=0.5)
    with pytest.raises(ServiceError):
        rates.take("a", limits, now=0.6)
    rates.take("a", limits, now=100.0)


def test_who_asks_too_often_is_told_when_to_come_again() -> None:
    with serving(limits=Limits(rate=0.001, burst=2)) as server, caller(server) as client:
        answers = [client.get("/v1/caller") for _ in range(3)]
        assert [each.status_code for each in answers] == [200, 200, 429]
        assert problem(answers[-1])["code"] == "too_many_requests"
        assert 900 < int(answers[-1].headers["Retry-After"]) <= 1_000
        # Whoever looks after the process is not counted.
        assert client.get("/health").status_code == 200


# --- errors --------------------------------------------------------------------------------------


def test_every_error_of_an_engine_comes_out_of_a_client_as_it_went_into_a_service() -> None:
    made: dict[type[WfsimError], WfsimError] = {
        wf.errors.EventRejected: wf.errors.EventRejected("why", event="pay", reason="condition"),
        wf.errors.ConflictError: wf.errors.ConflictError("why", expected=1, stored=2),
        wf.errors.DefinitionError: wf.errors.DefinitionError("why", [(None, 3, "this")], ["states[]"]),
    }
    for kind in TOLD:
        error = made.get(kind) or kind("why")
        told = problem_of(error)
        back = error_of(json.loads(json.dumps(told.to_dict())), told.status)
        # An unknown workflow is one error for two classes.
        assert type(back) is kind or told.code == "unknown_workflow"
        assert str(back) == "why"
        assert {**vars(back), "problems": 0} == {**vars(error), "problems": 0}
    for code in ADVICE:
        service = ServiceError("why", status=418, code=code)
        again = error_of(problem_of(service).to_dict(), 418)
        assert isinstance(again, ServiceError)
        assert (again.code, again.status) == (code, 418)


def test_what_is_no_service_is_told_as_such(server: Server) -> None:
    with pytest.raises(ServiceError, match="is perhaps none"):
        raise error_of({"detail": "the service answered 404 Not Found, and is perhaps none."}, 404)
    with pytest.raises(WfsimError, match="an address such as"):
        wf.connect("localhost:8080")


def test_subclasses_come_before_their_bases() -> None:
    kinds = list(TOLD)
    for n, kind in enumerate(kinds):
        assert not any(issubclass(later, kind) for later in kinds[n + 1 :]), kind
    assert issubclass(wf.errors.UnknownInstance, EngineError)
