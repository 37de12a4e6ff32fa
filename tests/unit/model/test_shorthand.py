"""What a file writes once and means several times."""

from __future__ import annotations

from pathlib import Path

import pytest

import wfsim as wf
from wfsim.model.yaml_writer import write

SHORT = """\
name: short            # a comment
initial_state: a
policies:
  patient: {max_attempts: 5, initial_interval: 1s}
activities:
  f: {retry_policy: patient, timeout: 1m}
  g: {}
retry_policy: patient
states:
  - {name: a, activity: f}
  - {name: b, activity: g}
  - name: p
    parallel:
      regions:
        - name: r
          initial_state: x
          states: [{name: x}, {name: y}, {name: z, is_terminal: true}]
          transitions:
            - {from: x, event: go, to: y}
            - {from: [x, y], event: end, to: z}
  - {name: c, is_terminal: true}
transitions:
  - {from: [a, b], event: stop, to: c}
  - {from: a, event: done, to: b}
  - {from: [b, p], event: done, to: c}
  - {from: b, event: error, to: p}
"""


def test_everything_is_spelt_out() -> None:
    workflow = wf.loads(SHORT)
    assert [str(t) for t in workflow.transitions] == [
        "a → c on stop",
        "b → c on stop",
        "a → b on done",
        "b → c on done",
        "p → c on done",
        "b → p on error",
    ]
    parallel = workflow.state("p").parallel
    assert parallel is not None
    assert [str(t) for t in parallel.regions[0].transitions] == ["x → y on go", "x → z on end", "y → z on end"]
    policy = workflow.activities["f"].retry_policy
    assert policy is not None
    assert (policy.max_attempts, policy) == (5, workflow.retry_policy)
    assert wf.loads(write(workflow)) == workflow


def test_text_is_kept_while_nothing_changes_and_spelt_out_afterwards() -> None:
    workflow = wf.loads(SHORT)
    assert wf.dumps(workflow) == SHORT
    changed = workflow.model_copy(update={"description": "changed"})
    assert wf.loads(wf.dumps(changed)) == changed
    assert "policies" not in wf.dumps(changed)


def test_findings_and_problems_stand_where_they_are_written() -> None:
    with pytest.raises(wf.DefinitionError) as caught:
        wf.loads(SHORT.replace("from: [b, p], event: done, to: c", "from: [b, p], event: done, to: d"), "s.yaml")
    lines = {line for _, line, _ in caught.value.problems}
    assert lines == {25}
    with pytest.raises(wf.DefinitionError, match=r"s\.yaml:26: .*leads to 'q'"):
        wf.loads(SHORT.replace("event: error, to: p", "event: error, to: q"), "s.yaml")
    with pytest.raises(wf.DefinitionError, match=r"s\.yaml:20: .*leads to 'w'"):
        wf.loads(SHORT.replace("event: end, to: z", "event: end, to: w"), "s.yaml")
    places = {finding.line for finding in wf.lint(wf.loads(SHORT, "s.yaml")) if finding.code == "activity-unclocked"}
    assert places <= {6, 7}


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("[a, b], event: stop", "[], event: stop", r":23: the list of states that this transition leaves is empty"),
        ("[a, b], event: stop", "[a, a], event: stop", r":23: .*leaves names the text 'a' twice"),
        ("[a, b], event: stop", "a, event: [stop, stop]", r":23: .*events that this transition is on names .* twice"),
        ("[a, b], event: stop", "a, event: []", r":23: the list of events that this transition is on is empty"),
        ("[a, b], event: stop", "[a, b], except: [p], event: stop", r":23: except belongs to from: \"\*\""),
        ("[a, b], event: stop", "'*', except: [q], event: stop", r":23: except names the text 'q', .*States?|Such"),
        ("[a, b], event: stop", "'*', except: [c], event: stop", r":23: except names the text 'c', which is not"),
        ("[a, b], event: stop", "'*', except: [a, b, p], event: stop", r":23: from: \"\*\" leaves no state"),
        ("[a, b], event: stop", "[a, b], event: [stop, halt], after: 1s", r":23: .*an event or a time"),
        (
            "f: {retry_policy: patient",
            "f: {retry_policy: patent",
            r":6: there is no policy 'patent'\. Policies: patient",
        ),
        ("policies:\n  patient: {", "policies: []\nvariables:\n  patient: {", r":3: policies are a mapping from names"),
    ],
)
def test_shorthand_that_means_nothing_is_refused(old: str, new: str, told: str) -> None:
    with pytest.raises(wf.DefinitionError, match=told):
        wf.loads(SHORT.replace(old, new), "s.yaml")


LISTS = """\
name: lists
version: 1.0.0
initial_state: a
events: {stop: {}, halt: {}, go: {}, end: {}, tick: {}}
states:
  - {name: a}
  - {name: b}
  - name: p
    parallel:
      regions:
        - name: r
          initial_state: x
          states:
            - {name: x}
            - {name: y}
            - {name: z, is_terminal: true}
          transitions:
            # Every way out of the region.
            - {from: "*", event: end, to: z}
            - {from: x, event: go, to: y}
  - {name: c, is_terminal: true}
transitions:
  # By hand or by rule.
  - {from: "*", except: [p], event: [stop, halt], to: c}
  - {from: [a, p], event: [go, tick], to: b}
  - {from: b, event: go, to: p}  # plain
"""


def test_lists_of_events_and_all_states_are_spelt_out_in_order() -> None:
    workflow = wf.loads(LISTS)
    assert [str(t) for t in workflow.transitions] == [
        "a → c on stop",
        "a → c on halt",
        "b → c on stop",
        "b → c on halt",
        "a → b on go",
        "a → b on tick",
        "p → b on go",
        "p → b on tick",
        "b → p on go",
    ]
    parallel = workflow.state("p").parallel
    assert parallel is not None
    assert [str(t) for t in parallel.regions[0].transitions] == ["x → z on end", "y → z on end", "x → y on go"]
    assert wf.loads(write(workflow)) == workflow


def test_the_builder_takes_lists_and_all_states_as_well() -> None:
    built = wf.Builder("lists")
    for event in ("stop", "halt", "go"):
        built.event(event)
    built.state("a", initial=True).state("b").state("c", terminal=True)
    built.transition("*", "c", on=["stop", "halt"], excluding=["b"]).transition(["a", "b"], on="go")
    assert [str(t) for t in built.build().transitions] == [
        "a → c on stop",
        "a → c on halt",
        "a → (none) on go",
        "b → (none) on go",
    ]
    with pytest.raises(wf.DefinitionError, match=r"excluding goes with the source '\*'"):
        built.transition("a", "c", on="stop", excluding=["b"])
    with pytest.raises(wf.DefinitionError, match=r"except names the text 'd', which is not a state"):
        built.transition("*", "c", on="stop", excluding=["d"]).build()


def changed(text: str, *edits: tuple[str, str]) -> tuple[str, wf.Workflow]:
    """The text as saved after its workflow was changed as the same replacements in its spelt-out text change it."""
    workflow = wf.loads(text)
    spelt = write(workflow)
    for old, new in edits:
        assert old in spelt
        spelt = spelt.replace(old, new)
    other = wf.loads(spelt)
    other._source = workflow._source
    return wf.dumps(other), other


@pytest.mark.parametrize(
    ("edits", "kept"),
    [
        ([("name: lists", "name: other")], LISTS.replace("name: lists", "name: other")),
        (
            [("halt", "cease")],
            LISTS.replace("halt", "cease"),
        ),
        ([("to: z, event: end", "event: end")], LISTS.replace("event: end, to: z", "event: end")),
        (
            [("{from: b, to: c, event: halt}\n  - ", "")],
            LISTS.replace(
                '{from: "*", except: [p], event: [stop, halt], to: c}',
                "{from: a, to: c, event: stop}\n  - {from: a, to: c, event: halt}\n  - {from: b, to: c, event: stop}",
            ),
        ),
        (
            [("{name: b}", "{name: b}\n  - {name: n}")],
            LISTS.replace("{name: b}", "{name: b}\n  - {name: n}").replace(
                'from: "*", except: [p], event: [stop', "from: [a, b], event: [stop"
            ),
        ),
    ],
)
def test_lists_stay_lists_where_their_transitions_stay_alike(edits: list[tuple[str, str]], kept: str) -> None:
    text, workflow = changed(LISTS, *edits)
    assert wf.loads(text) == workflow
    assert text == kept


MAIN = """\
name: main
include: common.shared.yaml
initial_state: a
activities:
  own: {retry_policy: patient}
states: [{name: a, activity: charge}, {name: b, is_terminal: true}]
transitions: [{from: a, event: done, to: b}, {from: a, event: paid, to: b}, {from: b, event: error}]
"""
COMMON = """\
policies: {patient: {max_attempts: 4}}
activities: {charge: {retry_policy: patient, timeout: 5m}}
events: {paid: {payload: {amount: number}}}
variables: {total: {type: number, initial: 0}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "main.yaml").write_text(MAIN.replace(", {from: b, event: error}", ""))
    (tmp_path / "common.shared.yaml").write_text(COMMON)
    return tmp_path


def test_shared_sections_are_included_from_a_file_beside(folder: Path) -> None:
    workflow = wf.load(folder / "main.yaml")
    assert set(workflow.activities) == {"charge", "own"}
    assert workflow.activities["charge"].retry_policy == workflow.activities["own"].retry_policy
    assert set(workflow.events) == {"paid"}
    assert set(workflow.variables) == {"total"}
    # The text of a workflow can be read by itself.
    assert wf.loads(wf.dumps(workflow)) == workflow
    assert list(wf.Catalogue(folder)) == [workflow]


def test_saved_beside_them_unchanged_it_goes_on_including(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    workflow = wf.load(folder / "main.yaml")
    text = (folder / "main.yaml").read_text()
    wf.save(workflow, folder / "copy.yaml")
    assert (folder / "copy.yaml").read_text() == text
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    wf.save(workflow, elsewhere / "main.yaml")
    assert wf.load(elsewhere / "main.yaml") == workflow
    assert "include" not in (elsewhere / "main.yaml").read_text()


@pytest.mark.parametrize(
    ("include", "told"),
    [
        ("../common.shared.yaml", r"include names files beside this one that end in \.shared\.yaml"),
        ("common.yaml", r"include names files beside this one"),
        ("7", r"not the number 7"),
        (
            "comon.shared.yaml",
            r"no file 'comon\.shared\.yaml' beside this one\..*Did you mean 'common\.shared\.yaml'\?",
        ),
        ("[common.shared.yaml, common.shared.yaml]", r"both have policies\.patient\. Keep one"),
    ],
)
def test_what_cannot_be_included_is_told(folder: Path, include: str, told: str) -> None:
    (folder / "main.yaml").write_text(MAIN.replace("include: common.shared.yaml", f"include: {include}"))
    with pytest.raises(wf.DefinitionError, match=told):
        wf.load(folder / "main.yaml")


def test_a_text_includes_nothing() -> None:
    with pytest.raises(wf.DefinitionError, match=r"'common\.shared\.yaml' cannot be included into a text"):
        wf.loads(MAIN)


@pytest.mark.parametrize(
    ("shared", "told"),
    [
        ("states: []\n", "has 'states'; a shared file holds variables, events, activities, policies"),
        ("- a\n", "not a mapping with some of"),
        ("activities: {own: {}}\n", r"both have activities\.own\. Keep one"),
    ],
)
def test_a_shared_file_holds_sections_that_nobody_has_yet(folder: Path, shared: str, told: str) -> None:
    (folder / "common.shared.yaml").write_text(shared)
    with pytest.raises(wf.DefinitionError, match=told):
        wf.load(folder / "main.yaml")
