"""What a service shows: drawings, statistics, schedules, figures; and the commands that make keys."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

import wfsim as wf
from tests.service.served import caller, order, serving
from wfsim.errors import DefinitionError, EngineError, WfsimError
from wfsim.runtime.modules import activities_in
from wfsim.service import statistics
from wfsim.service.keys import Role
from wfsim.service.serving import Server

ROOT = "{http://www.w3.org/2000/svg}svg"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as found:
        with wf.connect(found.url) as engine:
            engine.start("order", {"total": 3}, id="open")
            engine.start("order", {"total": 3}, id="dropped").send("drop")
            run = engine.start("order", {"total": 3}, id="shipped")
            run.send("pay", amount=3)
            run.wait(lambda run: run.activities[0].phase == "running", timeout="20s")
            engine.complete(run.correlation_ids[0], "r")
        yield found


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    with caller(server) as found:
        yield found


def test_a_definition_is_drawn_and_an_instance_with_where_it_is_and_was(client: httpx.Client) -> None:
    plain = client.get("/v1/definitions/order/latest/drawing")
    assert plain.headers["Content-Type"] == "image/svg+xml"
    assert ET.fromstring(plain.text).tag == ROOT
    assert "active:" not in plain.text
    lit = client.get("/v1/instances/shipped/drawing").text
    assert ET.fromstring(lit).tag == ROOT
    told = ET.fromstring(lit).findtext("{http://www.w3.org/2000/svg}desc") or ""
    assert "active: shipped" in told
    assert "visited: created, pay, charging, done" in told


def test_states_and_transitions_are_there_as_data_with_how_often_an_instance_came_that_way(
    client: httpx.Client, server: Server
) -> None:
    plain = client.get("/v1/definitions/order/latest/graph").json()
    assert plain["workflow"] == "order"
    charging = next(each for each in plain["nodes"] if each["id"] == "charging")
    assert charging == charging | {"label": "charging", "work": "charge", "active": None, "visits": None}
    lit = client.get("/v1/instances/shipped/graph").json()
    assert {each["id"]: (each["visits"], each["active"]) for each in lit["nodes"]} == {
        "created": (1, False),
        "charging": (1, False),
        "shipped": (1, True),
        "dropped": (0, False),
    }
    assert [(each["source"], each["target"]) for each in lit["edges"] if each["taken"] == 1] == [
        ("created", "charging"),
        ("charging", "shipped"),
    ]
    assert client.get("/v1/instances/nobody/graph").status_code == 404


def test_an_instance_that_has_moved_is_drawn_with_what_it_took_since() -> None:
    text = """
    name: moving
    version: 1.0.0
    initial_state: a
    events: {first: {}, other: {}, second: {}}
    states: [{name: a}, {name: b}, {name: c, is_terminal: true}]
    transitions:
      - {from: a, event: other, to: c}
      - {from: a, event: first, to: b}
      - {from: b, event: second, to: c}
    """
    with serving() as server, caller(server) as client:
        engine = server.tenants.default.engine
        engine.publish(wf.loads(text))
        engine.start("moving", id="m").send("first")
        engine.publish(wf.loads(text.replace("1.0.0", "1.1.0").replace("- {from: a, event: other, to: c}", "")))
        assert [each.moves for each in engine.migrate("moving", to="1.1.0", dry_run=False)] == [True]
        engine.send("m", "second")
        taken = [each["taken"] for each in client.get("/v1/instances/m/graph").json()["edges"]]
        assert taken == [0, 1]
        assert client.get("/v1/instances/m/drawing").status_code == 200


def test_statistics_count_what_has_happened(client: httpx.Client) -> None:
    def rows(name: str, **asked: str) -> list[dict[str, object]]:
        answer = client.get(f"/v1/statistics/{name}", params=asked)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, object]] = answer.json()["rows"]
        return found

    assert [(each["status"], each["state"], each["instances"]) for each in rows("states")] == [
        ("completed", "dropped", 1),
        ("completed", "shipped", 1),
        ("open", "created", 1),
    ]
    (charge,) = rows("activities", workflow="order")
    assert (charge["activity"], charge["attempts"], charge["successes"]) == ("charge", 1, 1)
    assert {(each["outcome"], each["instances"]) for each in rows("durations")} == {("success", 1), ("failure", 1)}
    assert rows("activities", activity="charge") == rows("activities")
    assert rows("activities", activity="nobody") == []
    assert rows("durations", until="2020-01-01T00:00:00Z") == []
    assert len(rows("durations", since="2020-01-01T00:00:00Z")) == 2
    started = [each["started"] for each in rows("trend", bucket="1d")]
    assert sum(started) == 3  # type: ignore[arg-type]
    paths = rows("hot-paths", limit="1")
    assert len(paths) == 1
    assert {each["path"] for each in rows("hot-paths")} == {"created → dropped", "created → charging → shipped"}
    assert {each["name"] for each in rows("bottlenecks")} >= {"created", "charging", "charge"}


def test_schedules_say_when_they_come_next(client: httpx.Client) -> None:
    (found,) = client.get("/v1/schedules", params={"count": 3}).json()["schedules"]
    assert (found["workflow"], found["schedule"]) == ("order", "nightly")
    assert [each[11:] for each in found["next"]] == ["02:30:00+00:00"] * 3


STUCK = (
    "name: stuck\ninitial_state: a\nevents: {go: {}}\n"
    "states: [{name: a}, {name: b, is_terminal: true}]\ntransitions: []\n"
)


def test_a_definition_is_judged_without_being_published(client: httpx.Client) -> None:
    answer = client.post("/v1/definitions/validate", json={"definition": STUCK, "verify": True, "max_seconds": 1})
    found = answer.json()
    assert not found["ok"]
    assert "no-way-to-terminal" in {each["code"] for each in found["findings"]}
    assert {each["property"]: each["status"] for each in found["verdicts"]}["can_complete"] == "violated"
    assert client.get("/v1/definitions/stuck").status_code == 404


def test_what_lint_and_verdicts_speak_against_is_not_published_if_they_are_asked(
    client: httpx.Client, server: Server
) -> None:
    for asked, code in (({"lint": "error"}, "no-way-to-terminal"), ({"verify": True}, "can_complete")):
        answer = client.post("/v1/definitions", json={"definition": STUCK, **asked})
        assert (answer.status_code, answer.json()["code"]) == (422, "definition")
        assert code in {each["place"] for each in answer.json()["problems"]}
        assert client.get("/v1/definitions/stuck").status_code == 404
    # A warning is one that is asked about; what the service has may be met.
    warned = wf.dumps(order()).replace("name: order", "name: warned", 1).replace("drop: {}", "drop: {}\n  unused: {}")
    found = client.post("/v1/definitions/validate", json={"definition": warned}).json()
    assert found["ok"]
    assert {each["severity"] for each in found["findings"]} >= {"warning"}
    with wf.connect(server.url) as engine:
        with pytest.raises(DefinitionError, match=r"warned 1\.0\.0 is not published") as refused:
            engine.publish(wf.loads(warned), lint="warning")
        assert "event-unused" in refused.value.codes
        engine.publish(wf.loads(warned), lint="error", verify=True)
        assert "warned" in engine.workflows
        # Nobody asked.
        engine.publish(wf.loads(STUCK.replace("stuck", "stuck_too")))
        assert "stuck_too" in engine.workflows


def test_prometheus_is_told_what_there_is(client: httpx.Client) -> None:
    answer = client.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    told = dict(line.rsplit(" ", 1) for line in answer.text.splitlines() if not line.startswith("#"))
    assert told['wfsim_instances{status="completed",workflow="order"}'] == "2.0"
    assert told['wfsim_instances{status="running",workflow="order"}'] == "1.0"
    assert (told["wfsim_queue_depth"], told["wfsim_due"], told["wfsim_overdue"]) == ("0.0", "1.0", "0.0")
    assert told['wfsim_records_total{kind="started",workflow="order"}'] == "3.0"
    assert told['wfsim_attempts_ended_total{activity="charge",outcome="succeeded",workflow="order"}'] == "1.0"
    assert told['wfsim_attempt_seconds_count{activity="charge",workflow="order"}'] == "1.0"
    assert float(told["wfsim_step_seconds_count"]) >= 6
    assert float(told['wfsim_http_requests_total{method="POST",route="/v1/instances",status="201"}']) == 3


def test_it_is_well_until_it_is_told_to_end(server: Server, client: httpx.Client) -> None:
    assert client.get("/health").json()["status"] == "ok"
    assert client.get("/ready").status_code == 200
    server.app.state.stopping.set()
    answer = client.get("/ready")
    server.app.state.stopping.clear()
    assert (answer.status_code, answer.json()["status"]) == (503, "stopped")


def test_activities_of_a_module_are_its_functions_or_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "plain_work.py").write_text(
        "from os.path import join\ndef charge(total): return total\ndef _helper(): pass\nclass Other: pass\n"
    )
    (tmp_path / "named_work.py").write_text("ACTIVITIES = {'order.charge@2': print}\n")
    (tmp_path / "empty_work.py").write_text("n = 1\n")
    assert list(activities_in(["plain_work"])) == ["charge"]
    assert list(activities_in(["named_work", "plain_work"])) == ["order.charge@2", "charge"]
    with pytest.raises(EngineError, match="empty_work has no function"):
        activities_in(["empty_work"])
    with pytest.raises(EngineError, match=r"nothing cannot be imported.*Modules here: .*plain_work"):
        activities_in(["nothing"])
    (tmp_path / "second_work.py").write_text("def charge(): pass\n")
    with pytest.raises(EngineError, match="two modules have an activity 'charge', the second one is second_work"):
        activities_in(["plain_work", "second_work"])


def test_a_port_that_is_taken_is_told(server: Server) -> None:
    port = int(server.url.rpartition(":")[2])
    with pytest.raises(WfsimError, match=f"nobody can listen on 127.0.0.1:{port}.*Choose another"):
        Server(server.tenants, port=port)


def test_a_workflow_is_published_as_it_is(client: httpx.Client) -> None:
    published = client.get("/v1/definitions/order/1.0.0").json()
    assert published["events"] == {"pay": {"amount": "integer"}, "drop": {}, "ring": {}}
    text = published["definition"]
    assert wf.loads(text) == order()


def test_statistics_answer_in_time_and_go_on_where_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address, history = f"sqlite:///{tmp_path}/runs.db", tmp_path / "history.duckdb"
    with serving(address, activities={}, history=history) as server, caller(server) as client:
        for number in range(3):
            body = {"workflow": "order", "id": f"o{number}", "input": {"total": 1}}
            assert client.post("/v1/instances", json=body).status_code == 201
        with monkeypatch.context() as patched:
            patched.setattr(statistics, "SECONDS", 0.0)
            late = client.get("/v1/statistics/trend")
            assert (late.status_code, late.json()["code"], late.headers["Retry-After"]) == (503, "catching_up", "1")
        (row,) = client.get("/v1/statistics/trend").json()["rows"]
        assert row["started"] == 3
    with wf.open_history(history) as kept:
        assert len(kept.cases()) == 3
    with serving(address, activities={}, history=history) as server, caller(server, Role.VIEWER, "acme") as client:
        assert client.get("/v1/statistics/trend").json()["rows"] == []
        assert server.tenants.default.engine.history.lag == 0
    assert {each.name for each in tmp_path.glob("*.duckdb")} == {"history.duckdb", "history.acme.duckdb"}
