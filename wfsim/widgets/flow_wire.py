"""The process map as its pages see it: what flowed, by which measure, of which paths, and the cases behind an arrow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from wfsim.analytics.flows import TITLES, Flows, Measure, expect_measure, flows
from wfsim.drawing.text import clean
from wfsim.errors import DrawingError, HistoryError, WfsimError
from wfsim.model.duration import short_time
from wfsim.model.picture import edge_ids

from .flow_cases import MOST_PATHS, behind, detail, paths
from .stepper_wire import StepperWire
from .stepping import Stepping
from .wire import Message, Request, Scene, Wire

if TYPE_CHECKING:
    from wfsim.drawing import Picture
    from wfsim.history.history import History
    from wfsim.model.workflow import Workflow

_THINNEST, _WIDEST = 1.0, 9.0
_SHADES = 5
"""Shades of what is longer, more, or different; 0 is none."""


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
        return self.flows.picture(self.measure)

    def to_show(self) -> Scene:
        """All that is to be seen."""
        found = self.flows
        picture, too_large = self._drawing()
        weights = found.weights(self.measure)
        heaviest = max(weights.values(), default=0.0) or 1.0
        values = found.node_values(self.measure)
        most = max(values.values(), default=0.0) or 1.0
        shades = {f"state:{path}": _shade(value / most) for path, value in values.items()}
        shades |= {edge: _shade(weight / heaviest) for edge, weight in weights.items()}
        if self.other is not None:
            shades = self._differences()
        chosen = behind(self._side.history, found, self.selected)
        return {
            "title": clean(f"{found.workflow.name} {found.workflow.version}"),
            "head": {"said": self._said()},
            "picture": picture,
            "too_large": too_large,
            "widths": {edge: _width(weight / heaviest) for edge, weight in weights.items()},
            "shades": {name: shade for name, shade in shades.items() if shade},
            "measure": self.measure,
            "measures": [{"id": each, "label": TITLES[each]} for each in get_args(Measure)],
            "legend": self._legend(heaviest, most),
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

    def _said(self) -> str:
        found = self.flows
        told = f"{TITLES[self.measure]}; {found.cases:,} cases"
        if found.shown < len(found.variants):
            told += f" of {found.cases + found.left_out:,}, {found.shown:,} of {len(found.variants):,} paths"
        if self.other is not None:
            told += f"; compared with {self.other.cases:,} cases"
        return told

    def _legend(self, heaviest: float, most: float) -> list[str]:
        written = short_time if self.measure in ("time", "waiting") else lambda value: f"{value:,.0f}"
        told = [f"widest arrow: {written(heaviest)}", f"darkest state: {written(most)}"]
        if self.other is not None:
            told[1:] = ["blue: a greater share of cases here than in the other, orange: a smaller one"]
        return told

    def _differences(self) -> dict[str, int]:
        """By how much more (or less, negative) of the cases each arrow and state has here, in shades."""
        assert self.other is not None
        shares = [_shares(each) for each in (self.flows, self.other)]
        names = shares[0].keys() | shares[1].keys()
        gaps = {name: shares[0].get(name, 0.0) - shares[1].get(name, 0.0) for name in names}
        widest = max(map(abs, gaps.values()), default=0.0) or 1.0
        return {name: _shade(abs(gap) / widest) * (1 if gap > 0 else -1) for name, gap in gaps.items()}

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


def _shade(part: float) -> int:
    """Which shade a part of the greatest has; what is more than nothing has at least the first."""
    return 0 if part <= 0 else min(_SHADES, 1 + int(part * _SHADES * 0.999))


def _shares(found: Flows) -> dict[str, float]:
    """How often each arrow and state came by, for each case."""
    cases = found.cases or 1
    shares = {f"state:{path}": flow.n / cases for path, flow in found.states.items()}
    for number, name in edge_ids(found.workflow).items():
        if number in found.edges:
            shares[name] = shares.get(name, 0.0) + found.edges[number].n / cases
    return shares
