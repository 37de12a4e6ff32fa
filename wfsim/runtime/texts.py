"""Values as they are written into the database."""

from __future__ import annotations

import json
from typing import Any


def written(value: Any) -> str:
    """JSON in ASCII: half characters and zeros, which no database takes in a text, are escaped."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False)
