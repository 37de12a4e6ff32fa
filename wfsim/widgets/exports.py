"""What was stepped through, to keep: as a test of its own, and as a witness that opens again."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from wfsim.model.yaml_io import dumps
from wfsim.semantics.stimulus import Stimulus

from .wire import File

if TYPE_CHECKING:
    from .stepping import Stepping

_TEST = '''"""{about}"""

import wfsim as wf
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.instance import Instance
from wfsim.semantics.stimulus import Stimulus

DEFINITION = {definition}


def test_{name}():
    instance = Instance(compile_workflow(wf.loads(DEFINITION)))
{steps}
'''


def pytest_file(stepping: Stepping) -> File:
    """The steps up to now as a pytest test: each stimulus, and where the instance is after it."""
    lines = []
    for step in stepping.steps[: stepping.cursor]:
        after = step.instance
        lines.append(f"    # {' '.join(step.title.split())}")
        lines.append(f"    instance.apply({_written(step.stimulus)})")
        lines.append(f"    assert (instance.status, instance.configuration) == {(after.status, after.configuration)!r}")
    if stepping.cursor:
        lines.append(f"    assert instance.variables == {stepping.instance.variables!r}")
    name = _name(stepping)
    about = json.dumps(f"A run of {stepping.workflow.name}, stepped by hand.")[1:-1].replace('"', "'")
    definition = _literal(dumps(stepping.workflow))
    return File(f"test_{name}.py", _TEST.format(about=about, definition=definition, name=name, steps="\n".join(lines)))


def witness_file(stepping: Stepping) -> File:
    """The steps up to now as a witness, in JSON; `wfsim.exploration.workflow_witness.read_witness` reads it."""
    return File(f"{_name(stepping)}.witness.json", stepping.witness().dumps())


def _name(stepping: Stepping) -> str:
    where = "_".join(state for state in stepping.state.values() if state) or "start"
    return re.sub(r"\W+", "_", f"{stepping.workflow.name}_{where}".lower())[:60].strip("_") or "run"


def _written(stimulus: Stimulus) -> str:
    """The stimulus as Python, without what is as always."""
    plain = Stimulus(stimulus.kind)
    given: dict[str, Any] = {
        each.name: getattr(stimulus, each.name)
        for each in fields(Stimulus)
        if each.name != "kind" and getattr(stimulus, each.name) != getattr(plain, each.name)
    }
    arguments = [repr(stimulus.kind), *(f"{name}={_plain(value)!r}" for name, value in given.items())]
    return f"Stimulus({', '.join(arguments)})"


def _plain(value: Any) -> Any:
    return dict(value) if hasattr(value, "items") else value


def _literal(text: str) -> str:
    """A text as a Python literal of several lines."""
    return "(\n" + "".join(f"    {line!r}\n" for line in text.splitlines(keepends=True)) + ")"
