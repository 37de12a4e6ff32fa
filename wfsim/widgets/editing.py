"""A workflow that is drawn by a person: named operations, all of which can be undone; no browser is needed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from wfsim.arguments import as_path, expect
from wfsim.errors import DefinitionError, WfsimError, listed
from wfsim.model.catalogue import as_catalogue
from wfsim.model.check import check
from wfsim.model.mermaid import to_mermaid
from wfsim.model.naming import element_at, element_paths
from wfsim.model.picture import picture
from wfsim.model.placing import Pins, kept, place, write_pins
from wfsim.model.problems import definition_error
from wfsim.model.supplying import like
from wfsim.model.template import new
from wfsim.model.workflow import Workflow
from wfsim.model.yaml_io import loads, save, source_of

from .draft import Draft
from .edits import OPERATIONS, Done
from .judging import Found, Judge, Judged, judge
from .properties import properties_text, set_properties
from .versions import Version

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Sequence

    from wfsim.drawing import Picture
    from wfsim.model.catalogue import Catalogue

EMPTY = {"name": "untitled", "initial_state": "start", "states": [{"name": "start"}]}


class Editing:
    """A definition under edit.

    Parameters
    ----------
    source
        A workflow; the name of a template of `wf.new`; or nothing, for a single state to begin with.
    catalogue
        Other workflows that it may meet, or their folder, for findings and verdicts; as `wf.lint` takes it.

    Attributes
    ----------
    problem
        Why the last text could not be read; empty if it could.

    Notes
    -----
    An operation takes milliseconds for tens of states; texts, findings and verdicts are made on a thread beside.
    """

    def __init__(
        self,
        source: Workflow | str | None = None,
        *,
        catalogue: Catalogue | str | os.PathLike[str] | Iterable[Workflow] | None = None,
    ) -> None:
        expect(source, (Workflow, str, type(None)), "an editor takes a workflow, a template or nothing", "See wf.new.")
        workflow = new(source) if isinstance(source, str) else source
        if workflow is None:
            workflow = Workflow.model_validate(EMPTY)
        read = source_of(workflow)
        self.file = None if read is None else read.path
        pins = kept(workflow.placed(), element_paths(workflow))
        self._count = 0
        self._versions = [Version(0, "", workflow, pins)]
        self._picture: tuple[Version, Picture] | None = None
        self._missing: tuple[Workflow, list[tuple[str, str]]] | None = None
        self._refused_text: str | None = None
        known = None if catalogue is None else as_catalogue(catalogue)
        self._judge = Judge(partial(judge, catalogue=known))
        self._go(0)

    # --- what there is ---------------------------------------------------------------------------

    @property
    def _now(self) -> Version:
        return self._versions[self._at]

    @property
    def number(self) -> int:
        """The number of what is drawn; it changes with every edit, and an undone one is back."""
        return self._now.number

    @property
    def selected(self) -> str:
        """What the last edit has left to be selected."""
        return self._now.selected

    @property
    def definition(self) -> Workflow:
        """What is drawn, valid or not."""
        return self._now.workflow

    @property
    def workflow(self) -> Workflow:
        """The workflow, with the comments of the file it began as.

        Raises
        ------
        DefinitionError
            If it is not valid, with all that is missing.
        """
        workflow = self._now.sourced()
        problems = check(workflow)
        if problems:
            source = self._now.source
            raise definition_error(problems, source.file, source.line_of)
        return workflow

    @property
    def missing(self) -> list[tuple[str, str]]:
        """What keeps it from being valid: elements and what is wrong with each."""
        if self._missing is None or self._missing[0] is not self.definition:
            paths = element_paths(self.definition)
            found = [(element_at(paths, each.path), each.message) for each in check(self.definition)]
            self._missing = self.definition, found
        return self._missing[1]

    @property
    def elements(self) -> list[str]:
        """The identifiers of all states, regions, transitions, types, variables, events, activities; see
        `wfsim.model.naming`."""
        return list(element_paths(self.definition))

    @property
    def pins(self) -> Pins:
        """Where a person has put states: the upper left corner in the drawing, by identifier."""
        return dict(self._now.pins)

    @property
    def picture(self) -> Picture:
        """The drawing."""
        if self._picture is None or self._picture[0] is not self._now:
            alike = self._picture is not None and self._picture[0].workflow is self.definition
            drawn = self._picture[1] if self._picture is not None and alike else picture(self.definition)
            self._picture = self._now, drawn.pinned(self.pins)
        return self._picture[1]

    @property
    def findings(self) -> tuple[Found, ...]:
        """What the linter found, of this version or of one before; see `stale`."""
        return self._judge.last[1].findings

    @property
    def judged(self) -> Judged:
        """Findings and answers of the built-in questions, of this version or of one before; see `stale`."""
        return self._judge.last[1]

    @property
    def stale(self) -> bool:
        """Whether findings and answers are of an earlier version."""
        return self._judge.last[0] != self.number

    @property
    def judging(self) -> bool:
        """Whether newer findings and answers are on their way."""
        return self._judge.busy

    def wait(self) -> Judged:
        """Findings and answers of what is drawn now."""
        self._judge.wait()
        return self.judged

    def end(self) -> None:
        """Judge nothing any more: nobody looks at it."""
        self._judge.end()

    # --- what is done ----------------------------------------------------------------------------

    def do(self, operation: str, **values: Any) -> str:
        """Do one of `wfsim.widgets.edits.OPERATIONS` by name; gives the element it is about.

        Raises
        ------
        WfsimError
            Saying why it cannot be; nothing is changed then.
        """
        change = OPERATIONS.get(operation)
        if change is None:
            raise WfsimError(f"{operation[:40]!r} is no edit. There are: {listed(OPERATIONS)}.")
        return self._edit(lambda draft: change(draft, **values))

    def add_state(self, name: str = "", *, after: str = "", inside: str = "") -> str:
        """Add a state after another one, inside a region, or at the end; gives its identifier."""
        return self.do("add_state", name=name, after=after, inside=inside)

    def add_region(self, state: str, name: str = "") -> str:
        """Add a region to a state, with one state in it."""
        return self.do("add_region", state=state, name=name)

    def connect(self, source: str, target: str, event: str = "") -> str:
        """Add a transition; without an event one is chosen that nothing waits for there."""
        return self.do("connect", source=source, target=target, event=event)

    def reconnect(self, transition: str, source: str, target: str = "") -> str:
        """Let a transition lead from another state, or to another one; without a target it leaves nothing (M3.6)."""
        return self.do("reconnect", transition=transition, source=source, target=target)

    def rename(self, element: str, name: str) -> str:
        """Give an element another name wherever it is meant; a transition another event."""
        return self.do("rename", element=element, name=name)

    def declare(self, kind: str, name: str) -> str:
        """Declare a type, a variable, an event or an activity."""
        return self.do("declare", kind=kind, name=name)

    def set_trigger(
        self, transition: str, *, event: str = "", after: str = "", at: str = "", condition: str = ""
    ) -> str:
        """Say what sets a transition off."""
        return self.do("set_trigger", transition=transition, event=event, after=after, at=at, condition=condition)

    def make_initial(self, state: str) -> str:
        """Let its region begin in a state."""
        return self.do("make_initial", state=state)

    def set_terminal(self, state: str, outcome: str = "success") -> str:
        """Let instances end in a state, with `success` or `failure`; or go on, with an empty outcome."""
        return self.do("set_terminal", state=state, outcome=outcome)

    def set_timeout(self, state: str, timeout: str = "") -> str:
        """Limit how long a state may last; an empty text takes the limit away."""
        return self.do("set_timeout", state=state, timeout=timeout)

    def set_work(self, state: str, activity: str = "") -> str:
        """Let a state run an activity; an empty name takes it away."""
        return self.do("set_work", state=state, activity=activity)

    def delete(self, element: str) -> str:
        """Take an element away, a state with its transitions; gives what to select instead."""
        return self.do("delete", element=element)

    def move(self, state: str, into: str) -> str:
        """Put a state into a region, or with `workflow` to the top."""
        return self.do("move", state=state, into=into)

    def nest(self, states: Sequence[str], name: str = "") -> str:
        """Put states into a state of their own; those that are not connected run side by side."""
        return self.do("nest", states=list(states), name=name)

    def properties(self, element: str) -> str:
        """All that an element says, as YAML."""
        path = Draft(self.definition).path(element)
        return properties_text(self.definition, element, path)

    def set_properties(self, element: str, text: str) -> str:
        """Let an element say what a YAML text says; `DefinitionError` with the line if it cannot."""
        return self._edit(lambda draft: set_properties(draft, element, text))

    def pin(self, element: str, x: float, y: float) -> None:
        """Put a state, or a frame with all that is in it, where a person wants it: its upper left corner."""
        Draft(self.definition).path(element, "state", "region")
        name = element.partition(":")[2]
        pins = self.pins | {element: place(x, y)}
        # What has been put somewhere inside goes along.
        for group, at in zip(self.picture.groups, self.picture.layout().groups, strict=True):
            if group.id == element:
                inside = [each for each in self.pins if each.partition(":")[2].startswith(f"{name}/")]
                pins |= {each: place(pins[each][0] + x - at.box.x, pins[each][1] + y - at.box.y) for each in inside}
        self._push(f"placed {name}", self.definition, pins, element)

    def unpin(self) -> None:
        """Let all states be placed by the layout."""
        self._push("placed all states anew", self.definition, {}, self.selected)

    def _edit(self, change: Callable[[Draft], Done]) -> str:
        draft = Draft(self.definition)
        done = change(draft)
        workflow = draft.result()
        paths = element_paths(workflow)
        selected = element_at(paths, done.path)
        pins = self.pins
        if done.renamed is not None:
            old, new = done.renamed
            pins = {_moved(name, old, new): at for name, at in pins.items()}
        self._push(done.said, workflow, kept(pins, paths), selected)
        return selected

    def _push(self, said: str, workflow: Workflow, pins: Pins, selected: str) -> None:
        self._count += 1
        version = Version(self._count, said, workflow, pins, selected, self._now)
        self._versions[self._at + 1 :] = [version]
        self._go(self._at + 1)

    def _go(self, to: int) -> None:
        self._at = to
        self.problem, self._refused_text = "", None
        self._judge.show(self.number, self._now)

    # --- undo and redo ---------------------------------------------------------------------------

    @property
    def said(self) -> str:
        """What was done last."""
        return self._now.said

    @property
    def undoable(self) -> str:
        """What `undo` would take back; empty if there is nothing."""
        return self._now.said

    @property
    def redoable(self) -> str:
        """What `redo` would do again; empty if there is nothing."""
        return self._versions[self._at + 1].said if self._at + 1 < len(self._versions) else ""

    def undo(self) -> str:
        """Take the last edit back; gives what it was.

        Raises
        ------
        WfsimError
            If there is none.
        """
        if not self._at:
            raise WfsimError("there is nothing to undo.")
        said = self._now.said
        self._go(self._at - 1)
        return said

    def redo(self) -> str:
        """Do again what was undone; gives what it is, `WfsimError` if there is nothing."""
        if not self.redoable:
            raise WfsimError("there is nothing to redo.")
        self._go(self._at + 1)
        return self.said

    # --- texts -----------------------------------------------------------------------------------

    @property
    def text(self) -> str:
        """The YAML text of what is drawn; or the last one that could not be read, see `problem`."""
        return self._now.source.text if self._refused_text is None else self._refused_text

    def set_text(self, text: str) -> bool:
        """Draw what a text says; False, and `problem` says line and what, if it is not valid: the drawing stays."""
        if text == self._now.source.text:
            self.problem, self._refused_text = "", None
            return True
        try:
            workflow = like(loads(text, self._now.source.file), self.definition)
            Draft(workflow).result()
        except DefinitionError as error:
            self.problem, self._refused_text = str(error), text
            return False
        self._push("changed the text", workflow, kept(self.pins, element_paths(workflow)), "workflow")
        # Its text is its own, and follows no other.
        self._now.before = None
        return True

    def to_mermaid(self) -> str:
        """What is drawn, as a state diagram of Mermaid."""
        return to_mermaid(self.definition)

    def save(self, path: str | os.PathLike[str] | None = None) -> None:
        """Write the workflow, by default to the file that it came from, and where states were put beside it.

        Raises
        ------
        DefinitionError
            If it is not valid, or cannot be written.
        """
        target = self.file if path is None else as_path(path, "save")
        if target is None:
            raise DefinitionError("this workflow came from no file. Say where to write it: save('order.yaml').")
        save(self.workflow, target)
        write_pins(target, self._now.pins)
        self.file = target


def _moved(name: str, old: str, new: str) -> str:
    """The identifier of what is, or is inside, an element that was renamed; regions and states share their paths."""
    (_, before), (_, after) = old.split(":", 1), new.split(":", 1)
    kind, path = name.split(":", 1)
    if path == before or path.startswith(f"{before}/"):
        return f"{kind}:{after}{path[len(before) :]}"
    return name
