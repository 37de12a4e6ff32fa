"""What Alembic runs: all that is missing, on the connection and in the transaction of whoever asks."""

from __future__ import annotations

from alembic import context

from wfsim.runtime.tables import METADATA, SCHEMA_VERSION

context.configure(
    connection=context.config.attributes["connection"], target_metadata=METADATA, version_table=SCHEMA_VERSION.name
)
context.run_migrations()
