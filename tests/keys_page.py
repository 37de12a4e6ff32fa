"""docs/keys.md: every key of the language by element, made from the classes that read it.

`python -m tests.keys_page` writes the page anew. Types and defaults are those of the JSON Schema, rules and meanings
those of `wfsim.model.key_notes`, examples the shortest ones in docs/language.md and in definitions that are right; of
keys that none of these has, those of `RARE`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import wfsim as wf
from tests.language import PAGE as LANGUAGE
from tests.mistakes import correct
from wfsim.model.key_notes import ELEMENTS, note
from wfsim.model.yaml_reader import read

PAGE = Path("docs/keys.md")
LONGEST = 48
"""So many signs of an example fit a table."""
_HEAD = """\
# Keys of the language

Every key by element, with its type, its default (**required** where there is none), an example, and the rule of
[meaning.md](meaning.md) that says exactly what it does. [language.md](language.md) shows them at work.
`python -m tests.keys_page` makes this page from the classes that read definitions; `wfsim schema` prints the same for
editors ([writing.md](writing.md)).
"""
Schema = dict[str, Any]
RARE = """\
name: rare
initial_state: a
pause_timers: freeze
max_automatic: 20
max_deferred: 50
include: common.shared.yaml
types:
  iban: {type: string, pattern: "[A-Z]{2}[0-9]{20}"}
  names: {type: list, items: string}
  address: {type: object, fields: {street: string}}
variables:
  account: {type: string, pattern: "[0-9]{4,12}", searchable: true, input: true}
  place: {type: object, fields: {street: string}, optional: true}
activities:
  pay:
    description: The bank does it.
    timeout: 5m
    schedule_to_start: 10m
    heartbeat: 30s
    retry_policy: {max_attempts: 3, initial_interval_seconds: 2, max_interval_seconds: 60}
  ask:
    timeout: 1m
    input: {account: string}
    http:
      url: "https://api/v1/${input.account}"
      query: {account: "${input.account}"}
      headers: {Accept: application/json}
      expect: [200, 404]
      errors: {Bank.Down: 503}
      redirects: 3
      max_bytes: 20000
  print:
    timeout: 1m
    input: {account: string}
    command:
      run: [lp, --, "${input.account}"]
      stdin: "${input.account}"
      directory: /srv/print
      environment: {LANG: C}
      expect: [0, 1]
      timeout: 20s
      max_bytes: 10000
states:
  - name: a
    metadata: {owner: finance}
    invoke: {workflow: audit, parent_close: abandon}
    data:
      kind: {type: string, values: [new, old], initial: new, description: What it is.}
      code: {type: string, pattern: "[A-Z]+", optional: true}
      steps: {type: list, items: string, optional: true}
      at: {type: object, fields: {street: string}, optional: true}
      tries: {type: integer, initial: 0, maximum: 3, overflow: saturate}
  - {name: z, is_terminal: true}
transitions:
  - from: a
    event: done
    to: z
    description: It is over.
    pre_actions:
      - {action_type: activity, name: pay, description: Now it is paid.}
      - action_type: set_variable
        name: note
        description: Whose it is.
        on_failure: ignore
        parameters: {name: account, value: "0000"}
      - {action_type: send, name: tell, event: over, to: parent, description: The parent knows., on_failure: ignore}
      - {action_type: compensate, name: undo, description: All is undone.}
timeouts: {activity: 5m, states: {a: 2d}}
"""
"""Keys that definitions seldom have; it loads where the file is that it includes."""


@cache
def elements() -> dict[str, Schema]:
    """The schema of each element that has keys, in the order of the page."""
    schema = wf.json_schema()
    named = {"Workflow": schema, **schema["$defs"]}
    order = [*ELEMENTS, *sorted(set(named) - set(ELEMENTS))]
    return {name: named[name] for name in order if "properties" in named[name]}


def text() -> str:
    """The page as it should be."""
    shown = found_examples()
    parts = [_HEAD]
    for name, element in elements().items():
        title = ELEMENTS.get(name, (name, ""))[0]
        parts.append(
            f"\n## `{title}`\n\n{element['description'].split(chr(10))[0]}\n\n"
            if "description" in element
            else f"\n## `{title}`\n\n"
        )
        parts.append("| key | type | default | example | rule | meaning |\n|---|---|---|---|---|---|\n")
        for key, value in element["properties"].items():
            default = "**required**" if key in element.get("required", ()) else _default(value)
            told = note(name, key)
            meaning = told.text or re.sub(r" \(M[\d.]+\)$", "", value.get("description", ""))
            cells = [
                f"`{key}`",
                _type(value),
                default,
                shown.get((name, key), ""),
                told.rule,
                meaning.replace("<", "\\<"),
            ]
            parts.append("| " + " | ".join(cell.replace("|", "\\|") or "–" for cell in cells) + " |\n")
    return "".join(parts)


def _default(value: Schema) -> str:
    return f"`{_flow(value['default'])}`" if "default" in value else ""


def _type(value: Schema) -> str:
    """The type of a key, in words."""
    if "$ref" in value:
        name = value["$ref"].rpartition("/")[2]
        named = wf_defs()[name]
        return _type(named) if "enum" in named else f"[`{ELEMENTS.get(name, (name, ''))[0]}`](#{_anchor(name)})"
    for several in ("anyOf", "oneOf"):
        if several in value:
            kinds = [_type(each) for each in value[several] if each.get("type") != "null"]
            if "duration" in kinds:
                # A number of seconds is one as well.
                kinds = [kind for kind in kinds if not kind.startswith("number")]
            return " or ".join(dict.fromkeys(kinds))
    if "enum" in value or "const" in value:
        return ", ".join(f"`{_flow(each)}`" for each in value.get("enum", [value.get("const")]))
    match value.get("type"):
        case "array":
            return f"list of {_type(value['items'])}"
        case "object":
            inner = value.get("additionalProperties") or next(iter(value.get("patternProperties", {}).values()), {})
            return "mapping" if inner in ({}, True) else f"mapping of {_type(inner)}"
        case "string" if value.get("examples"):
            return "duration"
        case "string" if "\\$" in value.get("pattern", ""):
            return "`${…}`"
        case "string":
            return "text"
        case "boolean":
            return "true or false"
        case "integer" | "number" as kind:
            return kind + _bounds(value)
        case _:
            return "any value"


def _bounds(value: Schema) -> str:
    low, high = value.get("minimum"), value.get("maximum")
    if low is not None and high is not None:
        return f" from {low:,} to {high:,}"
    return f", {low:,} or more" if low is not None else ""


def _anchor(name: str) -> str:
    title = ELEMENTS.get(name, (name, ""))[0].lower()
    return re.sub(r"[^\w\- ]", "", title).replace(" ", "-")


# Examples ------------------------------------------------------------------------------------------------


@cache
def found_examples() -> dict[tuple[str, str], str]:
    """For each key that somebody uses, its shortest value that is not the default, as it is written."""
    texts = re.findall(r"^```yaml\n(name:.*?)^```$", LANGUAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    texts += [path.read_text(encoding="utf-8") for path in correct()]
    return _shortest([RARE]) | _shortest(texts)


def _shortest(texts: list[str]) -> dict[tuple[str, str], str]:
    """The shortest value of each key in some definitions, one that is whole before one that is not."""
    found: dict[tuple[str, str], list[str]] = {}
    for one in texts:
        for name, key, value in _values("Workflow", elements()["Workflow"], read(one, "<text>").data):
            if elements()[name]["properties"][key].get("default") != value:
                found.setdefault((name, key), []).append(f"`{_short(value)}`")
    return {place: min(values, key=lambda each: ("…" in each, len(each), each)) for place, values in found.items()}


def _short(value: Any) -> str:
    """A value as people write it on one line, with `…` for what would be too much."""
    whole = _flow(value)
    if len(whole) <= LONGEST - 2 or not isinstance(value, dict | list):
        return whole
    if isinstance(value, list):
        return f"[{_cut(value[0])}, …]" if len(value) > 1 else f"[{_cut(value[0])}]"
    (key, first), *more = value.items()
    return f"{{{key}: {_cut(first)}{', …' if more else ''}}}"


def _cut(value: Any) -> str:
    whole = _flow(value)
    if len(whole) <= LONGEST // 2 or not isinstance(value, dict | list):
        return whole
    return "[…]" if isinstance(value, list) else "{…}"


def _values(name: str, schema: Schema, data: Any) -> Iterator[tuple[str, str, Any]]:
    """Element, key and value of all that stands in a definition."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        schema = wf_defs()[name]
    for each in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from _values(name, each, data)
    if isinstance(data, list) and "items" in schema:
        for item in data:
            yield from _values(name, schema["items"], item)
    if not isinstance(data, dict):
        return
    own = schema.get("properties")
    if own is None:
        inner = schema.get("additionalProperties") or next(iter(schema.get("patternProperties", {}).values()), None)
        for value in data.values() if isinstance(inner, dict) else ():
            yield from _values(name, inner, value)
        return
    if any(key not in own or ("const" in own[key] and own[key]["const"] != value) for key, value in data.items()):
        return
    for key, value in data.items():
        yield name, key, value
        yield from _values(name, own[key], value)


@cache
def wf_defs() -> dict[str, Schema]:
    return dict(wf.json_schema()["$defs"])


def _flow(value: Any) -> str:
    """A value as people write it on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, str) and re.fullmatch(r"[\w.][\w .()*/=<>!+-]*", value):
        return value
    return json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    PAGE.write_text(text(), encoding="utf-8")
