"""The versions that a workflow goes through while it is edited."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from wfsim.model.yaml_io import Source, draft, respelt, source_of
from wfsim.model.yaml_writer import write

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wfsim.model.workflow import Workflow


@dataclass(eq=False)
class Version:
    """What is drawn at one time; the text of it is made when it is asked for, out of that of the one before.

    Attributes
    ----------
    number
        Its own among all versions of one editor.
    said
        What was done to come by it, in words.
    workflow
        A draft.
    pins
        Where a person has put states.
    selected
        What to select when it is shown.
    before
        The version that its text follows.
    """

    number: int
    said: str
    workflow: Workflow
    pins: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    selected: str = ""
    before: Version | None = None
    _source: Source | None = None

    @property
    def source(self) -> Source:
        """Its text, with the comments of the file that it began as, and the lines of all parts."""
        waiting = [self]
        while waiting[-1]._source is None and waiting[-1].before is not None:
            waiting.append(waiting[-1].before)
        for version in reversed(waiting):
            if version._source is None:
                version._source = version._made()
        assert self._source is not None
        return self._source

    def _made(self) -> Source:
        if self.before is None:
            read = source_of(self.workflow)
            return read if read is not None else _parsed(write(self.workflow), "<drawing>")
        source = self.before.source
        if self.workflow == source.workflow:
            return source
        return _parsed(respelt(source, self.workflow), source.file)

    def sourced(self) -> Workflow:
        """The workflow with its text and places, so that findings have lines and every drawing of it is this one."""
        found = self.workflow.model_copy()
        found._source = replace(self.source, pins=dict(self.pins))
        return found


def _parsed(text: str, file: str) -> Source:
    source = source_of(draft(text, file))
    assert source is not None
    return source
