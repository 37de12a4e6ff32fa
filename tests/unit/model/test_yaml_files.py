"""Reading and writing YAML: strict on the way in, careful with other people's comments on the way out."""

# ruff: noqa: E501

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from wfsim.errors import DefinitionError
from wfsim.model.elements import State, Transition, Variable
from wfsim.model.template import TEMPLATES
from wfsim.model.yaml_io import dumps, load, loads, save, source_of
from wfsim.model.yaml_writer import write

if TYPE_CHECKING:
    from pathlib import Path

HEAD = "name: a\ninitial_state: s\nstates:\n  - {name: s}\n"

COMMENTED = """\
# On top.
name: orders
version: 1.2.3
initial_state: created   # where it begins
variables:
  # how often
  attempts: {type: integer, initial: 0}   # counts
  note: {optional: true}

# --- states ---
states:
  - name: created          # the first
    timeout: 2h            # two hours
  # the middle
  - {name: paid}           # second
  - {name: closed, is_terminal: true}

# --- transitions ---
transitions:
  - {from: created, event: pay, to: paid}   # pay
  # shipping
  - {from: paid, event: ship, to: closed}   # ship

# --- the rest ---
timeouts: {workflow: 30d}   # a month
"""


def problems(text: str) -> str:
    with pytest.raises(DefinitionError) as caught:
        loads(text, "f.yaml")
    told = str(caught.value)
    assert told.startswith("f.yaml:")
    for foreign in ("pydantic", "ruamel", "Traceback", "Input should", "validation error", 'in "<'):
        assert foreign not in told
    return told


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("", 1, "is empty"),
        ("[]", 1, "a list"),
        ("a: b: c", 1, "second `key:`"),
        ("a: [1", 1, "bracket"),
        ('a: "x', 1, "quotation mark"),
        ("name: a\n\tversion: x", 2, "a tab cannot indent"),
        ("name: &a x", 1, "anchors (&a)"),
        ("name: x\nversion: *a", 2, "references (*a)"),
        ("name: !!str x", 1, "tags"),
        ("name: !x x", 1, "tags"),
        ("name: a\nversion: 1.0.0\nname: b", 3, "given twice in the file, first in line 1"),
        ("<<: {a: 1}", 1, "'<<'"),
        ("a: 1\n---\nb: 2", 2, "second document"),
        ("%YAML 1.1\n---\na: 1", 1, "1.2"),
        ("%FOO x\n---\na: 1", 1, "the directive '%FOO x' means nothing here"),
        ("# one\n\n  # two\n%YAML 1.2\n%FOO\n---\na: 1", 5, "the directive '%FOO'"),
        ("a: x\x00", 1, "U+0000"),
        ("a: yes", 1, "'yes'"),
        ("a: [1, On]", 1, "'On'"),
        ("a: TRUE", 1, "'TRUE'"),
        ("a: ~", 1, "'~'"),
        ("a: 0x1F", 1, "decimal"),
        ("a: 0o7", 1, "decimal"),
        ("a: 010", 1, "decimal"),
        ("a: 1_0", 1, "without _"),
        ("a: 1:30", 1, "duration"),
        ("a: .nan", 1, "finite"),
        ("a: -.inf", 1, "finite"),
        ("a: 99999999999999999999", 1, "64 bits"),
        ("a: 1e999", 1, "finite double"),
        ("1: a", 1, "not a text"),
        ("? [a]\n: b", 1, "a key is a text"),
        ("a: @x", 1, "Put it in quotes"),
        ("[" * 100, 1, "deeper than 64"),
        ("a:\n" + "".join(f"{'  ' * i}- \n" for i in range(1, 80)), 65, "deeper than 64"),
        (
            HEAD.replace("{name: s}", "{nme: s}"),
            4,
            "'nme' is not a key of a state. Allowed: name, description",
        ),
        (HEAD.replace("{name: s}", "{nme: s}"), 4, "Did you mean 'name'?"),
        (HEAD.replace("{name: s}", "{name: 1}"), 4, "expected a text, found the number 1. Put it in quotes"),
        (HEAD.replace("{name: s}", "s"), 4, "expected a mapping (key: value), found the text 's'"),
        (
            HEAD.replace("{name: s}", "{name: s, is_terminal: 'yes'}"),
            4,
            "expected true or false, found the text 'yes'",
        ),
        (
            HEAD.replace("{name: s}", "{name: s, is_terminal: 1}"),
            4,
            "expected true or false, found the number 1",
        ),
        (HEAD.replace("{name: s}", "{name: s, timeout: 5 days}"), 4, "us, ms, s, m, h, d, w"),
        (HEAD.replace("{name: s}", "{name: s, timeout: -1}"), 4, "outside"),
        (HEAD.replace("name: a\n", ""), 1, "'name' is missing"),
        (
            HEAD + "unhandled: rejct\n",
            5,
            "expected reject or defer or discard, found the text 'rejct'. Did you mean 'reject'?",
        ),
        (HEAD + "version: 1.0\n", 5, "three numbers: 1.0.0"),
        (HEAD + "max_automatic: 1.5\n", 5, "expected a whole number, found the number 1.5"),
        (HEAD + "max_automatic: '5'\n", 5, "expected a whole number, found the text '5'"),
        (HEAD + "variables:\n  x: {type: strng}\n", 6, "Did you mean 'string'?"),
        (
            HEAD + "variables:\n  x: {minimum: true, type: integer}\n",
            6,
            "expected a whole number or a number, found true",
        ),
        (HEAD + "variables: []\n", 5, "expected a mapping (key: value), found a list of 0"),
        (HEAD + "variables:\n  1x: {}\n", 6, "not an identifier"),
        (HEAD + "retry_policy: {max_attempts: 0}\n", 5, "expected 1 or more, found the number 0"),
        (HEAD + "retry_policy: {max_attempts: 3, backoff_coefficient: 0.5}\n", 5, "expected 1 or more"),
        (
            HEAD + "transitions:\n  - {from: s, to: t, event: e}\n",
            6,
            "leads to 't', which is not a state. States: s.",
        ),
        (
            HEAD + "transitions:\n  - from: s\n    to: s\n    event: e\n    condition: attempts < 3\n",
            9,
            "did you mean `context.attempts`",
        ),
        (HEAD + "transitions:\n  - {from: s, to: s}\n", 6, "needs an event, a time (after, at) or a condition"),
        (
            HEAD + "transitions:\n  - {from: s, event: e, pre_actions: [{name: x}]}\n",
            6,
            "'action_type' is missing",
        ),
        (
            HEAD + "transitions:\n  - {from: s, event: e, pre_actions: [{action_type: run, name: x}]}\n",
            6,
            "Allowed: activity, set_variable",
        ),
        (
            HEAD
            + "transitions:\n  - {from: s, event: e, pre_actions: [{action_type: activity, name: f, parameters: {a: 'x ${event.b'}}]}\n",
            6,
            "no } closes",
        ),
        (HEAD + "correlation: {key: order_id}\n", 5, "did you mean `context.order_id`"),
    ],
)
def test_a_bad_file_is_refused_with_line_and_reason(text: str, line: int, told: str) -> None:
    message = problems(text)
    assert told in message
    assert any(part.startswith(f"f.yaml:{line}: ") and told in part for part in message.splitlines())


def test_all_problems_are_listed_up_to_ten() -> None:
    text = HEAD + "transitions:\n" + "".join(f"  - {{from: s, to: t{i}, event: e}}\n" for i in range(14))
    with pytest.raises(DefinitionError) as caught:
        loads(text, "f.yaml")
    assert len(caught.value.problems) == 14
    assert caught.value.problems[3][:2] == ("f.yaml", 9)
    assert str(caught.value).count("\n") == 10
    assert "and 4 more" in str(caught.value)


def test_a_bomb_of_references_is_refused_at_once() -> None:
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(20)
    )
    assert problems(bomb).startswith("f.yaml:1: anchors (&a) are not allowed")


def test_too_many_values_and_lines_are_refused() -> None:
    lists = ", ".join(f"s{k}" for k in range(1_000))
    many = HEAD + "transitions:\n" + "".join(f"  - {{from: [{lists}], to: s, event: e{k}}}\n" for k in range(20))
    assert "more than 10,000 transitions" in problems(many)
    assert "200,000 values" in problems("a: [" + "1," * 250_000 + "1]")
    assert "500,000" in problems("#\n" * 600_000)


def test_a_file_beyond_ten_megabytes_is_refused_unread(tmp_path: Path) -> None:
    file = tmp_path / "big.yaml"
    with file.open("wb") as stream:
        stream.truncate(11_000_000)
    with pytest.raises(DefinitionError, match="more than 10,000,000 bytes"):
        load(file)


def test_invalid_utf8_and_a_missing_file_are_told(tmp_path: Path) -> None:
    file = tmp_path / "order.yaml"
    file.write_bytes(b"name: a\nversion: \xff\n")
    with pytest.raises(DefinitionError, match=r"order\.yaml:2: byte 0xff is not UTF-8"):
        load(file)
    with pytest.raises(DefinitionError, match=r"cannot be read.*Did you mean 'order\.yaml'"):
        load(tmp_path / "ordr.yaml")
    with pytest.raises(DefinitionError, match="cannot be read"):
        load(tmp_path)


def test_a_byte_order_mark_is_dropped(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + HEAD.encode())
    assert load(file).name == "a"
    assert loads("\ufeff" + HEAD).name == "a"


def test_words_in_quotes_are_texts() -> None:
    text = HEAD.replace("{name: s}", "{name: s}\n  - {name: 'on'}") + (
        "transitions:\n  - {from: s, event: \"yes\", to: 'on'}\n"
    )
    workflow = loads(text)
    assert workflow.transitions[0].event == "yes"
    assert loads(write(workflow)) == workflow


def test_a_workflow_written_and_read_is_equal() -> None:
    for text in [COMMENTED, *TEMPLATES.values()]:
        workflow = loads(text)
        assert loads(write(workflow)) == workflow


def test_an_unchanged_workflow_is_written_as_it_was_read() -> None:
    for text in [COMMENTED, *TEMPLATES.values()]:
        assert dumps(loads(text)) == text


def test_a_changed_workflow_keeps_the_comments_of_what_did_not_change() -> None:
    workflow = loads(COMMENTED)
    states = (
        workflow.states[0].model_copy(update={"timeout": "3h"}),
        State(name="packed", timeout="1d"),
        *workflow.states[1:],
    )
    changed = workflow.model_copy(
        update={
            "states": states,
            "transitions": (workflow.transitions[1], Transition(from_="created", to="paid", event="pay2")),
            "variables": {**workflow.variables, "more": Variable(input=True)},
        }
    )
    text = dumps(changed)
    assert loads(text) == changed.model_copy(update={"states": loads(text).states})
    assert [state.name for state in loads(text).states] == ["created", "packed", "paid", "closed"]
    for comment in (
        "# On top.",
        "created   # where it begins",
        "# how often",
        "# counts",
        "\n\n# --- states ---\nstates:",
        "# the first",
        "3h            # two hours",
        "# second",
        "\n\n# --- transitions ---\ntransitions:",
        "# ship",
        "\n\n# --- the rest ---\ntimeouts:",
        "# a month",
    ):
        assert comment in text


def test_removing_the_last_state_keeps_the_comment_that_introduces_the_next_section() -> None:
    workflow = loads(COMMENTED)
    shorter = workflow.model_copy(update={"states": workflow.states[:-1], "transitions": workflow.transitions[:1]})
    text = dumps(shorter)
    assert loads(text) == shorter
    assert "\n\n# --- transitions ---\ntransitions:" in text
    assert "\n\n# --- the rest ---\ntimeouts:" in text


def test_saving_replaces_the_file_whole_and_keeps_its_mode(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(COMMENTED)
    file.chmod(0o640)
    workflow = load(file)
    save(workflow.model_copy(update={"version": "2.0.0"}), file)
    assert file.read_text() == COMMENTED.replace("1.2.3", "2.0.0")
    assert file.stat().st_mode & 0o777 == 0o640
    assert [one.name for one in tmp_path.iterdir()] == ["a.yaml"]


def test_a_failed_save_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(COMMENTED)
    workflow = load(file)

    def fail(source: str, target: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(DefinitionError, match="No space left"):
        save(workflow, file)
    assert file.read_text() == COMMENTED
    assert [one.name for one in tmp_path.iterdir()] == ["a.yaml"]


def test_a_workflow_changed_into_nonsense_is_not_saved(tmp_path: Path) -> None:
    workflow = loads(COMMENTED).model_copy(update={"initial_state": "nowhere"})
    with pytest.raises(DefinitionError, match="nowhere"):
        save(workflow, tmp_path / "a.yaml")
    assert not (tmp_path / "a.yaml").exists()


def test_a_copy_knows_where_its_original_came_from() -> None:
    workflow = loads(COMMENTED, "orders.yaml").model_copy(update={"version": "2.0.0"})
    source = source_of(workflow)
    assert source is not None
    assert source.file == "orders.yaml"
    assert source.line_of(("states", 1, "name")) == 15
    assert source.line_of(("states", 1, "timeout")) == 15


def test_minus_zero_and_shared_lists_do_not_enter_a_definition() -> None:
    shared = [-0.0]
    variable = Variable(initial=shared)
    shared.append(1.0)
    assert repr(variable.initial) == "[0.0]"
