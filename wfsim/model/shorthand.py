"""What a file may write once and mean several times: lists in transitions, shared `policies`, `include`.

All three are spelt out when a file is read; a workflow in memory has none of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path as File
from typing import Any

from wfsim.errors import did_you_mean, listed
from wfsim.files import is_below, read_file
from wfsim.model.problems import Path, Problem, shown
from wfsim.model.transition_lists import Origins, Spelling, renumbered
from wfsim.model.yaml_reader import LARGEST_FILE, Document, decode, read

SHARED = ".shared.yaml"
SECTIONS = ("variables", "events", "activities", "policies")
"""What an included file may hold."""


@dataclass
class Expanded:
    """A document with everything spelt out.

    `problems` lists what could not be; `used` says whether files or policies were, `included` whether other files were
    read; `origins` what each transition was made from, for every list of transitions that had lists in it.
    """

    data: dict[str, Any]
    problems: list[Problem] = field(default_factory=list)
    used: bool = False
    included: bool = False
    origins: Origins = field(default_factory=dict)


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
    spelling = Spelling()
    found.data = spelling.region((), found.data)
    found.origins = spelling.origins
    found.problems += spelling.problems
    if found.origins:
        document.lines = renumbered(document.lines, found.origins)
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
    """`retry_policy: <name>`, also in a list, stands for the policy of that name."""
    policies = found.data.pop("policies", None)
    if policies is not None and not isinstance(policies, dict):
        found.problems.append(Problem(("policies",), f"policies are a mapping from names, not {shown(policies)}."))
    known = policies if isinstance(policies, dict) else {}
    found.used |= policies is not None

    def named(owner: dict[str, Any], path: Path) -> dict[str, Any]:
        written = owner.get("retry_policy")
        several = written if isinstance(written, list) else [written]
        for place, name in enumerate(several):
            if isinstance(name, str) and name not in known:
                where: Path = (*path, "retry_policy", place) if isinstance(written, list) else (*path, "retry_policy")
                told = f"there is no policy {name!r}. Policies: {listed(known) or 'none'}.{did_you_mean(name, known)}"
                found.problems.append(Problem(where, told))
                return {key: value for key, value in owner.items() if key != "retry_policy"}
        if not any(isinstance(name, str) for name in several):
            return owner
        spelt = [known[name] if isinstance(name, str) else name for name in several]
        return {**owner, "retry_policy": spelt if isinstance(written, list) else spelt[0]}

    found.data = named(found.data, ())
    activities = found.data.get("activities")
    if isinstance(activities, dict):
        found.data["activities"] = {
            name: named(one, ("activities", name)) if isinstance(one, dict) else one for name, one in activities.items()
        }
