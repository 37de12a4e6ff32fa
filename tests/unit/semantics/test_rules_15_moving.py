"""M15: an open instance moves to another version of its workflow as if it had always run that one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from wfsim.errors import EngineError
from wfsim.model.workflow import Workflow
from wfsim.model.yaml_io import loads
from wfsim.runtime.clock import ManualClock
from wfsim.runtime.engine import Engine
from wfsim.runtime.moving import InstanceMove
from wfsim.runtime.opening import open_engine

FIRST = """\
name: claim
version: 1.0.0
initial_state: open
variables: {amount: {type: integer, input: true}, note: {type: string, optional: true}}
events: {check: {}, pay: {}, close: {}}
activities: {look: {version: 1, retry_policy: {max_attempts: 3, initial_interval: 1m}}}
states:
  - {name: open, timeout: 10d, data: {days: {type: integer, initial: 1}}}
  - name: checking
    parallel:
      regions:
        - name: papers
          initial_state: reading
          states: [{name: reading, activity: look, timeout: 5d}, {name: read, is_terminal: true}]
          transitions: [{from: reading, event: done, to: read}, {from: reading, event: timeout, to: read}]
  - {name: paid}
  - {name: closed, is_terminal: true}
transitions:
  - {from: open, event: check, to: checking}
  - {from: open, event: timeout, to: closed}
  - {from: checking, event: done, to: paid}
  - {from: checking, event: pay, to: paid}
  - {from: paid, event: close, to: closed}
"""


def version(number: str, *changes: tuple[str, str]) -> Workflow:
    text = FIRST.replace("version: 1.0.0", f"version: {number}")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return loads(text)


RENAMED = tuple(
    (f"{word}: {name}", f"{word}: {new}")
    for name, new in (("checking", "looking"), ("reading", "reading_it"))
    for word in ("from", "to", "name", "initial_state")
    if f"{word}: {name}" in FIRST
)
# What comes first in the file has other numbers than before.
MORE = ("states:\n  - {name: open", "states:\n  - {name: asleep, timeout: 1d}\n  - {name: open")
LEAVES = (
    "transitions:\n  - {from: open",
    "transitions:\n  - {from: asleep, event: close, to: closed}\n  - {from: open",
)
STAYS = (
    "  - {from: open, event: timeout",
    "  - {from: asleep, event: timeout, to: closed}\n  - {from: open, event: timeout",
)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def engine(clock: ManualClock) -> Iterator[Engine]:
    def look(context: Any) -> None:
        if context.attempt == 1:
            raise OSError("not now")
        context.sleep("30d")

    with open_engine(workflows=[version("1.0.0")], activities={"look": look}, clock=clock) as found:
        yield found


def move(engine: Engine, to: Workflow, **mapping: str) -> InstanceMove:
    engine.publish(to)
    (row,) = engine.migrate(["c"], to=to.version, mapping=mapping, dry_run=False)
    return row


def test_m15_1_it_goes_on_in_the_version_as_if_it_had_always_run_it(engine: Engine, clock: ManualClock) -> None:
    run = engine.start("claim", {"amount": 3}, id="c")
    before = run.records
    row = move(engine, version("1.1.0", MORE, LEAVES, STAYS))
    assert row == InstanceMove("c", "1.0.0", "1.1.0", True, state="open")
    # Nothing has happened to it.
    assert (run.records, run.workflow.version) == (before, "1.1.0")
    clock.advance("10d")
    assert run.state == "closed"
    assert engine.check()


def test_m15_1_one_that_would_have_gone_another_way_stays_as_it_is(engine: Engine) -> None:
    run = engine.start("claim", {"amount": 3}, id="c")
    run.send("check")
    row = move(
        engine,
        version("1.1.0", ("event: check, to: checking}", "event: check, to: checking, condition: context.amount > 5}")),
    )
    assert (row.moves, row.seq) == (False, 4)
    assert row.reason == "event_received(check): was transition(open, checking, check), would be event_rejected(check)"
    assert (run.workflow.version, run.moves) == ("1.0.0", [])
    assert move(
        engine, version("1.2.0", ("event: pay, to: paid}", "event: pay, to: paid, condition: context.amount > 5}"))
    ).moves


def test_m15_1_a_timer_that_would_have_fired_before_is_a_difference(engine: Engine, clock: ManualClock) -> None:
    run = engine.start("claim", {"amount": 3}, id="c")
    clock.advance("9d")
    run.send("check")
    assert (
        move(engine, version("1.1.0", ("timeout: 10d", "timeout: 8d"))).reason
        == "timer timeout in open would have fired before"
    )


def test_m15_1_what_happened_before_earlier_moves_is_read_with_their_names(engine: Engine, clock: ManualClock) -> None:
    run = engine.start("claim", {"amount": 3}, id="c")
    run.send("check")
    # The first attempt has failed then, and reports nothing behind a move.
    clock.advance("1s")
    assert move(engine, version("1.1.0", *RENAMED), checking="looking", reading="reading_it").moves
    assert run.state == "looking"
    run.send("pay")
    assert move(
        engine,
        version(
            "1.2.0",
            *RENAMED,
            ("name: paid", "name: settled"),
            ("to: paid", "to: settled"),
            ("from: paid", "from: settled"),
        ),
        paid="settled",
    ).moves
    assert [(each.seq, each.definition_version, each.to_version) for each in run.moves] == [
        (run.moves[0].seq, "1.0.0", "1.1.0"),
        (len(run.records), "1.1.0", "1.2.0"),
    ]
    (back,) = engine.migrate(
        ["c"], to="1.0.0", mapping={"settled": "paid", "looking": "checking", "reading_it": "reading"}, dry_run=False
    )
    assert back == InstanceMove("c", "1.2.0", "1.0.0", True, state="paid")
    run.send("close")
    assert run.state == "closed"
    assert engine.check()
    assert engine.history.case("c").replay().state == "closed"


def test_m15_2_states_are_renamed_with_their_regions_and_data_and_nothing_else(engine: Engine) -> None:
    run = engine.start("claim", {"amount": 3}, id="c")
    renamed = version(
        "1.1.0",
        ("name: open", "name: fresh"),
        ("initial_state: open", "initial_state: fresh"),
        ("from: open", "from: fresh"),
    )
    assert not move(engine, renamed).moves
    assert move(engine, renamed, open="fresh").state == "fresh"
    assert run.variables["fresh.days"] == 1
    run.send("check")
    assert move(engine, version("1.2.0"), fresh="open").moves
    assert move(engine, version("1.3.0", *RENAMED), checking="looking", reading="reading_it").moves
    assert run.view.configuration == {"": "looking", "looking/papers": "looking/papers/reading_it"}


def test_m15_2_a_name_of_no_state_is_refused(engine: Engine) -> None:
    engine.start("claim", {"amount": 3}, id="c")
    with pytest.raises(EngineError, match=r"claim 1\.0\.0 has no state 'opened'\. Did you mean 'open'\?"):
        move(engine, version("1.1.0"), opened="open")
    with pytest.raises(EngineError, match=r"claim 1\.1\.0 has no state 'fresh'"):
        move(engine, version("1.1.0"), open="fresh")


def test_m15_3_timers_and_open_activities_are_those_of_the_version(engine: Engine, clock: ManualClock) -> None:
    run = engine.start("claim", {"amount": 3}, id="c")
    run.send("check")
    clock.advance("1s")
    (waits,) = run.activities
    assert (waits.phase, waits.attempt) == ("backoff", 2)
    new = version(
        "1.1.0",
        MORE,
        LEAVES,
        STAYS,
        ("look: {version: 1", "look: {version: 2, pool: readers"),
        ("timeout: 5d", "timeout: 20d"),
    )
    assert move(engine, new).moves
    (works,) = run.activities
    assert (works.activity_id, works.attempt) == (waits.activity_id, waits.attempt)
    with engine.core.database.reading() as rows:
        (attempt,) = rows.attempts("c")
    assert (attempt.activity_version, attempt.pool) == (2, "readers")
    clock.advance("6d")
    assert run.state == "checking"
    clock.advance("15d")
    assert run.state == "paid"
    assert engine.check()


CHILD = """\
name: ship
version: 1.0.0
initial_state: s
states: [{name: s, timeout: 2d}, {name: t, is_terminal: true}]
transitions: [{from: s, event: timeout, to: t}]
"""
PARENT = """\
name: sale
version: 1.0.0
initial_state: new
events: {go: {}}
states:
  - {name: new, invoke: {workflow: ship}}
  - {name: over, is_terminal: true}
transitions: [{from: new, event: done, to: over}]
"""


def test_m15_3_children_keep_to_their_versions(clock: ManualClock) -> None:
    with open_engine(workflows=[loads(PARENT), loads(CHILD)], activities={}, clock=clock) as engine:
        run = engine.start("sale", id="c")
        (child,) = run.children.values()
        assert engine.history.sql("SELECT count(*) FROM cases").fetchall() == [(2,)]
        engine.publish(loads(CHILD.replace("1.0.0", "2.0.0")))
        engine.publish(loads(PARENT.replace("1.0.0", "2.0.0").replace("{go: {}}", "{go: {}, stop: {}}")))
        (row,) = engine.migrate([child.id], to="2.0.0")
        assert row.reason == "it is a child, and keeps to the version that was chosen when its root started (M4.4)"
        assert str(engine.migrate("sale", to="2.0.0", dry_run=False)) == "1 of 1 instances have moved"
        clock.advance("3d")
        assert (run.state, run.workflow.version, child.workflow.version) == ("over", "2.0.0", "1.0.0")
        assert engine.check()
        told = engine.history.sql("SELECT external_id, version, status FROM cases ORDER BY external_id").fetchall()
        assert [each[0] for each in told] == ["c", child.id]
