"""What is wrong with one instance, definition or activity harms no other, and whoever looks is told which it is."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.postgres import serving
from wfsim.errors import ActivityError, EngineError, UnknownWorkflow
from wfsim.model.values import LARGEST_VALUE, LONGEST_STRING_VALUE
from wfsim.model.workflow import Workflow
from wfsim.model.yaml_io import loads
from wfsim.runtime import core, doctor
from wfsim.runtime.database import DatabaseError
from wfsim.runtime.doctor import Finding, diagnose
from wfsim.runtime.engine import Engine
from wfsim.runtime.opening import open_engine
from wfsim.runtime.tables import ATTEMPTS, DEFINITIONS, DUE, INSTANCES

GOOD = loads(
    """
name: good
version: 1.0.0
initial_state: open
events: {go: {}}
activities: {f: {}}
states: [{name: open}, {name: working, activity: f}, {name: resting}, {name: over, is_terminal: true}]
transitions:
  - {from: open, to: working, event: go}
  - {from: working, to: resting, event: done}
  - {from: resting, to: over, after: 10ms}
"""
)
BAD = loads(
    """
name: bad
version: 1.0.0
initial_state: open
variables:
  type: {type: string, optional: true, output: true}
  result: {optional: true, output: true}
events: {go: {}, rest: {}}
activities: {p: {timeout: 1h, heartbeat: 1h}}
states:
  - {name: open, timeout: 1h}
  - {name: working, activity: {name: p, result_variable: result}}
  - {name: over, is_terminal: true}
  - {name: wrong, is_terminal: true, outcome: failure}
transitions:
  - {from: open, to: working, event: go}
  - {from: open, to: over, event: timeout}
  - {from: working, to: over, event: done}
  - from: working
    to: wrong
    event: error
    pre_actions: [{action_type: set_variable, parameters: {name: type, value: "${event.type}"}}]
"""
)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core, "AGAIN", 100_000)
    monkeypatch.setattr(doctor, "LATE", 0)


@contextlib.contextmanager
def worker(folder: Path, p: Callable[..., Any] = lambda: None) -> Iterator[Engine]:
    """A worker at work, with a function of the activity that is ill."""
    with open_engine(f"sqlite:///{folder}/runs.db", [GOOD, BAD], {"f": lambda: 1, "p": p}, polling=0.02) as engine:
        yield engine


def others_go_on(engine: Engine, name: str = "healthy") -> None:
    """An instance that is well goes from its start to its end: its event, its activity, its timer."""
    run = engine.start("good", id=name)
    run.send("go")
    assert run.wait(timeout="60s") == "over"
    engine.raise_if_stopped()


def change(engine: Engine, statement: Any) -> None:
    with engine.core.database.transaction() as rows:
        rows.connection.execute(statement)


def damage(engine: Engine, name: str) -> str:
    """Spoil what is stored of an instance; what it was."""
    with engine.core.database.transaction() as rows:
        image: str = rows.connection.execute(sa.select(INSTANCES.c.image).where(INSTANCES.c.id == name)).scalar_one()
        rows.connection.execute(
            sa.update(INSTANCES).where(INSTANCES.c.id == name).values(image=image[: len(image) // 2])
        )
    engine.core.cache = type(engine.core.cache)()
    return image


def mend(engine: Engine, name: str, image: str) -> None:
    change(engine, sa.update(INSTANCES).where(INSTANCES.c.id == name).values(image=image))


def told(engine: Engine, name: str) -> str:
    """What stands of an instance that cannot go on, once that has been noticed."""
    engine.core.clock  # noqa: B018
    pause = threading.Event()
    for _ in range(3_000):
        if name in engine.stuck:
            return engine.stuck[name]
        pause.wait(0.01)
    raise AssertionError("nobody has noticed")


def finding(engine: Engine, about: str) -> Finding:
    return next(each for each in diagnose(engine.core.database.url).findings if each.about == about)


# Instances ------------------------------------------------------------------------------------------------


def test_a_damaged_instance_whose_timer_is_due_harms_no_other(tmp_path: Path) -> None:
    with worker(tmp_path) as engine:
        engine.start("bad", id="ill")
        image = damage(engine, "ill")
        change(engine, sa.update(DUE).values(due=1))
        assert "JSON" in told(engine, "ill")
        others_go_on(engine)
        assert list(finding(engine, "stuck").figures["instances"]) == ["ill"]
        mend(engine, "ill", image)
        assert engine.get("ill").wait(timeout="60s") == "over"
        assert engine.stuck == {}


def test_many_damaged_instances_do_not_stand_in_the_way_of_others(tmp_path: Path) -> None:
    with worker(tmp_path) as engine:
        engine.start("bad", id="ill")
        damage(engine, "ill")
        entries = [{"target": "ill", "due": 1, "rank": 0, "kind": "timer", "place": 1, "serial": 1}] * (
            2 * core.TOGETHER
        )
        with engine.core.database.transaction() as rows:
            rows.connection.execute(sa.insert(DUE), entries)
        told(engine, "ill")
        others_go_on(engine)


def test_a_damaged_instance_whose_heartbeat_is_missed_harms_no_other(tmp_path: Path) -> None:
    go = threading.Event()
    with worker(tmp_path, lambda: go.wait(60)) as engine:
        run = engine.start("bad", id="ill")
        run.send("go")
        run.wait(lambda each: each.activities[0].phase == "running", timeout="60s")
        image = damage(engine, "ill")
        change(engine, sa.update(ATTEMPTS).values(beat_by=1))
        assert "JSON" in told(engine, "ill")
        others_go_on(engine)
        assert list(finding(engine, "stuck").figures["instances"]) == ["ill"]
        mend(engine, "ill", image)
        assert run.wait(timeout="60s") == "wrong"
        assert run.variables["type"] == "Timeout.heartbeat"
        go.set()


def test_the_attempt_of_a_damaged_instance_waits_until_that_is_mended(tmp_path: Path) -> None:
    with worker(tmp_path) as engine:
        run = engine.start("bad", id="ill")
        with engine.core.turn() as turn:
            held = turn.hold("ill")
            assert held is not None
            turn.event(held, "go", {}, "e")
            # Damaged before anybody can take it.
            row = held.row
            image, row.image = row.image, "{"
            turn.rows.update(row)
        engine.core.cache = type(engine.core.cache)()
        assert "JSON" in told(engine, "ill")
        others_go_on(engine)
        assert list(finding(engine, "stuck").figures["instances"]) == ["ill"]
        mend(engine, "ill", image)
        assert run.wait(timeout="60s") == "over"


def test_what_came_of_an_attempt_of_a_damaged_instance_is_done_again_once_that_is_mended(tmp_path: Path) -> None:
    calls: list[str] = []
    go = threading.Event()

    def p(context: Any) -> int:
        calls.append(context.idempotency_key)
        go.wait(60)
        return len(calls)

    with worker(tmp_path, p) as engine:
        run = engine.start("bad", id="ill")
        run.send("go")
        run.wait(lambda each: bool(calls), timeout="60s")
        image = damage(engine, "ill")
        go.set()
        assert "JSON" in told(engine, "ill")
        others_go_on(engine)
        mend(engine, "ill", image)
        assert run.wait(timeout="60s") == "over"
        assert set(calls) == {"ill:1"}
        assert run.variables["result"] == len(calls) > 1


def test_a_damaged_attempt_harms_no_other_whoever_works_then_or_begins_to(tmp_path: Path) -> None:
    with open_engine(f"sqlite:///{tmp_path}/runs.db", [GOOD, BAD]) as engine:
        engine.start("bad", id="ill").send("go")
        change(engine, sa.update(ATTEMPTS).values(input='{"half'))
    with worker(tmp_path) as engine:
        assert "JSON" in told(engine, "ill")
        others_go_on(engine)
        assert list(finding(engine, "stuck").figures["instances"]) == ["ill"]
    with worker(tmp_path) as engine:
        others_go_on(engine, "healthy, too")
        change(engine, sa.update(ATTEMPTS).values(phase="running", worker="w#dead", input='{"half'))
        assert engine.workplace._presence is not None
        engine.workplace._presence.look_after()
        others_go_on(engine, "healthy as well")
        change(engine, sa.update(ATTEMPTS).values(input="{}"))
        assert engine.get("ill").wait(timeout="60s") == "over"


def test_a_coroutine_that_does_not_let_go_holds_up_others_of_its_kind_alone(tmp_path: Path) -> None:
    go = threading.Event()
    calls: list[int] = []

    async def p() -> None:
        calls.append(1)
        go.wait(60)

    with worker(tmp_path, p) as engine:
        first, second = (engine.start("bad", id=name) for name in ("blocks", "waits"))
        first.send("go")
        first.wait(lambda each: len(calls) == 1, timeout="60s")
        second.send("go")
        second.wait(lambda each: each.activities[0].phase == "running", timeout="60s")
        others_go_on(engine)
        assert len(calls) == 1
        # Its clock runs all the same.
        change(engine, sa.update(DUE).where(DUE.c.target == "blocks").values(due=1))
        assert first.wait(timeout="60s") == "wrong"
        assert first.variables["type"] == "Timeout.start_to_close"
        go.set()
        assert second.wait(timeout="60s") == "over"


def killed(engine: Engine, times: int) -> None:
    """So many workers have died at the attempt of `ill`, the last one just now, and others look after it."""
    change(engine, sa.update(ATTEMPTS).where(ATTEMPTS.c.instance == "ill").values(worker="w#dead", lost=times - 1))
    assert engine.workplace._presence is not None
    engine.workplace._presence.look_after()


def taken_over(engine: Engine, times: int) -> None:
    """Wait until the attempt of `ill` has lost so many workers, and runs again."""
    asked = sa.select(ATTEMPTS.c.lost, ATTEMPTS.c.phase).where(ATTEMPTS.c.instance == "ill")
    pause = threading.Event()
    for _ in range(3_000):
        with engine.core.database.reading() as rows:
            if tuple(rows.connection.execute(asked).one()) == (times, "running"):
                return
        pause.wait(0.01)
    raise AssertionError("nobody has taken it over")


def test_an_attempt_at_which_five_workers_have_died_has_failed_and_one_death_less_is_taken_over(tmp_path: Path) -> None:
    calls: list[int] = []
    go = threading.Event()

    def p(context: Any) -> None:
        calls.append(context.attempt)
        go.wait(60)

    with worker(tmp_path, p) as engine:
        run = engine.start("bad", id="ill")
        run.send("go")
        run.wait(lambda each: len(calls) == 1, timeout="60s")
        assert all(each.about != "deadly" for each in diagnose(engine.core.database.url).findings)
        killed(engine, 4)
        taken_over(engine, 4)
        found = finding(engine, "deadly")
        assert not found.ok
        assert found.message.endswith("bad.p of ill (4)")
        assert found.figures == {"deaths": {"ill:1": 4}}
        assert run.status == "running"
        killed(engine, 5)
        assert run.wait(timeout="60s") == "wrong"
        assert run.variables["type"] == "Worker.lost"
        failed = [each for each in run.records if each.kind == "activity_failed"]
        assert [each.payload["message"] for each in failed] == [
            "5 workers died while they carried it out, the last one was w"
        ]
        # It was not dead at all: it was not asked to do twice what it is at, and comes late.
        assert calls == [1]
        go.set()
        others_go_on(engine)
        assert engine.check()


def test_a_worker_that_was_taken_for_dead_and_is_not_goes_on_with_what_it_is_at(tmp_path: Path) -> None:
    calls: list[int] = []
    go = threading.Event()

    def p() -> int:
        calls.append(1)
        go.wait(60)
        return 7

    with worker(tmp_path, p) as engine:
        run = engine.start("bad", id="ill")
        run.send("go")
        run.wait(lambda each: len(calls) == 1, timeout="60s")
        killed(engine, 1)
        taken_over(engine, 1)
        go.set()
        assert run.wait(timeout="60s") == "over"
        assert run.variables["result"] == 7
        assert calls == [1]
        assert [each.kind for each in run.records].count("activity_started") == 1
        assert engine.check()


def test_an_attempt_whose_worker_is_back_is_not_given_up(tmp_path: Path) -> None:
    go = threading.Event()
    with worker(tmp_path, lambda: go.wait(60)) as engine:
        run = engine.start("bad", id="ill")
        run.send("go")
        run.wait(lambda each: each.activities[0].phase == "running", timeout="60s")
        engine.core.give_up([("ill", 1, 1), ("ill", 1, 2), ("nobody", 1, 1)])
        assert run.activities[0].phase == "running"
        go.set()
        assert run.wait(timeout="60s") == "over"


# Definitions ----------------------------------------------------------------------------------------------


def test_a_definition_that_cannot_be_read_any_more_harms_no_other(tmp_path: Path) -> None:
    with worker(tmp_path) as engine:
        engine.start("bad", id="ill")
    with open_engine(f"sqlite:///{tmp_path}/runs.db") as engine:
        change(engine, sa.update(DEFINITIONS).where(DEFINITIONS.c.name == "bad").values(definition='{"name": "bad"}'))
        change(engine, sa.update(DUE).values(due=1))
    with open_engine(f"sqlite:///{tmp_path}/runs.db", activities={"f": lambda: 1}, polling=0.02) as engine:
        told(engine, "ill")
        others_go_on(engine)
        with pytest.raises(UnknownWorkflow, match=r"bad 1\.0\.0 is published and cannot be read"):
            engine.start("bad")
        assert [each.name for each in engine.workflows.all_versions()] == ["good"]
        assert list(finding(engine, "definitions").figures["unreadable"]) == ["bad 1.0.0"]
        assert list(finding(engine, "stuck").figures["instances"]) == ["ill"]
        # Nor does it keep anybody from asking of the others, and is not told as well.
        report = engine.check()
        assert not report
        assert list(report.differences) == ["ill"]
        with pytest.warns(UserWarning, match="'ill'"):
            assert engine.history.sql("SELECT count(*) FROM cases").fetchall() == [(1,)]


# Activities -----------------------------------------------------------------------------------------------


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise SystemExit("not even its text")


def raising(error: BaseException) -> Callable[[], Any]:
    def p() -> Any:
        raise error

    return p


def raising_async(error: BaseException) -> Callable[[], Any]:
    async def p() -> Any:
        raise error

    return p


def returning(result: Any) -> Callable[[], Any]:
    return lambda: result


def nested(depth: int) -> Any:
    found: Any = None
    for _ in range(depth):
        found = [found]
    return found


ILL: dict[str, tuple[Callable[..., Any], str]] = {
    "exits": (raising(SystemExit(3)), "SystemExit"),
    "is interrupted": (raising(KeyboardInterrupt()), "KeyboardInterrupt"),
    "closes a generator": (raising(GeneratorExit()), "GeneratorExit"),
    "has no text": (raising(Unspeakable()), "Unspeakable"),
    "has a zero in its text": (raising(ActivityError("Net\0", "a\0b")), "Net\ufffd"),
    "exits while others wait": (raising_async(SystemExit(3)), "SystemExit"),
    "is interrupted while others wait": (raising_async(KeyboardInterrupt()), "KeyboardInterrupt"),
    "cancels itself": (raising_async(asyncio.CancelledError()), "CancelledError"),
    "returns an object": (returning(object()), "Result.type"),
    "returns no number": (returning(float("nan")), "Result.type"),
    "returns half a character": (returning("\ud800"), "Result.type"),
    "returns what is too deep": (returning(nested(5_000)), "Result.type"),
    "returns too long a text": (returning("x" * (LONGEST_STRING_VALUE + 1)), "Result.type"),
    "returns too much": (returning([0] * (LARGEST_VALUE + 1)), "Result.type"),
}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with serving() as server:
        yield server.address()


def test_whatever_a_function_raises_or_returns_harms_no_other(address: str) -> None:
    workflow = BAD.model_dump(mode="json", exclude_defaults=True)
    workflows = [Workflow.model_validate({**workflow, "name": f"bad_{number}"}) for number in range(len(ILL))]
    functions = {f"{each.name}.p": function for each, (function, _) in zip(workflows, ILL.values(), strict=True)}
    with open_engine(address, [GOOD, *workflows], {"f": lambda: 1, **functions}, polling=0.02) as engine:
        for each, what in zip(workflows, ILL, strict=True):
            engine.start(each.name, id=what).send("go")
        others_go_on(engine)
        found = {}
        for what in ILL:
            run = engine.get(what)
            run.wait(timeout="60s")
            found[what] = run.variables["type"]
        assert found == {what: wanted for what, (_, wanted) in ILL.items()}
        assert engine.stuck == {}


def test_a_large_result_and_one_with_a_zero_are_stored_and_harm_no_other(tmp_path: Path) -> None:
    large = ["x" * LONGEST_STRING_VALUE] * 10 + ["a\0b"]
    with worker(tmp_path, returning(large)) as engine:
        engine.start("bad", id="large").send("go")
        others_go_on(engine)
        assert engine.get("large").wait(timeout="60s") == "over"
        assert engine.get("large").variables["result"] == large
        assert engine.check()


def test_functions_that_hang_harm_no_other_and_are_left_behind_when_their_time_is_over(tmp_path: Path) -> None:
    go = threading.Event()
    with worker(tmp_path, lambda: go.wait(60)) as engine:
        runs = [engine.start("bad", id=f"hangs-{number}") for number in range(5)]
        for run in runs:
            run.send("go")
            run.wait(lambda each: each.activities[0].phase == "running", timeout="60s")
        others_go_on(engine)
        change(engine, sa.update(DUE).values(due=1))
        for run in runs:
            assert run.wait(timeout="60s") == "wrong"
            assert run.variables["type"] == "Timeout.start_to_close"
        others_go_on(engine, "healthy, too")
        go.set()


def test_a_value_that_the_database_refuses_is_no_outage_of_it(address: str) -> None:
    with open_engine(address, [GOOD], polling=0.02) as engine:
        with pytest.raises(EngineError, match="refuses a value") as refused:
            engine.send("a\0b", "go")
        assert not isinstance(refused.value, DatabaseError)
