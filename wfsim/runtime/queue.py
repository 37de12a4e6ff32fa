"""Attempts in a durable queue: DBOS hands them to whichever worker is free, in any process."""

from __future__ import annotations

import json
import logging
import math
import threading
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from dbos import DBOS, DBOSClient, EnqueueOptions
from dbos import Serializer as DBOSSerializer

from wfsim.errors import EngineError

from .delivery import Delivery
from .groups import DEFAULT, HIGHEST, MOST_AT_ONCE, QueueLimits, group_of, limits_of, queue_of, set_limits

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from datetime import datetime

    from wfsim.model.elements import Activity

    from .core import Core
    from .executor import Report
    from .implementations import Use
    from .pump import Pump
    from .rows import AttemptRow, Key
    from .sql_rows import SqlRows
    from .taking import Order

VERSION = "wfsim-1"
"""What DBOS takes for the version of the application: workers of one version take each other's attempts."""

TOGETHER = 500
"""Rows of DBOS that are removed at a time."""

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


def make_queue_tables(engine: sa.Engine) -> None:
    """Make the tables of DBOS in a database, or bring them up to date."""
    logging.getLogger("dbos").setLevel(logging.ERROR)
    DBOS.migrate(engine.url.render_as_string(hide_password=False))


class Queue:
    """Puts attempts into the queue, in the transaction that schedules them; any process may."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._prepared: DBOSClient | None = None

    def prepare(self) -> None:
        """Make the tables of DBOS, if they are not there; before the first transaction, as that would wait for it."""
        make_queue_tables(self._core.database.engine)
        self._prepared = DBOSClient(
            system_database_engine=self._core.database.engine, serializer=Json(), application_name="wfsim"
        )

    @property
    def _client(self) -> DBOSClient:
        assert self._prepared is not None
        return self._prepared

    def make(self, groups: Iterable[str | None]) -> None:
        """Make the queues of groups, if they are not there; workers of all groups find new ones by themselves."""
        for group in dict.fromkeys(queue_of(group) for group in groups):
            self._client.register_queue(
                group,
                worker_concurrency=QueueLimits().worker_concurrency,
                polling_interval_sec=0.1,
                on_conflict="never_update",
            )

    def limits(self) -> dict[str, QueueLimits]:
        """The groups that have a queue, by name, with its limits."""
        found = {group_of(queue.name): limits_of(queue) for queue in self._client.list_queues()}
        return dict(sorted(found.items()))

    def limit(self, group: str, limits: QueueLimits) -> None:
        """Set the limits of a group that has a queue."""
        queue = self._client.retrieve_queue(queue_of(group))
        assert queue is not None
        set_limits(queue, limits)

    def enqueue(self, rows: SqlRows, attempts: Iterable[AttemptRow], delay: float = 0.0) -> None:
        """A row of DBOS for each, under an id that a start repeated does not repeat."""
        for row in attempts:
            name = f"{row.instance}:{row.serial}:{row.attempt}:{row.tries}"
            options: EnqueueOptions = {
                "workflow_name": "wfsim_attempt",
                "queue_name": queue_of(row.pool),
                "workflow_id": name,
                "app_version": VERSION,
                # What has none comes first at DBOS, and its lowest number next.
                "priority": 1 + HIGHEST - row.priority,
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

    def forget(self, before: datetime) -> int:
        """Remove what DBOS keeps of attempts that ended before a time; how many. Our tables say what came of them."""
        n = 0
        while found := self._client.list_workflows(
            name="wfsim_attempt",
            status=["SUCCESS", "ERROR", "CANCELLED"],
            completed_before=before.isoformat(),
            limit=TOGETHER,
            load_input=False,
            load_output=False,
        ):
            self._client.delete_workflows([each.workflow_id for each in found])
            n += len(found)
        return n

    def taken_back(self, keys: Iterable[Key]) -> None:
        """Nothing to do: a worker that takes one finds out, and one that is at it looks."""

    def free(self, workers: Collection[str]) -> None:
        """Put attempts back that were handed to workers that are gone, and that these had not begun.

        DBOS looks after what its own restarted workers had, but a worker that starts again is another one here: so all
        that anybody has left is freed in one way.
        """
        pending = self._client.list_workflows(
            status="PENDING", name="wfsim_attempt", load_input=False, load_output=False
        )
        for each in pending:
            if each.executor_id not in workers:
                name, serial, attempt, tries = each.workflow_id.rsplit(":", 3)
                self._core.put_back((name, int(serial), int(attempt)), int(tries), self.enqueue)
                self._client.cancel_workflow(each.workflow_id)

    def close(self) -> None:
        """Let go of the database."""
        if self._prepared is not None:
            self._prepared.destroy()


class QueueWorker(Queue):
    """A queue that this process works off as well: there can be one in a process, as there is one DBOS.

    Parameters
    ----------
    worker
        This start of the worker.
    groups
        Whose attempts are carried out here; `None`: those of all.
    concurrency
        How many attempts of a group are carried out in a worker at a time; `None`: as it is stored.
    polling
        Seconds between two looks into a queue: an attempt begins so much later.

    Attributes
    ----------
    learn
        Called when an attempt comes whose function is not known here: its definition may have been published since.
    """

    def __init__(
        self,
        core: Core,
        pump: Pump,
        worker: str,
        *,
        groups: Collection[str] | None,
        concurrency: int | None,
        polling: float,
    ) -> None:
        self._pump = pump
        self._worker = worker
        self._groups = groups
        self._concurrency = concurrency
        self._polling = polling
        self._n_running = 0
        self._closing = threading.Event()
        self._count = threading.Lock()
        self._delivery = Delivery(core, worker, self, least=polling)
        self.learn: Callable[[], None] = lambda: None
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
                # They are made as they are needed.
                "max_executor_threads": MOST_AT_ONCE + 16,
                "run_migrations": False,
            }
        )

        @DBOS.workflow(name="wfsim_attempt", max_recovery_attempts=None)
        def attempt(name: str, serial: int, number: int, tries: int) -> None:
            self._attempt(name, serial, number, tries)

        self.make([DEFAULT] if self._groups is None else self._groups)
        for queue in self._client.list_queues():
            if self._groups is None or group_of(queue.name) in self._groups:
                queue.set_polling_interval_sec(self._polling)
                if self._concurrency is not None:
                    limits = limits_of(queue)
                    at_once = self._concurrency if limits.concurrency is None else limits.concurrency
                    queue.set_worker_concurrency(min(self._concurrency, at_once))
        if self._groups is not None:
            DBOS.listen_queues([queue_of(group) for group in self._groups])
        DBOS.launch()

    def _attempt(self, name: str, serial: int, attempt: int, tries: int) -> None:
        """An attempt, from the queue: taken, carried out, reported."""
        with self._count:
            self._n_running += 1
        try:
            self._delivery.deliver((name, serial, attempt), tries)
        finally:
            with self._count:
                self._n_running -= 1

    # --- as hands of a delivery ---------------------------------------------------------------------

    def admit(self, use: Use, declared: Activity, instance: str) -> None:
        """Whether the function is known here, and its breaker lets it pass."""
        self._pump.admit(use, declared, instance)

    def carry_out(self, order: Order) -> Report | None:
        """By the threads of the pump."""
        implementation = self._pump.implementation(order)
        assert implementation is not None
        return self._pump.perform(order, implementation)

    def wait(self, seconds: float) -> bool:
        """Wait so long; true if the worker ends meanwhile."""
        return self._closing.wait(seconds)

    def drain(self, timeout: float) -> None:
        """Take nothing more from the queue, and wait until what is at work has ended, or for so many seconds."""
        with self._count:
            is_idle = self._n_running == 0
        DBOS.destroy(workflow_completion_timeout_sec=0 if is_idle else math.ceil(timeout))
        # It complains of each that ends later; whether that is stored says our own table.
        logging.getLogger("dbos").setLevel(logging.CRITICAL)

    def taken_back(self, keys: Iterable[Key]) -> None:
        """Those that run here are asked to stop."""
        self._pump.taken_back(keys)

    def close(self) -> None:
        """Work no more."""
        self._closing.set()
        DBOS.destroy(destroy_registry=True)
        super().close()
        with _turn:
            _running.clear()
