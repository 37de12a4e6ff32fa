"""What the states are called that stand for the activities of a log."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

LONGEST_NAME = 200


def state_names(activities: Iterable[str]) -> dict[str, str]:
    """What the state of each activity is called: like it, but for what no name or path can have."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for activity in activities:
        text = "".join(each if each.isprintable() and each != "/" else "-" for each in activity)
        found[activity] = fresh(text.strip()[:LONGEST_NAME] or "-", taken)
    return found


def fresh(name: str, taken: set[str]) -> str:
    """The name, or with a number behind it if it is taken; taken from then on."""
    found, number = name, 1
    while found in taken:
        number += 1
        found = f"{name[: LONGEST_NAME - 6]} {number}"
    taken.add(found)
    return found
