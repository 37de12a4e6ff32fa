"""The lab as its pages see it: knobs, charts, verdicts, what is pinned, and what pages may ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wfsim.analytics.shading import shades
from wfsim.drawing.text import clean
from wfsim.errors import DrawingError
from wfsim.history.measures import interval, number
from wfsim.model.naming import element_paths
from wfsim.model.picture import picture

from .charts import Run, charts
from .knobs import GROUPS
from .units import Choice
from .wire import File, Request, Scene, Wire

if TYPE_CHECKING:
    from .charts import Chart
    from .tuning import Compared, Tuning

_NOW = "now"


class LabWire(Wire):
    """A `Tuning` as scenes and requests; `answer` is what a page talks to.

    Attributes
    ----------
    focus
        The state that is followed through all runs in the first chart; empty for all states of what is shown.
    drawn
        Whether the workflow is drawn, too, with borders of states the stronger the more cases are in them.
    """

    def __init__(self, tuning: Tuning) -> None:
        self.tuning = tuning
        self.focus = ""
        self.drawn = False
        self._picture: tuple[Scene | None, str] | None = None
        self._knobs = _knobs(tuning)
        self._states = [
            element.removeprefix("state:")
            for element in element_paths(tuning.bench.workflow)
            if element.startswith("state:")
        ]
        self._charts: tuple[object, list[Chart]] = (None, [])
        super().__init__(
            self.to_show,
            {
                "move": Request(self._move, {"knob": str, "position": int}),
                "enter": Request(self._enter, {"knob": str, "text": str}),
                "reset": Request(self._reset, {"knob": str}),
                "pin": Request(self._pin, {"name": str}),
                "unpin": Request(self._unpin, {"name": str}),
                "take": Request(self._take, {"name": str}),
                "compare": Request(self._compare, {"name": str}),
                "focus": Request(self._focus, {"state": str}),
                "draw": Request(self._draw, {"shown": bool}),
                "save": Request(self._save, {}),
                "look": Request(self._look, {}),
            },
        )

    # --- what is seen ----------------------------------------------------------------------------

    def to_show(self) -> Scene:
        """All that is to be seen; see `lab.tsx`."""
        tuning = self.tuning
        trial = tuning.trial
        workflow = tuning.bench.workflow
        figures = trial.figures
        drawing, too_large = self._drawing() if self.drawn else (None, "")
        return {
            "title": clean(f"{workflow.name} {workflow.version}"),
            "head": {
                "said": clean(trial.said) if figures is not None else "",
                "stale": tuning.stale and figures is not None,
                "trying": tuning.trying,
                "judging": tuning.judging,
                "unjudged": tuning.unjudged,
                "problem": clean(tuning.problem),
            },
            "can": {"turn": True},
            "groups": [{"id": group, "title": title} for group, title in GROUPS.items()],
            "knobs": self._knobs,
            "stands": self._stands(),
            "differs": [
                clean(f"{each.knob.label}: {each.before} → {each.after}") for each in tuning.settings.differences
            ],
            "runs": self._runs(),
            "charts": self.charts(),
            "drawn": self.drawn,
            "picture": drawing,
            "too_large": too_large,
            "shades": self._shades(),
            "warnings": [] if figures is None else [clean(each) for each in figures.warnings],
            "remarks": [] if figures is None else [clean(each) for each in figures.summary.remarks],
            "verdicts": [
                {"name": each.name.replace("_", " "), "status": each.status, "reason": clean(each.reason), "ids": []}
                for each in tuning.judged.answers
            ],
            "against": clean(tuning.against),
            "comparison": _comparison(tuning.comparison) if tuning.against else None,
        }

    def charts(self) -> list[Chart]:
        """What is drawn of now and of what is pinned; none before the first figures."""
        tuning = self.tuning
        trials = [(0, _NOW, tuning.trial), *((pin.place, clean(pin.name), pin.trial) for pin in tuning.pins)]
        key = self.focus, [(place, name, id(trial)) for place, name, trial in trials]
        if self._charts[0] != key:
            runs = [Run(place, name, each.figures) for place, name, each in trials if each.figures is not None]
            self._charts = key, charts(runs, self.focus, self._states) if trials[0][2].figures is not None else []
        return self._charts[1]

    def _drawing(self) -> tuple[Scene | None, str]:
        """The workflow as it stands in its file, laid out once."""
        if self._picture is None:
            try:
                self._picture = picture(self.tuning.bench.workflow).to_dict(), ""
            except DrawingError as error:
                self._picture = None, str(error)
        return self._picture

    def _shades(self) -> dict[str, int]:
        """How full states are on average, in parts of the fullest."""
        figures = self.tuning.trial.figures
        if figures is None or not self.drawn:
            return {}
        lines = [line for line in figures.occupancy.lines if line.name in self._states]
        return shades({f"state:{line.name}": sum(line.values) for line in lines})

    def _stands(self) -> dict[str, Scene]:
        settings = self.tuning.settings
        values = dict(settings.turned)
        found = {}
        for id, knob in self.tuning.bench.knobs.items():
            value = values.get(id, knob.original)
            found[id] = {"position": knob.position(value), "text": clean(knob.unit.told(value)), "turned": id in values}
        return found

    def _runs(self) -> list[Scene]:
        tuning = self.tuning
        now: Scene = {"place": 0, "name": _NOW, "said": clean(tuning.trial.said), "differs": []}
        pinned = [
            {
                "place": pin.place,
                "name": clean(pin.name),
                "said": clean(pin.trial.said),
                "differs": [clean(str(each)) for each in pin.trial.settings.differences],
            }
            for pin in tuning.pins
        ]
        return [now, *pinned]

    # --- what is asked ---------------------------------------------------------------------------

    def _move(self, knob: str, position: int) -> str:
        self.tuning.move(knob, position)
        return ""

    def _enter(self, knob: str, text: str) -> str:
        self.tuning.turn(knob, text)
        return ""

    def _reset(self, knob: str) -> str:
        self.tuning.reset(knob)
        return ""

    def _pin(self, name: str) -> str:
        self.tuning.pin(name)
        return ""

    def _unpin(self, name: str) -> str:
        self.tuning.unpin(self._called(name))
        return ""

    def _take(self, name: str) -> str:
        self.tuning.take(self._called(name))
        return ""

    def _compare(self, name: str) -> str:
        self.tuning.compare(self._called(name))
        return ""

    def _focus(self, state: str) -> str:
        self.focus = state
        return ""

    def _draw(self, shown: bool) -> str:
        self.drawn = shown
        return ""

    def _save(self) -> File:
        return File(f"{self.tuning.bench.workflow.name}.scenario.yaml", self.tuning.text())

    def _look(self) -> str:
        """A page that only waits for figures goes on telling what was wrong."""
        return self.problem

    def _called(self, name: str) -> str:
        """The name of a pin that a page shows cleaned."""
        return next((pin.name for pin in self.tuning.pins if clean(pin.name) == name), name)


def _knobs(tuning: Tuning) -> dict[str, Scene]:
    """What never changes of the knobs, with a text for each place of a slider."""
    return {
        id: {
            "group": knob.group,
            "label": clean(knob.label),
            "where": clean(f"{knob.whose}: {knob.where}"),
            "hint": clean(knob.hint),
            "original": clean(knob.unit.told(knob.original)),
            "texts": [clean(knob.unit.told(value)) for value in knob.values],
            "chosen": isinstance(knob.unit, Choice),
        }
        for id, knob in tuning.bench.knobs.items()
    }


def _comparison(found: Compared | None) -> Scene:
    """The table of differences, of what is shown against what is pinned."""
    if found is None or isinstance(found, str):
        return {"rows": [], "said": "comparing …" if found is None else clean(found)}
    rows = []
    for key, one in found.items():
        group, label, unit = found.shown[key]
        low, high = one.difference.low, one.difference.high
        clear = low is not None and high is not None and (low > 0.0 or high < 0.0)
        rows.append(
            {
                "label": clean(f"{group}: {label.replace('/', ': ')}"),
                "first": number(one.first, unit),
                "second": number(one.second, unit),
                "difference": number(one.difference.value, unit),
                "interval": interval(one.difference, unit),
                "note": clean(one.difference.note),
                "clear": "" if not clear else "more" if one.difference.value > 0.0 else "less",
            }
        )
    return {"rows": rows, "said": clean("; ".join(f"{name}: {told}" for name, told in found.head[1:]))}
