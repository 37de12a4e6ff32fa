"""Nets written as chains, for every test that needs a known one."""

from __future__ import annotations

from typing import Any

from wfsim.net.petri import PetriNet


def net_of(name: str, flow: str, marking: dict[str, int] | None = None, **more: Any) -> PetriNet:
    """A net from `a>T>b` chains: lower-case names are places, others transitions."""
    arcs = [pair for chain in flow.split() for pair in zip(chain.split(">"), chain.split(">")[1:])]
    nodes = list(dict.fromkeys(node for arc in arcs for node in arc))
    places = [node for node in nodes if node[0].islower()]
    transitions = [node for node in nodes if node not in places]
    return PetriNet(name, places, transitions, list(dict.fromkeys(arcs)), marking or {}, **more)
