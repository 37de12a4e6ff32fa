"""What the shape of a net tells without a search: invariants, classes, siphons, reductions, the marking equation."""

from wfsim.verify.nets.structure.classes import NetClass, classify
from wfsim.verify.nets.structure.coverability import Coverability, Pump, coverability
from wfsim.verify.nets.structure.equation import Certificate, unreachable
from wfsim.verify.nets.structure.invariants import (
    Invariants,
    place_flows,
    place_invariants,
    structural_bounds,
    transition_invariants,
)
from wfsim.verify.nets.structure.reduction import Keep, Reduction, reduce
from wfsim.verify.nets.structure.siphons import PlaceSets, largest_trap, liveness, minimal_siphons, minimal_traps

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
