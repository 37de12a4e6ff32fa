"""Questions about several instances that share pools, answered from one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import wfsim as wf
from tests.unit.verification.test_properties import GO, STOP, C, workflow
from wfsim.errors import DefinitionError, NetError
from wfsim.verification.workflows.properties import Property, verify
from wfsim.verification.workflows.space import explore_workflow
from wfsim.verification.workflows.together import Shared

DESK = {"f": {"pool": "desk", "retry_policy": {"max_attempts": 1, "initial_interval": "1s"}}}
PACKING = workflow(
    [{"from": "a", "event": e, "to": "c"} for e in ("done", "error")],
    [{"name": "a", "activity": "f"}, C],
    activities=DESK,
)


def part(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "initial_state": "x",
        "states": [
            {"name": "x", "activity": "f"},
            {"name": "y", "is_terminal": True},
            {"name": "z", "is_terminal": True},
        ],
        "transitions": [{"from": "x", "event": "done", "to": "y"}, {"from": "x", "event": "error", "to": "z"}],
    }


def asked(flow: wf.Workflow, name: str, **options: Any) -> Any:
    (verdict,) = verify(flow, [Property(name, options)])
    return verdict


@pytest.mark.parametrize("name", ["no_deadlock", "can_complete"])
def test_instances_that_share_workers_never_block_each_other(name: str) -> None:
    verdict = asked(PACKING, name, instances=3, pools={"desk": 2})
    assert verdict
    assert "any number of instances" in verdict.reason
    assert "step" in verdict.method


def test_what_one_cannot_do_alone_several_cannot() -> None:
    stuck = workflow([GO | {"to": "b"}, STOP], ["a", "b", C])
    verdict = asked(stuck, "no_deadlock", instances=3)
    assert verdict.status == "violated"
    assert [step.action for step in verdict.witness.steps] == ["start()", "event go"]
    assert verdict.witness.replay()[-1].state == "b"


def test_conditions_count() -> None:
    data = {"events": {"go": {"payload": {"k": "integer"}}, "stop": {}}}
    never = workflow([GO | {"condition": "event.k > 3 and event.k < 2"}], **data)
    verdict = asked(never, "no_deadlock")
    # An event may come, and is turned away: nothing ever changes.
    assert verdict.status == "violated"
    assert wf.soundness(never)
    either = [GO | {"condition": "event.k > 3"}, GO | {"condition": "event.k <= 3"}, GO | {"to": "b"}]
    assert asked(workflow(either, ["a", "b", C], **data), "no_deadlock")
    assert not wf.soundness(workflow(either, ["a", "b", C], **data))


def test_one_instance_wants_no_more_workers_than_there_are() -> None:
    both = {"name": "a", "parallel": {"regions": [part("left"), part("right")]}}
    ends = [{"from": "a", "event": "done", "to": "c"}, {"from": "a", "event": "error", "to": "c"}]
    flow = workflow(ends, [both, C], activities=DESK)
    space = explore_workflow(flow)
    most = [
        max(Shared(space, pools).held(k).total() for k in Shared(space, pools).states)
        for pools in ({"desk": 1}, {"desk": 2})
    ]
    assert most == [1, 2]
    assert len(Shared(space, {"desk": 1}).states) < len(Shared(space, {}).states) == space.n_states


def test_without_values_that_stand_for_all_the_net_is_asked() -> None:
    data = {"events": {"go": {"payload": {"k": "integer"}}, "stop": {}}}
    verdict = asked(workflow([GO | {"condition": "event.k % 7 == 3"}, STOP], **data), "no_deadlock", instances=2)
    assert verdict
    assert "conditions may come out either way, and clocks may expire at any moment or never" in verdict.assumptions


@pytest.mark.parametrize("name", ["no_deadlock", "can_complete"])
def test_pools_that_do_not_exist_are_refused(name: str) -> None:
    with pytest.raises(NetError, match=r"names the pool 'dsk'. Pools: desk. Did you mean 'desk'"):
        asked(PACKING, name, pools={"dsk": 1})
    with pytest.raises(NetError, match="pool 'desk' has 0 workers"):
        asked(PACKING, name, pools={"desk": 0})


def test_items_are_no_option_of_can_complete(tmp_path: Path) -> None:
    (tmp_path / "asked.yaml").write_text("properties:\n  - can_complete: {items: 3}\n")
    with pytest.raises(DefinitionError, match="items"):
        verify(PACKING, tmp_path / "asked.yaml")
