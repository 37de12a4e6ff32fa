"""Nets written as chains, for every test that needs a known one."""

from __future__ import annotations

from typing import Any

from wfsim.net.petri import PetriNet
from wfsim.verification.nets.check import check
from wfsim.verification.nets.formulas import And, Linear, Temporal
from wfsim.verification.verdict import Verdict


def net_of(name: str, flow: str, marking: dict[str, int] | None = None, **more: Any) -> PetriNet:
    """A net from `a>T>b` chains: lower-case names are places, others transitions."""
    arcs = [pair for chain in flow.split() for pair in zip(chain.split(">"), chain.split(">")[1:])]
    nodes = list(dict.fromkeys(node for arc in arcs for node in arc))
    places = [node for node in nodes if node[0].islower()]
    transitions = [node for node in nodes if node not in places]
    return PetriNet(name, places, transitions, list(dict.fromkeys(arcs)), marking or {}, **more)


def parallel(branches: int, *forms: str, broken: int | None = None) -> PetriNet:
    """A split into branches that meet in one join; the forms take turns.

    `plain`: one transition. `loop`: a part that may be repeated. `nested`: a split and a join inside, a loop on one
    of its branches, and a way around both. `contest`: one transition takes two tokens, or two take one after the
    other, so that the choice is not free. In branch `broken`, there is also a choice that ends in a join which waits
    for both its ways.
    """
    chains = ["i>Split", "Join>o"]
    for k in range(branches):
        form = (forms or ("plain",))[k % max(1, len(forms))]
        chains += [f"Split>a{k}", f"c{k}>Join"]
        chains += {
            "plain": [f"a{k}>X{k}>c{k}"],
            "loop": [f"a{k}>X{k}>w{k}>Y{k}>c{k}", f"w{k}>Again{k}>a{k}"],
            "nested": [
                f"a{k}>S{k}>p{k}>P{k}>q{k}>J{k}>c{k}",
                f"S{k}>r{k}>R{k}>s{k}>J{k}",
                f"a{k}>Skip{k}>c{k}",
                f"q{k}>Again{k}>p{k}",
            ],
            "contest": [
                f"a{k}>S{k}>p{k}>Both{k}>c{k}",
                f"S{k}>q{k}>Both{k}",
                f"p{k}>One{k}>s{k}>Two{k}>c{k}",
                f"q{k}>Two{k}",
            ],
        }[form]
        if k == broken:
            chains += [f"a{k}>Left{k}>y{k}>Wait{k}>c{k}", f"a{k}>Right{k}>z{k}>Wait{k}"]
    return net_of("parallel", " ".join(chains), {"i": 1}, final_marking={"o": 1})


# --- questions as functions ----------------------------------------------------------------------------------


def deadlock_free(net: PetriNet, **limits: Any) -> Verdict:
    return check(net, "no_deadlock", **limits)


def quasi_live(net: PetriNet, **limits: Any) -> Verdict:
    return check(net, "quasi_live", **limits)


def bounded(net: PetriNet, k: int | None = None, **limits: Any) -> Verdict:
    return check(net, {"bounded": k} if k is not None else "bounded", **limits)


def reachable(net: PetriNet, tokens: dict[str, int], *, exactly: bool = False, **limits: Any) -> Verdict:
    """Whether so many tokens can lie in these places together."""
    wanted = [Linear(((place, -1),), -count) for place, count in tokens.items()]
    wanted += [Linear(((place, 1),), count) for place, count in tokens.items() if exactly]
    return check(net, Temporal("E", "F", (And(tuple(wanted)),)), **limits)
