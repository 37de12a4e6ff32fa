"""A property's automaton beside the symbolic space: a finite graph, whose edges carry formulas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from wfsim.errors import NotCovered
from wfsim.model.expression_tree import Name, Whole
from wfsim.model.expressions import to_text
from wfsim.semantics.snapshot import region_states
from wfsim.verification.nets.limits import Limits
from wfsim.verification.workflows.claims import Claim
from wfsim.verification.workflows.conditions.operations import needed_boolean
from wfsim.verification.workflows.conditions.terms import Term, constant
from wfsim.verification.workflows.conditions.translation import Translation
from wfsim.verification.workflows.conditions.truths import Truth, both
from wfsim.verification.workflows.patterns import BAD, Automaton
from wfsim.verification.workflows.runs import Memory, Moments
from wfsim.verification.workflows.symbolic.space import MOVING, Move, SymbolicSpace

REFUTED = -2
"""Where a run refutes the property, or where a claim has no value."""


@dataclass(frozen=True)
class Arrow:
    """One move together with what the automaton makes of it, from one location (-1: before the start) to another."""

    source: int
    target: int
    move: Move
    guard: Truth


class System:
    """Locations, each a control state with what the automaton remembers, and the arrows between them.

    Attributes
    ----------
    locations
        Number in the space, and memory.
    arrows
        All of them; those to `REFUTED` refute the property, if they can be reached.
    complete
        Whether all were found within the limit.
    true
        Claims that may be true at some moment.

    Raises
    ------
    NotCovered
        If a claim looks at what the solver does not know.
    OutOfTime
        If the time is over before all are found.
    """

    def __init__(self, space: SymbolicSpace, automaton: Automaton, max_locations: int, limits: Limits) -> None:
        self.space = space
        self.automaton = automaton
        self.moments = Moments(space.program, space.texts, space.snapshots, automaton.claims, automaton.step)
        self.variables = {name: k for k, name in enumerate(space.declared)}
        self.locations: list[tuple[int, Memory]] = []
        self.arrows: list[Arrow] = []
        self.complete = True
        self.true: set[int] = set()
        numbers: dict[tuple[int, Memory], int] = {}
        at = -1
        while at < len(self.locations):
            limits.check("control states were held against the property")
            number, memory = self.locations[at] if at >= 0 else (-1, self.moments.first)
            for move in space.edges[number] if number >= 0 else space.starts:
                for guard, after in self._after(memory, move):
                    target = REFUTED
                    if after is not None and after[0] != BAD:
                        key = (move.target, after)
                        target = numbers.setdefault(key, len(self.locations))
                        if target == len(self.locations):
                            self.locations.append(key)
                    self.arrows.append(Arrow(at, target, move, guard))
                    limits.spend(MOVING)
            if len(self.locations) > max_locations:
                self.complete = False
                return
            at += 1

    def _after(self, memory: Memory, move: Move) -> Iterator[tuple[Truth, Memory | None]]:
        """What the automaton remembers after a move, and for which values; None where a claim has no value."""
        state, been = memory
        view, happened = self.moments.view(move.target), self.moments.seen(move)
        once = self.moments.once
        order = [*once, *self.moments.claims]

        def go(
            k: int, guard: Truth, now: dict[Claim, bool], truths: tuple[bool, ...]
        ) -> Iterator[tuple[Truth, Memory | None]]:
            if k == len(order):
                self.true.update(each for each, truth in enumerate(truths) if truth)
                yield guard, (self.automaton.step(state, truths), tuple(now[claim] for claim in once))
                return
            claim = order[k]
            if k < len(once) and been[k]:
                yield from go(k + 1, guard, now | {claim: True}, truths)
                return
            term = self._term(claim, self.moments.items(claim, view, happened, now), move)
            for truth in (True, False):
                here = both(guard, term.is_boolean(truth))
                if self.space.host.possible(here):
                    if k < len(once):
                        yield from go(k + 1, here, now | {claim: truth}, truths)
                    else:
                        yield from go(k + 1, here, now, (*truths, truth))
            if self.space.host.possible(both(guard, term.fault)):
                yield both(guard, term.fault), None

        yield from go(0, move.guard, {}, ())

    def _term(self, claim: Claim, items: Mapping[str, bool | str | None], move: Move) -> Term:
        def name(node: Name | Whole) -> Term:
            if isinstance(node, Whole):
                root = self.space.program.head.root - self.space.program.head.first_region
                states = region_states(self.space.program, self.space.snapshots[move.target])
                return constant(self.space.program.name(states[root]) or "")
            if node.scope == "item":
                return constant(items[node.field])
            return self.space.value_after(move, self.variables[node.field])

        translation = Translation(self.space.symbols, name)
        term = needed_boolean(translation.of(claim.tree))
        for node, why in translation.left_open.items():
            raise NotCovered(f"`{to_text(node)}` of the claim is not followed symbolically: {why}.")
        return term
