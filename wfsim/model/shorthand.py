"""What a file may write once and mean several times: `from` several states, shared `policies`, `include`.

All three are spelt out when a file is read; a workflow in memory has none of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path as File
from typing import Any

from wfsim.errors import did_you_mean, listed
from wfsim.model.problems import Path, Problem, shown
from wfsim.model.yaml_reader import LARGEST_FILE, Document, decode, read

SHARED = ".shared.yaml"
SECTIONS = ("variables", "events", "activities", "policies")
"""What an included file may hold."""


@dataclass
class Expanded:
    """A document with everything spelt out.

    `problems` lists what could not be; `used` says whether anything was, `included` whether other files were read.
    """

    data: dict[str, Any]
    problems: list[Problem] = field(default_factory=list)
    used: bool = False
    included: bool = False


def expand(document: Document, folder: File | None) -> Expanded:
    """Spell out the shorthand of a document; the lines of its parts are kept up.

    Parameters
    ----------
    folder
        Where the file lies, and so the only place for files that it includes; `None` for text.
    """
    found = Expanded(dict(document.data))
    _include(found, folder)
    _policies(found)
    found.data = _region(found, document, (), found.data)
    return found


# Includes --------------------------------------------------------------------------------------------------


def _include(found: Expanded, folder: File | None) -> None:
    if "include" not in found.data:
        return
    names = found.data.pop("include")
    found.used = True
    for index, name in enumerate(names if isinstance(names, list) else [names]):
        path: Path = ("include", index) if isinstance(names, list) else ("include",)
        problem = _unfit(name, folder)
        if problem is None and folder is not None:
            problem = _merge(found, name, folder / name)
        if problem is not None:
            found.problems.append(Problem(path, problem))


def _unfit(name: object, folder: File | None) -> str | None:
    if not isinstance(name, str) or not name.endswith(SHARED) or File(name).name != name:
        return (
            f"include names files beside this one that end in {SHARED}, such as common{SHARED}, not {shown(name)}: "
            "what a workflow means must not depend on other folders."
        )
    if folder is None:
        return f"{name!r} cannot be included into a text. Save it as a file beside {name!r} and load that."
    if not (folder / name).is_file():
        known = sorted(one.name for one in folder.glob(f"*{SHARED}"))
        return (
            f"there is no file {name!r} beside this one. There: {listed(known) or 'none'}.{did_you_mean(name, known)}"
        )
    return None


def _merge(found: Expanded, name: str, file: File) -> str | None:
    """Add what the file shares; what is there already is not replaced."""
    if file.stat().st_size > LARGEST_FILE:
        return f"{name!r} has more than {LARGEST_FILE:,} bytes."
    shared = read(decode(file.read_bytes(), str(file)), str(file)).data
    if not isinstance(shared, dict):
        return f"{name!r} is {shown(shared)}, not a mapping with some of {', '.join(SECTIONS)}."
    found.included = True
    for section, entries in shared.items():
        if section not in SECTIONS or not isinstance(entries, dict):
            return f"{name!r} has {section!r}; a shared file holds {', '.join(SECTIONS)}, each a mapping."
        own = found.data.get(section)
        if own is not None and not isinstance(own, dict):
            # What is wrong with it is told when it is validated.
            continue
        twice = [key for key in entries if own is not None and key in own]
        if twice:
            return f"{name!r} and this file, or another one included, both have {section}.{twice[0]}. Keep one."
        found.data[section] = {**entries, **(own or {})}
    return None


# Policies --------------------------------------------------------------------------------------------------


def _policies(found: Expanded) -> None:
    """`retry_policy: <name>` stands for the policy of that name."""
    policies = found.data.pop("policies", None)
    if policies is not None and not isinstance(policies, dict):
        found.problems.append(Problem(("policies",), f"policies are a mapping from names, not {shown(policies)}."))
    known = policies if isinstance(policies, dict) else {}
    found.used |= policies is not None

    def named(owner: dict[str, Any], path: Path) -> dict[str, Any]:
        name = owner.get("retry_policy")
        if not isinstance(name, str):
            return owner
        if name not in known:
            found.problems.append(
                Problem(
                    (*path, "retry_policy"),
                    f"there is no policy {name!r}. Policies: {listed(known) or 'none'}.{did_you_mean(name, known)}",
                )
            )
            return {key: value for key, value in owner.items() if key != "retry_policy"}
        return {**owner, "retry_policy": known[name]}

    found.data = named(found.data, ())
    activities = found.data.get("activities")
    if isinstance(activities, dict):
        found.data["activities"] = {
            name: named(one, ("activities", name)) if isinstance(one, dict) else one for name, one in activities.items()
        }


# Transitions -----------------------------------------------------------------------------------------------


def _region(found: Expanded, document: Document, path: Path, region: Any) -> Any:
    """A transition from several states is one from each, in the order written; regions inside likewise."""
    if not isinstance(region, dict):
        return region
    region = dict(region)
    transitions = region.get("transitions")
    if isinstance(transitions, list) and any(isinstance(_source(one), list) for one in transitions):
        found.used = True
        origins: list[int] = []
        region["transitions"] = []
        for index, one in enumerate(transitions):
            for copy in _copies(found, (*path, "transitions", index), one):
                region["transitions"].append(copy)
                origins.append(index)
        _renumber(document, (*path, "transitions"), origins)
    if isinstance(region.get("states"), list):
        region["states"] = [_state(found, document, (*path, "states", k), s) for k, s in enumerate(region["states"])]
    return region


def _state(found: Expanded, document: Document, path: Path, state: Any) -> Any:
    parallel = state.get("parallel") if isinstance(state, dict) else None
    if not isinstance(parallel, dict) or not isinstance(parallel.get("regions"), list):
        return state
    inner = (*path, "parallel", "regions")
    regions = [_region(found, document, (*inner, k), one) for k, one in enumerate(parallel["regions"])]
    return {**state, "parallel": {**parallel, "regions": regions}}


def _source(transition: Any) -> Any:
    return transition.get("from") if isinstance(transition, dict) else None


def _copies(found: Expanded, path: Path, transition: Any) -> Iterator[Any]:
    sources = _source(transition)
    if not isinstance(sources, list):
        yield transition
        return
    twice = [one for k, one in enumerate(sources) if one in sources[:k]]
    if not sources or twice:
        what = f"names {shown(twice[0])} twice" if twice else "is empty"
        found.problems.append(Problem((*path, "from"), f"the list of states that this transition leaves {what}."))
    for one in sources or [""]:
        yield {**transition, "from": one}


def _renumber(document: Document, path: Path, origins: list[int]) -> None:
    """Every copy stands where the transition it was made from stands in the file."""
    copies: dict[int, list[int]] = {}
    for copy, origin in enumerate(origins):
        copies.setdefault(origin, []).append(copy)
    n = len(path)
    lines: dict[Path, int] = {}
    for place, line in document.lines.items():
        index = place[n] if len(place) > n and place[:n] == path else None
        for copy in copies.get(index, []) if isinstance(index, int) else ():
            lines[(*path, copy, *place[n + 1 :])] = line
        if not isinstance(index, int):
            lines[place] = line
    document.lines = lines
