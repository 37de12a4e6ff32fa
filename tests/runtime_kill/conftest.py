"""Processes that are forked look for their modules where this one does."""

from __future__ import annotations

import os
import sys

import pytest

from tests.postgres import address, server  # noqa: F401


@pytest.fixture(autouse=True)
def _path_for_forks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
