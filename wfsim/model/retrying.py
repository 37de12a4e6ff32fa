"""Which retry policy decides on a failed attempt (M5.1, M5.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wfsim.model.definition import Definition
    from wfsim.model.elements import Retries, RetryPolicy


def listed_policies(retries: Retries | None) -> tuple[RetryPolicy, ...]:
    """The policies that are written, one or several; none if there are none."""
    if retries is None:
        return ()
    return retries if isinstance(retries, tuple) else (retries,)


def policies(workflow: Definition, activity: str) -> tuple[RetryPolicy, ...]:
    """The policies of an activity, its own or else those of the workflow; without any, it is tried once."""
    own = workflow.activities[activity].retry_policy if activity in workflow.activities else None
    return listed_policies(own if own is not None else workflow.retry_policy)


def policy_of(policies: Sequence[RetryPolicy], error_type: str) -> int:
    """The place of the first policy that is for errors of this type; their number if they are not tried again."""
    for place, policy in enumerate(policies):
        if policy.is_for(error_type):
            return len(policies) if policy.is_final(error_type) else place
    return len(policies)


def most_attempts(policies: Sequence[RetryPolicy]) -> int:
    """How many attempts there can be at most, whatever their errors are."""
    return max((policy.max_attempts for policy in policies), default=1)


def telling_errors(policies: Sequence[RetryPolicy]) -> list[str]:
    """Error types that policies tell apart: those that they are for, then those that are not tried again."""
    named = [error for policy in policies for error in policy.errors]
    return list(dict.fromkeys([*named, *(error for policy in policies for error in policy.non_retryable_errors)]))
