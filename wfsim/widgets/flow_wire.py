"""The process map as its pages see it: what flowed, by which measure, of which paths, and the cases behind an arrow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from wfsim.analytics.flows import TITLES, Flows, Measure, expect_measure, flows
from wfsim.drawing.text import clean
from wfsim.errors import DrawingError, HistoryError, WfsimError
from wfsim.model.duration import short_time, time_text
from wfsim.model.picture import edge_ids

from .charts import shade
from .stepper_wire import StepperWire
from .stepping import Stepping
from .wire import Message, Request, Scene, Wire

if TYPE_CHECKING:
    from wfsim.drawing import Picture
    from wfsim.history.history import History

MOST_CASES = 50
"""So many cases behind an arrow or a state are listed, the longest first."""
MOST_VARIANTS = 30
_THINNEST, _WIDEST = 1.0, 9.0


@dataclass(frozen=True)
class Side:
    """A history that is shown, or compared with: which run and workflow of it."""

    history: History
    run: int | None
    workflow: str | None

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
                "measure": Request(self._measure, {"measure": str}),
                "share": Request(self._share, {"percent": int}),
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
        shades = {f"state:{path}": shade(value / most) for path, value in values.items()}
        shades |= {edge: shade(weight / heaviest) for edge, weight in weights.items()}
        if self.other is not None:
            shades = self._differences()
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
            "variants": [
                {
                    "label": clean(" → ".join(variant.states))[:400],
                    "cases": variant.cases,
                    "mean": short_time(variant.mean),
                    "shown": number < found.shown,
                }
                for number, variant in enumerate(found.variants[:MOST_VARIANTS])
            ],
            "more_variants": max(0, len(found.variants) - MOST_VARIANTS),
            "selected": self.selected,
            "detail": self._detail(),
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
        return {name: shade(abs(gap) / widest) * (1 if gap > 0 else -1) for name, gap in gaps.items()}

    def _detail(self) -> Scene | None:
        """The cases behind what is selected, and the SQL that finds them."""
        query, title = self._query()
        if not query:
            return None
        rows = self._side.history.con.execute(f"FROM ({query}) LIMIT {MOST_CASES}").fetchall()
        return {
            "title": title,
            "query": query,
            "rows": [
                {
                    "run": run,
                    "case": case,
                    "time": time_text(time),
                    "dwell": "" if dwell is None else short_time(dwell),
                }
                for run, case, time, dwell in rows
            ],
            "more": len(rows) == MOST_CASES,
        }

    def _query(self) -> tuple[str, str]:
        found = self.flows
        if self.selected.startswith("state:"):
            path = self.selected.removeprefix("state:")
            if path not in found.states:
                return "", ""
            inner = found.state_query(path)
            return f'SELECT run, "case", entered, dwell FROM ({inner})', clean(f"in {path}")
        numbers = [n for n, name in edge_ids(found.workflow).items() if name == self.selected and n in found.edges]
        if not numbers:
            return "", ""
        inner = " UNION ALL ".join(f"({found.edge_query(number)})" for number in numbers)
        told = f'SELECT run, "case", time, dwell FROM ({inner}) ORDER BY dwell DESC NULLS LAST, run, "case", time'
        return told, f"transition {', '.join(map(str, numbers))}"

    def _measure(self, measure: str) -> str:
        expect_measure(measure)
        self.measure = measure  # type: ignore[assignment]
        return ""

    def _share(self, percent: int) -> str:
        if not 1 <= percent <= 100:
            raise WfsimError(f"{percent} % of the cases cannot be shown; give 1 to 100.")
        self.share = percent / 100
        self.flows, self.other = self._at(self.share)
        return ""

    def _select(self, id: str) -> str:
        self.selected = id
        return ""

    def _open(self, run: int, case: int) -> str:
        try:
            self.stepper = StepperWire(Stepping(self._side.history.case(case, run=run)))
        except WfsimError as error:
            return str(error)
        return ""

    def _close(self) -> str:
        self.stepper = None
        return ""


def _width(part: float) -> float:
    return round(_THINNEST + (_WIDEST - _THINNEST) * part, 1)


def _shares(found: Flows) -> dict[str, float]:
    """How often each arrow and state came by, for each case."""
    cases = found.cases or 1
    shares = {f"state:{path}": flow.n / cases for path, flow in found.states.items()}
    for number, name in edge_ids(found.workflow).items():
        if number in found.edges:
            shares[name] = shares.get(name, 0.0) + found.edges[number].n / cases
    return shares
