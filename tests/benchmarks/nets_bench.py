"""Nets of known size, made here from their published descriptions.

The sizes in `KNOWN` are those of the Model Checking Contest (https://mcc.lip6.fr) and of the papers cited.
"""

from __future__ import annotations

from wfsim.net.arcs import Arc
from wfsim.net.petri import PetriNet

KNOWN = {
    "kanban-2": (4_600, 28_120),
    "kanban-4": (454_475, 3_979_850),
    "fms-4": (438_600, 3_166_985),
    "philosophers-10": (59_049, 459_270),
    "shared memory-8": (129_033, 1_113_912),
    "parallel-16": (65_538, 524_290),
}
"""Reachable markings and edges."""


def _net(name: str, transitions: dict[str, tuple[str, str]], marking: dict[str, int]) -> PetriNet:
    """A net from `{transition: (places consumed from, places produced to)}`, all weights 1."""
    arcs, places = [], dict.fromkeys(marking)
    for transition, (consumed, produced) in transitions.items():
        arcs += [Arc(place, transition) for place in consumed.split()]
        arcs += [Arc(transition, place) for place in produced.split()]
        places |= dict.fromkeys([*consumed.split(), *produced.split()])
    return PetriNet(name, list(places), list(transitions), arcs, marking)


def kanban(n: int) -> PetriNet:
    """Four cells that pull parts from one another with n kanban cards each.

    Ciardo & Tilgner (1996), On the use of Kronecker operators for the solution of generalized stochastic Petri
    nets, ICASE report 96-35.
    """
    transitions = {}
    for i in (1, 2, 3, 4):
        transitions[f"redo{i}"] = (f"m{i}", f"back{i}")
        transitions[f"back_{i}"] = (f"back{i}", f"m{i}")
        transitions[f"ok{i}"] = (f"m{i}", f"out{i}")
    transitions["in1"] = ("kan1", "m1")
    transitions["from1"] = ("out1 kan2 kan3", "kan1 m2 m3")
    transitions["to4"] = ("out2 out3 kan4", "kan2 kan3 m4")
    transitions["out_4"] = ("out4", "kan4")
    return _net(f"kanban-{n}", transitions, {f"kan{i}": n for i in (1, 2, 3, 4)})


def fms(n: int) -> PetriNet:
    """A flexible manufacturing system: n pallets for each of three sorts of part, and machines of three sorts.

    Ciardo & Trivedi (1993), A decomposition approach for stochastic reward net models, Performance Evaluation
    18(1), 37-59; sent out parts come back one by one.
    """
    transitions = {}
    for i in (1, 2):
        other = 3 - i
        transitions[f"take{i}"] = (f"p{i}", f"wait{i}")
        transitions[f"start{i}"] = (f"wait{i} machine{i}", f"at{i}")
        transitions[f"end{i}"] = (f"at{i}", f"done{i} machine{i}")
        transitions[f"alone{i}"] = (f"done{i}", f"sent{i}")
        transitions[f"back{i}"] = (f"sent{i}", f"p{i}")
        transitions[f"joinable{i}"] = (f"done{i}", f"for{other}")
    transitions["join"] = ("for1 for2", "p12")
    transitions["take3"] = ("p3", "at3")
    transitions["pass3"] = ("at3 machine2", "sent3 machine2")
    transitions["back3"] = ("sent3", "p3")
    transitions["take12"] = ("p12", "wait12")
    transitions["start12"] = ("wait12 machine3", "at12")
    transitions["end12"] = ("at12", "sent12 machine3")
    transitions["back12"] = ("sent12", "p1 p2")
    marking = {"p1": n, "p2": n, "p3": n, "machine1": 3, "machine2": 1, "machine3": 2}
    return _net(f"fms-{n}", transitions, marking)


def philosophers(n: int) -> PetriNet:
    """Dijkstra's dining philosophers, who take their two forks one by one in either order."""
    transitions = {}
    for i in range(n):
        left, right = f"fork{i}", f"fork{(i + 1) % n}"
        transitions[f"left_first{i}"] = (f"think{i} {left}", f"has_left{i}")
        transitions[f"right_first{i}"] = (f"think{i} {right}", f"has_right{i}")
        transitions[f"then_right{i}"] = (f"has_left{i} {right}", f"eat{i}")
        transitions[f"then_left{i}"] = (f"has_right{i} {left}", f"eat{i}")
        transitions[f"end{i}"] = (f"eat{i}", f"think{i} {left} {right}")
    return _net(f"philosophers-{n}", transitions, {f"{what}{i}": 1 for i in range(n) for what in ("think", "fork")})


def handed_philosophers(n: int, left_handed: int) -> PetriNet:
    """Philosophers who take the fork on their one side first, the first few the left one, the others the right one.

    Where some are left-handed and some are not, there is no deadlock.
    """
    transitions = {}
    for i in range(n):
        left, right = f"fork{i}", f"fork{(i + 1) % n}"
        first, then = (left, right) if i < left_handed else (right, left)
        transitions[f"take{i}"] = (f"think{i} {first}", f"has_one{i}")
        transitions[f"then{i}"] = (f"has_one{i} {then}", f"eat{i}")
        transitions[f"end{i}"] = (f"eat{i}", f"think{i} {left} {right}")
    marking = {f"{what}{i}": 1 for i in range(n) for what in ("think", "fork")}
    return _net(f"philosophers-{n}, {left_handed} left-handed", transitions, marking)


def shared_memory(n: int) -> PetriNet:
    """n processors with a memory each that reach the others' over one bus, also while these use it themselves.

    Ajmone Marsan, Balbo, Conte (1986), Performance models of multiprocessor systems, MIT Press.
    """
    transitions, marking = {}, {"bus": 1}
    for i in range(n):
        marking |= {f"active{i}": 1, f"memory{i}": 1}
        transitions[f"begin_own{i}"] = (f"active{i} memory{i}", f"own{i} memory{i}")
        transitions[f"end_own{i}"] = (f"own{i}", f"active{i}")
        transitions[f"ask{i}"] = (f"active{i}", f"queue{i}")
        for j in range(n):
            if i != j:
                transitions[f"begin{i}_{j}"] = (f"queue{i} bus memory{j}", f"access{i}_{j}")
                transitions[f"end{i}_{j}"] = (f"access{i}_{j}", f"active{i} bus memory{j}")
    return _net(f"shared memory-{n}", transitions, marking)


def parallel(branches: int, length: int = 1, *, looped: bool = False, nested: bool = False) -> PetriNet:
    """A workflow net: a split into branches of some steps each, and a join; (length + 1)^branches + 2 markings.

    Each step may be repeated if `looped`; if `nested`, each branch begins with two branches of one step each.
    """
    transitions = {"split": ("i", " ".join(f"b{b}s0" for b in range(branches)))}
    for b in range(branches):
        for s in range(length):
            transitions[f"do{b}_{s}"] = (f"b{b}s{s}", f"b{b}s{s + 1}")
            if looped:
                transitions[f"redo{b}_{s}"] = (f"b{b}s{s + 1}", f"b{b}s{s}")
        if nested:
            transitions[f"split{b}"] = (f"b{b}s{length}", f"left{b} right{b}")
            transitions[f"left_{b}"] = (f"left{b}", f"l{b}")
            transitions[f"right_{b}"] = (f"right{b}", f"r{b}")
            transitions[f"join{b}"] = (f"l{b} r{b}", f"end{b}")
    last = [f"end{b}" if nested else f"b{b}s{length}" for b in range(branches)]
    transitions["join"] = (" ".join(last), "o")
    return _net(f"parallel-{branches}", transitions, {"i": 1})


def orders(k: int, workers: int, steps: int = 3) -> PetriNet:
    """k orders, alike, that each need a worker at each of some steps."""
    transitions = {}
    for s in range(steps):
        transitions[f"take{s}"] = (f"wait{s} worker", f"at{s}")
        transitions[f"end{s}"] = (f"at{s}", f"wait{s + 1} worker")
    return _net(f"{k} orders", transitions, {"wait0": k, "worker": workers})
