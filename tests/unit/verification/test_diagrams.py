"""Decision diagrams: published counts, the order of places, refusals and limits."""

from __future__ import annotations

import itertools
import subprocess
import sys
from unittest import mock

import pytest

from tests.benchmarks.nets_bench import KNOWN, kanban, philosophers, shared_memory
from tests.benchmarks.nets_bench import parallel as branches
from tests.clock import Looks
from tests.differential.test_diagram_verdicts import diagrams_first
from tests.nets import bounded, deadlock_free, net_of, parallel, reachable
from wfsim.errors import NetError, SearchIncomplete
from wfsim.net.arcs import Arc, ArcKind
from wfsim.net.petri import PetriNet
from wfsim.verification.nets import explore as explore_module
from wfsim.verification.nets import net_questions, net_search
from wfsim.verification.nets.diagrams import answers, coded, tries
from wfsim.verification.nets.diagrams import search as search_module
from wfsim.verification.nets.diagrams.search import NotOneSafe, search_symbolically
from wfsim.verification.nets.explore import explore
from wfsim.verification.nets.formulas import And, Constant, Linear
from wfsim.verification.nets.limits import Ended, Limits
from wfsim.verification.nets.soundness import soundness
from wfsim.verification.verdict import NetWitness, Status

# --- counts ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [5, 10, 50])
def test_philosophers_have_as_many_markings_as_published(n: int) -> None:
    # Model Checking Contest, Philosophers: 243 markings of 5, 59,049 of 10, 3^N of N.
    space = explore(philosophers(n), engine="diagrams")
    assert space.complete
    assert space.n_markings == 3**n
    # They think, hold one fork of two, or eat; all hold the left, or all the right.
    assert space.n_deadlocks == 2
    for deadlock in space.deadlocks:
        assert space.net.enabled(deadlock) == ()


@pytest.mark.parametrize(("count", "length"), [(16, 1), (60, 1), (60, 3), (200, 1)])
def test_parallel_branches_have_as_many_markings_and_edges_as_counted_by_hand(count: int, length: int) -> None:
    net = branches(count, length)
    space = explore(net, engine="diagrams")
    inside = (length + 1) ** count
    assert space.n_markings == inside + 2
    # Each branch can go on in the share length / (length + 1) of the markings inside; and the split, and the join.
    assert space.n_edges == count * length * inside // (length + 1) + 2
    assert list(space.deadlocks) == [{"o": 1}]
    assert space.dead_transitions == ()
    assert set(space.bounds.values()) == {1}
    assert space.n_nodes < 10 * len(net.places)


@pytest.mark.parametrize("n", [8, 10, 15])
def test_shared_memory_has_as_many_markings_as_published(n: int) -> None:
    space = explore(shared_memory(n), engine="diagrams")
    # Each is active, at its own memory or waits; or one of them is at another's memory by the bus. In the Model
    # Checking Contest, SharedMemory of 10 has 1,830,519 markings.
    assert space.n_markings == 3**n + n * (n - 1) * 3 ** (n - 1)
    assert n != 10 or space.n_markings == 1_830_519
    assert n != 8 or (space.n_markings, space.n_edges) == KNOWN["shared memory-8"]


# --- order ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("net", "better"),
    [(branches(9, 2), 10), (philosophers(7), 10), (shared_memory(6), 2)],
    ids=["branches", "philosophers", "shared memory"],
)
def test_the_order_makes_smaller_diagrams_than_the_declared_one(net: PetriNet, better: int) -> None:
    if net.name == "parallel-9":
        # Declared step by step, not branch by branch.
        places = sorted(net.places, key=lambda place: (place[2:], place))
        net = PetriNet(net.name, places, net.transitions, net.arcs, net.initial_marking.to_dict())
    ordered = explore(net, engine="diagrams")
    with mock.patch.object(search_module, "variable_order", lambda net: tuple(range(len(net.places)))):
        declared = explore(net, engine="diagrams")
    assert declared.n_markings == ordered.n_markings
    assert ordered.n_nodes * better < declared.n_nodes
    assert sorted(ordered.order) == sorted(net.places)
    assert declared.order == net.places


# --- questions to a space ---------------------------------------------------------------------------------------


def test_markings_are_listed_only_as_far_as_asked() -> None:
    space = explore(parallel(60), engine="diagrams")
    assert repr(space.markings) == "MarkingSet(1,152,921,504,606,846,978 markings of 'parallel')"
    with pytest.raises(
        NetError, match=r"1,152,921,504,606,846,978 markings of net 'parallel' are too many to be listed"
    ):
        list(space.markings)
    some = list(itertools.islice(space.markings, 100))
    assert len(set(some)) == 100
    assert all(marking in space for marking in some)
    with pytest.raises(AttributeError, match=r"has no 'tokens'.*neither numbers markings nor keeps edges"):
        space.tokens  # noqa: B018
    with pytest.raises(AttributeError, match="has no attribute 'tokes'"):
        space.tokes  # noqa: B018
    assert repr(space).startswith("SymbolicSpace('parallel', 1,152,921,504,606,846,978 markings, ")


def test_sets_of_markings_are_cut_and_joined() -> None:
    space = explore(parallel(3), engine="diagrams")
    first, second = space.having({"c0": 1}), space.having({"c1": 1})
    assert len(space.markings) == 10
    assert len(first) == len(second) == 4
    assert len(first & second) == 2
    assert len(first | second) == 6
    assert len(first - second) == 2
    assert {"c0": 1, "c1": 1, "c2": 1} in first & second
    assert {"c0": 1} not in first
    assert "c0" not in first
    assert not space.having({"c0": 2})
    assert set(space.strictly_covering({"c0": 1})) == set(first)
    assert set(space.able_to_reach(first)) == set(space.markings) - {space.net.marking({"o": 1})}
    assert space.fired_into(space.deadlocks) == ("Join",)
    with pytest.raises(ValueError, match="of another space"):
        first & explore(parallel(3), engine="diagrams").markings


def test_sums_of_many_places_are_asked_of_many_markings() -> None:
    space = explore(parallel(40), engine="diagrams")
    done = space.where(Linear(tuple((f"c{k}", 1) for k in range(40)), 1))
    # None or one of forty branches is done, or the net is before or after them all.
    assert done.n_markings == 1 + 40 + 2
    powers = tuple((f"c{k}", 2**k) for k in range(40))
    with pytest.raises(SearchIncomplete, match="the sum of 40 places has too many values"):
        space.where(And((Linear(powers, 2**39 + 12345678), Constant(True))))


def test_a_trace_to_what_cannot_be_reached_is_an_error() -> None:
    space = explore(parallel(40), engine="diagrams")
    assert len(space.trace_to({"o": 1})) == 42
    with pytest.raises(NetError, match=r"Marking\(i: 1, o: 1\) is not reachable"):
        space.trace_to({"i": 1, "o": 1})
    with pytest.raises(NetError, match=r"MarkingSet\(0 markings of 'parallel'\) is not reachable"):
        space.trace_to(space.having({"i": 1, "o": 1}))


def test_a_shortest_trace_that_takes_too_long_is_refused_and_another_one_given() -> None:
    space = explore(philosophers(40), engine="diagrams")
    with pytest.raises(SearchIncomplete, match="shortest=False gives"):
        space.trace_to(space.deadlocks, max_seconds=0.05)
    trace = space.trace_to(space.deadlocks, shortest=False)
    assert space.net.enabled(space.net.fire_sequence(trace)[-1]) == ()
    with pytest.raises(SearchIncomplete, match="not enough time"):
        space.able_to_reach(space.deadlocks, Limits(max_seconds=0))
    with pytest.raises(SearchIncomplete, match="not enough time to count the edges"):
        space.count_all(Limits(max_seconds=0))
    space.count_all()


# --- nets that are not 1-safe -----------------------------------------------------------------------------------


def test_a_second_token_is_refused_with_the_way_there() -> None:
    net = net_of("twice", "i>S>a>A>c S>b>B>c c>E>o", {"i": 1})
    with pytest.raises(NotOneSafe, match="'twice' is not 1-safe: place 'c' holds 2 tokens after 'S', 'A', 'B'") as told:
        explore(net, engine="diagrams")
    assert net.fire_sequence(told.value.firing_sequence)[-1] == {"c": 2}
    assert told.value.shortest
    with pytest.raises(NotOneSafe, match="place 'i' holds 3 tokens at the start") as told:
        explore(net.with_marking({"i": 3}), engine="diagrams")
    assert told.value.firing_sequence == ()


@pytest.mark.parametrize(
    ("arcs", "unsafe"),
    [
        ([Arc("p", "t"), Arc("t", "q", 2)], True),
        ([Arc("p", "t"), Arc("t", "p", 2)], True),
        ([Arc("p", "t", 1, ArcKind.READ), Arc("t", "q")], True),
        ([Arc("p", "t", 1, ArcKind.READ), Arc("t", "q"), Arc("q", "t", 1, ArcKind.INHIBITOR)], False),
        ([Arc("p", "t", 1, ArcKind.READ), Arc("t", "q"), Arc("q", "t", 2, ArcKind.INHIBITOR)], True),
        ([Arc("p", "t", 1, ArcKind.READ), Arc("t", "q"), Arc("q", "t", 1, ArcKind.RESET)], False),
        ([Arc("p", "t", 1, ArcKind.READ), Arc("t", "q", 2), Arc("q", "t", 1, ArcKind.RESET)], True),
        ([Arc("p", "t", 2), Arc("t", "q", 5)], False),
        ([Arc("p", "t", 2, ArcKind.READ), Arc("t", "q", 5)], False),
        ([Arc("p", "t"), Arc("p", "t", 1, ArcKind.INHIBITOR), Arc("t", "q", 5)], False),
        ([Arc("t", "q")], True),
    ],
)
def test_arcs_of_every_kind_and_weight_are_safe_or_not_as_by_the_search(arcs: list[Arc], unsafe: bool) -> None:
    net = PetriNet("one", ["p", "q"], ["t"], arcs, {"p": 1})
    explicit = explore(net, max_markings=10)
    assert (explicit.first_above(1) is not None) is unsafe
    if unsafe:
        with pytest.raises(NotOneSafe):
            explore(net, engine="diagrams")
    else:
        space = explore(net, engine="diagrams")
        assert set(space.markings) == set(explicit.markings)
        assert (space.n_edges, space.dead_transitions) == (explicit.n_edges, explicit.dead_transitions)


def test_nets_without_places_or_transitions_are_searched() -> None:
    for net in (
        PetriNet("nothing", [], [], [], {}),
        PetriNet("still", ["p"], [], [], {"p": 1}),
        PetriNet("t", [], ["t"], [], {}),
    ):
        space, explicit = explore(net, engine="diagrams"), explore(net)
        assert (space.n_markings, space.n_edges) == (explicit.n_markings, explicit.n_edges)
        assert list(space.deadlocks) == explicit.deadlocks
        assert space.trace_to(net.initial_marking) == ()


# --- limits -----------------------------------------------------------------------------------------------------


def test_what_only_a_search_of_single_markings_has_is_refused() -> None:
    with pytest.raises(ValueError, match="no max_markings, stop, wake and stubborn"):
        explore(parallel(3), engine="diagrams", max_markings=5)  # type: ignore[call-overload]
    with pytest.raises(ValueError, match=r"diagrams, not 'fast'"):
        explore(parallel(3), engine="fast")  # type: ignore[call-overload]


def test_the_limit_of_nodes_leaves_an_incomplete_space() -> None:
    space = explore(shared_memory(40), max_memory=1, engine="diagrams")
    assert not space.complete
    assert not space.interrupted
    assert space.reason.startswith("Stopped after ")
    assert "need more than 65,536 nodes (3 MiB). Raise max_memory" in space.reason
    assert space.n_markings > 1_000
    with pytest.raises(SearchIncomplete, match="Stopped after"):
        space.dead_transitions  # noqa: B018
    with pytest.raises(SearchIncomplete, match="was not found"):
        space.trace_to({"bus": 1})
    assert space.trace_to(space.net.initial_marking) == ()


def test_nets_with_too_many_places_are_refused_and_left_to_the_search() -> None:
    # Deeper diagrams would overrun the stack of a thread.
    flow = " ".join(f"p{i}>T{i}>p{i + 1}" for i in range(2_000))
    net = net_of("chain", flow, {"p0": 1}, final_marking={"p2000": 1})
    with pytest.raises(NetError, match="has 2,001 places, where decision diagrams treat at most 2,000"):
        explore(net, engine="diagrams")
    verdict = bounded(net, 1, max_markings=100)
    assert verdict.status is Status.UNKNOWN
    assert "diagrams" not in verdict.reason
    fewer = explore(net_of("chain", flow.rsplit(maxsplit=1)[0], {"p0": 1}), engine="diagrams", max_seconds=0.1)
    assert not fewer.complete


def test_a_net_that_does_not_fit_at_all_is_an_error() -> None:
    with (
        mock.patch.object(search_module, "FIRST_NODES", 20),
        pytest.raises(coded.OutOfNodes, match=r"more than 20 nodes.*Raise max_memory"),
    ):
        explore(parallel(10), max_memory=1, engine="diagrams")


def test_the_limit_of_time_is_kept() -> None:
    space = explore(philosophers(300), max_seconds=0.3, engine="diagrams")
    assert not space.complete
    assert space.reason.startswith("Stopped after 0.3 s with ")


def test_the_limit_of_work_ends_at_the_same_place_each_time() -> None:
    spaces = [search_symbolically(philosophers(60), Limits(max_memory=2**30), 200_000) for _ in range(2)]
    assert spaces[0].reason == spaces[1].reason
    assert "which had cost as much as allowed" in spaces[0].reason
    assert not spaces[0].complete
    assert spaces[0].n_markings == spaces[1].n_markings > 1_000


def test_an_interrupt_returns_what_is_known() -> None:
    real, count = coded.CodedNet.image, 0

    def interrupted(*arguments: object) -> object:
        nonlocal count
        count += 1
        if count == 100:
            raise KeyboardInterrupt
        return real(*arguments)  # type: ignore[arg-type]

    with mock.patch.object(coded.CodedNet, "image", interrupted):
        space = explore(philosophers(30), engine="diagrams")
    assert space.reason.startswith("Interrupted after ")
    assert space.interrupted
    assert not space.complete
    assert 1 < space.n_markings < 3**30
    marking = max(itertools.islice(space.markings, 1000), key=lambda marking: marking["eat3"])
    assert space.net.fire_sequence(space.trace_to(marking, shortest=False))[-1] == marking


def test_progress_is_shown_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    explore(parallel(30), engine="diagrams", progress=True)
    assert "exploring parallel by decision diagrams" in capsys.readouterr().err


# --- verdicts ---------------------------------------------------------------------------------------------------


def test_a_deadlock_of_more_philosophers_than_can_be_listed_is_found() -> None:
    # 3^16 markings are 43 million.
    with diagrams_first():
        verdict = deadlock_free(philosophers(16))
    assert verdict.status is Status.VIOLATED
    assert verdict.bound == {"markings": 3**16, "edges": verdict.bound["edges"], "complete": True}
    assert verdict.method.startswith("decision diagrams of all reachable markings (")
    assert verdict.method.endswith("; trace replayed in the net, shortest")
    assert isinstance(verdict.witness, NetWitness)
    assert len(verdict.witness) == 16
    assert philosophers(16).enabled(verdict.witness.replay()[-1]) == ()
    assert verdict.statistics["deadlocks"] == 2


def test_where_a_shortest_trace_costs_too_much_another_one_is_given_and_called_so() -> None:
    net = philosophers(40)
    with diagrams_first(), mock.patch.object(answers, "TRACE_WORK", 1_000_000):
        verdict = deadlock_free(net)
    assert verdict.status is Status.VIOLATED
    assert verdict.bound["markings"] == 3**40
    assert verdict.method.endswith("; trace replayed in the net, perhaps not shortest")
    assert verdict.witness is not None
    assert net.enabled(verdict.witness.replay()[-1]) == ()


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Searches that leave the rest to diagrams early."""
    monkeypatch.setattr(net_search, "EARLY_MARKINGS", 1_000)


@pytest.mark.usefixtures("soon")
def test_places_of_many_philosophers_that_are_marked_together_or_not() -> None:
    net = philosophers(20)
    with diagrams_first():
        every_other = reachable(net, {f"eat{k}": 1 for k in range(0, 20, 2)}, max_markings=20_000)
    assert every_other.status is Status.HOLDS
    assert every_other.method.startswith("decision diagrams")
    assert every_other.bound["markings"] == 3**20
    assert isinstance(every_other.witness, NetWitness)
    assert every_other.witness.replay()[-1]["eat18"] == 1


@pytest.mark.parametrize("k", [None, 1, 4])
def test_bounds_that_no_weights_prove_are_told_by_diagrams(k: int | None) -> None:
    net = philosophers(20)
    with (
        diagrams_first(),
        mock.patch.object(net_questions, "proved_bounds", return_value={}),
        mock.patch.object(net_questions, "bounding_weights", return_value=None),
        mock.patch.object(net_questions, "refuted", return_value=None),
    ):
        verdict = bounded(net, k, max_markings=20_000)
    assert verdict.status is Status.HOLDS
    assert verdict.method.startswith("decision diagrams")
    assert verdict.bound["markings"] == 3**20
    assert set(verdict.statistics["bounds"].values()) == {1}


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("kind", ["classical", "weak", "relaxed"])
def test_branches_with_contests_are_sound_of_every_kind(kind: str) -> None:
    net = parallel(40, "contest", "nested")
    verdict = soundness(net, kind=kind)  # type: ignore[arg-type]
    assert verdict.status is Status.HOLDS
    if kind != "classical":
        # Reductions keep only the classical kind.
        assert verdict.method.startswith("decision diagrams")
        assert verdict.bound["markings"] > 10**20


def test_time_is_shared_between_the_search_and_the_diagrams(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = Looks(monkeypatch)
    verdict = deadlock_free(philosophers(300), max_seconds=4_000, max_markings=10**9)
    assert looks.n < 4_100
    assert verdict.status is Status.UNKNOWN
    assert "Decision diagrams: Stopped after " in verdict.reason
    assert "Raise max_markings or max_seconds" in verdict.reason


def test_an_interrupted_search_is_not_followed_by_diagrams() -> None:
    real = explore_module._search
    calls: list[int] = []

    def interrupted(*arguments: object) -> object:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*arguments)  # type: ignore[arg-type]

    with (
        mock.patch.object(explore_module, "_search", interrupted),
        mock.patch.object(tries, "search_symbolically", side_effect=AssertionError),
    ):
        verdict = soundness(parallel(40, "contest"), kind="weak")
    assert verdict.status is Status.UNKNOWN
    assert verdict.reason.startswith("Interrupted after ")


def test_interrupted_diagrams_are_not_followed_by_another_search() -> None:
    net = philosophers(16)
    told = explore(net, engine="diagrams")
    told.ended, told.reason = Ended.INTERRUPTED, "Interrupted after a while."
    with diagrams_first(), mock.patch.object(tries, "search_symbolically", return_value=told) as called:
        verdict = deadlock_free(net)
    assert called.call_count == 1
    assert verdict.status is Status.UNKNOWN
    assert "Decision diagrams: Interrupted after a while." in verdict.reason


def test_nets_with_more_tokens_than_one_in_a_place_stay_with_the_search() -> None:
    with mock.patch.object(tries, "search_symbolically", side_effect=AssertionError):
        home = kanban(3).with_marking(kanban(3).initial_marking, kanban(3).initial_marking)
        assert soundness(home, kind="weak", max_markings=10_000).status is Status.UNKNOWN


def test_a_net_found_not_to_be_safe_is_searched_as_far_as_allowed() -> None:
    # A counter that goes on for ever beside what is 1-safe; only inhibitors keep growth from being proved.
    arcs = [
        ("up", "p"),
        ("p", "down"),
        ("q", "to"),
        ("to", "r"),
        ("r", "back"),
        ("back", "q"),
        ("p", "up", 99, "inhibitor"),
    ]
    net = PetriNet("growing", ["p", "q", "r"], ["up", "down", "to", "back"], arcs, {"q": 1})
    with mock.patch.object(net_search, "EARLY_MARKINGS", 50):
        verdict = deadlock_free(net.with_marking({"q": 1}), max_markings=10_000)
    assert verdict.status is Status.HOLDS
    assert verdict.method != "decision diagrams"


def test_small_nets_do_not_load_the_library() -> None:
    code = (
        "import sys; from tests.nets import parallel; from wfsim.verification.nets.soundness import soundness; "
        "assert soundness(parallel(3)); assert soundness(parallel(60)); assert 'oxidd' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
