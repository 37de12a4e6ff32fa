"""What a file may write once and mean several times: `from` several states, shared `policies`, `include`.

All three are spelt out when a file is read; a workflow in memory has none of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path as File
from typing import Any

from wfsim.errors import did_you_mean, listed
from wfsim.files import is_below, read_file
from wfsim.model.problems import Path, Problem, shown
from wfsim.model.yaml_reader import LARGEST_FILE, Document, decode, read

SHARED = ".shared.yaml"
SECTIONS = ("variables", "events", "activities", "policies")
"""What an included file may hold."""
MOST_COPIES = 10_000
"""Into how many transitions lists of states may be spelt out."""


@dataclass
class Expanded:
    """A document with everything spelt out.

    `problems` lists what could not be; `used` says whether anything was, `included` whether other files were read;
    `origins` the transitions, by their list, with the number in the file of the one that each was made from; `copies`
    how many they are.
    """

    data: dict[str, Any]
    problems: list[Problem] = field(default_factory=list)
    used: bool = False
    included: bool = False
    origins: dict[Path, list[int]] = field(default_factory=dict)
    copies: int = 0


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
    found.data = _region(found, (), found.data)
    if found.origins:
        _renumber(document, found.origins)
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
    if not (folder / name).exists():
        known = sorted(one.name for one in folder.glob(f"*{SHARED}"))
        return (
            f"there is no file {name!r} beside this one. There: {listed(known) or 'none'}.{did_you_mean(name, known)}"
        )
    if not is_below(folder / name, folder):
        return f"{name!r} is a link that leads out of this folder: what a workflow means must not depend on others."
    return None


def _merge(found: Expanded, name: str, file: File) -> str | None:
    """Add what the file shares; what is there already is not replaced."""
    try:
        raw = read_file(file, LARGEST_FILE)
    except OSError as error:
        return f"{name!r} cannot be read: {error.strerror}."
    shared = read(decode(raw, str(file)), str(file)).data
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


def _region(found: Expanded, path: Path, region: Any) -> Any:
    """A transition from several states is one from each, in the order written; regions inside likewise."""
    if not isinstance(region, dict):
        return region
    region = dict(region)
    transitions = region.get("transitions")
    if isinstance(transitions, list) and any(isinstance(_source(one), list) for one in transitions):
        found.used = True
        origins = found.origins[(*path, "transitions")] = []
        region["transitions"] = []
        for index, one in enumerate(transitions):
            for copy in _copies(found, (*path, "transitions", index), one):
                region["transitions"].append(copy)
                origins.append(index)
    if isinstance(region.get("states"), list):
        region["states"] = [_state(found, (*path, "states", k), s) for k, s in enumerate(region["states"])]
    return region


def _state(found: Expanded, path: Path, state: Any) -> Any:
    parallel = state.get("parallel") if isinstance(state, dict) else None
    if not isinstance(parallel, dict) or not isinstance(parallel.get("regions"), list):
        return state
    inner = (*path, "parallel", "regions")
    regions = [_region(found, (*inner, k), one) for k, one in enumerate(parallel["regions"])]
    return {**state, "parallel": {**parallel, "regions": regions}}


def _source(transition: Any) -> Any:
    return transition.get("from") if isinstance(transition, dict) else None


def _copies(found: Expanded, path: Path, transition: Any) -> list[Any]:
    sources = _source(transition)
    if not isinstance(sources, list):
        return [transition]
    place = (*path, "from")
    found.copies += len(sources)
    if found.copies > MOST_COPIES:
        if found.copies - len(sources) <= MOST_COPIES:
            told = f"spelt out, the lists of states that transitions leave make more than {MOST_COPIES:,} transitions."
            found.problems.append(Problem(place, told))
        return []
    texts = [repr(one) for one in sources]
    if not sources or len(set(texts)) < len(texts):
        first = next((one for k, one in enumerate(sources) if texts.index(texts[k]) < k), None)
        what = f"names {shown(first)} twice" if sources else "is empty"
        found.problems.append(Problem(place, f"the list of states that this transition leaves {what}."))
    return [{**transition, "from": one} for one in sources or [""]]


def _renumber(document: Document, origins: dict[Path, list[int]]) -> None:
    """Every copy stands where the transition it was made from stands in the file."""
    copies: dict[Path, list[Path]] = {}
    for path, sources in origins.items():
        for copy, origin in enumerate(sources):
            copies.setdefault((*path, origin), []).append((*path, copy))
    lines: dict[Path, int] = {}
    for place, line in document.lines.items():
        n = next((k for k in range(len(place)) if place[k] == "transitions" and place[: k + 1] in origins), None)
        if n is None or len(place) == n + 1:
            lines[place] = line
            continue
        made, rest = copies.get(place[: n + 2], []), place[n + 2 :]
        if len(rest) == 2 and rest[0] == "from":
            # An item of the list is the `from` of one copy.
            made, rest = made[int(rest[1]) : int(rest[1]) + 1], ("from",)
        for one in made:
            lines[(*one, *rest)] = line
    document.lines = lines
