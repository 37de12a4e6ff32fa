"""An instance that a transaction has locked, and how one is built from what is stored of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wfsim.errors import ReplayError
from wfsim.semantics.image import from_image

from .segments import again, segments_of

if TYPE_CHECKING:
    from wfsim.semantics.instance import Instance

    from .programs import Families, Family
    from .rows import InstanceRow, Rows


@dataclass(slots=True)
class Held:
    """An instance that this transaction has locked."""

    row: InstanceRow
    instance: Instance
    family: Family

    @property
    def name(self) -> str:
        """Its id."""
        return self.row.id


def rebuilt(rows: Rows, row: InstanceRow, families: Families) -> Instance:
    """The instance of a row: from its image, or, where another version of wfsim laid that out, from its records.

    Raises
    ------
    ReplayError
        If the records do not replay.
    """
    family = families.get(row.family, rows.family)
    if row.fingerprint == family.fingerprints[row.member]:
        return from_image(family.programs[row.member], json.loads(row.image), {}, ())
    instance = again(segments_of(rows, row, families))
    if instance.version != row.version:
        raise ReplayError(
            f"{row.id!r} has {row.version} records, and replaying them gives {instance.version}. The program has "
            "changed its meaning since they were written; go on with the version that wrote them."
        )
    return instance
