"""The version of the tables in a database: they are made, brought up to date, or refused."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from wfsim.errors import EngineError

from .tables import INSTANCES, METADATA, SCHEMA_VERSION

NEWEST = "9"
"""The version of `tables.METADATA`: the last revision in `schema/versions`."""

LOCK = 7_263_542_026
"""Of PostgreSQL: whoever holds it makes or changes tables."""


def stored_version(connection: sa.Connection) -> str | None:
    """The version of the tables; `None` if there are none, `0` of tables from before versions were counted."""
    there = sa.inspect(connection)
    if there.has_table(SCHEMA_VERSION.name):
        found: str | None = connection.execute(sa.select(SCHEMA_VERSION.c.version_num)).scalar_one_or_none()
        if found is not None:
            return found
    return "0" if there.has_table(INSTANCES.name) else None


def bring_up_to_date(connection: sa.Connection, shown: str) -> None:
    """Make the tables, or change those of an older version; within the transaction of the connection.

    Of several processes that open a database at once one does it, and the others wait.

    Raises
    ------
    EngineError
        If a newer wfsim has changed them; `shown` is the database in its text.
    """
    version = stored_version(connection)
    if version == NEWEST:
        return
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))
        version = stored_version(connection)
    if version is None:
        # What a chain of changes would make, as a test says, without loading Alembic.
        METADATA.create_all(connection)
        connection.execute(sa.insert(SCHEMA_VERSION), {"version_num": NEWEST})
    elif not version.isdigit() or int(version) > int(NEWEST):
        raise EngineError(
            f"{shown}: its tables have version {version}, and this wfsim knows them up to {NEWEST}. A newer wfsim has "
            "changed them: install that one, or open a backup from before."
        )
    elif version != NEWEST:
        upgrade(connection, NEWEST)


def upgrade(connection: sa.Connection, to: str) -> None:
    """Run all changes up to a version."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("schema")).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, to)
