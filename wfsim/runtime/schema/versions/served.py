"""A service keeps its keys, its audit and its answers among the tables of the engine."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "4"
down_revision = "3"


def upgrade() -> None:
    """The first services made these tables by themselves: what is there stays."""
    op.create_table(
        "wfsim_keys",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("hash", sa.Text, nullable=False, comment="SHA-256 of the whole key, which has 256 random bits"),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("namespace", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False, comment="microseconds since 1970 UTC"),
        sa.Column("revoked", sa.BigInteger),
        if_not_exists=True,
    )
    op.create_table(
        "wfsim_audit",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("time", sa.BigInteger, nullable=False, comment="microseconds since 1970 UTC"),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False, comment="of the key"),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("method", sa.Text, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("status", sa.Integer, nullable=False, comment="of the answer"),
        sa.Column("request", sa.Text, nullable=False, comment="its id in the log"),
        sqlite_autoincrement=True,
        if_not_exists=True,
    )
    op.create_table(
        "wfsim_requests",
        sa.Column("key", sa.Text, primary_key=True, comment="the Idempotency-Key"),
        sa.Column("digest", sa.Text, nullable=False, comment="SHA-256 of method, path and body"),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("answer", sa.Text, comment="JSON; null until there is one"),
        if_not_exists=True,
    )
