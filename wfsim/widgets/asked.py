"""The built-in questions, asked of a workflow in a process of its own: `python -m wfsim.widgets.asked`.

A search beside the page would hold up whoever draws, and what goes wrong in the solver, which is in C, would take the
notebook with it. So the editor's thread writes a line of JSON with a workflow and those beside it and reads a line for
each answer, the last of which is `null`; `stop` leaves out the questions that are still to come.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from wfsim.errors import WfsimError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

MOST_STATES = 2_000
MOST_SECONDS = 2.0
"""Limits of each question that is asked while somebody draws."""

_STOP = "stop"


class Asked:
    """Asks one workflow at a time; the process begins with the first and goes on until it is ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None

    def ask(self, text: str, outdated: Callable[[], bool], beside: Sequence[str] = ()) -> Iterator[dict[str, Any]]:
        """Answers as they come, with `name`, `status`, `reason` and the names of the `states` they are about.

        Parameters
        ----------
        text
            A valid workflow as YAML.
        outdated
            Whether nobody wants to know any more; looked at after each answer.
        beside
            Workflows that it may run or write to, as YAML; with none, its children are unknown.

        Raises
        ------
        WfsimError
            If the process has ended, or could not be begun.
        """
        with self._lock:
            if outdated():
                # By the time that the one before has its answers, nobody may want any.
                return
            process = self._running()
            assert process.stdin is not None
            assert process.stdout is not None
            stopped = finished = False
            try:
                _say(process.stdin, json.dumps([text, *beside]))
                while line := process.stdout.readline():
                    answer = json.loads(line)
                    if answer is None:
                        finished = True
                        return
                    yield answer
                    if outdated() and not stopped:
                        stopped = True
                        _say(process.stdin, _STOP)
            except BrokenPipeError:
                # Told below, as is an end between two answers.
                pass
            finally:
                if not finished:
                    self._kill()
                    _close(process)
            raise WfsimError("the process that verifies has ended. The next edit begins another one.")

    def end(self) -> None:
        """End the process, whatever it does; who waits for an answer is told."""
        process = self._process
        self._kill()
        with self._lock:
            if process is not None:
                _close(process)

    def _kill(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            home = str(Path(__file__).parents[2])
            paths = [home, *filter(None, [os.environ.get("PYTHONPATH")])]
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "wfsim.widgets.asked"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    text=True,
                    encoding="utf-8",
                    env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
                )
            except OSError as error:
                raise WfsimError(
                    f"no process that verifies could be begun: {error.strerror or error}. Ask wf.verify(workflow)."
                ) from None
        return self._process


def _close(process: subprocess.Popen[str]) -> None:
    for pipe in (process.stdin, process.stdout):
        assert pipe is not None
        # Closing says what could not be said any more.
        with contextlib.suppress(BrokenPipeError):
            pipe.close()


def _say(to: TextIO | Any, line: str) -> None:
    to.write(line + "\n")
    to.flush()


def answered(texts: Sequence[str], stopped: Callable[[], bool]) -> Iterator[dict[str, Any]]:
    """The answers to the built-in questions about the first of some workflows until somebody says stop."""
    from wfsim.model.catalogue import as_catalogue
    from wfsim.model.yaml_io import loads
    from wfsim.verification.workflows.properties import answers, built_in

    workflow, *beside = map(loads, texts)
    asked = built_in(workflow)
    try:
        known = as_catalogue([workflow, *beside] if beside else None)
        answer = answers(workflow, asked, max_states=MOST_STATES, max_seconds=MOST_SECONDS, catalogue=known)
        for each in asked:
            if stopped():
                return
            verdict = answer(each)
            states = [*verdict.statistics.get("unreachable", ()), *verdict.statistics.get("states", ())]
            yield {"name": each.name, "status": verdict.status.value, "reason": verdict.reason, "states": states}
    except WfsimError as error:
        yield {"name": "verification", "status": "error", "reason": str(error), "states": []}


def main() -> None:
    """Answer line by line until nobody asks any more."""
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def listen() -> None:
        for line in sys.stdin:
            lines.put(line.strip())
        # Whoever asked is gone.
        os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    while True:
        line = lines.get()
        if line != _STOP:
            for answer in answered(json.loads(line), lambda: not lines.empty()):
                _say(sys.stdout, json.dumps(answer))
            _say(sys.stdout, "null")


if __name__ == "__main__":
    main()
