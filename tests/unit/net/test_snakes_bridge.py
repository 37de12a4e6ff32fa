"""Nets in SNAKES and back."""

from __future__ import annotations

import pytest
import snakes.nets as sn

from wfsim.errors import NetError, NotCovered
from wfsim.model.yaml_io import loads
from wfsim.net.arcs import Arc, ArcKind
from wfsim.net.petri import PetriNet
from wfsim.net.snakes_bridge import from_snakes, to_snakes


def one(annotation: sn.ArcAnnotation, output: sn.ArcAnnotation | None = None) -> sn.PetriNet:
    net = sn.PetriNet("one")
    net.add_place(sn.Place("p", [sn.dot] * 3))
    net.add_transition(sn.Transition("t"))
    net.add_input("p", "t", annotation)
    if output is not None:
        net.add_output("p", "t", output)
    return net


def test_snakes_fires_the_same_sequence() -> None:
    arcs = [("p", "t", 2), ("t", "q"), ("q", "u"), ("u", "p", 3), ("lock", "t", 1, "inhibitor")]
    net = PetriNet("n", ["p", "q", "lock"], ["t", "u"], arcs, {"p": 2})
    other = to_snakes(net)
    assert isinstance(other, sn.PetriNet)
    marking = net.initial_marking
    for transition in ("t", "u", "t", "u", "t"):
        marking = net.fire(marking, transition)
        (mode,) = other.transition(transition).modes()
        other.transition(transition).fire(mode)
        assert {p: len(tokens) for p, tokens in other.get_marking().items()} == marking.to_dict()


def test_arcs_become_the_annotations_snakes_has_for_them() -> None:
    arcs = [
        ("a", "t"),
        ("b", "t", 2),
        ("c", "t", 1, "read"),
        ("d", "t", 1, "reset"),
        ("e", "t", 1, "inhibitor"),
    ]
    other = to_snakes(PetriNet("n", ["a", "b", "c", "d", "e"], ["t"], arcs, {}))
    labels = {place.name: label for place, label in other.transition("t").input()}
    assert labels["a"] == sn.Value(sn.dot)
    assert labels["b"] == sn.MultiArc([sn.Value(sn.dot)] * 2)
    assert isinstance(labels["c"], sn.Test)
    assert isinstance(labels["d"], sn.Flush)
    # Beside a Flush an Inhibitor works only inside a MultiArc.
    assert isinstance(next(iter(labels["e"])), sn.Inhibitor)


def test_all_kinds_on_one_place_agree_with_snakes() -> None:
    arcs = [
        ("p", "t", 2),
        ("p", "t", 3, "read"),
        ("p", "t", 5, "inhibitor"),
        ("p", "t", 1, "reset"),
        ("t", "p"),
    ]
    net = PetriNet("n", ["p"], ["t"], arcs, {})
    for tokens in range(8):
        other = to_snakes(net.with_marking({"p": tokens}))
        modes = other.transition("t").modes()
        assert bool(modes) == net.is_enabled({"p": tokens}, "t") == (3 <= tokens < 5)
        if modes:
            other.transition("t").fire(modes[0])
            assert len(other.place("p").tokens) == net.fire({"p": tokens}, "t")["p"] == 1


def test_the_way_there_and_back_keeps_the_net() -> None:
    arcs = [
        ("a", "t", 3),
        ("b", "t", 2, "read"),
        ("c", "t", 4, "inhibitor"),
        ("d", "t", 1, "reset"),
        ("t", "a", 2),
    ]
    net = PetriNet("n", ["a", "b", "c", "d"], ["t", "lonely"], arcs, {"a": 4, "d": 1})
    back = from_snakes(to_snakes(net))
    assert (back.name, back.places, back.transitions) == (net.name, net.places, net.transitions)
    assert set(back.arcs) == set(net.arcs)
    assert back.initial_marking == net.initial_marking


def test_consuming_beside_a_reset_comes_back_as_reading() -> None:
    net = PetriNet("n", ["p"], ["t"], [("p", "t", 2), ("p", "t", 1, "reset")], {})
    assert set(from_snakes(to_snakes(net)).arcs) == {
        Arc("p", "t", 2, ArcKind.READ),
        Arc("p", "t", 1, ArcKind.RESET),
    }


def test_a_transition_without_input_arcs_fires_in_snakes_too() -> None:
    net = PetriNet("n", ["p", "q"], ["t"], [("t", "q")], {"p": 2})
    other = to_snakes(net)
    for count in (1, 2):
        other.transition("t").fire(other.transition("t").modes()[0])
        assert {p: len(tokens) for p, tokens in other.get_marking().items()} == {"p": 2, "q": count}
    assert from_snakes(to_snakes(net)) == net


def test_a_transition_without_input_arcs_needs_a_place_for_snakes() -> None:
    with pytest.raises(NetError, match="SNAKES would never enable 't'"):
        to_snakes(PetriNet("n", [], ["t"], [], {}))
    never = sn.PetriNet("never")
    never.add_transition(sn.Transition("t"))
    with pytest.raises(NetError, match="transition 't' has no input arcs"):
        from_snakes(never)


def test_many_tokens_cost_nothing_and_heavy_arcs_are_refused() -> None:
    net = PetriNet("n", ["p"], ["t"], [("p", "t")], {"p": 10**12})
    assert from_snakes(to_snakes(net)).initial_marking == {"p": 10**12}
    heavy = PetriNet("n", ["p"], ["t"], [("p", "t", 1001)], {})
    with pytest.raises(NetError, match="weight 1,001"):
        to_snakes(heavy)


@pytest.mark.parametrize(
    ("net", "words"),
    [
        (one(sn.Variable("x")), "arc from 'p': Variable('x') is coloured"),
        (one(sn.Value(3)), "Value(3) is coloured"),
        (one(sn.Tuple([sn.Value(sn.dot)])), "is coloured"),
        (one(sn.Test(sn.Variable("x"))), "Variable('x') is coloured"),
        (one(sn.Inhibitor(sn.Value(sn.dot), sn.Expression("1 > 0"))), "inhibitor with the condition"),
        (one(sn.MultiArc([sn.Value(sn.dot), sn.Flush("x")])), "takes tokens twice"),
        (one(sn.Value(sn.dot), sn.Expression("dot")), "arc to 'p': Expression('dot') is coloured"),
        (one(sn.Value(sn.dot), sn.Test(sn.Value(sn.dot))), "is coloured"),
    ],
)
def test_a_coloured_arc_is_refused(net: sn.PetriNet, words: str) -> None:
    with pytest.raises(NetError) as caught:
        from_snakes(net)
    assert words in str(caught.value)


def test_coloured_places_and_guards_are_refused() -> None:
    coloured = sn.PetriNet("c")
    coloured.add_place(sn.Place("p", [sn.dot, 7]))
    with pytest.raises(NetError, match="place 'p' holds 7"):
        from_snakes(coloured)
    typed = sn.PetriNet("c")
    typed.add_place(sn.Place("p", [], sn.tInteger))
    with pytest.raises(NetError, match="does not accept black tokens"):
        from_snakes(typed)
    guarded = sn.PetriNet("g")
    guarded.add_transition(sn.Transition("t", sn.Expression("1 > 2")))
    with pytest.raises(NetError, match="guard"):
        from_snakes(guarded)


TICKET = """
name: ticket
version: 1.0.0
initial_state: open
variables: {seats: {type: integer, initial: 2, minimum: 0, maximum: 2}}
events: {book: {payload: {seats: {type: integer, minimum: 1, maximum: 2}}}}
activities: {f: {}}
states: [{name: open}, {name: full, is_terminal: true}]
transitions:
  - from: open
    event: book
    condition: event.seats <= context.seats
    pre_actions: [{action_type: set_variable, parameters: {name: seats, value: "${context.seats - event.seats}"}}]
  - {from: open, condition: context.seats == 0, to: full}
unhandled: reject
"""


def test_values_are_colours_and_conditions_guards() -> None:
    graph = sn.StateGraph(to_snakes(loads(TICKET), data=True))
    graph.build()
    left: dict[str, set[int]] = {}
    for number in graph:
        marking = graph[number]
        for place in {"state open", "completed", "failed"} & set(marking):
            left.setdefault(place, set()).add(next(iter(marking["variables"]))["seats"])
    assert left == {"state open": {2, 1}, "completed": {0}}


def test_a_circle_of_automatic_transitions_fails_in_a_coloured_net() -> None:
    text = TICKET.replace("context.seats == 0, to: full", "context.seats < 3, to: open")
    graph = sn.StateGraph(to_snakes(loads(text), data=True))
    graph.build()
    assert [each for n in graph for each in graph[n] if each in ("completed", "failed")] == ["failed"]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("minimum: 1, maximum: 2}", "minimum: 1}", r"event 'book': 'seats' \(integer\) has more than 1,000 values"),
        ("payload: {seats: {type: integer, minimum: 1, maximum: 2}}", "", "'seats' of event 'book' is read and may be"),
        ("{name: open}", "{name: open, for_each: {items: [1], as: x, activity: f}}", "state 'open' has for_each"),
        ("{name: open}", '{name: open, timeout: "${context.seats}"}', "the timeout of state 'open' is computed"),
        ("unhandled: reject", "unhandled: defer", "event 'book' is deferred"),
        ("to: full}", "to: full, post_actions: [{action_type: activity, name: f}]}", "action other than set_variable"),
        ("to: full}", "to: full}\n  - {from: open, event: cancel_requested, to: full}", "is on cancel_requested"),
        ("seats == 0", 'seats == 0 and now > timestamp("2026-01-01T00:00:00Z")', "reads now, and the net has no times"),
        ("seats == 0", "seats == len(context)", "takes all of the event or the context"),
        ("unhandled: reject", "correlation: {key: context.seats}\nunhandled: reject", "a correlation key"),
    ],
)
def test_what_has_no_coloured_net_is_named(old: str, new: str, told: str) -> None:
    with pytest.raises(NotCovered, match=told):
        to_snakes(loads(TICKET.replace(old, new, 1)), data=True)


def test_a_workflow_is_translated_with_its_data_and_a_net_without() -> None:
    with pytest.raises(TypeError, match=r"or with its values: wf.to_snakes\(workflow, data=True\)"):
        to_snakes(loads(TICKET))
    with pytest.raises(TypeError, match="to_snakes with data takes a Workflow"):
        to_snakes(PetriNet("n", [], [], [], {}), data=True)
