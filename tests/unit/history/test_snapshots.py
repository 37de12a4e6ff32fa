"""Snapshots of long cases: rebuilding from one and what follows equals rebuilding from the start."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest

import wfsim as wf
from wfsim.errors import ReplayError
from wfsim.history.history import open_history
from wfsim.history.store import Store
from wfsim.semantics.codes import T_DISCARDED, T_REJECTED, T_TAKEN
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.image import image_of
from wfsim.semantics.instance import Instance
from wfsim.semantics.kernel import Output

LONG = """\
name: long
version: 1.0.0
initial_state: busy
variables:
  n: {type: integer, initial: 0, output: true}
  last: {type: string, optional: true}
  all: {type: list, optional: true}
events: {tick: {payload: {who: string}}, later: {payload: {what: list}, unhandled: defer}, over: {}, odd: {},
  none: {unhandled: discard}}
activities:
  work: {timeout: 1m, retry_policy: {max_attempts: 2, initial_interval: 1s}, compensate_with: undo}
  undo: {timeout: 1m}
states: [{name: busy, activity: work}, {name: idle, timeout: 1h}, {name: end, is_terminal: true}]
transitions:
  - from: busy
    event: tick
    pre_actions:
      - {action_type: set_variable, parameters: {name: n, value: "${context.n + 1}"}}
      - {action_type: set_variable, parameters: {name: last, value: "${event.who}"}}
  - {from: busy, event: done, to: idle}
  - {from: busy, event: error, to: idle}
  - from: idle
    event: later
    to: busy
    pre_actions: [{action_type: set_variable, parameters: {name: all, value: "${event.what}"}}]
  - {from: idle, event: timeout, to: busy}
  - {from: [busy, idle], event: over, to: end}
"""
program = compile_workflow(wf.loads(LONG))


def steps(instance: Instance, n: int) -> Any:
    """Random stimuli, some with ids seen before, some with a payload that is refused, and then mended."""
    rolls = random.Random(5)
    for k in range(n):
        time, roll = k * 1_000_000, rolls.random()
        open_work = instance.activities()
        if open_work and roll < 0.3:
            work = open_work[0]
            if roll < 0.1:
                yield lambda i, t=time, w=work: i.activity_failed(t, w.activity_id, w.attempt, f"E{w.activity_id}")
            else:
                yield lambda i, t=time, w=work: i.activity_succeeded(t, w.activity_id, w.attempt, {"k": w.activity_id})
        elif instance.timers() and roll < 0.4:
            timer = instance.timers()[0]
            yield lambda i, m=timer: i.timer_fired(m.due, m.place, m.id)
        elif roll < 0.45:
            yield lambda i, t=time, c=k: i.event(t, ("odd", "none")[c % 2], {}, f"odd-{c // 4}")
        elif roll < 0.6:
            yield lambda i, t=time, c=k: i.event(t, "later", {"what": [f"item {c}", c]}, f"later-{c // 3}")
        else:
            yield lambda i, t=time, c=k: i.event(
                t, "tick", {"who": f"who {c % 7}" if c % 3 else c}, f"tick-{c // 2}", "s"
            )


@pytest.fixture(scope="module")
def long_case(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A case of some hundred records in a store that takes a snapshot every twenty-five."""
    path = tmp_path_factory.mktemp("snapshots") / "long.duckdb"
    with Store(path, snapshot_every=25) as store:
        place = store.new_case(program, "one")
        instance = Instance(program, key=3)
        version = store.append(place, instance, instance.start(0), expected_version=0)
        for apply in steps(instance, 110):
            output: Output = apply(instance)
            version = store.append(place, instance, output, expected_version=version)
    return path


@pytest.fixture
def path(long_case: Path, tmp_path: Path) -> Path:
    """A copy, which may be changed."""
    return Path(shutil.copy(long_case, tmp_path))


def test_the_case_is_the_same_from_a_snapshot_as_from_the_start_at_every_seventeenth_record(path: Path) -> None:
    with open_history(path) as history:
        assert history.sql("SELECT count(*) FROM snapshots").fetchall()[0][0] >= 5
        case = history.case("one")
        for upto in range(1, case.version + 1, 17):
            quick, slow = case.replay(upto), case.replay(upto, from_start=True)
            assert image_of(quick) == image_of(slow)
            assert (quick.events_seen, quick.commands_seen) == (slow.events_seen, slow.commands_seen)
        assert set(case.replay().events_seen.values()) == {T_TAKEN, T_DISCARDED, T_REJECTED}


def test_what_lies_before_the_snapshot_is_not_read(path: Path) -> None:
    con = duckdb.connect(str(path))
    con.execute("DELETE FROM record_rows WHERE seq < 40 AND event_id IS NULL")
    con.close()
    with open_history(path) as history:
        case = history.case("one")
        assert case.replay().version == case.version
        with pytest.raises(ReplayError):
            case.replay(from_start=True)


def test_an_id_seen_before_the_snapshot_is_seen_after_it(path: Path) -> None:
    with open_history(path) as history:
        instance = history.case("one").replay()
        instance.event(instance.time, "tick", {"who": "again"}, "tick-0")
        twin = history.case("one").replay(from_start=True)
        twin.event(twin.time, "tick", {"who": "again"}, "tick-0")
        assert image_of(instance) == image_of(twin)
        assert instance.variables["last"] != "again"


def test_a_snapshot_of_another_program_does_not_count(path: Path) -> None:
    con = duckdb.connect(str(path))
    con.execute("UPDATE snapshots SET fingerprint = 'other', image = 'nonsense'")
    con.close()
    with open_history(path) as history:
        case = history.case("one")
        assert image_of(case.replay()) == image_of(case.replay(from_start=True))


def test_a_tail_that_does_not_follow_from_its_snapshot_is_refused(path: Path) -> None:
    con = duckdb.connect(str(path))
    (seq,) = con.execute("SELECT max(seq) FROM snapshots").fetchall()[0]
    con.execute("UPDATE record_rows SET time = time + 1 WHERE seq > ? AND kind <> 1", [seq])
    con.close()
    with open_history(path) as history, pytest.raises(ReplayError):
        history.case("one").replay()
