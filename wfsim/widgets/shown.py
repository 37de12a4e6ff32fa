"""What every live widget has in common: it is displayed, brought up to date from Python, and saved as a page."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wfsim.drawing.data import looks_data
from wfsim.drawing.still import still
from wfsim.errors import WfsimError

from .bundle import made
from .wire import difference

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from IPython.display import HTML

    from .live import LiveWidget
    from .wire import Scene, Wire

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">
<style>body {{ margin: 12px; }}</style></head>
<body><main id="wfsim">{still}</main>
<script type="application/json" id="wfsim-recording">{recording}</script>
<script type="module">{bundle}</script>
</body></html>
"""


class Shown(ABC):
    """A live widget; its scene has a `title` and what it `can` do.

    Parameters
    ----------
    kind
        Which component of the front end draws it.
    wire
        What its pages talk to.
    """

    def __init__(self, kind: str, wire: Wire) -> None:
        self.kind, self.wire = kind, wire
        self._live: LiveWidget | None = None

    @abstractmethod
    def seen(self) -> tuple[str, str]:
        """What is to be seen now as SVG, empty if it cannot be drawn, and what it shows in words."""

    def frames(self) -> tuple[list[Scene], int]:
        """The scenes of a saved page, and which of them it shows first; more than one of a widget that plays."""
        return [self.wire.scene()], 0

    @property
    def widget(self) -> LiveWidget:
        """The widget, for use inside boxes of ipywidgets; `WfsimError` if wfsim was built without the front end."""
        if self._live is None:
            from .live import LiveWidget

            self._live = LiveWidget(self.kind, self.wire, self.seen)
        return self._live

    def refresh(self, problem: str = "") -> None:
        """Show what has been changed from Python, and why something could not be."""
        if self._live is not None:
            self._live.changed(problem)

    def to_html(self, path: str | os.PathLike[str] | None = None) -> str:
        """A page that shows all of this without Python, every step of it, and without anything from elsewhere.

        Parameters
        ----------
        path
            Where to write it, too.

        Raises
        ------
        WfsimError
            If wfsim was built without the front end.
        """
        frames, at = self.frames()
        scenes = [_without_python(scene) for scene in frames]
        recording = {
            "kind": self.kind,
            "looks": looks_data(),
            "at": at,
            "scene": scenes[0],
            "steps": [difference(one, other) for one, other in pairwise(scenes)],
        }
        svg, alt = self.seen()
        page = _PAGE.format(
            title=escape(scenes[0]["title"]),
            still=still(svg, alt),
            # Nothing in data or program may end the element that it stands in.
            recording=json.dumps(recording).replace("<", "\\u003c"),
            bundle=made("bundle.js").decode().replace("</", "<\\/"),
        )
        if path is not None:
            Path(path).write_text(page, encoding="utf-8")
        return page

    def _ipython_display_(self) -> None:
        try:
            widget = self.widget
        except WfsimError as missing:
            from IPython.display import display

            display({"text/plain": f"{self!r}\n{missing}", "text/html": _note(*self.seen(), str(missing))}, raw=True)
        else:
            widget.show(repr(self))

    def _display_(self) -> LiveWidget | HTML:
        """What marimo shows in place of this: the widget itself, as a still picture beside it would find no place."""
        try:
            return self.widget
        except WfsimError as missing:
            from IPython.display import HTML

            return HTML(_note(*self.seen(), str(missing)))

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        """The picture of now and one line of text, for what displays no widgets."""
        svg, alt = self.seen()
        return {"text/plain": repr(self), "text/html": still(svg, alt)}


def played(wire: Wire, jump: Callable[[int], object]) -> tuple[list[Scene], int]:
    """The frames of a widget whose scene has a `head` with `cursor` and `length`: one for each step."""
    head = wire.scene()["head"]
    scenes: list[Scene] = []
    for cursor in range(head["length"] + 1):
        jump(cursor)
        scenes.append(wire.scene())
    jump(head["cursor"])
    return scenes, head["cursor"]


def _without_python(scene: Scene) -> Scene:
    return scene | {"can": dict.fromkeys(scene["can"], False), "exports": [], "family": [], "branches": []}


def _note(svg: str, alt: str, missing: str) -> str:
    return f"{still(svg, alt)}<p>{escape(missing)}</p>"
