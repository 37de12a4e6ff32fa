"""The process map as its pages see it: what flowed, by which measure, of which paths, and the cases behind an arrow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from wfsim.analytics.flows import TITLES, Flows, Measure, expect_measure, flows
from wfsim.drawing.text import clean
from wfsim.errors import DrawingError, HistoryError, WfsimError

from .flow_cases import MOST_PATHS, behind, detail, paths
from .stepper_wire import StepperWire
from .stepping import Stepping
from .wire import Message, Request, Scene, Wire

if TYPE_CHECKING:
    from wfsim.drawing import Picture
    from wfsim.history.history import History
    from wfsim.model.workflow import Workflow

_THINNEST, _WIDEST = 1.0, 9.0


@dataclass(frozen=True)
class Side:
    """A history that is shown, or compared with: which run and workflow of it."""

    history: History
    run: int | None
    workflow: Workflow | str | None

    def flows(self, share: float) -> Flows:
        """What flowed through it, of the most frequent paths that hold a share of the cases."""
        return flows(self.history, run=self.run, workflow=self.workflow, share=share)


class FlowWire(Wire):
    """A process map as scenes and requests; `answer` is what a page talks to.

    Messages with `for: "stepper"` are for the stepper that a case was opened in, and are answered by it.
    """

    def __init__(self, side: Side, against: Side | None) -> None:
        self._side, self._against = side, against
        self.measure: Measure = "cases"
        self.share = 1.0
        self.selected = ""
        self.stepper: StepperWire | None = None
        self._found: dict[float, tuple[Flows, Flows | None]] = {}
        self.flows, self.other = self._at(self.share)
        if self.other is not None and self.other.workflow != self.flows.workflow:
            raise HistoryError("the two histories are of different workflows, so their maps cannot be compared.")
        self._drawn: tuple[object, Scene | None, str] | None = None
        super().__init__(
            self.to_show,
            {
                "measure": Request(self.show, {"measure": str}),
                "share": Request(self.show, {"percent": int}),
                "select": Request(self._select, {"id": str}),
                "open": Request(self._open, {"run": int, "case": int}),
                "close": Request(self._close, {}),
            },
        )

    def answer(self, message: object) -> Message:
        """The answer to a message of a page, which may be anything."""
        if isinstance(message, dict) and message.get("for") == "stepper" and self.stepper is not None:
            return self.stepper.wire.answer(message) | {"for": "stepper"}
        return super().answer(message)

    def show(self, measure: str | None = None, percent: int | None = None) -> str:
        """Show another measure, or the most frequent paths that hold so many percent of the cases.

        Raises
        ------
        HistoryError
            For an unknown measure.
        WfsimError
            For a share that is none.
        """
        if measure is not None:
            self.measure = expect_measure(measure)
        if percent is not None:
            if not 1 <= percent <= 100:
                raise WfsimError(f"{percent} % of the cases cannot be shown; give 1 to 100.")
            self.share = percent / 100
            self.flows, self.other = self._at(self.share)
        return ""

    def picture(self) -> Picture:
        """The workflow with the numbers of the measure."""
        return self.flows.picture(self.measure, against=self.other)

    def to_show(self) -> Scene:
        """All that is to be seen."""
        found = self.flows
        picture, too_large = self._drawing()
        weights = found.weights(self.measure)
        heaviest = max(weights.values(), default=0.0) or 1.0
        chosen = behind(self._side.history, found, self.selected)
        return {
            "title": clean(f"{found.workflow.name} {found.workflow.version}"),
            "head": {"said": self.said()},
            "picture": picture,
            "too_large": too_large,
            "widths": {edge: _width(weight / heaviest) for edge, weight in weights.items()},
            "measure": self.measure,
            "measures": [{"id": each, "label": TITLES[each]} for each in get_args(Measure)],
            "legend": found.legend(self.measure, compared=self.other is not None),
            "percent": round(100 * self.share),
            "variants": paths(found),
            "more_variants": max(0, len(found.variants) - MOST_PATHS),
            "selected": self.selected,
            "along": {} if chosen is None else chosen.along,
            "detail": None if chosen is None else detail(self._side.history, chosen),
            "stepper": "" if self.stepper is None else repr(self.stepper.stepping),
            "compared": self.other is not None,
            "can": {},
        }

    def _at(self, share: float) -> tuple[Flows, Flows | None]:
        if share not in self._found:
            other = None if self._against is None else self._against.flows(share)
            self._found[share] = (self._side.flows(share), other)
        return self._found[share]

    def _drawing(self) -> tuple[Scene | None, str]:
        key = (self.measure, self.share)
        if self._drawn is None or self._drawn[0] != key:
            try:
                self._drawn = (key, self.picture().to_dict(), "")
            except DrawingError as error:
                self._drawn = (key, None, str(error))
        return self._drawn[1:]

    def said(self) -> str:
        """What is shown, in a line."""
        found = self.flows
        told = f"{TITLES[self.measure]}; {found.cases:,} cases"
        if found.shown < len(found.variants):
            told += f" of {found.cases + found.left_out:,}, {found.shown:,} of {len(found.variants):,} paths"
        if self.other is not None:
            told += f"; compared with {self.other.cases:,} cases"
        return told

    def _select(self, id: str) -> str:
        self.selected = id
        return ""

    def _open(self, run: int, case: int) -> str:
        try:
            self.stepper = StepperWire(
                Stepping(self._side.history.case(case, run=run), catalogue=[self.flows.workflow])
            )
        except WfsimError as error:
            return str(error)
        return ""

    def _close(self) -> str:
        self.stepper = None
        return ""


def _width(part: float) -> float:
    return round(_THINNEST + (_WIDEST - _THINNEST) * part, 1)
