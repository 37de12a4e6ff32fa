"""What public functions say to arguments of the wrong sort, and to options that there are not."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import wfsim as wf
from tests.unit.test_public_names import NAMES
from wfsim.runtime.signing import signature

ORDER = wf.new("order")
NET = wf.to_net(ORDER)


@cache
def small_history() -> wf.History:
    return wf.simulate(ORDER, cases=1)  # type: ignore[no-any-return, operator]


def a_function(n: int) -> int:
    return n


SIGNED = {
    "webhook-id": "m",
    "webhook-timestamp": "60",
    "webhook-signature": signature("whsec_" + "AAAA" * 8, "m", 60, b"{}"),
}

WRONG = {"nothing": None, "number": 7, "text": "nonsense \0", "workflows": [ORDER, ORDER], "list": [7]}

GOOD: dict[str, Callable[[Path], tuple[Any, ...]]] = {
    "Catalogue": lambda folder: ([ORDER],),
    "Editor": lambda folder: (ORDER,),
    "FlowMap": lambda folder: (small_history(),),
    "Lab": lambda folder: (ORDER,),
    "QueueLimits": lambda folder: (),
    "Stepper": lambda folder: (ORDER,),
    "TokenGame": lambda folder: (NET,),
    "Webhook": lambda folder: ("http://127.0.0.1:9/",),
    "align": lambda folder: ([["a"]], NET),
    "check": lambda folder: (NET, "live"),
    "compare": lambda folder: (small_history(), small_history()),
    "conditions": lambda folder: (ORDER,),
    "connect": lambda folder: ("http://127.0.0.1:9",),
    "convert_history": lambda folder: (folder / "old.duckdb", folder / "new.duckdb"),
    "default_scenario": lambda folder: (ORDER,),
    "discover": lambda folder: (small_history(),),
    "dumps": lambda folder: (ORDER,),
    "example": lambda folder: ("shipping",),
    "explore": lambda folder: (NET,),
    "explore_seeds": lambda folder: (ORDER,),
    "explore_workflow": lambda folder: (ORDER,),
    "function": lambda folder: (a_function,),
    "fit": lambda folder: (small_history(), ORDER),
    "from_networkx": lambda folder: (ORDER.to_networkx(),),
    "from_snakes": lambda folder: (wf.to_snakes(NET),),
    "hot_paths": lambda folder: (small_history(),),
    "lint": lambda folder: (ORDER,),
    "load": lambda folder: (folder / "order.yaml",),
    "load_scenario": lambda folder: (folder / "order.scenario.yaml",),
    "loads": lambda folder: (wf.dumps(ORDER),),
    "migration": lambda folder: (ORDER, ORDER),
    "monitor": lambda folder: (small_history(), ORDER),
    "new": lambda folder: ("order",),
    "open_engine": lambda folder: (f"sqlite:///{folder}/runs.db",),
    "open_history": lambda folder: (folder / "order.duckdb",),
    "picture": lambda folder: (ORDER,),
    "read_log": lambda folder: (folder / "log.csv",),
    "read_pnml": lambda folder: (folder / "net.pnml",),
    "read_properties": lambda folder: (folder / "properties.xml",),
    "reopen": lambda folder: (folder / "store.db", "a"),
    "run_schedules": lambda folder: (ORDER,),
    "save": lambda folder: (ORDER, folder / "saved.yaml"),
    "simulate": lambda folder: (ORDER,),
    "smallest": lambda folder: (ORDER,),
    "soundness": lambda folder: (NET,),
    "start": lambda folder: (ORDER,),
    "sweep": lambda folder: (ORDER,),
    "to_net": lambda folder: (ORDER,),
    "to_snakes": lambda folder: (NET,),
    "to_temporal_history": lambda folder: (small_history().case(1),),
    "try_activity": lambda folder: (ORDER, "pack"),
    "verify": lambda folder: (ORDER,),
    "verify_webhook": lambda folder: (b"{}", SIGNED, "whsec_" + "AAAA" * 8),
    "write_pnml": lambda folder: (NET, folder / "written.pnml"),
    "write_report": lambda folder: (small_history(), folder / "report.html"),
}
"""Arguments that are right, but perhaps of files that are not there."""

NEEDED: dict[str, dict[str, Any]] = {
    "explore_seeds": {"never": "closed", "seeds": 1},
    "smallest": {"key": "cases", "such_that": "mean(sojourn) < 1000d", "between": (1, 1), "replications": 2},
    "sweep": {"over": [{"cases": 1}]},
}
"""Options that must be given."""

OPTIONS: dict[str, dict[str, Any]] = {
    "Lab": {"scenario": 7, "catalogue": 7},
    "Editor": {"catalogue": 7},
    "FlowMap": {"against": "none", "run": 7, "workflow": "none"},
    "QueueLimits": {"worker_concurrency": 0, "concurrency": -1, "rate": 7},
    "align": {"labels": 7, "max_markings": 0, "max_states": 0, "max_seconds": -1},
    "check": {"max_markings": 0, "max_seconds": -1, "max_memory": 0},
    "compare": {"level": 95},
    "conditions": {"kinds": ["odd"], "max_seconds": -1},
    "connect": {"key": 7},
    "default_scenario": {"catalogue": 7},
    "discover": {"noise": 7, "workflow": "none"},
    "explore": {"engine": "steam", "max_markings": 0, "max_seconds": -1, "max_memory": 0, "stop": 7, "stubborn": 7},
    "explore_seeds": {"never": 7, "properties": 7, "seeds": 0, "cases": 0, "faults": 7, "scenario": 7, "catalogue": 7},
    "explore_workflow": {"engine": "steam", "max_states": 0, "max_seconds": -1, "claims": 7},
    "load": {"functions": 7},
    "loads": {"functions": 7},
    "open_engine": {
        "workflows": 7,
        "activities": 7,
        "functions": 7,
        "worker": 7,
        "groups": 7,
        "permissions": 7,
        "breakers": 7,
        "concurrency": 0,
        "polling": -1,
    },
    "open_history": {"functions": 7},
    "Catalogue": {"functions": 7},
    "hot_paths": {"limit": 0, "by": "colour", "run": 7, "workflow": "none"},
    "fit": {"catalogue": 7, "time_zone": "Mars"},
    "lint": {"catalogue": 7, "ignore": 7},
    "migration": {"history": 7},
    "picture": {"direction": "up"},
    "read_log": {
        "into": 7,
        "case": 7,
        "case_columns": 7,
        "order": "alphabetical",
        "final": 7,
        "time_zone": "Mars",
        "time_format": 7,
        "repair": "all",
    },
    "read_pnml": {"net": 7},
    "run_schedules": {"only": 7},
    "simulate": {"scenario": 7, "catalogue": 7, "cases": -1, "replications": 0, "engine": "steam"},
    "smallest": {
        "such_that": 7,
        "pool": 7,
        "key": 7,
        "between": 7,
        "replications": 1,
        "confidence": 95,
        "engine": "steam",
        "backend": "ray",
        "workers": 0,
        "client": 7,
    },
    "soundness": {"kind": "strong", "max_markings": 0, "max_seconds": -1, "max_memory": 0},
    "start": {"input": 7, "activities": 7, "catalogue": 7, "store": 7, "permissions": 7},
    "sweep": {
        "over": 7,
        "scenario": 7,
        "catalogue": 7,
        "replications": 0,
        "engine": "steam",
        "backend": "ray",
        "workers": 0,
        "client": 7,
        "into": 7,
        "resume": 7,
        "log": "all",
        "level": 95,
    },
    "to_net": {"instances": 0, "pools": 7, "catalogue": 7, "items": -1, "messages": 0, "max_variants": 0},
    "try_activity": {"input": 7, "activities": 7, "permissions": 7},
    "verify_webhook": {"tolerance": -1, "seen": 7, "now": "noon"},
    "verify": {"properties": 7, "max_states": 0, "max_seconds": -1, "catalogue": 7},
}

OF_THEIR_OWN = {
    "Breaker",
    "Builder",
    "Duration",
    "History",
    "ManualClock",
    "Permissions",
    "PetriNet",
    "Property",
    "Scenario",
    "Workflow",
}
"""Classes of which each has tests for what it is made of."""
MADE_BY_WFSIM = {
    "ActivityContext",
    "ActivityError",
    "DefinitionError",
    "EventRejected",
    "WfsimError",
    "errors",
    "figures",
}
WITHOUT_ARGUMENTS = {"examples", "json_schema"}


def refused(error: Exception) -> None:
    """An error of wfsim, or a `TypeError` that says what to pass."""
    assert isinstance(error, wf.WfsimError | TypeError), repr(error)
    text = str(error)
    if not isinstance(error, wf.WfsimError) and "expected str, bytes or os.PathLike object" not in text:
        assert ", not " in text, text
        assert text.endswith("."), text


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("files")
    wf.save(ORDER, made / "order.yaml")
    wf.write_pnml(NET, made / "net.pnml")
    return made


@pytest.fixture
def folder(files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(files, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_public_name_is_swept_or_said_not_to_be() -> None:
    assert set(GOOD) | OF_THEIR_OWN | MADE_BY_WFSIM | WITHOUT_ARGUMENTS == set(NAMES)
    assert set(OPTIONS) <= set(GOOD)


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("name", GOOD)
def test_arguments_of_a_wrong_sort_are_refused_in_a_sentence(name: str, wrong: str, folder: Path) -> None:
    right = GOOD[name](folder)
    for position in range(len(right)):
        given = (*right[:position], WRONG[wrong], *right[position + 1 :])
        try:
            getattr(wf, name)(*given, **NEEDED.get(name, {}))
        except Exception as error:
            refused(error)


@pytest.mark.parametrize(
    ("name", "option"), [(name, option) for name, options in OPTIONS.items() for option in options]
)
def test_options_that_there_are_not_are_refused_in_a_sentence(name: str, option: str, folder: Path) -> None:
    for value in (OPTIONS[name][option], object()):
        with pytest.raises((wf.WfsimError, TypeError)) as caught:  # noqa: PT012
            getattr(wf, name)(*GOOD[name](folder), **NEEDED.get(name, {}) | {option: value})
        refused(caught.value)


def test_kinds_of_soundness_and_lists_of_workflows_are_refused_with_advice() -> None:
    with pytest.raises(wf.WfsimError, match=r"no soundness of kind 'strong'\. Kinds: classical, weak, relaxed\."):
        wf.soundness(NET, kind="strong")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"verify asks one Workflow, not \[.*wf\.soundness"):
        wf.verify([ORDER, ORDER])  # type: ignore[arg-type]
