"""wfsim: design, verify, simulate, question and run workflows, in one notebook.

>>> import wfsim as wf
>>> order = wf.new("order")
>>> [finding.code for finding in wf.lint(order)]
[]

Names are loaded when first used, so importing the package takes a few milliseconds.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wfsim.analytics.hot_paths import (
        hot_paths as hot_paths,
    )
    from wfsim.errors import (
        ConflictError as ConflictError,
    )
    from wfsim.errors import (
        DefinitionError as DefinitionError,
    )
    from wfsim.errors import (
        HistoryError as HistoryError,
    )
    from wfsim.errors import (
        NetError as NetError,
    )
    from wfsim.errors import (
        NotCovered as NotCovered,
    )
    from wfsim.errors import (
        ReplayError as ReplayError,
    )
    from wfsim.errors import (
        ScenarioError as ScenarioError,
    )
    from wfsim.errors import (
        StartRefused as StartRefused,
    )
    from wfsim.errors import (
        VerdictUnknown as VerdictUnknown,
    )
    from wfsim.errors import (
        WfsimError as WfsimError,
    )
    from wfsim.history.history import (
        History as History,
    )
    from wfsim.history.history import (
        open_history as open_history,
    )
    from wfsim.history.simulate import (
        simulate as simulate,
    )
    from wfsim.model.builder import (
        Builder as Builder,
    )
    from wfsim.model.duration import (
        Duration as Duration,
    )
    from wfsim.model.lint import (
        lint as lint,
    )
    from wfsim.model.template import (
        new as new,
    )
    from wfsim.model.workflow import (
        Workflow as Workflow,
    )
    from wfsim.model.yaml_io import (
        dumps as dumps,
    )
    from wfsim.model.yaml_io import (
        load as load,
    )
    from wfsim.model.yaml_io import (
        loads as loads,
    )
    from wfsim.model.yaml_io import (
        save as save,
    )
    from wfsim.net.petri import (
        PetriNet as PetriNet,
    )
    from wfsim.net.pnml import (
        read_pnml as read_pnml,
    )
    from wfsim.net.pnml import (
        write_pnml as write_pnml,
    )
    from wfsim.net.snakes_bridge import (
        from_snakes as from_snakes,
    )
    from wfsim.net.snakes_bridge import (
        to_snakes as to_snakes,
    )
    from wfsim.net.translate import (
        to_net as to_net,
    )
    from wfsim.runtime.run import (
        reopen as reopen,
    )
    from wfsim.runtime.run import (
        start as start,
    )
    from wfsim.simulate.scenario import (
        Scenario as Scenario,
    )
    from wfsim.simulate.scenario import (
        default_scenario as default_scenario,
    )
    from wfsim.simulate.scenario import (
        load_scenario as load_scenario,
    )
    from wfsim.verify.explore import (
        explore as explore,
    )
    from wfsim.verify.properties import (
        verify as verify,
    )
    from wfsim.verify.soundness import (
        soundness as soundness,
    )
    from wfsim.verify.space import (
        explore_workflow as explore_workflow,
    )
    from wfsim.widgets.pictures import (
        picture as picture,
    )
    from wfsim.widgets.stepper import (
        Stepper as Stepper,
    )

__version__ = "0.1.0"

_HOMES = {
    "model.builder": ["Builder"],
    "model.duration": ["Duration"],
    "model.lint": ["lint"],
    "model.template": ["new"],
    "model.workflow": ["Workflow"],
    "model.yaml_io": ["dumps", "load", "loads", "save"],
    "net.petri": ["PetriNet"],
    "net.pnml": ["read_pnml", "write_pnml"],
    "net.snakes_bridge": ["from_snakes", "to_snakes"],
    "net.translate": ["to_net"],
    "verify.explore": ["explore"],
    "verify.properties": ["verify"],
    "verify.soundness": ["soundness"],
    "verify.space": ["explore_workflow"],
    "simulate.scenario": ["Scenario", "default_scenario", "load_scenario"],
    "history.history": ["History", "open_history"],
    "history.simulate": ["simulate"],
    "analytics.hot_paths": ["hot_paths"],
    "runtime.run": ["reopen", "start"],
    "widgets.pictures": ["picture"],
    "widgets.stepper": ["Stepper"],
    "errors": [
        "ConflictError",
        "DefinitionError",
        "HistoryError",
        "NetError",
        "NotCovered",
        "ReplayError",
        "ScenarioError",
        "StartRefused",
        "VerdictUnknown",
        "WfsimError",
    ],
}
_ROOMS = ("simulate", "verify")
_HOME = {name: f"wfsim.{module}" for module, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"wfsim has no name {name!r}. Names: {', '.join(__all__)}.")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


class _CallableRoom(ModuleType):
    """Two names that people call are rooms as well: `wf.verify(order)` and `wfsim.verify.soundness` are both meant."""

    @property
    def _function(self) -> Any:
        name = self.__name__.removeprefix("wfsim.")
        return getattr(importlib.import_module(_HOME[name]), name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._function(*args, **kwargs)

    @property
    def __signature__(self) -> Any:
        import inspect

        return inspect.signature(self._function)


for _room in _ROOMS:
    importlib.import_module(f"wfsim.{_room}")
    sys.modules[f"wfsim.{_room}"].__class__ = _CallableRoom


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
