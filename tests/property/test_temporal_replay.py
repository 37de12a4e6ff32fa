"""Random workflows and random stimuli: what is exported for Temporal is what its SDK would have done."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, assume, given

from tests.property.test_history_replay import runs, written
from tests.random_cases import cases
from tests.unit.temporal.test_export import replayed
from wfsim.errors import NotCovered
from wfsim.model.workflow import Workflow
from wfsim.semantics.instance import Instance
from wfsim.semantics.kernel import Output
from wfsim.semantics.program import Program
from wfsim.semantics.records import Record
from wfsim.temporal.export import to_temporal_history


@cases(20, unchecked=list(HealthCheck))
@given(runs())
def test_random_runs_replay_clean_and_come_to_the_same_end(
    run: tuple[Workflow, Program, list[tuple[int, Instance, Output]], dict[int, list[Record]]],
) -> None:
    workflow, program, steps, records = run
    found: dict[int, dict[str, Any]] = {}
    with written(workflow, program, steps) as history:
        for case in records:
            try:
                found[case] = to_temporal_history(history.case(case))
            except NotCovered:
                continue
    assume(found)
    for case, result in zip(found, replayed(list(found.values()))):
        closed = [record for record in records[case] if record.kind == "instance_closed"]
        if closed and closed[0].status == "completed":
            assert result["version"] == closed[0].seq
            assert result["output"] == closed[0].payload.get("output", {})
        else:
            assert result is None
