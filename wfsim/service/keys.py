"""API keys: who a caller is, what it may do, and in which namespace. Of a key only a hash is stored."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import sqlalchemy as sa

from wfsim.errors import WfsimError, did_you_mean
from wfsim.model.values import brief
from wfsim.runtime.tables import KEYS

if TYPE_CHECKING:
    from wfsim.runtime.database import Database

DEFAULT = "default"
"""The namespace that the engine's own database is."""


class Role(IntEnum):
    """What a key may do; each may do what the one before may.

    `VIEWER` looks; `OPERATOR` starts, sends and commands; `PUBLISHER` publishes definitions; `ADMIN` sees who did what.
    """

    VIEWER = 1
    OPERATOR = 2
    PUBLISHER = 3
    ADMIN = 4

    @property
    def word(self) -> str:
        """As it is written."""
        return self.name.lower()


def role_of(word: object) -> Role:
    """The role that a word stands for.

    Raises
    ------
    WfsimError
        If there is no such role.
    """
    words = [role.word for role in Role]
    if word not in words:
        raise WfsimError(f"{brief(word)} is not a role.{did_you_mean(word, words)} Roles: {', '.join(words)}.")
    return Role[str(word).upper()]


@dataclass(frozen=True, slots=True)
class Key:
    """A key, without its secret; times are microseconds since 1970 UTC."""

    id: str
    name: str
    namespace: str
    role: Role
    created: int = 0
    revoked: int | None = None


NOBODY = Key("local", "local", DEFAULT, Role.ADMIN)
"""Whoever calls a service without keys, from the same machine."""


def checked_namespace(name: object) -> str:
    """The name of a namespace; it is part of the name of a file or database.

    Raises
    ------
    WfsimError
        If it is none.
    """
    if isinstance(name, str) and re.fullmatch(r"[a-z][a-z0-9_]{0,29}", name):
        return name
    raise WfsimError(f"a namespace has 1 to 30 small letters, digits and _, a letter first, not {brief(name)}.")


class Keys:
    """The keys in a database; from any thread.

    Parameters
    ----------
    database
        That of the default namespace, whatever namespace a key is for.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, name: str, role: Role, namespace: str = DEFAULT) -> tuple[Key, str]:
        """A new key, and its text, which is not stored and cannot be had again."""
        if not isinstance(name, str) or not 0 < len(name) <= 100 or not name.isprintable():
            raise WfsimError(f"the name of a key has 1 to 100 printable characters, not {brief(name)}.")
        key = Key(secrets.token_hex(6), name, checked_namespace(namespace), role, _now())
        text = f"wfsim_{key.id}_{secrets.token_urlsafe(32)}"
        with self._database.transaction() as rows:
            rows.connection.execute(
                sa.insert(KEYS),
                {
                    "id": key.id,
                    "hash": _hash(text),
                    "name": key.name,
                    "namespace": key.namespace,
                    "role": role.word,
                    "created": key.created,
                },
            )
        return key, text

    def revoke(self, id: str) -> Key:
        """A key that opens nothing any more, from the next request on.

        Raises
        ------
        WfsimError
            If there is none of this id.
        """
        known = {key.id: key for key in self.list()}
        if id not in known:
            raise WfsimError(f"there is no key {brief(id)}.{did_you_mean(id, known)} `wfsim keys list` shows them.")
        now = _now()
        with self._database.transaction() as rows:
            rows.connection.execute(
                sa.update(KEYS).where(KEYS.c.id == id, KEYS.c.revoked.is_(None)).values(revoked=now)
            )
        return next(key for key in self.list() if key.id == id)

    def list(self) -> list[Key]:
        """All that were ever made, the oldest first."""
        with self._database.reading() as rows:
            found = rows.connection.execute(sa.select(KEYS).order_by(KEYS.c.created, KEYS.c.id)).all()
        return [_key(row) for row in found]

    def are_asked_for(self) -> bool:
        """Whether there ever was a key: from then on none may call without, even when all have been revoked."""
        with self._database.reading() as rows:
            return rows.connection.execute(sa.select(KEYS.c.id).limit(1)).first() is not None

    def of(self, text: str) -> Key | None:
        """The key with this text, unless it was revoked."""
        parts = text.split("_", 2)
        if len(parts) != 3 or len(text) > 200:
            return None
        with self._database.reading() as rows:
            row = rows.connection.execute(sa.select(KEYS).where(KEYS.c.id == parts[1])).one_or_none()
        # Compared also if there is none, so that answers to both take as long.
        is_right = hmac.compare_digest(_hash(text), row.hash if row is not None else _hash(""))
        return _key(row) if row is not None and is_right and row.revoked is None else None


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _now() -> int:
    return time.time_ns() // 1_000


def _key(row: sa.Row[tuple[str, str, str, str, str, int, int | None]]) -> Key:
    return Key(row.id, row.name, row.namespace, role_of(row.role), row.created, row.revoked)
