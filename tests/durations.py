"""Writes `long.txt` and `ci.txt` from what tests took: `pytest --durations=0 … > report`, then
`python -m tests.durations long report`, or `ci report` of a run without the long ones.

Measured with two workers and nothing beside them. What takes long goes to `make test-long`, what takes less long but
not little to `make test-ci`; of a test with several cases the quickest stays, and so does the quickest test of a
module, unless it takes very long.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from pathlib import Path

from tests.conftest import LISTS, listed

MOST = {"long": {"tests/browser/": 3.0, "": 0.35}, "ci": {"tests/browser/": 1.5, "": 0.15}}
"""Seconds that a test may take and have no mark, by where it lies."""
WORTH = 3.0
"""Seconds that a test may take which is the quickest of several."""
_LINE = re.compile(r"^([\d.]+)s call +(tests/\S.*)$")


def longest(report: str, mark: str) -> list[str]:
    """The tests of a report of durations that take too long to go without the mark."""
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
    limit = {name: next(most for place, most in MOST[mark].items() if name.startswith(place)) for name in took}
    return sorted(name for name, seconds in took.items() if seconds > limit[name] and name not in kept)


def main() -> None:
    """Write a list."""
    mark, *reports = sys.argv[1:]
    others = {name for other in LISTS if other != mark for name in listed(other)}
    names = [
        name for name in longest("\n".join(Path(path).read_text() for path in reports), mark) if name not in others
    ]
    LISTS[mark].write_text("".join(f"{name}\n" for name in names))
    print(f"{len(names)} tests have the mark {mark}")


if __name__ == "__main__":
    main()
