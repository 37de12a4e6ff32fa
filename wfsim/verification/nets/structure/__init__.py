"""What the shape of a net tells without a search: invariants, classes, siphons, reductions."""

from wfsim.verification.nets.structure.classes import NetClass, classify
from wfsim.verification.nets.structure.coverability import Coverability, Pump, coverability
from wfsim.verification.nets.structure.invariants import Invariants, place_invariants, transition_invariants
from wfsim.verification.nets.structure.reduction import Keep, Reduction, reduce
from wfsim.verification.nets.structure.siphons import PlaceSets, largest_trap, liveness, minimal_siphons, minimal_traps

__all__ = [
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
    "place_invariants",
    "reduce",
    "transition_invariants",
]
