"""How many random cases a test takes: the same few every time, or with `make fuzz` many new ones.

What `make fuzz` finds becomes an `@example` of its test, so that it is tried from then on every time.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cache, lru_cache
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

FUZZ = int(os.environ.get("WFSIM_FUZZ", "0"))
"""0: the same cases every time. Else so many times as many, new ones at each call."""


def cases(number: int, *, unchecked: Iterable[HealthCheck] = ()) -> settings:
    """Settings for a test of so many random cases; `unchecked` are health checks that it does not need to pass.

    Nothing depends on how fast the machine is: there is no deadline, and slow generation is no failure.
    """
    return settings(
        deadline=None,
        max_examples=number * max(FUZZ, 1),
        suppress_health_check=[HealthCheck.too_slow, *unchecked],
        derandomize=not FUZZ,
        print_blob=bool(FUZZ),
    )


# Strategies are made once: hypothesis takes longer to look at a new one than to draw from it.
BOOLEANS = st.booleans()
whole = cache(st.integers)


@lru_cache(maxsize=None, typed=True)
def among(*members: Any) -> st.SearchStrategy[Any]:
    """One of these, which can be keys."""
    return st.sampled_from(members)
