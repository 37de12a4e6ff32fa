"""Instances may move to another version of their workflow, and leave the database for an archive."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "3"
down_revision = "2"


def upgrade() -> None:
    """A row for each move, and for each instance that is about to leave."""
    op.create_table(
        "wfsim_moves",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("instance", sa.Text, nullable=False),
        sa.Column("seq", sa.Integer, nullable=False, comment="of the last record before it"),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("family", sa.Text, sa.ForeignKey("wfsim_families.hash"), nullable=False, comment="that it left"),
        sa.Column("member", sa.Integer, nullable=False),
        sa.Column("definition_version", sa.Text, nullable=False, comment="that it left"),
        sa.Column("to_version", sa.Text, nullable=False),
        sa.Column("renamed", sa.Text, nullable=False, comment="JSON: new names of states, by their old ones"),
        sqlite_autoincrement=True,
    )
    op.create_index("wfsim_moves_instance", "wfsim_moves", ["instance", "number"])
    op.create_table(
        "wfsim_leaving",
        sa.Column("instance", sa.Text, primary_key=True),
        sa.Column("version", sa.Integer, nullable=False, comment="that is in the archive"),
        sa.Column("folder", sa.Text, nullable=False, comment="of the archive, in which it is or will be"),
    )
