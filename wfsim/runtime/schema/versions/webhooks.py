"""Webhooks, and a row for each message that they are to be told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "5"
down_revision = "4"


def upgrade() -> None:
    """Who is told, and what."""
    op.create_table(
        "wfsim_webhooks",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("workflows", sa.Text, comment="a JSON list; null for all"),
        sa.Column("kinds", sa.Text, comment="of records; a JSON list, null for all"),
        sa.Column("events", sa.Text, comment="a JSON list; null for all"),
        sa.Column("secret", sa.Text, nullable=False, comment="what messages are signed with"),
        sa.Column("retry_for", sa.BigInteger, nullable=False, comment="microseconds"),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("off", sa.Text, comment="why it is told nothing any more"),
    )
    op.create_table(
        "wfsim_deliveries",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("endpoint", sa.Text, nullable=False),
        sa.Column("instance", sa.Text, nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("kind", sa.Text, nullable=False, comment="of the record"),
        sa.Column("body", sa.Text, nullable=False, comment="JSON, as it is sent"),
        sa.Column("status", sa.Text, nullable=False, comment="waiting, delivered, dead"),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("due", sa.BigInteger, nullable=False, comment="when it is tried; while it is, when another one may"),
        sa.Column("changed", sa.BigInteger, nullable=False),
        sa.Column("told", sa.Text, comment="what came of the last try"),
        sqlite_autoincrement=True,
    )
    op.create_index("wfsim_deliveries_listed", "wfsim_deliveries", ["endpoint", "number"])
    waiting = sa.text("status = 'waiting'")
    for name, columns in {"waiting": ["endpoint", "instance", "number"], "due": ["due"]}.items():
        op.create_index(
            f"wfsim_deliveries_{name}",
            "wfsim_deliveries",
            columns,
            sqlite_where=waiting,
            postgresql_where=waiting,
        )
