"""Files that list what must hold of a workflow, and properties as objects.

A property file names a workflow (by file or name; checked) and what must hold of it, one mapping per question::

    workflow: ../models/order_processing.yaml
    properties:
      - sound: {instances: 2}
      - no_deadlock: {instances: 2, pools: {packers: 1}}
      - can_complete: {}
      - never: state == "refunded" and not once(activity.charge_card.succeeded)
      - leads_to: {from: activity.charge_card.succeeded, to: state in ["delivered", "refunded"]}
      - no_failure: {}
        expect: violated
        because: the condition of retry_payment reads a variable that nothing sets

The first group of `KINDS` asks about the workflow as it is, the second (those of the module `patterns`) about its runs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from wfsim.errors import DefinitionError, did_you_mean
from wfsim.files import read_file
from wfsim.model import yaml_reader
from wfsim.model.problems import Problem, definition_error, from_validation
from wfsim.verification.property import Property
from wfsim.verification.workflows.patterns import PATTERNS
from wfsim.verification.workflows.settled import SettledOptions


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SharedOptions(_Options):
    """How many instances share how many workers of each pool."""

    instances: int = Field(default=1, ge=1, le=1_000)
    pools: Mapping[str, int] = Field(default_factory=dict)


class NetOptions(SharedOptions):
    """The same, and how long a list may be that is not written out."""

    items: int = Field(default=2, ge=0, le=100)


class SoundOptions(NetOptions):
    """The same, and which soundness is meant."""

    kind: Literal["classical", "weak", "relaxed"] = "classical"


class NoOptions(_Options):
    """Questions about one instance, or about conditions, have no options."""


KINDS: dict[str, type[BaseModel]] = {
    "states_reachable": NoOptions,
    "transitions_live": NoOptions,
    "can_complete": SharedOptions,
    "no_failure": NoOptions,
    "no_unhandled_timeout": NoOptions,
    "sound": SoundOptions,
    "no_deadlock": NetOptions,
    "conditions_useful": NoOptions,
    "conditions_complete": NoOptions,
    "conditions_disjoint": NoOptions,
    "settled": SettledOptions,
    **PATTERNS,
}
"""What can be asked, by name, and the options of each."""


def is_property_file(path: str | Path) -> bool:
    """Whether a file looks like a property file: YAML with the key `properties` at the left margin."""
    file = Path(path)
    if file.suffix not in (".yaml", ".yml"):
        return False
    text = read_file(file, yaml_reader.LARGEST_FILE).decode("utf-8", errors="replace")
    return re.search(r"^properties\s*:", text, re.MULTILINE) is not None


def workflow_of(path: str | Path, named: str | None) -> Path:
    """The workflow file that a property file names, from where that lies.

    Raises
    ------
    DefinitionError
        If it names none, or not by its file.
    """
    target = Path(path).parent / (named or "")
    if named is None or target.suffix not in (".yaml", ".yml"):
        raise DefinitionError(
            f"{path}:1: the key 'workflow' must give the path of a workflow, from where this file lies, so that it can "
            f"be verified without being told which; it is {named!r}."
        )
    return target


def load_properties(path: str | Path) -> tuple[str | None, list[Property]]:
    """Read a property file: the path of its workflow (as written), and the properties.

    Raises
    ------
    DefinitionError
        With file, line and what is allowed.
    """
    file = Path(path)
    try:
        raw = read_file(file, yaml_reader.LARGEST_FILE)
    except OSError as error:
        raise DefinitionError(f"{path}: cannot be read: {error.strerror}.") from None
    document = yaml_reader.read(yaml_reader.decode(raw, str(path)), str(path))
    data = document.data
    if not isinstance(data, dict) or not isinstance(data.get("properties"), list):
        raise DefinitionError(f"{path}:1: a property file has the keys 'workflow' and 'properties' (a list).")
    problems = [
        Problem((key,), f"unknown key {key!r}. Keys: workflow, properties.")
        for key in data
        if key not in ("workflow", "properties")
    ]
    named = data.get("workflow")
    if named is not None and not isinstance(named, str):
        problems.append(Problem(("workflow",), f"workflow is the path or name of a workflow, not {named!r}."))
    if not data["properties"]:
        problems.append(
            Problem(("properties",), "the list of properties is empty, so nothing would be asked. Add `- sound: {}`.")
        )
    properties: list[Property] = []
    for k, entry in enumerate(data["properties"]):
        where: tuple[str | int, ...] = ("properties", k)
        if not isinstance(entry, dict):
            problems.append(Problem(where, f"a property is a mapping such as `- sound: {{}}`, not {entry!r}."))
            continue
        rest = {key: value for key, value in entry.items() if key not in ("expect", "because", "allow_unknown")}
        expect = entry.get("expect", "holds")
        if len(rest) != 1 or next(iter(rest)) not in KINDS:
            unknown = next((key for key in rest if key not in KINDS), "")
            problems.append(
                Problem(
                    where,
                    f"a property has one of the keys {', '.join(KINDS)}; found "
                    f"{', '.join(map(str, rest)) or 'none'}.{did_you_mean(str(unknown), KINDS)}",
                )
            )
            continue
        if expect not in ("holds", "violated", "unknown"):
            problems.append(Problem((*where, "expect"), f"expect is holds, violated or unknown, not {expect!r}."))
            continue
        for key in ("because", "allow_unknown"):
            if entry.get(key) is not None and not isinstance(entry[key], str):
                problems.append(Problem((*where, key), f"{key} gives a reason in words, not {entry[key]!r}."))
        ((name, options),) = rest.items()
        options = options if options is not None else {}
        try:
            KINDS[name].model_validate(options)
        except ValidationError as error:
            found = from_validation([dict(each) for each in error.errors()], options)
            problems += [Problem((*where, name, *each.path), each.message) for each in found]
            continue
        line = document.line_of(where)
        inner = list(options) if isinstance(options, dict) else []
        lines = {key: document.line_of((*where, name, key)) or line or 1 for key in inner}
        reason, allowed = entry.get("because"), entry.get("allow_unknown")
        properties.append(Property(name, options, expect, reason, line, allowed, lines))
    if problems:
        raise definition_error(problems, str(path), document.line_of)
    return data.get("workflow"), properties
