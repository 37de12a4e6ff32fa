"""Random workflows and random stimuli, for every test that compares one reading of a definition with another."""

from __future__ import annotations

from functools import cache
from typing import Any

from hypothesis import strategies as st

from tests.random_cases import BOOLEANS, among, whole
from wfsim.model.catalogue import Catalogue
from wfsim.model.workflow import Workflow
from wfsim.semantics.codes import CHILD
from wfsim.semantics.instance import Instance
from wfsim.semantics.stimulus import Stimulus

EVENTS = ("go", "stop", "pay")
_UNDONE_BY_G = st.sampled_from(["g", {"activity": "g", "when": "attempted"}])
ACTIVITIES = ("f", "g")
CONDITIONS = (
    "context.n < 2",
    "context.n >= 2",
    "context.flag",
    "not context.flag",
    "context.word == 'x'",
    "context.maybe != null and context.maybe > 1",
    "context.maybe < 3",
    "context.n + 1 == 3 or context.flag",
    "context.word in ['x', 'y']",
    'context.when < timestamp("1970-01-01T00:00:15Z")',
    'now < timestamp("1970-01-01T00:01:00Z")',
    "context.box.x > 0",
    "context.boxes[0].x < context.n",
    "context.boxes[-1].tag != null",
    "any(context.boxes, item.x == context.n)",
    "count(context.boxes, coalesce(item.tag, 'q') == 'q') > 1 or context.flag",
    "'p' in context.boxes.tag",
    "startswith(context.word + 'z', 'yz')",
    "endswith(upper(context.word), 'Y') and not contains(context.word, 'of')",
    "all(context.boxes, item.x >= min(context.n, 2))",
    'now - context.when > duration("10s")',
    "functions.rate(context.n, context.maybe) > 1",
    "functions.rate(context.maybe, null) == context.n",
    "functions.wrap(context.word, context.boxes).x == context.n",
    "context.flash > 0",
    "context.flash == context.n and context.spark != null",
)
DATA: dict[str, Any] = {
    "d": {"type": "integer", "initial": 0, "minimum": 0, "maximum": 3},
    "e": {"type": "string", "optional": True},
    "r": {"type": "integer", "minimum": -1, "maximum": 3, "overflow": "saturate"},
}
"""Fields of states; whoever enters one sets `r`."""
DATA_CONDITIONS = {"d": ("state.d > 0", "state.d == context.n"), "e": ("state.e == 'x'",), "r": ("state.r < 2",)}
DATA_ASSIGNMENTS: dict[str, tuple[Any, ...]] = {
    "d": ("${context.n}", "${context.n + 2}", 1),
    "e": ("${context.word}", None, "x"),
    "r": ("${context.maybe}", 2),
}
MOMENTS = ("${context.when}", '${context.when + duration("30s")}', "1970-01-01T00:00:05Z")
EVENT_CONDITIONS = (
    "event.k > 1",
    "event.k == context.n",
    "event.k < 0 or context.flag",
    "functions.rate(event.k, context.n) > 0",
)
LISTS = ("${context.list}", "${[context.n, context.maybe]}", "${[1 // context.n]}")
ASSIGNMENTS: tuple[tuple[str, Any], ...] = (
    ("n", "${context.n + 1}"),
    ("n", 0),
    ("flag", "${not context.flag}"),
    ("flag", True),
    ("word", "y"),
    ("maybe", "${context.maybe + 1}"),
    ("maybe", 2),
    ("maybe", "${context.n if context.flag else null}"),
    ("when", '${context.when - duration("7s")}'),
    ("when", '${now + duration("5s")}'),
    ("word", "${lower('Y')}"),
    ("word", "${context.n} of ${context.flag}"),
    ("n", "${sum(context.boxes.x)}"),
    ("n", "${functions.rate(context.n, context.maybe) + 1}"),
    ("n", "${sum(context.boxes, functions.rate(item.x, 2))}"),
    ("box", "${functions.wrap(context.word, context.boxes)}"),
    ("word", "${text(functions.rate(context.n, context.n))}"),
    ("n", "${context.boxes[context.n].x}"),
    ("maybe", "${max(context.boxes.x)}"),
    ("box", {"x": "${context.n}", "tag": "p"}),
    ("box", {"x": "${context.n + 2}"}),
    ("box", {"x": "${context.maybe}", "marks": ["${context.n}"]}),
    ("boxes", "${[context.box, context.box]}"),
    ("boxes", []),
    ("boxes", [{"x": 1, "tag": "r"}, {"x": "${context.n}"}]),
    ("flash", "${context.flash + 1}"),
    ("flash", "${context.n}"),
    ("n", "${context.flash}"),
    ("spark", "${context.word}"),
)


FUNCTIONS = {
    "rate": {
        "input": {"n": {"type": "integer", "maximum": 3}, "m": {"type": "integer", "optional": True}},
        "result": {"type": "integer", "minimum": -2, "maximum": 4},
    },
    "wrap": {"input": {"word": "string", "boxes": {"type": "list", "items": "box"}}, "result": "box"},
}


def _rate(n: int, m: int | None) -> int:
    """Divides by zero, and leaves its range, for some arguments."""
    return n - 3 // (n - (m or 0))


def _wrap(word: str, boxes: list[dict[str, Any]]) -> dict[str, Any]:
    """No box where there are more than three, or where the word is none of the tags."""
    return {"x": len(boxes), "tag": None if word == "x" else word[:1]}


PYTHON = {"rate": _rate, "wrap": _wrap}


@cache
def _assigning() -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(
        lambda pair, ignore: {
            "action_type": "set_variable",
            "parameters": {"name": pair[0], "value": pair[1]},
            **({"on_failure": "ignore"} if ignore else {}),
        },
        st.sampled_from(ASSIGNMENTS),
        st.booleans(),
    )


@cache
def _keeping(fields: tuple[str, ...]) -> st.SearchStrategy[dict[str, Any]]:
    """Giving one of these fields of a state a value."""
    pairs = [(field, value) for field in fields for value in DATA_ASSIGNMENTS[field]]
    return st.sampled_from(pairs).map(lambda pair: _kept(*pair))


def _kept(field: str, value: Any) -> dict[str, Any]:
    return {"action_type": "set_variable", "parameters": {"name": f"state.{field}", "value": value}}


@cache
def _sending() -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(
        lambda event, to, k, ignore: {
            "action_type": "send",
            "event": event,
            "to": to,
            # What an instance tells itself must have the fields that the event declares.
            "payload": {} if k is None and to != "self" else {"k": k or 0},
            **({"on_failure": "ignore"} if ignore else {}),
        },
        st.sampled_from([*EVENTS, "elsewhere"]),
        st.sampled_from(["self", "self", "parent", "other-1", {"workflow": "other", "key": "${context.n}"}]),
        st.sampled_from([None, 1, "${context.n}", "${context.maybe}", "${context.maybe + 1}", "${context.word}"]),
        st.booleans(),
    )


@cache
def _passing(talk: bool) -> st.SearchStrategy[list[dict[str, Any]]]:
    """What entering or leaving a state does; most do nothing."""
    doing = st.one_of([_assigning(), *([_sending()] if talk else [])])
    return st.one_of(st.just([]), st.just([]), st.lists(doing, min_size=1, max_size=2))


@cache
def _actions(undo: bool, talk: bool) -> st.SearchStrategy[list[dict[str, Any]]]:
    run = st.builds(
        lambda name, inputs, result, ignore: {
            "action_type": "activity",
            "name": name,
            "parameters": inputs,
            **({"result_variable": "maybe"} if result else {}),
            **({"on_failure": "ignore"} if ignore else {}),
        },
        st.sampled_from(ACTIVITIES),
        st.sampled_from([{}, {"n": "${context.n}"}, {"half": "${context.maybe // 2}"}]),
        st.booleans(),
        st.booleans(),
    )
    kinds = [_assigning(), run]
    if talk:
        kinds.append(_sending())
    if undo:
        kinds.append(
            st.builds(
                lambda scope, ignore: {
                    "action_type": "compensate",
                    **({"scope": scope} if scope else {}),
                    **({"on_failure": "ignore"} if ignore else {}),
                },
                st.sampled_from([None, None, "/s0"]),
                st.booleans(),
            )
        )
    return st.lists(st.one_of(kinds), max_size=2)


@cache
def _for_each() -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(
        lambda items, runs, inputs, limit, collect, result: {
            "items": items,
            "as": "one",
            **runs,
            **({"parameters": inputs} if inputs else {}),
            **({"max_parallel": limit} if limit else {}),
            "on_failure": "collect" if collect else "fail_fast",
            **({"tolerated_failures": collect} if collect not in (False, True) else {}),
            **({"result_variable": "list"} if result else {}),
        },
        st.sampled_from(
            [[], ["a"], [1, 2, 3], "${context.list}", "${[context.n, context.maybe]}", "${[1 // context.n]}"]
        ),
        st.sampled_from([{"activity": "f"}, {"activity": "g"}, {"workflow": "other"}]),
        st.sampled_from([{}, {"n": "${item.one}"}, {"n": "${item.one + 1}"}, {"n": "${[item.one, context.n]}"}]),
        st.sampled_from([None, 1, 2]),
        st.sampled_from([False, True, "0%", "50%"]),
        st.booleans(),
    )


@cache
@st.composite
def _region(
    draw: st.DrawFn, depth: int, root: bool, undo: bool, children: bool, around: tuple[str, ...] = ()
) -> dict[str, Any]:
    """`around` are the fields of the states that it lies in."""
    n = draw(whole(2, 4 if root else 3))
    names = [f"s{k}" for k in range(n)]
    owned = {name: draw(among((), (), (), ("d", "e"), ("r",), ("d", "r"))) for name in names}
    seen = {name: tuple(dict.fromkeys((*own, *around))) for name, own in owned.items()}
    states: list[dict[str, Any]] = []
    for k, name in enumerate(names):
        state: dict[str, Any] = {"name": name}
        nested = "parallel" if depth else "plain"
        child, each = ("child", "each") if children else ("plain", "plain")
        kind = draw(among("plain", child, each, each, "activity", "timeout", "both", nested))
        if k == n - 1 or (k > 0 and draw(whole(0, 4)) == 0):
            state |= {"is_terminal": True, "outcome": draw(among("success", "failure"))}
        elif kind == "parallel":
            inner = [
                draw(_region(depth - 1, False, undo, children, seen[name])) | {"name": f"r{j}"}
                for j in range(draw(whole(1, 2)))
            ]
            state["parallel"] = {"join": draw(among("all", "any")), "regions": inner}
        elif kind == "child":
            close = draw(among("cancel", "terminate", "abandon"))
            state["invoke"] = {"workflow": "other", "input": {"n": "${context.n}"}, "parent_close": close}
            if draw(BOOLEANS):
                state["invoke"]["result_variable"] = "maybe"
            if undo and draw(BOOLEANS):
                state["invoke"]["compensate_with"] = draw(_UNDONE_BY_G)
        elif kind == "each":
            state["for_each"] = draw(_for_each())
        elif kind in ("activity", "both"):
            work: dict[str, Any] = {"name": draw(among(*ACTIVITIES))}
            if draw(BOOLEANS):
                work["result_variable"] = f"state.{seen[name][0]}" if seen[name] else "maybe"
            state["activity"] = work
        if kind in ("timeout", "both") and not state.get("is_terminal"):
            state["timeout"] = draw(among("5s", "1m", "${context.n}"))
        state["data"] = {field: DATA[field] for field in owned[name]}
        state["entry_actions"] = draw(_passing(children))
        if k == 0 and "r" in owned[name]:
            state["entry_actions"] = [_kept("r", 1), *state["entry_actions"]]
        if not state.get("is_terminal"):
            state["exit_actions"] = draw(_passing(children))
        states.append(state)
    triggers = [*EVENTS, *EVENTS, "done", "error", "error.f", "timeout", "automatic", "after", "at"]
    if root:
        triggers += ["cancel_requested", "workflow_timeout"]
    transitions = []
    for _ in range(draw(whole(1, 6))):
        trigger = draw(among(*triggers))
        source = draw(among(*names))
        transition: dict[str, Any] = {"from": source}
        target = draw(among(*names, None))
        if target is not None:
            transition["to"] = target
        conditions = [*CONDITIONS, *(EVENT_CONDITIONS if trigger in EVENTS else ())]
        conditions += [each for field in seen[source] for each in DATA_CONDITIONS[field] * 3]
        if trigger in ("cancel_requested", "workflow_timeout"):
            conditions = ["context.maybe == null"]
        if trigger == "automatic" or draw(whole(0, 2)) == 0:
            transition["condition"] = draw(among(*conditions))
        if trigger == "after":
            transition["after"] = draw(among("2s", "30s"))
        elif trigger == "at":
            transition["at"] = draw(among(*MOMENTS))
        elif trigger != "automatic":
            transition["event"] = trigger
        transition["pre_actions"] = draw(_actions(undo, children))
        transition["post_actions"] = draw(_actions(undo, children))
        entered = source if target is None else target
        if target is not None and "r" in owned[target]:
            given = _kept("r", draw(among(*DATA_ASSIGNMENTS["r"])))
            transition["pre_actions"] = [*transition["pre_actions"], given]
        if seen[entered]:
            for key in ("pre_actions", "post_actions"):
                transition[key] = [*transition[key], *draw(st.lists(_keeping(seen[entered]), max_size=1))]
        transitions.append(transition)
        if trigger in EVENTS and draw(whole(0, 3)) == 0:
            # Two that differ in what sets them off alone.
            transitions.append(transition | {"event": draw(among(*EVENTS))})
    return {"initial_state": names[0], "states": states, "transitions": transitions}


_POLICY = st.one_of(
    st.none(),
    st.builds(
        lambda n, fatal, jitter: {
            "max_attempts": n,
            "initial_interval": "1s",
            "backoff_coefficient": 1.5,
            "jitter": jitter,
            "non_retryable_errors": ["Bad"] if fatal else [],
        },
        st.integers(1, 3),
        st.booleans(),
        st.sampled_from([0, 0.5]),
    ),
    st.builds(
        lambda n, others, fatal: [
            {"errors": ["Bad"], "max_attempts": n, "initial_interval": "2s", "backoff_coefficient": 3},
            *([{"max_attempts": 2, "non_retryable_errors": ["Net"] if fatal else []}] if others else []),
        ],
        st.integers(1, 4),
        st.booleans(),
        st.booleans(),
    ),
)
_CLOCKS = st.fixed_dictionaries(
    {}, optional={"timeout": st.just("3s"), "schedule_to_start": st.just("4s"), "schedule_to_close": st.just("20s")}
)


_RESULTS = st.sampled_from(
    [
        {},
        {},
        {"result": {"type": "integer", "maximum": 1, "optional": True}},
        {"result": {"type": "string", "pattern": "[a-z]*"}},
    ]
)


@st.composite
def workflows(
    draw: st.DrawFn, *, regions: bool = False, undo: bool | None = None, children: bool | None = None
) -> Workflow:
    """A random valid definition; with `regions` it may use every construct, with regions two levels deep.

    `undo` says whether activities may have compensators, `children` whether states may invoke another workflow, go
    through lists and send messages; by default as `regions`.
    """
    undo = regions if undo is None else undo
    children = regions if children is None else children
    root = draw(_region(2 if regions else 0, True, undo, children))
    activities = {}
    for name in ACTIVITIES:
        activities[name] = draw(_CLOCKS) | draw(_RESULTS) | {"version": draw(among(None, 2))}
        chosen = draw(_POLICY)
        if chosen is not None:
            activities[name]["retry_policy"] = chosen
    data = {
        "name": "random",
        "types": {
            "box": {
                "x": {"type": "integer", "minimum": 0, "maximum": 3},
                "tag": {"type": "string", "values": ["p", "q"], "optional": True},
                "marks": {"type": "list", "items": "number", "optional": True},
            },
        },
        "functions": FUNCTIONS,
        "variables": {
            "n": {
                "type": "integer",
                "initial": 0,
                "minimum": 0,
                "maximum": 3,
                "overflow": draw(among("error", "saturate")),
            },
            "flag": {"type": "boolean", "initial": False},
            "when": {"type": "timestamp", "initial": "1970-01-01T00:00:20Z"},
            "word": {"type": "string", "initial": "x", "output": True, "searchable": True},
            "maybe": {"type": "integer", "optional": True, "minimum": -2, "maximum": 5},
            "box": {"type": "box", "initial": {"x": 1}},
            "boxes": {"type": "list", "items": "box", "initial": []},
            "flash": {"type": "integer", "initial": 0, "minimum": 0, "maximum": 3, "transient": True},
            "spark": {"type": "string", "optional": True, "transient": True},
            **({"list": {"type": "list", "optional": True}} if children else {}),
        },
        "events": {
            "go": {"payload": {"k": "integer"}},
            "stop": {
                "payload": {"k": {"type": "integer", "optional": True}},
                "unhandled": draw(among("reject", "discard")),
            },
            "pay": {
                "payload": {"k": {"type": "integer", "minimum": -1, "maximum": 2}},
                "unhandled": draw(among("defer", "reject")),
            },
        },
        "activities": activities,
        "pause_timers": draw(among("run", "freeze")),
        "max_automatic": 10,
        **root,
    }
    if draw(BOOLEANS):
        data["timeouts"] = {"workflow": "10m"}
    used = {
        a["name"]
        for region in _regions(data)
        for t in region["transitions"]
        for a in t["pre_actions"] + t["post_actions"]
        if a["action_type"] == "activity"
    } | {
        work["name"] if key == "activity" else work["activity"]
        for region in _regions(data)
        for s in region["states"]
        for key, work in s.items()
        if key == "activity" or (key == "for_each" and "activity" in work)
    }
    for region in _regions(data):
        # An error of a source that its state cannot have is refused when loading.
        for t in region["transitions"]:
            if t.get("event") == "error.f" and not _has_source(region, t["from"], "f"):
                t["event"] = "error"
    if undo and "f" in used and draw(BOOLEANS):
        activities["f"]["compensate_with"] = draw(_UNDONE_BY_G)
        used.add("g")
    if any("compensate_with" in s.get("invoke", {}) for region in _regions(data) for s in region["states"]):
        used.add("g")
    data["activities"] = {name: each for name, each in activities.items() if name in used}
    return Workflow.model_validate(data).with_functions(**PYTHON)


@st.composite
def families(draw: st.DrawFn) -> Catalogue:
    """A workflow `random` that may run `other`, which may run `third`; every construct, three generations deep."""
    found = [draw(workflows(regions=True, undo=True))]
    for name, inner in (("other", "third"), ("third", None)):
        one = draw(workflows(regions=inner is not None and draw(st.booleans()), undo=True, children=inner is not None))
        # What `other` runs is renamed; messages to `other` stay.
        data = _renamed(one.model_dump(mode="json", by_alias=True, exclude_unset=True), inner)
        data |= {"name": name, "variables": data["variables"] | {"n": data["variables"]["n"] | {"input": True}}}
        if draw(st.integers(0, 3)) == 0:
            data["correlation"] = {"key": "context.n"}
        found.append(Workflow.model_validate(data).with_functions(**PYTHON))
    return Catalogue(found)


@st.composite
def families_without_letters(draw: st.DrawFn) -> Catalogue:
    """The same, where nobody writes to anybody, and the first may have a key too."""
    found = []
    for workflow in draw(families()).all_versions():
        data = _unwritten(workflow.model_dump(mode="json", by_alias=True, exclude_unset=True))
        if workflow.name == "random" and draw(st.booleans()):
            data["variables"]["n"]["input"] = True
            data["correlation"] = {
                "key": draw(st.sampled_from(["context.n", "context.n // 2", "context.n > 1", "text(context.n)"]))
            }
        found.append(Workflow.model_validate(data).with_functions(**PYTHON))
    return Catalogue(found)


@st.composite
def families_with_letters(draw: st.DrawFn) -> Catalogue:
    """The same, where letters reach somebody: by keys that are there, by ids, kept for a while, starting instances."""
    found = []
    for workflow in draw(families()).all_versions():
        data = _written(draw, workflow.model_dump(mode="json", by_alias=True, exclude_unset=True))
        data["variables"]["n"]["input"] = True
        if draw(among(True, True, False)):
            data["correlation"] = {"key": draw(among("context.n", "context.n", "context.n // 2"))}
        for event in data["events"].values():
            event["payload"]["n"] = {"type": "integer", "optional": True}
            event["time_to_live"] = draw(among("0s", "5s", "2m"))
            event["starts"] = draw(among(False, False, True))
        found.append(Workflow.model_validate(data).with_functions(**PYTHON))
    return Catalogue(found)


def _written(draw: st.DrawFn, part: Any) -> Any:
    if isinstance(part, list):
        return [_written(draw, each) for each in part]
    if not isinstance(part, dict):
        return part
    if part.get("action_type") != "send":
        return {key: _written(draw, each) for key, each in part.items()}
    to = part["to"]
    if to == "other-1":
        to = draw(among("1", "2", "1/1", "1/2", "2/1", "1:m1"))
    elif to != "parent" and draw(whole(0, 3)):
        to = {"workflow": draw(among("random", "other", "third")), "key": draw(among("${context.n}", 0, 1, 2))}
    number = to["key"] if isinstance(to, dict) else "${context.n}"
    return part | {"to": to, "payload": {"k": 1, **part["payload"], "n": number}}


def _unwritten(part: Any) -> Any:
    if isinstance(part, dict):
        return {key: _unwritten(each) for key, each in part.items()}
    if not isinstance(part, list):
        return part
    return [_unwritten(each) for each in part if not (isinstance(each, dict) and each.get("action_type") == "send")]


def _renamed(part: Any, inner: str | None) -> Any:
    if isinstance(part, list):
        return [_renamed(each, inner) for each in part]
    if not isinstance(part, dict):
        return part
    found = {key: _renamed(each, inner) for key, each in part.items()}
    for key in ("invoke", "for_each"):
        if isinstance(found.get(key), dict) and found[key].get("workflow") == "other":
            found[key] = found[key] | {"workflow": inner}
    return found


def _regions(region: dict[str, Any]) -> list[dict[str, Any]]:
    found = [region]
    for state in region["states"]:
        for inner in state.get("parallel", {}).get("regions", []):
            found += _regions(inner)
    return found


def _has_source(region: dict[str, Any], state: str, source: str) -> bool:
    own = next(s for s in region["states"] if s["name"] == state)
    if source in (own.get("activity", {}).get("name"), own.get("for_each", {}).get("activity")):
        return True
    for t in region["transitions"]:
        before = t["pre_actions"] if t["from"] == state else []
        target = t.get("to", t["from"])
        after = t["post_actions"] if target == state else []
        if any(a.get("name") == source for a in before + after):
            return True
    inner_regions = own.get("parallel", {}).get("regions", [])
    return any(_has_source(inner, s["name"], source) for inner in inner_regions for s in inner["states"])


def next_stimulus(instance: Instance, choice: int, k: int, number: int) -> Stimulus:
    """One of the things that can reach an instance now, chosen by a number; times go on, or stand still."""
    time = instance.time + (choice % 3) * 1_000_000
    options: list[Stimulus] = [
        Stimulus("event", time, event="go", payload={"k": k}, event_id=f"go{number}"),
        Stimulus("event", time, event="stop", payload={} if k < 0 else {"k": k}, event_id=f"stop{number}"),
        Stimulus("event", time, event="pay", payload={"k": k}, event_id=f"pay{number // 2}"),
        Stimulus("event", time, event="nobody", payload={"k": k}),
        Stimulus("event", time, event="go", payload={"k": "wrong"}, event_id=f"pay{number // 2}"),
    ]
    for timer in instance.timers():
        options += [Stimulus("timer", max(time, timer.due), timer=timer.place, timer_id=timer.id)] * 2
    options.append(Stimulus("timer", time, timer=instance.program.head.first_timer, timer_id=99))
    for each in instance.activities():
        common: dict[str, Any] = {"time": time, "activity_id": each.activity_id, "attempt": each.attempt}
        options += [
            Stimulus("activity_started", **common),
            Stimulus("activity_succeeded", result=k, **common),
            Stimulus("activity_succeeded", result="text", **common),
            Stimulus("activity_failed", error_type="Net", message="no answer", **common),
            Stimulus("activity_failed", error_type="Bad.Card", retry_after=2_500_000, **common),
        ]
    options += [Stimulus("activity_succeeded", time, activity_id=serial, attempt=1, result=k) for serial in (1, 2, 3)]
    for work in instance.works():
        if work.phase == CHILD:
            options += [
                Stimulus(
                    "child_closed", time, activity_id=work.serial, status=status, outcome=outcome, payload={"n": k}
                )
                for status, outcome in (("completed", "success"), ("completed", "failure"), ("timed_out", None))
            ]
    options.append(Stimulus("child_closed", time, activity_id=1, status="cancelled"))
    options.append(Stimulus("message_returned", time, message_id=1, reason="nobody"))
    for command in ("pause", "resume", "retry", "cancel", "terminate"):
        options.append(Stimulus("control", time, command=command, command_id=f"{command}{number}"))
    return options[choice % len(options)]


choices = st.lists(st.tuples(st.integers(0, 10_000), st.integers(-3, 6)), min_size=4, max_size=25)
"""Choices for `next_stimulus`."""
