"""Lists of instances, by pages."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from wfsim.errors import WfsimError, did_you_mean
from wfsim.model.statuses import OPEN, STATUSES
from wfsim.model.values import ValueType, brief, check_value

from .places import key_text
from .searching import value_text
from .tables import FOUND, INSTANCES
from .texts import written

if TYPE_CHECKING:
    from wfsim.model.values import Value

    from .rows import InstanceRow
    from .sql_rows import SqlRows

MOST_LISTED = 1_000
MOST_VALUES = 10


@dataclass(frozen=True, slots=True)
class Listed:
    """An instance in a list; times are microseconds since 1970 UTC."""

    id: str
    workflow: str
    version: str
    status: str
    state: str
    outcome: str | None
    parent: str | None
    key: Value
    records: int
    started: int
    changed: int

    @property
    def is_open(self) -> bool:
        """Whether it has not come to its end."""
        return self.status in OPEN


@dataclass(frozen=True, slots=True)
class Page:
    """Some instances, and `after` to ask for those that follow; `None` at the end."""

    instances: tuple[Listed, ...]
    after: str | None

    def __iter__(self) -> Iterator[Listed]:
        return iter(self.instances)

    def __len__(self) -> int:
        return len(self.instances)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which instances a page is about; see `Engine.list`."""

    workflow: str | None
    status: str | Iterable[str] | None
    state: str | None
    roots: bool
    prefix: str | None
    key: Value
    where: Mapping[str, Value] | None


def page(rows: SqlRows, wanted: Wanted, limit: int, after: str | None) -> Page:
    """A page of instances, those that started last first; see `Engine.list`."""
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MOST_LISTED:
        raise WfsimError(f"limit is {brief(limit)}. Give a whole number from 1 to {MOST_LISTED:,}.")
    for name in ("workflow", "state", "prefix"):
        given = getattr(wanted, name)
        if given is not None and not isinstance(given, str):
            raise WfsimError(f"{name} is a text, not {brief(given)}.")
    columns = INSTANCES.c
    asked = sa.select(INSTANCES).order_by(columns.started.desc(), columns.id.desc()).limit(limit + 1)
    if wanted.workflow is not None:
        asked = asked.where(columns.workflow == wanted.workflow)
    if wanted.status is not None:
        asked = asked.where(columns.status.in_(_statuses(wanted.status)))
    if wanted.state is not None:
        asked = asked.where(columns.state == wanted.state)
    if wanted.roots:
        asked = asked.where(columns.parent.is_(None))
    if wanted.prefix is not None:
        asked = asked.where(columns.id.startswith(wanted.prefix, autoescape=True))
    if wanted.key is not None:
        asked = asked.where(columns.open_key == _key(wanted.key))
    for name, value in _values(wanted.where).items():
        same = sa.select(FOUND.c.instance).where(FOUND.c.name == name, FOUND.c.value == value)
        asked = asked.where(columns.id.in_(same))
    if after is not None:
        started, last = _after(after)
        asked = asked.where(sa.tuple_(columns.started, columns.id) < sa.tuple_(started, last))
    found = rows.connection.execute(asked).all()
    shown = tuple(map(listed_as, found[:limit]))
    return Page(shown, written([shown[-1].started, shown[-1].id]) if len(found) > limit else None)


def called(rows: SqlRows, prefix: str) -> list[Listed]:
    """The roots whose ids begin like that, in order of their ids."""
    asked = (
        sa.select(INSTANCES)
        .where(INSTANCES.c.parent.is_(None), INSTANCES.c.id.startswith(prefix, autoescape=True))
        .order_by(INSTANCES.c.id)
    )
    return [listed_as(row) for row in rows.connection.execute(asked)]


def children(rows: SqlRows, parent: str) -> list[InstanceRow]:
    """The instances that an instance has started, in order of their starts."""
    asked = sa.select(INSTANCES.c.id).where(INSTANCES.c.parent == parent).order_by(INSTANCES.c.activation)
    found = [rows.read(name) for name in rows.connection.execute(asked).scalars().all()]
    return [row for row in found if row is not None]


def listed_as(row: InstanceRow | sa.Row[Any]) -> Listed:
    """What a list says of a stored instance."""
    return Listed(
        row.id,
        row.workflow,
        row.definition_version,
        row.status,
        row.state,
        row.outcome,
        row.parent,
        None if row.open_key is None else json.loads(row.open_key),
        row.version,
        row.started,
        row.time,
    )


def _statuses(asked: str | Iterable[str]) -> list[str]:
    if not isinstance(asked, str | Iterable):
        raise WfsimError(f"status is a status, or several of them, not {brief(asked)}.")
    given = [asked] if isinstance(asked, str) else list(asked)
    wanted = [each for one in given for each in (OPEN if one == "open" else [one])]
    for each in wanted:
        if each not in STATUSES:
            raise WfsimError(
                f"{each!r} is not a status.{did_you_mean(str(each), STATUSES)} Statuses: open, {', '.join(STATUSES)}."
            )
    return wanted


def _key(value: Value) -> str | None:
    problem = check_value(ValueType.ANY, value)
    if problem is not None:
        raise WfsimError(f"key is a correlation key, a JSON value: {problem}.")
    return key_text(value)


def _values(where: object) -> dict[str, str]:
    if where is None:
        return {}
    if not isinstance(where, Mapping):
        raise WfsimError(f"where is a mapping from searchable variables to values, not {brief(where)}.")
    if len(where) > MOST_VALUES:
        raise WfsimError(f"where has {len(where):,} variables; give {MOST_VALUES} at most.")
    found = {}
    for name, value in where.items():
        problem = check_value(ValueType.ANY, value)
        text = None if problem is not None else value_text(value)
        if text is None or not isinstance(name, str):
            why = problem or "instances are found by texts, numbers and booleans, not by null, lists or objects"
            raise WfsimError(f"where: {brief(name)}: {why}.")
        found[name] = text
    return found


def _after(text: str) -> tuple[int, str]:
    try:
        started, last = json.loads(text)
        if isinstance(started, int) and abs(started) < 2**63 and isinstance(last, str) and last.isprintable():
            return started, last
    except (ValueError, TypeError, RecursionError):
        pass
    raise WfsimError(f"after is what a page gave as `after`, not {brief(text)}.")
