"""Monitors: which case breaks which property, when it is told, and who is told."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

import wfsim as wf
from tests.stored import open_history
from tests.unit.history.test_following import door
from wfsim.errors import DefinitionError, HistoryError, OptionError, ReplayError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wfsim.monitoring.breach import Breach

HOUR = 3_600_000_000
PUSHES = {
    "shut": [{"event": "push", "delay": "1m"}],
    "open": [{"event": "push", "delay": "1m", "weight": 0.5}, {"event": "pull", "delay": "2m", "weight": 0.5}],
}
ONE_PUSH = wf.Property("at_most", {"event": "push", "times": 1}, because="it wears out")
SHUT_SOON = wf.Property("leads_to", {"from": 'entered("open")', "to": 'state == "shut"', "within": "2h"})
CLOSES = wf.Property("eventually", {"of": "closed", "within": "5h"})


def test_what_a_run_refutes_is_told_at_once_and_once() -> None:
    told: list[Breach] = []
    with wf.start(door(), clock=wf.ManualClock(), id="front") as run:
        monitor = wf.monitor(run.history, door(), [ONE_PUSH], alerts=told.append)
        assert monitor.look() == []
        run.send("push")
        assert monitor.look() == []
        run.send("pull")
        run.send("push")
        (breach,) = monitor.look()
        assert (breach.status, breach.property, breach.because) == ("violated", str(ONE_PUSH), "it wears out")
        assert breach.reason == "`event.push` is true for the 2nd time, in state 'open'."
        assert (breach.case, breach.external_id, breach.seq, breach.due) == (1, "front", run.version, None)
        run.send("push")
        assert monitor.look() == []
        assert told == monitor.breaches == [breach]
        assert "case 1 (front) of door" in str(breach)
        assert repr(monitor) == f"<Monitor of door: 1 cases, 0 open; 1 × {ONE_PUSH}>"


def test_what_should_have_come_before_is_missed_at_once() -> None:
    """A property of the past needs no deadline, and whoever keeps it is never told of."""
    first = wf.Property("precedes", {"first": "event.pull", "then": "closed"})
    with wf.start(door(), clock=wf.ManualClock()) as hasty, wf.start(door(), clock=wf.ManualClock()) as slow:
        monitors = [wf.monitor(run.history, door(), [first]) for run in (hasty, slow)]
        for event in ("push", "pull", "push"):
            slow.send(event)
        hasty.send("push")
        assert [monitor.look() for monitor in monitors] == [[], []]
        hasty.send("push")
        slow.send("push")
        (breach,), none = (monitor.look() for monitor in monitors)
        assert (breach.status, breach.seq, none) == ("violated", hasty.version, [])


def test_what_is_owed_is_told_when_it_is_due() -> None:
    clock = wf.ManualClock()
    with wf.start(door(), clock=clock) as run:
        monitor = wf.monitor(run.history, door(), [SHUT_SOON, CLOSES], clock=clock.now)
        run.send("push")
        clock.advance("1h")
        assert monitor.look() == []
        assert [(row.owed, row.next_due) for row in monitor.df().itertuples()] == [
            (1, "1970-01-01T02:00:00+00:00"),
            (1, "1970-01-01T05:00:00+00:00"),
        ]
        clock.advance("1h")
        assert monitor.look() == []
        clock.advance("1s")
        (breach,) = monitor.look()
        assert (
            breach.reason
            == 'After `entered("open")`, `state == "shut"` never becomes true within 2h, in state \'open\'.'
        )
        assert (breach.time, breach.due, breach.at) == (2 * HOUR, 2 * HOUR, "1970-01-01T02:00:00+00:00")
        clock.advance("3h")
        assert [each.property for each in monitor.look()] == [str(CLOSES)]


def test_an_answer_in_time_owes_nothing_and_the_next_counts_anew() -> None:
    clock = wf.ManualClock()
    with wf.start(door(), clock=clock) as run:
        monitor = wf.monitor(run.history, door(), [SHUT_SOON], clock=clock.now)
        for wait in ("2h", "90m"):
            run.send("push")
            clock.advance(wait)
            run.send("pull")
        assert monitor.look() == []
        run.send("push")
        clock.advance("3h")
        # It came, but late; nobody looked meanwhile.
        run.send("pull")
        (breach,) = monitor.look()
        assert breach.due == int(5.5 * HOUR)


def test_a_case_that_ends_owing_is_told_then() -> None:
    shut = wf.Property("leads_to", {"from": 'entered("open")', "to": 'state == "shut"'})
    with wf.start(door(), clock=wf.ManualClock()) as run:
        monitor = wf.monitor(run.history, door(), [shut])
        run.send("push")
        assert monitor.look() == []
        run.send("push")
        (breach,) = monitor.look()
        assert breach.reason.endswith("never becomes true: the run ends in state 'gone' (completed).")


def test_a_monitor_finds_what_a_search_says_there_is() -> None:
    """The campaign watches while it simulates, the monitor tells the history again: both find the same first case."""
    scenario = wf.Scenario(arrivals={"every": "1m"}, cases=40, seed=4, events=PUSHES)
    verdict = wf.explore_seeds(door(), scenario, properties=[ONE_PUSH], seeds=[4], progress=False)
    with wf.simulate(door(), scenario, progress=False) as history:
        breaches = list(wf.monitor(history, door(), [ONE_PUSH]).follow())
        pushed = history.sql(
            "SELECT count(*) FROM (SELECT \"case\" FROM history WHERE kind = 'event_received' AND event = 'push' "
            'GROUP BY "case" HAVING count(*) > 1)'
        ).fetchall()
    assert verdict.status == "violated"
    assert len(breaches) == pushed[0][0] > 0


def test_a_claim_without_a_value_is_an_error_and_the_others_go_on() -> None:
    definition = wf.Workflow.model_validate(
        door().model_dump(by_alias=True, exclude_defaults=True)
        | {"variables": {"n": {"type": "integer", "optional": True}}}
    )
    with wf.start(definition, clock=wf.ManualClock()) as run:
        monitor = wf.monitor(run.history, definition, [wf.Property("never", "context.n > 1"), ONE_PUSH])
        (breach,) = monitor.look()
        assert (breach.status, breach.property) == ("error", "never(context.n > 1)")
        run.send("push")
        run.send("push")
        assert [each.property for each in monitor.look()] == [str(ONE_PUSH)]


def test_a_property_file_is_watched_but_for_what_is_about_all_runs() -> None:
    order = wf.example("order_processing")
    scenario = wf.load_scenario("models/order_processing.scenario.yaml")
    with wf.simulate(order, scenario, cases=30, progress=False) as history:
        monitor = wf.monitor(history, order, "verification/order_processing.yaml")
        assert monitor.look() == []
        assert "no_failure" in [str(each) for each in monitor.properties]
        assert monitor.left_out["can_complete"] == "it is about all runs, not about single ones"
        assert (monitor.df()["watched"] == 30).all()
        assert "Not watched: can_complete" in monitor._repr_html_()


def test_an_alert_that_raises_loses_no_breach() -> None:
    told: list[Breach] = []

    def alert(breach: Breach) -> None:
        told.append(breach)
        if len(told) == 1:
            raise RuntimeError("no network")

    with wf.start(door(), clock=wf.ManualClock()) as run:
        monitor = wf.monitor(run.history, door(), [ONE_PUSH], alerts=[alert])
        run.send("push")
        run.send("push")
        with pytest.raises(RuntimeError, match="no network"):
            monitor.look()
        assert monitor.look() == []
        assert told == monitor.breaches * 2


def test_what_cannot_be_watched_is_refused() -> None:
    thin = wf.simulate(door(), cases=2, log="transitions", progress=False)
    with thin, pytest.raises(ReplayError, match="log='full'"):
        wf.monitor(thin, door(), [ONE_PUSH]).look()
    with wf.simulate(door(), cases=2, progress=False) as history:
        with pytest.raises(DefinitionError, match="nothing is left to watch: can_complete: it is about all runs"):
            wf.monitor(history, door(), [wf.Property("can_complete")])
        with pytest.raises(DefinitionError, match="state 'opn' is not in the workflow"):
            wf.monitor(history, door(), [wf.Property("never", 'in("opn")')])
        with pytest.raises(HistoryError, match="a part of a history's time is not watched"):
            wf.monitor(history.between(0, "1h"), door(), [ONE_PUSH])
        with (
            wf.read_log(history.log("states").arrow()) as log,
            pytest.raises(HistoryError, match=r"imported from a log, .* wf\.align"),
        ):
            wf.monitor(log, door(), [ONE_PUSH])
        with pytest.raises(TypeError, match="monitor takes as alerts callables"):
            wf.monitor(history, door(), [ONE_PUSH], alerts=[7])  # type: ignore[list-item]


def test_the_numbers_are_those_that_prometheus_reads() -> None:

    clock = wf.ManualClock()
    with wf.start(door(), clock=clock) as run:
        monitor = wf.monitor(run.history, door(), [ONE_PUSH, SHUT_SOON], clock=clock.now)
        run.send("push")
        run.send("push")
        monitor.look()
        read = {
            (sample.name, sample.labels.get("property")): sample.value
            for family in text_string_to_metric_families(monitor.metrics())
            for sample in family.samples
        }
        assert read["wfsim_violations_total", str(ONE_PUSH)] == 1
        assert read["wfsim_violations_total", str(SHUT_SOON)] == 1
        assert read["wfsim_watched_cases_total", None] == 1
        assert read["wfsim_open_cases", None] == 0
        (group,) = yaml.safe_load(monitor.rules())["groups"]
        assert [each["alert"] for each in group["rules"]][:2] == [
            "WorkflowPropertyViolated",
            "WorkflowPropertyWithoutValue",
        ]
        names = {sample for sample, _ in read} | {"wfsim_next_due_timestamp_seconds"}
        for rule in group["rules"]:
            assert any(name in rule["expr"] for name in names)
        with pytest.raises(OptionError, match="stale='0s'"):
            monitor.rules(stale="0s")


class Taker(BaseHTTPRequestHandler):
    """Answers as it is told to, and keeps what came."""

    answers: list[int]
    came: list[dict[str, Any]]

    def do_POST(self) -> None:
        self.came.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(self.answers.pop(0) if self.answers else 204)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(name="address")
def an_address() -> Iterator[str]:
    Taker.answers, Taker.came = [], []
    server = HTTPServer(("127.0.0.1", 0), Taker)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hook"
    server.shutdown()
    server.server_close()


def two_breaches(webhook: wf.Webhook) -> None:
    with wf.simulate(door(), wf.Scenario(arrivals={"every": "1m"}, cases=2, events=PUSHES), progress=False) as history:
        assert len(wf.monitor(history, door(), [wf.Property("never", "closed")], alerts=webhook).look()) == 2


def test_a_webhook_sends_and_tries_again(address: str) -> None:
    webhook = wf.Webhook(address)
    Taker.answers = [503, 204, 204]
    two_breaches(webhook)
    webhook.close()
    assert (webhook.sent, webhook.failures) == (2, [])
    assert [each["case"] for each in Taker.came] == [1, 1, 2]
    assert Taker.came[0]["text"].startswith("violated: never(closed): case 1 of door")


def test_a_webhook_that_fails_stops_nothing_and_is_told(address: str) -> None:
    webhook = wf.Webhook(address, body=lambda breach: {"n": breach.case})
    Taker.answers = [404, 204]
    two_breaches(webhook)
    webhook.close()
    assert webhook.sent == 1
    assert "HTTP Error 404" in webhook.failures[0]
    assert Taker.came == [{"n": 1}, {"n": 2}]
    gone = wf.Webhook("http://127.0.0.1:9/", attempts=1, timeout=1)
    two_breaches(gone)
    gone.close()
    assert len(gone.failures) == 2
    with pytest.raises(OptionError, match="is no address to send to"):
        wf.Webhook("file:///etc/passwd")


def test_another_version_is_watched_where_the_properties_fit(tmp_path: Path) -> None:
    changed = door().model_dump(by_alias=True, exclude_defaults=True) | {"version": "2.0.0", "events": {"push": {}}}
    changed["transitions"] = [each for each in changed["transitions"] if each.get("event") != "pull"]
    newer = wf.Workflow.model_validate(changed)
    path = tmp_path / "doors.db"
    for definition in (door(), newer):
        with wf.start(definition, clock=wf.ManualClock(), store=path) as run:
            run.send("push")
            run.send("push")
    with open_history(path) as history:
        monitor = wf.monitor(history, door(), [ONE_PUSH])
        assert [each.version for each in monitor.look()] == ["1.0.0", "2.0.0"]
        pulled = wf.monitor(history, door(), [wf.Property("never", "event.pull")])
        assert pulled.look() == []
        assert "event 'pull' is not in the workflow" in pulled.left_out["door 2.0.0"]
