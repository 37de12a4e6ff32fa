"""The version of the tables of an engine: made, brought up to date, refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from tests.unit.runtime.test_queues import order
from wfsim.errors import EngineError
from wfsim.runtime import schema
from wfsim.runtime.database import Database
from wfsim.runtime.opening import open_engine
from wfsim.runtime.tables import (
    ALLOWANCES,
    ATTEMPTS,
    AUDIT,
    DELIVERIES,
    ENDPOINTS,
    FOUND,
    KEYS,
    LEAVING,
    METADATA,
    MOVES,
    REQUESTS,
    SCHEMA_VERSION,
)
from wfsim.runtime.upgrading import NEWEST, stored_version, upgrade


def connected(address: str) -> sa.Engine:
    return sa.create_engine(address.replace("postgresql://", "postgresql+psycopg://"))


def test_all_changes_together_make_the_tables_that_are_written_down(address: str) -> None:
    engine = connected(address)
    with engine.begin() as connection:
        upgrade(connection, NEWEST)
    with engine.connect() as connection:
        settings = {"compare_type": True, "compare_server_default": True, "version_table": SCHEMA_VERSION.name}
        context = MigrationContext.configure(connection, opts=settings)
        assert compare_metadata(context, METADATA) == []
        assert stored_version(connection) == NEWEST
        for table in METADATA.tables.values():
            found = [column["name"] for column in sa.inspect(connection).get_columns(table.name)]
            assert found == [column.name for column in table.c]
    engine.dispose()


def test_the_newest_version_is_the_last_change() -> None:
    folder = Path(schema.__file__).parent
    assert ScriptDirectory(str(folder), version_locations=[str(folder / "versions")]).get_heads() == [NEWEST]


def test_a_database_from_before_versions_is_brought_up_to_date_and_goes_on(address: str) -> None:
    with open_engine(address, [order()]) as engine:
        engine.start("order", {"total": 1}, id="o")
    raw = connected(address)
    with raw.begin() as connection:
        for table in (SCHEMA_VERSION, MOVES, LEAVING, KEYS, AUDIT, REQUESTS, ENDPOINTS, DELIVERIES, FOUND, ALLOWANCES):
            table.drop(connection)
        for column in ("priority", "pool", "lost"):
            connection.execute(sa.text(f"ALTER TABLE wfsim_attempts DROP COLUMN {column}"))
        connection.execute(sa.text("ALTER TABLE wfsim_instances DROP COLUMN priority"))
        for table in ("instances", "attempts"):
            connection.execute(sa.text(f"ALTER TABLE wfsim_{table} DROP COLUMN trace"))
        assert stored_version(connection) == "0"
    with open_engine(address) as engine:
        assert engine.send("o", "pay") == "accepted"
        assert engine.get("o").state == "charging"
    with raw.connect() as connection:
        assert stored_version(connection) == NEWEST
        assert connection.execute(sa.select(ATTEMPTS.c.pool, ATTEMPTS.c.priority)).one() == (None, 0)
    raw.dispose()


def test_what_the_first_services_made_by_themselves_stays(address: str) -> None:
    raw = connected(address)
    with raw.begin() as connection:
        upgrade(connection, "3")
        for table in (KEYS, AUDIT, REQUESTS):
            table.create(connection)
        connection.execute(sa.insert(REQUESTS), {"key": "k", "digest": "d", "time": 1})
    raw.dispose()
    with Database(address).reading() as rows:
        assert stored_version(rows.connection) == NEWEST
        assert rows.connection.execute(sa.select(REQUESTS.c.key)).scalars().all() == ["k"]


def test_a_database_of_a_newer_version_is_refused_and_left_as_it_is(address: str) -> None:
    Database(address).close()
    raw = connected(address)
    with raw.begin() as connection:
        connection.execute(sa.update(SCHEMA_VERSION).values(version_num="1000"))
    with pytest.raises(EngineError, match=rf"its tables have version 1000, and this wfsim knows them up to {NEWEST}\."):
        open_engine(address)
    with raw.connect() as connection:
        assert stored_version(connection) == "1000"
    raw.dispose()


def test_a_change_that_fails_leaves_the_tables_as_they_were(address: str) -> None:
    raw = connected(address)
    with raw.begin() as connection:
        upgrade(connection, "1")
        # What the second version adds is there already.
        connection.execute(sa.text("ALTER TABLE wfsim_attempts ADD COLUMN priority INTEGER"))
    with pytest.raises(EngineError, match="it cannot be opened"):
        Database(address)
    with raw.connect() as connection:
        assert stored_version(connection) == "1"
        assert "priority" not in {each["name"] for each in sa.inspect(connection).get_columns("wfsim_instances")}
    raw.dispose()
