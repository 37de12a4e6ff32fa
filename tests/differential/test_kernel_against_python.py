"""The compiled search finds what the plain one finds: the same markings under the same numbers, and all else."""

from __future__ import annotations

import _thread
import signal
import threading
from typing import Any
from unittest import mock

import numba
import pytest
from hypothesis import given
from hypothesis import strategies as st

import wfsim.verification.nets.explore as explore_module
import wfsim.verification.nets.packed_space as packed_module
from tests.benchmarks.nets_bench import KNOWN, fms, kanban, orders, parallel, philosophers, shared_memory
from tests.differential.test_nets_against_snakes import compare_graphs
from tests.nets import bounded, deadlock_free, quasi_live
from tests.property.test_nets import nets
from tests.random_cases import cases
from wfsim.errors import NetError
from wfsim.net.arcs import Arc, ArcKind
from wfsim.net.petri import PetriNet
from wfsim.verification.nets import kernel, net_search, packing, readiness
from wfsim.verification.nets.arrays import compiled
from wfsim.verification.nets.explore import explore
from wfsim.verification.nets.packing import Layout
from wfsim.verification.nets.soundness import soundness
from wfsim.verification.nets.state_space import StateSpace, Wake
from wfsim.verification.verdict import NetWitness, Status

SETTINGS = cases(50)


def compare(one: StateSpace, other: StateSpace) -> None:
    """Everything that can be asked of two spaces."""
    assert (one.n_markings, one.n_expanded, one.n_edges) == (other.n_markings, other.n_expanded, other.n_edges)
    assert list(one.tokens) == list(other.tokens)
    assert (one.complete, one.reason) == (other.complete, other.reason)
    assert one.bounds == other.bounds
    assert one.never_fired == other.never_fired
    assert one.deadlock_numbers() == other.deadlock_numbers()
    for number in range(one.n_markings):
        assert one.path_to(number) == other.path_to(number)
        assert one.is_deadlock(number) == other.is_deadlock(number)
        assert one.number_of(other.marking(number)) == number
    for number in range(one.n_expanded):
        assert list(one.edges_from(number)) == list(other.edges_from(number))
    last = one.n_markings - 1
    for targets in ([], [0], [last], one.deadlock_numbers()):
        assert one.able_to_reach(targets) == other.able_to_reach(targets)
    for number in {0, last // 2, last}:
        tokens = one.tokens[number]
        assert one.first_covering(tokens) == other.first_covering(tokens)
        assert one.records(number, sum(tokens)) == other.records(number, sum(tokens))
        for k in (0, 1, 3, 100):
            assert one.first_above(k, number) == other.first_above(k, number)


def begun_in_python(tries: int) -> Any:
    """The compiled search goes on after so many tries, be it loaded or not."""
    return mock.patch.multiple(readiness, SMALL=tries, TINY=tries)


def both(net: PetriNet, max_markings: int) -> tuple[StateSpace, StateSpace]:
    return (
        explore(net, max_markings=max_markings, engine="python"),
        explore(net, max_markings=max_markings, engine="kernel"),
    )


@SETTINGS
@given(nets(), st.integers(1, 200))
def test_random_nets_have_the_same_space(net: PetriNet, max_markings: int) -> None:
    plain, packed = both(net, max_markings)
    assert (plain.engine, packed.engine) == ("python", "kernel")
    compare(plain, packed)


@SETTINGS
@given(nets(), st.lists(st.integers(0, 70), min_size=5, max_size=5), st.integers(1, 60))
def test_fields_of_every_width_hold_what_lies_in_them(net: PetriNet, powers: list[int], max_markings: int) -> None:
    # Tokens just below a power of two overflow at the next firing.
    many = [2 ** min(power, 50) - 1 for power in powers[: len(net.places)]]
    compare(*both(net.with_marking(dict(zip(net.places, many))), max_markings))


@SETTINGS
@given(nets(), st.integers(0, 40), st.integers(1, 150))
def test_the_compiled_search_goes_on_where_the_plain_one_stood(net: PetriNet, after: int, max_markings: int) -> None:
    with (
        begun_in_python(after * max(1, len(net.transitions)) - 1),
        mock.patch.object(explore_module, "CLOCK_EVERY", 1),
    ):
        changed = explore(net, max_markings=max_markings)
    plain = explore(net, max_markings=max_markings, engine="python")
    if plain.n_expanded > after:
        assert changed.engine == "kernel"
    compare(plain, changed)


@SETTINGS
@given(nets(), st.integers(1, 30), st.integers(1, 150))
def test_slices_of_any_size_and_stores_that_grow_change_nothing(net: PetriNet, size: int, max_markings: int) -> None:
    with mock.patch.object(packed_module, "SLICE", size), mock.patch.object(packed_module, "RESERVED", size):
        packed = explore(net, max_markings=max_markings, engine="kernel")
    compare(explore(net, max_markings=max_markings, engine="python"), packed)


@SETTINGS
@given(nets(), st.integers(1, 150), st.sampled_from([1, 4, 1 << 22]))
def test_net_transitions_chosen_by_marked_places_fire_the_same(net: PetriNet, max_markings: int, size: int) -> None:
    with mock.patch.object(packing, "KEYS_FROM", 0), mock.patch.object(packed_module, "SLICE", size):
        packed = explore(net, max_markings=max_markings, engine="kernel")
    compare(explore(net, max_markings=max_markings, engine="python"), packed)


def test_where_many_places_are_marked_every_net_transition_is_tried() -> None:
    # Of 100 tokens some markings choose more net transitions than there is room for, others fewer.
    arcs = [arc for i in range(100) for arc in ((f"p{i}", f"t{i}"), (f"p{i}", f"u{i % 50}"), (f"t{i}", f"q{i % 2}"))]
    places = [*(f"p{i}" for i in range(100)), "q0", "q1"]
    transitions = [*(f"t{i}" for i in range(100)), *(f"u{i}" for i in range(50)), *(f"v{i}" for i in range(60))]
    net = PetriNet("many", places, transitions, arcs, {f"p{i}": 1 for i in range(100)})
    few = net.with_marking({f"p{i}": 1 for i in range(7)})
    assert len(net.transitions) >= packing.KEYS_FROM
    compare(*both(net, 400))
    compare(*both(few, 1000))


WAKES = {
    "every": None,
    "deadlock": Wake(deadlock=True),
    "record": Wake(record=True),
    "above": Wake(above=1),
    "first": Wake(first_firing=True),
}


@SETTINGS
@given(nets(kinds=(ArcKind.NORMAL, ArcKind.READ, ArcKind.INHIBITOR)), st.sampled_from(list(WAKES)))
def test_a_stop_is_woken_by_what_it_waits_for_and_finds_the_same(net: PetriNet, what: str) -> None:
    def stop_in(calls: list[int]) -> explore_module.Stop:
        seen, record, fired = 0, sum(net.initial_marking.tokens), ()

        def stop(space: StateSpace, number: int) -> str | None:
            nonlocal seen, record, fired
            assert space.n_expanded == number + 1
            happened = {
                "every": True,
                "deadlock": space.is_deadlock(number),
                "record": bool(space.records(seen, record)),
                "above": space.first_above(1, seen) is not None,
                "first": space.never_fired != fired,
            }[what]
            record = max(record, *(sum(tokens) for tokens in space.tokens[seen:]), 0)
            seen, fired = space.n_markings, space.never_fired
            if happened:
                calls.append(number)
            return "Enough." if len(calls) == 3 else None

        return stop

    told: list[list[int]] = [[], []]
    plain = explore(net, max_markings=100, stop=stop_in(told[0]), wake=WAKES[what], engine="python")
    packed = explore(net, max_markings=100, stop=stop_in(told[1]), wake=WAKES[what], engine="kernel")
    assert told[0] == told[1]
    compare(plain, packed)


@SETTINGS
@given(nets(final=True), st.integers(1, 150))
def test_verdicts_do_not_depend_on_the_engine(net: PetriNet, max_markings: int) -> None:
    questions = (soundness, deadlock_free, quasi_live, bounded, lambda net, **more: bounded(net, 2, **more))
    for question in questions:
        with mock.patch.object(net_search, "WALK_TRIES", 500):
            plain = question(net, max_markings=max_markings)
            with begun_in_python(-1):
                packed = question(net, max_markings=max_markings)
        assert str(plain) == str(packed)
        assert plain.to_dict() == packed.to_dict()
        if packed.status is Status.VIOLATED and isinstance(packed.witness, NetWitness):
            packed.witness.replay()


@cases(40)
@given(nets())
def test_snakes_builds_the_same_graph_as_the_kernel(net: PetriNet) -> None:
    space = explore(net, max_markings=60, engine="kernel")
    if space.complete:
        compare_graphs(net, space)


@pytest.mark.parametrize(
    "net", [kanban(2), kanban(4), fms(4), philosophers(10), shared_memory(8), parallel(16)], ids=lambda net: net.name
)
def test_published_state_spaces_have_their_size(net: PetriNet) -> None:
    space = explore(net, engine="kernel")
    assert space.complete
    assert (space.n_markings, space.n_edges) == KNOWN[net.name]
    assert space.memory / space.n_markings <= 48
    number = space.n_markings - 1
    assert net.fire_sequence(space.path_to(number))[-1] == space.marking(number)


@pytest.mark.parametrize("net", [kanban(2), fms(2), philosophers(6), orders(6, 2), parallel(5, 2, looped=True)])
def test_larger_nets_have_the_same_space(net: PetriNet) -> None:
    compare(*both(net, 1_000_000))


# --- limits and bad weather ---------------------------------------------------------------------------------


def test_a_field_is_widened_before_it_wraps() -> None:
    net = PetriNet("counter", ["p", "other"], ["up"], [("up", "p")], {"other": 3})
    packed = explore(net, max_markings=5000, engine="kernel")
    assert [tokens[0] for tokens in packed.tokens] == list(range(5000))
    assert packed.bounds == {"p": 4999, "other": 3}


def test_weights_near_the_largest_are_counted_exactly() -> None:
    arcs = [("p", "t", 10**9), ("t", "q", 10**9), ("q", "u", 1), ("u", "r", 7)]
    compare(*both(PetriNet("large", ["p", "q", "r"], ["t", "u"], arcs, {"p": 2 * 10**9}), 300))
    more = [Arc("q", "jump", 2**50), Arc("jump", "q", 2**51), Arc("jump", "p", 2**53), Arc("p", "rest", 2**53)]
    compare(*both(PetriNet("doubling", ["p", "q"], ["jump", "rest"], more, {"p": 1, "q": 2**50}), 200))


def test_what_does_not_fit_64_bits_is_left_to_python_or_refused() -> None:
    arcs = [Arc("up", f"p{i}", 2**53) for i in range(1500)]
    net = PetriNet("growing fast", [f"p{i}" for i in range(1500)], ["up"], arcs, {})
    with pytest.raises(NetError, match=r"does not fit the compiled search.*p0.*engine='python'"):
        explore(net, max_markings=10, engine="kernel")
    with begun_in_python(-1):
        space = explore(net, max_markings=10)
    assert (space.engine, space.n_markings) == ("python", 10)
    assert space.bounds["p0"] == 9 * 2**53


def test_growing_beyond_64_bits_during_the_search_is_noticed() -> None:
    arcs = [Arc("up", f"p{i}", 2**52) for i in range(100)]
    net = PetriNet("later", [f"p{i}" for i in range(100)], ["up"], arcs, {})
    with pytest.raises(NetError, match="does not fit the compiled search"):
        explore(net, max_markings=5000, engine="kernel")
    with begun_in_python(-1):
        space = explore(net, max_markings=200)
    compare(explore(net, max_markings=200, engine="python"), space)


def test_the_limit_of_memory_is_kept_and_told() -> None:
    for engine in ("python", "kernel"):
        space = explore(kanban(4), max_memory=2_000_000, engine=engine)
        assert not space.complete
        assert "limit of 2,000,000 bytes" in space.reason
        assert "max_memory" in space.reason
        assert 1_000 < space.n_markings < 100_000
        assert space.memory <= 2_100_000
        number = space.n_markings - 1
        assert space.net.fire_sequence(space.path_to(number))[-1] == space.marking(number)


def test_memory_that_the_machine_refuses_ends_the_search_with_a_reason() -> None:
    with mock.patch.object(packed_module.PackedSpace, "_grow", side_effect=[None, MemoryError]):
        space = explore(kanban(2), engine="kernel")
    assert not space.complete
    assert "memory" in space.reason
    assert space.n_markings > 100


def test_the_limit_of_time_is_kept() -> None:
    space = explore(fms(6), max_markings=10**8, max_seconds=0.3, engine="kernel")
    assert not space.complete
    assert space.reason.startswith("Stopped after 0.3 s with ")


@pytest.mark.parametrize("calls", [1, 2, 5, 40])
def test_an_interrupt_returns_what_is_known(calls: int) -> None:
    real, count = kernel.search, 0

    def interrupted(*arguments: object) -> int:
        nonlocal count
        count += 1
        outcome = real(*arguments)
        if count == calls:
            raise KeyboardInterrupt
        return int(outcome)

    net = kanban(2)
    # What is loaded already is not asked for when it was compiled, as the function in its place could not say.
    explore(net, engine="kernel")
    with mock.patch.object(kernel, "search", interrupted), mock.patch.object(packed_module, "SLICE", 500):
        space = explore(net, engine="kernel")
    assert not space.complete
    assert space.reason.startswith("Interrupted after ")
    whole = explore(net, engine="python")
    assert list(space.tokens) == list(whole.tokens)[: space.n_markings]
    for number in range(space.n_expanded):
        assert list(space.edges_from(number)) == list(whole.edges_from(number))


def test_control_c_ends_a_long_search_at_once() -> None:
    # A process that was started in the background ignores the signal.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        _interrupt_a_long_search()
    finally:
        signal.signal(signal.SIGINT, before)


def _interrupt_a_long_search() -> None:
    explore(kanban(1), engine="kernel")
    timer = threading.Timer(0.3, _thread.interrupt_main)
    timer.start()
    space = explore(fms(7), max_markings=10**8, engine="kernel")
    assert not space.complete
    assert space.reason.startswith("Interrupted after ")
    number = space.n_markings - 1
    assert space.net.fire_sequence(space.path_to(number))[-1] == space.marking(number)


def test_control_c_while_the_kernel_is_made_ready_keeps_what_python_found() -> None:
    net = kanban(3)
    with (
        begun_in_python(1_000),
        mock.patch.object(packed_module, "proved_bounds", side_effect=KeyboardInterrupt),
    ):
        space = explore(net)
    assert space.reason.startswith("Interrupted after ")
    assert space.n_expanded >= 64
    assert list(space.tokens) == list(explore(net).tokens)[: space.n_markings]


def test_an_unknown_engine_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"auto, python, kernel.*'fast'"):
        explore(kanban(1), engine="fast")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="max_memory"):
        explore(kanban(1), max_memory=0)


def test_nets_without_places_or_transitions_are_searched() -> None:
    for net in (
        PetriNet("nothing", [], [], [], {}),
        PetriNet("still", ["p"], [], [], {"p": 5}),
        PetriNet("t", [], ["t"], [], {}),
    ):
        compare(*both(net, 10))


def test_small_nets_are_searched_in_python_and_larger_ones_compiled() -> None:
    assert explore(philosophers(3)).engine == "python"
    assert explore(fms(4)).engine == "kernel"


def test_without_a_folder_to_keep_it_in_the_kernel_is_compiled_all_the_same() -> None:
    real = numba.njit

    def refusing(**options: object) -> object:
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return real(**options)

    with mock.patch.object(numba, "njit", refusing):
        doubled = compiled()(lambda number: 2 * number)
    assert doubled(21) == 42


def test_progress_is_shown_by_the_compiled_search_too(capsys: pytest.CaptureFixture[str]) -> None:
    explore(kanban(2), engine="kernel", progress=True)
    assert "4.60k" in capsys.readouterr().err


def test_markings_survive_packing() -> None:
    layout = Layout(fms(3), [5, 1, 3] * 7 + [40])
    rows = [tuple((i * 7 + p) % 2**width for p, width in enumerate(layout.widths)) for i in range(50)]
    words = layout.guard.repeat(50).reshape(layout.n_words, 50).T.copy()
    layout.pack_all(rows, words)
    assert layout.unpack(words) == rows
    assert not (words & layout.guard).any()
