"""M4.3 in the net: the regions inside a parallel state are joined, or can no longer be."""

from __future__ import annotations

from itertools import product

from wfsim.model.elements import Outcome

from .changes import Change, Move, combinations, read, take
from .draft import NetDraft
from .tokens import ANYWHERE, Configurations
from .views import RegionView, StateView


def add_join(tokens: Configurations, draft: NetDraft, at: StateView) -> None:
    """Enough regions have ended well: the others are ended. Or too many have ended badly: the others go on."""
    name = at.name
    for end in ("joining", "succeeded", "ended", "failed", "unjoined"):
        draft.place(f"{name}.{end}", at.source)
    joining = take(f"{name}.joining")
    enough, out_of_reach = at.wanted, len(at.inner) - at.wanted + 1
    for chosen in product([True, False], repeat=len(at.inner)):
        if sum(chosen) == enough:
            for change in _joined(tokens, at, chosen):
                gone = (joining & change).giving({f"{name}.succeeded": 1})
                draft.make(Move(gone, f"{name} is joined", at.source))
        if sum(chosen) == out_of_reach:
            parts = [_ended(tokens, region, Outcome.FAILURE) for region, bad in zip(at.inner, chosen) if bad]
            for ends in product(*parts):
                over = (joining & read(*ends)).giving({f"{name}.failed": 1})
                draft.make(Move(over, f"{name} can no longer be joined", at.source))


def _joined(tokens: Configurations, at: StateView, chosen: tuple[bool, ...]) -> list[Change]:
    """Ways to end the regions: the chosen ones stand at a good end, the others anywhere."""
    parts: list[list[Change]] = []
    for region, ended in zip(at.inner, chosen):
        if ended:
            parts.append([take(place) for place in _ended(tokens, region, Outcome.SUCCESS)])
        else:
            parts.append(tokens.leave_all(region, {}, ANYWHERE))
    found = combinations(parts, tokens.limit)
    if found is None:
        # One way each, with reset arcs.
        parts = [part if ended else tokens.empty(region) for region, ended, part in zip(at.inner, chosen, parts)]
        found = combinations(parts, tokens.limit * tokens.limit) or []
    return found


def _ended(tokens: Configurations, region: RegionView, outcome: Outcome) -> list[str]:
    """Places of a region that has ended so."""
    return [each.name for each in region.ends(outcome) if tokens.is_known(take(each.name))]
