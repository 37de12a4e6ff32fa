"""The tables of an engine, in SQLite or PostgreSQL."""

from __future__ import annotations

import sqlalchemy as sa

METADATA = sa.MetaData()

FAMILIES = sa.Table(
    "wfsim_families",
    METADATA,
    sa.Column("hash", sa.Text, primary_key=True, comment="of the definitions, in order"),
    sa.Column("definitions", sa.Text, nullable=False, comment="a JSON list of definition hashes, the root's first"),
)

DEFINITIONS = sa.Table(
    "wfsim_definitions",
    METADATA,
    sa.Column("hash", sa.Text, primary_key=True, comment="SHA-256 of the definition"),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("definition", sa.Text, nullable=False, comment="canonical JSON"),
    sa.Column("published", sa.BigInteger, comment="microseconds since 1970 UTC; null if only some family has it"),
    sa.Index(
        "wfsim_definitions_published",
        "name",
        "version",
        unique=True,
        sqlite_where=sa.text("published IS NOT NULL"),
        postgresql_where=sa.text("published IS NOT NULL"),
    ),
)

INSTANCES = sa.Table(
    "wfsim_instances",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("family", sa.Text, sa.ForeignKey(FAMILIES.c.hash), nullable=False),
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
    sa.Column("priority", sa.Integer, nullable=False, server_default="0", comment="of its attempts; high first"),
    sa.Column("trace", sa.Text, comment="the span that stands for it, as a traceparent"),
    sa.Index("wfsim_instances_family", "family"),
    sa.Index("wfsim_instances_parent", "parent", "activation"),
    sa.Index("wfsim_instances_listed", "workflow", "status", "started", "id"),
    sa.Index("wfsim_instances_changed", "time", "id"),
    sa.Index(
        "wfsim_instances_keys",
        "workflow",
        "open_key",
        unique=True,
        sqlite_where=sa.text("open_key IS NOT NULL"),
        postgresql_where=sa.text("open_key IS NOT NULL"),
    ),
)

RECORDS = sa.Table(
    "wfsim_records",
    METADATA,
    sa.Column("instance", sa.Text, primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("time", sa.BigInteger, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("cause_seq", sa.Integer, nullable=False),
    *(
        sa.Column(name, sa.Text)
        for name in ("region", "state", "to_state", "event", "event_id", "activity", "error_type", "status", "outcome")
    ),
    *(sa.Column(name, sa.Integer) for name in ("activity_id", "attempt")),
    sa.Column("payload", sa.Text, comment="JSON"),
    sa.Column("metadata", sa.Text, comment="JSON that the sender of a stimulus gave beside it"),
)

SEEN = sa.Table(
    "wfsim_seen",
    METADATA,
    sa.Column("instance", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True, comment="event or command"),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("fate", sa.Integer, nullable=False, comment="of the first that came with the id"),
    sa.Column("sender", sa.Text, comment="the instance whose message it is"),
)

FOUND = sa.Table(
    "wfsim_found",
    METADATA,
    sa.Column("instance", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, primary_key=True, comment="of a searchable variable"),
    sa.Column("value", sa.Text, nullable=False, comment="JSON, or the hash of a long one"),
    sa.Index("wfsim_found_values", "name", "value"),
)

DUE = sa.Table(
    "wfsim_due",
    METADATA,
    sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("target", sa.Text, nullable=False, comment="an instance, or where a kept message waits"),
    sa.Column("due", sa.BigInteger, nullable=False),
    sa.Column("rank", sa.Integer, nullable=False, comment="which comes first of what is due at once"),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("place", sa.Integer, nullable=False, server_default="-1"),
    sa.Column("serial", sa.Integer, nullable=False, server_default="-1"),
    sa.Column("body", sa.Text),
    sa.Index("wfsim_due_due", "due", "rank", "number"),
    sa.Index("wfsim_due_target", "target", "due"),
    # Or the number of an entry that has just gone would be given to the next one.
    sqlite_autoincrement=True,
)

ATTEMPTS = sa.Table(
    "wfsim_attempts",
    METADATA,
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
    sa.Column("pool", sa.Text, comment="whose workers carry it out; null for all others'"),
    sa.Column("priority", sa.Integer, nullable=False, server_default="0", comment="of its instance"),
    sa.Column("trace", sa.Text, comment="the span of the step that scheduled it, as a traceparent"),
    sa.Column("lost", sa.Integer, nullable=False, server_default="0", comment="how many workers died while at it"),
    sa.Index("wfsim_attempts_beats", "beat_by"),
    sa.Index("wfsim_attempts_workers", "worker"),
)

WORKERS = sa.Table(
    "wfsim_workers",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("started", sa.BigInteger, nullable=False),
    sa.Column("beat", sa.BigInteger, nullable=False, comment="its last sign of life"),
    sa.Column("told", sa.Text, comment="JSON: host, process, what it carries out"),
)

MOVES = sa.Table(
    "wfsim_moves",
    METADATA,
    sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("instance", sa.Text, nullable=False),
    sa.Column("seq", sa.Integer, nullable=False, comment="of the last record before it"),
    sa.Column("time", sa.BigInteger, nullable=False),
    sa.Column("family", sa.Text, sa.ForeignKey(FAMILIES.c.hash), nullable=False, comment="that it left"),
    sa.Column("member", sa.Integer, nullable=False),
    sa.Column("definition_version", sa.Text, nullable=False, comment="that it left"),
    sa.Column("to_version", sa.Text, nullable=False),
    sa.Column("renamed", sa.Text, nullable=False, comment="JSON: new names of states, by their old ones"),
    sa.Index("wfsim_moves_instance", "instance", "number"),
    sqlite_autoincrement=True,
)

LEAVING = sa.Table(
    "wfsim_leaving",
    METADATA,
    sa.Column("instance", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False, comment="that is in the archive"),
    sa.Column("folder", sa.Text, nullable=False, comment="of the archive, in which it is or will be"),
)

# What a service keeps beside its instances (`wfsim/service`).

KEYS = sa.Table(
    "wfsim_keys",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("hash", sa.Text, nullable=False, comment="SHA-256 of the whole key, which has 256 random bits"),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("namespace", sa.Text, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False, comment="microseconds since 1970 UTC"),
    sa.Column("revoked", sa.BigInteger),
)

AUDIT = sa.Table(
    "wfsim_audit",
    METADATA,
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
)

REQUESTS = sa.Table(
    "wfsim_requests",
    METADATA,
    sa.Column("key", sa.Text, primary_key=True, comment="the Idempotency-Key"),
    sa.Column("digest", sa.Text, nullable=False, comment="SHA-256 of method, path and body"),
    sa.Column("time", sa.BigInteger, nullable=False),
    sa.Column("answer", sa.Text, comment="JSON; null until there is one"),
)

ENDPOINTS = sa.Table(
    "wfsim_webhooks",
    METADATA,
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

DELIVERIES = sa.Table(
    "wfsim_deliveries",
    METADATA,
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
    sa.Index("wfsim_deliveries_listed", "endpoint", "number"),
    sa.Index(
        "wfsim_deliveries_waiting",
        "endpoint",
        "instance",
        "number",
        sqlite_where=sa.text("status = 'waiting'"),
        postgresql_where=sa.text("status = 'waiting'"),
    ),
    sa.Index(
        "wfsim_deliveries_due",
        "due",
        sqlite_where=sa.text("status = 'waiting'"),
        postgresql_where=sa.text("status = 'waiting'"),
    ),
    # A number is part of the id of a message, which no other may have.
    sqlite_autoincrement=True,
)

ALLOWANCES = sa.Table(
    "wfsim_allowances",
    METADATA,
    sa.Column("namespace", sa.Text, primary_key=True),
    sa.Column("rate", sa.Float, comment="requests a second of one key; null: as the process was started"),
    sa.Column("open_instances", sa.Integer, comment="null: as the process was started"),
)

SCHEMA_VERSION = sa.Table(
    "wfsim_schema_version",
    METADATA,
    # As Alembic makes it.
    sa.Column("version_num", sa.String(32), nullable=False),
    sa.PrimaryKeyConstraint("version_num", name="wfsim_schema_version_pkc"),
)
