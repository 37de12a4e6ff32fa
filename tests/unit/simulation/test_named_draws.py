"""What is drawn follows from names, not from what happened before: other workers and more work leave it as it was."""

from __future__ import annotations

import functools
import json
from collections import defaultdict
from typing import Any

import pytest

import wfsim as wf
from wfsim.semantics.compile import compile_workflow
from wfsim.simulation.spots import Names, item

ENGINES = pytest.mark.parametrize("engine", ["python", "compiled"])
SIDES = "lr"
SOME_TIME = {"duration": {"exponential": {"mean": "1m"}}}
MAY_FAIL = {**SOME_TIME, "failures": [{"error_type": "Oops", "probability": 0.2}]}
CHILD = {
    "name": "child",
    "initial_state": "a",
    "variables": {"one": {"type": "integer", "input": True, "optional": True}},
    "activities": {"look": {}},
    "states": [{"name": "a", "activity": "look"}, {"name": "z", "is_terminal": True}],
    "transitions": [{"from": "a", "to": "z", "event": "done"}],
}


def side(name: str, more: bool) -> dict[str, Any]:
    """A region that does all there is to do, its first states twice; with `more` some work in front and between."""
    other = {"action_type": "activity", "name": "other"}
    move = {"action_type": "activity", "name": "move"}
    again = {"parameters": {"name": f"{name}_rounds", "value": f"${{context.{name}_rounds + 1}}"}}
    return {
        "name": name,
        "initial_state": "other" if more else "work",
        "states": [
            *([{"name": "other", "activity": "other"}] if more else []),
            {"name": "work", "activity": f"{name}_work"},
            {"name": "wait"},
            {"name": "list", "for_each": {"items": [1, 2, 3, 4], "as": "one", "activity": "sort", "max_parallel": 2}},
            {"name": "sub", "invoke": {"workflow": "child"}},
            {"name": "subs", "for_each": {"items": [1, 2, 3], "as": "one", "workflow": "child"}},
            {"name": "out", "is_terminal": True},
        ],
        "transitions": [
            *([{"from": "other", "to": "work", "event": "done"}] if more else []),
            {"from": "work", "to": "wait", "event": "done"},
            {"from": "wait", "event": f"stay_{name}"},
            {
                "from": "wait",
                "to": "list",
                "event": f"go_{name}",
                "pre_actions": [*([other] if more else []), move],
                "post_actions": [*([other] if more else []), move],
            },
            {
                "from": "list",
                "to": "work",
                "event": "done",
                "condition": f"context.{name}_rounds < 1",
                "post_actions": [{"action_type": "set_variable", **again}],
            },
            {"from": "list", "to": "sub", "event": "done"},
            {"from": "sub", "to": "subs", "event": "done"},
            {"from": "subs", "to": "out", "event": "done"},
        ],
    }


def workflow(more: bool = False) -> wf.Workflow:
    """Two such regions beside each other, whose work is undone in the end."""
    retry = {"retry_policy": {"max_attempts": 50, "initial_interval": "1s"}}
    return wf.Workflow.model_validate(
        {
            "name": "both_sides",
            "initial_state": "both",
            "variables": {f"{name}_rounds": {"type": "integer", "initial": 0} for name in SIDES},
            "activities": {
                **{f"{name}_work": {**retry, "compensate_with": "undo"} for name in SIDES},
                "sort": {**retry, "pool": "desk"},
                "move": {**retry, "pool": "desk"},
                "undo": {},
                "other": {},
            },
            "events": {
                f"{event}_{name}": {"payload": {"x": {"type": "number"}}} for event in ("go", "stay") for name in SIDES
            },
            "states": [
                {"name": "both", "parallel": {"regions": [side(name, more) for name in SIDES]}},
                {"name": "end", "is_terminal": True},
            ],
            "transitions": [
                {"from": "both", "to": "end", "event": "done", "pre_actions": [{"action_type": "compensate"}]}
            ],
        }
    )


def scenario(capacity: int) -> wf.Scenario:
    """Where some numbers are drawn of each sort."""
    drawn = {"delay": {"exponential": {"mean": "1m"}}, "payload": {"x": {"number": [0, 1]}}}
    return wf.Scenario.model_validate(
        {
            "arrivals": {"every": "20s"},
            "cases": 12,
            "activities": {
                **dict.fromkeys(("l_work", "r_work", "sort"), MAY_FAIL),
                "move": {**MAY_FAIL, "result": {"number": [0, 1]}, "twice": 0.3},
                "undo": SOME_TIME,
                "other": SOME_TIME,
            },
            "pools": {"desk": {"capacity": capacity}},
            "events": {
                "both/l/wait": [{"event": "go_l", **drawn}, {"event": "stay_l", **drawn}],
                "both/r/wait": {"race": [{"event": "go_r", **drawn}, {"event": "stay_r", **drawn}]},
            },
            "workflows": {"child": {"activities": {"look": SOME_TIME}}},
        }
    )


def drawn_in(history: wf.History) -> tuple[dict[Any, list[Any]], dict[Any, list[int]]]:
    """By name what was drawn in each case, in the order of time; and which numbers activities and children had."""
    drawn, numbers = defaultdict[Any, list[Any]](list), defaultdict[Any, list[int]](list)
    cases = history.sql('SELECT "case", parent_case, parent_activation FROM cases').fetchall()
    children = {(parent, activation): case for case, parent, activation in cases if parent is not None}
    names: dict[int, tuple[Any, ...]] = {case: (case,) for case, parent, _ in cases if parent is None}
    rows = history.sql(
        'SELECT "case", kind, region, to_state, event, activity, activity_id, time, service, error_type, payload '
        'FROM history ORDER BY "case", seq',
        max_rows=None,
    ).fetchall()
    about, since = dict[tuple[int, int], Any](), dict[tuple[int, str], int]()
    for number, kind, region, to_state, event, activity, serial, time, service, error, told in rows:
        case, payload = names[number], json.loads(told)
        if kind == "child_started":
            name = (*case, region, payload.get("index"))
            numbers[name].append(payload["activation"])
            names[children[number, payload["activation"]]] = (*name, len(numbers[name]))
        elif kind == "activity_scheduled":
            undone = about.get((number, payload.get("compensates")))
            name = (*case, region if undone is None else undone[1], activity, payload.get("index"))
            if (number, serial) not in about:
                about[number, serial] = name
                numbers[name].append(serial)
        elif service is not None and kind in ("activity_succeeded", "activity_failed"):
            drawn[about[number, serial]].append((service, error, payload.get("result")))
        elif kind == "transition" and to_state is not None:
            since[number, to_state] = time
        elif kind == "event_received":
            stay = number, f"both/{event[-1]}/wait"
            drawn[(*case, event[-1])].append((event, time - since[stay], payload["payload"]["x"]))
            since[stay] = time
    return drawn, numbers


@functools.cache
def simulated(engine: Any, capacity: int, more: bool = False) -> tuple[dict[Any, list[Any]], dict[Any, list[int]]]:
    """What is drawn with so many workers, and perhaps some more work."""
    catalogue = [wf.Workflow.model_validate(CHILD)]
    history = wf.simulate(workflow(more), scenario(capacity), catalogue=catalogue, engine=engine, progress=False)
    assert history.counts == {"completed/success": 12}
    return drawn_in(history)


@ENGINES
def test_of_everything_something_is_drawn(engine: Any) -> None:
    drawn, _ = simulated(engine, 2)
    activities = {name[2] for name in drawn if len(name) == 4}
    assert activities == {"l_work", "r_work", "sort", "move", "undo"}
    events = {event for name in drawn if len(name) == 2 for event, _, _ in drawn[name]}
    assert events == {"go_l", "go_r", "stay_l", "stay_r"}
    assert len({name[1:3] for name in drawn if "look" in name}) == 8, "one child and three for each region"
    assert any(error == "Oops" for name in drawn if len(name) > 2 for _, error, _ in drawn[name])
    times = [time for name in drawn if len(name) > 2 for time, _, _ in drawn[name]]
    assert len(set(times)) == len(times) > 500, "nothing is drawn twice"


@ENGINES
def test_with_other_workers_all_is_drawn_as_before(engine: Any) -> None:
    few, many = simulated(engine, 1), simulated(engine, 50)
    assert few[0] == many[0]
    # Times are others, and so are the numbers of activities and children, which draw nothing.
    assert few[1].keys() == many[1].keys()
    assert sum(few[1][name] != many[1][name] for name in few[1]) > 0.5 * len(few[1])


@ENGINES
def test_more_work_draws_for_itself_alone(engine: Any) -> None:
    before, after = simulated(engine, 2)[0], simulated(engine, 2, True)[0]
    others = {name for name in after if "other" in name}
    assert len(others) == 12 * 2
    assert {name: drawn for name, drawn in after.items() if name not in others} == before


def test_both_engines_draw_the_same() -> None:
    assert simulated("python", 2) == simulated("compiled", 2)


def test_names_tell_apart_what_is_drawn_for() -> None:
    program = compile_workflow(workflow(True))
    names = Names(program, {program.state_rows["both/l/wait"], program.state_rows["both/r/wait"]})
    assert len(set(names.keys)) == len(names.keys)
    assert sorted([*names.states.values(), *names.calls.values()]) == list(range(1, len(names.keys)))
    drawn = {program.name(row) for row in names.states}
    inner = {"other", "work", "wait", "list", "sub", "subs"}
    assert drawn == {f"both/{name}/{state}" for name in SIDES for state in inner}
    calls = {(program.name(region), program.name(run), undoes) for region, run, undoes in names.calls}
    regions = [f"both/{name}" for name in SIDES]
    assert calls == {
        (region, *call) for region in regions for call in (("move", False), ("other", False), ("undo", True))
    }


def test_items_of_long_lists_and_many_entries_have_numbers_of_their_own() -> None:
    numbers = {item(nth, index) for nth in range(1, 51) for index in range(-1, 20_000)}
    assert len(numbers) == 50 * 20_001
    assert all(0 <= number < 2**31 for number in numbers)
    assert [item(nth, -1) for nth in (1, 2, 3)] == [1, 2, 3]
