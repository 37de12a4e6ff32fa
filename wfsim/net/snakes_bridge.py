"""To and from SNAKES nets, which are coloured; ours use its black token `dot` only. `coloured` makes those with values.

How arcs are expressed: a normal arc of weight 1 is `Value(dot)`, of more a `MultiArc` of them; a read arc
is `Test(...)`, an inhibitor arc `Inhibitor(...)` around the same; a reset arc is `Flush(variable)`. SNAKES
has one arc per direction between a place and a transition, so several kinds on one place share a `MultiArc`.

Some traits of SNAKES matter to a caller. `Transition.fire(binding)` does not look at `Test` arcs: only
`Transition.modes()` says whether a transition is enabled (`StateGraph` uses it too). An `Inhibitor`
beside a `Flush` refuses every binding, unless it stands inside a `MultiArc`; so there it does. And SNAKES
never enables a transition without input arcs, so such a one gets `Test(Flush(variable))`, which is always
content and takes nothing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from wfsim.arguments import expect
from wfsim.errors import NetError
from wfsim.model.workflow import Workflow
from wfsim.net.arcs import Arc, ArcKind
from wfsim.net.coloured import Coloured
from wfsim.net.petri import PetriNet

if TYPE_CHECKING:
    import snakes.nets

ONLY_BLACK = "Only nets of black tokens are read."
MAX_WEIGHT = 1_000
"""SNAKES writes a weight as that many components, and the cost of one firing grows with their square."""


def to_snakes(net: PetriNet | Workflow, *, data: bool = False) -> snakes.nets.PetriNet:
    """The same net in SNAKES, with black tokens and the same names; of a workflow, one with its values as colours.

    Labels, sources and the final marking have no counterpart and stay behind.

    Parameters
    ----------
    net
        A net; with `data` a workflow, whose coloured net is made from its definition: places for control, a token that
        holds all variables, guards for conditions, tokens for all values that may come from outside. Between two steps
        a place `state <name>` is marked, or `completed`, `failed` or `timed_out` with the name of the last state; the
        place `variables` holds the values.

    Raises
    ------
    NetError
        For an arc heavier than 1,000, and for transitions in a net without places.
    NotCovered
        With `data`, naming a construct that has no coloured net (regions, children, messages, compensation, activities
        of transitions, deferred events, computed times), or an input, payload or result of more than 1,000 values.

    Notes
    -----
    Firing a net with data takes some milliseconds in SNAKES: it is there to look up what small workflows do,
    independently of the step, and no way to search large ones.

    Examples
    --------
    >>> from wfsim.net.petri import PetriNet
    >>> arcs = [("draft", "send"), ("send", "sent")]
    >>> net = PetriNet("mail", ["draft", "sent"], ["send"], arcs, {"draft": 1})
    >>> other = to_snakes(net)
    >>> other.transition("send").fire(other.transition("send").modes()[0])
    >>> other.get_marking()
    Marking({'sent': MultiSet([dot])})
    """
    from snakes.nets import Flush, Place, Test, Transition, dot, tBlackToken
    from snakes.nets import PetriNet as SnakesNet

    if data:
        expect(net, Workflow, "to_snakes with data takes a Workflow", "Load one: wf.load(path).")
        assert isinstance(net, Workflow)
        return Coloured(net).build()
    hint = "Make one: wf.to_net(workflow); or with its values: wf.to_snakes(workflow, data=True)."
    expect(net, PetriNet, "to_snakes takes a PetriNet", hint)
    assert isinstance(net, PetriNet)
    inputs: dict[tuple[str, str], list[Arc]] = defaultdict(list)
    for arc in net.arcs:
        if arc.weight > MAX_WEIGHT:
            raise NetError(
                f"net {net.name!r}: arc {arc.source!r} -> {arc.target!r} has weight {arc.weight:,}. "
                f"SNAKES writes one component per token; more than {MAX_WEIGHT:,} are not translated."
            )
        if net.is_place(arc.source):
            inputs[arc.source, arc.target].append(arc)
    result = SnakesNet(net.name)
    for place in net.places:
        node = Place(place, [], tBlackToken)
        if net.initial_marking[place]:
            node.tokens.add(dot, net.initial_marking[place])
        result.add_place(node)
    for transition in net.transitions:
        result.add_transition(Transition(transition))
    flushing = {arc.target for arc in net.arcs if arc.kind is ArcKind.RESET}
    for (place, transition), arcs in inputs.items():
        variable = f"flush_{net.place_index(place)}"
        result.add_input(place, transition, _input_annotation(arcs, variable, transition in flushing))
    for transition in _without_input(net):
        if not net.places:
            raise NetError(
                f"net {net.name!r}: SNAKES would never enable {transition!r}, as the net has no place for an "
                "input arc to come from. Add one."
            )
        result.add_input(net.places[0], transition, Test(Flush("flush_0")))
    for arc in net.arcs:
        if not net.is_place(arc.source):
            result.add_output(arc.target, arc.source, _dots(arc.weight))
    return result


def _without_input(net: PetriNet) -> list[str]:
    fed = {arc.target for arc in net.arcs}
    return [transition for transition in net.transitions if transition not in fed]


def _dots(weight: int) -> snakes.nets.ArcAnnotation:
    from snakes.nets import MultiArc, Value, dot

    return Value(dot) if weight == 1 else MultiArc([Value(dot)] * weight)


def _input_annotation(arcs: list[Arc], variable: str, flushing: bool) -> snakes.nets.ArcAnnotation:
    from snakes.nets import Flush, Inhibitor, MultiArc, Test

    weights = {arc.kind: arc.weight for arc in arcs}
    parts = []
    if ArcKind.NORMAL in weights:
        dots = _dots(weights[ArcKind.NORMAL])
        # Flush takes every token, so beside it the consuming arc is left with its test.
        parts.append(Test(dots) if ArcKind.RESET in weights else dots)
    if ArcKind.READ in weights:
        parts.append(Test(_dots(weights[ArcKind.READ])))
    if ArcKind.INHIBITOR in weights:
        parts.append(Inhibitor(_dots(weights[ArcKind.INHIBITOR])))
    if ArcKind.RESET in weights:
        parts.append(Flush(variable))
    alone = len(parts) == 1 and not (flushing and ArcKind.INHIBITOR in weights)
    return parts[0] if alone else MultiArc(parts)


def from_snakes(snakes_net: snakes.nets.PetriNet) -> PetriNet:
    """The same net in wfsim, from a SNAKES net that uses black tokens only.

    Every net that `to_snakes` makes is read; a consuming arc beside a reset arc comes back as a read arc,
    which means the same. Places and transitions keep the order in which they were added.

    Raises
    ------
    NetError
        For anything coloured: other tokens, variables, expressions, guards, places restricted to other types;
        and for transitions without input arcs, which SNAKES never enables and other nets always do.
    """
    import snakes.nets
    from snakes.nets import BlackToken, dot

    expect(snakes_net, snakes.nets.PetriNet, "from_snakes takes a net of SNAKES", "Make one: wf.to_snakes(net).")
    arcs: list[Arc] = []
    marking = {}
    for place in snakes_net.place():
        where = f"SNAKES net {snakes_net.name!r}: place {place.name!r}"
        if dot not in place._check:
            raise NetError(f"{where} does not accept black tokens: {place.checker()!r}. {ONLY_BLACK}")
        # A MultiSet iterates with repetitions; its keys do not.
        coloured = [token for token in dict.keys(place.tokens) if not isinstance(token, BlackToken)]
        if coloured:
            raise NetError(f"{where} holds {coloured[0]!r}, which is no black token. {ONLY_BLACK}")
        marking[place.name] = len(place.tokens)
    for transition in snakes_net.transition():
        where = f"SNAKES net {snakes_net.name!r}: transition {transition.name!r}"
        if str(transition.guard) != "True":
            raise NetError(f"{where} has the guard {transition.guard}. Only nets without guards are read.")
        if not transition.input():
            raise NetError(
                f"{where} has no input arcs. SNAKES never enables it, a Petri net always does: remove it, or "
                "give it an arc Test(Flush('x')) from any place."
            )
        for place, annotation in transition.input():
            what = f"{where}: arc from {place.name!r}"
            for kind, weight in _kinds(annotation, what).items():
                arcs.append(Arc(place.name, transition.name, weight, kind))
        for place, annotation in transition.output():
            what = f"{where}: arc to {place.name!r}"
            arcs.append(Arc(transition.name, place.name, _weight(annotation, what)))
    return PetriNet(
        snakes_net.name,
        [place.name for place in snakes_net.place()],
        [transition.name for transition in snakes_net.transition()],
        arcs,
        marking,
    )


def _kinds(annotation: snakes.nets.ArcAnnotation, what: str) -> dict[ArcKind, int]:
    """The arcs that an input annotation stands for: weight by kind."""
    from snakes.nets import Flush, Inhibitor, MultiArc, Test, Tuple

    found: Counter[ArcKind] = Counter()
    plural = isinstance(annotation, MultiArc) and not isinstance(annotation, Tuple)
    for part in annotation if plural else (annotation,):
        if isinstance(part, Inhibitor):
            if str(part._condition) != "True":
                raise NetError(
                    f"{what}: inhibitor with the condition {part._condition}, which a black net cannot have."
                )
            weight = _weight(part._annotation, what)
            found[ArcKind.INHIBITOR] = min(found[ArcKind.INHIBITOR] or weight, weight)
        elif isinstance(part, Test) and isinstance(part._annotation, Flush):
            continue
        elif isinstance(part, Test):
            found[ArcKind.READ] = max(found[ArcKind.READ], _weight(part._annotation, what))
        elif isinstance(part, Flush):
            found[ArcKind.RESET] = 1
        else:
            found[ArcKind.NORMAL] += _weight(part, what)
    if found[ArcKind.RESET] and found[ArcKind.NORMAL]:
        raise NetError(f"{what}: {annotation!r} takes tokens twice: by value and by Flush. Write Test for the value.")
    return {kind: found[kind] for kind in ArcKind if found[kind]}


def _weight(annotation: snakes.nets.ArcAnnotation, what: str) -> int:
    from snakes.nets import BlackToken, MultiArc, Tuple, Value

    if isinstance(annotation, Value) and isinstance(annotation.value, BlackToken):
        return 1
    if isinstance(annotation, MultiArc) and not isinstance(annotation, Tuple):
        return sum(_weight(part, what) for part in annotation)
    raise NetError(
        f"{what}: {annotation!r} is coloured. Only Value(dot), MultiArc of it, and on input arcs Test, "
        "Inhibitor and Flush around or beside it are read."
    )
