"""What one instance tells of several that share pools, against a search of all of them together.

The several are a net: a place for each state that one instance can be in, a net transition for each thing that can
happen to it, and a place with the free workers of each pool. Tokens are not told apart, which is instance symmetry.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

import wfsim as wf
from tests.differential.rich_workflows import rich_workflow
from wfsim.net.petri import PetriNet
from wfsim.semantics.codes import COMPLETED
from wfsim.verification.workflows.properties import Property, verify
from wfsim.verification.workflows.space import WorkflowSpace, explore_workflow
from wfsim.verification.workflows.together import Shared

POOLS = ({"desk": 1}, {"desk": 1, "bench": 1}, {"desk": 2, "bench": 1})


def pooled(number: int) -> wf.Workflow:
    """A random workflow whose activities want workers."""
    flow = rich_workflow(number, undo=number % 2 == 0)
    pools = {"f": "desk", "g": "bench"}
    return flow.model_copy(
        update={
            "activities": {
                name: each.model_copy(update={"pool": pools[name]}) if name in pools else each
                for name, each in flow.activities.items()
            }
        }
    )


def together(space: WorkflowSpace, instances: int, pools: dict[str, int]) -> PetriNet:
    """So many instances in one net; those that have completed meet in `done`."""
    held = [Shared(space, pools).held(k) for k in range(space.n_states)]
    moves: dict[tuple[str, str], Counter[str]] = {}
    for edge in space.starts:
        moves["start", f"s{edge.target}"] = held[edge.target]
    for k, edges in enumerate(space.edges):
        for edge in edges:
            moves[f"s{k}", f"s{edge.target}"] = Counter(held[edge.target])
            moves[f"s{k}", f"s{edge.target}"].subtract(held[k])
    arcs: list[tuple[Any, ...]] = []
    for (source, target), workers in moves.items():
        name = f"{source}>{target}"
        free = [(pool, -n) for pool, n in workers.items() if n < 0]
        wanted = [(pool, n) for pool, n in workers.items() if n > 0]
        arcs += [(source, name), (name, target)]
        arcs += [(pool, name, n) for pool, n in wanted] + [(name, pool, n) for pool, n in free]
    for k, snapshot in enumerate(space.snapshots):
        if snapshot[0] == COMPLETED:
            arcs += [(f"s{k}", f"done{k}"), (f"done{k}", "done")]
    names = dict.fromkeys(arc[0] if ">" in arc[0] or arc[0].startswith("done") else arc[1] for arc in arcs)
    transitions = [name for name in names if name != "done"]
    places = ["start", "done", *(f"s{k}" for k in range(space.n_states)), *pools]
    return PetriNet("together", places, transitions, arcs, {"start": instances, **pools})


def standstill(space: WorkflowSpace, net: PetriNet, instances: int) -> tuple[bool, bool]:
    """Whether the instances can come to a standstill, and whether some can be in a state from which not all complete.

    A standstill in which an instance has failed or timed out is none: that instance is closed.
    """
    found = wf.explore(net, max_markings=400_000)
    assert found.complete
    states = [net.place_index(f"s{k}") for k in range(space.n_states)]
    opened = [p for p, snapshot in zip(states, space.snapshots) if snapshot[0] < COMPLETED]
    stuck = any(any(found.tokens[k][p] for p in opened) for k in found.deadlock_numbers())
    done = net.place_index("done")
    ended = [p for p, snapshot in zip(states, space.snapshots) if snapshot[0] > COMPLETED]
    # Each must be able to complete, so none that is open may have to fail.
    failed = [sum(tokens[p] for p in ended) for tokens in found.tokens]
    lost = False
    for n in set(failed):
        able = found.able_to_reach(
            k for k, tokens in enumerate(found.tokens) if failed[k] == n and tokens[done] + n == instances
        )
        lost |= any(
            failed[k] == n and any(found.tokens[k][p] for p in opened) and not able[k] for k in range(len(able))
        )
    return stuck, lost


@pytest.mark.parametrize("block", range(3))
def test_one_instance_tells_what_two_do(block: int) -> None:
    compared = Counter[tuple[bool, bool]]()
    for number in range(30 * block, 30 * block + 30):
        flow = pooled(number)
        space = explore_workflow(flow, max_states=60)
        if not space.complete or not space.exact or space.n_states < 5:
            continue
        known = {activity.pool for activity in flow.activities.values()}
        for pools in POOLS:
            if not known.issuperset(pools):
                continue
            expected = standstill(space, together(space, 2, pools), 2)
            asked = [Property(name, {"instances": 2, "pools": pools}) for name in ("no_deadlock", "can_complete")]
            deadlock, complete = verify(flow, asked)
            assert (deadlock.status == "violated", complete.status == "violated") == expected, (number, pools)
            assert all(verdict.witness is None or verdict.witness.replay() for verdict in (deadlock, complete))
            compared[expected] += 1
    assert len(compared) >= 2, compared
    assert compared.total() >= 10, compared
