"""A widget in a notebook: anywidget below, a wire above, and a still picture for where it cannot live.

Only a loader and two words are stored with a widget, so that notebooks stay small; the bundle is asked for once per
page, and everything to be seen goes over the comm.
"""

from __future__ import annotations

import asyncio
from html import escape
from typing import TYPE_CHECKING

import anywidget
import traitlets
from IPython.display import DisplayHandle, display

from wfsim.drawing.data import looks_data
from wfsim.drawing.still import still

from .bundle import made

if TYPE_CHECKING:
    from collections.abc import Callable

    from .wire import Wire

SETTLED = 0.5
"""Seconds after the last change until the still picture shows it, too."""


_NOT_LIVE = "Run this cell in a notebook to have it live here."


class LiveWidget(anywidget.AnyWidget):
    """The widget as Jupyter sees it.

    Parameters
    ----------
    kind
        Which component of the front end draws it.
    wire
        What answers its pages.
    picture
        Gives an SVG of the last state and what it shows, in words.
    """

    kind = traitlets.Unicode().tag(sync=True)
    _esm = traitlets.Unicode().tag(sync=True)

    def __init__(self, kind: str, wire: Wire, picture: Callable[[], tuple[str, str]]) -> None:
        super().__init__(kind=kind, _esm=made("loader.js").decode())
        self._wire, self._picture = wire, picture
        self._plain = ""
        self._handle: DisplayHandle | None = None
        self._later: asyncio.TimerHandle | None = None
        self.on_msg(self._hear)

    def changed(self, problem: str | None = None) -> None:
        """Bring the pages up to date with what was done in Python."""
        self.send(self._wire.changed(problem))
        self._still_later()

    def show(self, plain: str) -> None:
        """Display the widget below a still picture of it; a page that lets the widget live hides the picture."""
        self._plain = plain
        self._handle = display({"text/html": self._still(), "text/plain": plain}, raw=True, display_id=True)
        bundle = self._repr_mimebundle_()
        data = dict(bundle[0] if isinstance(bundle, tuple) else bundle or {})
        display({**data, "text/plain": _NOT_LIVE}, raw=True)

    def _hear(self, _: object, message: object, buffers: object) -> None:
        # From the browser, so anything may be in it. What has no number asks for no answer.
        if not isinstance(message, dict):
            return
        if message.get("type") == "bundle?":
            self.send({"type": "bundle", "looks": looks_data()}, buffers=[made("bundle.js")])
        elif "seq" in message:
            self.send(self._wire.answer(message))
            self._still_later()

    def _still_later(self) -> None:
        if self._handle is None:
            return
        if self._later is not None:
            self._later.cancel()
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            # Not in a notebook, where nothing would be done later.
            self._update()
        else:
            self._later = loop.call_later(SETTLED, self._update)

    def _update(self) -> None:
        assert self._handle is not None
        self._handle.update({"text/html": self._still(), "text/plain": self._plain}, raw=True)

    def _still(self) -> str:
        name = f"wfsim-still-{self.model_id}"
        svg, alt = self._picture()
        # The picture gives way to the widget below it; where that cannot live, it hides the notebook's complaint.
        here = f".jp-OutputArea-child:has(img.{name})"
        rules = f"{here}:has(+ * .wfsim-live),{here} + .jp-OutputArea-child:not(:has(.wfsim-live)){{display:none}}"
        return f"<style>{rules}</style>{still(svg, alt, escape(name))}"
