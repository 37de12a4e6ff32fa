"""How much memory a compiled run takes, and whose the arrays of its log are."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import numpy as np
import pytest

import wfsim as wf
from wfsim.semantics import spread
from wfsim.semantics.compile import compile_workflow
from wfsim.simulation.compiled import buffers, layout
from wfsim.simulation.compiled.run import Chunk, CompiledSimulation
from wfsim.simulation.engine import Simulation

MODELS = Path(__file__).parents[3] / "models"


def orders(cases: int, **given: object) -> CompiledSimulation:
    scenario = wf.load_scenario(MODELS / "order_processing.scenario.yaml").changed(cases=cases)
    return CompiledSimulation(compile_workflow(wf.load(MODELS / "order_processing.yaml")), scenario, **given)  # type: ignore[arg-type]


def test_an_order_in_flight_takes_less_than_a_kilobyte() -> None:
    simulation = orders(20_000, sink=lambda chunk: None)
    assert not simulation.advance(150_000), "it goes on"
    run, state = simulation.memory.run, simulation.memory.state
    n_open = int(run.cases["open"].sum())
    assert n_open > 3_000, "as many as are open when most orders have come and few have gone"
    blocks = int(state["w_end"]) * run.words.itemsize
    names = int(simulation.memory.known.members["n_names"][0])
    per_slot = run.cases.itemsize + run.stays.itemsize + 2 * run.timers.itemsize + names * run.visits.itemsize
    due = simulation.memory.n_due * (run.entries.itemsize + run.heap.itemsize)
    attempts = int(state["n_attempts"]) * run.attempts.itemsize + int(state["n_tracks"]) * run.tracks.itemsize
    assert (blocks + int(state["n_slots"]) * per_slot + due + attempts) / n_open < 1_000


@pytest.mark.parametrize("keeps", [True, False])
def test_a_sink_that_keeps_a_chunk_has_what_a_sink_that_copies_it_has(keeps: bool) -> None:
    """Arrays that are kept stay as they are, and others serve in their place; those that are not are used again."""
    kept: list[tuple[np.ndarray, np.ndarray]] = []
    places = set()

    def sink(chunk: Chunk) -> bool:
        places.add(chunk.log.ctypes.data)
        kept.append((chunk.log, chunk.values) if keeps else (chunk.log.copy(), chunk.values.copy()))
        return keeps

    orders(1_500, sink=sink, chunk=1_000).run()
    assert len(kept) > 5
    assert len(places) == (len(kept) if keeps else 1)
    case, seq = (np.concatenate([log[name] for log, _ in kept]) for name in ("case", "seq"))
    for number in np.unique(case):
        assert np.array_equal(seq[case == number], np.arange(1, (case == number).sum() + 1))


@pytest.mark.parametrize("can_lend", [True, False])
def test_memory_of_a_log_is_written_again_once_nobody_has_any_part_of_it(
    can_lend: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buffers, "_free", [])
    # Where the system cannot be lent what is kept, as on Windows, it is kept all the same.
    monkeypatch.setattr(buffers, "_CAN_LEND", can_lend and buffers._CAN_LEND)
    log = buffers.empty(100_000, layout.LOG)
    place, part = log.ctypes.data, log[7:9]["time"]
    del log
    second = buffers.empty(100_000, layout.LOG)
    assert second.ctypes.data != place, "somebody has two of its times"
    del part
    third = buffers.empty(90_000, layout.LOG)
    assert third.ctypes.data == place
    assert third.flags.writeable
    assert third.dtype == layout.LOG
    assert len(third) == 90_000
    monkeypatch.setattr(buffers, "MOST_KEPT", second.nbytes)
    del second, third
    gc.collect()
    assert sum(map(len, buffers._free)) <= buffers.MOST_KEPT


def deliveries(cases: int, *, unique: bool) -> CompiledSimulation:
    """Meals, whose orders have numbers of their own or all the same one."""
    scenario = wf.load_scenario(MODELS / "food_delivery.scenario.yaml").changed(cases=cases)
    if not unique:
        scenario = scenario.changed(inputs={**scenario.inputs, "order_id": "F"})
    program = compile_workflow(wf.load(MODELS / "food_delivery.yaml"))
    simulation = CompiledSimulation(program, scenario, sink=lambda chunk: None)
    simulation.run()
    return simulation


def test_values_that_come_again_take_no_more_memory() -> None:
    few, many = (deliveries(cases, unique=False) for cases in (300, 3_000))
    assert len(few.members[0].texts) > 60, "drivers, and what they are told"
    assert len(many.members[0].texts) <= 1.1 * len(few.members[0].texts)
    for one, other in zip(many.memory.spread.arrays, few.memory.spread.arrays):
        assert len(one) <= 2 * len(other)


def test_what_was_made_is_forgotten_before_it_takes_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = deliveries(600, unique=True)
    monkeypatch.setattr(spread, "MOST_MADE", 256)
    small = deliveries(600, unique=True)
    made = plain.memory.spread.arrays[spread.MADE]
    assert len(made) > 1_000, "each order has a text of its own"
    assert len(small.memory.spread.arrays[spread.MADE]) == 256
    assert small.summary == plain.summary
    assert small.memory.state["n_records"] == plain.memory.state["n_records"]


@pytest.mark.parametrize("engine", [CompiledSimulation, Simulation])
@pytest.mark.parametrize("name", ["order_processing", "order_fulfilment", "loan_application"])
def test_what_a_run_took_is_free_as_soon_as_nobody_has_it(engine: type, name: str) -> None:
    """Nothing goes round in a circle, from which the memory of a run would be free whenever Python looks for such.

    Until then the next run takes more of the machine's memory, and pages that nobody has had yet cost most.
    """
    catalogue = wf.Catalogue([wf.load(MODELS / f"{one}.yaml") for one in (name, "shipping", "document_request")])
    program = compile_workflow(catalogue.get(name), catalogue)
    scenario = wf.load_scenario(MODELS / f"{name}.scenario.yaml").changed(cases=50)
    gc.collect()
    gc.disable()
    try:
        simulation = engine(program, scenario, sink=lambda *given: None)
        simulation.run()
        there = weakref.ref(simulation)
        del simulation
        assert there() is None
    finally:
        gc.enable()


def test_a_history_keeps_nothing_of_the_run_that_wrote_it() -> None:
    workflow = wf.example("order_processing")

    def n_runs() -> int:
        # Not `isinstance`: it asks proxies, also those of what is gone.
        return sum(type(one) is CompiledSimulation for one in gc.get_objects())

    gc.collect()
    gc.disable()
    try:
        before = n_runs()
        with wf.simulate(workflow, cases=50, engine="compiled", progress=False):
            assert n_runs() == before
    finally:
        gc.enable()
