"""Hot paths: the table, the numbers on the edges, and the figure."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.families import family
from wfsim.analytics.flows import flows
from wfsim.analytics.hot_paths import OTHER, HotPaths, hot_paths
from wfsim.analytics.sankey import ENDINGS, path_sankey
from wfsim.errors import HistoryError
from wfsim.history.history import History
from wfsim.history.runs import Origin
from wfsim.history.simulate import simulate
from wfsim.history.writer import HistoryWriter
from wfsim.model.duration import short_time
from wfsim.model.workflow import Workflow
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.instance import Instance
from wfsim.simulation.scenario import Scenario

SECOND = 1_000_000

LOOP: dict[str, Any] = {
    "name": "loop",
    "initial_state": "draft",
    "events": {"send": {}, "back": {}, "ok": {}, "no": {}},
    "states": [
        {"name": "draft"},
        {"name": "<review>"},
        {"name": "done", "is_terminal": True},
        {"name": "refused", "is_terminal": True, "outcome": "failure"},
    ],
    "transitions": [
        {"from": "draft", "to": "<review>", "event": "send"},
        {"from": "<review>", "to": "draft", "event": "back"},
        {"from": "<review>", "to": "done", "event": "ok"},
        {"from": "<review>", "to": "refused", "event": "no"},
    ],
}
# Case by case: the events in order, one second apart; `!` terminates.
CASES = [
    ["send", "ok"],
    ["send", "ok"],
    ["send", "ok"],
    ["send", "no"],
    ["send", "back", "send", "ok"],
    ["send", "back", "send", "back", "send", "back", "send", "no"],
    ["send", "!"],
    ["send"],
]
ROUND = ["draft", "<review>"]


def play(writer: HistoryWriter, cases: list[list[str]]) -> None:
    program = compile_workflow(Workflow.model_validate(LOOP))
    for number, events in enumerate(cases, 1):
        instance = Instance(program, key=number)
        writer.append(number, instance, instance.start(0))
        for k, event in enumerate(events, 1):
            time = k * SECOND
            output = instance.control(time, "terminate") if event == "!" else instance.event(time, event)
            writer.append(number, instance, output)


@pytest.fixture(scope="module", name="history")
def loop_history() -> History:
    workflow = Workflow.model_validate(LOOP)
    writer = HistoryWriter(None, compile_workflow(workflow))
    play(writer, CASES)
    return writer.finish()


def test_paths_are_ranked_by_cases(history: History) -> None:
    table = hot_paths(history).df()
    assert table["states"].map(list).tolist() == [
        [*ROUND, "done"],
        [*ROUND * 4, "refused"],
        [*ROUND * 2, "done"],
        ROUND,
        [*ROUND, "refused"],
    ]
    assert table["path"][0] == "draft → <review> → done"
    assert table["cases"].tolist() == [3, 1, 1, 1, 1]
    assert table["share"].sum() == pytest.approx(1)
    assert table["total_time"].tolist() == [6 * SECOND, 8 * SECOND, 4 * SECOND, 2 * SECOND, 2 * SECOND]
    assert table[["success", "failure", "terminated"]].values.tolist() == [
        [3, 0, 0],
        [0, 1, 0],
        [1, 0, 0],
        [0, 0, 1],
        [0, 1, 0],
    ]


def test_paths_are_ranked_by_time(history: History) -> None:
    table = hot_paths(history, by="time", limit=2).df()
    assert table["total_time"].tolist() == [8 * SECOND, 6 * SECOND]
    assert table["rank_by_time"].tolist() == [1, 2]
    assert table["time_share"].tolist() == pytest.approx([8 / 22, 6 / 22])


def test_a_state_has_one_colour_in_every_sankey_and_rare_paths_are_one_band(history: History) -> None:
    def colours(paths: HotPaths) -> dict[str, str]:
        (sankey,) = paths.plot().data
        return dict(zip(sankey.node.label, sankey.node.color))

    every, first = hot_paths(history), hot_paths(history, limit=1)
    both = colours(every).keys() & colours(first).keys()
    assert len(both) > 2
    assert {name: colours(every)[name] for name in both} == {name: colours(first)[name] for name in both}
    assert OTHER not in colours(every)
    (sankey,) = first.plot().data
    rest = [value for source, value in zip(sankey.link.source, sankey.link.value) if sankey.node.label[source] == OTHER]
    assert sum(rest) + int(first.df()["cases"].sum()) == int(every.df()["cases"].sum())


def test_the_sankey_carries_every_case_from_start_to_ending(history: History) -> None:
    figure = hot_paths(history).plot()
    (sankey,) = figure.data
    labels, link = list(sankey.node.label), sankey.link
    into: Counter[int] = Counter()
    out: Counter[int] = Counter()
    for source, target, value in zip(link.source, link.target, link.value):
        assert source < len(labels)
        assert target < len(labels)
        out[source] += value
        into[target] += value
    starts = [k for k in out if k not in into]
    ends = [k for k in into if k not in out]
    assert [labels[k] for k in starts] == ["draft"]
    assert out[starts[0]] == 7
    assert {labels[k].replace("<br>", " "): into[k] for k in ends} == {
        ENDINGS["success"][0]: 4,
        ENDINGS["failure"][0]: 2,
        ENDINGS["terminated"][0]: 1,
    }
    for k in into.keys() & out.keys():
        assert into[k] == out[k]
    assert len(labels) == len(set(into) | set(out))


def test_labels_of_the_sankey_are_broken_so_that_the_next_column_does_not_cover_them() -> None:
    states = ["created", "payment_completed", "inventory_allocated", "<b>", "e", "f", "g", "h"]
    (sankey,) = path_sankey([(states, {"success": 3})], title="long").data
    assert "inventory_<br>allocated" in sankey.node.label
    assert "&lt;b&gt;" in sankey.node.label
    (short,) = path_sankey([(states[:2], {"success": 3})], title="short").data
    assert "payment_completed" in short.node.label


def test_endings_differ_by_more_than_colour() -> None:
    signs = [label.split()[0] for label, _ in ENDINGS.values()]
    assert len(set(signs)) == len(signs)


def test_labels_and_cells_are_escaped(history: History) -> None:
    paths = hot_paths(history)
    labels = paths.plot().data[0].node.label
    assert "&lt;review&gt;" in labels
    assert "<review>" not in labels
    assert "<review>" not in paths._repr_html_()
    assert "&lt;review&gt;" in paths._repr_html_()


def test_all_runs_count_together_unless_one_is_named() -> None:
    workflow = Workflow.model_validate(LOOP)
    writer = HistoryWriter(None, compile_workflow(workflow))
    play(writer, CASES[:2])
    writer.new_run(Origin(replication=1))
    play(writer, CASES[3:4])
    history = writer.finish()
    assert hot_paths(history).df()["cases"].tolist() == [2, 1]
    assert hot_paths(history, run=2).df()["cases"].tolist() == [1]
    assert hot_paths(history, run=2).df()["share"].tolist() == [1]
    with pytest.raises(HistoryError, match=r"there is no run 3\. Runs: 1, 2"):
        hot_paths(history, run=3)


def test_wrong_arguments_are_named(history: History) -> None:
    with pytest.raises(HistoryError, match=r"by='case' is not a ranking.* Did you mean 'cases'"):
        hot_paths(history, by="case")  # type: ignore[arg-type]
    with pytest.raises(HistoryError, match="limit=0"):
        hot_paths(history, limit=0)


def test_a_history_without_closed_cases_gives_an_empty_table_and_figure() -> None:
    workflow = Workflow.model_validate(LOOP)
    writer = HistoryWriter(None, compile_workflow(workflow))
    play(writer, [["send"]])
    paths = hot_paths(writer.finish())
    assert isinstance(paths, HotPaths)
    assert len(paths) == 0
    assert repr(paths) == "no closed cases"
    assert "<table>" in paths._repr_html_()
    assert len(paths.plot().data[0].node.label or ()) == 0


@pytest.mark.parametrize(
    ("microseconds", "shown"),
    [
        (0, "0 s"),
        (999, "999 µs"),
        (1_500, "1.5 ms"),
        (2e6, "2 s"),
        (90e6, "1.5 min"),
        (7_200e6, "2 h"),
        (86_400e6 * 12, "12 d"),
    ],
)
def test_times_are_shown_in_the_unit_people_use(microseconds: float, shown: str) -> None:
    assert short_time(microseconds) == shown


@pytest.mark.parametrize("given", [3, "orders.duckdb", None])
def test_only_a_history_has_hot_paths(given: Any) -> None:
    with pytest.raises(HistoryError, match=r"hot_paths takes a history, not .*wf.open_history\(path\) opens one"):
        hot_paths(given)


def test_a_family_shows_the_workflow_that_was_run_or_the_one_asked_for() -> None:
    catalogue = family()
    plan = {
        "cases": 4,
        "inputs": {"id": {"unique": 1}, "parcels": ["a", "b"]},
        "workflows": {
            "parcel": {"activities": {"mail": {"result": "r"}}},
            "check": {"events": {"look": [{"event": "seen", "delay": "1s"}]}},
        },
    }
    history = simulate(catalogue.get("order"), Scenario.model_validate(plan), catalogue=catalogue, replications=2)
    root, parcel = hot_paths(history), hot_paths(history, workflow="parcel", run=2)
    assert list(root.df()["path"]) == ["paying → shipping → shipped"]
    assert list(root.df()["cases"]) == [8]
    # A message from each parcel is taken on the way, without leaving the state.
    assert [flow.n for flow in flows(history).edges.values()] == [8, 16, 8]
    assert list(parcel.df()["path"]) == ["shipping → checking → shipped"]
    assert list(parcel.df()["cases"]) == [8]
    assert {flow.n for flow in flows(history, workflow="parcel").edges.values()} == {16}
    assert "how often, 8 cases (" in parcel.map().title
    assert "hottest paths of parcel" in parcel.plot().layout.title.text
    with pytest.raises(HistoryError, match=r"no workflow 'parsel' in this history\. Workflows: check, order, parcel"):
        hot_paths(history, workflow="parsel")
