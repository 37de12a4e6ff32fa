"""The names people type, and what importing them costs."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import wfsim as wf
from tests import public_signatures

NAMES = """
ActivityContext ActivityError Breaker Builder Catalogue DefinitionError Duration Editor EventRejected FlowMap History
Lab ManualClock Permissions PetriNet Property QueueLimits Scenario Stepper TokenGame Webhook WfsimError Workflow align
check compare conditions connect convert_history default_scenario discover dumps errors example examples explore
explore_seeds explore_workflow figures fit from_networkx from_snakes function hot_paths json_schema lint load
load_scenario loads migration monitor new open_engine open_history picture read_log read_pnml read_properties reopen
run_schedules save simulate smallest soundness start sweep to_net to_snakes to_temporal_history try_activity verify
verify_webhook
write_pnml write_report
""".split()


def test_the_public_names_are_these() -> None:
    assert sorted(NAMES) == wf.__all__


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_can_be_had_and_is_documented(name: str) -> None:
    value = getattr(wf, name)
    assert value.__doc__


def test_signatures_of_what_people_call_are_as_they_were() -> None:
    """If not, and it is meant: `python -m tests.public_signatures` writes them anew, and the CHANGELOG says so."""
    assert public_signatures.text() == public_signatures.PAGE.read_text(encoding="utf-8")


def test_types_are_shipped() -> None:
    assert (Path(wf.__file__).parent / "py.typed").exists()


def test_an_unknown_name_is_told_with_the_known_ones() -> None:
    with pytest.raises(AttributeError, match=r"has no name 'simulat'.*simulate"):
        wf.simulat  # noqa: B018


def test_no_name_that_people_call_is_a_room_as_well() -> None:
    rooms = {module.name for module in pkgutil.iter_modules(wf.__path__)}
    assert rooms & set(NAMES) - {"errors"} == set()


def test_importing_wfsim_loads_none_of_its_heavy_libraries() -> None:
    heavy = (
        "numpy pandas networkx snakes numba duckdb pyarrow plotly ipywidgets pygraphviz typer rich tqdm ruamel "
        "pydantic z3 loky distributed fastapi uvicorn httpx sqlalchemy dbos"
    ).split()
    code = f"import sys, wfsim; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
