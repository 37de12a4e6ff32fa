"""From workflow to Petri net, by the table "Constructs elsewhere" of docs/meaning.md.

One token per instance walks through the root region, and one more through each region that is entered. Its place
says in which state it is and, while a transition is in flight, for which action it waits; a further token follows the
state's work. Conditions, the order of file, event supply and clocks are ignored, so the net can do all that `step`
can and perhaps more: it never misses a reachable control state.
"""

from .assembly import check_pools, to_net
from .changes import BOTH
from .instance_places import control_places
from .place_names import FAILED, FINAL, START

__all__ = ["BOTH", "FAILED", "FINAL", "START", "check_pools", "control_places", "to_net"]
