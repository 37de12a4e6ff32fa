"""Nets and limits that break naive checkers: an answer, or `unknown` with advice; no crash, hang or wrong answer."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest

import wfsim as wf
from tests.benchmarks.nets_bench import kanban, philosophers
from tests.clock import Looks
from tests.nets import bounded, deadlock_free, net_of, parallel, quasi_live, reachable
from wfsim.net.arcs import Arc
from wfsim.net.petri import PetriNet
from wfsim.verification.nets import net_search, readiness, stubborn_search
from wfsim.verification.nets import stubborn as stubborn_module
from wfsim.verification.nets.check import check, check_all
from wfsim.verification.nets.ctl import Labelling
from wfsim.verification.nets.diagrams import tries
from wfsim.verification.nets.diagrams.coded import CodedNet
from wfsim.verification.nets.diagrams.search import search_symbolically
from wfsim.verification.nets.explore import explore
from wfsim.verification.nets.formulas import Linear, Temporal
from wfsim.verification.nets.limits import DEFAULT_MEMORY, Limits
from wfsim.verification.nets.net_questions import QUESTIONS
from wfsim.verification.nets.net_search import NetSearch
from wfsim.verification.nets.readiness import Compiled
from wfsim.verification.nets.soundness import soundness
from wfsim.verification.nets.structure import (
    coverability,
    farkas,
    minimal_siphons,
    parts,
    place_invariants,
    rules,
    semiflows,
)
from wfsim.verification.nets.structure.siphons import liveness
from wfsim.verification.verdict import NetWitness, Status, Verdict

HUGE = 10**9


def chain(n: int, start: int = 1) -> PetriNet:
    """A sequence of so many places."""
    arcs = [arc for k in range(n - 1) for arc in ((f"p{k}", f"t{k}"), (f"t{k}", f"p{k + 1}"))]
    return PetriNet("chain", [f"p{k}" for k in range(n)], [f"t{k}" for k in range(n - 1)], arcs, {"p0": start})


# --- size --------------------------------------------------------------------------------------------


@pytest.mark.long
def test_thirty_thousand_places_are_answered_or_left_open() -> None:
    net = chain(30_000)
    assert soundness(net)
    found = reachable(net, {"p29999": 1})
    assert found
    assert found.witness is not None
    assert len(found.witness) == 29_999
    text = str(found)
    assert "… 29,799 more steps, all in witness.steps …" in text
    assert len(text.splitlines()) < 250
    assert len(found._repr_html_()) < 100_000
    space = explore(net, max_seconds=1)
    assert not space.complete
    assert "Stopped after 1 s" in space.reason


def test_a_split_into_a_thousand_branches_is_decided() -> None:
    assert soundness(parallel(1_000))


# --- weights and tokens ------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["python", "kernel"])
def test_arc_weights_and_tokens_of_a_thousand_million_are_counted_exactly(engine: Any) -> None:
    net = PetriNet("heavy", ["a", "b"], ["t"], [("a", "t", HUGE), ("t", "b", HUGE)], {"a": 2 * HUGE + 1})
    space = explore(net, engine=engine)
    assert space.complete
    assert [marking.to_dict() for marking in space.markings] == [
        {"a": 2 * HUGE + 1},
        {"a": HUGE + 1, "b": HUGE},
        {"a": 1, "b": 2 * HUGE},
    ]
    assert reachable(net, {"b": 2 * HUGE})
    assert reachable(net, {"b": 2 * HUGE + 1}).status is Status.VIOLATED
    assert place_invariants(net).vectors == ({"a": 1, "b": 1},)
    assert bounded(net, 2 * HUGE + 1)


def test_a_source_that_doubles_its_tokens_never_wraps() -> None:
    net = PetriNet("doubling", ["a"], ["t"], [("a", "t"), ("t", "a", HUGE)], {"a": 1})
    verdict = bounded(net)
    assert verdict.status is Status.VIOLATED
    assert isinstance(verdict.witness, NetWitness)
    assert verdict.witness.replay()[-1]["a"] >= HUGE
    for engine in ("python", "kernel"):
        space = explore(net, max_markings=50, engine=engine)  # type: ignore[arg-type]
        assert [m["a"] for m in space.markings] == [1 + k * (HUGE - 1) for k in range(50)]


# --- without end --------------------------------------------------------------------------------------

PRODUCER = net_of("producer", "idle>Make>idle Make>store store>Take>hand hand>Put>store", {"idle": 1})


@pytest.mark.parametrize("ask", [deadlock_free, soundness, quasi_live])
def test_an_unbounded_net_is_answered_or_left_open_with_advice(ask: Any) -> None:
    verdict = ask(PRODUCER, max_markings=2_000)
    if verdict.status is Status.UNKNOWN:
        assert "Raise max_markings" in verdict.reason
        assert "max_markings=2,000" in verdict.reason or "2,000" in verdict.reason
        assert verdict.bound["complete"] is False
    else:
        assert verdict.status is not Status.VIOLATED or verdict.witness is None or verdict.witness.replay()


def test_what_an_unbounded_net_can_grow_is_named() -> None:
    found = coverability(PRODUCER)
    assert found.unbounded == ("store", "hand")


# --- siphons and others -------------------------------------------------------------------------------


def test_too_many_siphons_are_told_and_never_called_all() -> None:
    found = minimal_siphons(parallel(16, "nested"), max_nodes=50)
    assert not found.complete


# --- memory -------------------------------------------------------------------------------------------


def sliding(columns: int, *, framed: bool = False) -> PetriNet:
    """The sliding puzzle of two rows: in half of all orders of the tiles each can be reached from each other one.

    No rule makes it smaller, and as every move takes the only gap, stubborn sets leave nothing out. `framed` makes it a
    workflow net, which is done when the tiles lie as at the start.
    """
    cells = range(2 * columns)
    tiles = cells[1:]
    ways = [(cell, cell + columns) for cell in range(columns)]
    ways += [(cell, cell + 1) for cell in cells if (cell + 1) % columns]
    beside = [*ways, *((b, a) for a, b in ways)]
    places = [f"gap{cell}" for cell in cells] + [f"tile{tile}at{cell}" for tile in tiles for cell in cells]
    start = ["gap0", *(f"tile{tile}at{tile}" for tile in tiles)]
    moves: dict[str, tuple[list[str], list[str]]] = {
        f"tile{tile}from{a}to{b}": ([f"tile{tile}at{a}", f"gap{b}"], [f"tile{tile}at{b}", f"gap{a}"])
        for tile in tiles
        for a, b in beside
    }
    marking = dict.fromkeys(start, 1)
    if framed:
        places += ["i", "o"]
        moves |= {"begin": (["i"], start), "end": (start, ["o"])}
        marking = {"i": 1}
    arcs = [Arc(place, move) for move, (taken, _) in moves.items() for place in taken]
    arcs += [Arc(move, place) for move, (_, put) in moves.items() for place in put]
    return PetriNet(f"sliding {columns}", places, list(moves), arcs, marking, {"o": 1} if framed else None)


PUZZLE = sliding(4)


def swapped(columns: int) -> dict[str, int]:
    """The other half of all orders of a sliding puzzle: no place weights tell that it is out of reach."""
    rest = {f"tile{tile}at{tile}": 1 for tile in range(3, 2 * columns)}
    return {"gap0": 1, "tile1at2": 1, "tile2at1": 1, **rest}


LITTLE = 30_000
"""Bytes that a search in Python has taken before a compiled one would begin."""
ALWAYS_BACK = Temporal("A", "G", (Temporal("E", "F", (Linear((("gap0", -1),), -1),)),))
HOME = kanban(3).with_marking(kanban(3).initial_marking, kanban(3).initial_marking)


@pytest.mark.parametrize(
    ("ask", "status"),
    [
        (lambda **limit: soundness(sliding(4, framed=True), **limit), Status.HOLDS),
        (lambda **limit: soundness(HOME, kind="weak", **limit), Status.HOLDS),
        (lambda **limit: soundness(sliding(4, framed=True), kind="relaxed", **limit), Status.HOLDS),
        (lambda **limit: quasi_live(PUZZLE, **limit), Status.HOLDS),
        (lambda **limit: reachable(sliding(3), swapped(3), **limit), Status.VIOLATED),
        (lambda **limit: check(sliding(3), "no_deadlock", **limit), Status.HOLDS),
        (lambda **limit: check(PUZZLE, "live", **limit), Status.HOLDS),
        (lambda **limit: check(kanban(3), "reversible", **limit), Status.HOLDS),
        (lambda **limit: check(PUZZLE, ALWAYS_BACK, **limit), Status.HOLDS),
    ],
)
def test_memory_at_its_limit_leaves_a_question_open_with_advice(ask: Callable[..., Verdict], status: Status) -> None:
    verdict = ask(max_memory=LITTLE)
    assert verdict.status is Status.UNKNOWN
    assert verdict.witness is None
    assert "more memory than the limit of 30,000 bytes" in verdict.reason
    assert "Raise max_memory" in verdict.reason
    assert "Raise max_markings" not in verdict.reason
    assert verdict.bound["complete"] is False
    assert ask(max_memory=2**28).status is status


def test_a_dive_keeps_to_the_memory_that_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stubborn_search, "BREADTH_WORK", 0)
    monkeypatch.setattr(stubborn_search, "LEAST_BREADTH", 100)
    verdict = reachable(PUZZLE, swapped(4), max_memory=2**19)
    assert verdict.status is Status.UNKNOWN
    assert "depth-first search" in verdict.method
    assert verdict.bound["markings"] > stubborn_search.LEAST_BREADTH
    assert "more memory than the limit of 524,288 bytes" in verdict.reason
    assert "Raise max_memory" in verdict.reason


@pytest.mark.parametrize(
    ("allowed", "given"),
    [(2**20, []), (2**23, [2**23]), (DEFAULT_MEMORY, [net_search.EARLY_MEMORY, DEFAULT_MEMORY])],
)
@pytest.mark.parametrize("ask", [soundness, deadlock_free])
def test_diagrams_take_no_more_memory_than_is_allowed(
    monkeypatch: pytest.MonkeyPatch, ask: Callable[..., Verdict], allowed: int, given: list[int]
) -> None:
    seen: list[int] = []

    def searched(net: PetriNet, limits: Limits, max_work: int) -> Any:
        seen.append(limits.max_memory)
        return search_symbolically(net, limits, 1)

    monkeypatch.setattr(tries, "search_symbolically", searched)
    monkeypatch.setattr(net_search, "WALK_TRIES", 1_000)
    verdict = ask(sliding(4, framed=True), max_memory=allowed, max_markings=100)
    assert verdict.status is Status.UNKNOWN
    assert seen == given
    assert ("Decision diagrams need a max_memory of at least 3 MiB." in verdict.reason) is not given


def test_diagrams_asked_by_check_keep_to_the_memory_that_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def searched(net: PetriNet, limits: Limits, max_work: int) -> Any:
        seen.append(limits.max_memory)
        return search_symbolically(net, limits, max_work)

    monkeypatch.setattr(tries, "search_symbolically", searched)
    monkeypatch.setattr(net_search, "WALK_TRIES", 1_000)
    assert reachable(PUZZLE, swapped(4), max_memory=2**23, max_markings=100).status is Status.UNKNOWN
    assert seen == [2**23]


def test_a_siphon_that_would_take_much_memory_to_empty_is_told_without_a_trace() -> None:
    net = net_of("drained", "a>Go>b b>Back>a a>Stop>c", {"a": 50})
    found, cut = liveness(net), liveness(net, limits=Limits(max_memory=10_000))
    assert found.status is cut.status is Status.VIOLATED
    assert isinstance(found.witness, NetWitness)
    assert found.witness.replay()[-1].to_dict() == {"c": 50}
    assert cut.witness is None
    assert check(net, "live", max_memory=10_000).status is Status.VIOLATED


@pytest.mark.parametrize(
    "ask",
    [
        soundness,
        deadlock_free,
        quasi_live,
        bounded,
        lambda net, **limits: reachable(net, {"p1": 1}, **limits),
        lambda net, **limits: check(net, "bounded", **limits),
    ],
)
def test_a_limit_that_nothing_keeps_is_refused(ask: Callable[..., Verdict]) -> None:
    with pytest.raises(ValueError, match="max_memory must be at least 1 byte, not 0"):
        ask(chain(3), max_memory=0)


# --- time ---------------------------------------------------------------------------------------------


def doubling(stages: int) -> PetriNet:
    """Each stage makes two tokens of one, so that the last place comes to hold `2**stages`."""
    arcs = [arc for k in range(stages) for arc in ((f"p{k}", f"t{k}"), (f"t{k}", f"p{k + 1}", 2))]
    places, transitions = [f"p{k}" for k in range(stages + 1)], [f"t{k}" for k in range(stages)]
    return PetriNet("doubling", places, transitions, arcs, {"p0": 1})


def translated(name: str) -> PetriNet:
    """The net of a workflow that ships."""
    return wf.to_net(wf.load(f"models/{name}.yaml"))


def fed(net: PetriNet) -> PetriNet:
    """The same beside a place that a net transition fills which needs nothing."""
    arcs = [*net.arcs, Arc("feed", "heap")]
    return PetriNet("fed", [*net.places, "heap"], [*net.transitions, "feed"], arcs, net.initial_marking)


LARGE = [kanban(50), philosophers(100), doubling(40), sliding(4), chain(2_000), translated("incident_response")]
ASKED: list[Any] = [
    *(name for name in QUESTIONS if name != "unit_safe"),
    {"bounded": 7},
    {"reachable": "deadlock"},
    {"leads_to": {"from": "true", "to": "deadlock"}},
]
DEAR = [
    (farkas, "_rounded"),
    (rules, "agglomerate"),
    (parts, "_way_through"),
    (stubborn_module, "_helpers"),
    (stubborn_module.StubbornSets, "chosen"),
    (CodedNet, "image"),
    (Labelling, "leads_to"),
    (import_module("wfsim.verification.nets.structure.coverability"), "_accelerated"),
    (semiflows, "_combined"),
]
"""What the engines do again and again where they take long."""


@pytest.mark.parametrize("net", LARGE, ids=lambda net: net.name)
@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_no_engine_goes_on_when_the_time_is_over(monkeypatch: pytest.MonkeyPatch, net: PetriNet, asked: Any) -> None:
    done = 0

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def once(*arguments: Any, **more: Any) -> Any:
            nonlocal done
            done += 1
            return function(*arguments, **more)

        return once

    for where, name in DEAR:
        monkeypatch.setattr(where, name, counted(getattr(where, name)))
    Looks(monkeypatch)
    verdict = check(net, asked, max_seconds=5)
    assert done < 200
    if verdict.status is Status.UNKNOWN:
        assert "Stopped after 5 s" in verdict.reason
        assert "max_seconds" in verdict.reason


@pytest.mark.parametrize("kind", ["classical", "weak", "relaxed"])
def test_soundness_ends_with_its_time_too(monkeypatch: pytest.MonkeyPatch, kind: Any) -> None:
    Looks(monkeypatch)
    verdict = soundness(sliding(4, framed=True), kind=kind, max_seconds=5)
    assert verdict.status is Status.UNKNOWN
    assert "Stopped after 5 s" in verdict.reason


def test_the_time_is_that_of_the_question_and_begins_anew_with_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = Looks(monkeypatch)
    first, second = check_all(PUZZLE, ["live", "reversible"], Limits(max_seconds=10))
    assert first.status is second.status is Status.UNKNOWN
    assert 10 <= looks.n < 300


@pytest.mark.parametrize("ready", [True, False])
def test_a_search_that_would_have_to_be_compiled_stays_in_python_if_the_time_is_short(
    monkeypatch: pytest.MonkeyPatch, ready: bool
) -> None:
    monkeypatch.setattr(readiness, "loaded", {Compiled.PLAIN} if ready else set())
    monkeypatch.setattr(readiness, "is_cached", lambda which: False)
    monkeypatch.setattr(readiness, "SMALL", 0)
    monkeypatch.setattr(readiness, "TINY", 0)
    space = explore(kanban(2), max_seconds=readiness.COMPILING - 1)
    assert space.complete
    assert space.engine == ("kernel" if ready else "python")
    assert explore(kanban(2), max_seconds=readiness.COMPILING + 100).engine == "kernel"


def test_with_hardly_any_memory_nothing_dear_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scipy.optimize.linprog", lambda *a, **k: pytest.fail("a programme was solved"))
    for name in ("quasi_live", "live", "stable", "one_safe", "no_deadlock"):
        check(philosophers(30), name, max_memory=1)


# --- what needs no search -----------------------------------------------------------------------------


def test_a_net_that_is_fed_from_nowhere_is_answered_without_a_search(monkeypatch: pytest.MonkeyPatch) -> None:
    net = fed(kanban(50))
    monkeypatch.setattr(net_search, "direct_markings", lambda net: 2)
    monkeypatch.setattr(NetSearch, "settle", lambda *a: pytest.fail("it was searched"))
    verdict = check(net, "no_deadlock")
    assert verdict.status is Status.HOLDS
    assert "'feed' needs nothing" in verdict.reason
    verdict = check(net, "bounded")
    assert verdict.status is Status.VIOLATED
    assert isinstance(verdict.witness, NetWitness)
    assert verdict.witness.repeatable == ("feed",)
    verdict = check(net, {"bounded": 1_000})
    assert verdict.status is Status.VIOLATED
    assert isinstance(verdict.witness, NetWitness)
    assert verdict.witness.replay()[-1]["heap"] == 1_001
    verdict = check(net, {"reachable": 'tokens("heap") > 5000 and tokens("m1") < 3'})
    assert verdict.status is Status.HOLDS
    assert isinstance(verdict.witness, NetWitness)
    assert verdict.witness.replay()[-1]["heap"] == 5_001
    verdict = check(net, {"reachable": 'tokens("heap") == 1000000000'})
    assert verdict.status is Status.HOLDS
    assert verdict.witness is None
    assert "Firing 'feed' 1,000,000,000 times" in verdict.reason


def test_a_net_that_weights_bound_is_not_called_perhaps_unbounded() -> None:
    net = doubling(40)
    assert check(net, "bounded").status is Status.HOLDS
    space = explore(net, max_markings=1_000)
    assert not space.complete
    assert "may be unbounded" not in space.reason
    many = explore(chain(2, start=200), max_markings=3)
    assert many.reason.endswith(
        """place 'p0' held 200 tokens. wf.check(net, "bounded") tells whether that has an end."""
    )
