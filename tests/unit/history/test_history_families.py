"""Several workflows in one run: parents and children in one history, written by a simulation or a store."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tests.families import ORDER, PARCEL, Play, family
from wfsim.errors import HistoryError
from wfsim.history.history import History
from wfsim.history.replay import replay_all
from wfsim.history.runs import catalogue_of
from wfsim.history.store import Store, StoredCase
from wfsim.history.writer import PROVISIONAL, HistoryWriter
from wfsim.model.catalogue import Catalogue
from wfsim.model.workflow import Workflow
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.instance import Instance
from wfsim.semantics.kernel import Output
from wfsim.semantics.records import Record, records_of


class Written:
    """A writer fed by a `Play`, and the records as they came."""

    def __init__(self, **options: Any) -> None:
        self.play = Play(self.append)
        root = self.play.program("order")
        self.writer = HistoryWriter(None, root, **options)
        self.records: dict[str, list[Record]] = {}
        self._numbers: dict[str, int] = {}

    def append(self, name: str, parent: str | None, activation: int, instance: Instance, output: Output) -> None:
        if name not in self._numbers:
            self._numbers[name] = int(name) if parent is None else PROVISIONAL + len(self._numbers)
            if parent is not None:
                self.writer.announce(self._numbers[name], None, self._numbers[parent], activation)
        self.writer.append(self._numbers[name], instance, output)
        self.records.setdefault(name, []).extend(records_of(instance, output))


@pytest.fixture(scope="module")
def written() -> Written:
    it = Written()
    it.play.whole("2")
    it.play.whole("1")
    return it


@pytest.fixture(scope="module")
def history(written: Written) -> History:
    return written.writer.finish()


def stored(store: Store) -> tuple[Play, dict[str, StoredCase]]:
    places: dict[str, StoredCase] = {}

    def append(name: str, parent: str | None, activation: int, instance: Instance, output: Output) -> None:
        if name not in places:
            if parent is None:
                places[name] = store.new_case(instance.program, name)
            else:
                places[name] = store.new_case(instance.program, parent=places[parent], activation=activation)
        store.append(places[name], instance, output, expected_version=output.records[0].seq - 1)

    return Play(append), places


def test_every_case_of_a_family_reads_back_and_replays_at_every_version(written: Written, history: History) -> None:
    assert replay_all(history)
    for name, expected in written.records.items():
        case = history.case(name) if "/" in name else history.case(int(name))
        assert [asdict(record) for record in case.records()] == [asdict(record) for record in expected]
        for record in expected:
            instance = case.replay(upto=record.seq)
            assert instance.version >= record.seq
        assert instance.configuration == written.play.instances[name].configuration
        assert instance.variables == written.play.instances[name].variables


def test_a_record_that_is_read_back_is_told_in_the_same_words(written: Written, history: History) -> None:
    for name, expected in written.records.items():
        case = history.case(name) if "/" in name else history.case(int(name))
        assert [str(record) for record in case.records()] == [str(record) for record in expected]


def test_indices_keys_and_messages_are_kept(history: History) -> None:
    of = {record.seq: record for record in history.case(1).records()}
    assert of[1].payload["key"] == 1
    assert [r.payload.get("index") for r in of.values() if r.kind == "activity_scheduled"] == [0, 1]
    child = history.case(1).children[1]
    (sent,) = [record for record in child.records() if record.kind == "message_sent"]
    assert sent.payload == {"to": "parent", "message_id": 1, "payload": {"days": 1}}
    (returned,) = [record for record in child.records() if record.kind == "message_returned"]
    assert returned.payload == {"message_id": 1, "reason": "no_instance"}
    rows = history.sql(
        "SELECT payload->>'to', payload->>'message_id', payload->'payload'->>'days' FROM history "
        "WHERE kind = 'message_sent'"
    ).fetchall()
    assert rows == [("parent", "1", "1")] * 4
    started = (
        "SELECT payload->>'key', payload->'input'->>'id' FROM history WHERE kind = 'started' AND workflow = 'order'"
    )
    assert history.sql(started).fetchall() == [("1", "1"), ("2", "2")]
    indices = (
        "SELECT payload->>'index' FROM history WHERE kind = 'child_started' AND workflow = 'order' AND \"case\" = 1"
    )
    assert history.sql(indices).fetchall() == [("0",), ("1",)]


def test_children_are_numbered_after_the_roots_by_parent_and_activation(history: History) -> None:
    rows = history.sql('SELECT "case", workflow, external_id, parent_case, parent_activation FROM durations').fetchall()
    assert rows == [
        (1, "order", None, None, None),
        (2, "order", None, None, None),
        (3, "parcel", "1/3", 1, 3),
        (4, "parcel", "1/4", 1, 4),
        (5, "parcel", "2/3", 2, 3),
        (6, "parcel", "2/4", 2, 4),
        (7, "check", "1/3/2", 3, 2),
        (8, "check", "1/4/2", 4, 2),
        (9, "check", "2/3/2", 5, 2),
        (10, "check", "2/4/2", 6, 2),
    ]


def test_the_order_of_execution_changes_neither_numbers_nor_digest(history: History) -> None:
    other = Written(batch_rows=9)
    other.play.whole("1")
    other.play.whole("2")
    again = other.writer.finish()
    assert again.digest == history.digest


def test_a_case_knows_its_parent_and_its_children(history: History) -> None:
    root = history.case(1)
    assert root.parent is None
    assert root.workflow.name == "order"
    assert [child.external_id for child in root.children] == ["1/3", "1/4"]
    (grandchild,) = root.children[0].children
    assert (grandchild.workflow.name, grandchild.parent_activation) == ("check", 2)
    assert grandchild.parent is not None
    assert grandchild.parent.case == root.children[0].case
    assert grandchild.records()[0].payload["parent"] == "1/3"
    assert "of check: completed" in repr(grandchild)


def test_a_store_gives_the_same_history(tmp_path: Path) -> None:
    with Store(tmp_path / "runs.duckdb") as store:
        play, _ = stored(store)
        play.whole("1")
        live = store.history()
        assert replay_all(live)
        assert len(live.runs) == 1
        assert [one.name for one in live.runs[0].workflows] == ["order", "check", "parcel"]
        root = store.case("1")
        assert [child.external_id for child in root.children] == ["1/3", "1/4"]
        (grandchild,) = root.children[0].children
        assert (grandchild.external_id, grandchild.parent_activation) == ("1/3/2", 2)
        parent = grandchild.parent
        assert parent is not None
        assert parent.external_id == "1/3"
        assert root.parent is None
    with Store(tmp_path / "runs.duckdb") as store:
        found = store.find("1/4")
        assert found is not None
        assert (found.workflow, found.parent_case, found.parent_activation) == (2, 1, 4)
        assert store.case("1/4").program.workflow.name == "parcel"
        assert catalogue_of(store.case("1/4").run).versions("check") == ("1.0.0",)
        assert store.case("1/4").replay().status == "completed"


def test_a_new_version_of_a_child_begins_a_new_run_and_older_cases_keep_theirs(tmp_path: Path) -> None:
    newer = Catalogue([*family().all_versions(), Workflow.model_validate(PARCEL | {"version": "1.1.0"})])
    with Store(tmp_path / "runs.duckdb") as store:
        play, _ = stored(store)
        play.start("1", {"id": 1, "parcels": ["a"]})
        play.catalogue = newer
        play.start("2", {"id": 2, "parcels": ["a"]})
        for name in ("1", "2"):
            play.catalogue = catalogue_of(store.case(name).run)
            play.step(name, "activity_succeeded", 20, 1, 1, None)
        live = store.history()
        assert replay_all(live)
        assert [run.run for run in live.runs] == [1, 2]
        versions = [live.case(f"{name}/3").workflow.version for name in ("1", "2")]
        assert versions == ["1.0.0", "1.1.0"]


def test_states_of_one_name_in_two_workflows_are_two_things(history: History) -> None:
    def rows(query: str) -> list[Any]:
        return history.sql(query).fetchall()

    assert rows("SELECT workflow, count(*), sum(dwell) FROM stays WHERE state = 'shipping' GROUP BY 1 ORDER BY 1") == [
        ("order", 2, 64),
        ("parcel", 4, 80),
    ]
    assert rows("SELECT workflow, n FROM dfg WHERE from_state = 'shipping' ORDER BY 1") == [("order", 2), ("parcel", 4)]
    assert rows("SELECT workflow, attempts FROM activity_stats WHERE activity = 'mail' ORDER BY 1") == [
        ("order", 4),
        ("parcel", 4),
    ]
    assert rows("SELECT workflow, array_to_string(states, ' '), cases, share FROM variants") == [
        ("order", "paying shipping shipped", 2, 1.0),
        ("check", "look seen", 4, 1.0),
        ("parcel", "shipping checking shipped", 4, 1.0),
    ]
    assert rows("SELECT workflow, path, rank_by_cases FROM hot_paths") == [
        ("order", "paying → shipping → shipped", 1),
        ("check", "look → seen", 1),
        ("parcel", "shipping → checking → shipped", 1),
    ]
    assert rows("SELECT workflow, status, cases FROM outcomes") == [
        ("order", "completed", 2),
        ("check", "completed", 4),
        ("parcel", "completed", 4),
    ]
    assert rows(
        "SELECT workflow, count(*) FROM bottlenecks WHERE name IN ('shipping', 'mail') GROUP BY 1 ORDER BY 1"
    ) == [
        ("order", 2),
        ("parcel", 2),
    ]
    assert rows("SELECT DISTINCT workflow, executions FROM retries ORDER BY 1") == [("order", 4), ("parcel", 4)]
    assert rows("SELECT workflow, state, count(*) FROM active_at(35) GROUP BY ALL ORDER BY 1, 2") == [
        ("order", "shipping", 2),
        ("parcel", "shipping", 4),
    ]
    assert rows(
        "SELECT workflow, sum(time_inside) FROM occupancy(10) WHERE state = 'shipping' GROUP BY 1 ORDER BY 1"
    ) == [
        ("order", 64),
        ("parcel", 80),
    ]
    assert history.counts == {"completed/success": 2}


@pytest.mark.parametrize("log", ["transitions", "aggregates"])
def test_lower_log_levels_keep_workflows_apart_too(history: History, log: str) -> None:
    it = Written(log=log)
    it.play.whole("2")
    it.play.whole("1")
    few = it.writer.finish()
    edges = "SELECT workflow, from_state, to_state, event, n, total_dwell FROM dfg ORDER BY ALL"
    assert few.sql(edges).fetchall() == history.sql(edges).fetchall()
    columns = 'SELECT "case", workflow, parent_case, status FROM durations'
    assert few.sql(columns).fetchall() == history.sql(columns).fetchall()


def test_two_versions_of_one_workflow_in_one_run_are_told_apart() -> None:
    old, recent = (Workflow.model_validate(PARCEL | {"version": version}) for version in ("1.0.0", "1.1.0"))
    spec = ORDER | {
        "states": [
            {"name": "paying", "invoke": {"workflow": "parcel", "version": "<1.1.0", "input": {"parcel": "a"}}},
            *ORDER["states"][1:],
        ]
    }
    order = Workflow.model_validate(spec)
    catalogue = Catalogue([order, old, recent, family().get("check")])
    program = compile_workflow(order, catalogue)
    with HistoryWriter(None, program) as writer:
        instance = Instance(program)
        writer.append(1, instance, instance.start(0, {"id": 1, "parcels": []}))
        for number, workflow in enumerate((old, recent)):
            child = Instance(compile_workflow(workflow, catalogue))
            writer.announce(PROVISIONAL + number, None, 1, number)
            writer.append(PROVISIONAL + number, child, child.start(0, {"parcel": "a"}))
        history = writer.finish()
    assert history.sql("SELECT DISTINCT workflow FROM stays ORDER BY 1").fetchall() == [
        ("order",),
        ("parcel 1.0.0",),
        ("parcel 1.1.0",),
    ]
    assert replay_all(history)


def test_a_workflow_that_is_not_of_the_run_is_refused(tmp_path: Path) -> None:
    order = Workflow.model_validate(ORDER)
    alone = compile_workflow(order)
    parcel = Instance(Play(lambda *_: None).program("parcel"))
    with HistoryWriter(None, alone) as writer:
        writer.append(1, (root := Instance(alone)), root.start(0, {"id": 1, "parcels": []}))
        writer.announce(PROVISIONAL, None, 1, 1)
        with pytest.raises(HistoryError, match=r"parcel 1\.0\.0 is no workflow of run 1, which has: order 1\.0\.0"):
            writer.append(PROVISIONAL, parcel, parcel.start(0, {"parcel": "a"}))
    with Store(tmp_path / "runs.duckdb") as store:
        place = store.new_case(alone, "one")
        with pytest.raises(HistoryError, match=r"is no workflow of run 1"):
            store.new_case(parcel.program, parent=place, activation=1)
        with pytest.raises(HistoryError, match=r"named by the activation"):
            store.new_case(alone, parent=place)


def test_a_number_for_children_needs_a_parent() -> None:
    it = Written()
    instance = Instance(it.play.program("order"))
    with pytest.raises(HistoryError, match="are for what other instances start"):
        it.writer.append(PROVISIONAL, instance, instance.start(0, {"id": 1, "parcels": []}))
    it.writer.announce(PROVISIONAL, None, 5, 1)
    instance = Instance(it.play.program("order"))
    with pytest.raises(HistoryError, match="its parent, case 5, has no rows"):
        it.writer.append(PROVISIONAL, instance, instance.start(0, {"id": 1, "parcels": []}))
    it.writer.close()


def test_a_workflow_that_starts_itself_needs_a_catalogue_to_be_replayed() -> None:
    spec = {
        "name": "again",
        "initial_state": "a",
        "variables": {"n": {"type": "integer", "input": True}},
        "states": [
            {"name": "a", "invoke": {"workflow": "again", "input": {"n": 1}}},
            {"name": "b", "is_terminal": True},
        ],
        "transitions": [{"from": "a", "to": "b", "event": "done"}],
    }
    workflow = Workflow.model_validate(spec)
    with pytest.raises(HistoryError, match="'again' starts itself"):
        HistoryWriter(None, compile_workflow(workflow))
    program = compile_workflow(workflow, Catalogue([workflow]))
    with HistoryWriter(None, program) as writer:
        instance = Instance(program)
        writer.append(1, instance, instance.start(0, {"n": 0}))
        child = Instance(program)
        writer.announce(PROVISIONAL, None, 1, 1)
        writer.append(PROVISIONAL, child, child.start(0, {"n": 1}, "1"))
        assert replay_all(writer.finish()).n_cases == 2


def test_a_message_to_itself_that_is_refused_is_no_event_refused_at_the_door() -> None:
    spec = {
        "name": "loud",
        "initial_state": "a",
        "variables": {"k": {"type": "any", "initial": "text"}},
        "events": {"go": {"payload": {"k": "integer"}}},
        "states": [{"name": "a"}, {"name": "b", "is_terminal": True}],
        "transitions": [
            {
                "from": "a",
                "event": "go",
                "pre_actions": [{"action_type": "send", "to": "self", "event": "go", "payload": {"k": "${context.k}"}}],
            }
        ],
    }
    workflow = Workflow.model_validate(spec)
    program = compile_workflow(workflow)
    with HistoryWriter(None, program) as writer:
        instance = Instance(program)
        writer.append(1, instance, instance.start(0))
        output = instance.event(1, "go", {"k": 1})
        assert "event_rejected" in [record.kind for record in records_of(instance, output)]
        writer.append(1, instance, output)
        assert replay_all(writer.finish())
