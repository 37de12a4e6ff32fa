"""Snapshots of a live history, again and again, for those who cannot read it while it is written."""

from __future__ import annotations

import os
import re
import shutil
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Self

from wfsim.errors import DefinitionError, HistoryError
from wfsim.model.duration import Duration

from .failures import cannot_write

if TYPE_CHECKING:
    from types import TracebackType

    from .history import History

LATEST = "latest"
_NUMBERED = re.compile(r"\d{6,}")
_SHORTEST = Duration.of("100ms")


class Collector:
    """Writes a history into folders of Parquet again and again; `History.collect` makes it.

    Attributes
    ----------
    latest
        The path of the newest snapshot, a link: `wf.open_history(collector.latest)`, or any reader of Parquet.
    collected
        How many snapshots were written; where nothing is new none is.
    failures
        Snapshots that could not be written, in words, the last hundred; the next one is tried all the same.
    """

    def __init__(self, history: History, into: Path, every: Duration, keep: int) -> None:
        self.latest = into / LATEST
        self.collected = 0
        self.failures: list[str] = []
        self._history, self._into, self._every, self._keep = history, into, every, keep
        self._records = -1
        try:
            into.mkdir(parents=True, exist_ok=True)
            self._check()
            self._number = max((int(each.name) for each in self._numbered()), default=0)
            self.take()
        except OSError as error:
            raise cannot_write(error, into, None) from None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="wfsim collector", daemon=True)
        self._thread.start()

    def _check(self) -> None:
        """Refuse a folder with something else in it: what is old here is removed."""
        others = [each.name for each in self._into.iterdir() if each.name != LATEST and not _NUMBERED.match(each.name)]
        if others or (self.latest.exists() and not self.latest.is_symlink()):
            raise HistoryError(f"{self._into}: holds {(others or [LATEST])[0]}. Collect into a folder of its own.")

    def _numbered(self) -> list[Path]:
        return sorted(each for each in self._into.iterdir() if _NUMBERED.fullmatch(each.name))

    def take(self) -> bool:
        """Write a snapshot now, unless nothing is new; whether one was written.

        Raises
        ------
        HistoryError
            If it cannot be written.
        OSError
            If the link cannot be moved on, or an old one removed.
        """
        records = len(self._history)
        if records == self._records:
            return False
        self._number += 1
        name = f"{self._number:06d}"
        self._history.to_parquet(self._into / name)
        passing = self._into / f"{name}.link"
        passing.unlink(missing_ok=True)
        os.symlink(name, passing, target_is_directory=True)
        # Readers see the old one or the new one, never none.
        os.replace(passing, self.latest)
        self._records = records
        self.collected += 1
        for old in self._numbered()[: -self._keep]:
            shutil.rmtree(old)
        return True

    def _run(self) -> None:
        while not self._over.wait(self._every / 1e6):
            try:
                self.take()
            except (HistoryError, OSError) as error:
                self.failures = [*self.failures[-99:], str(error)]
                if self._history.is_closed:
                    return

    def stop(self) -> None:
        """Take the last snapshot, and no further one.

        Raises
        ------
        HistoryError
            If it cannot be written; of a history that has been closed none is tried.
        """
        self._over.set()
        self._thread.join()
        if not self._history.is_closed:
            self.take()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        failed = f", {len(self.failures)} could not be written: {self.failures[-1]}" if self.failures else ""
        return f"<Collector into {self._into}, every {self._every}: {self.collected} snapshots{failed}>"


def collector_of(history: History, into: Path, every: object, keep: int) -> Collector:
    """A collector, once its arguments are looked at."""
    try:
        length = Duration.of(every)
    except DefinitionError as error:
        raise HistoryError(f"every={every!r}: {error}") from None
    if length < _SHORTEST:
        raise HistoryError(f"every={every!r}: give at least {_SHORTEST}; each snapshot writes the whole history.")
    return Collector(history, into, length, keep)
