"""What a search finds against soundness, and how it is told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from wfsim.net.translate import BOTH
from wfsim.verification.nets.workflow_net import listed
from wfsim.verification.verdict import NetWitness

if TYPE_CHECKING:
    from wfsim.net.marking import Marking
    from wfsim.net.petri import PetriNet
    from wfsim.verification.nets.diagrams.space import SymbolicSpace
    from wfsim.verification.nets.state_space import StateSpace

NO_FAIRNESS = "every enabled net transition may fire at any moment or never (no fairness)"
COMPLETES, PROPER, NO_DEAD = "option to complete", "proper completion", "no dead transitions"
GROWTH = "boundedness"


class Finding(NamedTuple):
    """One clause that fails, why, and the firing sequence that shows it."""

    clause: str
    reason: str
    witness: NetWitness | None


def all_dead(net: PetriNet, never_fired: Iterable[str]) -> list[str]:
    """Net transitions that never fired, nor did another one made from the same source.

    A translation makes several net transitions from one transition of its model, one for each way to leave a
    state, say. The model's transition is dead when all of them are.
    """
    never = set(never_fired)
    alive = {part for name in net.transitions if name not in never for part in _parts(net, name)}
    dead = [(name, _parts(net, name)) for name in net.transitions if name in never]
    return [name for name, parts in dead if not parts or not alive.issuperset(parts)]


def _parts(net: PetriNet, transition: str) -> list[str]:
    """What it stands for: several transitions of the model, where they are taken together."""
    source = net.source(transition)
    return [] if source is None else source.split(BOTH)


def dead_list(net: PetriNet, dead: Iterable[str], bounds: Mapping[str, int] | None) -> list[dict[str, Any]]:
    """For each dead transition its name, label, source, and what keeps it from firing; for that, the bounds."""
    entries = []
    for transition in dead:
        rule = net.rules[net.transition_index(transition)]
        short = [
            f"{net.places[place]!r} never holds {'a token' if weight == 1 else f'{weight} tokens'}"
            for place, weight in rule.needs
            if bounds is not None and bounds[net.places[place]] < weight
        ]
        cause = ", ".join(short) or "its places are never marked as it wants at the same time"
        entries.append(
            {
                "transition": transition,
                "label": net.label(transition),
                "source": net.source(transition),
                "cause": cause,
            }
        )
    return entries


def stuck_finding(witness: NetWitness, final: Marking) -> Finding:
    """The finding for a deadlock other than the final marking; and whether the net had ended but for tokens left."""
    stuck = witness.marking
    reason = f"{after(witness)} the net is stuck with {shown(stuck)}"
    if stuck.strictly_covers(final):
        left = [place for place in witness.net.places if stuck[place] > final[place]]
        reason += f"; the final marking is there, but tokens are left in {listed(left)}"
    return Finding(COMPLETES, f"{reason}.", witness)


def livelock_finding(witness: NetWitness, final: Marking, still: Iterable[str] | None = None) -> Finding:
    """The finding for a marking that cannot end, though it goes on; `still` are all that can fire, if that is known."""
    on = f"it goes on with {listed(witness.net.enabled(witness.marking))}"
    if still is not None:
        on = f"all that can still fire is {listed(still)}"
    reason = (
        f"{after(witness)}, with {shown(witness.marking)}, the net goes on for ever (livelock) and can never reach "
        f"{shown(final)}; {on}."
    )
    return Finding(COMPLETES, reason, witness)


def left_over_finding(witness: NetWitness, final: Marking) -> Finding:
    """The finding for a marking that holds the final one and more."""
    left = [place for place in witness.net.places if witness.marking[place] > final[place]]
    reason = f"{after(witness)} the net has completed, but tokens are left over in {listed(left)}."
    return Finding(PROPER, reason, witness)


def growth_finding(witness: NetWitness) -> Finding:
    """The finding for a firing sequence of which the end can be repeated, with more tokens each time."""
    n = len(witness) - len(witness.repeatable)
    before = witness.net.fire_sequence(witness.firing_sequence[:n])[-1]
    assert witness.marking.strictly_covers(before)
    growing = [place for place in witness.net.places if witness.marking[place] > before[place]]
    reason = f"repeating {listed(witness.repeatable)} puts ever more tokens into {listed(growing)}"
    return Finding(GROWTH, reason, witness)


def dead_finding(entries: list[dict[str, Any]]) -> Finding:
    """The finding for the dead transitions of `dead_list`."""
    # Of several net transitions that stand for one of the model, the first tells enough.
    first = {entry["source"] or entry["transition"]: entry for entry in reversed(entries)}
    told = [_dead_told(entry) for entry in reversed(first.values())]
    rest = f"; and {len(told) - 5} more" if len(told) > 5 else ""
    reason = f"no run fires {'; '.join(told[:5])}{rest}. There is no trace to show, as nothing leads there."
    return Finding(NO_DEAD, reason, None)


def _dead_told(entry: dict[str, Any]) -> str:
    where = f" of {entry['source']}" if entry["source"] is not None else ""
    return f"{entry['transition']!r}{where} ({entry['cause']})"


def after(witness: NetWitness) -> str:
    """When the witness ends, in firings."""
    n = len(witness)
    return "at the start" if n == 0 else f"after {n} firing{'' if n == 1 else 's'}"


def sentence(text: str) -> str:
    """With a capital letter."""
    return text[:1].upper() + text[1:]


def reached(witness: NetWitness) -> str:
    """When the witness ends, at the beginning of a sentence."""
    return sentence(after(witness))


def tokens(n: int) -> str:
    """So many tokens."""
    return f"{n:,} token{'' if n == 1 else 's'}"


def markings(space: StateSpace | SymbolicSpace) -> str:
    """How many a space has."""
    return f"{space.n_markings:,} reachable marking{'' if space.n_markings == 1 else 's'}"


def shown(marking: Marking) -> str:
    """The marked places of a marking."""
    tokens = marking.to_dict()
    return ", ".join(f"{p}: {n}" for p, n in tokens.items()).join("{}") if tokens else "no token at all"
