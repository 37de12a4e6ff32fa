"""Alignments of logs with nets of pm4py's inductive miner: costs compared with those of r4pm, and the time both take.

Files of public logs (XES), which are in no repository, are named by `WFSIM_LOGS`, with `:` between them; else it is the
log that ships. r4pm has to be installed beside pm4py; no part of wfsim imports either.
"""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path

import wfsim as wf
from tests.benchmarks import Measured, cpu_seconds, median
from tests.differential.test_alignments_against_pm4py import from_pm4py, log_of

RUNS = 5
NOISE = 0.2


def measure() -> list[Measured]:
    """Processor seconds for all variants of each log, and how many times as long r4pm takes."""
    with contextlib.redirect_stdout(io.StringIO()):
        import pm4py
    import r4pm
    from r4pm.bindings import align_variants

    named = os.environ.get("WFSIM_LOGS")
    found = []
    for file in map(Path, named.split(":")) if named else [wf.examples()["loan_application"].log]:
        # Each event for itself, as the others read it.
        log = wf.read_log(file, pair=False)
        variants = log.sql("SELECT states, cases FROM variants", max_rows=None).fetchall()
        traces = log_of(states for states, cases in variants for _ in range(cases))
        theirs = pm4py.discover_petri_net_inductive(traces, noise_threshold=NOISE)
        net, other = from_pm4py(theirs), r4pm.petri_net.from_pm4py(*theirs)
        projected = r4pm.convert_item(r4pm.import_item("EventLog", str(file)), "EventLogActivityProjection")
        told = {tuple(each["activities"]): each["result"] for each in align_variants(other, projected)}
        ours = wf.align(log, net)
        assert {each.activities: each.deviations for each in ours.variants} == {
            trace: result["Ok"]["cost"] for trace, result in told.items()
        }
        mine = median(RUNS, lambda log=log, net=net: cpu_seconds(lambda: wf.align(log, net)))
        rest = median(RUNS, lambda net=other, log=projected: cpu_seconds(lambda: align_variants(net, log)))
        note = f"all {len(variants):,} variants cost the same, fitness {ours.fitness:.3f}"
        found += [
            Measured(file.name, mine, "s", note),
            Measured("  r4pm's time over it", rest / mine, "times", f"{rest:.2f} s"),
        ]
        log.close()
    return found


if __name__ == "__main__":
    from tests.benchmarks import show

    show("alignments", measure())
