"""Several instances that share pools of workers: why one of them tells enough.

Instances of a workflow meet only where they want the same workers, and a worker is held while an attempt runs. So:

1. Where no instance can go on, none waits for a worker: the one that has it runs an attempt, which may end. Each
   instance is closed, or can do nothing even alone.
2. What can do nothing runs no attempt, so it holds no worker: other instances get just as far, one after another.
   Hence any number of instances can come to a standstill exactly if one alone can.
3. If one alone can complete from wherever it gets, so can all: let every attempt end, then nobody holds a worker, and
   one instance after another completes as if it were alone.

One instance alone may still want several workers at once, in parallel regions: it gets no further than pools let it.
Cut-offs of this kind are due to Emerson and Namjoshi (1995), Reasoning about rings, POPL.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from wfsim.semantics.codes import COMPLETED, RUNNING
from wfsim.verification.nets.limits import UNLIMITED, Limits
from wfsim.verification.workflows.edges import Edge
from wfsim.verification.workflows.space import WorkflowSpace


class Shared:
    """The states that an instance reaches when pools hold so many workers.

    Attributes
    ----------
    states
        Their numbers in the space, nearest first.

    Raises
    ------
    OutOfTime
        If the time is over before all are found.
    """

    def __init__(self, space: WorkflowSpace, pools: Mapping[str, int], limits: Limits = UNLIMITED) -> None:
        self.space = space
        self.pools = pools
        program = space.program
        wanted = {name: activity.pool for name, activity in program.activities.items() if activity.pool in pools}
        self._pool = {program.activity_rows[name]: pool for name, pool in wanted.items() if pool is not None}
        self._before: dict[int, tuple[int, Edge]] = {}
        todo = [(-1, edge) for edge in space.starts]
        for before, edge in todo:
            limits.check("the states that workers allow were counted")
            if edge.target in self._before or not self._fits(edge.target):
                continue
            self._before[edge.target] = (before, edge)
            todo += [(edge.target, later) for later in space.edges[edge.target]]
        self.states = list(self._before)

    def held(self, number: int) -> Counter[str]:
        """The workers that an instance holds in a state, of each pool."""
        running = (work.activity for work in self.space.instance(number).works() if work.phase == RUNNING)
        return Counter(self._pool[activity] for activity in running if activity in self._pool)

    def _fits(self, number: int) -> bool:
        return not self._pool or all(n <= self.pools[pool] for pool, n in self.held(number).items())

    def path_to(self, number: int) -> list[Edge]:
        """The stimuli of a shortest way to a state, the start first."""
        path: list[Edge] = []
        while number >= 0:
            number, edge = self._before[number]
            path.append(edge)
        return path[::-1]

    @property
    def stuck(self) -> list[int]:
        """Open states in which nothing can happen, nearest first."""
        space = self.space
        return [k for k in self.states if k < space.n_expanded and self._open(k) and not space.edges[k]]

    @property
    def lost(self) -> list[int]:
        """Open states from which nothing terminal can be reached, or not once time has passed; of a complete space."""
        done = [k for k in self.states if self.space.status(k) == COMPLETED]
        able = self.space.can_reach(done, self._before.keys(), late=True)
        return [k for k in self.states if self._open(k) and k not in able]

    def _open(self, number: int) -> bool:
        return self.space.status(number) < COMPLETED
