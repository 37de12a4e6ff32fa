"""What a process of an engine does, told to the logger `wfsim`: an event by its name, with fields."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any

LOGGER = logging.getLogger("wfsim")
# Who does not listen hears nothing: Python else prints the bare words of warnings.
LOGGER.addHandler(logging.NullHandler())


def tell(event: str, level: int = logging.INFO, /, **fields: Any) -> None:
    """Log an event; `fields` stand in the record as `fields`."""
    LOGGER.log(level, event, extra={"fields": fields})


class JsonLines(logging.Formatter):
    """A record as one line of JSON: `time` (UTC), `level`, `event`, then the fields of the event."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = {"time": time, "level": record.levelname.lower(), "event": record.getMessage()}
        line |= getattr(record, "fields", {})
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)
