"""Compensation in the net: rules 8.3 and 9, and the worked example 11."""

from __future__ import annotations

from typing import Any

import pytest

import wfsim as wf
from tests.unit.net.translated import C, after, parallel, region, run, workflow
from wfsim.net.translate import to_net

COMPENSATE: dict[str, Any] = {"action_type": "compensate"}
BOOK, CANCEL = {"compensate_with": "u"}, {"retry_policy": {"max_attempts": 1}}


def saga(**keys: Any) -> wf.Workflow:
    """f runs in a, g in b; then everything is undone on the way to c."""
    return workflow(
        [
            {"from": "a", "event": "done", "to": "b"},
            {"from": "b", "event": "done", "to": "c"},
            {"from": "b", "event": "stop", "to": "c", "pre_actions": [COMPENSATE | keys]},
        ],
        [{"name": "a", "activity": {"name": "f"}}, {"name": "b", "activity": {"name": "g"}}, C],
        activities={"f": BOOK, "g": {"compensate_with": "v"}, "u": CANCEL, "v": CANCEL},
    )


F_DONE = ("start", "f starts", "f succeeds", "t1: a → b on done")
STOP = "t3: b → c on stop"


def test_a_success_enters_the_log_and_leaving_does_not_forget_it() -> None:
    (left,) = after(to_net(saga()), *F_DONE)
    assert left == {"b", "b.scheduled.1", "log f in a"}


def test_compensation_runs_what_is_in_the_log_and_nothing_else() -> None:
    net = to_net(saga())
    begun = (*F_DONE, f"{STOP} begins")
    assert after(net, *begun, "v for g in b is called") == set()
    undone = (*begun, "u for f in a is called", "u starts", "u succeeds", "u for f in a has undone it")
    assert {frozenset({"t3.pre1.undoing", "b.scheduled.1"})} == after(net, *undone)
    assert after(net, *undone, STOP) == {frozenset({"c"})}
    # It cannot go on before.
    assert after(net, *begun, STOP) == set()


def test_an_empty_log_is_undone_at_once() -> None:
    flow = workflow(
        [{"from": "a", "event": "stop", "to": "c", "pre_actions": [COMPENSATE]}],
        [{"name": "a", "activity": {"name": "f"}}, C],
        activities={"f": BOOK, "u": CANCEL},
    )
    net = to_net(flow)
    assert after(net, "start", "t1: a → c on stop begins", "t1: a → c on stop") == {frozenset({"c"})}


def test_without_anything_to_undo_the_action_does_nothing() -> None:
    net = to_net(workflow([{"from": "a", "event": "stop", "to": "c", "pre_actions": [COMPENSATE]}]))
    assert after(net, "start", "t1: a → c on stop") == {frozenset({"c"})}


def test_what_cannot_be_undone_stays_in_the_log_and_fails_the_action() -> None:
    net = to_net(saga())
    failed = (*F_DONE, f"{STOP} begins", "u for f in a is called", "u starts", "u fails", "u for f in a has failed")
    assert after(net, *failed, STOP) == set()
    (left,) = after(net, *failed, f"{STOP} is aborted")
    assert left == {"b!error", "b.scheduled.1", "log f in a"}
    ignoring = to_net(saga(on_failure="ignore"))
    assert after(ignoring, *failed, STOP) == {frozenset({"c", "log f in a"})}


def test_both_entries_are_undone_in_any_order() -> None:
    flow = saga()
    net = to_net(flow)
    # g succeeds while nothing is offered yet: its own done comes first, so the log of both is seen in c only.
    both = (*F_DONE, "g starts", f"{STOP} begins", "g succeeds")
    for first, then in (("u for f in a", "v for g in b"), ("v for g in b", "u for f in a")):
        acts = {"u for f in a": "u", "v for g in b": "v"}
        path = list(both)
        for entry in (first, then):
            path += [f"{entry} is called", f"{acts[entry]} starts", f"{acts[entry]} succeeds", f"{entry} has undone it"]
        assert after(net, *path, STOP) == {frozenset({"c"})}


def test_a_scope_leaves_the_rest_alone() -> None:
    net = to_net(saga(scope="b"))
    assert after(net, *F_DONE, f"{STOP} begins", STOP) == {frozenset({"c", "log f in a"})}


@pytest.mark.parametrize(("scope", "left"), [("p/r", "log g in p/s/x"), ("p/s/x", "log f in p/r/x")])
def test_a_path_as_scope_tells_states_of_one_name_apart(scope: str, left: str) -> None:
    inner = [
        region(name, [{"from": "x", "to": "E", "event": "done"}], [{"name": "x", "activity": {"name": act}}, "E"])
        for name, act in (("r", "f"), ("s", "g"))
    ]
    flow = workflow(
        [{"from": "p", "event": "done", "to": "c", "pre_actions": [COMPENSATE | {"scope": scope}]}],
        [parallel("p", *inner), C],
        activities={"f": BOOK, "g": {"compensate_with": "v"}, "u": CANCEL, "v": CANCEL},
    )
    ends = [marking.support() for marking in wf.explore(to_net(flow)).markings if marking["c"]]
    assert {tuple(sorted(p for p in places if not p.startswith("no "))) for places in ends} == {("c", left)}


def test_an_attempt_is_enough_where_the_activity_says_so() -> None:
    flow = workflow(
        [{"from": "a", "event": "stop", "to": "c"}],
        [{"name": "a", "activity": {"name": "f"}}, C],
        activities={"f": {"compensate_with": {"activity": "u", "when": "attempted"}}, "u": CANCEL},
    )
    assert after(to_net(flow), "start", "f starts") == {frozenset({"a", "a.running.1", "log f in a"})}


def test_what_may_run_again_may_leave_more_to_be_undone() -> None:
    flow = workflow(
        [
            {"from": "a", "event": "done", "to": "a"},
            {"from": "a", "event": "stop", "to": "c", "pre_actions": [COMPENSATE]},
        ],
        [{"name": "a", "activity": {"name": "f"}}, C],
        activities={"f": BOOK, "u": CANCEL},
    )
    net = to_net(flow)
    undone = (
        "start",
        "f starts",
        "f succeeds",
        "t1: a → a on done",
        "t2: a → c on stop begins",
        "u for f in a is called",
        "u starts",
        "u succeeds",
    )
    assert after(net, *undone, "u for f in a has undone it", "t2: a → c on stop")
    assert after(net, *undone, "u for f in a has undone one", "t2: a → c on stop") == set()
    assert wf.soundness(net)


def test_a_compensation_that_is_broken_off_leaves_its_entry() -> None:
    flow = workflow(
        [
            {"from": "a", "event": "done", "to": "b"},
            {"from": "b", "event": "stop", "to": "c", "pre_actions": [COMPENSATE]},
            {"from": "b", "event": "cancel_requested", "to": "c"},
        ],
        [{"name": "a", "activity": {"name": "f"}}, "b", C],
        activities={"f": BOOK, "u": CANCEL},
    )
    net = to_net(flow)
    begun = (
        "start",
        "f starts",
        "f succeeds",
        "t1: a → b on done",
        "t2: b → c on stop begins",
        "u for f in a is called",
    )
    assert after(net, *begun) == {frozenset({"t2.pre1.undo f in a.scheduled.1", "undoing f in a"})}
    assert after(net, *begun, "t3: b → c on cancel_requested") == {frozenset({"c", "log f in a"})}


def test_example_11_a_cancel_that_finds_nothing_undoes_everything() -> None:
    refuses = {"from": "h", "event": "cancel_requested", "condition": "context.n == null"}
    flow = workflow(
        [{"from": "f", "event": "done", "to": "g"}, {"from": "g", "event": "done", "to": "h"}, refuses],
        [{"name": name, "activity": {"name": name}} for name in "fgh"] + [C],
        activities={name: {"compensate_with": f"u{name}"} for name in "fgh"} | {f"u{name}": CANCEL for name in "fgh"},
        variables={"n": {"optional": True}},
    )
    net = to_net(flow)
    run_up = ["start"]
    for name, then in (("f", "t1: f → g on done"), ("g", "t2: g → h on done")):
        run_up += [f"{name} starts", f"{name} succeeds", then]
    cancelled = (*run_up, "h starts", "cancel_requested finds nothing in h")
    assert after(net, *cancelled) == {frozenset({"cancelling", "log f in f", "log g in g"})}
    ug = ("ug for g in g is called", "ug starts", "ug succeeds", "ug for g in g has undone it")
    called = (*cancelled, *ug, "uf for f in f is called", "uf starts")
    over = "cancelling ends: closed as cancelled", "cancelling ends: closed as failed"
    well = after(net, *called, "uf succeeds", "uf for f in f has undone it", over[0])
    assert well == {frozenset({"closed as cancelled"})}
    badly = after(net, *called, "uf fails", "uf for f in f has failed", over[1])
    assert badly == {frozenset({"closed as failed", "log f in f"})}
    assert wf.soundness(net)


def test_regions_that_compensate_at_the_same_time_share_the_log() -> None:
    inner = [
        region(f"r{k}", [{"from": "a", "event": f"e{k}", "to": "A", "pre_actions": [COMPENSATE]}], ["a", "A"])
        for k in range(2)
    ]
    flow = workflow(
        [{"from": "w", "event": "go", "to": "p", "pre_actions": [run("f")]}, {"from": "p", "event": "done", "to": "c"}],
        ["w", parallel("p", *inner), C],
        activities={"f": BOOK, "u": CANCEL},
        events={"go": {}, "e0": {}, "e1": {}},
    )
    verdict = wf.soundness(to_net(flow))
    assert verdict, verdict.reason


def test_nothing_of_the_log_is_left_at_the_end() -> None:
    net = to_net(saga())
    space = wf.explore(net)
    assert space.deadlocks == [net.final_marking]
    assert wf.soundness(net)
