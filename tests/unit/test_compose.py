"""`docker-compose.yaml`: it is what Compose reads, and its commands have the options that it gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer.main
from ruamel.yaml import YAML

from wfsim.cli import app

COMPOSE = Path(__file__).parents[2] / "docker-compose.yaml"
SERVICE_KEYS = {
    "build", "image", "command", "environment", "volumes", "depends_on", "restart", "stop_grace_period", "ports",
    "deploy", "healthcheck",
}  # fmt: skip


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return dict(YAML(typ="safe").load(COMPOSE))


def commands(compose: dict[str, Any]) -> list[list[str]]:
    found = [service["command"] for service in compose["services"].values() if "command" in service]
    return [command[1:] for command in found if command[0] == "wfsim"]


def test_there_are_a_database_a_service_and_two_workers(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert list(services) == ["database", "service", "worker"]
    assert services["worker"]["deploy"]["replicas"] == 2
    assert all(set(each) <= SERVICE_KEYS for each in services.values())
    assert [command[0] for command in commands(compose)] == ["serve", "worker"]


def test_what_a_service_needs_is_there(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        assert set(service.get("depends_on", ())) <= set(compose["services"])
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            assert source.startswith("./") or source in compose["volumes"]
        assert ("image" in service) != ("build" in service)


def test_the_commands_are_those_of_wfsim(compose: dict[str, Any]) -> None:
    known = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    for name, *given in commands(compose):
        # It raises for an option that it does not have, or a value that does not fit.
        context = known[name].make_context(name, list(given))
        assert context.params["database"].startswith("postgresql://")


def test_a_worker_has_less_time_to_finish_than_compose_gives_it(compose: dict[str, Any]) -> None:
    worker = compose["services"]["worker"]
    grace = float(worker["command"][worker["command"].index("--grace") + 1])
    assert float(worker["stop_grace_period"].removesuffix("s")) > grace + 5


def test_no_password_stands_in_a_command(compose: dict[str, Any]) -> None:
    for command in commands(compose):
        address = command[command.index("--database") + 1]
        assert ":" not in address.partition("://")[2]
