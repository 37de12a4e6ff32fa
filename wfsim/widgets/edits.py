"""What can be done to a drawing: each changes a draft and says what was done and what to select then."""

from __future__ import annotations

import json
import re
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from wfsim.errors import WfsimError
from wfsim.model.naming import SECTIONS
from wfsim.model.uses import is_reserved, listened_events

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from wfsim.model.problems import Path

    from .draft import Data, Draft


_NEXT = "next"
"""What an event is called until somebody gives it a name."""
_NEXT_ONES = re.compile(rf"{_NEXT}(_\d+)?")


class Done(NamedTuple):
    """What was done, in words, and the element to be selected, by its path after the change."""

    said: str
    path: Path = ()
    renamed: tuple[str, str] | None = None
    """An element that is called otherwise now: both identifiers."""


def unused(stem: str, taken: Collection[str]) -> str:
    """The stem, or with the first number from 2 on that nobody has."""
    return next(name for n in count(1) if (name := stem if n == 1 else f"{stem}_{n}") not in taken)


def _names(region: Data) -> list[str]:
    return [state["name"] for state in region["states"]]


def _transitions(region: Data) -> list[Data]:
    found: list[Data] = region.setdefault("transitions", [])
    return found


# States --------------------------------------------------------------------------------------------------


def add_state(draft: Draft, name: str = "", after: str = "", inside: str = "") -> Done:
    """A state: after another one with a transition from it, inside a region, or at the end."""
    if after:
        at = draft.path(after, "state")
        around, place = at[:-2], int(at[-1]) + 1
    else:
        around = draft.path(inside, "region", "workflow") if inside else ()
        place = len(draft.at(around)["states"])
    region = draft.at(around)
    name = name or unused("state", _names(region))
    region["states"].insert(place, {"name": name})
    if after:
        source = region["states"][place - 1]
        if not source.get("is_terminal"):
            _join(draft, region, source, name, "")
    return Done(f"added state {name}", (*around, "states", place))


def add_region(draft: Draft, state: str, name: str = "") -> Done:
    """A region inside a state, with one state in it to begin with."""
    path = draft.path(state, "state")
    at = draft.at(path)
    regions = at.setdefault("parallel", {"regions": []})["regions"]
    name = name or unused("region", [each["name"] for each in regions])
    regions.append({"name": name, "initial_state": "start", "states": [{"name": "start"}]})
    return Done(f"added region {name} in {at['name']}", (*path, "parallel", "regions", len(regions) - 1))


def make_initial(draft: Draft, state: str) -> Done:
    """The state in which its region begins."""
    path = draft.path(state, "state")
    name = draft.at(path)["name"]
    draft.region_of(path)["initial_state"] = name
    return Done(f"made {name} initial", path)


def set_terminal(draft: Draft, state: str, outcome: str = "success") -> Done:
    """Whether instances end in a state, and how: `success`, `failure`, or nothing for a state that goes on."""
    path = draft.path(state, "state")
    at = draft.at(path)
    at.pop("outcome", None)
    if not outcome:
        at.pop("is_terminal", None)
        return Done(f"made {at['name']} a state that goes on", path)
    at["is_terminal"] = True
    if outcome != "success":
        at["outcome"] = outcome
    return Done(f"made {at['name']} terminal ({outcome})", path)


def set_timeout(draft: Draft, state: str, timeout: str = "") -> Done:
    """How long it may be stayed in; nothing takes the limit away."""
    path = draft.path(state, "state")
    at = draft.at(path)
    defaults = draft.data.get("timeouts", {}).get("states", {}) if len(path) == 2 else {}
    at.pop("timeout", None)
    if at["name"] in defaults:
        if timeout:
            defaults[at["name"]] = timeout
        else:
            del defaults[at["name"]]
    elif timeout:
        at["timeout"] = timeout
    return Done(f"set the timeout of {at['name']} to {timeout}" if timeout else f"{at['name']}: no timeout", path)


def set_work(draft: Draft, state: str, activity: str = "") -> Done:
    """The activity that a state runs while it is active; nothing takes it away."""
    path = draft.path(state, "state")
    at = draft.at(path)
    if activity:
        at["activity"] = {**at.get("activity", {}), "name": activity}
        if draft.workflow.activities:
            draft.section("activities").setdefault(activity, {})
    else:
        at.pop("activity", None)
    return Done(f"{at['name']} runs {activity or 'nothing'}", path)


# Transitions ---------------------------------------------------------------------------------------------


def connect(draft: Draft, source: str, target: str, event: str = "") -> Done:
    """A transition between two states of one region; without an event the first that nothing waits for there."""
    start, end = draft.path(source, "state"), draft.path(target, "state")
    region = draft.region_of(start)
    if start[:-2] != end[:-2]:
        raise WfsimError(
            f"{source.partition(':')[2]!r} and {target.partition(':')[2]!r} are in different regions: a transition "
            "stays in its own. Move one of them first."
        )
    one, other = draft.at(start), draft.at(end)
    _join(draft, region, one, other["name"], event)
    return Done(
        f"connected {one['name']} to {other['name']}", (*start[:-2], "transitions", len(region["transitions"]) - 1)
    )


def reconnect(draft: Draft, transition: str, source: str, target: str = "") -> Done:
    """Let a transition lead between other states of its region; without a target it leaves nothing."""
    path = draft.path(transition, "transition")
    ends = [draft.path(each, "state") for each in (source, target) if each]
    for each, end in zip((source, target), ends):
        if end[:-2] != path[:-2]:
            raise WfsimError(
                f"{each.partition(':')[2]!r} is in another region: a transition stays in its own. Move the state "
                "first, or connect other states there."
            )
    at = draft.at(path)
    was = f"{at['from']} → {at.get('to', '(nothing)')}"
    names = [draft.at(end)["name"] for end in ends]
    at.pop("to", None)
    at |= dict(zip(("from", "to"), names))
    return Done(f"led {was} from {names[0]} to {names[1] if target else '(nothing)'}", path)


def _join(draft: Draft, region: Data, source: Data, target: str, event: str) -> None:
    taken = {each.get("event") for each in _transitions(region) if each["from"] == source["name"]}
    works = any(key in source for key in ("activity", "invoke", "for_each", "parallel"))
    usual = [name for name in ("done", "error") if name not in taken] if works else []
    event = event or (usual[0] if usual else unused(_NEXT, [each for each in taken if each]))
    _transitions(region).append({"from": source["name"], "to": target, "event": event})
    _declare(draft, event)


def _forget(draft: Draft, event: str) -> None:
    """Declare an event no more that `_join` has named, once it is named nowhere else and nothing is said of it."""
    declared = draft.data.get("events", {})
    if _NEXT_ONES.fullmatch(event) and declared.get(event) == {}:
        rest = {name: section for name, section in draft.data.items() if name != "events"}
        if f'"{event}"' not in json.dumps(rest, default=str):
            del declared[event]


def _declare(draft: Draft, event: str) -> None:
    """Declare an event, unless this workflow declares none although it listens to some."""
    if not is_reserved(event) and (draft.workflow.events or not listened_events(draft.workflow)):
        draft.section("events").setdefault(event, {})


def set_trigger(
    draft: Draft, transition: str, event: str = "", after: str = "", at: str = "", condition: str = ""
) -> Done:
    """What sets a transition off: an event or a time, and a condition; a condition alone makes it automatic."""
    path = draft.path(transition, "transition")
    said = draft.at(path)
    before = str(said.get("event", ""))
    for key, value in {"event": event, "after": after, "at": at, "condition": condition}.items():
        said.pop(key, None)
        if value:
            said[key] = value
    if event:
        _declare(draft, event)
    _forget(draft, before)
    told = event or (f"after {after}" if after else f"at {at}" if at else f"[{condition}]")
    return Done(f"set the trigger of {said['from']} → {said.get('to', said['from'])} to {told}", path)


# Names and properties ------------------------------------------------------------------------------------


def rename(draft: Draft, element: str, name: str) -> Done:
    """Another name, wherever it is meant; of a transition the event that sets it off."""
    path = draft.path(element)
    name = name.strip()
    if path == ():
        draft.data["name"] = name
        return Done(f"renamed the workflow to {name}")
    if "transitions" in path[-2:]:
        at = draft.at(path)
        return set_trigger(draft, element, event=name, condition=str(at.get("condition", "")))
    named = path[-1] if isinstance(path[-1], str) else draft.at(path)["name"]
    after: Path = (path[0], name) if isinstance(path[-1], str) else path
    if isinstance(path[-1], str) and name != named and name in draft.at(path[:-1]):
        raise WfsimError(f"there is a {element.partition(':')[0]} {name!r} already. Choose another name.")
    draft.rename(path, name)
    front, _, _ = element.rpartition(str(named))
    return Done(f"renamed {named} to {name}", after, (element, front + name))


def declare(draft: Draft, kind: str, name: str) -> Done:
    """A new type, variable, event or activity."""
    if kind not in SECTIONS:
        raise WfsimError(f"{kind[:40]!r} is nothing to declare. There are: {', '.join(SECTIONS)}.")
    section = draft.section(SECTIONS[kind])
    if name in section:
        raise WfsimError(f"there is a {kind} {name!r} already.")
    section[name] = {"type": "any", "optional": True} if kind == "variable" else {}
    return Done(f"declared {kind} {name}", (SECTIONS[kind], name))


# Taking away ---------------------------------------------------------------------------------------------


def delete(draft: Draft, element: str) -> Done:
    """Take an element away; a state with its transitions, a region with all that is in it."""
    path = draft.path(element, "state", "region", "transition", *SECTIONS)
    name = element.partition(":")[2]
    if path[-2] == "states":
        gone = len(_take_state(draft, path)[1])
        kept = draft.region_of(path) if _stands(draft, path[:-2]) else None
        first = _names(kept).index(kept["initial_state"]) if kept is not None else 0
        also = f" and {gone} transition{'' if gone == 1 else 's'}" if gone else ""
        return Done(f"deleted {name}{also}", (*path[:-1], first) if kept is not None else ())
    if path[-2] == "regions":
        _take_region(draft, path)
        return Done(f"deleted region {name}", path[:-3])
    at = draft.at(path)
    del draft.at(path[:-1])[path[-1]]
    if path[-2] == "transitions":
        source = _names(draft.region_of(path)).index(at["from"])
        return Done(f"deleted {at['from']} → {at.get('to', at['from'])}", (*path[:-2], "states", source))
    return Done(f"deleted {element.replace(':', ' ', 1)}")


def _stands(draft: Draft, region: Path) -> bool:
    return any(path == region for path, _ in draft.regions())


def _take_state(draft: Draft, path: Path) -> tuple[Data, list[Data]]:
    """Take a state out of its region; gives it and the transitions that lost an end."""
    region = draft.region_of(path)
    if len(region["states"]) == 1 and len(path) == 2:
        raise WfsimError("a workflow has at least one state; add another one first.")
    state: Data = region["states"].pop(int(path[-1]))
    name = state["name"]
    torn = [each for each in _transitions(region) if name in (each["from"], each.get("to"))]
    region["transitions"] = [each for each in region["transitions"] if each not in torn]
    if len(path) == 2:
        limit = draft.data.get("timeouts", {}).get("states", {}).pop(name, None)
        if limit is not None and "timeout" not in state:
            state["timeout"] = limit
    if not region["states"]:
        _take_region(draft, path[:-2])
    elif region["initial_state"] == name:
        region["initial_state"] = region["states"][0]["name"]
    return state, torn


def _take_region(draft: Draft, path: Path) -> None:
    regions = draft.at(path[:-1])
    del regions[int(path[-1])]
    if not regions:
        del draft.at(path[:-3])["parallel"]


# Regions -------------------------------------------------------------------------------------------------


def move(draft: Draft, state: str, into: str) -> Done:
    """Put a state into another region, or out of one; transitions to where it was are taken away."""
    path, target = draft.path(state, "state"), draft.path(into, "region", "workflow")
    if target[: len(path)] == path:
        raise WfsimError("a state cannot be moved into itself.")
    if target == path[:-2]:
        raise WfsimError(f"{state.partition(':')[2]!r} is there already.")
    there = draft.at(target)
    # The region itself, not its path: paths shift when a state is taken out before it.
    moved, torn = _take_state(draft, path)
    there["states"].append(moved)
    loops = [each for each in torn if each["from"] == moved["name"] == each.get("to", moved["name"])]
    _transitions(there).extend(loops)
    now = next(place for place, region in draft.regions() if region is there)
    gone = len(torn) - len(loops)
    also = f"; {gone} transition{'' if gone == 1 else 's'} across deleted" if gone else ""
    return Done(
        f"moved {moved['name']} to {into.partition(':')[2] or 'the top'}{also}",
        (*now, "states", len(there["states"]) - 1),
    )


def nest(draft: Draft, states: Collection[str], name: str = "") -> Done:
    """Put states of one region into a state of their own; what is not connected becomes a region each.

    Ways into them lead to the new state. Ways out end their region, and the first target is where `done` leads.
    """
    paths = sorted((draft.path(each, "state") for each in states), key=lambda path: int(path[-1]))
    if not paths or len({path[:-2] for path in paths}) > 1:
        raise WfsimError("select states of one region to put into regions of their own.")
    region = draft.region_of(paths[0])
    inside = [draft.at(path)["name"] for path in paths]
    name = name or unused("parallel", _names(region))
    if name in _names(region) and name not in inside:
        raise WfsimError(f"there is a state {name!r} already. Choose another name.")
    outside = [each for each in _transitions(region) if each["from"] not in inside]
    inner = [each for each in _transitions(region) if each["from"] in inside]
    left = [each["to"] for each in inner if each.get("to", inside[0]) not in inside]
    entered = [each["to"] for each in outside if each.get("to") in inside]
    taken = {each["name"]: each for each in region["states"] if each["name"] in inside}
    defaults = draft.data.get("timeouts", {}).get("states", {}) if len(paths[0]) == 2 else {}
    for each in inside:
        if each in defaults:
            taken[each].setdefault("timeout", defaults.pop(each))
    first = [region["initial_state"], *entered]
    groups = list(_connected(inside, inner))
    regions = [_region([taken[each] for each in group], inner, first) for group in groups]
    place = int(paths[0][-1])
    region["states"] = [each for each in region["states"] if each["name"] not in inside]
    region["states"].insert(place, {"name": name, "parallel": {"regions": regions}})
    for each in outside:
        if each.get("to") in inside:
            each["to"] = name
    region["transitions"] = outside + ([{"from": name, "event": "done", "to": left[0]}] if left else [])
    if region["initial_state"] in inside:
        region["initial_state"] = name
    return Done(f"put {', '.join(inside)} into {name}", (*paths[0][:-1], place))


def _connected(names: list[str], transitions: list[Data]) -> Iterator[list[str]]:
    """Names that transitions lead between, together."""
    rest = list(names)
    while rest:
        group, new = [], [rest[0]]
        while new:
            group += new
            beside = [(each["from"], each.get("to")) for each in transitions]
            new = [
                name
                for name in rest
                if name not in group and any(name in pair and set(pair) & set(group) for pair in beside)
            ]
        rest = [name for name in rest if name not in group]
        yield [name for name in names if name in group]


def _region(states: list[Data], transitions: list[Data], first: list[str]) -> Data:
    names = [state["name"] for state in states]
    own = [each for each in transitions if each["from"] in names]
    found: Data = {
        "name": names[0],
        "initial_state": next((name for name in first if name in names), names[0]),
        "states": states,
        "transitions": own,
    }
    end = unused("finished", names)
    leaving = [each for each in own if each.get("to", each["from"]) not in names]
    for each in leaving:
        each["to"] = end
    if leaving:
        states.append({"name": end, "is_terminal": True})
    return found


OPERATIONS: dict[str, Callable[..., Done]] = {
    each.__name__: each
    for each in (
        add_state, add_region, make_initial, set_terminal, set_timeout, set_work, connect, reconnect, set_trigger,
        rename, declare, delete, move, nest,
    )
}  # fmt: skip
"""All that changes a draft, by name."""
