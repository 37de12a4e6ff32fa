"""The language as a JSON Schema, made from the classes that read it: for editors, and for programs that write it.

It says which keys there are and what may stand in them. Whether names exist, expressions can be read and clocks agree
is told by `wf.load` and `wf.lint`.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from pydantic.json_schema import GenerateJsonSchema

from wfsim.model.key_notes import note
from wfsim.model.published import SECONDS_KEYS
from wfsim.model.shorthand import SHARED
from wfsim.model.workflow import Workflow

Schema: TypeAlias = dict[str, Any]

_BOUNDS = {"ge": "minimum", "le": "maximum", "gt": "exclusiveMinimum", "lt": "exclusiveMaximum"}
_NAMED = {"type": "string", "minLength": 1, "maxLength": 200}


def json_schema() -> Schema:
    """The JSON Schema (2020-12) of a workflow in YAML: every key of the language, its type, default and meaning.

    It accepts what may be written: shorthand (`policies`, `include`, lists of states in `from`), short forms
    (`activity: pack`), and the spelling of the published design.

    Returns
    -------
    dict
        Plain data; `wfsim schema` prints it as JSON.

    Examples
    --------
    >>> schema = json_schema()
    >>> schema["required"]
    ['name', 'initial_state', 'states']
    >>> schema["$defs"]["Variable"]["properties"]["overflow"]["enum"]
    ['error', 'saturate']
    """
    schema = Workflow.model_json_schema(by_alias=True)
    elements = {"Workflow": schema, **schema["$defs"]}
    for name, element in elements.items():
        for key, value in element.get("properties", {}).items():
            element["properties"][key] = _told(name, key, value)
    _shorthand(elements)
    return {
        "$schema": GenerateJsonSchema.schema_dialect,
        **_plain(schema),
        "title": "A workflow of wfsim",
    }


def _told(element: str, key: str, value: Schema) -> Schema:
    """The schema of one key with what it means."""
    told = note(element, key)
    if not told.text:
        return value
    return {**value, "description": f"{told.text} ({told.rule})" if told.rule else told.text}


def _shorthand(elements: dict[str, Schema]) -> None:
    """What a file may write beside what a workflow in memory holds."""
    transition = elements["Transition"]["properties"]
    several = {"type": "array", "items": _NAMED, "minItems": 1, "uniqueItems": True}
    for key in ("from", "event"):
        transition[key] = {"anyOf": [_NAMED, several], "description": transition[key]["description"]}
    transition["except"] = {"anyOf": [_NAMED, several], "description": 'States that from: "*" leaves out.'}
    workflow = elements["Workflow"]["properties"]
    policy = elements["RetryPolicy"]["properties"]
    for name in ("Workflow", "Activity"):
        one = {"anyOf": [_NAMED, {"$ref": "#/$defs/RetryPolicy"}]}
        elements[name]["properties"]["retry_policy"]["anyOf"] += [
            _NAMED,
            {"type": "array", "items": one, "minItems": 1},
        ]
    workflow["policies"] = {
        "type": "object",
        "additionalProperties": {"$ref": "#/$defs/RetryPolicy"},
        "description": "Retry policies by name: retry_policy: <name> stands for one of them.",
    }
    file = {"type": "string", "pattern": rf"^[^/\\]+{SHARED.replace('.', '[.]')}$"}
    workflow["include"] = {
        "anyOf": [file, {"type": "array", "items": file}],
        "description": f"Files beside this one, ending in {SHARED}, with sections that several workflows share.",
    }
    for theirs, ours in SECONDS_KEYS.items():
        policy[theirs] = {"type": "number", "minimum": 0, "description": f"As {ours}, in seconds (published form)."}


def _plain(schema: Any) -> Any:
    """Without what only pydantic reads, and closed where only certain keys may stand."""
    if isinstance(schema, list):
        return [_plain(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    plain: Schema = {}
    for key, value in schema.items():
        if key in ("discriminator", "title"):
            continue
        if key == "properties":
            plain[key] = {name: _plain(each) for name, each in value.items()}
        elif key == "default":
            # What is left out by itself is no news, nor is a group of such.
            if value not in (None, [], {}) and not (isinstance(value, dict) and not any(value.values())):
                plain[key] = value
        else:
            plain[_BOUNDS.get(str(key), str(key))] = _plain(value)
    if "patternProperties" in plain:
        plain["additionalProperties"] = False
    return plain
