"""`discover`: from a history to a tree, a net and a workflow."""

from __future__ import annotations

import pandas as pd
import pytest

import wfsim as wf
from wfsim.errors import HistoryError, OptionError
from wfsim.mining.tree import sequence


def log_of(*words: str, **columns: object) -> wf.History:
    """A log in which each word is a case, whose activities are its letters, one a minute."""
    rows = [
        {"case": f"{number}", "activity": letter, "time": pd.Timestamp("2026-03-02T08:00Z") + pd.Timedelta(minutes=k)}
        for number, word in enumerate(words)
        for k, letter in enumerate(word)
    ]
    return wf.read_log(pd.DataFrame(rows).assign(**columns), case="case", activity="activity", time="time")


@pytest.fixture(scope="module")
def order() -> wf.History:
    return wf.simulate(wf.new("order"), cases=300, seed=3, engine="python")


def test_the_workflow_found_in_simulated_cases_lets_cases_do_the_same(order: wf.History) -> None:
    found = wf.discover(order, noise=0)
    assert found.fitting == 1.0
    assert found.deviating() == []
    assert found.name == "order"
    again = wf.discover(wf.simulate(found.workflow, cases=300, seed=1, engine="python"), noise=0)
    assert all(found.tree.accepts(each for each in trace if each not in ("start", "end")) for trace in again.log.traces)
    assert wf.soundness(found.net)
    assert wf.soundness(found.workflow)


def test_states_are_called_as_activities_are_and_events_too() -> None:
    found = wf.discover(log_of("ab", "ac")).workflow
    assert [(state.name, state.is_terminal) for state in found.states] == [("a", False), ("b", True), ("c", True)]
    assert [(way.from_, way.event, way.to) for way in found.transitions] == [("a", "b", "b"), ("a", "c", "c")]


def test_where_a_case_may_end_but_need_not_an_event_ends_it() -> None:
    found = wf.discover(log_of("ab", "a"), noise=0).workflow
    assert [(way.from_, way.event, way.to) for way in found.transitions] == [("a", "b", "b"), ("a", "end", "end")]


def test_what_is_parallel_has_regions_that_end_on_events_of_their_own() -> None:
    found = wf.discover(log_of("abcd", "acbd", "acd", "abd", "ad"), noise=0).workflow
    (state,) = (each for each in found.states if each.parallel)
    assert state.name == "b and c"
    assert [region.name for region in state.parallel.regions] == ["b", "c"]
    assert {way.event for region in state.parallel.regions for way in region.transitions} == {
        "b",
        "b: end",
        "c",
        "c: end",
    }
    assert wf.soundness(found)


def test_activities_whose_names_mean_something_else_get_others() -> None:
    rows = [("1", "open / close", 0), ("1", "done", 1), ("1", "end", 2), ("2", "open / close", 0), ("2", "done", 1)]
    frame = pd.DataFrame(rows, columns=["case", "activity", "time"])
    found = wf.discover(wf.read_log(frame, time_format="s"), noise=0)
    assert found.tree.activities == ("open / close", "done", "end")
    assert [state.name for state in found.workflow.states] == ["open - close", "done", "end", "end 2"]
    assert [way.event for way in found.workflow.transitions] == ["done comes", "end", "end 2"]
    assert wf.soundness(found.workflow)


def test_activities_that_take_time_are_work_of_their_states() -> None:
    frame = pd.DataFrame(
        [("1", "a", 0, 60), ("1", "b", 60, 90), ("2", "a", 0, 30), ("2", "c", 40, 90)],
        columns=["case", "activity", "begun", "time"],
    )
    found = wf.discover(wf.read_log(frame, start="begun", time_format="s"))
    assert found.timed == ("a", "b", "c")
    assert [state.name for state in found.workflow.states] == ["a", "after a", "b", "c", "end"]
    assert [way.event for way in found.workflow.transitions] == ["done", "b", "c", "done", "done"]


def test_cases_that_do_something_else_are_told() -> None:
    found = wf.discover(log_of(*["abc"] * 19, "cab"), noise=0.3)
    assert found.tree == sequence([wf.discover(log_of(each)).tree for each in "abc"])
    assert found.fitting == 0.95
    assert found.deviating() == [(("c", "a", "b"), 1)]
    assert "95.0% of 20 cases fit" in repr(found)


def test_open_cases_are_left_out_and_counted() -> None:
    frame = pd.DataFrame([("1", "a", 0), ("1", "b", 1), ("2", "a", 0)], columns=["case", "activity", "time"])
    found = wf.discover(wf.read_log(frame, time_format="s", final=["b"]), noise=0)
    assert (str(found.tree), found.n_open) == ("→(a, b)", 1)
    assert "1 open cases left out" in repr(found)


def test_a_notebook_shows_the_drawing_and_how_much_fits(order: wf.History) -> None:
    shown = wf.discover(order)._repr_mimebundle_()
    assert "cases fit" in shown["text/html"]
    assert "<svg" in shown["text/html"]


@pytest.mark.parametrize("noise", [-0.1, 1.5, "much", True, float("nan")])
def test_noise_that_is_no_share_is_refused(order: wf.History, noise: object) -> None:
    with pytest.raises(OptionError, match="from 0, all fits, to 1"):
        wf.discover(order, noise)


def test_a_workflow_that_is_not_there_is_refused_with_those_that_are(order: wf.History) -> None:
    with pytest.raises(HistoryError, match=r"has no workflow 'ordr'\. Did you mean 'order'"):
        wf.discover(order, workflow="ordr")


def test_without_a_case_that_has_closed_there_is_nothing_to_find() -> None:
    with pytest.raises(HistoryError, match="no case of 'order' has closed"):
        wf.discover(wf.simulate(wf.new("order"), cases=3, horizon="1us", engine="python"))


def test_the_traces_are_an_answer_in_sql() -> None:
    history = wf.read_log(log_of("ab", "ab", "acb", "ac").log().df(), name="o'log")
    found = wf.discover(history)
    assert {tuple(states): n for states, n in history.sql(found.query).fetchall()} == found.log.traces
    aligned = wf.align(history, found.net)
    assert aligned.query is not None
    traces = {tuple(states): n for states, n in history.sql(aligned.query).fetchall()}
    assert traces == {each.activities: each.cases for each in aligned.variants}
    assert wf.align([["a"]], found.net).query is None
