"""Properties decided for all values against the search with candidate values, on random small workflows."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, reject

from tests.differential.rich_workflows import rich_workflow
from tests.random_cases import cases
from tests.strategies import workflows
from wfsim.errors import NotCovered
from wfsim.model.catalogue import Catalogue
from wfsim.model.workflow import Workflow
from wfsim.semantics.compile import compile_workflow
from wfsim.verification.nets.limits import UNLIMITED
from wfsim.verification.property import Property
from wfsim.verification.workflows import watched
from wfsim.verification.workflows.claims import unknown_names
from wfsim.verification.workflows.patterns import PATTERNS
from wfsim.verification.workflows.searched import Search
from wfsim.verification.workflows.symbolic.induction import symbolic_space

ASKED = [
    Property("always", "context.n <= 2"),
    Property("never", "context.n == 2 and once(event.go)"),
    Property("never", "context.maybe != null and context.maybe > 4"),
    Property("never", "context.flag and context.word == 'y'"),
    Property("at_most", {"event": "go", "times": 1}),
    Property("never", 'state == "s1" and not context.flag'),
    Property("absence", {"of": "context.n > 0", "after": "event.stop"}),
    Property("never", 'status == "failed"'),
]


def compared(workflow: Workflow, asked: list[Property], work: int = 6_000_000) -> list[str]:
    """The answers for all values; each must agree with the search, and each run must replay."""
    found = []
    program = compile_workflow(workflow)
    symbolic = symbolic_space(workflow, UNLIMITED.at_most(work))
    for each in asked:
        pattern = PATTERNS[each.name].model_validate(each.options)
        automaton = pattern.automaton()
        if any(unknown_names(claim, program) for claim in automaton.claims):
            continue
        search = Search(workflow, 1_000, UNLIMITED, Catalogue(), automaton.claims)
        search.symbolic = symbolic
        searched = watched._searched(search, each, pattern, automaton)
        decided = watched._of_all_values(search, each, pattern, automaton)
        pair = (str(searched.status), str(decided.status))
        assert pair not in [("holds", "violated"), ("violated", "holds"), ("error", "holds"), ("holds", "error")], (
            f"{each}: {searched}\n{decided}"
        )
        if decided.witness is not None:
            assert decided.witness.replay()
        found.append(pair[1])
    return found


@cases(6, unchecked=list(HealthCheck))
@given(workflows())
def test_what_is_decided_for_all_values_agrees_with_the_search(workflow: Workflow) -> None:
    try:
        compared(workflow, ASKED, 1_000_000)
    except NotCovered:
        # It reads the clock, or lists and objects that are not followed for all values.
        reject()


@pytest.mark.parametrize("number", range(8))
def test_rich_workflows_agree_too_and_are_decided(number: int) -> None:
    asked = [Property("always", "context.n <= 2"), Property("never", 'status == "failed"')]
    assert "unknown" not in compared(rich_workflow(number), asked)
