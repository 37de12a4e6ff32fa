"""What the shape of a net tells without a search: invariants, classes, siphons, reductions, the state equation."""

from wfsim.verify.structure.reduction import Reduction, reduce

__all__ = ["Reduction", "reduce"]
