"""M5 in the net: the attempts of an activity, its workers and its clocks."""

from __future__ import annotations

from dataclasses import dataclass

from wfsim.model.retrying import most_attempts

from .changes import NOTHING, Change, Move, take
from .draft import NetDraft
from .log import Entry
from .place_names import MOST_ATTEMPTS, Tokens, attempt_place, pool_place
from .views import WorkflowView


@dataclass(frozen=True)
class Activities:
    """Adds activities to a draft; those whose pool is in `pools` need a free worker."""

    view: WorkflowView
    draft: NetDraft
    pools: frozenset[str]

    def open_places(self, prefix: str, activity: str) -> list[str]:
        """Places of a token whose activity has not ended."""
        phases = ("backoff", "scheduled", "running")
        attempts = range(1, min(most_attempts(self.view.policies(activity)), MOST_ATTEMPTS) + 1)
        return [attempt_place(prefix, phase, k) for k in attempts for phase in (phases if k > 1 else phases[1:])]

    def worker(self, place: str, activity: str) -> Tokens:
        """The worker that an attempt in this place holds."""
        pool = self.view.activities[activity].pool
        return {pool_place(pool): 1} if pool in self.pools and ".running." in place else {}

    def open_ways(self, prefix: str, activity: str) -> list[Change]:
        """Ways to end the activity while it is open: its token is taken, its worker set free."""
        return [take(place).giving(self.worker(place, activity)) for place in self.open_places(prefix, activity)]

    def add(self, prefix: str, activity: str, source: str, entry: Entry | None = None) -> None:
        """M5: scheduled, running, backoff, …, succeeded or failed; clocks may expire at any time.

        `entry` is what it leaves in the log (M9.1).
        """
        draft, definition = self.draft, self.view.activities[activity]
        named = self.view.prefix + activity
        succeeded, failed = f"{prefix}.succeeded", f"{prefix}.failed"
        for name in (*self.open_places(prefix, activity), succeeded, failed):
            draft.place(name, source)

        def fire(what: str, inputs: Tokens, outputs: Tokens, logged: bool = False) -> None:
            for entered in entry.enters() if logged and entry is not None else [NOTHING]:
                draft.make(Move(Change(inputs, outputs) & entered, f"{named} {what}", source))

        attempted = entry is not None and entry.attempted
        most = most_attempts(self.view.policies(activity))
        attempts, endless = min(most, MOST_ATTEMPTS), most > MOST_ATTEMPTS
        for k in range(1, attempts + 1):
            scheduled, running = attempt_place(prefix, "scheduled", k), attempt_place(prefix, "running", k)
            worker = self.worker(running, activity)
            fire("starts", {scheduled: 1} | worker, {running: 1}, logged=attempted and k == 1)
            fire("succeeds", {running: 1}, {succeeded: 1} | worker, logged=not attempted)
            if k < attempts or endless:
                following = draft.place(attempt_place(prefix, "backoff", min(k + 1, attempts)), source)
                fire("fails, will be retried", {running: 1}, {following: 1} | worker)
            if k == attempts or self._can_fail_for_good(activity):
                fire("fails", {running: 1}, {failed: 1} | worker)
            if k > 1:
                fire("is tried again", {attempt_place(prefix, "backoff", k): 1}, {scheduled: 1})
            if definition.schedule_to_start is not None:
                fire("waits too long to start", {scheduled: 1}, {failed: 1})
        if definition.schedule_to_close is not None:
            for place in self.open_places(prefix, activity):
                fire("takes too long", {place: 1}, {failed: 1} | self.worker(place, activity))

    def _can_fail_for_good(self, activity: str) -> bool:
        """Whether an attempt that is not the last can end the activity (M5.2)."""
        tried, definition = self.view.policies(activity), self.view.activities[activity]
        reported = [error.partition(".")[0] for policy in tried for error in policy.non_retryable_errors]
        if len(tried) > 1 or any(policy.errors for policy in tried):
            # Which attempt is the last depends on the error, and some may be for no policy.
            return True
        if any(kind not in ("Timeout", "Expression") for kind in reported):
            return True
        start_to_close = definition.timeout or self.view.workflow.timeouts.activity
        return start_to_close is not None and any(policy.is_final("Timeout.start_to_close") for policy in tried)
