"""Records as they come: in order, none lost, from where a subscriber left off; slow and many readers are bounded."""

from __future__ import annotations

import itertools
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

import wfsim as wf
from tests.service.served import caller, serving
from wfsim.errors import WaitTimeout
from wfsim.runtime.clock import ManualClock
from wfsim.service.limits import Limits
from wfsim.service.serving import Server


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(limits=Limits(rate=1e6, burst=10**6, streams=2, write_seconds=0.3)) as found:
        yield found


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    with caller(server) as found:
        yield found


def start(client: httpx.Client, id: str) -> None:
    body = {"workflow": "order", "id": id, "input": {"total": 3}}
    assert client.post("/v1/instances", json=body).status_code == 201


def ring(client: httpx.Client, id: str) -> None:
    assert client.post(f"/v1/instances/{id}/events", json={"event": "ring"}).status_code == 200


def events(answer: httpx.Response) -> Iterator[tuple[int, dict[str, Any]]]:
    """Number and data of the records in a stream."""
    number = 0
    for line in answer.iter_lines():
        name, _, value = line.partition(": ")
        if name == "id":
            number = int(value)
        elif name == "data" and value != "{}":
            yield number, json.loads(value)


def test_a_subscriber_gets_the_records_of_an_instance_as_they_come_until_it_is_closed(client: httpx.Client) -> None:
    start(client, "o")
    with client.stream("GET", "/v1/instances/o/events") as answer:
        found = events(answer)
        assert [next(found)[1]["kind"] for _ in range(2)] == ["started", "state_entered"]
        ring(client, "o")
        assert next(found)[1]["kind"] == "event_received"
        client.post("/v1/instances/o/events", json={"event": "drop"})
        rest = list(found)
    seqs = [number for number, _ in rest]
    assert seqs == list(range(seqs[0], client.get("/v1/instances/o").json()["version"] + 1))
    assert rest[-1][1]["kind"] == "instance_closed"
    assert all(data["seq"] == number and data["instance"] == "o" for number, data in rest)


def test_who_comes_back_goes_on_after_the_last_one_seen(client: httpx.Client) -> None:
    start(client, "o")
    client.post("/v1/instances/o/events", json={"event": "drop"})
    version = client.get("/v1/instances/o").json()["version"]
    for asked in ({"headers": {"Last-Event-ID": "3"}}, {"params": {"after": 3}}):
        with client.stream("GET", "/v1/instances/o/events", **asked) as answer:  # type: ignore[arg-type]
            assert [number for number, _ in events(answer)] == list(range(4, version + 1))


def test_a_stream_of_nobody_is_refused_and_so_is_a_wrong_number(client: httpx.Client) -> None:
    assert client.get("/v1/instances/nobody/events").status_code == 404
    start(client, "o")
    for wrong in ("x", "-1", str(2**63)):
        assert client.get("/v1/instances/o/events", headers={"Last-Event-ID": wrong}).status_code == 422


def test_a_subscriber_of_all_gets_each_record_from_now_on_once(client: httpx.Client) -> None:
    start(client, "old")
    with client.stream("GET", "/v1/events") as answer:
        found = events(answer)
        for n in range(3):
            start(client, f"new{n}")
        ring(client, "old")
        seen = []
        for number, data in found:
            assert number == data["time"]
            seen.append((data["instance"], data["seq"]))
            if data["instance"] == "old" and data["kind"] == "transition":
                break
    assert len(set(seen)) == len(seen)
    for n in range(3):
        mine = [seq for name, seq in seen if name == f"new{n}"]
        assert mine == list(range(1, client.get(f"/v1/instances/new{n}").json()["version"] + 1))
    assert ("old", 1) not in seen


def test_who_comes_back_to_all_misses_nothing(client: httpx.Client) -> None:
    with client.stream("GET", "/v1/events") as answer:
        found = events(answer)
        start(client, "a")
        last, _ = next(found)
    start(client, "b")
    with client.stream("GET", "/v1/events", headers={"Last-Event-ID": str(last)}) as answer:
        seen = {(data["instance"], data["seq"]) for _, data in itertools.islice(events(answer), 4)}
    assert seen == {(name, seq) for name in "ab" for seq in (1, 2)}


def test_so_many_subscribers_and_no_more(server: Server, client: httpx.Client) -> None:
    start(client, "o")
    with client.stream("GET", "/v1/events") as first, client.stream("GET", "/v1/instances/o/events") as second:
        assert [first.status_code, second.status_code] == [200, 200]
        third = client.get("/v1/events")
        assert (third.status_code, third.json()["code"]) == (429, "too_many_requests")
    # Those that leave make room.
    while server.tenants.default.streams:
        ring(client, "o")
    with client.stream("GET", "/v1/events") as again:
        assert again.status_code == 200


def test_a_reader_that_takes_nothing_is_let_go(server: Server, client: httpx.Client) -> None:
    start(client, "o")
    host, _, port = server.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=20) as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        slow.sendall(b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert slow.recv(100).startswith(b"HTTP/1.1 200")
        assert server.tenants.default.streams == 1
        # It reads no more; what it is owed fills what lies between, and then it is let go.
        engine = server.tenants.default.engine
        run = engine.get("o")
        run.send("pay", amount=3)
        run.wait(lambda run: run.activities[0].phase == "running", timeout="20s")
        engine.complete("o:1:1", ["x" * 900_000] * 20)
        while server.tenants.default.streams:
            client.get("/v1/caller")
    assert client.get("/v1/caller").status_code == 200


def test_watching_from_a_client_ends_with_the_instance_and_says_when_nothing_comes() -> None:
    clock = ManualClock()
    with serving(clock=clock) as server, wf.connect(server.url) as engine:
        run = engine.start("order", {"total": 3}, id="o")
        watching = run.watch()
        assert [next(watching).kind for _ in range(2)] == ["started", "state_entered"]
        run.send("drop")
        assert [each.kind for each in watching][-1] == "instance_closed"
        other = engine.start("order", {"total": 3}, id="p")
        with pytest.raises(WaitTimeout, match="no record of 'p' after"):
            list(other.watch(after=other.version, timeout="50ms"))


def test_a_client_that_watches_is_told_of_what_time_brings() -> None:
    clock = ManualClock()
    with serving(clock=clock) as server, wf.connect(server.url) as engine:
        run = engine.start("order", {"total": 3}, id="o")
        waiting = threading.Thread(target=clock.advance, args=("25h",))
        waiting.start()
        assert run.wait("dropped", timeout="20s") == "dropped"
        waiting.join()
