"""Names of a workflow as types: mypy refuses what the workflow does not know, and the module is right at run time."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import wfsim as wf
from tests.mistakes import ROOT, correct
from wfsim.model.builder import Builder
from wfsim.model.stubs import stubs
from wfsim.runtime.handle import Run

USE = """\
from order import Run, activities, in_payment_pending, in_shipped, inputs, typed

given = inputs({"order_id": "A", "total_amount": 5.0, "currency": "EUR", "items": []})


def shop(run: Run) -> None:
    run.send("order_validated")
    run.send("order_shipped", shipment_id="S")
    run.send("payment_completed", {"payment_id": "P"})
    run.wait("delivered")
    if run.state == "shipped" or run.status == "failed":
        return
    pending = in_payment_pending(run)
    if pending is not None:
        pending.send("payment_completed", payment_id="P", event_id="e1")
        pending.wait("payment_completed")


shop(typed(object()))
"""
WRONG = {
    'run.send("order_shiped")': "call-overload",
    'run.send("order_shipped")': "call-overload",
    'run.send("order_shipped", shipment_id=5)': "call-overload",
    'run.send("payment_completed", {})': "call-overload",
    'run.wait("delivred")': "arg-type",
    'print(run.state == "shiped")': "comparison-overlap",
    'print(run.variables["atempts"])': "typeddict-item",
    'inputs({"order_id": "A"})': "typeddict-item",
    'inputs({"order_id": "A", "total_amount": 5.0, "currency": "CHF", "items": []})': "typeddict-item",
    "activities({})": "typeddict-item",
    'shipped = in_shipped(run); print(shipped and shipped.send("payment_completed", payment_id="P"))': "arg-type",
}


def checked(folder: Path, *files: str) -> str:
    """What mypy says of some files of a folder."""
    command = [sys.executable, "-m", "mypy", "--strict", "--no-incremental", "--config-file=", *files]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout


def test_mypy_refuses_every_name_that_the_workflow_does_not_have(tmp_path: Path) -> None:
    (tmp_path / "order.py").write_text(stubs(wf.load(ROOT / "models" / "order_processing.yaml")), encoding="utf-8")
    lines = USE.replace(
        "shop(typed",
        "".join(f"def wrong_{k}(run: Run) -> None:\n    {one}\n\n\n" for k, one in enumerate(WRONG)) + "shop(typed",
    )
    (tmp_path / "use.py").write_text(lines, encoding="utf-8")
    told = [line for line in checked(tmp_path, "use.py").splitlines() if ": error:" in line]
    found = {int(line.split(":")[1]): line.rpartition("[")[2].rstrip("]") for line in told}
    wanted = {
        number: code
        for number, line in enumerate(lines.splitlines(), 1)
        for one, code in WRONG.items()
        if line.strip() == one
    }
    assert found == wanted


def test_the_module_of_every_definition_passes_a_strict_check_and_can_be_imported(tmp_path: Path) -> None:
    odd = Builder("odd").event("class", {"from": "string", "event_id": "integer"}).event("my class").event("my-class")
    odd.state("a b", initial=True).state("a-b").state("end", terminal=True)
    odd.transition("a b", "a-b", on="my class").transition("a-b", "end", on="my-class").transition(
        "a b", "end", on="class"
    )
    quotes = Builder('say """').event("5x", {"n": "integer"}).event("\u958b\u59cb", {"n": "integer"})
    quotes.state('a """ \\', initial=True).state("\u7d42", terminal=True)
    quotes.transition('a """ \\', "\u7d42", on="5x").transition('a """ \\', "\u7d42", on="\u958b\u59cb")
    texts = [stubs(wf.load(path)) for path in correct()] + [
        stubs(odd.build()),
        stubs(quotes.build()),
        stubs(wf.new("minimal")),
    ]
    for number, text in enumerate(texts):
        (tmp_path / f"names_{number}.py").write_text(text, encoding="utf-8")
    files = [f"names_{number}.py" for number in range(len(texts))]
    assert checked(tmp_path, *files) == f"Success: no issues found in {len(files)} source files\n"
    subprocess.run([sys.executable, "-c", "\n".join(f"import {file[:-3]}" for file in files)], cwd=tmp_path, check=True)


def test_a_run_with_names_has_all_that_a_run_has() -> None:
    text = stubs(wf.loads(DOOR))
    there = {name for name in dir(Run) if not name.startswith("_")} | {"id"}
    protocol = text.split("class _Run")[1]
    assert there == set(re.findall(r"^    (?:async )?(?:def )?([a-z]\w*)[(:]", protocol, re.MULTILINE))


DOOR = """\
name: door
initial_state: shut
variables: {who: {type: string, input: true, output: true}}
events: {push: {payload: {force: integer}}, knock: {}}
states: [{name: shut}, {name: open, is_terminal: true}]
transitions: [{from: shut, event: push, to: open}, {from: shut, event: knock}]
"""


def test_a_run_with_names_is_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "door_names.py").write_text(stubs(wf.loads(DOOR)), encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    import door_names

    with wf.start(wf.loads(DOOR), input=door_names.inputs({"who": "me"})) as run:
        named = door_names.typed(run)
        assert named is run
        shut = door_names.in_shut(named)
        assert shut.send("knock") == "accepted"
        assert shut.send("push", force=3) == "accepted"
        assert door_names.in_shut(named) is None
        assert named.state == "open"


TYPED = """
name: rides
initial_state: open
types:
  phone: {type: string}
  driver: {name: string, size: {type: string, values: [small, large]}, to: {type: phone, optional: true}}
variables:
  drivers: {type: list, items: driver, input: true}
  due: {type: timestamp, input: true}
events: {take: {payload: {who: driver}}}
states: [{name: open, timeout: 1d}, {name: shut, is_terminal: true}]
transitions: [{from: open, event: [take, timeout], to: shut}, {from: open, at: "${context.due}", to: shut}]
timeouts: {workflow: 2d}
"""


def test_types_of_data_are_types_of_python(tmp_path: Path) -> None:
    """mypy refuses a field that a type does not have, a value that is not listed, and text where a list is."""
    (tmp_path / "rides.py").write_text(stubs(wf.loads(TYPED)))
    right = (
        "from rides import Run, inputs, typed\n"
        'inputs({"drivers": [{"name": "Ann", "size": "small"}], "due": "2026-11-30T09:00:00Z"})\n'
        'typed(0).send("take", who={"name": "Ann", "size": "large", "to": None})\n'
    )
    (tmp_path / "right.py").write_text(right)
    wrong = [
        right.replace('"small"', '"huge"'),
        right.replace('"name": "Ann", "size": "large"', '"nam": "Ann", "size": "large"'),
        right.replace('[{"name": "Ann", "size": "small"}]', '"Ann"'),
    ]
    for number, text in enumerate(wrong):
        (tmp_path / f"wrong{number}.py").write_text(text)
    told = checked(tmp_path, "right.py", *(f"wrong{number}.py" for number in range(len(wrong))))
    assert {line.partition(":")[0] for line in told.splitlines() if ": error:" in line} == {
        f"wrong{number}.py" for number in range(len(wrong))
    }


def test_functions_in_python_have_types() -> None:
    workflow = (
        Builder("rated")
        .function(
            "risk",
            input={"n": "integer", "at": "timestamp", "s": {"type": "string", "optional": True}},
            result="number",
        )
        .function("tags", result={"type": "list", "items": "string"})
        .state("a", initial=True, terminal=True)
        .build()
    )
    text = stubs(workflow)
    assert "'risk': 'Callable[[int, int, str | None], float]'," in text
    assert "'tags': 'Callable[[], list[str]]'," in text
    assert "Functions" not in stubs(wf.new("order"))
    compile(text, "rated.py", "exec")
