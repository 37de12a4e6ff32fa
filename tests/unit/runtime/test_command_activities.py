"""Activities declared as `command` (M5.7): what runs, what comes of it, and what is refused."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import wfsim as wf
from tests.declared import one, tried
from wfsim.errors import StartRefused
from wfsim.runtime.permissions import Permissions

ALLOWED = Permissions(commands=["sh", "printf", "cat", "env", "pwd", "echo", "sleep"])


def came(command: Any, input: dict[str, Any] | None = None, **activity: Any) -> wf.errors.Any:
    return tried({"command": command, **activity}, input, ALLOWED)


def sh(script: str, **more: Any) -> dict[str, Any]:
    return {"run": ["sh", "-c", script, "sh"], **more}


def test_arguments_are_evaluated_and_no_shell_reads_them() -> None:
    run = ["printf", "%s|", "--n=${input.n}", "a ${input.text}", "${input.text}", "${input.list}", "$HOME", "*"]
    found = came(run, {"n": 3, "text": "x; rm -rf / `id` $(id)", "list": ["p q", 2, True]})
    assert found.result == "--n=3|a x; rm -rf / `id` $(id)|x; rm -rf / `id` $(id)|p q|2|true|$HOME|*|"


def test_no_value_becomes_an_option_unless_it_stands_behind_two_dashes() -> None:
    for value in ("-rf", "--checkpoint-action=exec=sh", "-"):
        refused = came(["echo", "${input.file}"], {"file": value})
        assert refused.error_type == "Command.argument"
        assert "Write '--' before it" in (refused.message or "")
        assert came(["echo", "--", "${input.file}"], {"file": value}).result == f"-- {value}"
    assert came(["echo", "${input.n}", "x-${input.file}"], {"n": -5, "file": "-y"}).result == "-5 x--y"
    assert came(["echo", "${input.file}"], {"file": "a\0b"}).error_type == "Command.argument"
    assert came(["echo", "${input.none}"], {"none": None}).error_type == "Expression.null"


def test_output_is_a_text_or_json_as_the_result_is_declared() -> None:
    script = "echo '{\"a\": [1, 2.5]}'"
    assert came(sh(script)).result == '{"a": [1, 2.5]}'
    assert came(sh(script), result="string").result == '{"a": [1, 2.5]}'
    assert came(sh(script), result={"a": "list"}).result == {"a": [1, 2.5]}
    assert came(sh(script), result="any").result == {"a": [1, 2.5]}
    assert came(sh("true"), result="any").result is None
    assert came(sh(script), result="integer").error_type == "Expression.type"
    for bad in ("echo '{'", "printf '\\377'", "echo NaN", "echo 1e999"):
        assert came(sh(bad), result="any").error_type in ("Command.output", "Expression.type"), bad
    assert came(sh("printf '\\377'")).error_type == "Command.output"


def test_it_reads_what_it_is_given_and_need_not_read_it() -> None:
    assert came({"run": ["cat"], "stdin": "${input.text}"}, {"text": "ü\n\n"}).result == "ü\n"
    assert came({"run": ["cat"], "stdin": {"n": "${input.n}"}}, {"n": 3}, result="any").result == {"n": 3}
    assert came(["cat"]).result == ""
    assert came({"run": ["sh", "-c", "exit 0"], "stdin": "${input.text}"}, {"text": "x" * 900_000}).ok


def test_exit_statuses_are_errors_by_the_type_that_is_declared() -> None:
    declared = {"errors": {"Tar.Broken": [2, 3]}, "expect": [0, 7]}
    for status, error_type in ((0, None), (7, None), (2, "Tar.Broken"), (1, "Command.1"), (255, "Command.255")):
        found = came(sh(f"echo out; echo why >&2; exit {status}", **declared))
        assert found.error_type == error_type
        if error_type is not None:
            assert found.message == f"sh ended with status {status}. It says: why"
    assert came(sh("kill -TERM $$")).error_type == "Command.signal"
    assert "SIGTERM" in str(came(sh("kill -TERM $$")).message)
    assert "x" * 100 + "END" in str(came(sh("head -c 300000 /dev/zero | tr '\\0' x >&2; echo END >&2; exit 1")).message)


def test_its_environment_is_what_the_definition_says_and_nothing_of_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WFSIM_SECRET_OTHER", "not for you")
    found = came({"run": ["env"], "environment": {"A": "${input.a}", "B": 5, "NONE": None}}, {"a": "x=y"})
    assert sorted(found.result.splitlines()) == ["A=x=y", "B=5", f"PATH={os.defpath}", "WFSIM_IDEMPOTENCY_KEY=try:1"]
    assert came({"run": ["env"], "environment": {"A": "${input.a}"}}, {"a": "x\0"}).error_type == "Command.argument"


def test_it_runs_in_a_directory_of_its_own_that_goes_with_it_or_in_the_one_that_is_said(tmp_path: Path) -> None:
    found = came(sh("touch left; mkdir deep; pwd"))
    assert found.ok
    assert not Path(found.result).exists()
    assert came({"run": ["pwd"], "directory": str(tmp_path)}).result == str(tmp_path)
    assert came({"run": ["pwd"], "directory": str(tmp_path / "gone")}).error_type == "Command.start"


def is_alive(pid: int) -> bool:
    """Whether there is such a process, and not only what is left of it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def all_end(folder: Path) -> bool:
    """Whether the two processes that have told their numbers end: what is killed dies a moment later."""
    pids = list(map(int, (folder / "pids").read_text().split()))
    assert len(pids) == 2
    for _ in range(2_000):
        if not any(map(is_alive, pids)):
            return True
        time.sleep(0.005)
    return False


SPAWNS = "sleep 1000 & echo $$ $! > {0}/pids.new; mv {0}/pids.new {0}/pids; {1}"


@pytest.mark.parametrize(
    ("then", "limits", "error_type"),
    [
        ("sleep 1000", {"timeout": "300ms"}, "Command.timeout"),
        ("yes", {"max_bytes": 1_000}, "Command.size"),
        ("trap '' TERM INT HUP; sleep 1000", {"timeout": "300ms"}, "Command.timeout"),
        ("exit 3", {}, "Command.3"),
        ("exit 0", {}, None),
    ],
)
def test_it_ends_with_all_that_it_has_started(
    then: str, limits: dict[str, Any], error_type: str | None, tmp_path: Path
) -> None:
    found = came(sh(SPAWNS.format(tmp_path, then), **limits))
    assert found.error_type == error_type
    assert all_end(tmp_path)


def test_cancelling_kills_it_and_all_that_it_has_started(tmp_path: Path) -> None:
    workflow = one(command=sh(SPAWNS.format(tmp_path, "kill -STOP $$")), heartbeat="100ms")
    with wf.start(workflow, permissions=ALLOWED) as run:
        run.wait(timeout=10)
        # It writes nothing, so it gives no sign of life.
        assert run.output["type"] == "Timeout.heartbeat"
    assert all_end(tmp_path)


def test_what_it_writes_is_a_sign_of_life() -> None:
    assert came(sh("for i in 1 2 3 4 5 6; do echo $i; sleep 0.1; done"), heartbeat="500ms").ok


# What may run ----------------------------------------------------------------------------------------------


def test_only_programs_that_the_worker_allows_run(monkeypatch: pytest.MonkeyPatch) -> None:
    workflow = one(command=["sh", "-c", "true"])
    for permissions in (Permissions(), Permissions(commands=["cat", "/bin/sh"])):
        with pytest.raises(StartRefused, match=r"'f' is declared as a command, and this worker does not allow .* 'sh'"):
            wf.start(workflow, permissions=permissions)
        with pytest.raises(StartRefused, match=r"wf\.Permissions\(commands=\['sh'\]\)"):
            wf.try_activity(workflow, "f", permissions=permissions)
    monkeypatch.setenv("WFSIM_COMMANDS", "cat, sh")
    assert wf.try_activity(workflow, "f").ok
    assert (
        tried({"command": ["none-such"]}, permissions=Permissions(commands=["none-such"])).error_type
        == "Command.missing"
    )
    by_path = Permissions(commands=["/bin/sh"])
    assert tried({"command": ["/bin/sh", "-c", "echo $0", "x"]}, permissions=by_path).result == "x"


def test_an_attempt_waits_for_a_worker_that_allows_its_command(tmp_path: Path) -> None:
    url, clock = f"sqlite:///{tmp_path}/runs.db", wf.ManualClock()
    workflow = one(command=["echo", "done"])
    with wf.open_engine(url, [workflow], {}, permissions=Permissions(commands=[]), clock=clock) as engine:
        run = engine.start("one", id="a")
        clock.advance("1s")
        assert run.status == "running"
        assert not engine.stuck
    with wf.open_engine(url, [workflow], {}, permissions=ALLOWED, clock=clock) as engine:
        run = engine.get("a")
        run.wait(timeout=10)
        assert run.output["result"] == "done"


def test_no_secret_of_its_environment_is_stored(tmp_path: Path) -> None:
    allowed = Permissions(commands=["sh"], secrets={"token": "tok-$(id) 'x'"})
    for script in ("echo out $TOKEN", "echo why $TOKEN >&2; exit 1"):
        workflow = one(command=sh(script, environment={"TOKEN": "${secrets.token}"}))
        with wf.start(workflow, store=tmp_path / "runs.db", permissions=allowed) as run:
            run.wait(timeout=10)
            assert "***" in str(run.output)
    with closing(sqlite3.connect(tmp_path / "runs.db")) as database:
        stored = "\n".join(database.iterdump())
    assert "out ***" in stored
    assert "tok-" not in stored
