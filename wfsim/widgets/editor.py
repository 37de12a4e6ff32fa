"""The editor: a workflow drawn by hand, with its text beside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wfsim.errors import DrawingError

from .editing import Editing
from .editor_wire import EditorWire
from .shown import Shown

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from wfsim.model.catalogue import Catalogue
    from wfsim.model.workflow import Workflow


class Editor(Shown):
    """Draw a workflow in a notebook.

    Parameters
    ----------
    workflow
        What to begin with: a workflow, the name of a template of `wf.new`, or nothing. A workflow that was loaded from
        a file is saved there, with its comments; where states were put stands in `<file>.layout.json` beside it.
    catalogue
        Other workflows that it may meet, or their folder, `"models"` say: findings and verdicts then tell of children
        and messages, too.

    Attributes
    ----------
    editing
        What it edits, as a plain object: `editing.add_state("paid")`. After using it directly, `refresh`.
    wire
        What its pages talk to: `wire.answer({"type": "hello", "seq": 1})`.
    widget
        The widget, for use inside boxes of ipywidgets.

    Raises
    ------
    WfsimError
        If there is no such template, or the layout beside the file cannot be read.

    Notes
    -----
    State is held in Python; a page draws it and sends what is to be done, each of which can be undone. Findings of
    `wf.lint` and verdicts of `wf.verify`, with small limits, come from a thread beside and never hold an edit up.

    Examples
    --------
    >>> editor = Editor()
    >>> editor.editing.set_terminal(editor.editing.add_state("finished", after="state:start"))
    'state:finished'
    >>> editor
    <Editor of 'untitled': 2 states, 1 transition; made finished terminal (success)>
    >>> editor.workflow.transitions[0].event
    'next'
    """

    def __init__(
        self,
        workflow: Workflow | str | None = None,
        *,
        catalogue: Catalogue | str | os.PathLike[str] | Iterable[Workflow] | None = None,
    ) -> None:
        self.editing = Editing(workflow, catalogue=catalogue)
        super().__init__("editor", EditorWire(self.editing).wire)

    @property
    def workflow(self) -> Workflow:
        """The workflow as it is drawn now; `DefinitionError` with what is missing if it is not valid."""
        return self.editing.workflow

    def save(self, path: str | os.PathLike[str] | None = None) -> None:
        """Write the workflow as YAML, and where states were put beside it.

        Parameters
        ----------
        path
            By default the file that it came from, or was saved to last.

        Raises
        ------
        DefinitionError
            If it is not valid, cannot be written, or there is no such file.
        """
        self.editing.save(path)

    def seen(self) -> tuple[str, str]:
        """The drawing as SVG, and what it shows in words."""
        said = repr(self)[1:-1]
        try:
            return self.editing.picture.to_svg(), f"{said}. {self.editing.picture.describe()}"
        except DrawingError as error:
            return "", f"{said}. {error}"

    def __repr__(self) -> str:
        told = repr(self.editing.definition).replace("<Workflow", "<Editor of", 1)
        name, _, counts = told.rpartition(": ")
        name = name.rsplit(" ", 1)[0]
        said = f"; {self.editing.said}" if self.editing.said else ""
        return f"{name}: {counts.removesuffix('>')}{said}>"
