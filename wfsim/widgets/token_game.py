"""The token game: a Petri net with its tokens, fired by clicks on its drawing, or a firing sequence to walk through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wfsim.errors import DrawingError, NetError, WfsimError, listed

from .shown import Shown, played
from .wire import Request, Scene, Wire

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from wfsim.drawing import Picture, Role
    from wfsim.net.marking import Marking
    from wfsim.net.petri import PetriNet
    from wfsim.verification.verdict import NetWitness

MOST_LISTED = 100
"""Net transitions that are listed beside the drawing; the drawing has all."""


class TokenGame(Shown):
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
    wire
        What its pages talk to.

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

        self.why = ""
        if isinstance(source, NetWitness):
            self.net: PetriNet = source.net
            self._passed = source.replay()
            self.firing_sequence = list(source.firing_sequence)
            self.why = source.reason
        elif isinstance(source, PetriNet):
            self.net = source
            self._passed = [source.initial_marking]
            self.firing_sequence = []
        else:
            raise WfsimError(
                f"a {type(source).__name__} has no tokens. Give a Petri net, or a witness of a verdict on one."
            )
        self.cursor = 0
        self.problem = self._stopped = ""
        net = self.net
        if len(net.places) + len(net.transitions) > MAX_DRAWN:
            short = overview(net)
            self.picture: Picture = short.picture
            self._circles, self._boxes = short.circles, short.boxes
        else:
            self.picture = picture(net)
            self._circles = {name: name for name in net.places}
            self._boxes = {name: name for name in net.transitions}
        self._data: Scene | None = None
        requests = {
            "do": Request(self._do, {"action": str}, on_latest=True),
            "jump": Request(self._go, {"to": int}),
            "next": Request(self._next, {}),
        }
        super().__init__("stepper", Wire(self.scene, requests))

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
        fired = self._fire(transition)
        self.refresh(self.problem)
        return fired

    def back(self) -> bool:
        """One firing back; False at the beginning."""
        return self.jump(self.cursor - 1)

    def forward(self) -> bool:
        """One firing forward; False at the end."""
        return self.jump(self.cursor + 1)

    def jump(self, to: int) -> bool:
        """To where so many have fired; False if there are not so many."""
        if not 0 <= to <= len(self.firing_sequence):
            return False
        self.cursor, self.problem, self._stopped = to, "", ""
        self.refresh()
        return True

    def lit(self) -> dict[str, Role]:
        """Roles for `Picture.to_svg`: `active` can fire, `visited` has just fired, `problem` holds what is stuck."""
        roles: dict[str, Role] = {}
        if self.cursor:
            last = self.firing_sequence[self.cursor - 1]
            changed = [*self.net.preset(last), last, *self.net.postset(last)]
            roles.update(dict.fromkeys(self._drawn(changed), "visited"))
        for name in self.enabled:
            roles.update(dict.fromkeys(self._where(name), "active"))
        if self.is_stuck:
            roles.update(dict.fromkeys(self._drawn(self.marking.to_dict()), "problem"))
        return roles

    def tokens(self) -> dict[str, int]:
        """Tokens by circle of the picture."""
        found = dict.fromkeys(self._circles.values(), 0)
        for place, n in self.marking.to_dict().items():
            if place in self._circles:
                found[self._circles[place]] += n
        return found

    def to_svg(self) -> str:
        """The picture with the tokens of now, lit. `DrawingError` if the net is too large to be drawn."""
        return self.picture.to_svg(self.lit(), tokens=self.tokens())

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

    def seen(self) -> tuple[str, str]:
        """The drawing with the tokens of now, as SVG, and what it shows in words."""
        said = f"{repr(self)[1:-1]}. {self.picture.describe(self.lit())}"
        try:
            return self.to_svg(), said
        except DrawingError as error:
            return "", f"{repr(self)[1:-1]}. {error}"

    def frames(self) -> tuple[list[Scene], int]:
        """The scenes of all steps, and which is that of now."""
        return played(self.wire, self.jump)

    def scene(self) -> Scene:
        """Everything to be seen, in the form of `stepper_wire`."""
        too_large = ""
        if self._data is None:
            try:
                self._data = self.picture.to_dict()
            except DrawingError as error:
                too_large = str(error)
        enabled = self.enabled
        refused = [name for name in self.net.transitions if name not in enabled]
        listed_ = [*enabled[:MOST_LISTED], *refused[:MOST_LISTED]]
        before = self._passed[self.cursor - 1] if self.cursor else self.marking
        return {
            "title": self.net.name,
            "picture": self._data,
            "too_large": too_large,
            "why": self.why,
            "lit": self.lit(),
            "tokens": self.tokens(),
            "marks": {},
            "head": self._head(),
            "actions": {name: self._told(name, possible=name in enabled) for name in listed_},
            "order": listed_,
            "values": "Tokens",
            "variables": _counts(before, self.marking),
            "steps": {
                str(number): {"title": self.net.label(name), "time": "", "after": str(self._passed[number])}
                for number, name in enumerate(self.firing_sequence, 1)
            },
            "records": [],
            "sections": [],
            "family": [],
            "branches": [],
            "breakpoints": [],
            "exports": [],
            "can": {"act": True, "delay": False, "breakpoints": False, "net": False},
            "net": None,
            "twins": {},
        }

    def _head(self) -> Scene:
        final = self.marking == self.net.final_marking
        last = self.net.label(self.firing_sequence[self.cursor - 1]) if self.cursor else ""
        return {
            "status": "stuck" if self.is_stuck else "final marking" if final else f"{len(self.enabled)} can fire",
            "where": str(self.marking).removeprefix("Marking(").removesuffix(")"),
            "time": "",
            "cursor": self.cursor,
            "length": len(self.firing_sequence),
            "said": f"{last} has fired." if last else "Nothing has fired yet.",
            "stopped": self._stopped,
        }

    def _told(self, name: str, *, possible: bool) -> Scene:
        return {
            "id": name,
            "label": self.net.label(name),
            "kind": "transition",
            "enabled": possible,
            "reason": "" if possible else listed(self.net.why_not(self.marking, name)),
            "at": self._where(name) if possible else [],
            "due": "",
            "rank": "next",
            "fields": [],
        }

    def _fire(self, transition: str) -> bool:
        try:
            after = self.net.fire(self.marking, transition)
        except NetError as error:
            self.problem = str(error)
            return False
        self._passed[self.cursor + 1 :] = [after]
        self.firing_sequence[self.cursor :] = [transition]
        self.cursor, self.problem, self._stopped = self.cursor + 1, "", ""
        return True

    def _do(self, action: str) -> str:
        self._fire(action)
        return self.problem

    def _go(self, to: int) -> str:
        if not 0 <= to <= len(self.firing_sequence):
            return f"there is no firing {to}: firings go from 0 to {len(self.firing_sequence)}."
        self.cursor, self.problem, self._stopped = to, "", ""
        return ""

    def _next(self) -> str:
        if self.cursor < len(self.firing_sequence):
            self.cursor += 1
        elif self.enabled:
            fresh = [name for name in self.enabled if name not in self.firing_sequence]
            self._fire((fresh or self.enabled)[0])
        at_end = self.cursor == len(self.firing_sequence)
        self._stopped = "the end: nothing can fire." if at_end and not self.enabled else ""
        if at_end and self.why:
            self._stopped = "the end of the firing sequence."
        return ""

    def _where(self, transition: str) -> list[str]:
        """Its box; of one that an overview leaves out, the circles that it takes tokens from."""
        return self._drawn([transition]) or self._drawn(self.net.preset(transition))

    def _drawn(self, names: Iterable[str]) -> list[str]:
        drawn: Mapping[str, str] = {**self._circles, **self._boxes}
        return list(dict.fromkeys(drawn[name] for name in names if name in drawn))

    def __repr__(self) -> str:
        stuck = ", stuck" if self.is_stuck else ""
        where = f"firing {self.cursor} of {len(self.firing_sequence)}"
        return f"<TokenGame of {self.net.name!r}: {self.marking}{stuck}, {where}>"


def _counts(before: Marking, now: Marking) -> Scene:
    """Tokens by place, of places that have or had some."""
    had, has = before.to_dict(), now.to_dict()
    names = dict.fromkeys([*has, *had])
    return {
        name: {
            "value": str(has.get(name, 0)),
            "before": str(had.get(name, 0)),
            "changed": has.get(name) != had.get(name),
        }
        for name in names
    }
