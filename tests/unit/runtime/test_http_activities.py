"""Activities declared as `http` (M5.7): what goes out, what comes of the answer, and what is refused."""

from __future__ import annotations

import contextlib
import json
import logging
import re
import socket
import sqlite3
import ssl
import threading
import zlib
from pathlib import Path
from typing import Any

import pytest

import wfsim as wf
from tests.answering import Asked, response, serving
from tests.declared import LOCAL, one, tried
from tests.language import PAGE
from wfsim.runtime import outgoing
from wfsim.runtime.http import LONGEST_WAIT, request_of, retry_after
from wfsim.runtime.permissions import Permissions

CERTIFICATE = Path(__file__).with_name("pay_example_com.pem")
"""Of pay.example.com, made by itself, with its key; for nothing but this test."""
SECRET = 'sk_"lyve"_ü/51+H x'
GOOD = response(200, b'{"id": "p-1", "amount": 5}')


def asked(http: dict[str, Any], input: dict[str, Any] | None = None, **permissions: Any) -> tuple[Asked, wf.errors.Any]:
    with serving(GOOD) as server:
        url = http.pop("url", "/")
        came = tried({"http": {"url": server.url + url, **http}}, input, Permissions(networks=LOCAL, **permissions))
        assert came.ok, came
        return server.asked[0], came


# What goes out ---------------------------------------------------------------------------------------------


def test_url_query_headers_and_body_are_evaluated_over_the_input() -> None:
    request, came = asked(
        {
            "method": "PUT",
            "url": "/orders/${input.order}/charges?v=${input.order}",
            "query": {"q": "${input.order}", "tags": ["a", "b"], "none": None, "n": 5, "yes": True},
            "headers": {"X-Order": "no ${input.n}", "X-None": None, "X-Number": "${input.n}"},
            "body": {"amount": "${input.n * 2}", "note": "a ${input.order}"},
            "result": "${response.body.id + '/' + text(response.status) + '/' + coalesce(response.headers.etag, '-')}",
        },
        {"order": "A 1/ü?&", "n": 3},
    )
    assert request.method == "PUT"
    assert request.target == (
        "/orders/A%201%2F%C3%BC%3F%26/charges?v=A%201%2F%C3%BC%3F%26&q=A%201%2F%C3%BC%3F%26&tags=a&tags=b&n=5&yes=true"
    )
    assert (request.headers["x-order"], request.headers["x-number"]) == ("no 3", "3")
    assert "x-none" not in request.headers
    assert json.loads(request.body) == {"amount": 6, "note": "a A 1/ü?&"}
    assert request.headers["content-type"] == "application/json"
    assert came.result == "p-1/200/-"


def test_an_effect_goes_with_the_key_of_its_activity_and_a_question_does_not() -> None:
    assert asked({"method": "POST", "body": {}})[0].headers["idempotency-key"] == "try:1"
    assert "idempotency-key" not in asked({})[0].headers
    own, _ = asked({"method": "POST", "headers": {"idempotency-key": "mine"}})
    assert [line for line in own.lines if line.lower().startswith("idempotency")] == ["idempotency-key: mine"]


def test_a_key_of_any_instance_is_a_header() -> None:
    http = one(http={"method": "POST", "url": "https://h/"}).activities["f"].http
    assert http is not None
    for key, sent in (("order/1:x:1", "order/1:x:1"), ("Größe 1%:1", "Gr%C3%B6%C3%9Fe%201%25:1")):
        assert request_of(http, {}, {}, key).headers["Idempotency-Key"] == sent


@pytest.mark.parametrize(
    ("body", "kind", "sent"),
    [
        ({"a": "x y", "b": [1, True], "c": None}, "application/x-www-form-urlencoded", b"a=x+y&b=1&b=true"),
        ("plain ü", None, "plain ü".encode()),
        ("<a/>", "application/xml", b"<a/>"),
        ("text", "application/json", b'"text"'),
        ([1, 2.5], "application/vnd.api+json", b"[1,2.5]"),
    ],
)
def test_a_body_is_sent_as_its_content_type_says(body: Any, kind: str | None, sent: bytes) -> None:
    headers = {} if kind is None else {"Content-Type": kind}
    request, _ = asked({"method": "POST", "body": body, "headers": headers})
    assert request.body == sent
    assert request.headers["content-type"] == (kind or "text/plain; charset=utf-8")


def test_a_whole_address_may_be_one_expression_and_is_looked_at_all_the_same() -> None:
    with serving(GOOD) as server:
        http = {"http": {"url": "${input.url}"}}
        assert tried(http, {"url": f"{server.url}/hook?a=1#never"}).ok
        assert server.asked[0].target == "/hook?a=1"
    for url in (
        "file:///etc/passwd", "ftp://h/", "h", "", "//h/", "http://", "http://u:p@127.0.0.1/", "http://127.0.0.1/a b",
        "http://127.0.0.1/\r\nX: y", "http://127.0.0.1\\@evil/", "http://a%2eb/", "http://127.0.0.1/" + "x" * 9_000,
        "http://[::1/", "http://127.0.0.1:99999/", "http://\ud7ff./",
    ):  # fmt: skip
        came = tried(http, {"url": url})
        assert came.error_type in ("Http.url", "Http.connect", "Http.refused"), (url, came)
    assert tried(http, {"url": 5}).error_type == "Http.url"


@pytest.mark.parametrize("value", ["", ".", "..", "../admin", "a/../b", "a\\..\\b"])
def test_no_value_leads_to_another_path(value: str) -> None:
    with serving(GOOD) as server:
        came = tried({"http": {"method": "DELETE", "url": f"{server.url}/orders/${{input.id}}"}}, {"id": value})
        assert came.error_type == "Http.url"
        dotted = tried({"http": {"url": f"{server.url}/o/${{input.a}}${{input.a}}/x"}}, {"a": "."})
        assert dotted.error_type == "Http.url"
        assert server.asked == []


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "a\0", " a", "a ", "ü", "a\x7f"])
def test_no_value_makes_a_header_of_its_own(value: str) -> None:
    with serving(GOOD) as server:
        came = tried({"http": {"url": server.url, "headers": {"X-A": "${input.v}"}}}, {"v": value})
        assert came.error_type == "Http.header"
        assert server.asked == []


def test_values_that_are_no_texts_or_missing_fail_with_what_is_wrong() -> None:
    url = "http://127.0.0.1:9/"
    for http, error_type in (
        ({"url": url, "query": {"q": "${input.deep}"}}, "Http.body"),
        ({"url": url, "headers": {"X": "${input.deep}"}}, "Expression.type"),
        ({"url": url + "${input.none}"}, "Expression.null"),
        ({"url": url, "method": "POST", "body": "${input.n}", "headers": {"Content-Type": "text/csv"}}, "Http.body"),
        (
            {"url": url, "method": "POST", "body": 3, "headers": {"Content-Type": "application/x-www-form-urlencoded"}},
            "Http.body",
        ),
    ):  # fmt: skip
        assert tried({"http": http}, {"deep": {"a": [{}]}, "none": None, "n": 3}).error_type == error_type


# What comes of the answer ----------------------------------------------------------------------------------


def test_statuses_are_errors_by_number_by_hundred_or_by_the_type_that_is_declared() -> None:
    declared = {"errors": {"Card.Declined": 402, "Bank": ["5xx", 429], "Bank.Busy": 503}, "expect": ["2xx", 404]}
    for status, error_type in (
        (402, "Card.Declined"), (500, "Bank"), (503, "Bank.Busy"), (429, "Bank"), (400, "Http.400"), (302, "Http.302"),
        (200, None), (204, None), (404, None),
    ):  # fmt: skip
        with serving(response(status, b'"why"' if status != 204 else b"")) as server:
            came = tried({"http": {"url": server.url + "/x?secret=1", "result": "${response.status}", **declared}})
            assert came.error_type == error_type, status
            if error_type is not None:
                assert f"GET {server.url}/x: {status}" in (came.message or "")
                assert "why" in (came.message or "")
                assert "secret" not in (came.message or "")
            else:
                assert came.result == status


def test_what_the_server_asks_to_wait_goes_to_the_retry_policy() -> None:
    with serving(response(503, b"", "Retry-After: 7"), GOOD) as server:
        came = tried({"http": {"url": server.url}})
        assert (came.error_type, came.retry_after) == ("Http.503", 7.0)
        assert "Again in 7 s" in str(came)
        workflow = one(http={"url": server.url}, retry_policy={"max_attempts": 2, "initial_interval": "1h"})
        server.answers.insert(0, response(503, b"", "Retry-After: 30"))
        clock = wf.ManualClock()
        with wf.start(workflow, clock=clock, id="i", permissions=Permissions(networks=LOCAL)) as run:
            clock.advance("29s")
            assert run.status == "running"
            clock.advance("1s")
            assert run.output["result"] == {"id": "p-1", "amount": 5}


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("0", 0), ("120", 120), ("99999999999", LONGEST_WAIT), ("-5", None), ("soon", None), ("", None), ("1.5", None),
        ("9" * 50, None), ("Wed, 21 Oct 2015 07:29:00 GMT", 60), ("Wed, 21 Oct 2015 07:00:00 GMT", 0),
        ("Wed, 21 Oct 9015 07:28:00 GMT", LONGEST_WAIT), ("Wed, 99 Oct 2015 07:28:00 GMT", None),
        ("Wed, 21 Oct 2015 07:29:00", None),
    ],
)  # fmt: skip
def test_retry_after_is_seconds_or_a_date_and_never_more_than_a_day(said: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": said, "date": "Wed, 21 Oct 2015 07:28:00 GMT"}) == seconds


@pytest.mark.parametrize(
    ("kind", "body", "result"),
    [
        ("application/json", b"[1, 2.5, null]", [1, 2.5, None]),
        ("application/problem+json; charset=utf-8", b'{"a": {}}', {"a": {}}),
        ("text/plain; charset=latin-1", b"\xfc", "ü"),
        ("", b"text", "text"),
        ("application/json", b"", None),
    ],
)
def test_a_body_is_json_where_it_says_so_else_a_text(kind: str, body: bytes, result: Any) -> None:
    with serving(response(200, body, kind=kind)) as server:
        assert tried({"http": {"url": server.url}}).result == result


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b"{"), ("application/json", b"\xff"), ("application/json", b"1e999"),
        ("application/json", b"NaN"), ("application/json", b"[" * 100_000), ("application/json", b"9" * 40),
        ("application/json", b'"\\ud800"'), ("application/json", b"9" * 9_000), ("text/plain", b"\xff\xfe"),
        ("text/plain; charset=none-such", b"a"),
    ],
)  # fmt: skip
def test_a_body_that_cannot_be_read_is_an_error_unless_nobody_reads_it(kind: str, body: bytes) -> None:
    with serving(response(200, body, kind=kind)) as server:
        assert tried({"http": {"url": server.url}}).error_type == "Http.body"
        assert tried({"http": {"url": server.url, "result": "${response.status}"}}).result == 200


def test_results_are_held_against_what_is_declared_and_against_what_is_there() -> None:
    with serving(GOOD) as server:
        assert tried({"result": "string", "http": {"url": server.url}}).error_type == "Expression.type"
        missing = tried({"http": {"url": server.url, "result": "${response.body.name}"}})
        assert missing.error_type == "Expression.field"
        assert "there is no field 'name'" in (missing.message or "")


# Bounds ----------------------------------------------------------------------------------------------------


def endless(asked: Asked, connection: socket.socket) -> bytes:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
    while True:
        connection.sendall(b"x" * 65_536)


def test_a_body_that_never_ends_is_cut_off_by_its_size() -> None:
    with serving(endless) as server:
        assert tried({"http": {"url": server.url}}).error_type == "Http.size"


def test_what_is_packed_is_bounded_as_it_is_unpacked() -> None:
    packed = zlib.compress(b"\0" * 20_000_000)
    with serving(response(200, packed, "Content-Encoding: deflate", kind="text/plain")) as server:
        assert tried({"http": {"url": server.url}}).error_type == "Http.size"
        assert server.asked[0].headers["accept-encoding"] == "identity"
        server.answers[:] = [response(200, zlib.compress(b"small"), "Content-Encoding: deflate", kind="text/plain")]
        assert tried({"http": {"url": server.url}}).result == "small"
        for packing, body in (("deflate", b"no"), ("br", b"x"), ("gzip, gzip", b"x")):
            server.answers[:] = [response(200, body, f"Content-Encoding: {packing}")]
            assert tried({"http": {"url": server.url}}).error_type == "Http.body"


def test_an_answer_that_does_not_come_or_not_in_full_times_out() -> None:
    def half(asked: Asked, connection: socket.socket) -> bytes:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        return server.hold(asked, connection)

    with serving() as server:
        for answer in (server.hold, half):
            server.answers[:] = [answer]
            came = tried({"http": {"url": server.url, "timeout": "50ms"}})
            assert came.error_type == "Http.timeout"
            assert "within 50ms" in (came.message or "")


@pytest.mark.parametrize(
    "answer",
    [
        b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", b"HTTP/1.1 200 OK\r\nA",
        b"\0" * 200_000,
    ],
)  # fmt: skip
def test_an_answer_that_breaks_off_or_is_none_is_an_error(answer: bytes) -> None:
    with serving(answer) as server:
        assert tried({"http": {"url": server.url}}).error_type == "Http.broken"


def test_where_nobody_listens_or_no_host_is_there_is_no_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert tried({"http": {"url": f"http://127.0.0.1:{port}/"}}).error_type == "Http.connect"
    assert tried({"http": {"url": "http://no-such-host.invalid/"}}).error_type == "Http.connect"


# Where requests may go -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "127.1", "0", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254",
     "10.0.0.1", "192.168.1.1", "[fd00::1]", "[fe80::1]", "100.64.0.1", "224.0.0.1", "[64:ff9b::7f00:1]",
     "[2002:7f00:1::]"],
)  # fmt: skip
def test_what_is_not_public_is_refused_however_it_is_written(host: str) -> None:
    came = tried({"http": {"url": f"http://{host}:9/"}}, permissions=Permissions())
    assert came.error_type == "Http.refused", came
    assert "is not public" in (came.message or "")


def test_a_name_is_resolved_once_and_what_was_looked_at_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(GOOD) as server:
        answers = [["127.0.0.1"], ["10.9.9.9"]]
        asked_for: list[str] = []

        async def rebinding(host: str, port: int) -> list[str]:
            asked_for.append(host)
            return answers.pop(0)

        monkeypatch.setattr(outgoing, "resolve", rebinding)
        http = {"http": {"url": f"http://pay.example.com:{server.port}/"}}
        assert tried(http).ok
        assert asked_for == ["pay.example.com"]
        assert server.asked[0].headers["host"] == f"pay.example.com:{server.port}"
        assert tried(http).error_type == "Http.refused"


def test_of_several_addresses_those_that_are_permitted_are_tried_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    async def several(host: str, port: int) -> list[str]:
        return ["10.9.9.9", "127.0.0.2", "127.0.0.1"]

    monkeypatch.setattr(outgoing, "resolve", several)
    with serving(GOOD) as server:
        # Nobody listens at 127.0.0.2.
        assert tried({"http": {"url": f"http://pay.example.com:{server.port}/"}}).ok


def test_only_hosts_on_the_list_are_asked() -> None:
    with serving(GOOD) as server:
        http = {"http": {"url": f"http://localhost:{server.port}/"}}
        for hosts, error_type in (
            (["localhost"], None),
            (["*"], None),
            (["*.localhost"], "Http.refused"),
            ([], "Http.refused"),
        ):
            came = tried(http, permissions=Permissions(hosts=hosts, networks=LOCAL))
            assert came.error_type == error_type, hosts


def test_redirects_are_followed_only_where_that_is_said_and_never_further_than_permitted() -> None:
    with serving(GOOD) as server:
        there = response(302, b"", "Location: /there")
        http = {"url": server.url, "method": "POST", "body": {"a": 1}}
        server.answers[:] = [there, GOOD]
        assert tried({"http": http}).error_type == "Http.302"
        server.answers[:] = [there, GOOD]
        assert tried({"http": {**http, "redirects": 1}}).ok
        assert (server.asked[-1].method, server.asked[-1].target, server.asked[-1].body) == ("GET", "/there", b"")
        assert "content-type" not in server.asked[-1].headers
        server.answers[:] = [response(307, b"", "Location: /there"), GOOD]
        assert tried({"http": {**http, "redirects": 1}}).ok
        assert (server.asked[-1].method, server.asked[-1].body) == ("POST", b'{"a":1}')
        server.answers[:] = [there]
        assert tried({"http": {**http, "redirects": 3}}).error_type == "Http.302"
        for location, error_type in (
            ("http://10.0.0.1/", "Http.refused"),
            ("http://169.254.169.254/latest", "Http.refused"),
            ("file:///etc/passwd", "Http.url"),
            ("http://a b/", "Http.url"),
        ):
            server.answers[:] = [response(302, b"", f"Location: {location}")]
            assert tried({"http": {**http, "redirects": 3}}).error_type == error_type


def test_secrets_go_nowhere_else_by_a_redirect() -> None:
    with serving(GOOD) as other, serving(response(307, b"", f"Location: {other.url}/")) as server:
        http = {"url": server.url, "redirects": 1}
        assert tried({"http": http}).ok
        came = tried(
            {"http": {**http, "headers": {"X-Key": "${secrets.key}"}}},
            permissions=Permissions(networks=LOCAL, secrets={"key": "a-secret"}),
        )
        assert came.error_type == "Http.redirect"
        assert len(other.asked) == 1


def test_the_certificate_is_that_of_the_name_and_not_of_the_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def local(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    monkeypatch.setattr(outgoing, "resolve", local)
    trusting = ssl.create_default_context(cafile=CERTIFICATE)
    monkeypatch.setattr(outgoing, "_certificates", lambda: trusting)
    showing = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    showing.load_cert_chain(CERTIFICATE)
    with serving(GOOD, tls=showing) as server:
        assert tried({"http": {"url": f"https://pay.example.com:{server.port}/"}}).ok
        other = tried({"http": {"url": f"https://other.example.com:{server.port}/"}})
        assert other.error_type == "Http.connect"
        assert "certificate" in (other.message or "")


# Secrets ---------------------------------------------------------------------------------------------------


def test_secrets_are_known_to_the_worker_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    http = {"headers": {"X-Key": "Bearer ${secrets.stripe_key}"}, "query": {"k": "${secrets.stripe_key}"}}
    request, _ = asked(dict(http), secrets={"stripe_key": "sk_live"})
    assert (request.headers["x-key"], request.target) == ("Bearer sk_live", "/?k=sk_live")
    monkeypatch.setenv("WFSIM_SECRET_STRIPE_KEY", "sk_env")
    assert asked(dict(http))[0].headers["x-key"] == "Bearer sk_env"
    for permissions, told in (
        (Permissions(networks=LOCAL, secrets={}), "Give it: wf.Permissions"),
        (Permissions(networks=LOCAL), "WFSIM_SECRET_STRIPE_KEY"),
    ):
        monkeypatch.delenv("WFSIM_SECRET_STRIPE_KEY", raising=False)
        came = tried({"http": {"url": "http://127.0.0.1:9/", **http}}, permissions=permissions)
        assert came.error_type == "Secret.missing"
        assert told in (came.message or "")


def echo(asked: Asked, connection: socket.socket) -> bytes:
    """All that came, in every spelling."""
    told = {"lines": asked.lines, "body": asked.body.decode(), asked.target: [SECRET, {SECRET: 48151623}]}
    return response(200, json.dumps(told).encode(), f"X-Echo: {asked.target}")


def echo_as_error(asked: Asked, connection: socket.socket) -> bytes:
    return echo(asked, connection).replace(b"200 Some", b"500 Some")


def test_no_secret_is_in_database_history_errors_or_logs(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secrets = {"key": SECRET, "number": "48151623"}
    with serving(echo_as_error, echo) as server:
        http = {
            "url": server.url,
            "method": "POST",
            "query": {"k": "${secrets.key}"},
            "body": {"k": "${secrets.key}", "n": "${secrets.number}", "plain": "amount"},
            "result": {"body": "${response.body}", "echo": "${response.headers.x_echo}"},
        }
        workflow = one(http=http, retry_policy={"max_attempts": 2, "initial_interval": "1ms"})
        allowed = Permissions(networks=LOCAL, secrets=secrets)
        with wf.start(workflow, store=tmp_path / "runs.db", permissions=allowed) as run:
            run.wait(timeout=10)
            assert run.outcome == "success", run.output
            failed = next(record for record in run.records if record.kind == "activity_failed")
            assert failed.payload["message"].count("***") > 3
            assert ["***", {"***": "***"}] in run.output["result"]["body"].values()
            shown = f"{run.output} {run.records} {allowed!r} {run.history.sql('FROM history').fetchall()}"
        assert json.loads(server.asked[0].body)["k"] == SECRET
    with contextlib.closing(sqlite3.connect(tmp_path / "runs.db")) as database:
        stored = "\n".join(database.iterdump())
    raw = b"".join(path.read_bytes() for path in tmp_path.iterdir()).decode("utf-8", "replace")
    for text in (stored, raw, shown):
        assert "amount" in text
    for part in ("sk_", "lyve", "_ü", "51/", "51%2", "+H", "%2BH", "48151623"):
        for text in (stored, raw, shown, caplog.text):
            assert part not in text, part


def test_a_secret_that_is_cut_off_in_an_error_is_not_told_either() -> None:
    secret = "0123456789abcdef" * 4
    for before in (200, 260, 1_150, 1_190):
        with serving(response(500, ("." * before + secret + "." * 400).encode())) as server:
            came = tried(
                {"http": {"url": server.url, "headers": {"X": "${secrets.s}"}}},
                permissions=Permissions(networks=LOCAL, secrets={"s": secret}),
            )
            assert "0123" not in (came.message or "")


# In an engine ----------------------------------------------------------------------------------------------


def test_cancelling_ends_the_exchange() -> None:
    there = threading.Event()

    def held(asked: Asked, connection: socket.socket) -> bytes:
        there.set()
        return server.hold(asked, connection)

    allowed = Permissions(networks=LOCAL)
    with serving(held) as server, wf.start(one(http={"url": server.url}), permissions=allowed) as run:
        assert there.wait(10)
        run.terminate()
        run.wait(timeout=10)
        assert run.status == "terminated"
        assert server.left.wait(10)


def test_parts_that_arrive_are_signs_of_life_and_silence_is_none() -> None:
    def slowly(asked: Asked, connection: socket.socket) -> bytes:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
        return server.hold(asked, connection)

    with serving() as server:
        server.answers[:] = [slowly]
        came = tried({"heartbeat": "300ms", "http": {"url": server.url}})
        assert came.error_type == "Timeout.heartbeat"


def test_a_function_that_is_given_comes_first() -> None:
    workflow = one(http={"url": "http://10.0.0.1/"})
    assert wf.try_activity(workflow, "f", activities={"f": lambda: "mine"}).result == "mine"


def test_each_instance_is_carried_out_as_its_own_definition_says(tmp_path: Path) -> None:
    clock = wf.ManualClock()
    with serving(GOOD) as server:
        workflow = one(http={"url": f"{server.url}/old"})
        late = workflow.model_copy(update={"version": "2.0.0"})
        new = wf.loads(wf.dumps(late).replace("/old", "/new"))
        with wf.open_engine(
            f"sqlite:///{tmp_path}/runs.db", [workflow, new], {}, permissions=Permissions(networks=LOCAL), clock=clock
        ) as engine:
            for version in ("1.0.0", "2.0.0"):
                engine.start("one", version=version, id=version).wait(timeout=10)
            assert engine.check()
        assert [one.target for one in server.asked] == ["/old", "/new"]
        assert server.asked[0].headers["host"].startswith("127.0.0.1")


def test_the_example_of_the_language_is_carried_out() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (text,) = [body for body in blocks if "http:" in body]
    charged = response(200, b'{"id": "p-17"}')
    with serving(response(503, b"", "Retry-After: 30"), charged) as server:
        workflow = wf.loads(text.replace("https://api.example.com", server.url))
        allowed = Permissions(networks=LOCAL, secrets={"payment_key": "sk_test"})
        printed = []
        receipt = {"receipt": lambda donor, payment: printed.append(payment)}
        clock = wf.ManualClock()
        given = {"donor": "ada", "amount": 500}
        with wf.start(workflow, input=given, activities=receipt, permissions=allowed, clock=clock, id="d") as run:
            clock.advance("30s")
            assert (run.state, run.output, printed) == ("thanked", {"payment": "p-17"}, ["p-17"])
        first, second = server.asked
        assert (first.target, first.body) == ("/v1/customers/ada/charges", b"amount=500&currency=eur")
        assert first.headers["idempotency-key"] == second.headers["idempotency-key"] == "d:1"
        assert second.headers["authorization"] == "Bearer sk_test"
        server.answers[:] = [response(402, b"no money")]
        with wf.start(workflow, input=given, activities=receipt, permissions=allowed) as run:
            run.wait(timeout=10)
            assert run.state == "declined"


def test_attempts_of_the_queue_are_carried_out_and_cancelled(tmp_path: Path) -> None:
    there = threading.Event()

    def held(asked: Asked, connection: socket.socket) -> bytes:
        there.set()
        return server.hold(asked, connection)

    with serving(GOOD, held) as server:
        workflow, allowed = one(http={"url": server.url}), Permissions(networks=LOCAL)
        url = f"sqlite:///{tmp_path}/runs.db"
        with wf.open_engine(url, [workflow], {}, permissions=allowed, polling=0.02) as engine:
            run = engine.start("one")
            run.wait(timeout=20)
            assert run.output["result"] == {"id": "p-1", "amount": 5}
            run = engine.start("one")
            assert there.wait(20)
            run.terminate()
            assert run.status == "terminated"
            assert server.left.wait(20)
            assert engine.check()
