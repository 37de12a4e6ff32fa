"""`python -m tests.benchmarks [name …]`."""

from __future__ import annotations

import importlib
import pkgutil
import sys

import tests.benchmarks
from tests.benchmarks import show


def main(names: list[str]) -> int:
    """Run the benchmarks named, or all."""
    found = {}
    for module in pkgutil.iter_modules(tests.benchmarks.__path__):
        if not module.name.startswith("_"):
            loaded = importlib.import_module(f"tests.benchmarks.{module.name}")
            if hasattr(loaded, "measure"):
                found[module.name] = loaded
    unknown = [name for name in names if name not in found]
    if unknown:
        print(f"There is no benchmark {unknown[0]!r}. Benchmarks: {', '.join(found)}.", file=sys.stderr)
        return 2
    for name in names or found:
        show(f"{name}: {found[name].__doc__.splitlines()[0]}", found[name].measure())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
