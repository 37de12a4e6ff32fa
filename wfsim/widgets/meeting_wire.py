"""Several instances that talk, as their pages see them: one is drawn, and the timeline is that of all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wfsim.drawing.text import clean
from wfsim.errors import WfsimError
from wfsim.model.duration import Duration, time_text

from .stepper_wire import StepperWire, branches, where
from .values import value_text
from .wire import File, Request, Scene, Wire

if TYPE_CHECKING:
    from .meeting import Meeting, Move
    from .stepping import Stepping


class MeetingWire:
    """A `Meeting` as scenes and requests.

    Attributes
    ----------
    shown
        The id of the instance that is drawn.
    """

    def __init__(self, meeting: Meeting) -> None:
        self.meeting = meeting
        self.shown = next(iter(meeting.members))
        self._views: dict[str, StepperWire] = {}
        self.wire = Wire(
            self.scene,
            {
                "do": Request(self._do, {"action": str, "values": dict, "delay": str}, on_latest=True),
                "jump": Request(self._jump, {"to": int}),
                "next": Request(self._next, {}),
                "family": Request(self._show, {"to": str}),
                "net": Request(self._show_net, {"shown": bool}),
                "branch": Request(self._branch, {"to": int}),
                "breakpoint": Request(self._breakpoint, {"at": str}),
                "export": Request(self._export, {"what": str}),
            },
        )

    @property
    def stepping(self) -> Stepping:
        """What is drawn."""
        return self.meeting.members[self.shown]

    def scene(self) -> Scene:
        """Everything to be seen, in the form of `StepperWire.scene`."""
        meeting = self.meeting
        present = meeting.present
        if self.shown not in present:
            self.shown = present[0]
        view = self._view()
        scene = view.scene()
        last = meeting.moves[meeting.cursor - 1] if meeting.cursor else None
        head = scene["head"] | {
            "cursor": meeting.cursor,
            "length": len(meeting.moves),
            "said": f"{last.member}: {last.title}" if last else "Nothing has happened yet.",
            "stopped": meeting.stopped,
        }
        steps = {
            str(number): {
                "title": f"{move.member}: {move.title}",
                "time": time_text(move.time),
                "after": ", ".join(move.states),
            }
            for number, move in enumerate(meeting.moves, 1)
        }
        # Letters are carried by the post here, and none is sent back by hand.
        actions = {name: each for name, each in scene["actions"].items() if each["kind"] != "message"}
        others = [name for name in present if name != self.shown]
        return scene | {
            "title": clean(f"{self.shown} ({scene['title']})"),
            "head": head,
            "actions": actions,
            "order": [name for name in scene["order"] if name in actions],
            "steps": steps,
            "family": [{"id": name, "label": f"{name}: {_where(meeting.members[name])}"} for name in others],
            "branches": branches(meeting.ways, _led_to),
        }

    def _view(self) -> StepperWire:
        return self._views.setdefault(self.shown, StepperWire(self.stepping))

    def _do(self, action: str, values: dict[str, str], delay: str) -> str:
        pace = Duration.of(delay.strip()) if delay.strip() else None
        self.meeting.do(self.shown, action, values, pace)
        return self.meeting.problem

    def _jump(self, to: int) -> str:
        self.meeting.jump(to)
        return self.meeting.problem

    def _branch(self, to: int) -> str:
        self.meeting.take_way(to)
        return self.meeting.problem

    def _next(self) -> str:
        self.meeting.play()
        return self.meeting.problem

    def _show(self, to: str) -> str:
        if to not in self.meeting.present:
            raise WfsimError(f"there is no {to[:40]!r} here.")
        self.shown = to
        return ""

    def _show_net(self, shown: bool) -> str:
        return self._view().show_net(shown)

    def _breakpoint(self, at: str) -> str:
        return self._view().toggle_breakpoint(at)

    def _export(self, what: str) -> File:
        """Of the instance that is drawn, with the messages that reached it."""
        return self._view().export(what)


def _led_to(move: Move) -> Scene:
    values = {
        f"{name}: {variable}": value_text(value)
        for name, place in move.places.items()
        if place.instance is not None
        for variable, value in place.instance.variables.items()
    }
    return {"where": "; ".join(move.states), "time": time_text(move.time), "values": values}


def _where(stepping: Stepping) -> str:
    return where(stepping.instance) or stepping.status
