"""What a page does with a live widget, without a browser."""

from __future__ import annotations

import json
from typing import Any


class Page:
    """Speaks to a widget as its page does, and puts patches together."""

    def __init__(self, shown: Any) -> None:
        self.shown, self.seq = shown, 0
        self.scene: dict[str, Any] = self.raw({"type": "hello"})["scene"]

    def raw(self, message: dict[str, Any]) -> dict[str, Any]:
        """The answer to a message, as JSON brings it."""
        self.seq += 1
        answer = self.shown.wire.answer({"seq": self.seq, "version": self.shown.wire.version} | message)
        return dict(json.loads(json.dumps(answer, allow_nan=False)))

    def ask(self, type: str, **content: Any) -> str:
        """Ask for something; returns the problem that there is with it, if any."""
        answer = self.raw({"type": type} | content)
        if answer["type"] == "problem":
            return str(answer["text"])
        for name, value in answer["changes"].items():
            if isinstance(value, dict) and isinstance(self.scene.get(name), dict):
                merged = {**self.scene[name], **value}
                self.scene[name] = {key: each for key, each in merged.items() if each is not None}
            else:
                self.scene[name] = value
        return str(answer["problem"])
