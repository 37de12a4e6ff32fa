"""Everything that an element says, as YAML of its own to be read and written in a side panel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from wfsim.model.declared import FieldType
from wfsim.model.definition import Definition
from wfsim.model.elements import Activity, Event, Region, State, Transition, Variable
from wfsim.model.fields import written_fields
from wfsim.model.key_notes import note
from wfsim.model.problems import Problem, definition_error, from_validation, shown
from wfsim.model.yaml_reader import read
from wfsim.model.yaml_writer import to_data, write_data

from .draft import plain
from .edits import Done

if TYPE_CHECKING:
    from wfsim.model.fields import Element
    from wfsim.model.problems import Path
    from wfsim.model.workflow import Workflow

    from .draft import Draft

MODELS: dict[str, type[Element]] = {
    "workflow": Definition,
    "region": Region,
    "state": State,
    "transition": Transition,
    "type": FieldType,
    "variable": Variable,
    "event": Event,
    "activity": Activity,
}
_ELSEWHERE = {
    "workflow": ("types", "variables", "events", "activities", "states", "transitions"),
    "region": ("states", "transitions"),
}
"""Keys that are elements of their own in the drawing."""


def keys_of(kind: str) -> list[str]:
    """The keys that the text of an element may have."""
    known = [field.alias or name for name, field in written_fields(MODELS[kind]).items()]
    return [key for key in known if key not in _ELSEWHERE.get(kind, ())]


def meanings(kind: str) -> dict[str, str]:
    """What each key of an element means, in one line, for those who write it in a side panel."""
    element = "Workflow" if kind == "workflow" else MODELS[kind].__name__
    return {key: note(element, key).text for key in keys_of(kind)}


def properties_text(workflow: Workflow, element: str, path: Path) -> str:
    """What an element says, canonically."""
    at: Any = workflow
    for step in path:
        at = getattr(at, step) if isinstance(step, str) and hasattr(at, step) else at[step]
    allowed = keys_of(element.partition(":")[0])
    return write_data({key: value for key, value in to_data(at).items() if key in allowed})


def set_properties(draft: Draft, element: str, text: str) -> Done:
    """Let an element say what a text says.

    Raises
    ------
    DefinitionError
        Naming the line of the text.
    """
    kind = element.partition(":")[0]
    path = draft.path(element, *MODELS)
    label = element.replace(":", " ", 1)
    document = read(text, label)
    said = {} if document.data is None else document.data
    if not isinstance(said, dict):
        raise definition_error([Problem((), f"expected keys with values, found {shown(said)}.")], label)
    at = draft.at(path)
    kept = {key: at[key] for key in _ELSEWHERE.get(kind, ()) if key in at}
    doubled = [key for key in said if key in _ELSEWHERE.get(kind, ())]
    if doubled:
        problems = [
            Problem((key,), f"{key!r} is not written here: select what it holds in the drawing.") for key in doubled
        ]
        raise definition_error(problems, label, document.line_of)
    try:
        model = MODELS[kind].model_validate(kept | said)
    except ValidationError as error:
        found = from_validation([dict(each) for each in error.errors()], kept | said)
        raise definition_error(found, label, document.line_of) from None
    renamed = None
    if kind in ("state", "region") and said["name"] != at["name"]:
        renamed = (element, element.removesuffix(at["name"]) + said["name"])
        draft.rename(path, said["name"])
    at.clear()
    at.update(plain(model.model_dump(by_alias=True, exclude_unset=True)) | kept)
    return Done(f"changed {label}", path, renamed)
