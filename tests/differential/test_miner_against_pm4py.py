"""The inductive miner on logs of random process trees, with that of pm4py as a second opinion.

pm4py is AGPL-licensed: it is used in tests and benchmarks only, and no part of wfsim imports it.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import assume, given
from pm4py.algo.discovery.inductive.dtypes.im_ds import IMDataStructureUVCL
from pm4py.algo.discovery.inductive.variants.im import IMUVCL
from pm4py.objects.process_tree.obj import Operator as Other
from pm4py.util.compression.dtypes import UVCL

from tests.random_cases import cases
from tests.trees import trees, words
from wfsim.mining.logs import Log
from wfsim.mining.miner import mine
from wfsim.mining.tree import TAU, Tree, choice, leaf, loop, parallel, sequence

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::PendingDeprecationWarning", "ignore::UserWarning"
)

LONGEST = 7


def theirs(log: Log) -> Tree:
    """The tree that pm4py finds."""
    traces = UVCL()
    traces.update(log.traces)
    return read(IMUVCL({}).apply(IMDataStructureUVCL(traces), {}))


def read(tree: Any) -> Tree:
    if tree.operator is None:
        return TAU if tree.label is None else leaf(tree.label)
    children = [read(child) for child in tree.children]
    if tree.operator is Other.LOOP:
        return loop(children[0], choice(children[1:]))
    return {Other.SEQUENCE: sequence, Other.XOR: choice, Other.PARALLEL: parallel}[tree.operator](children)


def test_a_language_that_pm4py_finds_again_is_found_again_and_no_more_is_allowed_elsewhere() -> None:
    seen = Counter[str]()

    @cases(120)
    @given(trees(6))
    def compare(tree: Tree) -> None:
        known = words(tree, min(LONGEST, len(tree.activities) + 2))
        longest = max(map(len, known), default=0)
        assume(longest > 0 and len(known) < 2_000)
        log = Log(dict.fromkeys(known, 1))
        ours, other = (words(found, longest) for found in (mine(log), theirs(log)))
        assert known <= ours
        if other == known:
            assert ours == known
        seen["again" if ours == known else "more" if ours > other else "as much"] += 1

    compare()
    assert seen["again"] > 9 * (seen["more"] + seen["as much"])
    assert not seen["more"]
