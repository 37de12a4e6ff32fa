"""The service's description, checked in: `python -m tests.openapi_page` writes it anew."""

from __future__ import annotations

import json
from pathlib import Path

from wfsim.service.app import openapi

PAGE = Path(__file__).parents[1] / "docs" / "openapi.json"


def text() -> str:
    """As it stands in the file."""
    return json.dumps(openapi(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PAGE.write_text(text(), encoding="utf-8")
