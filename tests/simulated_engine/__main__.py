"""`python -m tests.simulated_engine SEED` tells one run step by step; `--seeds N` tries many, from `--first` on."""

from __future__ import annotations

import argparse
import sys

from tests.simulated_engine.running import run
from tests.simulated_engine.world import Violated


def main() -> int:
    """Exit code 1 if something does not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulated_engine", description=__doc__)
    parser.add_argument("seed", type=int, nargs="?")
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--first", type=int, default=0)
    given = parser.parse_args()
    if given.seed is not None:
        try:
            print(run(given.seed, aloud=True))
        except Violated as violated:
            print(f"seed {given.seed}: {violated}")
            return 1
        return 0
    failed = 0
    for seed in range(given.first, given.first + given.seeds):
        try:
            run(seed)
        except Violated as violated:
            failed += 1
            print(f"python -m tests.simulated_engine {seed}  # {violated}", flush=True)
    print(f"{given.seeds:,} seeds, {failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
