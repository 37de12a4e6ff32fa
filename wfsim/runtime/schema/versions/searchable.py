"""Values of searchable variables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "8"
down_revision = "7"


def upgrade() -> None:
    """No definition that is there has any."""
    op.create_table(
        "wfsim_found",
        sa.Column("instance", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True, comment="of a searchable variable"),
        sa.Column("value", sa.Text, nullable=False, comment="JSON, or the hash of a long one"),
    )
    op.create_index("wfsim_found_values", "wfsim_found", ["name", "value"])
