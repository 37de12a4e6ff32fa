"""What a worker for Temporal does with an attempt, in the SDK's surroundings for activities; and its command."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from temporalio.common import RawValue
from temporalio.converter import PayloadConverter
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment
from typer.testing import CliRunner

import wfsim as wf
from wfsim.errors import StartRefused
from wfsim.temporal.__main__ import app
from wfsim.temporal.worker import Attempts

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SMALL = """
name: small
version: 1.0.0
initial_state: paying
variables: {amount: {type: number, input: true}}
activities: {charge: {heartbeat: 1s}}
states:
  - {name: paying, activity: {name: charge, parameters: {amount: "${context.amount}"}}}
  - {name: paid, is_terminal: true}
transitions: [{from: paying, event: done, to: paid}]
"""
ORDER = {"input": {"amount": 3}, "instance": "s-1", "activity_id": 1, "attempt": 2, "idempotency_key": "s-1:1"}


def carried_out(
    function: Callable[..., Any], when: Callable[[ActivityEnvironment], None] = lambda environment: None
) -> tuple[Any, list[Any]]:
    """What an attempt gives, and what the workflow was told before."""
    told: list[Any] = []

    async def tell(*said: Any) -> None:
        told.append(said)
        when(environment)

    environment = ActivityEnvironment()
    environment.info = ActivityEnvironment.default_info().__class__(
        **{**vars(ActivityEnvironment.default_info()), "activity_type": "charge"}
    )
    attempts = Attempts(wf.loads(SMALL), {"charge": function}, tell)
    order = [RawValue(PayloadConverter.default.to_payload(ORDER))]
    try:
        return asyncio.run(environment.run(attempts.carry_out, order)), told
    finally:
        attempts.stop()


def test_the_workflow_hears_that_an_attempt_begins_and_the_function_its_input_and_key() -> None:
    def charge(context: wf.ActivityContext, amount: float) -> dict[str, Any]:
        return {"amount": amount, "key": context.idempotency_key, "attempt": context.attempt}

    result, told = carried_out(charge)
    assert result == {"amount": 3, "key": "s-1:1", "attempt": 2}
    assert told == [("s-1", "wfsim.started", [1, 2, None])]


def test_what_a_function_raises_is_no_failure_that_temporal_tries_again() -> None:
    async def charge(amount: float) -> None:
        raise wf.ActivityError("Card.Declined", "no cover", retry_after=5)

    with pytest.raises(ApplicationError) as caught:
        carried_out(charge)
    assert caught.value.type == "Card.Declined"
    assert caught.value.non_retryable
    assert caught.value.details == ({"message": "no cover", "retry_after": 5_000_000},)


def test_a_result_that_is_no_json_fails_the_attempt() -> None:
    with pytest.raises(ApplicationError, match="not JSON") as caught:
        carried_out(lambda amount: {1, 2})
    assert caught.value.type == "Result.type"


def test_a_function_that_gives_no_sign_of_life_in_time_has_failed() -> None:
    with pytest.raises(ApplicationError) as caught:
        carried_out(lambda context, amount: context.sleep("1h"))
    assert caught.value.type == "Timeout.heartbeat"


def test_cancelling_reaches_the_function() -> None:
    ended: list[bool] = []

    async def charge(amount: float) -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append(True)

    def soon(environment: ActivityEnvironment) -> None:
        asyncio.get_running_loop().call_later(0.1, environment.cancel)

    with pytest.raises(asyncio.CancelledError):
        carried_out(charge, soon)
    assert ended == [True]


def test_without_functions_no_worker_begins() -> None:
    async def tell(*said: Any) -> None:
        """Nobody listens."""

    with pytest.raises(StartRefused, match="no function is given for 'charge'"):
        Attempts(wf.loads(SMALL), {}, tell)


def test_the_command_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "small.yaml"
    file.write_text(SMALL)
    runner = CliRunner()

    def refused(*arguments: str) -> str:
        result = runner.invoke(app, [str(file), *arguments])
        assert result.exit_code == 2, result.output
        return result.output

    monkeypatch.delenv("TEMPORAL_ADDRESS", raising=False)
    assert "TEMPORAL_ADDRESS is not set" in refused()
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    assert "--input is not JSON" in refused("--input", "{")
    assert "is a JSON object" in refused("--input", "[]")
    assert "no function is given for 'charge'" in refused("--input", json.dumps({"amount": 1}))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tills.py").write_text("def charge(amount):\n    return amount\n")
    found = refused("--activities", "tills")
    assert "never run against a live server" in found
    assert "the server at 127.0.0.1:1 cannot be reached" in found
