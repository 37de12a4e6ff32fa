"""What an instance can be (M1.4)."""

from __future__ import annotations

STATUSES = (
    "created",
    "running",
    "paused",
    "cancelling",
    "completed",
    "failed",
    "cancelled",
    "terminated",
    "timed_out",
)
"""In the order of their numbers; from `completed` on it is closed."""

OPEN = STATUSES[: STATUSES.index("completed")]
"""Those of instances that have not come to their end."""
