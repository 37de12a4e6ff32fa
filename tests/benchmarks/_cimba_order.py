"""Orders in cimba, in a process of its own: `python -m tests.benchmarks._cimba_order ORDERS RUNS`: seconds and rows.

The flow of `tests/benchmarks/simpy_order.py`, as cimba's users write such models: one model per order, spawned when it
comes, with a process. Names are numbers, as compiled code has no texts; the rows are kept in arrays until the trial
ends, and cannot be taken out of it. cimba reads the source of the classes: no postponed annotations here.
"""

import math
import statistics
import sys
import time

import cimba as cb
from cimba import random

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
ROWS_PER_ORDER = 36
"""Room for rows; an order takes 34 on average, and a row too many fails the trial."""

# Kinds of rows.
STARTED, ENTERED, TRANSITION_STARTED, MOVED, EVENT, TIMER = 0, 1, 2, 3, 4, 5
SCHEDULED, BEGUN, SUCCEEDED, FAILED, TIMED_OUT, RETRY, ERROR, SET, CLOSED = 6, 7, 8, 9, 10, 11, 12, 13, 14
# States.
CREATED, VALIDATED, PENDING, PAYMENT_FAILED, PAID, ALLOCATED, SHIPPED = 0, 1, 2, 3, 4, 5, 6
REFUND, REVIEW, DELIVERED, CANCELLED, REFUNDED, OVERDUE = 7, 8, 9, 10, 11, 12
# Activities.
VALIDATE, CHARGE, VOID, ALLOCATE, RELEASE, PACK, REFUND_PAYMENT, NOTIFY = 0, 1, 2, 3, 4, 5, 6, 7
# Events.
TIMEOUT, GOES_ON, CANCELS, FAILS = 0, 1, 2, 3


class Shop(cb.Model):
    """Where orders come in, with its packers and the rows of all orders."""

    orders: cb.Param[int] = 1000
    packers: cb.Resource = cb.Resource(capacity=8)
    filled: int = 0
    cases: cb.Array[int]
    times: cb.Array[float]
    kinds: cb.Array[int]
    states: cb.Array[int]
    whats: cb.Array[int]
    attempts: cb.Array[int]
    rows: cb.Output[int]
    closed: int = 0

    @cb.process
    def arrivals(self):
        for case in range(self.orders):
            cb.hold(random.exponential(HOUR / 240))
            cb.spawn(Order, shop=self, case=case + 1)

    @cb.function
    def row(self, case: int, kind: int, state: int, what: int, attempt: int) -> None:
        k = self.filled
        self.cases[k] = case
        self.times[k] = cb.now()
        self.kinds[k] = kind
        self.states[k] = state
        self.whats[k] = what
        self.attempts[k] = attempt
        self.filled = k + 1

    @cb.on_end
    def measure(self):
        self.rows = self.filled


class Order(cb.Model):
    """One order, until it is closed."""

    shop: cb.Ref[Shop]
    case: int

    @cb.process
    def life(self):
        self.row(STARTED, CREATED, 0, 0)
        self.row(ENTERED, CREATED, 0, 0)
        if self.check() and self.pay():
            self.fulfil()
        shop = self.shop
        shop.closed += 1
        if shop.closed == shop.orders:
            cb.end_trial()

    # --- parts -----------------------------------------------------------------------------------

    @cb.function
    def row(self, kind: int, state: int, what: int, attempt: int) -> None:
        self.shop.row(self.case, kind, state, what, attempt)

    @cb.function
    def move(self, state: int, to_state: int) -> None:
        self.row(MOVED, state, to_state, 0)

    @cb.function
    def close(self, state: int, to_state: int) -> None:
        self.row(MOVED, state, to_state, 0)
        self.row(CLOSED, to_state, 0, 0)

    @cb.function
    def event(self, state: int, what: int, delay: float, timeout: float) -> int:
        """Wait for an event, or for the timeout; returns which came."""
        if delay > timeout:
            what, delay = TIMEOUT, timeout
        cb.hold(delay)
        self.row(TIMER if what == TIMEOUT else EVENT, state, what, 0)
        return what

    @cb.function
    def duration(self, name: int) -> float:
        if name == VALIDATE:
            return random.lognormal(math.log(0.3), 0.6)
        if name == CHARGE:
            return random.lognormal(0.0, 0.8)
        if name == VOID:
            return random.lognormal(math.log(0.8), 0.5)
        if name in (ALLOCATE, RELEASE):
            return random.lognormal(math.log(20.0), 0.7)
        if name == PACK:
            return random.triangular(20.0, 40.0, 180.0)
        if name == REFUND_PAYMENT:
            return random.lognormal(math.log(2.0), 1.0)
        return random.exponential(0.2)

    @cb.function
    def activity(self, state: int, name: int, network: float, rejected: float, timeout: float) -> bool:
        """Run with retries; returns whether it succeeded."""
        attempts, wait, longest, jitter = 3, 1.0, 60.0, 0.0
        if name == REFUND_PAYMENT:
            attempts, wait, longest, jitter = 5, 10.0, 300.0, 0.2
        pooled = name in (ALLOCATE, RELEASE, PACK)
        for attempt in range(1, attempts + 1):
            self.row(SCHEDULED, state, name, attempt)
            if pooled:
                self.shop.packers.acquire(1, priority=1 if name == ALLOCATE else 0)
            self.row(BEGUN, state, name, attempt)
            drawn = random.uniform()
            fails = drawn < network + rejected
            never = name == CHARGE and not fails and drawn - network - rejected < 0.002
            length = self.duration(name)
            late = never or length > timeout
            cb.hold(timeout if late else length)
            self.row(TIMED_OUT if late else FAILED if fails else SUCCEEDED, state, name, attempt)
            if pooled:
                self.shop.packers.release(1)
            if not late and not fails:
                return True
            if (fails and not late and drawn >= network) or attempt == attempts:
                break
            self.row(RETRY, state, name, attempt + 1)
            cb.hold(wait * (1.0 - jitter * random.uniform()))
            self.row(TIMER, state, name, attempt + 1)
            wait = min(longest, 2.0 * wait)
        self.row(ERROR, state, name, 0)
        return False

    # --- the order -------------------------------------------------------------------------------

    @cb.function
    def check(self) -> bool:
        if random.uniform() < 0.97:
            came = self.event(CREATED, GOES_ON, random.exponential(20.0), DAY)
        else:
            came = self.event(CREATED, CANCELS, random.exponential(5 * MINUTE), DAY)
        if came != GOES_ON:
            self.close(CREATED, CANCELLED)
            return False
        self.row(TRANSITION_STARTED, CREATED, 0, 0)
        if not self.activity(CREATED, VALIDATE, 0.02, 0.01, 30.0):
            self.close(CREATED, CANCELLED)
            return False
        self.move(CREATED, VALIDATED)
        return True

    @cb.function
    def pay(self) -> bool:
        """Returns whether the order is paid; if not, it is closed."""
        if random.uniform() < 0.96:
            came = self.event(VALIDATED, GOES_ON, random.lognormal(math.log(90.0), 0.8), DAY)
        else:
            came = self.event(VALIDATED, CANCELS, random.exponential(10 * MINUTE), DAY)
        if came != GOES_ON:
            self.close(VALIDATED, CANCELLED)
            return False
        self.row(TRANSITION_STARTED, VALIDATED, 0, 0)
        started = self.activity(VALIDATED, CHARGE, 0.04, 0.0, MINUTE)
        attempts = 0 if started else 1
        state = PENDING if started else PAYMENT_FAILED
        self.move(VALIDATED, state)
        while True:
            if state == PENDING:
                drawn = random.uniform()
                if drawn < 0.85:
                    came = self.event(state, GOES_ON, random.lognormal(math.log(2 * MINUTE), 1.0), 2 * HOUR)
                elif drawn < 0.98:
                    came = self.event(state, FAILS, random.lognormal(math.log(MINUTE), 0.7), 2 * HOUR)
                else:
                    came = self.event(state, CANCELS, random.exponential(20 * MINUTE), 2 * HOUR)
                if came == GOES_ON:
                    self.move(state, PAID)
                    return True
                if came != FAILS:
                    self.row(TRANSITION_STARTED, state, 0, 0)
                    self.activity(state, VOID, 0.0, 0.0, MINUTE)
                    self.close(state, CANCELLED)
                    return False
                attempts += 1
                self.move(state, PAYMENT_FAILED)
            if attempts >= 3:
                self.close(PAYMENT_FAILED, CANCELLED)
                return False
            if random.uniform() < 0.8:
                came = self.event(PAYMENT_FAILED, GOES_ON, random.exponential(5 * MINUTE), DAY)
            else:
                came = self.event(PAYMENT_FAILED, CANCELS, random.exponential(30 * MINUTE), DAY)
            if came != GOES_ON:
                self.close(PAYMENT_FAILED, CANCELLED)
                return False
            self.move(PAYMENT_FAILED, PENDING)
            state = PENDING

    @cb.function
    def fulfil(self) -> None:
        if not self.activity(PAID, ALLOCATE, 0.01, 0.02, 10 * MINUTE):
            self.refund(PAID)
            return
        self.row(SET, PAID, 0, 0)
        self.move(PAID, ALLOCATED)
        if random.uniform() < 0.98:
            came = self.event(ALLOCATED, GOES_ON, random.triangular(10 * MINUTE, 2 * HOUR, 20 * HOUR), 3 * DAY)
        else:
            came = self.event(ALLOCATED, CANCELS, random.uniform(0.0, 12 * HOUR), 3 * DAY)
        self.row(TRANSITION_STARTED, ALLOCATED, 0, 0)
        if came != GOES_ON:
            self.activity(ALLOCATED, RELEASE, 0.0, 0.0, 10 * MINUTE)
            self.refund(ALLOCATED)
            return
        if not self.activity(ALLOCATED, PACK, 0.0, 0.0, 2 * HOUR):
            self.refund(ALLOCATED)
            return
        self.move(ALLOCATED, SHIPPED)
        self.activity(SHIPPED, NOTIFY, 0.03, 0.0, 10.0)
        if self.event(SHIPPED, GOES_ON, random.lognormal(math.log(2 * DAY), 0.5), 14 * DAY) == TIMEOUT:
            self.refund(SHIPPED)
            return
        self.move(SHIPPED, DELIVERED)
        self.activity(DELIVERED, NOTIFY, 0.03, 0.0, 10.0)
        self.row(CLOSED, DELIVERED, 0, 0)

    @cb.function
    def refund(self, state: int) -> None:
        self.move(state, REFUND)
        if self.activity(REFUND, REFUND_PAYMENT, 0.1, 0.01, MINUTE):
            self.close(REFUND, REFUNDED)
            return
        self.move(REFUND, REVIEW)
        came = self.event(REVIEW, GOES_ON, random.exponential(2 * DAY), 7 * DAY)
        self.close(REVIEW, OVERDUE if came == TIMEOUT else REFUNDED)


def run(orders: int) -> int:
    """The number of rows of so many orders."""
    shop = Shop()
    shop.orders = orders
    for name in ("cases", "times", "kinds", "states", "whats", "attempts"):
        setattr(shop, name, cb.Array(ROWS_PER_ORDER * orders + 1_000))
    window = cb.Window(warmup=0, duration=orders * HOUR / 240 + 60 * DAY)
    found = cb.Experiment(shop, replications=1, window=window, seed=1).run()
    return int(found[shop].rows.values.item())


if __name__ == "__main__":
    wanted = int(sys.argv[1])
    run(1_000)
    seconds, rows = [], 0
    for _ in range(int(sys.argv[2])):
        begun = time.process_time()
        rows = run(wanted)
        seconds.append(time.process_time() - begun)
    print(statistics.median(seconds), rows)
