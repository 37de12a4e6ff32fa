"""M5 in the net: the attempts of an activity, its workers and its clocks."""

from __future__ import annotations

from dataclasses import dataclass

from .draft import NetDraft
from .flat import FlatWorkflow
from .place_names import MOST_ATTEMPTS, Tokens, attempt_place, pool_place


@dataclass(frozen=True)
class Activities:
    """Adds activities to a draft; those whose pool is in `pools` need a free worker."""

    flat: FlatWorkflow
    draft: NetDraft
    pools: frozenset[str]

    def open_places(self, prefix: str, activity: str) -> list[str]:
        """Places of a token whose activity has not ended."""
        phases = ("backoff", "scheduled", "running")
        attempts = range(1, min(self.flat.policy(activity).max_attempts, MOST_ATTEMPTS) + 1)
        return [attempt_place(prefix, phase, k) for k in attempts for phase in (phases if k > 1 else phases[1:])]

    def worker(self, place: str, activity: str) -> Tokens:
        """The worker that an attempt in this place holds."""
        pool = self.flat.activities[activity].pool
        return {pool_place(pool): 1} if pool in self.pools and ".running." in place else {}

    def add(self, prefix: str, activity: str, source: str) -> None:
        """M5: scheduled, running, backoff, …, succeeded or failed; clocks may expire at any time."""
        draft, definition = self.draft, self.flat.activities[activity]
        succeeded, failed = f"{prefix}.succeeded", f"{prefix}.failed"
        for name in (*self.open_places(prefix, activity), succeeded, failed):
            draft.place(name, source)
        most = self.flat.policy(activity).max_attempts
        attempts, endless = min(most, MOST_ATTEMPTS), most > MOST_ATTEMPTS
        for k in range(1, attempts + 1):
            scheduled, running = attempt_place(prefix, "scheduled", k), attempt_place(prefix, "running", k)
            worker = self.worker(running, activity)
            draft.fire(f"{activity} starts", source, {scheduled: 1} | worker, {running: 1})
            draft.fire(f"{activity} succeeds", source, {running: 1}, {succeeded: 1} | worker)
            if k < attempts or endless:
                following = draft.place(attempt_place(prefix, "backoff", min(k + 1, attempts)), source)
                draft.fire(f"{activity} fails, will be retried", source, {running: 1}, {following: 1} | worker)
            if k == attempts or self._can_fail_for_good(activity):
                draft.fire(f"{activity} fails", source, {running: 1}, {failed: 1} | worker)
            if k > 1:
                backoff = attempt_place(prefix, "backoff", k)
                draft.fire(f"{activity} is tried again", source, {backoff: 1}, {scheduled: 1})
            if definition.schedule_to_start is not None:
                draft.fire(f"{activity} waits too long to start", source, {scheduled: 1}, {failed: 1})
        if definition.schedule_to_close is not None:
            for place in self.open_places(prefix, activity):
                outputs = {failed: 1} | self.worker(place, activity)
                draft.fire(f"{activity} takes too long", source, {place: 1}, outputs)

    def _can_fail_for_good(self, activity: str) -> bool:
        """Whether an attempt that is not the last can end the activity (M5.2)."""
        policy, definition = self.flat.policy(activity), self.flat.activities[activity]
        reported = [error.partition(".")[0] for error in policy.non_retryable_errors]
        if any(kind not in ("Timeout", "Expression") for kind in reported):
            return True
        start_to_close = definition.timeout or self.flat.workflow.timeouts.activity
        return start_to_close is not None and policy.is_final("Timeout.start_to_close")
