"""Keys, roles and namespaces: every route is tried by everybody who must not use it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

import wfsim as wf
from tests.service.served import caller, order, serving
from wfsim.cli import app
from wfsim.errors import ServiceError, WfsimError
from wfsim.runtime.database import Database
from wfsim.service import allowances
from wfsim.service.app import openapi
from wfsim.service.door import Door
from wfsim.service.keys import Keys, Role, role_of
from wfsim.service.limits import Limits
from wfsim.service.serving import Server
from wfsim.service.tenants import address_of

SECRET = "theirs-only"
"""Stands in everything that the other tenant has, and in nothing else."""

# What may be looked at without a key, and says nothing about anybody.
OPEN = {"/health", "/ready"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    # A file: in memory a namespace without workers refuses what needs one.
    with serving(f"sqlite:///{tmp_path_factory.mktemp('runs')}/runs.db", activities={}) as found:
        yield found


@pytest.fixture(scope="module")
def theirs(server: Server) -> Iterator[httpx.Client]:
    """Another tenant, with an instance, a definition, an audit and statistics."""
    client = caller(server, Role.ADMIN, "theirs")
    secret = wf.dumps(order()).replace("name: order", f"name: {SECRET}", 1)
    for text in (wf.dumps(order()), secret):
        assert client.post("/v1/definitions", json={"definition": text}).status_code == 201
    for name, workflow in ((SECRET, "order"), (f"{SECRET}-2", SECRET)):
        body = {"workflow": workflow, "id": name, "input": {"total": 1}}
        assert client.post("/v1/instances", json=body).status_code == 201
        sent = client.post(f"/v1/instances/{name}/events", json={"event": "pay", "payload": {"amount": 1}})
        assert sent.json()["answer"] == "accepted"
    yield client
    client.close()


def routes(server: Server) -> list[tuple[str, str, Role, bool]]:
    """Method, path, role, and whether it changes something, as the description says."""
    found = []
    for path, operations in openapi()["paths"].items():
        for method, each in operations.items():
            if path not in OPEN:
                found.append((method.upper(), path, role_of(each["x-role"]), each["x-changes"]))
    assert len(found) > 25
    return found


def test_every_route_is_behind_the_door_and_says_its_role(server: Server) -> None:
    behind = {route.path for route in _all_routes(server.app) if isinstance(route, Door)}
    described = set(openapi()["paths"])
    assert described - behind == OPEN


def _all_routes(app: Any) -> Iterator[Any]:
    waiting = list(app.routes)
    while waiting:
        each = waiting.pop()
        yield each
        inner = getattr(each, "original_router", None) or getattr(each, "router", None)
        waiting += getattr(each, "routes", None) or getattr(inner, "routes", None) or []


def request_to(method: str, path: str) -> dict[str, Any]:
    """A request that would do something to the other tenant's things, if it could."""
    bodies: dict[str, dict[str, Any]] = {
        "/v1/definitions": {"definition": wf.dumps(order())},
        "/v1/definitions/validate": {"definition": wf.dumps(order())},
        "/v1/instances": {"workflow": SECRET, "input": {"total": 1}},
        "/v1/instances/{id}/events": {"event": "drop"},
        "/v1/instances/{id}/commands": {"command": "terminate"},
        "/v1/commands": {"ids": [SECRET, f"{SECRET}-2"], "command": "terminate"},
        "/v1/instances/{id}/why-not": {"name": "pay"},
        "/v1/webhooks": {"url": "https://shop.example/theirs"},
        "/v1/webhooks/{id}/repeat": {},
        "/v1/activities/complete": {"correlation_id": f"{SECRET}:1:1", "result": "stolen"},
        "/v1/activities/fail": {"correlation_id": f"{SECRET}:1:1", "error_type": "Stolen"},
        "/v1/activities/heartbeat": {"correlation_id": f"{SECRET}:1:1"},
    }
    url = path.replace("{id}", SECRET).replace("{name}", SECRET).replace("{version}", "latest")
    url = url.replace("{correlation_id}", f"{SECRET}:1:1")
    return {"method": method, "url": url, **({"json": bodies[path]} if method == "POST" else {})}


def first(client: httpx.Client, asked: dict[str, Any]) -> tuple[int, str]:
    """Status and text; of a stream what comes within a moment."""
    is_stream = asked["method"] == "GET" and asked["url"].endswith("/events")
    with client.stream(**asked, timeout=httpx.Timeout(20, read=0.2 if is_stream else 20)) as answer:
        text = ""
        try:
            for each in answer.iter_text():
                text += each
        except httpx.ReadTimeout:
            assert answer.headers["content-type"].startswith("text/event-stream")
        return answer.status_code, text


def test_nobody_comes_in_without_a_valid_key(server: Server, theirs: httpx.Client) -> None:
    key, text = server.tenants.keys.add("gone", Role.ADMIN, "theirs")
    server.tenants.keys.revoke(key.id)
    wrong = [None, "", "Bearer", "Bearer x", f"Bearer {text}", f"Basic {text}", f"Bearer {text[:-1]}", "Bearer a_b_c"]
    with caller(server) as client:
        for n, (method, path, _, _) in enumerate(routes(server)):
            # Each route with some of them, and with none.
            for given in (None, wrong[n % len(wrong)]):
                headers = {} if given is None else {"Authorization": given}
                answer = client.request(**request_to(method, path), headers=headers)
                assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated"), (method, path, given)
                assert SECRET not in answer.text


def test_a_role_does_what_it_may_and_no_more(server: Server) -> None:
    clients = {role: caller(server, role, "roles") for role in Role}
    for method, path, needed, _ in routes(server):
        status, text = first(clients[needed], request_to(method, path))
        assert status != 403, (method, path, text)
        if needed > Role.VIEWER:
            status, text = first(clients[Role(needed - 1)], request_to(method, path))
            assert status == 403, (method, path, text)
            assert json.loads(text)["detail"].startswith(f"this needs the role {needed.word}")
    for client in clients.values():
        client.close()


def test_no_route_shows_or_touches_what_another_tenant_has(server: Server, theirs: httpx.Client) -> None:
    before = everything(theirs)
    assert SECRET in before
    with caller(server, Role.ADMIN, "ours") as client:
        # The audit first: later it has what is tried here.
        for method, path, _, _ in sorted(routes(server), key=lambda each: each[1] != "/v1/audit"):
            asked = request_to(method, path)
            status, text = first(client, asked)
            assert status < 500, (method, path, text)
            # What the caller itself has asked for may stand in the refusal.
            if status < 400:
                asked_for = json.dumps(asked.get("json", {})) + asked["url"]
                if SECRET not in asked_for:
                    assert SECRET not in text, (method, path, text)
                else:
                    assert path in ("/v1/commands",), (method, path, text)
                    missing = {"answer": "missing", "fate": "missing", "state": None, "version": None}
                    assert json.loads(text)["results"] == {SECRET: missing, f"{SECRET}-2": missing}
            else:
                assert status in (404, 409, 422), (method, path, text)
                assert "Did you mean" not in text
    assert everything(theirs) == before


def everything(client: httpx.Client) -> str:
    """All that the other tenant can see of its own, but what looking leaves itself."""
    paths = ["definitions", "instances", f"instances/{SECRET}", f"instances/{SECRET}/history"]
    paths += [f"instances/{SECRET}-2/history", "statistics/states", "statistics/activities", "audit"]
    return json.dumps([client.get(f"/v1/{path}").json() for path in paths])


def test_the_same_ids_and_names_in_two_namespaces_are_two_things(server: Server) -> None:
    with caller(server, Role.ADMIN, "left") as left, caller(server, Role.ADMIN, "right") as right:
        for client, version in ((left, "1.0.0"), (right, "3.0.0")):
            text = wf.dumps(order().model_copy(update={"version": version}))
            assert client.post("/v1/definitions", json={"definition": text}).status_code == 201
            answer = client.post(
                "/v1/instances",
                json={"workflow": "order", "id": "o", "input": {"total": 1}},
                headers={"Idempotency-Key": "same"},
            )
            assert answer.json()["definition_version"] == version
        left.post("/v1/instances/o/events", json={"event": "drop"})
        assert left.get("/v1/instances/o").json()["state"] == "dropped"
        assert right.get("/v1/instances/o").json()["state"] == "created"


def test_quotas_count_a_namespace_alone(tmp_path: Path) -> None:
    with (
        serving(f"sqlite:///{tmp_path}/runs.db", activities={}, limits=Limits(open_instances=2)) as server,
        caller(server, Role.ADMIN, "full") as full,
        caller(server, Role.ADMIN, "empty") as empty,
    ):
        for client in (full, empty):
            client.post("/v1/definitions", json={"definition": wf.dumps(order())})
        body = {"workflow": "order", "input": {"total": 1}}
        made = [full.post("/v1/instances", json=body, headers={"Idempotency-Key": key}) for key in "aabc"]
        assert [each.status_code for each in made] == [201, 201, 201, 429]
        assert (made[-1].json()["code"], made[-1].headers["Retry-After"]) == ("quota", "60")
        assert empty.post("/v1/instances", json=body).status_code == 201


def test_what_a_namespace_is_allowed_changes_while_it_is_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(allowances, "FRESH", 0.0)
    address = f"sqlite:///{tmp_path}/runs.db"
    with (
        serving(address, activities={}, limits=Limits(rate=1e6, burst=10**6, open_instances=1)) as server,
        caller(server, Role.ADMIN, "acme") as acme,
        caller(server, Role.ADMIN, "other") as other,
    ):
        body = {"workflow": "order", "input": {"total": 1}}

        def started(client: httpx.Client) -> int:
            return client.post("/v1/instances", json=body).status_code

        for client in (acme, other):
            client.post("/v1/definitions", json={"definition": wf.dumps(order())})
            assert [started(client), started(client)] == [201, 429]
        limits = CliRunner().invoke(app, ["limits", "-d", address, "--namespace", "acme", "--max-open", "2"])
        assert "2 open instances" in limits.output
        assert [started(acme), started(acme), started(other)] == [201, 429, 429]
        # Another process sets it, as the command does.
        known = allowances.Allowances(Database(address))
        known.set("acme", allowances.Allowance(rate=0.1, open_instances=2))
        assert [acme.get("/v1/caller").status_code for _ in range(3)][1:] == [429, 429]
        assert other.get("/v1/caller").status_code == 200
        known.set("acme", allowances.Allowance())
        assert [acme.get("/v1/caller").status_code, started(acme)] == [200, 429]


@pytest.mark.parametrize(
    "wrong", [{"rate": 0}, {"rate": True}, {"rate": "7"}, {"open_instances": -1}, {"open_instances": 1.5}]
)
def test_what_is_no_allowance_is_refused(wrong: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(WfsimError, match=next(iter(wrong))):
        allowances.Allowance(**wrong)
    told = CliRunner().invoke(app, ["limits", "-d", f"sqlite:///{tmp_path}/runs.db", "--rate", "much"])
    assert isinstance(told.exception, WfsimError)
    assert "--rate is 'much'" in str(told.exception)
    with pytest.raises(WfsimError, match="a namespace has"):
        allowances.Allowances(Database(f"sqlite:///{tmp_path}/runs.db")).set("No", allowances.Allowance())


def test_an_audit_says_who_did_what_and_so_does_the_history(server: Server) -> None:
    with caller(server, Role.ADMIN, "audited", name="Ada") as ada:
        ada.post("/v1/definitions", json={"definition": wf.dumps(order())})
        ada.post("/v1/instances", json={"workflow": "order", "id": "o/1", "input": {"total": 1}})
        sent = ada.post("/v1/instances/o%2F1/events", json={"event": "nothing"})
        ada.get("/v1/instances")
        entries = ada.get("/v1/audit").json()["entries"]
        assert [(each["name"], each["method"], each["path"], each["status"]) for each in entries] == [
            ("Ada", "POST", "/v1/instances/o/1/events", 422),
            ("Ada", "POST", "/v1/instances", 201),
            ("Ada", "POST", "/v1/definitions", 201),
        ]
        assert entries[0]["request"] == sent.headers["X-Request-Id"] == sent.json()["request"]
        records = ada.get("/v1/instances/o%2F1/history").json()["records"]
        assert records[0]["metadata"]["wfsim"]["by"] == "Ada"
        page = ada.get("/v1/audit", params={"limit": 2}).json()
        assert [each["number"] for each in ada.get("/v1/audit", params={"after": page["after"]}).json()["entries"]] == [
            1
        ]


def test_nobody_speaks_for_the_service(server: Server) -> None:
    with caller(server, Role.OPERATOR) as client:
        body = {"workflow": "order", "input": {"total": 1}, "metadata": {"wfsim": {"by": "Bob"}}}
        answer = client.post("/v1/instances", json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


def test_without_keys_only_this_machine_is_answered_under_its_own_name() -> None:
    with serving() as server:
        assert httpx.get(f"{server.url}/v1/caller").json()["role"] == "admin"
        for host in ("evil.example", "evil.example:80", "localhost.evil.example", "", "[::1", "a@evil.example"):
            answer = httpx.get(f"{server.url}/v1/caller", headers={"Host": host})
            assert answer.status_code in (400, 401), host
        port = server.url.rpartition(":")[2]
        assert httpx.get(f"{server.url}/v1/caller", headers={"Host": f"localhost:{port}"}).status_code == 200
        with pytest.raises(WfsimError, match=r"there is no key, so everybody who reaches 0\.0\.0\.0"):
            Server(server.tenants, host="0.0.0.0", port=0)
        # From the first key on nobody comes in without, also when all are revoked.
        key, _ = server.tenants.keys.add("first", Role.VIEWER)
        assert httpx.get(f"{server.url}/v1/caller").status_code == 401
        server.tenants.keys.revoke(key.id)
        assert httpx.get(f"{server.url}/v1/caller").status_code == 401


def test_a_client_is_told_what_is_wrong_with_its_key(server: Server) -> None:
    with pytest.raises(ServiceError, match="unknown, or was revoked") as refused:
        wf.connect(server.url, key="wfsim_a_b")
    assert refused.value.code == "unauthenticated"
    _, text = server.tenants.keys.add("looks", Role.VIEWER)
    why = "needs the role operator, and the key 'looks' has the role viewer"
    with wf.connect(server.url, key=text) as engine, pytest.raises(ServiceError, match=why):
        engine.start("order", {"total": 1})


def test_of_a_key_nothing_is_stored_that_opens(tmp_path: Path) -> None:
    keys = Keys(Database(f"sqlite:///{tmp_path}/runs.db"))
    key, text = keys.add("Ada", Role.OPERATOR, "acme")
    assert keys.of(text) == key
    secret = text.split("_", 2)[2]
    files = [path.read_bytes() for path in tmp_path.iterdir()]
    assert all(secret.encode() not in each for each in files)
    assert [each.name for each in keys.list()] == ["Ada"]
    assert keys.revoke(key.id).revoked is not None
    assert keys.of(text) is None
    with pytest.raises(WfsimError, match="there is no key"):
        keys.revoke("nothing")
    with pytest.raises(WfsimError, match=r"'oprator' is not a role. Did you mean 'operator'\?"):
        role_of("oprator")


@pytest.mark.parametrize("wrong", ["", "Acme", "a-b", "../x", "a b", "1a", "a" * 31, 7, None])
def test_a_namespace_has_a_name_that_a_file_can_have(wrong: Any) -> None:
    with pytest.raises(WfsimError, match="a namespace has 1 to 30"):
        address_of("sqlite:///runs.db", wrong)


def test_where_a_namespace_lies() -> None:
    assert address_of("sqlite:////a.b/runs", "acme") == "sqlite:////a.b/runs.acme"
    assert address_of("sqlite:///runs.db", "default") == "sqlite:///runs.db"
    assert address_of("postgresql://u:p@h:5/runs", "acme") == "postgresql://u:p@h:5/runs_acme"
