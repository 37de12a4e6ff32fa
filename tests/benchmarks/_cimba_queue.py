"""M/M/1 in cimba, in a process of its own: `python -m tests.benchmarks._cimba_queue CUSTOMERS RUNS` prints seconds.

It reads the source of the class: no postponed annotations here.
"""

import statistics
import sys
import time

import cimba as cb
from cimba import inputs


class Queue(cb.Model):
    """One clerk."""

    interarrival: cb.Input[float] = inputs.dist.exponential(mean=4.0)
    service_time: cb.Input[float] = inputs.dist.exponential(mean=3.0)
    queue: cb.Container
    mean_queue: cb.Output[float]

    @cb.process
    def arrivals(self):
        while True:
            cb.hold(self.interarrival.next())
            self.queue.put(1)

    @cb.process
    def server(self):
        while True:
            self.queue.get(1)
            cb.hold(self.service_time.next())

    @cb.on_end
    def measure(self):
        self.mean_queue = self.queue.mean_level()


def run(customers: int) -> None:
    """About so many customers."""
    cb.Experiment(Queue(), replications=1, window=cb.Window(warmup=0, duration=4.0 * customers), seed=1).run()


if __name__ == "__main__":
    run(1_000)
    found = []
    for _ in range(int(sys.argv[2])):
        begun = time.process_time()
        run(int(sys.argv[1]))
        found.append(time.process_time() - begun)
    print(statistics.median(found))
