"""Instances are found by the values of their searchable variables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from wfsim.errors import WfsimError
from wfsim.model.workflow import Workflow
from wfsim.model.yaml_io import loads
from wfsim.runtime.engine import Engine
from wfsim.runtime.opening import open_engine
from wfsim.runtime.tables import FOUND

ORDER = """
name: order
version: 1.0.0
initial_state: open
variables:
  customer: {type: string, input: true, searchable: true}
  total: {type: number, initial: 0.0, searchable: true}
  paid: {type: boolean, optional: true, searchable: true}
  note: {type: string, optional: true}
  any: {optional: true, searchable: true}
events:
  change: {payload: {total: number, any: {type: any, optional: true}}}
  pay: {}
states: [{name: open}, {name: over, is_terminal: true}]
transitions:
  - from: open
    event: change
    pre_actions:
      - {action_type: set_variable, parameters: {name: total, value: "${event.total}"}}
      - {action_type: set_variable, parameters: {name: any, value: "${event.any}"}}
  - from: open
    event: pay
    to: over
    pre_actions: [{action_type: set_variable, parameters: {name: paid, value: "${true}"}}]
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    is_sqlite = request.param == "sqlite"
    address = f"sqlite:///{tmp_path}/runs.db" if is_sqlite else request.getfixturevalue("server").address()
    with open_engine(address, [loads(ORDER)]) as found:
        yield found


def ids(engine: Engine, **where: Any) -> set[str]:
    return {each.id for each in engine.list(where=where)}


def test_whoever_has_a_value_is_found_by_it_as_long_as_it_has_it(engine: Engine) -> None:
    for name, customer in (("a", "C-1"), ("b", "C-1"), ("c", "1")):
        engine.start("order", {"customer": customer}, id=name)
    assert ids(engine, customer="C-1") == {"a", "b"}
    assert ids(engine, customer="1") == {"c"}
    assert ids(engine, customer=1) == set()
    assert ids(engine, total=0) == ids(engine, total=0.0) == {"a", "b", "c"}
    engine.send("a", "change", total=7.5, any=7)
    assert ids(engine, total=0) == {"b", "c"}
    assert ids(engine, customer="C-1", total=7.5, any=7) == {"a"}
    assert ids(engine, customer="1", total=7.5) == set()
    engine.send("a", "change", total=7.5, any=["no", "list"])
    assert ids(engine, any=7) == set()
    engine.send("b", "pay")
    # It is closed, and found all the same, among those that are wanted.
    assert ids(engine, paid=True) == {"b"}
    assert engine.list(where={"paid": True}, status="open").instances == ()
    page = engine.list(where={"customer": "C-1"}, limit=1)
    rest = engine.list(where={"customer": "C-1"}, limit=1, after=page.after)
    assert {each.id for each in (*page, *rest)} == {"a", "b"}


def test_long_values_and_all_characters_are_found_whole(engine: Engine) -> None:
    long = "é" * 100_000
    for name, customer in (("long", long), ("other", long + "x"), ("odd", 'a\0b"%_')):
        engine.start("order", {"customer": customer}, id=name)
    assert ids(engine, customer=long) == {"long"}
    assert ids(engine, customer='a\0b"%_') == {"odd"}


def test_what_nobody_is_found_by_is_refused(engine: Engine) -> None:
    engine.start("order", {"customer": "C-1"})
    with pytest.raises(WfsimError, match=r"has a searchable variable 'custmer'. Did you mean 'customer'"):
        engine.list(where={"custmer": "C-1"})
    with pytest.raises(WfsimError, match="no published workflow has a searchable variable 'note'"):
        engine.list(where={"note": "x"})
    for value in (None, [1], {"a": 1}):
        with pytest.raises(WfsimError, match="not by null, lists or objects"):
            engine.list(where={"customer": value})
    with pytest.raises(WfsimError, match="is a mapping from searchable variables"):
        engine.list(where="customer")  # type: ignore[arg-type]
    with pytest.raises(WfsimError, match="give 10 at most"):
        engine.list(where={str(n): n for n in range(11)})


def test_who_moves_to_another_version_is_found_by_what_that_one_has(engine: Engine) -> None:
    engine.start("order", {"customer": "C-1"}, id="a")
    text = ORDER.replace("version: 1.0.0", "version: 1.1.0").replace(
        "total: {type: number, initial: 0.0, searchable: true}", "total: {type: number, initial: 0.0}"
    )
    engine.publish(
        loads(text.replace("note: {type: string, optional: true}", "note: {initial: new, searchable: true}"))
    )
    assert [each.moves for each in engine.migrate("order", to="1.1.0", dry_run=False)] == [True]
    assert ids(engine, note="new") == {"a"}
    assert ids(engine, total=0) == set()
    engine.send("a", "change", total=1.0)
    assert ids(engine, customer="C-1", note="new") == {"a"}


def test_nothing_is_stored_for_definitions_without_such_variables(tmp_path: Path) -> None:
    plain: Workflow = loads(ORDER.replace(", searchable: true", ""))
    with open_engine(f"sqlite:///{tmp_path}/runs.db", [plain]) as engine:
        engine.start("order", {"customer": "C-1"}, id="a")
        engine.send("a", "pay")
        with engine.core.database.reading() as rows:
            assert rows.connection.execute(sa.select(FOUND)).all() == []
