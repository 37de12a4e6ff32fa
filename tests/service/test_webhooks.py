"""Webhooks: who is told what, again until it is taken, in order, whoever dies; and what a receiver must not believe."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import wfsim as wf
from tests.answering import Answer, Asked, response
from tests.answering import Server as Receiver
from tests.answering import serving as receiving
from tests.declared import LOCAL
from tests.postgres import serving as postgres
from tests.service.served import caller, order, serving
from wfsim.errors import OptionError, UnknownWebhook, WebhookRefused
from wfsim.runtime import courier, outbox, outgoing, webhooks
from wfsim.runtime.clock import ManualClock
from wfsim.runtime.engine import Engine
from wfsim.runtime.opening import open_engine
from wfsim.runtime.permissions import Permissions
from wfsim.runtime.signing import new_secret, signature
from wfsim.service.keys import Role

OK = response(204)
NO = response(500)
SECRET = "whsec_" + base64.b64encode(bytes(range(24))).decode()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courier, "LOOK", 0.01)


@contextlib.contextmanager
def delivered(
    *answers: Answer, url: str = "sqlite://", **options: Any
) -> Iterator[tuple[Engine, ManualClock, Receiver]]:
    """An engine that tells a receiver everything, and the receiver with its answers."""
    clock = ManualClock()
    with (
        receiving(*answers) as receiver,
        open_engine(
            url, [order()], {"charge": lambda total: "r"}, clock=clock, permissions=Permissions(networks=LOCAL)
        ) as engine,
    ):
        engine.webhooks.add(receiver.url, secret=SECRET, **options)
        sender = courier.Courier(engine.core, lambda: engine.permissions)
        sender.start()
        try:
            yield engine, clock, receiver
        finally:
            receiver.held.set()
            sender.close()


def until(condition: Callable[[], Any]) -> Any:
    """What a condition gives once it gives something."""
    pause = threading.Event()
    for _ in range(6_000):
        if found := condition():
            return found
        pause.wait(0.01)
    raise AssertionError("it never came")


def fates(engine: Any) -> list[str]:
    """Of all messages, the oldest first."""
    (endpoint,) = engine.webhooks.list()
    return [each.status for each in reversed(engine.webhooks.deliveries(endpoint.id))]


def told(asked: Asked, **options: Any) -> Any:
    return wf.verify_webhook(asked.body, asked.headers, SECRET, **options)


# What is told --------------------------------------------------------------------------------------------


def test_what_happens_is_told_signed_and_in_order() -> None:
    with delivered(OK) as (engine, _, receiver):
        run = engine.start("order", {"total": 3}, id="o")
        run.send("drop")
        until(lambda: len(receiver.asked) == len(run.records) and set(fates(engine)) == {"delivered"})
        messages = [told(each) for each in receiver.asked]
        assert [each.data["seq"] for each in messages] == [record.seq for record in run.records]
        first, last = messages[0], messages[-1]
        assert (first.type, last.type) == ("wfsim.started", "wfsim.instance_closed")
        assert first.data["payload"] == run.records[0].payload
        assert (last.data["instance"], last.data["workflow"], last.data["definition_version"]) == (
            "o",
            "order",
            "1.0.0",
        )
        assert len({each.id for each in messages}) == len(messages)
        assert receiver.asked[0].headers["content-type"] == "application/json"


def test_only_what_is_wanted_is_told() -> None:
    with delivered(OK, kinds=["event_received"], events=["drop"], workflows=["order"]) as (engine, _, receiver):
        run = engine.start("order", {"total": 3}, id="o")
        run.send("ring")
        run.send("drop")
        until(lambda: fates(engine) == ["delivered"])
        (message,) = map(told, receiver.asked)
        assert (message.data["kind"], message.data["event"]) == ("event_received", "drop")


def test_what_is_undone_is_not_told() -> None:
    with delivered(OK) as (engine, _, _):
        run = engine.start("order", {"total": 3}, id="o")

        def cancelled_and_undone() -> None:
            with engine.core.turn() as turn:
                held = turn.hold("o")
                assert held is not None
                turn.control(held, "cancel", None, None, metadata=None)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            cancelled_and_undone()
        assert len(fates(engine)) == len(run.records)


# Receivers that do not take it ---------------------------------------------------------------------------


def test_a_receiver_that_fails_is_told_again_later_under_the_same_id() -> None:
    with delivered(NO, response(301, b"", "Location: http://127.0.0.1:1/"), OK, kinds=["started"]) as (
        engine,
        clock,
        receiver,
    ):
        engine.start("order", {"total": 3}, id="o")
        (endpoint,) = engine.webhooks.list()

        def one(tries: int) -> Any:
            (found,) = engine.webhooks.deliveries(endpoint.id)
            return found if found.tries == tries and found.told else None

        first = until(lambda: one(1))
        assert (first.status, first.told) == ("waiting", "answered 500")
        assert 4.5e6 <= first.due - first.changed <= 5.5e6
        clock.advance("6s")
        # What leads elsewhere is not followed.
        second = until(lambda: (found := one(2)) and found.told == "answered 301" and found)
        assert 18e6 <= second.due - second.changed <= 22e6
        clock.advance("23s")
        until(lambda: fates(engine) == ["delivered"])
        assert len({each.headers["webhook-id"] for each in receiver.asked}) == 1
        assert len(receiver.asked) == 3


def test_a_receiver_may_say_when_it_wants_it_again() -> None:
    with delivered(response(429, b"", "Retry-After: 100"), OK, kinds=["started"]) as (engine, clock, _):
        engine.start("order", {"total": 3}, id="o")
        (endpoint,) = engine.webhooks.list()
        found = until(lambda: (each := engine.webhooks.deliveries(endpoint.id)[0]).told and each)
        assert found.due - found.changed == 100e6
        clock.advance("100s")
        until(lambda: fates(engine) == ["delivered"])


def test_what_is_not_taken_in_time_is_dead_is_seen_and_can_be_repeated() -> None:
    with delivered(NO, NO, OK, kinds=["started", "instance_closed"], retry_for="10s") as (engine, clock, receiver):
        engine.start("order", {"total": 3}, id="o").send("drop")
        (endpoint,) = engine.webhooks.list()
        until(lambda: [each for each in engine.webhooks.deliveries(endpoint.id) if each.told])
        clock.advance("9s")
        # The next one of the same instance comes when the first is given up.
        until(lambda: fates(engine) == ["dead", "delivered"])
        (dead,) = engine.webhooks.deliveries(endpoint.id, status="dead")
        assert (dead.kind, dead.tries, dead.told) == ("started", 2, "answered 500")
        assert engine.webhooks.repeat(endpoint.id) == 1
        until(lambda: fates(engine) == ["delivered", "delivered"])
        assert engine.webhooks.repeat(endpoint.id, dead.number) == 1
        until(lambda: len(receiver.asked) == 5)
        assert engine.webhooks.repeat(endpoint.id) == 0


def test_a_slow_receiver_holds_up_no_other_and_its_instances_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courier, "TIMEOUT", 0.3)
    with delivered(OK, kinds=["started"]) as (engine, _, slow), receiving(OK) as quick_one:
        slow.answers[:] = [slow.hold]
        slow_id = engine.webhooks.list()[0].id
        quick_id = engine.webhooks.add(quick_one.url, secret=SECRET, kinds=["started"])[0].id
        for number in range(3):
            engine.start("order", {"total": 3}, id=f"o{number}")
        until(lambda: len(quick_one.asked) == 3)
        late = until(lambda: [each for each in engine.webhooks.deliveries(slow_id) if each.told])
        assert late[0].told == "no answer within 0.3 seconds"
        assert all(each.status == "delivered" for each in engine.webhooks.deliveries(quick_id))


def test_who_is_gone_is_told_no_more_until_something_is_repeated() -> None:
    with delivered(response(410), OK, kinds=["started"]) as (engine, _, receiver):
        engine.start("order", {"total": 3}, id="o")
        until(lambda: fates(engine) == ["dead"])
        (endpoint,) = engine.webhooks.list()
        assert endpoint.off == "it answered 410 Gone"
        engine.core.outbox.look_again()
        engine.start("order", {"total": 3}, id="p")
        assert fates(engine) == ["dead"]
        assert engine.webhooks.repeat(endpoint.id) == 1
        engine.start("order", {"total": 3}, id="q")
        until(lambda: fates(engine) == ["delivered"] * 2)
        assert sorted(told(each).data["instance"] for each in receiver.asked) == ["o", "o", "q"]


def test_nobody_listens_there_any_more() -> None:
    with delivered(OK, kinds=["started"]) as (engine, _, _):
        (kept,) = engine.webhooks.list()
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        endpoint, _ = engine.webhooks.add(f"http://127.0.0.1:{port}/", kinds=["started"])
        engine.start("order", {"total": 3}, id="o")
        found = until(lambda: (each := engine.webhooks.deliveries(endpoint.id)[0]).told and each)
        assert found.told.startswith("127.0.0.1 cannot be reached")
        engine.webhooks.remove(endpoint.id)
        assert engine.webhooks.list() == [kept]
        with pytest.raises(UnknownWebhook, match=r"there is no webhook .*engine\.webhooks\.list"):
            engine.webhooks.deliveries(endpoint.id)


# Where it may go -----------------------------------------------------------------------------------------


def test_addresses_that_are_not_public_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = ManualClock()
    with open_engine("sqlite://", [order()], {"charge": lambda total: "r"}, clock=clock) as engine:
        for url in ("http://127.0.0.1/", "http://[::1]/", "http://169.254.169.254/latest", "http://[::ffff:10.0.0.1]/"):
            with pytest.raises(OptionError, match="is not public"):
                engine.webhooks.add(url)
        for url in ("ftp://example.com/", "https://u:p@example.com/", "https://", "example.com", "https://a b/", 7):
            with pytest.raises(OptionError, match="url: "):
                engine.webhooks.add(url)  # type: ignore[arg-type]

        async def resolve(host: str, port: int) -> list[str]:
            return ["10.0.0.7"]

        # A name that leads inside is known only when it is asked for.
        monkeypatch.setattr(outgoing, "resolve", resolve)
        endpoint, _ = engine.webhooks.add("https://inside.example/", kinds=["started"])
        sender = courier.Courier(engine.core, lambda: engine.permissions)
        sender.start()
        engine.start("order", {"total": 3}, id="o")
        found = until(lambda: (each := engine.webhooks.deliveries(endpoint.id)[0]).told and each)
        assert "leads to 10.0.0.7, which is not public" in found.told
        sender.close()
    with (
        open_engine("sqlite://", permissions=Permissions(hosts=["shop.example"])) as engine,
        pytest.raises(OptionError, match=r"the host 'evil\.example' is not permitted here"),
    ):
        engine.webhooks.add("https://evil.example/")


def test_what_nobody_could_be_told_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "MOST", 1)
    with open_engine("sqlite://", [order()]) as engine:
        add = engine.webhooks.add
        with pytest.raises(OptionError, match=r"'instance_close' is no kind .* Did you mean 'instance_closed'\?"):
            add("https://shop.example/", kinds=["instance_close"])
        with pytest.raises(OptionError, match="workflows is a list of names"):
            add("https://shop.example/", workflows="order")
        with pytest.raises(OptionError, match="events is empty"):
            add("https://shop.example/", events=[])
        with pytest.raises(OptionError, match="Base64 of 24 to 64 bytes"):
            add("https://shop.example/", secret="whsec_short")
        add("https://shop.example/")
        with pytest.raises(OptionError, match="there are 1 webhooks"):
            add("https://shop.example/")
        with pytest.raises(OptionError, match=r"'ded' is none\. Did you mean 'dead'\?"):
            engine.webhooks.deliveries(engine.webhooks.list()[0].id, status="ded")


# Several processes, and dead ones ------------------------------------------------------------------------


def test_two_that_serve_one_database_tell_each_message_once(tmp_path: Path) -> None:
    with postgres() as server:
        address = server.address()
        with receiving(OK) as receiver, contextlib.ExitStack() as stack:
            engines = [
                stack.enter_context(open_engine(address, [order()], permissions=Permissions(networks=LOCAL)))
                for _ in range(2)
            ]
            engines[0].webhooks.add(receiver.url, secret=SECRET)
            engines[1].core.outbox.look_again()
            for engine in engines:
                sender = courier.Courier(engine.core, lambda engine=engine: engine.permissions)  # type: ignore[misc]
                sender.start()
                stack.callback(sender.close)
            for number in range(8):
                run = engines[number % 2].start("order", {"total": 3}, id=f"o{number}")
                run.send("drop")
            until(lambda: set(fates(engines[0])) == {"delivered"})
            came: dict[str, list[int]] = {}
            for each in receiver.asked:
                message = told(each)
                came.setdefault(message.data["instance"], []).append(message.data["seq"])
            assert came == {f"o{n}": [record.seq for record in engines[0].get(f"o{n}").records] for n in range(8)}


SERVING = """
import sys
from wfsim.runtime import courier
from wfsim.service.serving import Server
from wfsim.service.tenants import Tenants
courier.TIMEOUT, courier.LEASE, courier.LOOK = 60, 1.5, 0.01
with Server(Tenants(sys.argv[1]), port=0):
    print("serving", flush=True)
    sys.stdin.read()
"""


def test_a_service_that_is_killed_while_it_tells_is_followed_by_one_that_tells_again(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path}/runs.db"
    processes: list[subprocess.Popen[str]] = []

    def served() -> None:
        env = {**os.environ, "WFSIM_NETWORKS": "127.0.0.1"}
        processes.append(
            subprocess.Popen(
                [sys.executable, "-c", SERVING, address],
                env=env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        assert processes[-1].stdout is not None
        assert processes[-1].stdout.readline() == "serving\n"

    def kill(asked: Asked, connection: socket.socket) -> bytes:
        """The receiver has it, and whoever told it never hears so."""
        processes[0].send_signal(signal.SIGKILL)
        processes[0].wait()
        return OK

    try:
        with (
            receiving(OK, kill, OK) as receiver,
            open_engine(address, [order()], permissions=Permissions(networks=LOCAL)) as engine,
        ):
            # Stored by another process than the one that tells it.
            engine.webhooks.add(receiver.url, secret=SECRET)
            run = engine.start("order", {"total": 3}, id="o")
            run.send("drop")
            served()
            processes[0].wait(timeout=60)
            assert "waiting" in fates(engine)
            served()
            until(lambda: set(fates(engine)) == {"delivered"})
            # What it was killed at came again, and is known by its id; one that is slow to hear may do so, too.
            messages = {told(each).id: told(each).data["seq"] for each in receiver.asked}
            assert list(messages.values()) == [record.seq for record in run.records]
            again = [each for each in receiver.asked if each.headers["webhook-id"] == told(receiver.asked[1]).id]
            assert len(again) > 1
    finally:
        for each in processes:
            each.kill()
            each.communicate()


# Over the service ----------------------------------------------------------------------------------------


def test_the_client_has_the_same_names() -> None:
    with (
        receiving(OK) as receiver,
        serving(permissions=Permissions(networks=LOCAL)) as server,
        wf.connect(server.url) as engine,
    ):
        endpoint, secret = engine.webhooks.add(receiver.url, workflows=["order"], kinds=["instance_closed"])
        assert engine.webhooks.list() == [endpoint] == server.tenants.default.engine.webhooks.list()
        engine.start("order", {"total": 3}, id="o").send("drop")
        until(lambda: fates(engine) == ["delivered"])
        message = wf.verify_webhook(receiver.asked[0].body, receiver.asked[0].headers, secret)
        assert message.data["instance"] == "o"
        (one,) = engine.webhooks.deliveries(endpoint.id, status="delivered")
        assert engine.webhooks.repeat(endpoint.id, one.number) == 1
        engine.webhooks.remove(endpoint.id)
        assert engine.webhooks.list() == []
        with pytest.raises(UnknownWebhook):
            engine.webhooks.repeat(endpoint.id)
        with pytest.raises(OptionError, match="is no kind of record"):
            engine.webhooks.add(receiver.url, kinds=["nothing"])


def test_a_secret_is_told_once_and_an_administrator_registers() -> None:
    with (
        serving(permissions=Permissions(networks=LOCAL)) as server,
        caller(server, Role.ADMIN) as admin,
        caller(server, Role.OPERATOR) as operator,
    ):
        made = admin.post("/v1/webhooks", json={"url": "https://shop.example/", "retry_for": "1h"})
        assert made.status_code == 201
        secret = made.json()["secret"]
        for path in ("webhooks", f"webhooks/{made.json()['id']}/deliveries", "audit"):
            assert secret not in admin.get(f"/v1/{path}").text
        assert operator.get("/v1/webhooks").json()["webhooks"][0]["retry_for"] == 3_600_000_000
        assert operator.delete(f"/v1/webhooks/{made.json()['id']}").status_code == 403
        assert admin.delete(f"/v1/webhooks/{made.json()['id']}").status_code == 204
        assert admin.get(f"/v1/webhooks/{made.json()['id']}/deliveries").json()["code"] == "unknown_webhook"


def test_a_namespace_tells_nobody_of_another() -> None:
    with receiving(OK) as receiver, serving(permissions=Permissions(networks=LOCAL)) as server:
        engine = server.tenants.default.engine
        engine.webhooks.add(receiver.url, secret=SECRET, kinds=["started"])
        with caller(server, Role.ADMIN, "theirs") as client:
            assert client.get("/v1/webhooks").json() == {"webhooks": []}


# What a receiver believes --------------------------------------------------------------------------------

BODY = b'{"type": "wfsim.started", "timestamp": "2026-01-01T00:00:00Z", "data": {"instance": "o"}}'


def sent(body: bytes = BODY, at: int = 1_000_000, secret: str = SECRET) -> dict[str, str]:
    return {
        "Webhook-Id": "msg_1",
        "Webhook-Timestamp": str(at),
        "Webhook-Signature": signature(secret, "msg_1", at, body),
    }


def test_a_signature_is_that_of_the_specification() -> None:
    # "msg_id.timestamp.payload" by HMAC-SHA256 under the bytes that the secret stands for.
    expected = hmac.digest(bytes(range(24)), b"msg_1.1000000." + BODY, hashlib.sha256)
    assert sent()["Webhook-Signature"] == "v1," + base64.b64encode(expected).decode()


def test_a_webhook_is_believed_with_one_of_several_secrets_and_signatures() -> None:
    message = wf.verify_webhook(BODY.decode(), sent(), [new_secret(), SECRET], now=1_000_000)
    assert (message.id, message.type, message.data) == ("msg_1", "wfsim.started", {"instance": "o"})
    two = {**sent(), "Webhook-Signature": f"v1a,x v1,{'A' * 43}= {sent()['Webhook-Signature']}"}
    assert wf.verify_webhook(BODY, two, SECRET, now=1_000_000).id == "msg_1"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"body": BODY.replace(b'"o"', b'"p"')}, "signature"),
        ({"secret": new_secret()}, "signature"),
        ({"headers": {**sent(), "Webhook-Id": "msg_2"}}, "signature"),
        ({"headers": {**sent(), "Webhook-Timestamp": "1000001"}}, "signature"),
        ({"headers": {**sent(), "Webhook-Signature": "v1,"}}, "signature"),
        ({"headers": {**sent(), "Webhook-Signature": "ü"}}, "signature"),
        ({"headers": {}}, "headers"),
        ({"headers": {**sent(), "Webhook-Timestamp": "soon"}}, "headers"),
        ({"headers": {**sent(), "Webhook-Timestamp": "-5"}}, "headers"),
        ({"now": 1_000_301}, "time"),
        ({"now": 999_699}, "time"),
        ({"now": 1_000_011, "tolerance": "10s"}, "time"),
        ({"seen": {"msg_1"}}, "seen"),
        ({"body": b"[]", "headers": sent(b"[]")}, "body"),
        ({"body": b"\xff", "headers": sent(b"\xff")}, "body"),
    ],
)
def test_what_is_forged_replayed_or_no_webhook_is_refused(change: dict[str, Any], reason: str) -> None:
    given = {"body": BODY, "headers": sent(), "secret": SECRET, "now": 1_000_000, **change}
    with pytest.raises(WebhookRefused) as refused:
        wf.verify_webhook(**given)
    assert refused.value.reason == reason
    assert SECRET not in str(refused.value)


def test_a_message_that_was_recorded_and_is_sent_again_is_refused() -> None:
    with delivered(OK, kinds=["started"]) as (engine, _, receiver):
        engine.start("order", {"total": 3}, id="o")
        (asked,) = until(lambda: list(receiver.asked))
        seen: set[str] = set()
        seen.add(told(asked, seen=seen).id)
        with pytest.raises(WebhookRefused) as again:
            told(asked, seen=seen)
        assert again.value.reason == "seen"
        with pytest.raises(WebhookRefused) as later:
            told(asked, now=int(asked.headers["webhook-timestamp"]) + 301)
        assert later.value.reason == "time"


def test_a_webhook_that_another_process_registers_is_known_within_a_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "FRESH", 0.0)
    address = f"sqlite:///{tmp_path}/runs.db"
    with open_engine(address, [order()]) as one, open_engine(address) as other:
        one.start("order", {"total": 3}, id="o")
        other.webhooks.add("https://shop.example/", kinds=["started"])
        one.start("order", {"total": 3}, id="p")
        assert fates(one) == ["waiting"]
