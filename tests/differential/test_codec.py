"""One codec and one list of what can happen: interpreted and compiled they write the same, and instances come back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given

from tests.differential.rich_workflows import rich_workflow
from tests.random_cases import cases
from tests.strategies import choices, next_stimulus, workflows
from wfsim.model.workflow import Workflow
from wfsim.semantics import dtypes, roots
from wfsim.semantics.arrays import from_array, to_array
from wfsim.semantics.codec import N_SCRATCH, ROWS, unpack
from wfsim.semantics.codes import FREE
from wfsim.semantics.compile import compile_workflow
from wfsim.semantics.instance import Instance
from wfsim.semantics.possible import KIND, POSSIBILITY, ROW, possible
from wfsim.semantics.snapshot import Snapshot, add_spare_rows, from_snapshot, longest_line, take_snapshot
from wfsim.semantics.stimulus import Stimulus

MORE = 3


def packed_compiled(instance: Instance) -> Snapshot:
    """`take_snapshot`, by the compiled codec."""
    m, v = to_array(instance.m, dtypes.MEMORY), to_array(instance.v, dtypes.CELL)
    line = np.zeros(longest_line(len(m), len(v)), np.int64)
    n = roots.pack(to_array(instance.program.rows, dtypes.PROGRAM), m, v, 0, scratch(len(m)), line)
    return tuple(line[:n].tolist())


def scratch(rows: int) -> Any:
    return np.zeros(N_SCRATCH * rows, np.int64)


def unpacked_compiled(instance: Instance, snapshot: Snapshot) -> tuple[list[Any], list[Any]]:
    """The rows and cells of `from_snapshot`, by the compiled codec, as rows of the same classes."""
    fresh = Instance(instance.program, texts=instance.texts)
    add_spare_rows(fresh, snapshot[ROWS])
    m, v = to_array(fresh.m, dtypes.MEMORY), to_array(fresh.v, dtypes.CELL)
    p = to_array(instance.program.rows, dtypes.PROGRAM)
    roots.unpack(p, m, v, 0, scratch(len(m)), np.array(snapshot, np.int64))
    rows, cells = [type(row)() for row in instance.m], [type(cell)() for cell in instance.v]
    from_array(m, rows)
    from_array(v, cells)
    return rows, cells


def both_possible(instance: Instance) -> tuple[list[int], list[int]]:
    """What can happen, interpreted and compiled."""
    size = len(instance.m)
    room = POSSIBILITY * (instance.program.head.n_events + 3 * size)
    plain, quick = [0] * room, np.zeros(room, np.int64)
    n = possible(instance.program.rows, instance.m, 0, [0] * (N_SCRATCH * size), plain)
    p, m = to_array(instance.program.rows, dtypes.PROGRAM), to_array(instance.m, dtypes.MEMORY)
    assert roots.possible(p, m, 0, scratch(size), quick) == n
    return plain[: POSSIBILITY * n], quick[: POSSIBILITY * n].tolist()


def checked(workflow: Workflow, picks: list[tuple[int, int]]) -> int:
    """Drive an instance, and look at every state it is in; returns the most rows that one of them takes."""
    instance = Instance(compile_workflow(workflow), key=1)
    instance.apply(Stimulus("start"))
    most = 0
    for number in range(len(picks) + 1):
        snapshot = take_snapshot(instance)
        most = max(most, snapshot[ROWS])
        assert packed_compiled(instance) == snapshot
        twin = from_snapshot(instance.program, instance.texts, snapshot)
        assert take_snapshot(twin) == snapshot
        assert unpacked_compiled(twin, snapshot) == (twin.m, twin.v)
        plain, quick = both_possible(twin)
        assert plain == quick
        # Numbers are given anew; what can happen stays.
        there, _ = both_possible(instance)
        assert (there[KIND::POSSIBILITY], there[ROW::POSSIBILITY]) == (
            plain[KIND::POSSIBILITY],
            plain[ROW::POSSIBILITY],
        )
        if number < len(picks):
            instance.apply(next_stimulus(instance, *picks[number], number))
    return most


@pytest.mark.parametrize("kind", range(4))
def test_rich_workflows_are_packed_and_unpacked_the_same_at_both_speeds(kind: int) -> None:
    most = 0
    for number in range(kind, 120, 4):
        options = {"undo": number % 2 == 0, "children": number % 3 == 0, "waits": number % 5 < 2}
        flow = rich_workflow(number, **options, recalls=number % 6 == 0)
        most = max(most, checked(flow, [(7 * number + 31 * k, k % 5) for k in range(20)]))
    assert most >= MORE


@cases(25)
@given(workflows(regions=True, undo=True, children=True), choices)
def test_random_definitions_are_packed_and_unpacked_the_same_at_both_speeds(
    workflow: Workflow, picks: list[tuple[int, int]]
) -> None:
    checked(workflow, picks)


@pytest.mark.parametrize("spare", [0, 5])
def test_rows_that_a_state_does_not_take_stay_free(spare: int) -> None:
    flow = rich_workflow(66, undo=True, children=True)
    instance = Instance(compile_workflow(flow))
    instance.apply(Stimulus("start"))
    snapshot = take_snapshot(instance)
    twin = Instance(instance.program, texts=instance.texts)
    add_spare_rows(twin, snapshot[ROWS] + spare)
    before = from_snapshot(instance.program, instance.texts, snapshot)
    unpack(twin.program.rows, twin.m, twin.v, 0, [0] * (N_SCRATCH * len(twin.m)), list(snapshot))
    assert take_snapshot(twin) == snapshot
    assert (twin.m[FREE].length, before.m[FREE].length) == (spare, 0)
    assert (twin.m[FREE].first >= 0) == (spare > 0)
