"""The token game: a net drawn with its tokens, a button for each net transition, a firing sequence to walk through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wfsim.drawing.svg import fitting
from wfsim.errors import DrawingError, NetError, WfsimError, listed

from .stepper_html import STYLE, problem_html, text_html, window_html

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wfsim.drawing import Picture, Role
    from wfsim.net.marking import Marking
    from wfsim.net.petri import PetriNet
    from wfsim.verification.verdict import NetWitness

MOST_BUTTONS = 30
"""Net transitions that get a button; of more that are enabled at once, the first."""


class TokenGame:
    """Fire the transitions of a Petri net by hand, or walk through the firing sequence of a verdict.

    Parameters
    ----------
    source
        A net: from its initial marking. A witness of a verdict on a net: its firing sequence, ready to be walked
        through.

    Attributes
    ----------
    net
        The net.
    firing_sequence
        What has fired; what lies beyond `cursor` is the future that `forward` brings back.
    cursor
        How many of these have been fired.
    problem
        Why the last request could not be met; empty if it could.
    widget
        The ipywidgets box.

    Raises
    ------
    WfsimError
        If it is neither, or the witness does not replay.

    Notes
    -----
    What can fire now is lit, as is what has just fired; where nothing can and the final marking is not reached, the
    tokens that are stuck are marked. Nets of more than 300 nodes are drawn as an overview.

    Examples
    --------
    >>> import wfsim as wf
    >>> net = wf.PetriNet("mail", ["draft", "sent"], ["send"], [("draft", "send"), ("send", "sent")], {"draft": 1})
    >>> game = TokenGame(net)
    >>> game.fire("send"), game.marking.to_dict(), game.enabled
    (True, {'sent': 1}, ())
    """

    def __init__(self, source: PetriNet | NetWitness) -> None:
        from wfsim.net.petri import MAX_DRAWN, PetriNet
        from wfsim.net.picture import overview, picture
        from wfsim.verification.verdict import NetWitness

        if isinstance(source, NetWitness):
            self.net: PetriNet = source.net
            self._passed = source.replay()
            self.firing_sequence = list(source.firing_sequence)
        elif isinstance(source, PetriNet):
            self.net = source
            self._passed = [source.initial_marking]
            self.firing_sequence = []
        else:
            raise WfsimError(
                f"a {type(source).__name__} has no tokens. Give a Petri net, or a witness of a verdict on one."
            )
        self.cursor = 0
        self.problem = ""
        net = self.net
        if len(net.places) + len(net.transitions) > MAX_DRAWN:
            short = overview(net)
            self.picture: Picture = short.picture
            self._circles, self._boxes = short.circles, short.boxes
        else:
            self.picture = picture(net)
            self._circles = {name: name for name in net.places}
            self._boxes = {name: name for name in net.transitions}
        self._build()
        self.refresh()

    # --- the game ------------------------------------------------------------------------------------

    @property
    def marking(self) -> Marking:
        """The marking now."""
        return self._passed[self.cursor]

    @property
    def enabled(self) -> tuple[str, ...]:
        """The net transitions that can fire now."""
        return self.net.enabled(self.marking)

    @property
    def is_stuck(self) -> bool:
        """Whether nothing can fire, and the final marking is not reached."""
        return not self.enabled and self.marking != self.net.final_marking

    def fire(self, transition: str) -> bool:
        """Fire a net transition; a future that was gone back from is dropped. False if it cannot: see `problem`."""
        try:
            after = self.net.fire(self.marking, transition)
        except NetError as error:
            self.problem = str(error)
            self.refresh()
            return False
        self._passed[self.cursor + 1 :] = [after]
        self.firing_sequence[self.cursor :] = [transition]
        return self.jump(self.cursor + 1)

    def back(self) -> bool:
        """One firing back; False at the beginning."""
        return self.jump(self.cursor - 1)

    def forward(self) -> bool:
        """One firing forward; False at the end."""
        return self.jump(self.cursor + 1)

    def jump(self, cursor: int) -> bool:
        """To where so many have fired; False if there are not so many."""
        if not 0 <= cursor <= len(self.firing_sequence):
            return False
        self.cursor, self.problem = cursor, ""
        self.refresh()
        return True

    def lit(self) -> dict[str, Role]:
        """Roles for `Picture.to_svg`: `active` can fire, `visited` has just fired, `problem` holds what is stuck."""
        roles: dict[str, Role] = {}
        if self.cursor:
            last = self.firing_sequence[self.cursor - 1]
            changed = [*self.net.preset(last), last, *self.net.postset(last)]
            roles.update(dict.fromkeys(self._drawn(changed), "visited"))
        roles.update(dict.fromkeys(self._drawn(self.enabled), "active"))
        if self.is_stuck:
            roles.update(dict.fromkeys(self._drawn(self.marking.to_dict()), "problem"))
        return roles

    def to_svg(self) -> str:
        """The picture with the tokens of now, lit. `DrawingError` if the net is too large to be drawn."""
        tokens = dict.fromkeys(self._circles.values(), 0)
        for place, n in self.marking.to_dict().items():
            if place in self._circles:
                tokens[self._circles[place]] += n
        return self.picture.to_svg(self.lit(), tokens=tokens)

    def to_dict(self) -> dict[str, Any]:
        """Everything shown, as plain values for JSON."""
        return {
            "net": self.net.name,
            "cursor": self.cursor,
            "firing_sequence": list(self.firing_sequence),
            "marking": self.marking.to_dict(),
            "enabled": list(self.enabled),
            "stuck": self.is_stuck,
            "problem": self.problem,
        }

    # --- the widget ----------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Draw anew."""
        self._drawing = True
        self._jump.max = len(self.firing_sequence)
        self._jump.value = self.cursor
        self._drawing = False
        self._jump.disabled = not self.firing_sequence
        self._back.disabled = self.cursor == 0
        self._forward.disabled = self.cursor == len(self.firing_sequence)
        self._head.value = self._head_html()
        self._problem.value = problem_html(self.problem)
        self._problem.layout.display = None if self.problem else "none"
        self._picture.value = self._picture_html()
        self._fired.value = self._fired_html()
        self._why_not.value = self._why_not_html()
        shown = self.enabled[:MOST_BUTTONS]
        self._row.children = tuple(self._button_of(name) for name in shown)
        more = f" ({len(shown)} of {len(self.enabled)})" if len(shown) < len(self.enabled) else ""
        self._title.value = f"<h4>Can fire{more}</h4>" if shown else "<h4>Nothing can fire</h4>"

    def button(self, transition: str) -> Any:
        """The button of a net transition that can fire now; `KeyError` if it cannot, or is beyond `MOST_BUTTONS`."""
        if transition not in self.enabled[:MOST_BUTTONS]:
            raise KeyError(transition)
        return self._button_of(transition)

    def _button_of(self, transition: str) -> Any:
        import ipywidgets as widgets

        if transition not in self._buttons:
            button = widgets.Button(description=self.net.label(transition), tooltip=f"Fire {transition}")
            button.on_click(lambda _: self.fire(transition))
            self._buttons[transition] = button
        return self._buttons[transition]

    def _build(self) -> None:
        import ipywidgets as widgets

        self._head, self._picture, self._problem = widgets.HTML(), widgets.HTML(), widgets.HTML()
        self._title, self._fired, self._why_not = widgets.HTML(), widgets.HTML(), widgets.HTML()
        self._back = widgets.Button(description="Back", icon="step-backward", tooltip="One firing back")
        self._forward = widgets.Button(description="Forward", icon="step-forward", tooltip="One firing forward")
        self._jump = widgets.IntSlider(
            description="Firing", min=0, max=0, layout={"flex": "1 1 160px", "width": "auto", "min_width": "120px"}
        )
        self._back.on_click(lambda _: self.back())
        self._forward.on_click(lambda _: self.forward())
        self._jump.observe(lambda change: self._drawing or self.jump(change["new"]), names="value")
        self._drawing = False
        self._buttons: dict[str, Any] = {}
        self._row = widgets.HBox(layout={"flex_flow": "row wrap", "overflow": "visible"})
        bar = widgets.HBox(
            [self._back, self._forward, self._jump], layout={"align_items": "center", "flex_flow": "row wrap"}
        )
        column = {"flex": "1 1 340px", "min_width": "0", "overflow": "visible"}
        left = widgets.VBox([self._title, self._row, self._why_not], layout=column)
        right = widgets.VBox([self._fired], layout=column)
        below = widgets.HBox([left, right], layout={"flex_flow": "row wrap", "grid_gap": "0 28px"})
        self.widget = widgets.VBox(
            [widgets.HTML(STYLE), self._head, bar, self._picture, self._problem, below],
            layout={"width": "100%", "overflow": "visible"},
        )
        self.widget.add_class("wfsim-stepper")

    def _drawn(self, names: Any) -> list[str]:
        drawn: Mapping[str, str] = {**self._circles, **self._boxes}
        return [drawn[name] for name in names if name in drawn]

    def _head_html(self) -> str:
        state = "<span class='wf-badge'>stuck</span>" if self.is_stuck else ""
        if self.marking == self.net.final_marking:
            state = "<span class='wf-badge'>final marking</span>"
        parts = [
            f"<b>{text_html(self.net.name)}</b>",
            state,
            f"<span>{text_html(str(self.marking))}</span>",
            f"<span class='wf-faint'>firing {self.cursor} of {len(self.firing_sequence)}</span>",
        ]
        return f"<div class='wf-head' role='status' aria-live='polite'>{''.join(parts)}</div>"

    def _picture_html(self) -> str:
        try:
            svg = self.to_svg()
        except DrawingError as error:
            return f"<div class='wf-problem'>{text_html(str(error))}</div>"
        return window_html(svg, self.picture, self.lit())

    def _fired_html(self) -> str:
        items = []
        for number, name in reversed(list(enumerate(self.firing_sequence, 1))):
            look = "wf-now" if number == self.cursor else "wf-future" if number > self.cursor else ""
            here = " aria-current='step'" if number == self.cursor else ""
            after = text_html(str(self._passed[number]))
            label = text_html(self.net.label(name))
            items.append(f"<li class='{look}'{here}>{number}. {label} <span class='wf-faint'>{after}</span></li>")
        body = f"<ol class='wf-log'>{''.join(items)}</ol>" if items else "<span class='wf-faint'>nothing yet</span>"
        return f"<h4>Fired</h4><div class='wf-scroll'>{body}</div>"

    def _why_not_html(self) -> str:
        enabled = set(self.enabled)
        rows = [
            f"<tr><th scope='row'>{text_html(self.net.label(name))}</th>"
            f"<td>{text_html(listed(self.net.why_not(self.marking, name)))}</td></tr>"
            for name in self.net.transitions
            if name not in enabled
        ]
        if not rows:
            return ""
        return (
            f"<details><summary>Why not the others? ({len(rows)})</summary>"
            f"<div class='wf-scroll'><table class='wf-table'>{''.join(rows)}</table></div></details>"
        )

    def __repr__(self) -> str:
        stuck = ", stuck" if self.is_stuck else ""
        where = f"firing {self.cursor} of {len(self.firing_sequence)}"
        return f"<TokenGame of {self.net.name!r}: {self.marking}{stuck}, {where}>"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        """The widget, and for places without widgets the picture and one line of text."""
        bundle: dict[str, Any] = dict(self.widget._repr_mimebundle_())
        bundle["text/plain"] = repr(self)
        try:
            bundle["image/svg+xml"] = fitting(self.to_svg())
        except DrawingError as error:
            bundle["text/plain"] += f"\n{error}"
        return bundle
