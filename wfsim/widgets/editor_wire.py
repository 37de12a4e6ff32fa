"""The editor as its pages see it: what is shown of an `Editing`, and what they may ask of it."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from wfsim.drawing.text import clean
from wfsim.errors import DrawingError, WfsimError, listed
from wfsim.model.definition import Definition
from wfsim.model.elements import State, Transition
from wfsim.model.naming import SECTIONS, element_paths
from wfsim.model.picture import edge_ids

from .draft import Draft
from .edits import OPERATIONS
from .properties import meanings
from .wire import File, Request, Scene, Wire

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wfsim.drawing import Picture

    from .editing import Editing

_LISTS = ("states",)
"""Values of edits that are lists; a page sends one name a line."""


class EditorWire:
    """An `Editing` as scenes and requests; `wire.answer` is what a page talks to.

    Attributes
    ----------
    selected
        The element that the side panel is about.
    """

    def __init__(self, editing: Editing) -> None:
        self.editing = editing
        self.selected = "workflow"
        self._tab = ""
        self._drawn: tuple[Picture, Scene | None, str] | None = None
        self.wire = Wire(
            self.scene,
            {
                "edit": Request(self._edit, {"operation": str, "values": dict, "number": int}),
                "properties": Request(self._properties, {"element": str, "text": str, "number": int}),
                "select": Request(self._select, {"element": str}),
                "pin": Request(self._pin, {"element": str, "x": int, "y": int}),
                "unpin": Request(self._unpin, {}),
                "undo": Request(self._undo, {}),
                "redo": Request(self._redo, {}),
                "tab": Request(self._show_tab, {"tab": str}),
                "text": Request(self._text, {"text": str}),
                "save": Request(self._save, {}),
                "look": Request(self._look, {}),
            },
        )

    # --- what is seen ----------------------------------------------------------------------------

    def scene(self) -> Scene:
        """Everything to be seen, as JSON values; see `editor.tsx`."""
        editing = self.editing
        if self.selected not in (paths := element_paths(editing.definition)):
            self.selected = "workflow"
        picture, too_large = self._picture()
        missing = [{"id": element, "text": clean(text)} for element, text in editing.missing]
        judged = editing.judged
        return {
            "title": clean(f"{editing.definition.name} {editing.definition.version}"),
            "head": {
                "number": editing.number,
                "said": clean(editing.said),
                "undo": clean(editing.undoable),
                "redo": clean(editing.redoable),
                "stale": editing.stale,
                "judging": editing.judging,
            },
            "can": {"edit": True},
            "picture": picture,
            "too_large": too_large,
            "placed": bool(editing.pins),
            "marks": self._marks(),
            "missing": missing,
            "findings": [
                {"id": each.element, "code": each.code, "severity": each.severity, "text": clean(each.text)}
                for each in judged.findings
            ],
            "verdicts": [
                {
                    "name": each.name.replace("_", " "),
                    "status": each.status,
                    "reason": clean(each.reason),
                    "ids": list(each.elements),
                }
                for each in judged.answers
            ],
            "names": _names(editing.definition, list(paths)),
            "sheet": self._sheet(),
            "text": {"yaml": editing.text, "problem": editing.problem} if self._tab == "yaml" else None,
            "mermaid": editing.to_mermaid() if self._tab == "mermaid" else None,
        }

    def _picture(self) -> tuple[Scene | None, str]:
        picture = self.editing.picture
        if self._drawn is None or self._drawn[0] is not picture:
            try:
                self._drawn = picture, picture.to_dict(), ""
            except DrawingError as error:
                self._drawn = picture, None, str(error)
        return self._drawn[1], self._drawn[2]

    def _marks(self) -> dict[str, str]:
        """What is wrong at what is drawn, in words."""
        editing = self.editing
        edges = edge_ids(editing.definition)
        told: dict[str, list[str]] = {}

        def tell(element: str, text: str) -> None:
            kind, _, name = element.partition(":")
            at = edges.get(int(name), element) if kind == "transition" else element
            told.setdefault(at, []).append(text)

        for element, text in editing.missing:
            tell(element, f"missing: {text}")
        for found in editing.judged.findings:
            tell(found.element, f"{found.severity}: {found.code}")
        for answer in editing.judged.answers:
            for element in answer.elements if answer.status == "violated" else ():
                tell(element, f"violated: {answer.name}")
        return {element: clean("; ".join(dict.fromkeys(texts))) for element, texts in told.items()}

    def _sheet(self) -> Scene:
        """The side panel: what is selected, and all it says."""
        element, definition = self.selected, self.editing.definition
        kind, _, name = element.partition(":")
        found: Scene = {
            "id": element,
            "kind": kind,
            "name": definition.name if kind == "workflow" else name,
            "yaml": self.editing.properties(element),
            "keys": [{"key": key, "means": means} for key, means in meanings(kind).items()],
        }
        draft = Draft(definition)
        path = draft.path(element)
        if kind == "state":
            state = _at(definition, path)
            assert isinstance(state, State)
            region = draft.region_of(path)
            default = definition.timeouts.states.get(state.name) if len(path) == 2 else None
            timeout = state.timeout if state.timeout is not None else default
            found |= {
                "name": state.name,
                "initial": region["initial_state"] == state.name,
                "outcome": (state.outcome or "success") if state.is_terminal else "",
                "timeout": "" if timeout is None else str(timeout),
                "activity": "" if state.activity is None else state.activity.name,
                "within": draft.id_at(path[:-2]),
                "works": state.work is not None and state.activity is None,
            }
        elif kind == "region":
            found["name"] = draft.at(path)["name"]
        elif kind == "transition":
            transition = _at(definition, path)
            assert isinstance(transition, Transition)
            around = enumerate(_at(definition, path[:-2]).states)
            states = {each.name: draft.id_at((*path[:-2], "states", at)) for at, each in around}
            found |= {
                "name": clean(str(transition)),
                "line": edge_ids(definition)[int(name)],
                "source": states[transition.from_],
                "target": "" if transition.to is None else states[transition.to],
                "ends": list(states.values()),
                "event": transition.event or "",
                "after": "" if transition.after is None else str(transition.after),
                "at": transition.at or "",
                "condition": transition.condition or "",
                "also": list(_sharing(definition, element, draft)),
            }
        return found

    # --- what is asked ---------------------------------------------------------------------------

    def _edit(self, operation: str, values: dict[str, str], number: int) -> str:
        change = OPERATIONS.get(operation)
        if change is None:
            raise WfsimError(f"{operation[:40]!r} is no edit. There are: {listed(OPERATIONS)}.")
        known = list(inspect.signature(change).parameters)[1:]
        needed = [name for name, each in inspect.signature(change).parameters.items() if each.default is each.empty][1:]
        if not set(needed) <= values.keys() <= set(known):
            raise WfsimError(f"{operation} takes {listed(known)}; {listed(needed)} must be given.")
        self._refuse_old(number, *values.values())
        given = {name: value.split("\n") if name in _LISTS else value for name, value in values.items()}
        self.selected = self.editing.do(operation, **given)
        return ""

    def _properties(self, element: str, text: str, number: int) -> str:
        self._refuse_old(number, element)
        self.selected = self.editing.set_properties(element, text)
        return ""

    def _refuse_old(self, number: int, *elements: str) -> None:
        """Transitions are counted, so that a number means another one after an edit."""
        if number != self.editing.number and any(each.startswith("transition:") for each in elements):
            raise WfsimError("the page showed an older drawing; look again.")

    def _select(self, element: str) -> str:
        Draft(self.editing.definition).path(element)
        self.selected = element
        return ""

    def _pin(self, element: str, x: int, y: int) -> str:
        self.editing.pin(element, x, y)
        self.selected = element
        return ""

    def _unpin(self) -> str:
        self.editing.unpin()
        return ""

    def _undo(self) -> str:
        self.editing.undo()
        return ""

    def _redo(self) -> str:
        self.editing.redo()
        self.selected = self.editing.selected
        return ""

    def _show_tab(self, tab: str) -> str:
        if tab not in ("", "yaml", "mermaid"):
            raise WfsimError(f"there is no tab {tab[:40]!r}.")
        self._tab = tab
        return ""

    def _text(self, text: str) -> str:
        self.editing.set_text(text)
        return ""

    def _look(self) -> str:
        """A page that only waits for verdicts goes on telling what was wrong."""
        return self.wire.problem

    def _save(self) -> str | File:
        if self.editing.file is None:
            workflow = self.editing.workflow
            return File(f"{workflow.name}.yaml", self.editing.text)
        self.editing.save()
        return ""


def _at(definition: Definition, path: tuple[str | int, ...]) -> Any:
    found: Any = definition
    for step in path:
        found = found[step] if isinstance(step, int) else getattr(found, step)
    return found


def _sharing(definition: Definition, element: str, draft: Draft) -> Iterator[Scene]:
    """The transitions that the same line shows."""
    edges = edge_ids(definition)
    own = edges[int(element.partition(":")[2])]
    for number, edge in edges.items():
        if edge == own:
            transition = _at(definition, draft.path(f"transition:{number}"))
            yield {"id": f"transition:{number}", "label": clean(str(transition))}


def _names(definition: Definition, elements: list[str]) -> Scene:
    """What can be referred to, for completion, and moved to."""
    events = [*definition.events, *(each.event for _, region in definition.regions() for each in region.transitions)]
    return {
        "states": [each for each in elements if each.startswith("state:")],
        "regions": ["workflow", *(each for each in elements if each.startswith("region:"))],
        "declared": list(definition.events),
        "events": list(dict.fromkeys([*(each for each in events if each), "done", "error", "timeout"])),
        "functions": list(definition.functions),
        **{section: list(getattr(definition, section)) for kind, section in SECTIONS.items() if kind != "event"},
    }
