"""The examples of docs/language.md: definitions in `yaml` blocks, and `trace` blocks that are played on them.

A `python` block defines the functions that the workflow before it declares (M14).

A trace belongs to the workflow of the last `yaml` block before it. Lines with `>` are stimuli, the lines below each are
the consequences that `step` gives. `python -m tests.language` writes what `step` says into the page.

    > start {n: 3}              inputs
    > 4s pay {id: A} #e1        an event at 4 s, with payload and event id
    > 10s timer timeout         a timer by its name (`timeout`, `after 1`, `workflow`, `retry`, …)
    > 3s charge ok 5            the oldest open attempt of an activity ends; also `fails Card.Declined`, `starts`
    > 3s charge fails Busy after 30s
    > 5s child ship completed success {parcel: P}
    > pause                     any command
    > returned 1 no_instance    a message comes back
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

import wfsim as wf
from tests.unit.semantics.told import told
from wfsim.model.duration import Duration
from wfsim.semantics.codes import COMMANDS
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.instance import Instance
from wfsim.semantics.kernel import Output
from wfsim.semantics.records import Record, records_of

PAGE = Path("docs/language.md")
_BLOCK = re.compile(r"^```(yaml|trace|python)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_TIME = re.compile(r"\d+(\.\d+)?(us|ms|s|m|h|d|w)")


@dataclass
class Example:
    """A workflow of the page with the traces played on it."""

    workflow: wf.Workflow
    traces: list[str] = field(default_factory=list)


def examples(text: str) -> list[Example]:
    """All workflows of a page, in order, each with its traces."""
    found: list[Example] = []
    for kind, body in _BLOCK.findall(text):
        if kind == "yaml":
            if body.startswith("name:"):
                found.append(Example(wf.loads(body)))
        elif kind == "python":
            found[-1].workflow = _with_functions(found[-1].workflow, body)
        else:
            found[-1].traces.append(body)
    return found


def _with_functions(workflow: wf.Workflow, code: str) -> wf.Workflow:
    """The workflow with the functions that a block of the page defines for it."""
    space: dict[str, Any] = {}
    exec(code, space)
    return workflow.with_functions(**{name: space[name] for name in workflow.functions})


def catalogue(text: str) -> wf.Catalogue:
    """The workflows of a page."""
    return wf.Catalogue(example.workflow for example in examples(text))


class Player:
    """Feeds the lines of a trace to an instance."""

    def __init__(self, workflow: wf.Workflow, known: wf.Catalogue) -> None:
        self.instance = Instance(compile_workflow(workflow, known.family(workflow)))
        self.time = 0
        self.children: list[tuple[str, int]] = []

    def play(self, line: str) -> list[str]:
        """The consequences of one stimulus, in words."""
        words = line.split()
        if _TIME.fullmatch(words[0]):
            self.time = int(Duration.of(words.pop(0)))
        records = records_of(self.instance, self._apply(words, line))
        for record in records:
            if record.kind == "child_started":
                self.children.append((_short(record.state), record.payload["activation"]))
        return [say(record) for record in records[1:]]

    def _apply(self, words: list[str], line: str) -> Output:
        instance, time, what = self.instance, self.time, words[0]
        if what == "start":
            return instance.start(time, _value(line))
        if what in COMMANDS:
            return instance.control(time, what)
        if what == "timer":
            name = " ".join(words[1:])
            timers = [each for each in instance.timers() if each.name == name]
            assert timers, f"{line!r}: no such timer among {instance.timers()}"
            timer = timers[0]
            assert timer.due == time, f"{line!r}: due at {timer.due}"
            return instance.timer_fired(time, timer.place, timer.id)
        if what == "child":
            activation = next(number for state, number in self.children if state == words[1])
            self.children.remove((words[1], activation))
            outcome = words[3] if words[2] == "completed" else None
            return instance.child_closed(time, activation, words[2], outcome, _value(line))
        if what == "returned":
            return instance.message_returned(time, int(words[1]), words[2])
        if words[1:2] in (["starts"], ["ok"], ["fails"]):
            here = [each for each in instance.activities() if each.activity == what]
            assert here, f"{instance.program.workflow.name!r}, {line!r}: {what} is not open"
            work = min(here, key=lambda each: each.activity_id)
            if words[1] == "starts":
                return instance.activity_started(time, work.activity_id, work.attempt)
            if words[1] == "ok":
                result = YAML(typ="safe").load(" ".join(words[2:])) if len(words) > 2 else None
                return instance.activity_succeeded(time, work.activity_id, work.attempt, result)
            asked = int(Duration.of(words[4])) if words[3:4] == ["after"] else None
            return instance.activity_failed(time, work.activity_id, work.attempt, words[2], retry_after=asked)
        identity = next((word[1:] for word in words if word.startswith("#")), None)
        return instance.event(time, what, _value(line), identity)


def _value(line: str) -> Any:
    found = re.search(r"\{.*\}", line)
    return YAML(typ="safe").load(found[0]) if found else {}


def _short(path: str | None) -> str:
    return (path or "–").rsplit("/", 1)[-1]


def say(record: Record) -> str:
    """A record in a few words: the notation of the worked examples, with more where a reader wants it."""
    rest = record.payload
    match record.kind:
        case "state_entered":
            return f"state_entered({_short(record.state)})"
        case "transition" if rest.get("set"):
            return f"{told(record)} set {_json(rest['set'])}"
        case "activity_scheduled":
            return f"activity_scheduled({record.activity}, attempt {record.attempt}) {_json(rest.get('input', {}))}"
        case "child_started":
            return f"child_started({rest['workflow']} {rest.get('version', '')}) {_json(rest.get('input', {}))}"
        case "child_stop_requested":
            return f"child_stop_requested({rest['policy']})"
        case "message_sent":
            key = f", key {rest['key']}" if "key" in rest else ""
            return f"message_sent({record.event} to {rest['to']}{key}) {_json(rest.get('payload', {}))}"
        case "event_deferred":
            return f"event_deferred({record.event})"
        case "transition_started":
            return f"transition_started({_short(record.state)})"
        case "instance_closed":
            output = rest.get("output")
            return told(record) + (f" {_json(output)}" if output else "")
    return told(record)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if value else ""


def played(example: Example, trace: str, known: wf.Catalogue) -> str:
    """The trace as `step` tells it now."""
    player = Player(example.workflow, known)
    lines: list[str] = []
    for line in trace.splitlines():
        if line.startswith(">"):
            lines += [line, *(f"    {each}".rstrip() for each in player.play(line[1:].strip()))]
    return "\n".join(lines) + "\n"


def rewritten(text: str) -> str:
    """The page with every trace as `step` tells it now."""
    known = catalogue(text)
    queue: Iterator[tuple[Example, str]] = iter(
        [(example, trace) for example in examples(text) for trace in example.traces]
    )

    def block(match: re.Match[str]) -> str:
        if match[1] != "trace":
            return match[0]
        example, trace = next(queue)
        return f"```trace\n{played(example, trace, known)}```"

    return _BLOCK.sub(block, text)


if __name__ == "__main__":
    PAGE.write_text(rewritten(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
