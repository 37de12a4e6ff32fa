"""Breadth-first search over markings."""

from __future__ import annotations

import networkx as nx
import pytest

import wfsim.verification.nets.explore as explore_module
import wfsim.verification.nets.listed_space as listed_module
from tests.benchmarks.nets_bench import KNOWN, kanban
from tests.nets import net_of
from wfsim.errors import NetError, SearchIncomplete
from wfsim.net.petri import PetriNet
from wfsim.verification.nets import readiness
from wfsim.verification.nets.explore import explore
from wfsim.verification.nets.listed_space import ListedSpace
from wfsim.verification.nets.readiness import Compiled


def diamond() -> PetriNet:
    """Two independent steps, then a join; a shortcut to the end; one transition that is dead."""
    return PetriNet(
        "diamond",
        ["i", "a", "b", "c", "d", "o", "never"],
        ["split", "left", "right", "join", "dead"],
        [
            ("i", "split"),
            ("split", "a"),
            ("split", "b"),
            ("a", "left"),
            ("left", "c"),
            ("b", "right"),
            ("right", "d"),
            ("c", "join"),
            ("d", "join"),
            ("join", "o"),
            ("never", "dead"),
        ],
        {"i": 1},
    )


def counter(limit: int | None = None) -> PetriNet:
    """A place that grows for ever, or up to a limit by an inhibitor arc."""
    arcs: list[tuple[str, str, int, str]] = [("up", "p", 1, "normal")]
    if limit is not None:
        arcs.append(("p", "up", limit, "inhibitor"))
    return PetriNet("counter", ["p"], ["up"], arcs, {})


def test_every_marking_and_edge_is_counted_once() -> None:
    space = explore(diamond())
    assert space.complete
    assert space.reason == ""
    assert (space.n_markings, space.n_edges, space.n_expanded) == (6, 6, 6)
    assert len(space.markings) == 6
    assert len(list(space.edges())) == 6


def test_markings_come_nearest_first_from_the_initial_one() -> None:
    space = explore(diamond())
    distances = [len(space.trace_to(marking)) for marking in space.markings]
    assert space.markings[0] == {"i": 1}
    assert distances == sorted(distances) == [0, 1, 2, 2, 3, 4]


def test_a_trace_leads_to_its_marking() -> None:
    net = diamond()
    space = explore(net)
    trace = space.trace_to({"c": 1, "b": 1})
    assert trace == ("split", "left")
    assert net.fire_sequence(trace)[-1] == {"c": 1, "b": 1}


def test_a_trace_to_an_unreachable_marking_is_an_error() -> None:
    with pytest.raises(NetError, match="not reachable"):
        explore(diamond()).trace_to({"never": 1})
    with pytest.raises(SearchIncomplete, match="Stopped after 2 markings"):
        explore(diamond(), max_markings=2).trace_to({"o": 1})


def test_deadlocks_enable_nothing_and_dead_transitions_never_fire() -> None:
    space = explore(diamond())
    assert space.deadlocks == [{"o": 1}]
    assert space.dead_transitions == ("dead",)


def test_bounds_are_the_most_tokens_seen() -> None:
    assert explore(counter(5)).bounds == {"p": 5}
    assert explore(diamond()).bounds["never"] == 0


def test_an_edge_that_leads_back_counts_too() -> None:
    net = PetriNet("loop", ["p"], ["stay", "also"], [("p", "stay"), ("stay", "p"), ("p", "also", 1, "read")], [1])
    space = explore(net)
    assert (space.n_markings, space.n_edges) == (1, 2)
    assert space.deadlocks == []


def test_a_net_without_transitions_has_one_marking() -> None:
    space = explore(PetriNet("still", [], [], [], {}))
    assert (space.n_markings, space.n_edges, space.complete) == (1, 0, True)
    assert len(space.deadlocks) == 1
    assert space.bounds == {}


def test_the_limit_of_markings_leaves_an_incomplete_space() -> None:
    space = explore(counter(), max_markings=50)
    assert not space.complete
    assert space.n_markings == 50
    assert space.n_expanded == 49
    assert space.n_edges == 49
    assert space.reason == "Stopped after 50 markings; place 'p' held 49 tokens."


def test_exactly_as_many_markings_as_allowed_are_complete() -> None:
    assert explore(diamond(), max_markings=6).complete
    assert not explore(diamond(), max_markings=5).complete


def test_an_incomplete_space_does_not_claim_dead_transitions() -> None:
    space = explore(diamond(), max_markings=3)
    with pytest.raises(SearchIncomplete, match="Not fired so far"):
        space.dead_transitions  # noqa: B018
    # left was fired, although the expansion that fired it was not finished.
    assert space.never_fired == ("right", "join", "dead")


def test_unexpanded_markings_are_not_deadlocks() -> None:
    space = explore(diamond(), max_markings=3)
    assert space.deadlocks == []
    assert [space.is_deadlock(number) for number in range(3)] == [False, False, False]


def test_a_cut_search_goes_backwards_over_finished_expansions_only() -> None:
    space = explore(diamond(), max_markings=3)
    assert (space.n_edges, space.n_expanded) == (1, 1)
    assert list(space.able_to_reach([1])) == [1, 1, 0]
    assert list(space.able_to_reach([2])) == [0, 0, 1]


def test_the_limit_of_time_is_kept() -> None:
    space = explore(counter(), max_seconds=0.05)
    assert not space.complete
    assert space.reason.startswith("Stopped after 0.05 s with ")
    assert explore(diamond(), max_seconds=60).complete


def test_a_limit_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="max_markings"):
        explore(diamond(), max_markings=0)


@pytest.mark.parametrize("calls", [1, 7, 23, 24, 100])
def test_an_interrupt_returns_what_is_known(monkeypatch: pytest.MonkeyPatch, calls: int) -> None:
    real, count = listed_module.successor, 0

    def interrupted(tokens: tuple[int, ...], rule: object) -> tuple[int, ...] | None:
        nonlocal count
        count += 1
        if count == calls:
            raise KeyboardInterrupt
        return real(tokens, rule)  # type: ignore[arg-type]

    net = PetriNet("grid", ["p", "q"], ["a", "b"], [("a", "p"), ("b", "q")], {})
    monkeypatch.setattr(listed_module, "successor", interrupted)
    space = explore(net)
    assert not space.complete
    assert space.reason.startswith("Interrupted after ")
    assert space.n_expanded == (calls - 1) // 2
    assert len(list(space.edges())) == space.n_edges == 2 * space.n_expanded
    for marking in space.markings:
        assert net.fire_sequence(space.trace_to(marking))[-1] == marking


def test_a_stop_ends_the_search_with_its_reason() -> None:
    space = explore(counter(), stop=lambda space, number: "Seven." if number == 7 else None)
    assert (space.complete, space.reason, space.n_expanded) == (False, "Seven.", 8)


def test_progress_is_shown_on_request_only(capsys: pytest.CaptureFixture[str]) -> None:
    explore(diamond())
    assert capsys.readouterr().err == ""
    explore(diamond(), progress=True)
    shown = capsys.readouterr().err
    assert "exploring diamond" in shown
    assert "6.00 markings" in shown


def test_the_reachability_graph_is_a_networkx_graph() -> None:
    graph = explore(diamond()).to_networkx()
    assert graph.number_of_nodes() == 6
    assert graph.nodes[0]["marking"] == {"i": 1}
    assert nx.shortest_path_length(graph, 0, 5) == 4
    assert {t for _, _, t in graph.edges(data="transition")} == {"split", "left", "right", "join"}


def test_who_can_reach_a_marking_is_found_backwards() -> None:
    arcs = [("p", "a"), ("a", "q"), ("p", "b"), ("b", "r"), ("r", "c"), ("c", "s"), ("s", "d"), ("d", "r")]
    space = explore(PetriNet("fork", ["p", "q", "r", "s"], ["a", "b", "c", "d"], arcs, {"p": 1}))
    able = space.able_to_reach([space.number_of({"q": 1}) or 0])
    assert [space.marking(i).support() for i in range(4) if able[i]] == [("p",), ("q",)]
    assert not any(space.able_to_reach([]))


def test_membership_and_numbers_agree() -> None:
    net = diamond()
    space = explore(net)
    assert net.marking({"o": 1}) in space.markings
    assert net.marking({"never": 1}) not in space.markings
    assert space.number_of({"never": 1}) is None
    assert space.markings[space.number_of({"o": 1}) or 0] == {"o": 1}
    assert [m.to_dict() for m in space.markings[:2]] == [{"i": 1}, {"a": 1, "b": 1}]


def test_the_representation_says_whether_it_is_complete() -> None:
    assert repr(explore(diamond())) == "StateSpace('diamond', 6 markings, 6 edges, complete)"
    assert "incomplete: Stopped" in repr(explore(diamond(), max_markings=1))


def test_a_loaded_kernel_is_used_from_the_first_hundreds_of_markings_on(monkeypatch: pytest.MonkeyPatch) -> None:
    net = kanban(2)
    explore(net, engine="kernel")
    expanded: list[int] = []
    real = ListedSpace._expand

    def counted(space: ListedSpace, source: int, max_markings: int) -> bool:
        expanded.append(source)
        return real(space, source, max_markings)

    monkeypatch.setattr(ListedSpace, "_expand", counted)
    space = explore(net)
    assert (space.engine, space.n_markings, space.n_edges) == ("kernel", *KNOWN["kanban-2"])
    assert len(expanded) * len(net.transitions) <= readiness.TINY + explore_module.CLOCK_EVERY * len(net.transitions)


def test_a_small_net_is_answered_without_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "loaded", set(Compiled))
    assert explore(kanban(1)).engine == "kernel"
    assert explore(net_of("small", "a>T>b>U>a", {"a": 3})).engine == "python"
