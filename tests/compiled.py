"""Compiles what the tests need compiled, once, while a test run is at something else: `python -m tests.compiled`.

Two workers that both find the cache empty would both compile, for some minutes each.
"""

from __future__ import annotations

import importlib

import wfsim as wf
from wfsim.semantics.speed import KERNEL_FILES


def main() -> None:
    """The kernel modules, the search over `step`, and the search of nets."""
    for file in KERNEL_FILES:
        importlib.import_module(f"wfsim.semantics.compiled.{file.removesuffix('.py')}")
    wf.explore_workflow(wf.new("minimal"), engine="compiled")
    wf.explore(wf.to_net(wf.new("order")), engine="kernel")


if __name__ == "__main__":
    main()
