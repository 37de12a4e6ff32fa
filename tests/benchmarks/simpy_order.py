"""The order flow written by hand in SimPy, as its users write such models: one process per order."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Generator
from typing import Any

import simpy

Process = Generator[Any, Any, Any]

LEFT_OUT = (
    "expressions and typed values, payloads, state timers in the calendar (the earlier of event and timeout is "
    "computed), events that arrive while busy or that nobody takes, the workflow timer, draws that do not depend on "
    "order, rows that replay"
)

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


class OrderModel:
    """Orders that are checked, paid, packed, shipped and perhaps refunded, as in `models/order_processing`.

    Durations, shares, retries, timeouts and the pool are those of the model and its scenario. `rows` gets one tuple
    where the workflow would write a record.
    """

    def __init__(self, *, seed: int, cases: int) -> None:
        self.env = simpy.Environment()
        self.random = random.Random(seed)
        self.cases = cases
        self.packers = simpy.PriorityResource(self.env, 8)
        self.rows: list[tuple[Any, ...]] = []

    def run(self) -> None:
        """Until the last order is closed."""
        self.env.process(self._arrivals())
        self.env.run()

    def _row(self, case: int, kind: str, state: str, what: str = "", attempt: int = 0) -> None:
        self.rows.append((case, self.env.now, kind, state, what, attempt))

    def _arrivals(self) -> Process:
        for case in range(1, self.cases + 1):
            yield self.env.timeout(self.random.expovariate(240 / HOUR))
            self.env.process(self._order(case))

    # --- parts -----------------------------------------------------------------------------------

    def _lognormal(self, median: float, sigma: float) -> float:
        return self.random.lognormvariate(math.log(median), sigma)

    def _activity(
        self,
        case: int,
        state: str,
        name: str,
        duration: Callable[[], float],
        failures: tuple[tuple[str, float], ...] = (),
        *,
        timeout: float,
        attempts: int = 3,
        first_wait: float = 1.0,
        longest_wait: float = 60.0,
        jitter: float = 0.0,
        pool: simpy.PriorityResource | None = None,
        priority: int = 0,
        never_ends: float = 0.0,
    ) -> Process:
        """Run with retries; returns whether it succeeded."""
        wait = first_wait
        for attempt in range(1, attempts + 1):
            self._row(case, "activity_scheduled", state, name, attempt)
            request = None
            if pool is not None:
                request = pool.request(priority)
                yield request
            self._row(case, "activity_started", state, name, attempt)
            drawn = self.random.random()
            error = ""
            for kind, share in failures:
                if drawn < share:
                    error = kind
                    break
                drawn -= share
            length = duration()
            if (not error and drawn < never_ends) or length > timeout:
                yield self.env.timeout(timeout)
                error = "Timeout"
                self._row(case, "attempt_timed_out", state, name, attempt)
            else:
                yield self.env.timeout(length)
                self._row(case, "activity_failed" if error else "activity_succeeded", state, name, attempt)
            if request is not None and pool is not None:
                pool.release(request)
            if not error:
                return True
            if error == "Rejected" or attempt == attempts:
                break
            self._row(case, "retry_scheduled", state, name, attempt + 1)
            yield self.env.timeout(wait * (1 - jitter * self.random.random()))
            self._row(case, "timer_fired", state, name, attempt + 1)
            wait = min(longest_wait, wait * 2)
        self._row(case, "error_raised", state, name)
        return False

    def _event(
        self, case: int, state: str, plans: list[tuple[str, float, Callable[[], float]]], timeout: float
    ) -> Process:
        """Wait for one of the events, or for the timeout; returns its name."""
        drawn = self.random.random()
        chosen = plans[-1]
        for plan in plans:
            if drawn < plan[1]:
                chosen = plan
                break
            drawn -= plan[1]
        name, _, delay = chosen
        length = delay()
        if length > timeout:
            name, length = "timeout", timeout
        yield self.env.timeout(length)
        self._row(case, "timer_fired" if name == "timeout" else "event_received", state, name)
        return name

    def _move(self, case: int, state: str, to_state: str) -> str:
        self._row(case, "transition", state, to_state)
        return to_state

    def _close(self, case: int, state: str, to_state: str) -> None:
        self._move(case, state, to_state)
        self._row(case, "instance_closed", to_state)

    # --- the order -------------------------------------------------------------------------------

    def _order(self, case: int) -> Process:
        draw = self.random
        network = (("Network", 0.02), ("Rejected", 0.01))
        self._row(case, "started", "")
        self._row(case, "state_entered", "created")
        plans = [
            ("order_validated", 0.97, lambda: draw.expovariate(1 / 20)),
            ("order_cancelled", 0.03, lambda: draw.expovariate(1 / (5 * MINUTE))),
        ]
        if (yield from self._event(case, "created", plans, DAY)) != "order_validated":
            return self._close(case, "created", "cancelled")
        self._row(case, "transition_started", "created")
        checked = yield from self._activity(
            case, "created", "validate_order", lambda: self._lognormal(0.3, 0.6), network, timeout=30
        )
        if not checked:
            return self._close(case, "created", "cancelled")
        state = self._move(case, "created", "validated")
        if not (yield from self._pay(case, state)):
            return None
        return (yield from self._fulfil(case))

    def _pay(self, case: int, state: str) -> Process:
        """Returns whether the order is paid; if not, it is closed."""
        draw = self.random
        plans = [
            ("payment_initiated", 0.96, lambda: self._lognormal(90, 0.8)),
            ("order_cancelled", 0.04, lambda: draw.expovariate(1 / (10 * MINUTE))),
        ]
        if (yield from self._event(case, state, plans, DAY)) != "payment_initiated":
            self._close(case, state, "cancelled")
            return False
        self._row(case, "transition_started", state)
        started = yield from self._activity(
            case,
            state,
            "charge_card",
            lambda: self._lognormal(1, 0.8),
            (("Network", 0.04),),
            timeout=MINUTE,
            never_ends=0.002,
        )
        attempts = 0 if started else 1
        state = self._move(case, state, "payment_pending" if started else "payment_failed")
        pending = [
            ("payment_completed", 0.85, lambda: self._lognormal(2 * MINUTE, 1.0)),
            ("payment_failed", 0.13, lambda: self._lognormal(MINUTE, 0.7)),
            ("order_cancelled", 0.02, lambda: draw.expovariate(1 / (20 * MINUTE))),
        ]
        failed = [
            ("retry_payment", 0.8, lambda: draw.expovariate(1 / (5 * MINUTE))),
            ("order_cancelled", 0.2, lambda: draw.expovariate(1 / (30 * MINUTE))),
        ]
        while True:
            if state == "payment_pending":
                event = yield from self._event(case, state, pending, 2 * HOUR)
                if event == "payment_completed":
                    self._move(case, state, "payment_completed")
                    return True
                if event != "payment_failed":
                    self._row(case, "transition_started", state)
                    yield from self._activity(
                        case, state, "void_payment", lambda: self._lognormal(0.8, 0.5), timeout=MINUTE
                    )
                    self._close(case, state, "cancelled")
                    return False
                attempts += 1
                state = self._move(case, state, "payment_failed")
            if attempts >= 3:
                self._close(case, state, "cancelled")
                return False
            if (yield from self._event(case, state, failed, DAY)) != "retry_payment":
                self._close(case, state, "cancelled")
                return False
            state = self._move(case, state, "payment_pending")

    def _fulfil(self, case: int) -> Process:
        draw = self.random
        state = "payment_completed"
        # The cancellation after five days on average comes, in effect, never before the goods are reserved.
        allocated = yield from self._activity(
            case,
            state,
            "allocate_inventory",
            lambda: self._lognormal(20, 0.7),
            (("Rejected", 0.02), ("Network", 0.01)),
            timeout=10 * MINUTE,
            pool=self.packers,
            priority=-1,
        )
        if not allocated:
            return (yield from self._refund(case, state))
        self._row(case, "variables_set", state)
        state = self._move(case, state, "inventory_allocated")
        plans = [
            ("order_shipped", 0.98, lambda: draw.triangular(10 * MINUTE, 20 * HOUR, 2 * HOUR)),
            ("order_cancelled", 0.02, lambda: draw.uniform(0, 12 * HOUR)),
        ]
        event = yield from self._event(case, state, plans, 3 * DAY)
        self._row(case, "transition_started", state)
        if event != "order_shipped":
            yield from self._activity(
                case,
                state,
                "release_inventory",
                lambda: self._lognormal(20, 0.7),
                timeout=10 * MINUTE,
                pool=self.packers,
            )
            return (yield from self._refund(case, state))
        packed = yield from self._activity(
            case,
            state,
            "pack_order",
            lambda: draw.triangular(20, 180, 40),
            timeout=2 * HOUR,
            pool=self.packers,
        )
        if not packed:
            return (yield from self._refund(case, state))
        state = self._move(case, state, "shipped")
        yield from self._notify(case, state)
        plans = [("order_delivered", 1.0, lambda: self._lognormal(2 * DAY, 0.5))]
        if (yield from self._event(case, state, plans, 14 * DAY)) == "timeout":
            return (yield from self._refund(case, state))
        self._move(case, state, "delivered")
        yield from self._notify(case, "delivered")
        self._row(case, "instance_closed", "delivered")
        return None

    def _notify(self, case: int, state: str) -> Process:
        yield from self._activity(
            case,
            state,
            "notify_customer",
            lambda: self.random.expovariate(1 / 0.2),
            (("Network", 0.03),),
            timeout=10,
        )

    def _refund(self, case: int, state: str) -> Process:
        state = self._move(case, state, "refund_pending")
        refunded = yield from self._activity(
            case,
            state,
            "refund_payment",
            lambda: self._lognormal(2, 1.0),
            (("Network", 0.1), ("Rejected", 0.01)),
            timeout=MINUTE,
            attempts=5,
            first_wait=10,
            longest_wait=5 * MINUTE,
            jitter=0.2,
        )
        if refunded:
            return self._close(case, state, "refunded")
        state = self._move(case, state, "refund_review")
        plans = [("refund_processed", 1.0, lambda: self.random.expovariate(1 / (2 * DAY)))]
        event = yield from self._event(case, state, plans, 7 * DAY)
        return self._close(case, state, "refunded" if event != "timeout" else "refund_overdue")
