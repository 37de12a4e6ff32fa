"""What namespaces of a service are allowed, beside what its processes were started with."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "9"
down_revision = "8"


def upgrade() -> None:
    """Of no namespace anything was said."""
    op.create_table(
        "wfsim_allowances",
        sa.Column("namespace", sa.Text, primary_key=True),
        sa.Column("rate", sa.Float, comment="requests a second of one key; null: as the process was started"),
        sa.Column("open_instances", sa.Integer, comment="null: as the process was started"),
    )
