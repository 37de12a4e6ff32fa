"""What the shape of a net tells without a search: invariants, classes, siphons, reductions, the marking equation."""

from wfsim.verification.nets.structure.classes import NetClass, classify
from wfsim.verification.nets.structure.coverability import Coverability, Pump, coverability
from wfsim.verification.nets.structure.equation import Certificate, unreachable
from wfsim.verification.nets.structure.invariants import (
    Invariants,
    place_flows,
    place_invariants,
    structural_bounds,
    transition_invariants,
)
from wfsim.verification.nets.structure.reduction import Keep, Reduction, reduce
from wfsim.verification.nets.structure.siphons import PlaceSets, largest_trap, liveness, minimal_siphons, minimal_traps

__all__ = [
    "Certificate",
    "Coverability",
    "Invariants",
    "Keep",
    "NetClass",
    "PlaceSets",
    "Pump",
    "Reduction",
    "classify",
    "coverability",
    "largest_trap",
    "liveness",
    "minimal_siphons",
    "minimal_traps",
    "place_flows",
    "place_invariants",
    "reduce",
    "structural_bounds",
    "transition_invariants",
    "unreachable",
]
