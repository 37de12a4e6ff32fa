"""Attempts in a durable queue: DBOS hands them to whichever worker is free, in any process."""

from __future__ import annotations

import json
import logging
import threading
from typing import TYPE_CHECKING, Any

from dbos import DBOS, DBOSClient, EnqueueOptions
from dbos import Serializer as DBOSSerializer

from wfsim.errors import EngineError

from .implementations import Use
from .turn import Unknown

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from .core import Core
    from .pump import Pump
    from .rows import AttemptRow
    from .sql_rows import SqlRows

QUEUE = "wfsim-activities"
VERSION = "wfsim-1"
"""What DBOS takes for the version of the application: workers of one version take each other's attempts."""

ELSEWHERE = 1.0
"""Seconds after which an attempt whose function is not known here is offered again."""

_running: list[str] = []
_turn = threading.Lock()


class Json(DBOSSerializer):
    """What stands in the tables of DBOS: JSON, not pickle, so that reading it runs nothing."""

    def name(self) -> str:
        """What DBOS writes beside it."""
        return "wfsim_json"

    def serialize(self, data: Any) -> str:
        """As JSON."""
        return json.dumps(data, separators=(",", ":"), default=str)

    def deserialize(self, serialized_data: str | None) -> Any:
        """From JSON."""
        return None if serialized_data is None else json.loads(serialized_data)


class Queue:
    """Puts attempts into the queue, in the transaction that schedules them; any process may."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._client: DBOSClient | None = None

    def prepare(self) -> None:
        """Make the tables of DBOS, if they are not there; before the first transaction, as that would wait for it."""
        logging.getLogger("dbos").setLevel(logging.ERROR)
        DBOS.migrate(self._core.database.engine.url.render_as_string(hide_password=False))
        self._client = DBOSClient(
            system_database_engine=self._core.database.engine, serializer=Json(), application_name="wfsim"
        )

    def enqueue(self, rows: SqlRows, attempts: Iterable[AttemptRow], delay: float = 0.0) -> None:
        """A row of DBOS for each, under an id that a start repeated does not repeat."""
        for row in attempts:
            assert self._client is not None
            name = f"{row.instance}:{row.serial}:{row.attempt}:{row.tries}"
            options: EnqueueOptions = {
                "workflow_name": "wfsim_attempt",
                "queue_name": QUEUE,
                "workflow_id": name,
                "app_version": VERSION,
            }
            if delay:
                options["delay_seconds"] = delay
            self._client.enqueue_in_transaction(
                rows.connection,
                options,
                row.instance,
                row.serial,
                row.attempt,
                row.tries,
            )

    def launched(self, attempts: Iterable[AttemptRow]) -> None:
        """Nothing to do: they are in the queue."""

    def taken_back(self, keys: Iterable[tuple[str, int, int]]) -> None:
        """Nothing to do: a worker that takes one finds out, and one that is at it looks."""

    def free(self, workers: Collection[str]) -> None:
        """Put attempts back that were handed to workers that are gone, and that these had not begun.

        DBOS looks after what its own restarted workers had, but a worker that starts again is another one here: so all
        that anybody has left is freed in one way.
        """
        assert self._client is not None
        pending = self._client.list_workflows(status="PENDING", queue_name=QUEUE, load_input=False, load_output=False)
        for each in pending:
            if each.executor_id not in workers:
                name, serial, attempt, tries = each.workflow_id.rsplit(":", 3)
                self._core.put_back(name, int(serial), int(attempt), int(tries), self.enqueue)
                self._client.cancel_workflow(each.workflow_id)

    def close(self) -> None:
        """Let go of the database."""
        if self._client is not None:
            self._client.destroy()


class QueueWorker(Queue):
    """A queue that this process works off as well: there can be one in a process, as there is one DBOS.

    Parameters
    ----------
    worker
        This start of the worker.
    concurrency
        How many attempts are carried out here at a time.
    polling
        Seconds between two looks into the queue: an attempt begins so much later.
    """

    def __init__(self, core: Core, pump: Pump, worker: str, *, concurrency: int, polling: float) -> None:
        self._pump = pump
        self._worker = worker
        self._concurrency = concurrency
        self._polling = polling
        with _turn:
            if _running:
                raise EngineError(
                    f"this process works for {_running[0]} already, and one process works for one database. "
                    "Close that engine, or open this one without activities."
                )
            _running.append(core.database.shown)
        super().__init__(core)

    def start(self) -> None:
        """Work from now on; attempts that a run without a queue has left are put into it."""
        with self._core.database.transaction() as rows:
            self.enqueue(rows, rows.open_attempts("queued"))
        DBOS(
            config={
                "name": "wfsim",
                "system_database_engine": self._core.database.engine,
                "system_database_url": self._core.database.engine.url.render_as_string(hide_password=False),
                "serializer": Json(),
                "executor_id": self._worker,
                "application_version": VERSION,
                "log_level": "ERROR",
                "scheduler_polling_interval_sec": 30.0,
                "max_executor_threads": self._concurrency + 16,
                "run_migrations": False,
            }
        )

        @DBOS.workflow(name="wfsim_attempt", max_recovery_attempts=None)
        def attempt(name: str, serial: int, number: int, tries: int) -> None:
            self._attempt(name, serial, number, tries)

        DBOS.listen_queues([QUEUE])
        DBOS.launch()
        DBOS.register_queue(QUEUE, worker_concurrency=self._concurrency, polling_interval_sec=self._polling)

    def _attempt(self, name: str, serial: int, attempt: int, tries: int) -> None:
        """An attempt, from the queue: taken, carried out, reported."""
        try:
            order = self._core.take(name, serial, attempt, self._worker, tries, self._pump.knows)
        except Unknown:
            self._core.put_back(name, serial, attempt, tries, lambda rows, again: self.enqueue(rows, again, ELSEWHERE))
            return
        if order is None:
            return
        implementation = self._pump.implementation(Use(order.workflow, order.activity, order.activity_version))
        assert implementation is not None
        report = self._pump.perform(order, implementation)
        if report is not None:
            self._core.report(report)

    def taken_back(self, keys: Iterable[tuple[str, int, int]]) -> None:
        """Those that run here are asked to stop."""
        self._pump.taken_back(keys)

    def close(self) -> None:
        """Work no more."""
        DBOS.destroy(destroy_registry=True)
        super().close()
        with _turn:
            _running.clear()
