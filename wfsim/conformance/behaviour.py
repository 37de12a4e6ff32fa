"""What a model does, as a graph of markings with activities on its edges."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from wfsim.errors import NetError, did_you_mean, listed
from wfsim.model.workflow import Workflow
from wfsim.net.firing import successor
from wfsim.net.petri import PetriNet

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

SILENT = ("τ", "tau")
"""Labels of net transitions that no log shows."""


class Behaviour:
    """The reachable markings of a net that begins and ends, number 0 first.

    Parameters
    ----------
    net
        With a final marking.
    labels
        The activity of each net transition, `None` for one that no log shows; those left out have their own label.
    max_markings
        Where to stop.

    Attributes
    ----------
    edges
        Rows of: marking, marking, number of the activity or -1, number of the net transition.
    activities
        By number.

    Raises
    ------
    NetError
        If the net has no final marking, does not reach it, or has more markings.
    """

    def __init__(self, net: PetriNet, labels: Mapping[str, str | None], max_markings: int) -> None:
        import numpy as np

        if net.final_marking is None:
            raise NetError(
                f"net {net.name!r} has no final marking, so nobody can say where a case is to end. "
                "Give it: net.with_marking(net.initial_marking, {'end': 1})."
            )
        for name in labels:
            if name not in net.transitions:
                raise NetError(
                    f"net {net.name!r} has no transition {name!r} (labels=).{did_you_mean(name, net.transitions)} "
                    f"Transitions: {listed(net.transitions)}."
                )
        self.net = net
        shown = [labels[name] if name in labels else net.label(name) for name in net.transitions]
        self.shown = [None if label is None or label in SILENT else label for label in shown]
        self.activities = sorted({label for label in self.shown if label is not None})
        number = {label: place for place, label in enumerate(self.activities)}
        codes = [-1 if label is None else number[label] for label in self.shown]
        start, end = net.initial_marking.tokens, net.final_marking.tokens
        known = {start: 0}
        edges: list[tuple[int, int, int, int]] = []
        waiting = deque([start])
        while waiting:
            tokens = waiting.popleft()
            source = known[tokens]
            for transition, rule in enumerate(net.rules):
                after = successor(tokens, rule)
                if after is None:
                    continue
                if after not in known:
                    if len(known) == max_markings:
                        raise NetError(
                            f"net {net.name!r} has more than {max_markings:,} markings; most tokens in one "
                            f"place so far: "
                            f"{max(map(max, known))}. Raise max_markings if it is bounded."
                        )
                    known[after] = len(known)
                    waiting.append(after)
                edges.append((source, known[after], codes[transition], transition))
        if end not in known:
            raise NetError(
                f"net {net.name!r} never reaches its final marking {net.final_marking}: nothing can be aligned."
            )
        self.final = known[end]
        self.n_markings = len(known)
        self.edges: NDArray[np.int64] = np.array(edges, np.int64).reshape(-1, 4)


def states_of(workflow: Workflow) -> PetriNet:
    """The root states of a workflow as a net whose transitions are labelled with the state that they enter.

    Conditions, clocks and what happens within states are left out, so it allows at least what the workflow does. It
    ends in a terminal state.
    """
    names = [state.name for state in workflow.states]
    arcs: list[tuple[str, str]] = [("begin", "enter"), ("enter", _at(workflow.initial_state))]
    labels = {"enter": workflow.initial_state}
    transitions = ["enter"]
    for number, transition in enumerate(workflow.transitions, start=1):
        if transition.to is None:
            continue
        name = f"t{number}"
        transitions.append(name)
        labels[name] = transition.to
        arcs += [(_at(transition.from_), name), (name, _at(transition.to))]
    for state in workflow.states:
        if state.is_terminal:
            transitions.append(f"end {state.name}")
            labels[f"end {state.name}"] = "τ"
            arcs += [(_at(state.name), f"end {state.name}"), (f"end {state.name}", "end")]
    places = ["begin", *map(_at, names), "end"]
    return PetriNet(workflow.name, places, transitions, arcs, {"begin": 1}, {"end": 1}, labels)


def _at(state: str) -> str:
    return f"in {state}"
