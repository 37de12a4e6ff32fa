"""Instances and attempts tell which trace they belong to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "6"
down_revision = "5"


def upgrade() -> None:
    """What is there belongs to none."""
    op.add_column(
        "wfsim_instances", sa.Column("trace", sa.Text, comment="the span that stands for it, as a traceparent")
    )
    op.add_column(
        "wfsim_attempts",
        sa.Column("trace", sa.Text, comment="the span of the step that scheduled it, as a traceparent"),
    )
