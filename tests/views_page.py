"""`docs/views.md`: every view of a history with its columns, their units, and what it answers for a history of orders.

`python -m tests.views_page` writes it anew; a test compares.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import wfsim as wf

PAGE = Path(__file__).parents[1] / "docs/views.md"
MODELS = Path(__file__).parents[1] / "models"
ROWS = 3
HEAD = """\
# The views of a history

Written by `python -m tests.views_page` from the views themselves. docs/history.md says how they are asked, what
business hours and parts of the time do to them, and which tables lie below.

Times (µs) are whole microseconds since time 0 of the run, durations whole microseconds; a mean or a quantile of
them is a double. Every view with a column `run` keeps runs apart, every one with `workflow` the workflows of a
run.

The SQL behind a view: `history.sql("FROM dfg").query`. The rows below are the first of 300 simulated orders, where
nothing else is said:

```python
order, plan = wf.load("models/order_processing.yaml"), wf.load_scenario("models/order_processing.scenario.yaml")
history = wf.simulate(order, plan, cases=300, seed=1)
```
"""


class Section(NamedTuple):
    """A view: how it is asked, what it says, the columns and rows that the example shows, and of which history."""

    asked: str
    says: str
    shown: str = "*"
    of: str = "orders"
    kept: str = ""

    @property
    def name(self) -> str:
        return self.asked.split("(")[0]


SECTIONS = (
    Section(
        "history",
        "A record of docs/meaning.md, in the order (run, case, seq).",
        '"case", seq, time, kind, state, to_state, activity',
    ),
    Section(
        "durations",
        "A case, from its start to its closing.",
        '"case", started, closed, duration, status, outcome, final_state',
    ),
    Section("outcomes", "A status with its outcome, and how many cases have it."),
    Section(
        "variants",
        "A sequence of root states, and the closed cases that went it, the most frequent first.",
        "states, cases, share, mean_duration",
    ),
    Section(
        "hot_paths",
        "The same with ranks by number and by time, how long these cases waited for workers, and how they closed.",
        "path, cases, share, time_share, mean_wait, rank_by_cases, rank_by_time",
        "short",
    ),
    Section(
        "dfg",
        "An edge of the directly-follows graph: from a state to a state on an event, with the time spent in the "
        "state that was left. A region that was left because its case failed or closed has no edge.",
        "from_state, to_state, event, n, mean_dwell, p95_dwell",
    ),
    Section(
        "stays",
        "A stay of a region in a state; `left_at` is null while it lasts.",
        '"case", region, state, entered, left_at, dwell',
    ),
    Section(
        "activity_stats",
        "An activity: its attempts by how they ended, how long they waited and were served.",
        "activity, attempts, successes, failures, retries, mean_wait, mean_service",
    ),
    Section(
        "executions",
        "An attempt of an activity with its input and output.",
        '"case", activity, attempt, input, output, scheduled, service, outcome, correlation_id',
    ),
    Section(
        "bottlenecks",
        "A state or an activity by the time spent waiting in it: of a state from entering to leaving, of an "
        "activity from scheduled to started, beside how long it was then worked at. What still lasts counts up to the "
        "last record.",
        "what, name, pool, n, total_wait, mean_wait, total_service, wait_share",
        "short",
        "WHERE what = 'activity'",
    ),
    Section(
        "timeouts",
        "A clock that ran out, and how often. Timers that were void by then are left out.",
        "what, name, clock, n, cases",
        "incidents",
    ),
    Section(
        "retries",
        "An activity and how often it was tried again.",
        "activity, executions, retried, retries, max_attempt, recovered, total_delay",
    ),
    Section(
        "log_events",
        "An event of an imported log (docs/import.md), in the order of its case; other runs have none.",
        '"case", activity, lifecycle, time, resource, attributes',
        "log",
    ),
    Section(
        "metadata",
        "A start, event or command of a real instance, beside which its sender gave something (docs/run.md); "
        "simulations and imported logs have none.",
        '"case", kind, event, command, metadata',
        "run",
    ),
    Section(
        "conformance",
        "A way from state to state: of the definition that the run has, of its cases, or of both. For the cheapest "
        "explanation of whole cases by a model, also of an imported log: `wf.align` (docs/conformance.md).",
        "from_state, event, to_state, allowed, n",
    ),
    Section("rework", "A state that some case entered more than once.", "state, cases, reworked, share, again, most"),
    Section(
        "eventually_follows",
        "Two root states, the second at any time after the first, over closed cases.",
        "from_state, to_state, cases, share, n",
    ),
    Section(
        "pool_utilisation",
        "A pool of workers over the whole run, from time 0 (of real runs their first record) to the last record.",
        "pool, capacity, attempts, mean_busy, utilisation, mean_queue, max_queue, mean_wait",
    ),
    Section(
        "pool_load(3_600_000_000)",
        "A pool in a bucket of time (here of an hour): how many of its workers were at work, how many attempts waited.",
    ),
    Section(
        "pool_attempts",
        "An attempt that asks for a worker of a pool.",
        'pool, "case", activity, scheduled, started, ended',
    ),
    Section("pool_capacities", "A pool of a run and its capacity."),
    Section("activity_pools", "Which activity asks which pool."),
    Section("sla", "An SLA of the scenario, and how well it was kept.", of="promised"),
    Section("sla_cases", "A case that an SLA is about.", 'sla, "case", begun, due, ended, met', "promised"),
    Section(
        "sla(86_400_000_000, 'submitted', 'offer sent')",
        "How well any agreement was kept, in this history or one without a scenario: from the first entry into a state "
        "(null: the start) until the first entry into another after that (null: the closing). `sla(86_400_000_000)` "
        "asks of whole cases.",
        of="log",
    ),
    Section(
        "sla_cases(86_400_000_000, 'submitted', 'offer sent')",
        "A case that it is about.",
        '"case", begun, due, ended, met',
        "log",
    ),
    Section("sweep_points", "What a run of a sweep has for one key; empty for other runs.", of="sweep"),
    Section(
        "record_values",
        "A value that belongs to a record: an input, a variable that was set, a payload.",
        '"case", seq, position, slot, tag, whole, "real", "text"',
    ),
    Section(
        "workflow_names", "A workflow of a run by its number there; with its version where a run has two of one name."
    ),
    Section("run_begins", "Which moment time 0 of a run is."),
    Section("horizons", "The time of a run's last record."),
    Section(
        "occupancy(3_600_000_000)",
        "A state in a bucket of time (here of an hour): how many cases were in it on average.",
        "state, bucket_start, time_inside, mean_cases",
    ),
    Section(
        "trend(3_600_000_000)",
        "A bucket of time, from the first start to the last closing.",
        "bucket_start, started, closed, success, failure, open_at_end, mean_duration",
    ),
    Section(
        "trend('day', 'Europe/Berlin')",
        "A day (`week`, `month`, `quarter`, `year`) of a time zone, and the same counts; a day on which summer "
        "begins has 23 hours.",
        "local_start, bucket_start, started, closed, open_at_end, mean_duration",
    ),
    Section(
        "state_distribution(3_600_000_000)",
        "A state that some case is in at a time, and which share of the cases in its region.",
    ),
    Section(
        "active_at(3_600_000_000)",
        "A state that a case is in at a time: entered by then, left later.",
        '"case", region, state, entered',
    ),
    Section(
        "active_instances(3_600_000_000, 0, 0, 50)",
        "A case that is open at a time, at most so many behind that run and case: the next page begins behind the "
        "last row of this one, and costs the same.",
        '"case", started, states, since',
    ),
)
COLUMNS = {
    "run": "number of the run, from 1",
    "workflow": "its workflow",
    '"case"': "number of the case in its run",
    "case": "number of the case in its run",
    "seq": "number of the record in its case, from 1",
    "time": "µs; equal for all records of one step",
    "kind": "what happened",
    "cause_seq": "`seq` of the cause that was being dispatched",
    "region": "the region; the root is `''`",
    "state": "the state; inner ones are paths",
    "to_state": "the state entered",
    "from_state": "the state left, or that came first",
    "event": "the event; null if automatic",
    "event_id": "its id",
    "activity": "the activity",
    "activity_id": "its serial in the case",
    "attempt": "which attempt, from 1",
    "error_type": "of what failure",
    "status": "status of the case; `open` while it is",
    "outcome": "outcome, where the status has one",
    "payload": "everything else, as JSON",
    "entered_seq": "`seq` of the record that began the stay",
    "left_seq": "`seq` of the record that ended it",
    "dwell": "µs in the state",
    "wait": "µs from scheduled to started",
    "service": "µs from started to ended",
    "path_hash": "the root states entered, as 64 bits",
    "is_last": "whether it is the last record of its case",
    "external_id": "what outsiders call the case",
    "parent_case": "the case that started it",
    "parent_activation": "the activation of the parent that did",
    "started": "µs, its start",
    "closed": "µs; null while it is open",
    "duration": "µs from start to closing",
    "final_state": "the root state at the end",
    "version": "`seq` of its last record",
    "cases": "how many cases",
    "share": "of the total, 0 to 1",
    "states": "root states, in order",
    "length": "how many states",
    "path": "the states as text",
    "rank_by_cases": "1: most cases",
    "rank_by_time": "1: most time",
    "time_share": "its share of all time",
    "success": "how many closed so",
    "failure": "how many closed so",
    "failed": "how many failed",
    "timed_out": "how many timed out",
    "cancelled": "how many were cancelled",
    "terminated": "how many were terminated",
    "completed": "how many were completed without an outcome: cases of a log",
    "n": "how often",
    "entered": "µs",
    "left_at": "µs; null while it lasts",
    "attempts": "how many were scheduled",
    "successes": "how many succeeded",
    "failures": "how many failed",
    "timeouts": "how many timed out",
    "retries": "how many were announced",
    "error_types": "number by type of failure",
    "index": "which item of a `for_each`, from 0",
    "idempotency_key": "what the activity was given: `<instance>:<activity_id>`",
    "correlation_id": "of this attempt: what it may have given away, to be completed by it",
    "wait_share": "waiting, of waiting and service together, 0 to 1",
    "worker": "who reported the start",
    "input": "its parameters, as JSON",
    "output": "its result, as JSON; null unless it succeeded",
    "scheduled": "µs",
    "ended": "µs; null if not yet",
    "message": "of the failure",
    "scheduled_seq": "`seq` of the record",
    "ended_seq": "`seq` of the record",
    "what": "`state`, `activity` or `workflow`",
    "name": "its name",
    "clock": "which clock of it",
    "executions": "how many were begun",
    "retried": "how many of them again",
    "max_attempt": "most attempts of one",
    "recovered": "how many succeeded after that",
    "total_delay": "µs waited between attempts",
    "reworked": "how many of them more than once",
    "again": "entries beyond the first",
    "most": "entries of one case",
    "pool": "the pool",
    "capacity": "workers; null by shifts, or not known",
    "span": "µs, length of the run",
    "busy_time": "µs of all its workers",
    "mean_busy": "workers at work on average",
    "queue_time": "µs of all that wait",
    "mean_capacity": "workers there on average",
    "utilisation": "`mean_busy` by `mean_capacity`",
    "mean_queue": "attempts waiting on average",
    "max_queue": "at most",
    "number": "of the workflow in its run",
    "sla": "the SLA",
    "within": "µs allowed",
    "target": "share that has to be in time",
    "met": "in time",
    "missed": "how many were late",
    "undecided": "how many are neither yet",
    "begun": "µs, from when it counts",
    "due": "µs, until when",
    "replication": "its replication",
    "point": "which point of the sweep, from 0",
    "key": "what was varied",
    "value": "its value, as text",
    "position": "which value of the record, from 0",
    "slot": "code of its name (`slot_names`); -1: a correlation key",
    "tag": "its type",
    "whole": "an integer or a boolean",
    "real": "a number",
    "text": "a text, or a list or an object as JSON",
    "begins": "µs since 1970",
    "horizon": "µs",
    "bucket_start": "µs",
    "local_start": "the date there",
    "time_inside": "µs, summed over cases",
    "mean_cases": "cases on average",
    "open_at_end": "cases open when it ends",
    "since": "µs, when the latest of them was entered",
}
_SUMS = {"total": "sum", "mean": "mean", "p50": "median", "p95": "95 % quantile", "min": "least", "max": "greatest"}
_SPECIAL = {
    "trend.started": "how many cases began in it",
    "trend.closed": "how many cases closed in it",
    "log_events.activity": "what was done, as the log says",
    "log_events.lifecycle": "`start` or `complete`, or what the log says",
    "log_events.resource": "who did it, if the log says so",
    "log_events.event_id": "its id in the log, if it has one",
    "log_events.attributes": "JSON: everything else that the log says of it",
    "metadata.kind": "of the record that it became: `started`, `event_received`, `control_received`",
    "metadata.event_id": "its id, if the sender gave one",
    "metadata.command": "what was commanded, else null",
    "metadata.metadata": "JSON: what the sender gave",
    "rework.cases": "how many cases entered it",
    "rework.share": "of `cases`, 0 to 1",
    "rework.n": "entries",
    "conformance.allowed": "whether the definition has it; null: the run has none, as that of a log",
    "conformance.n": "how often it was gone; 0: never",
    "active_instances.states": "where it is, in all regions",
    "eventually_follows.cases": "in how many cases it happens",
    "eventually_follows.share": "of the closed cases, 0 to 1",
    "eventually_follows.n": "how often, over all cases",
    "sla.cases": "how many are asked",
    "sla.share": "of the decided ones in time, 0 to 1",
    "sla.met": "how many were in time",
    "sla_cases.met": "whether in time; null: undecided",
    "sla_cases.ended": "µs; null if not yet",
    "state_distribution.share": "of the cases in that region, 0 to 1",
    "sweep_points.number": "the value as a number, null if it is none",
    "pool_load.busy_time": "µs of all its workers in it",
    "pool_utilisation.started": "how many got a worker",
    "activity_stats.started": "how many began",
    "variants.cases": "how many closed cases",
    "bottlenecks.pool": "whose work it is; null: nobody's in particular",
    "hot_paths.total_wait": "µs that their attempts waited for workers; null: nothing tells of it",
    "hot_paths.mean_wait": "µs of a case",
    "pool_attempts.started": "µs; null if not yet",
    "executions.started": "µs; null if not yet",
    "executions.outcome": "`succeeded`, `failed`, `timed_out`, `cancelled`; null: not yet",
    "pool_attempts.ended": "µs; null if not yet",
}


def meaning(view: str, column: str) -> str:
    """What a column says, with its unit."""
    special = _SPECIAL.get(f"{view}.{column}")
    if special is not None:
        return special
    if column in COLUMNS:
        return COLUMNS[column]
    kind, _, of = column.partition("_")
    return f"µs, {_SUMS[kind]} of `{of}`"


class Example(NamedTuple):
    """A history that sections show: how it is said to be made, and how it is made."""

    said: str
    made: Callable[[], wf.History]


def _orders(**changes: Any) -> wf.History:
    order, plan = wf.load(MODELS / "order_processing.yaml"), wf.load_scenario(MODELS / "order_processing.scenario.yaml")
    history: wf.History = wf.simulate(order, plan.changed(**changes), cases=300, seed=1, progress=False)
    return history


def _incidents() -> wf.History:
    incident, plan = MODELS / "incident_response.yaml", MODELS / "incident_response.scenario.yaml"
    history: wf.History = wf.simulate(wf.load(incident), plan, cases=60, seed=1, progress=False)
    return history


def _run() -> wf.History:
    door = wf.Builder("door").state("shut", initial=True).state("open", terminal=True)
    door.transition("shut", "open", on="push")
    engine = wf.open_engine("sqlite://", [door.build()], {}, clock=wf.ManualClock())
    engine.start("door", id="front", metadata={"ticket": 7})
    engine.send("front", "push", event_id="e1", metadata={"by": "Ada"})
    return engine.history


def _sweep() -> wf.History:
    order, plan = wf.load(MODELS / "order_processing.yaml"), wf.load_scenario(MODELS / "order_processing.scenario.yaml")
    history: wf.History = wf.sweep(
        order, plan.changed(cases=5), over={"pools.packers.capacity": [2, 4]}, progress=False
    ).history
    return history


PROMISED = [{"name": "validated soon", "until": "validated", "within": "30s", "share": 0.9}]
EXAMPLES = {
    "orders": Example("", _orders),
    "short": Example(
        "Of the orders, with one packer in place of eight:", lambda: _orders(**{"pools.packers.capacity": 1})
    ),
    "incidents": Example("Of 60 incidents (`models/incident_response.yaml`):", _incidents),
    "log": Example(
        'Of the log that ships, `wf.read_log(wf.examples()["loan_application"].log)`:',
        lambda: wf.read_log(wf.examples()["loan_application"].log),
    ),
    "run": Example('Of a door, started with `metadata={"ticket": 7}` and pushed with `metadata={"by": "Ada"}`:', _run),
    "promised": Example(
        "Of the orders, with `slas: [{name: validated soon, until: validated, within: 30s, share: 0.9}]` in the "
        "scenario:",
        lambda: _orders(slas=PROMISED),
    ),
    "sweep": Example('Of `wf.sweep(order, plan.changed(cases=5), over={"pools.packers.capacity": [2, 4]})`:', _sweep),
}


@cache
def example(of: str = "orders") -> wf.History:
    """A history that the page shows."""
    return EXAMPLES[of].made()


def text() -> str:
    """The page."""
    parts = [HEAD]
    for section in SECTIONS:
        history, said = example(section.of), EXAMPLES[section.of].said
        columns = history.sql(f"DESCRIBE FROM {section.asked}").fetchall()
        told = [f"| `{name}` | {meaning(section.name, name)} |" for name, *_ in columns]
        query = f"FROM {section.asked}" if section.shown == "*" else f"SELECT {section.shown} FROM {section.asked}"
        query = f"{query} {section.kept}".strip()
        answer = history.sql(f"{query} LIMIT {ROWS}")
        rows = ["| " + " | ".join(_cell(value) for value in row) + " |" for row in answer.fetchall()]
        head = ["| " + " | ".join(answer.columns) + " |", "|" + "---|" * len(answer.columns)]
        parts.append(
            "\n".join(
                [
                    f"## `{section.asked}`\n",
                    textwrap.fill(section.says, 120) + "\n",
                    "| column | what |\n|---|---|\n" + "\n".join(told) + "\n",
                    *([said + "\n"] if said else []),
                    f"```sql\n{query};\n```\n",
                    *head,
                    *rows,
                    "",
                ]
            )
        )
    return "\n".join(parts)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.0f}" if value >= 1000 else f"{value:.4g}"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "" if value is None else str(value).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(text(), encoding="utf-8")
