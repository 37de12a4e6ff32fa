"""Transitions written once for several states and events: lists in `from` and `event`, and `from: "*"`.

They are spelt out when a file is read, one transition for each state and, of each state, for each event; `folded` puts
those that stayed together back into lists when the workflow is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from wfsim.errors import did_you_mean, listed
from wfsim.model.problems import Path, Problem, shown

EVERY = "*"
"""In `from`: every state of the region that is not terminal, in file order, but those in `except`."""
MOST_COPIES = 10_000
"""Into how many transitions lists may be spelt out."""
_WHAT = {"from": "states that this transition leaves", "event": "events that this transition is on"}
_LISTING = ("from", "except", "event")


class Origin(NamedTuple):
    """The place of a transition in the file's own list, and which item of its `from` and `event` it is made from."""

    place: int
    source: int
    event: int


Origins: TypeAlias = dict[Path, list[Origin]]
"""For lists of transitions with something spelt out in them: where each one comes from."""


def every_state(states: Iterable[tuple[str, bool]], excluded: Sequence[Any]) -> list[str]:
    """The states that `from: "*"` means, of a region's states by name and whether they are terminal.

    Raises
    ------
    ValueError
        If nothing is left, or something is excluded that cannot be left anyway.
    """
    open_ = [name for name, terminal in states if not terminal]
    for each in excluded:
        if each not in open_:
            near = did_you_mean(each, open_) if isinstance(each, str) else ""
            raise ValueError(
                f"except names {shown(each)}, which is not a state that can be left here. "
                f"Such states: {listed(open_) or 'none'}.{near}"
            )
    left = [name for name in open_ if name not in excluded]
    if not left:
        raise ValueError(f'from: "{EVERY}" leaves no state: all are terminal or excepted.')
    return left


# Spelling out ------------------------------------------------------------------------------------------------


@dataclass
class Spelling:
    """Spells out the transitions of a file; `origins` and `problems` are what it has found on the way."""

    origins: Origins = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    copies: int = 0

    def region(self, path: Path, region: Any) -> Any:
        """The region, and those inside its states, with one transition for each state and event."""
        if not isinstance(region, dict):
            return region
        region = dict(region)
        transitions, states = region.get("transitions"), region.get("states")
        if isinstance(transitions, list) and any(_is_short(one) for one in transitions):
            origins = self.origins[(*path, "transitions")] = []
            region["transitions"] = []
            known = _states(states)
            for index, one in enumerate(transitions):
                for copy, source, event in self._copies((*path, "transitions", index), one, known):
                    region["transitions"].append(copy)
                    origins.append(Origin(index, source, event))
        if isinstance(states, list):
            region["states"] = [self._state((*path, "states", k), one) for k, one in enumerate(states)]
        return region

    def _state(self, path: Path, state: Any) -> Any:
        parallel = state.get("parallel") if isinstance(state, dict) else None
        if not isinstance(parallel, dict) or not isinstance(parallel.get("regions"), list):
            return state
        inner = (*path, "parallel", "regions")
        regions = [self.region((*inner, k), one) for k, one in enumerate(parallel["regions"])]
        return {**state, "parallel": {**parallel, "regions": regions}}

    def _copies(self, path: Path, transition: Any, states: list[tuple[str, bool]]) -> list[tuple[Any, int, int]]:
        if not _is_short(transition):
            return [(transition, 0, 0)]
        sources = self._sources(path, transition, states)
        events = self._listed((*path, "event"), transition["event"]) if "event" in transition else [None]
        before, self.copies = self.copies, self.copies + len(sources) * len(events)
        if self.copies > MOST_COPIES:
            if before <= MOST_COPIES:
                told = f"spelt out, the lists in transitions make more than {MOST_COPIES:,} transitions."
                self.problems.append(Problem(path, told))
            return []
        rest = {key: value for key, value in transition.items() if key != "except"}
        return [
            ({**rest, "from": source} | ({} if event is None else {"event": event}), k, n)
            for k, source in enumerate(sources)
            for n, event in enumerate(events)
        ]

    def _sources(self, path: Path, transition: Mapping[str, Any], states: list[tuple[str, bool]]) -> list[Any]:
        written, excluded = transition.get("from"), transition.get("except", [])
        if written != EVERY:
            if "except" in transition:
                told = f'except belongs to from: "{EVERY}", all states but some. Here from lists them: remove except.'
                self.problems.append(Problem((*path, "except"), told))
            return self._listed((*path, "from"), written)
        try:
            return every_state(states, excluded if isinstance(excluded, list) else [excluded])
        except ValueError as error:
            place = "except" if "except" in transition else "from"
            self.problems.append(Problem((*path, place), str(error)))
            return [""]

    def _listed(self, place: Path, written: Any) -> list[Any]:
        if not isinstance(written, list):
            return [written]
        texts = [repr(one) for one in written]
        if not written or len(set(texts)) < len(texts):
            first = next((one for k, one in enumerate(written) if texts.index(texts[k]) < k), None)
            what = f"names {shown(first)} twice" if written else "is empty"
            self.problems.append(Problem(place, f"the list of {_WHAT[str(place[-1])]} {what}."))
        return written or [""]


def _is_short(transition: Any) -> bool:
    if not isinstance(transition, dict):
        return False
    written = transition.get("from")
    return isinstance(written, list) or written == EVERY or isinstance(transition.get("event"), list)


def _states(states: Any) -> list[tuple[str, bool]]:
    named = [one for one in states if isinstance(one, dict) and isinstance(one.get("name"), str)] if states else []
    return [(one["name"], one.get("is_terminal") is True) for one in named]


def renumbered(lines: Mapping[Path, int], origins: Origins) -> dict[Path, int]:
    """The lines of a file's parts, where every copy stands where the transition it was made from stands."""
    copies: dict[Path, list[tuple[Path, Origin]]] = {}
    for path, made in origins.items():
        for copy, origin in enumerate(made):
            copies.setdefault((*path, origin.place), []).append(((*path, copy), origin))
    found: dict[Path, int] = {}
    for place, line in lines.items():
        n = next((k for k in range(len(place)) if place[k] == "transitions" and place[: k + 1] in origins), None)
        if n is None or len(place) == n + 1:
            found[place] = line
            continue
        rest = place[n + 2 :]
        for one, origin in copies.get(place[: n + 2], []):
            if len(rest) == 2 and rest[0] in _WHAT:
                # An item of a list is the `from` or `event` of some copies.
                if rest[1] == (origin.source if rest[0] == "from" else origin.event):
                    found[(*one, rest[0])] = line
            else:
                found[(*one, *rest)] = line
    return found


# Folding -----------------------------------------------------------------------------------------------------


Matched: TypeAlias = Callable[[list[Any], list[Any]], list[int | None]]


def folded(
    written: Mapping[str, Any], origins: Origins, old: dict[str, Any], new: dict[str, Any], matched: Matched
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Put transitions back into the lists that they were spelt out from.

    Parameters
    ----------
    written, origins
        The data of the file as it is, and where its transitions were spelt out to.
    old, new
        The data of the workflow that the file says and of the one to be written, spelt out; both are changed.
    matched
        For each new transition the old one that it comes from.

    Returns
    -------
    tuple
        Both, `old` as the file has it. In `new` those of one list are together again unless they differ by now.
    """
    before = dict(_regions((), old))
    after = {_name_of(path, new): region for path, region in _regions((), new)}
    for path, made in origins.items():
        region = before[path[:-1]]
        groups: dict[int, list[int]] = {}
        for copy, origin in enumerate(made):
            groups.setdefault(origin.place, []).append(copy)
        short = _at(written, path)
        one = after.get(_name_of(path[:-1], old))
        if one is not None and one.get("transitions"):
            came = matched(region["transitions"], one["transitions"])
            one["transitions"] = _regrouped(one, came, [(short[k], ks) for k, ks in groups.items()])
        region["transitions"] = [_shortened(region["transitions"][ks[0]], short[k]) for k, ks in groups.items()]
    return old, new


def _regions(path: Path, region: dict[str, Any]) -> Iterator[tuple[Path, dict[str, Any]]]:
    yield path, region
    for k, state in enumerate(region.get("states", ())):
        for n, inner in enumerate(state.get("parallel", {}).get("regions", ())):
            yield from _regions((*path, "states", k, "parallel", "regions", n), inner)


def _at(data: Any, path: Path) -> Any:
    for key in path:
        data = data[key]
    return data


def _name_of(path: Path, data: Any) -> tuple[str, ...]:
    """The names of the states and regions along the path."""
    return tuple(_at(data, path[: k + 1])["name"] for k, key in enumerate(path) if isinstance(key, int))


def _shortened(transition: dict[str, Any], short: Mapping[str, Any]) -> dict[str, Any]:
    return {**transition, **{key: short[key] for key in _LISTING if key in short}}


def _regrouped(new: dict[str, Any], came: list[int | None], groups: list[tuple[Any, list[int]]]) -> list[Any]:
    """The transitions of the new region, those that came from one group in a list where that says the same."""
    transitions: list[Any] = list(new["transitions"])
    for short, members in groups:
        places = [k for k, origin in enumerate(came) if origin in members]
        if not _is_short(short) or not places or places != list(range(places[0], places[-1] + 1)):
            continue
        kept = [transitions[k] for k in places]
        for form in _forms(short, kept):
            one = {key: form[key] for key in _LISTING if key in form} | {
                key: value for key, value in kept[0].items() if key not in _LISTING
            }
            spelt = Spelling().region((), {"states": new["states"], "transitions": [one]})["transitions"]
            if spelt == kept:
                transitions[places[0] : places[-1] + 1] = [one, *[None] * (len(places) - 1)]
                break
    return [one for one in transitions if one is not None]


def _forms(short: Mapping[str, Any], kept: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """How the transitions might be listed: as they were, or with the states and events that they have now."""
    yield {key: short[key] for key in _LISTING if key in short}
    lists = {key: list(dict.fromkeys(one[key] for one in kept if key in one)) for key in _WHAT}
    now = {key: values if len(values) > 1 else values[0] for key, values in lists.items() if values}
    if short.get("from") == EVERY:
        yield {**now, "from": EVERY, **{key: short[key] for key in ("except",) if key in short}}
    yield now
