"""Attempts tell their pool, and instances and attempts their priority."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2"
down_revision = "1"


def upgrade() -> None:
    """What is open goes to workers of any pool, as it did."""
    op.add_column(
        "wfsim_instances",
        sa.Column("priority", sa.Integer, nullable=False, server_default="0", comment="of its attempts; high first"),
    )
    op.add_column(
        "wfsim_attempts", sa.Column("pool", sa.Text, comment="whose workers carry it out; null for all others'")
    )
    op.add_column(
        "wfsim_attempts",
        sa.Column("priority", sa.Integer, nullable=False, server_default="0", comment="of its instance"),
    )
