"""What compiled code takes for granted of rows, and of the machine."""

from __future__ import annotations

import os

CHECKED = os.environ.get("NUMBA_BOUNDSCHECK", "0") not in ("", "0")
"""Whether rows are arrays whose bounds are checked."""

LINE = 64
"""Bytes of a line of the processor's cache."""
