"""Properties of runs against their definitions: every run of a small random workflow up to a length, by real instances.

Nothing is shared with the search but the list of what may happen in a state: moments are read off the records, the
definitions of the patterns are applied to the whole list of them, and a run goes on for ever if an instance comes back
to where it was, while no timer and no work has been going on unchanged all the way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, assume, given
from hypothesis import strategies as st

import wfsim as wf
from tests.random_cases import cases
from wfsim.errors import WfsimError
from wfsim.exploration.workflow_witness import WorkflowWitness
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.instance import Instance
from wfsim.semantics.records import records_of
from wfsim.semantics.snapshot import take_snapshot
from wfsim.verification.property import Property
from wfsim.verification.workflows.properties import verify
from wfsim.verification.workflows.space import WorkflowSpace, explore_workflow
from wfsim.verification.workflows.told import _real

LONGEST = 6
MOST_RUNS = 4_000


@dataclass(frozen=True)
class Moment:
    """What is so after a step, and what happened in it."""

    states: frozenset[str]
    status: str
    did: frozenset[tuple[str, str | None]]


Test = Callable[[Moment], bool]


def within(name: str) -> Test:
    return lambda m: name in m.states


def did(kind: str, name: str) -> Test:
    return lambda m: (kind, name) in m.did


def closed(m: Moment) -> bool:
    return m.status not in ("running", "cancelling")


def _absent(of: Test, after: Test, until: Test) -> Callable[[list[Moment]], bool]:
    def bad(run: list[Moment]) -> bool:
        return any(
            after(run[i]) and not until(run[i]) and of(run[j]) and not any(until(m) for m in run[i + 1 : j + 1])
            for i in range(len(run))
            for j in range(i + 1, len(run))
        )

    return bad


GO, STOP, FAILED = did("event_received", "go"), did("event_received", "stop"), did("activity_failed", "f")
SAFETY: list[tuple[str, Any, Callable[[list[Moment]], bool]]] = [
    (
        "never",
        "in('b') and once(event.go)",
        lambda run: any(within("b")(m) and any(map(GO, run[: k + 1])) for k, m in enumerate(run)),
    ),
    ("always", "not activity.f.failed or in('a')", lambda run: any(FAILED(m) and not within("a")(m) for m in run)),
    (
        "absence",
        {"of": "event.stop", "after": "in('b')", "until": "in('a')"},
        _absent(STOP, within("b"), within("a")),
    ),
    ("at_most", {"event": "go", "times": 1}, lambda run: sum(map(GO, run)) > 1),
    (
        "precedes",
        {"first": "event.stop", "then": "closed"},
        lambda run: any(closed(m) and not any(map(STOP, run[: k + 1])) for k, m in enumerate(run)),
    ),
]
WHOLE: list[tuple[str, Any, Test, Test]] = [
    ("eventually", "closed", lambda m: True, closed),
    ("leads_to", {"from": "in('b')", "to": "status == 'completed'"}, within("b"), lambda m: m.status == "completed"),
    ("responds", {"to": "event.stop", "with": "event.go or in('b')"}, STOP, lambda m: GO(m) or within("b")(m)),
]

SOURCES = st.sampled_from(["a", "b"])
TARGETS = st.sampled_from(["a", "b", "c", None])


@st.composite
def flows(draw: st.DrawFn) -> wf.Workflow:
    """Two states, perhaps with timeouts and activities, and a terminal one."""

    def state(name: str) -> dict[str, Any]:
        timed = {"timeout": "1h"} if draw(st.booleans()) else {}
        return {"name": name} | timed | ({"activity": {"name": "f"}} if draw(st.integers(0, 3)) == 0 else {})

    def move() -> dict[str, Any]:
        source, target = draw(SOURCES), draw(TARGETS)
        how = draw(st.sampled_from(["go", "stop", "go", "stop", "timeout", "done", "error", "after"]))
        found: dict[str, Any] = {"from": source} | ({"after": "2h"} if how == "after" else {"event": how})
        if how in ("go", "stop") and draw(st.integers(0, 5)) == 0:
            found["pre_actions"] = [{"action_type": "activity", "name": "f"}]
        return found | ({} if target is None else {"to": target})

    data = {
        "name": "w",
        "initial_state": "a",
        "states": [state("a"), state("b"), {"name": "c", "is_terminal": True}],
        "events": {"go": {}, "stop": {}},
        "activities": {"f": {"retry_policy": {"max_attempts": 1}}},
        "transitions": [move() for _ in range(draw(st.integers(1, 5)))],
    }
    try:
        return wf.Workflow.model_validate(data)
    except (WfsimError, ValueError):
        assume(False)
        raise


@dataclass
class Runs:
    """All runs up to a length, and the length of the shortest one that refutes each property."""

    space: WorkflowSpace
    length: int
    found: dict[int, int] = field(default_factory=dict)
    n: int = 0

    def note(self, which: int, length: int) -> None:
        self.found[which] = min(length, self.found.get(which, length))

    def go(self, number: int, instances: list[Instance], moments: list[Moment]) -> None:
        self.n += 1
        if moments:
            self.judge(instances, moments)
        if len(moments) == self.length or self.n > MOST_RUNS:
            return
        for edge in self.space.edges[number] if number >= 0 else self.space.starts:
            instance = instances[-1].copy() if instances else Instance(self.space.program)
            output = instance.apply(_real(self.space.program, instance, edge.stimulus))
            records = records_of(instance, output)
            happened = frozenset((r.kind, r.event if r.kind == "event_received" else r.activity) for r in records)
            moment = Moment(frozenset(instance.configuration.values()), instance.status, happened)
            self.go(edge.target, [*instances, instance], [*moments, moment])

    def judge(self, instances: list[Instance], moments: list[Moment]) -> None:
        for k, (_, _, bad) in enumerate(SAFETY):
            if bad(moments):
                self.note(k, len(moments))
        for k, (name, _, cause, answer) in enumerate(WHOLE, start=len(SAFETY)):
            owed: list[bool] = []
            for m in moments:
                before = owed[-1] if owed else name == "eventually"
                if name == "eventually":
                    owed.append(before and not answer(m))
                else:
                    owed.append(not answer(m) and (cause(m) or before))
            last = instances[-1]
            if not owed[-1]:
                continue
            resting = not last.timers() and not any(going(last))
            if last.is_closed or resting:
                self.note(k, len(moments))
            for j in range(len(instances) - 1):
                if all(owed[j:]) and take_snapshot(instances[j]) == take_snapshot(last) and fair(instances[j:]):
                    self.note(k, len(moments))


def going(instance: Instance) -> list[tuple[int, int, int]]:
    """What is at work: serial, attempt, and how far it is."""
    return [(w.serial, w.attempt, w.phase) for w in instance.works() if w.phase]


def fair(circle: list[Instance]) -> bool:
    """Whether nothing has been going on unchanged all the way round."""
    timers = [{(t.place, t.id) for t in each.timers()} for each in circle]
    works = [set(going(each)) for each in circle]
    return not set.intersection(*timers) and not set.intersection(*works)


@cases(100, unchecked=list(HealthCheck))
@given(flows())
def test_verdicts_are_what_all_runs_say(flow: wf.Workflow) -> None:
    space = explore_workflow(flow, max_states=25)
    assume(space.complete and max(map(len, space.edges)) <= 5)
    runs = Runs(WorkflowSpace(compile_workflow(flow)), LONGEST)
    runs.space = space
    runs.go(-1, [], [])
    asked = [Property(name, options) for name, options, *_ in [*SAFETY, *WHOLE]]
    for k, (each, verdict) in enumerate(zip(asked, verify(flow, asked))):
        if k in runs.found:
            assert verdict.status == "violated", (each, runs.found[k], verdict)
        if verdict.status != "violated":
            assert verdict.status == "holds"
            continue
        witness = verdict.witness
        assert isinstance(witness, WorkflowWitness)
        passed = witness.replay()
        if witness.loop:
            assert fair(passed[-1 - witness.loop :])
        if runs.n > MOST_RUNS or len(witness) > LONGEST:
            continue
        assert k in runs.found, (each, verdict)
        if k < len(SAFETY):
            assert len(witness) == runs.found[k]


@cases(100, unchecked=list(HealthCheck))
@given(flows())
def test_strongly_fair_runs_close_exactly_where_every_state_can_still_close(flow: wf.Workflow) -> None:
    space = explore_workflow(flow)
    able = space.can_reach([k for k in range(space.n_states) if space.instance(k).is_closed])
    (verdict,) = verify(flow, [Property("eventually", {"of": "closed", "fairness": "strong"})])
    assert verdict.status == ("holds" if len(able) == space.n_states else "violated")
    if verdict.witness is not None:
        assert verdict.witness.replay()
