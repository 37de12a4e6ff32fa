"""The YAML form of the published design, read as it stands.

It differs from ours in spelling only: `initial_interval_seconds` and `max_interval_seconds` (ours are
durations, `initial_interval: 1s`), and keys whose value is null stand for absent ones. Whole seconds as
durations, `is_terminal` on every state and actions `{name, action_type, parameters, result_variable}` are
ours as well.
"""

from __future__ import annotations

from typing import Any

from wfsim.model.problems import Path, Problem

SECONDS_KEYS = {"initial_interval_seconds": "initial_interval", "max_interval_seconds": "max_interval"}
_OPTIONAL = frozenset(
    {
        "description",
        "metadata",
        "condition",
        "pre_actions",
        "post_actions",
        "result_variable",
        "timeouts",
        "retry_policy",
        "workflow",
        "states",
        "activity",
    }
)


def from_published(data: dict[str, Any], lines: dict[Path, int]) -> tuple[dict[str, Any], list[Problem]]:
    """The same definition in our spelling; what is ours already is left alone.

    Parameters
    ----------
    data
        The document as read; it is not changed.
    lines
        Lines of the document; renamed keys are added, so that problems still find theirs.
    """
    problems: list[Problem] = []
    plain = _without_nulls(data)
    owners: list[tuple[Path, dict[str, Any]]] = [((), plain)]
    activities = plain.get("activities")
    if isinstance(activities, dict):
        owners += [(("activities", name), one) for name, one in activities.items() if isinstance(one, dict)]
    for path, owner in owners:
        if isinstance(owner.get("retry_policy"), dict):
            owner["retry_policy"] = _retry_policy((*path, "retry_policy"), owner["retry_policy"], lines, problems)
    return plain, problems


def _retry_policy(
    path: Path, policy: dict[str, Any], lines: dict[Path, int], problems: list[Problem]
) -> dict[str, Any]:
    renamed: dict[str, Any] = {}
    for key, value in policy.items():
        ours = SECONDS_KEYS.get(key)
        if ours is None:
            renamed[key] = value
        elif ours in policy:
            problems.append(Problem((*path, key), f"{key} and {ours} are both given. Keep {ours}."))
        elif isinstance(value, bool) or not isinstance(value, int | float):
            problems.append(Problem((*path, key), f"{key} is a number of seconds, or write {ours}: 1s."))
        else:
            renamed[ours] = value
            lines.setdefault((*path, ours), lines.get((*path, key), 1))
    return renamed


def _without_nulls(data: dict[str, Any]) -> dict[str, Any]:
    """Copies down to actions without optional keys that are null; parameters and values stay as they are."""

    def clean(mapping: Any) -> Any:
        if not isinstance(mapping, dict):
            return mapping
        return {key: value for key, value in mapping.items() if value is not None or key not in _OPTIONAL}

    plain: dict[str, Any] = clean(data)
    for key in ("timeouts", "retry_policy"):
        if key in plain:
            plain[key] = clean(plain[key])
    if isinstance(plain.get("activities"), dict):
        plain["activities"] = {name: clean(activity) for name, activity in plain["activities"].items()}
    if isinstance(plain.get("states"), list):
        plain["states"] = [clean(state) for state in plain["states"]]
    if isinstance(plain.get("transitions"), list):
        plain["transitions"] = [clean(transition) for transition in plain["transitions"]]
        for transition in plain["transitions"]:
            for key in ("pre_actions", "post_actions"):
                if isinstance(transition, dict) and isinstance(transition.get(key), list):
                    transition[key] = [clean(action) for action in transition[key]]
    return plain
