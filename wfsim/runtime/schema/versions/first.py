"""The tables of the first engines."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1"
down_revision = None


def upgrade() -> None:
    """Make them; a database that was made before versions were counted has them."""
    if sa.inspect(op.get_bind()).has_table("wfsim_instances"):
        return
    _definitions()
    _instances()
    _due()
    _attempts()


def _definitions() -> None:
    op.create_table(
        "wfsim_families",
        sa.Column("hash", sa.Text, primary_key=True, comment="of the definitions, in order"),
        sa.Column("definitions", sa.Text, nullable=False, comment="a JSON list of definition hashes, the root's first"),
    )
    op.create_table(
        "wfsim_definitions",
        sa.Column("hash", sa.Text, primary_key=True, comment="SHA-256 of the definition"),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("definition", sa.Text, nullable=False, comment="canonical JSON"),
        sa.Column("published", sa.BigInteger, comment="microseconds since 1970 UTC; null if only some family has it"),
    )
    published = sa.text("published IS NOT NULL")
    op.create_index(
        "wfsim_definitions_published",
        "wfsim_definitions",
        ["name", "version"],
        unique=True,
        sqlite_where=published,
        postgresql_where=published,
    )


def _instances() -> None:
    op.create_table(
        "wfsim_instances",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("family", sa.Text, sa.ForeignKey("wfsim_families.hash"), nullable=False),
        sa.Column("member", sa.Integer, nullable=False, comment="which definition of the family it runs"),
        sa.Column("workflow", sa.Text, nullable=False),
        sa.Column("definition_version", sa.Text, nullable=False),
        sa.Column("parent", sa.Text),
        sa.Column("activation", sa.Integer, comment="of the parent, that started it"),
        sa.Column("open_key", sa.Text, comment="under which senders find it; null once it is closed"),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text),
        sa.Column("version", sa.Integer, nullable=False, comment="seq of its last record"),
        sa.Column("started", sa.BigInteger, nullable=False),
        sa.Column("time", sa.BigInteger, nullable=False, comment="of its last record"),
        sa.Column("fingerprint", sa.Text, nullable=False, comment="of the program that laid the image out"),
        sa.Column("image", sa.Text, nullable=False),
    )
    for name, columns in {
        "family": ["family"],
        "parent": ["parent", "activation"],
        "listed": ["workflow", "status", "started", "id"],
        "changed": ["time", "id"],
    }.items():
        op.create_index(f"wfsim_instances_{name}", "wfsim_instances", columns)
    has_key = sa.text("open_key IS NOT NULL")
    op.create_index(
        "wfsim_instances_keys",
        "wfsim_instances",
        ["workflow", "open_key"],
        unique=True,
        sqlite_where=has_key,
        postgresql_where=has_key,
    )
    texts = ("region", "state", "to_state", "event", "event_id", "activity", "error_type", "status", "outcome")
    op.create_table(
        "wfsim_records",
        sa.Column("instance", sa.Text, primary_key=True),
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("cause_seq", sa.Integer, nullable=False),
        *(sa.Column(name, sa.Text) for name in texts),
        *(sa.Column(name, sa.Integer) for name in ("activity_id", "attempt")),
        sa.Column("payload", sa.Text, comment="JSON"),
        sa.Column("metadata", sa.Text, comment="JSON that the sender of a stimulus gave beside it"),
    )
    op.create_table(
        "wfsim_seen",
        sa.Column("instance", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, primary_key=True, comment="event or command"),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("fate", sa.Integer, nullable=False, comment="of the first that came with the id"),
        sa.Column("sender", sa.Text, comment="the instance whose message it is"),
    )


def _due() -> None:
    op.create_table(
        "wfsim_due",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("target", sa.Text, nullable=False, comment="an instance, or where a kept message waits"),
        sa.Column("due", sa.BigInteger, nullable=False),
        sa.Column("rank", sa.Integer, nullable=False, comment="which comes first of what is due at once"),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("place", sa.Integer, nullable=False, server_default="-1"),
        sa.Column("serial", sa.Integer, nullable=False, server_default="-1"),
        sa.Column("body", sa.Text),
        sqlite_autoincrement=True,
    )
    op.create_index("wfsim_due_due", "wfsim_due", ["due", "rank", "number"])
    op.create_index("wfsim_due_target", "wfsim_due", ["target", "due"])


def _attempts() -> None:
    op.create_table(
        "wfsim_attempts",
        sa.Column("instance", sa.Text, primary_key=True),
        sa.Column("serial", sa.Integer, primary_key=True, autoincrement=False, comment="of the activity"),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("workflow", sa.Text, nullable=False),
        sa.Column("activity", sa.Text, nullable=False),
        sa.Column("activity_version", sa.Integer),
        sa.Column("input", sa.Text, nullable=False),
        sa.Column("phase", sa.Text, nullable=False, comment="backoff, held (by a pause), queued, running"),
        sa.Column("tries", sa.Integer, nullable=False, comment="how often the attempt was handed out"),
        sa.Column("worker", sa.Text),
        sa.Column("started", sa.BigInteger),
        sa.Column("beat_by", sa.BigInteger, comment="when the next heartbeat is missed"),
        sa.Column("detail", sa.Text, comment="what the last heartbeat said"),
    )
    op.create_index("wfsim_attempts_beats", "wfsim_attempts", ["beat_by"])
    op.create_index("wfsim_attempts_workers", "wfsim_attempts", ["worker"])
    op.create_table(
        "wfsim_workers",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("started", sa.BigInteger, nullable=False),
        sa.Column("beat", sa.BigInteger, nullable=False, comment="its last sign of life"),
        sa.Column("told", sa.Text, comment="JSON: host, process, what it carries out"),
    )
