"""Writes `long.txt` from what tests took: `pytest --durations=0 … > report`, then `python -m tests.durations report`.

Measured with two workers and nothing beside them. What takes long goes to `make test-long`; of a test with several
cases the quickest stays, and so does the quickest test of a module, unless it takes very long.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from pathlib import Path

from tests.conftest import LONG

MOST = {"tests/browser/": 3.0, "": 0.35}
"""Seconds that a test may take, by where it lies."""
WORTH = 3.0
"""Seconds that a test may take which is the quickest of several."""
_LINE = re.compile(r"^([\d.]+)s call +(tests/\S.*)$")


def longest(report: str) -> list[str]:
    """The tests of a report of durations that take too long."""
    took = {
        match.group(2).strip(): float(match.group(1)) for line in report.splitlines() if (match := _LINE.match(line))
    }
    cases, modules = defaultdict(list), defaultdict(list)
    for name in took:
        cases[name.partition("[")[0]].append(name)
        modules[name.partition("::")[0]].append(name)
    kept = {min(each, key=took.__getitem__) for each in cases.values() if len(each) > 1}
    kept |= {min(each, key=took.__getitem__) for each in modules.values()}
    kept = {name for name in kept if took[name] <= WORTH}
    limit = {name: next(most for place, most in MOST.items() if name.startswith(place)) for name in took}
    return sorted(name for name, seconds in took.items() if seconds > limit[name] and name not in kept)


def main() -> None:
    """Write the list."""
    names = longest("\n".join(Path(path).read_text() for path in sys.argv[1:]))
    LONG.write_text("".join(f"{name}\n" for name in names))
    print(f"{len(names)} tests are long")


if __name__ == "__main__":
    main()
