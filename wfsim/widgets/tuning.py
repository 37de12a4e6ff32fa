"""A workflow and its scenario under other settings: turned, simulated beside, pinned, compared; without a browser."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from wfsim.arguments import as_path, expect
from wfsim.errors import HistoryError, ScenarioError, WfsimError, did_you_mean
from wfsim.model.workflow import Workflow
from wfsim.model.yaml_writer import write_data
from wfsim.simulation.default import default_scenario
from wfsim.simulation.scenario import Scenario, load_scenario

from .judging import Judge, Judged
from .newest import Newest
from .settings import Bench, Settings
from .trial import Trial, tried

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator

    from wfsim.analytics.comparison import Comparison
    from wfsim.history.history import History
    from wfsim.model.catalogue import Catalogue

MOST_PINS = 4
_MOST_NAME = 60
_KEPT = 4
"""Answers to so many settings are known when they are turned to again, each with its history on disk."""

Compared: TypeAlias = "Comparison | str"
"""A comparison, or why there is none."""


@dataclass
class Pin:
    """A setting that was kept to be compared with.

    Attributes
    ----------
    place
        From 1: which colour it has as long as it is pinned.
    trial
        What it came to; better answers take its place as long as they still come.
    """

    name: str
    place: int
    trial: Trial

    @property
    def scenario(self) -> Scenario:
        """The scenario as it was turned."""
        return self.trial.settings.scenario

    @property
    def workflow(self) -> Workflow:
        """The workflow as it was turned."""
        return self.trial.settings.version.sourced()

    @property
    def history(self) -> History:
        """What happened under it."""
        return _history(self.trial)

    def __repr__(self) -> str:
        return f"<Pin {self.name!r}: {self.trial.settings}; {self.trial.said}>"


class Tuning:
    """Settings of a workflow and its scenario, and what they come to.

    Parameters
    ----------
    workflow, scenario, catalogue
        As for `wfsim.simulate`.

    Attributes
    ----------
    bench
        The knobs, and the originals.
    settings
        How they stand.
    pins
        What is pinned, in the order of pinning.
    against
        The name of the pin that is compared with; empty for none.

    Raises
    ------
    TypeError, ScenarioError, CatalogueError
        As `wfsim.simulate`.
    """

    def __init__(
        self,
        workflow: Workflow,
        scenario: Scenario | str | os.PathLike[str] | None = None,
        catalogue: Catalogue | str | os.PathLike[str] | Iterable[Workflow] | None = None,
    ) -> None:
        expect(workflow, Workflow, "Lab takes a workflow first", "Load one: wf.load(path).")
        if scenario is None:
            scenario = default_scenario(workflow, catalogue)
        elif not isinstance(scenario, Scenario):
            scenario = load_scenario(as_path(scenario, "Lab"))
        self.bench = Bench(workflow, scenario, catalogue)
        self.settings = self.bench.settings({})
        self.pins: list[Pin] = []
        self.against = ""
        self._asked: object = None
        self._judged: object = None
        self._shown = Trial(self.settings, None)
        self._trying = Newest("wfsim lab", tried, self._shown, keep=_KEPT, most=2)
        self._judge = Judge()
        self._comparing: Newest[tuple[Trial, Trial], Compared] = Newest("wfsim compare", _compared, "", keep=_KEPT)
        # Nobody waits for what is beside once this is gone, as when a cell is run again.
        for beside in (self._trying, self._judge, self._comparing):
            weakref.finalize(self, beside.end)
        self._try()

    # --- what there is ---------------------------------------------------------------------------

    @property
    def trial(self) -> Trial:
        """The best figures there are: of how the knobs stand, or, if `stale`, stood before."""
        self._look()
        return self._shown

    @property
    def problem(self) -> str:
        """Why there are no figures of how the knobs stand; empty if there are, or are to come."""
        last = self._trying.last[1]
        return last.problem if last.settings == self.settings else ""

    @property
    def stale(self) -> bool:
        """Whether the figures are of earlier settings."""
        return self.trial.settings != self.settings

    @property
    def trying(self) -> bool:
        """Whether figures, or better ones, are on their way."""
        return self._trying.busy

    @property
    def judged(self) -> Judged:
        """Findings, and answers of the built-in questions, on the definition; see `unjudged`."""
        return self._judge.last[1]

    @property
    def unjudged(self) -> bool:
        """Whether the verdicts are on a definition with other limits."""
        return self._judge.last[0] != self.settings.of_workflow

    @property
    def judging(self) -> bool:
        """Whether verdicts are on their way."""
        return self._judge.busy or (self.unjudged and self.trying)

    @property
    def comparison(self) -> Compared | None:
        """What is shown against what is pinned, B minus A, B being what is shown; `None` as long as it is not known."""
        pin = self._pin_compared()
        if pin is None:
            return None
        key = _key(pin.trial, self.trial)
        return self._comparing.last[1] if self._comparing.last[0] == key else None

    @property
    def history(self) -> History:
        """What happened in the run that is shown, for SQL.

        Raises
        ------
        HistoryError
            If there is none yet.
        """
        return _history(self.trial)

    def pinned(self, name: str) -> Pin:
        """The pin of that name; `WfsimError` if there is none."""
        for pin in self.pins:
            if pin.name == name:
                return pin
        known = [each.name for each in self.pins]
        raise WfsimError(f"nothing is pinned as {name[:_MOST_NAME]!r}.{did_you_mean(name, known)}")

    def wait(self) -> Trial:
        """The last figures of how the knobs stand, once verdicts and comparison are there, too."""
        self._trying.wait()
        self._look()
        self._judge.wait()
        self._comparing.wait()
        return self.trial

    # --- what is done ----------------------------------------------------------------------------

    def turn(self, knob: str, value: float | str) -> None:
        """Turn a knob, and have the setting simulated; whatever was at work is stopped.

        Parameters
        ----------
        knob
            Its dotted key, `pools.packers.capacity`, with `scenario:` or `workflow:` before it if both have it.
        value
            A number as a file has it (times in seconds, shares up to 1), or as people write it: `"2h"`, `"5 %"`,
            `"120/h"`, `"8"`; of the outage what is out of service: `"pool packers"`.

        Raises
        ------
        WfsimError
            If there is no such knob, or the value is none, or out of range.
        """
        found = self.bench.knob(knob)
        turned = found.read(value) if isinstance(value, str) else found.checked(found.unit.of(value))
        self._set(self.settings.with_value(found.id, turned))

    def move(self, knob: str, position: int) -> None:
        """Turn a knob to a place of its slider; raises as `turn`."""
        found = self.bench.knob(knob)
        self._set(self.settings.with_value(found.id, found.at(position)))

    def reset(self, knob: str = "") -> None:
        """Turn a knob, or all of them, back to what stands in the files."""
        self._set(self.settings.without(self.bench.knob(knob).id) if knob else self.bench.settings({}))

    def pin(self, name: str = "") -> Pin:
        """Keep what is shown, to be compared with.

        Parameters
        ----------
        name
            Without one, what differs from the files.

        Raises
        ------
        WfsimError
            If nothing is shown yet, the name is taken, or too many are pinned.
        """
        trial = self.trial
        if trial.figures is None:
            raise WfsimError("there is nothing to pin yet. Wait for the first figures.")
        if len(self.pins) == MOST_PINS:
            raise WfsimError(f"{MOST_PINS} runs are pinned, no more fit into the charts. Unpin one first.")
        name = " ".join(name.split())[:_MOST_NAME] or _short(trial.settings)
        if any(each.name == name for each in self.pins):
            raise WfsimError(f"{name!r} is pinned already. Choose another name.")
        place = next(k for k in range(1, MOST_PINS + 1) if all(each.place != k for each in self.pins))
        self.pins.append(Pin(name, place, trial))
        self.against = name
        self._look()
        return self.pins[-1]

    def unpin(self, name: str) -> None:
        """Let go of a pin; `WfsimError` if there is none of that name."""
        self.pins.remove(self.pinned(name))
        if self.against == name:
            self.against = self.pins[-1].name if self.pins else ""
        self._look()

    def take(self, name: str) -> None:
        """Turn all knobs as they stood when this was pinned."""
        self._set(self.pinned(name).trial.settings)

    def compare(self, name: str) -> None:
        """Compare what is shown with this pin; with none, if the name is empty."""
        self.against = self.pinned(name).name if name else ""
        self._look()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the scenario as YAML, with what differs from the original as a comment.

        Raises
        ------
        ScenarioError
            If the values do not go together, or it cannot be written.
        """
        text, target = self.text(), as_path(path, "Lab.save")
        try:
            target.write_text(text, encoding="utf-8")
        except OSError as error:
            raise ScenarioError(f"{target}: cannot be written: {error.strerror}.") from None

    def text(self) -> str:
        """The scenario as YAML; `ScenarioError` if the values do not go together."""
        data = self.settings.scenario.model_dump(mode="json", by_alias=True, exclude_unset=True)
        # Whom it is for comes first, what goes on in each state and activity last.
        own = [name for name in Scenario.__annotations__ if name in data]
        data = {name: data[name] for name in dict.fromkeys([*own, *data])}
        told = [f"# {' '.join(str(each).split())}\n" for each in self.settings.differences]
        head = "# Turned in a lab, from what stands in the files:\n" if told else ""
        return head + "".join(told) + write_data(data)

    # --- beside ----------------------------------------------------------------------------------

    def _set(self, settings: Settings) -> None:
        self._look()
        self.settings = settings
        self._try()

    def _try(self) -> None:
        self._trying.show(self.settings.turned, self.settings)
        self._look()

    def _look(self) -> None:
        """Take over what has become known."""
        last = self._trying.last[1]
        if last.figures is not None and last is not self._shown:
            self._shown = last
            for pin in self.pins:
                if pin.trial.settings == last.settings and pin.trial.step < last.step:
                    pin.trial = last
        if last.settings == self.settings and (last.figures is not None or last.problem):
            self._have_judged()
        compared = self._pin_compared()
        if compared is not None and self._shown.figures is not None:
            key = _key(compared.trial, self._shown)
            if self._asked != key:
                self._asked = key
                self._comparing.show(key, (compared.trial, self._shown))

    def _have_judged(self) -> None:
        """Ask for verdicts; not before the first figures, which would have to wait for them."""
        key = self.settings.of_workflow
        if self._judged == key:
            return
        self._judged = key
        try:
            self._judge.show(key, self.settings.version)
        except WfsimError:
            # Told as the problem of the trial; the verdicts stay those on another definition.
            return

    def _pin_compared(self) -> Pin | None:
        return self.pinned(self.against) if self.against else None


def _key(one: Trial, other: Trial) -> tuple[object, ...]:
    return one.settings.turned, one.step, other.settings.turned, other.step


def _compared(trials: tuple[Trial, Trial], outdated: Callable[[], bool]) -> Iterator[Compared]:
    from wfsim.analytics.compare import compare

    try:
        yield compare(*map(_history, trials))
    except HistoryError as error:
        yield str(error)


def _history(trial: Trial) -> History:
    if trial.figures is None:
        raise HistoryError("nothing has been simulated yet. Wait for the first figures.")
    return trial.figures.history


def _short(settings: Settings) -> str:
    """What differs, in a few words."""
    told = [f"{each.knob.label} {each.after}" for each in settings.differences]
    text = ", ".join(told[:2]) + (f" and {len(told) - 2} more" if len(told) > 2 else "")
    return text[:_MOST_NAME] or "as in the files"
