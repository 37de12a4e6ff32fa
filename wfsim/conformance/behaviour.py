"""What a model does and shows: a net with activities, its reachable markings, and the net of a workflow's states."""

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

    from wfsim.net.firing import Tokens

SILENT = ("τ", "tau")
"""Labels of net transitions that no log shows."""
DEVIATION = 10_000
"""What a move of one side alone costs; a silent one costs 1, so that ways without them come first.

So an alignment has the fewest deviations, and of those with as many the fewest silent moves, up to 9,999 of these.
"""


class Behaviour:
    """A net that begins and ends, with the activities that its transitions show.

    Parameters
    ----------
    net
        With a final marking.
    labels
        The activity of each net transition, `None` for one that no log shows; those left out have their own label.

    Attributes
    ----------
    shown
        The activity of each net transition, `None` for a silent one.
    activities
        By number.
    codes
        The number of each net transition's activity, -1 for a silent one.

    Raises
    ------
    NetError
        If the net has no final marking, or lacks a transition of `labels`.
    """

    def __init__(self, net: PetriNet, labels: Mapping[str, str | None]) -> None:
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
        self.end = net.final_marking.tokens
        shown = [labels[name] if name in labels else net.label(name) for name in net.transitions]
        self.shown = [None if label is None or label in SILENT else label for label in shown]
        self.activities = sorted({label for label in self.shown if label is not None})
        number = {label: place for place, label in enumerate(self.activities)}
        self.codes = [-1 if label is None else number[label] for label in self.shown]

    def followers(self, tokens: Tokens) -> list[tuple[int, Tokens]]:
        """What may come next: the number of the net transition, and the marking after it."""
        found = ((number, successor(tokens, rule)) for number, rule in enumerate(self.net.rules))
        return [(number, after) for number, after in found if after is not None]

    def stuck(self) -> NetError:
        """What to say where no run ends."""
        return NetError(
            f"net {self.net.name!r} never reaches its final marking {self.net.final_marking}: nothing can be aligned."
        )


def edges_of(behaviour: Behaviour, max_markings: int) -> tuple[NDArray[np.int64], int, int] | None:
    """The reachable markings as a graph; `None` if there are more than `max_markings`.

    Returns
    -------
    edges, n, final
        Rows of marking, marking, number of the activity or -1, number of the net transition; the initial
        marking is number 0 of `n`.

    Raises
    ------
    NetError
        If the final marking is not among them.
    """
    import numpy as np

    start = behaviour.net.initial_marking.tokens
    known = {start: 0}
    edges: list[tuple[int, int, int, int]] = []
    waiting = deque([start])
    while waiting:
        tokens = waiting.popleft()
        for transition, after in behaviour.followers(tokens):
            if after not in known:
                if len(known) == max_markings:
                    return None
                known[after] = len(known)
                waiting.append(after)
            edges.append((known[tokens], known[after], behaviour.codes[transition], transition))
    if behaviour.end not in known:
        raise behaviour.stuck()
    return np.array(edges, np.int64).reshape(-1, 4), len(known), known[behaviour.end]


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
