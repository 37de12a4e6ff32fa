"""Limits of time in questions to workflows: they hold in every phase, and what they leave open is said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import wfsim as wf
from tests.clock import Looks
from wfsim.model.workflow import Workflow
from wfsim.net.translate.draft import NetDraft
from wfsim.verification.nets import readiness
from wfsim.verification.verdict import Status
from wfsim.verification.workflows import compiled_cache
from wfsim.verification.workflows.compiled_space import CompiledSearch
from wfsim.verification.workflows.conditions.formulas import Formulas
from wfsim.verification.workflows.conditions.questions import Questions
from wfsim.verification.workflows.properties import PROPERTIES
from wfsim.verification.workflows.runs import Moments
from wfsim.verification.workflows.space import WorkflowSpace, explore_workflow
from wfsim.verification.workflows.symbolic import induction
from wfsim.verification.workflows.symbolic.system import System


def chain(n: int) -> Workflow:
    """States in a row, each left on one of two conditions, with a way back to the first and a way out."""
    w = wf.Builder("chain").variable("k", "number", input=True)
    w.variable("n", "integer", initial=0, minimum=0, maximum=3)
    for name in ("go", "back"):
        w.event(name)
    for k in range(n):
        following = f"s{k + 1}" if k + 1 < n else "done"
        w.state(f"s{k}", initial=k == 0, timeout="1h")
        w.transition(f"s{k}", following, on="go", condition=f"context.k > {k}.5")
        w.transition(f"s{k}", following, on="go", condition=f"context.k < {k}.0 and context.n < 3")
        w.transition(f"s{k}", "s0", on="back", before=[w.set("n", "${context.n + 1 if context.n < 3 else 0}")])
        w.transition(f"s{k}", "done", on="timeout")
    return w.state("done", terminal=True).build()


DEAR = [
    (WorkflowSpace, "apply"),
    (Moments, "next"),
    (NetDraft, "make"),
    (Questions, "ask"),
    (Formulas, "solve"),
    (System, "_after"),
]
"""What is done again and again where an answer takes long."""
QUESTIONS = [
    # There is nothing to settle in a chain.
    *(wf.Property(name) for name in PROPERTIES if name != "settled"),
    wf.Property("never", "context.n > 3"),
    wf.Property("eventually", "closed"),
    wf.Property("leads_to", {"from": "context.n > 0", "to": "closed"}),
    wf.Property("eventually", {"of": "closed", "fairness": "strong"}),
]


def counted(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How often something dear was done."""
    done = 0

    def once(function: Any) -> Any:
        def told(*arguments: Any, **more: Any) -> Any:
            nonlocal done
            done += 1
            return function(*arguments, **more)

        return told

    for where, name in DEAR:
        monkeypatch.setattr(where, name, once(getattr(where, name)))
    return lambda: done


@pytest.mark.parametrize("asked", QUESTIONS, ids=str)
def test_no_question_goes_on_when_its_time_is_over(monkeypatch: pytest.MonkeyPatch, asked: wf.Property) -> None:
    workflow = chain(200)
    done = counted(monkeypatch)
    Looks(monkeypatch)
    (verdict,) = wf.verify(workflow, [asked], max_seconds=20)
    assert done() < 200
    if verdict.status is Status.UNKNOWN:
        assert "max_seconds" in verdict.reason
    else:
        assert verdict.status is Status.VIOLATED


def test_without_a_limit_the_same_questions_have_more_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    done = counted(monkeypatch)
    wf.verify(chain(200), [wf.Property("conditions_complete"), wf.Property("sound")])
    assert done() > 1_000


def test_each_question_has_all_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = Looks(monkeypatch)
    report = wf.verify(chain(200), [wf.Property("sound"), wf.Property("can_complete")], max_seconds=50)
    assert [each.status for each in report] == [Status.UNKNOWN, Status.UNKNOWN]
    assert 100 <= looks.n < 400


def test_soundness_of_a_workflow_has_time_for_its_translation_too(monkeypatch: pytest.MonkeyPatch) -> None:
    done = counted(monkeypatch)
    Looks(monkeypatch)
    verdict = wf.soundness(chain(200), max_seconds=20)
    assert verdict.status is Status.UNKNOWN
    assert "Stopped after 20 s, while the workflow was translated to a net. Raise max_seconds." in verdict.reason
    assert done() < 50


def test_conditions_that_were_not_asked_about_are_not_called_good(monkeypatch: pytest.MonkeyPatch) -> None:
    Looks(monkeypatch)
    report = wf.conditions(chain(100), kinds=["gap"], max_seconds=20)
    last = report.findings[-1]
    assert (last.kind, last.status) == ("gap", Status.UNKNOWN)
    assert "max_seconds=20 was over before this was asked about, and about" in last.told
    assert report.n_questions < 30


def test_a_search_that_would_have_to_be_loaded_stays_in_python_if_the_time_is_short(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(compiled_cache.SEARCH, "_loaded", None)
    monkeypatch.setattr(compiled_cache, "is_cached", lambda arguments: True)
    monkeypatch.setattr(CompiledSearch, "run", lambda *arguments: pytest.fail("it was begun"))
    monkeypatch.setattr("wfsim.verification.workflows.space.MANY_EDGES", 10)
    monkeypatch.setattr("wfsim.verification.workflows.space.FEW_EDGES", 10)
    assert explore_workflow(chain(10), max_seconds=compiled_cache.LOADING - 0.1).n_edges > 10


def test_what_has_to_be_compiled_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(readiness, "loaded", set())
    for ready in (True, False):
        monkeypatch.setattr(readiness, "is_cached", lambda which, ready=ready: ready)
        readiness.announce(readiness.Compiled.PLAIN)
        told = capsys.readouterr()
        assert told.err == (
            "" if ready else "wfsim compiles the search of nets; this takes up to a minute, once on this machine.\n"
        )
        assert told.out == ""


def test_without_a_time_a_question_about_all_values_ends_with_its_work_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    summing = wf.loads("""
name: summing
version: 1.0.0
initial_state: a
variables: {n: {type: integer, initial: 0, minimum: 0}}
events: {pay: {payload: {k: integer}}, go: {}}
states: [{name: a}, {name: z, is_terminal: true}]
transitions:
  - from: a
    event: pay
    condition: event.k * 2 > 6
    pre_actions: [{action_type: set_variable, parameters: {name: n, value: "${context.n + event.k}"}}]
  - {from: a, event: go, to: z, condition: context.n * 3 == 7}
unhandled: reject
""")
    asked = [wf.Property("states_reachable"), wf.Property("never", "context.n == 1")]
    told = []
    for work in (30_000, 30_000, 3_000_000):
        monkeypatch.setattr(induction, "WORK", work)
        told.append([(str(each.status), each.reason) for each in wf.verify(summing, asked, max_states=100)])
    assert told[0] == told[1]
    for status, reason in told[0]:
        assert status == "unknown"
        assert "as much work is done as without max_seconds is tried" in reason
    assert [status for status, _ in told[2]] == ["violated", "holds"]
