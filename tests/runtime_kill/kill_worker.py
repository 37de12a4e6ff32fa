"""A worker that is killed: `python -m tests.runtime_kill.kill_worker ADDRESS FOLDER`; it works until then."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from tests.runtime_kill.kill_child import ORDER, written
from wfsim.errors import ActivityError
from wfsim.runtime.opening import open_engine


def main(address: str, folder: str) -> None:
    def did(context: Any, **_: Any) -> str:
        written(Path(folder) / "effects", f"{context.idempotency_key} {context.attempt}")
        if context.activity != "pack" and context.attempt == 1:
            raise ActivityError("Net", "try again")
        return str(context.idempotency_key)

    async def charge(context: Any) -> str:
        return did(context)

    with open_engine(address, [ORDER], {"validate": did, "charge": charge, "pack": did}, polling=0.05):
        print("ready", flush=True)
        while True:
            time.sleep(60)


if __name__ == "__main__":
    main(*sys.argv[1:])
