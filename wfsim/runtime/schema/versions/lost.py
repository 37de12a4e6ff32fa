"""Attempts count the workers that died while they carried them out."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "7"
down_revision = "6"


def upgrade() -> None:
    """Of what is there nobody has counted."""
    op.add_column(
        "wfsim_attempts",
        sa.Column("lost", sa.Integer, nullable=False, server_default="0", comment="how many workers died while at it"),
    )
