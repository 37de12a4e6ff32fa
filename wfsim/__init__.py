"""wfsim: design, verify, simulate, question and run workflows, in one notebook.

>>> import wfsim as wf
>>> order = wf.new("order")
>>> [finding.code for finding in wf.lint(order)]
[]

Names are loaded when first used, so importing the package takes a few milliseconds.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from wfsim import errors
    from wfsim.analytics import figures
    from wfsim.analytics.compare import compare
    from wfsim.analytics.hot_paths import hot_paths
    from wfsim.analytics.page import write_report
    from wfsim.conformance.alignment import align
    from wfsim.errors import ActivityError, DefinitionError, EventRejected, WfsimError
    from wfsim.experiments.campaign import explore_seeds
    from wfsim.experiments.smallest import smallest
    from wfsim.experiments.sweep import sweep
    from wfsim.history.converting import convert_history
    from wfsim.history.history import History, open_history
    from wfsim.history.importing.reading import read_log
    from wfsim.history.migration import migration
    from wfsim.history.simulate import simulate
    from wfsim.mining.discovery import discover
    from wfsim.mining.fitting import fit
    from wfsim.model.annotated import function
    from wfsim.model.builder import Builder
    from wfsim.model.catalogue import Catalogue
    from wfsim.model.duration import Duration
    from wfsim.model.examples import example, examples
    from wfsim.model.from_graph import from_networkx
    from wfsim.model.language_schema import json_schema
    from wfsim.model.lint import lint
    from wfsim.model.template import new
    from wfsim.model.workflow import Workflow
    from wfsim.model.yaml_io import dumps, load, loads, save
    from wfsim.monitoring.monitor import monitor
    from wfsim.monitoring.webhook import Webhook
    from wfsim.net.petri import PetriNet
    from wfsim.net.pnml import read_pnml, write_pnml
    from wfsim.net.snakes_bridge import from_snakes, to_snakes
    from wfsim.net.translate import to_net
    from wfsim.runtime.breaker import Breaker
    from wfsim.runtime.clock import ManualClock
    from wfsim.runtime.executor import ActivityContext
    from wfsim.runtime.groups import QueueLimits
    from wfsim.runtime.opening import open_engine
    from wfsim.runtime.permissions import Permissions
    from wfsim.runtime.run import reopen, start
    from wfsim.runtime.schedules import run_schedules
    from wfsim.runtime.signing import verify_webhook
    from wfsim.runtime.trying import try_activity
    from wfsim.service.client import connect
    from wfsim.simulation.default import default_scenario
    from wfsim.simulation.scenario import Scenario, load_scenario
    from wfsim.temporal.export import to_temporal_history
    from wfsim.verification.nets.check import check
    from wfsim.verification.nets.contest import read_properties
    from wfsim.verification.nets.explore import explore
    from wfsim.verification.nets.soundness import soundness
    from wfsim.verification.property import Property
    from wfsim.verification.workflows.conditions.report import conditions
    from wfsim.verification.workflows.properties import verify
    from wfsim.verification.workflows.space import explore_workflow
    from wfsim.widgets.editor import Editor
    from wfsim.widgets.flow_map import FlowMap
    from wfsim.widgets.lab import Lab
    from wfsim.widgets.pictures import picture
    from wfsim.widgets.stepper import Stepper
    from wfsim.widgets.token_game import TokenGame

__version__ = "0.1.0"

__all__ = [
    "ActivityContext",
    "ActivityError",
    "Breaker",
    "Builder",
    "Catalogue",
    "DefinitionError",
    "Duration",
    "Editor",
    "EventRejected",
    "FlowMap",
    "History",
    "Lab",
    "ManualClock",
    "Permissions",
    "PetriNet",
    "Property",
    "QueueLimits",
    "Scenario",
    "Stepper",
    "TokenGame",
    "Webhook",
    "WfsimError",
    "Workflow",
    "align",
    "check",
    "compare",
    "conditions",
    "connect",
    "convert_history",
    "default_scenario",
    "discover",
    "dumps",
    "errors",
    "example",
    "examples",
    "explore",
    "explore_seeds",
    "explore_workflow",
    "figures",
    "fit",
    "from_networkx",
    "from_snakes",
    "function",
    "hot_paths",
    "json_schema",
    "lint",
    "load",
    "load_scenario",
    "loads",
    "migration",
    "monitor",
    "new",
    "open_engine",
    "open_history",
    "picture",
    "read_log",
    "read_pnml",
    "read_properties",
    "reopen",
    "run_schedules",
    "save",
    "simulate",
    "smallest",
    "soundness",
    "start",
    "sweep",
    "to_net",
    "to_snakes",
    "to_temporal_history",
    "try_activity",
    "verify",
    "verify_webhook",
    "write_pnml",
    "write_report",
]

_HOMES = {
    "analytics.compare": ("compare",),
    "analytics.hot_paths": ("hot_paths",),
    "analytics.page": ("write_report",),
    "conformance.alignment": ("align",),
    "errors": ("ActivityError", "DefinitionError", "EventRejected", "WfsimError"),
    "experiments.campaign": ("explore_seeds",),
    "experiments.smallest": ("smallest",),
    "experiments.sweep": ("sweep",),
    "history.converting": ("convert_history",),
    "history.history": ("History", "open_history"),
    "history.importing.reading": ("read_log",),
    "history.migration": ("migration",),
    "history.simulate": ("simulate",),
    "mining.discovery": ("discover",),
    "mining.fitting": ("fit",),
    "model.annotated": ("function",),
    "model.builder": ("Builder",),
    "model.catalogue": ("Catalogue",),
    "model.duration": ("Duration",),
    "model.examples": ("example", "examples"),
    "model.language_schema": ("json_schema",),
    "model.lint": ("lint",),
    "model.from_graph": ("from_networkx",),
    "model.template": ("new",),
    "model.workflow": ("Workflow",),
    "model.yaml_io": ("dumps", "load", "loads", "save"),
    "monitoring.monitor": ("monitor",),
    "monitoring.webhook": ("Webhook",),
    "net.petri": ("PetriNet",),
    "net.pnml": ("read_pnml", "write_pnml"),
    "net.snakes_bridge": ("from_snakes", "to_snakes"),
    "net.translate": ("to_net",),
    "runtime.breaker": ("Breaker",),
    "runtime.clock": ("ManualClock",),
    "runtime.executor": ("ActivityContext",),
    "runtime.permissions": ("Permissions",),
    "runtime.run": ("reopen", "start"),
    "runtime.opening": ("open_engine",),
    "runtime.groups": ("QueueLimits",),
    "runtime.schedules": ("run_schedules",),
    "runtime.signing": ("verify_webhook",),
    "runtime.trying": ("try_activity",),
    "service.client": ("connect",),
    "simulation.default": ("default_scenario",),
    "simulation.scenario": ("Scenario", "load_scenario"),
    "temporal.export": ("to_temporal_history",),
    "verification.nets.check": ("check",),
    "verification.nets.contest": ("read_properties",),
    "verification.nets.explore": ("explore",),
    "verification.nets.soundness": ("soundness",),
    "verification.property": ("Property",),
    "verification.workflows.conditions.report": ("conditions",),
    "verification.workflows.properties": ("verify",),
    "verification.workflows.space": ("explore_workflow",),
    "widgets.editor": ("Editor",),
    "widgets.flow_map": ("FlowMap",),
    "widgets.lab": ("Lab",),
    "widgets.pictures": ("picture",),
    "widgets.stepper": ("Stepper",),
    "widgets.token_game": ("TokenGame",),
}
_MODULES = {"errors": "wfsim.errors", "figures": "wfsim.analytics.figures"}
_HOME = {name: f"wfsim.{module}" for module, names in _HOMES.items() for name in names}


def load_ipython_extension(shell: InteractiveShell) -> None:
    """What `%load_ext wfsim` calls."""
    importlib.import_module("wfsim.notebook").load(shell)


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(_MODULES[name])
    if name not in _HOME:
        raise AttributeError(f"wfsim has no name {name!r}. Names: {', '.join(__all__)}.")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
