"""A witness of a verdict as a history: what it tells can be asked with SQL, and replays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import wfsim as wf
from wfsim.errors import ScenarioError

PUBLISHED = wf.load("models/published/order_processing.yaml")


@pytest.fixture(scope="module")
def witnesses() -> list[Any]:
    report = wf.verify(PUBLISHED, "verification/published/order_processing.yaml")
    found = [one.witness for verdict in report for one in (verdict, *verdict.further)]
    return [witness for witness in found if witness is not None and witness.kind == "workflow"]


@pytest.mark.long
def test_every_counterexample_is_a_history_that_replays(witnesses: list[Any]) -> None:
    assert len(witnesses) > 10
    for witness in witnesses:
        history = wf.simulate(witness)
        case = history.case(1)
        end = witness.replay()[-1]
        assert (case.replay().state, case.status) == (end.state, end.status)
        causes = history.sql("SELECT seq FROM history WHERE seq = cause_seq").df()
        assert len(causes) == len(witness)


def test_it_is_asked_as_any_other(witnesses: list[Any], tmp_path: Path) -> None:
    witness = next(each for each in witnesses if each.replay()[-1].status == "failed")
    history = wf.simulate(witness, into=tmp_path / "one.duckdb")
    assert history.digest == wf.simulate(witness).digest
    states = history.sql("SELECT state FROM history WHERE kind = 'state_entered' ORDER BY seq").df()["state"]
    assert states[0] == PUBLISHED.initial_state
    assert "witness of a verdict" in history.notes[0]
    assert wf.open_history(tmp_path / "one.duckdb").case(1).status == "failed"


def test_children_may_close_in_it() -> None:
    fulfilment = wf.load("models/order_fulfilment.yaml")
    (verdict,) = wf.verify(fulfilment, [wf.Property("never", 'in("delivered")')])
    assert verdict.status == "violated"
    assert wf.simulate(verdict.witness).case(1).replay().state == "delivered"


def test_a_witness_says_all_that_happens(witnesses: list[Any]) -> None:
    with pytest.raises(ScenarioError, match="leave cases out"):
        wf.simulate(witnesses[0], cases=3)
