"""What a worker lets definitions do outside: which hosts are reached, which programs run, which secrets there are."""

from __future__ import annotations

import ipaddress
import os
import re
import shutil
from collections.abc import Iterable, Mapping
from typing import TypeAlias

from wfsim.errors import ActivityError, OptionError, listed
from wfsim.model.values import brief

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

SECRET = "WFSIM_SECRET_"
"""What stands before the name of a secret, in capitals, in the environment of a worker."""
SHORTEST_SECRET = 4
"""A shorter one could not be told from other text, and so not be kept out of records."""

_HOST = re.compile(r"(\*\.)?[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?|\[?[0-9a-f]*:[0-9a-f]*:[0-9a-f:.]*\]?|\*")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class Permissions:
    """What activities that are declared as `http` and `command` may do from this worker.

    What is not given is read from the environment of the process.

    Parameters
    ----------
    hosts
        The only hosts that requests may go to: `api.example.com`, `*.example.com` (not `example.com` itself). By
        default those of `WFSIM_HOSTS`, separated by commas; without, every host.
    networks
        Networks that are not public and may be reached all the same: `10.0.0.0/8`, `127.0.0.1`. By default those of
        `WFSIM_NETWORKS`; without, none: a name that leads to a private, loopback or link-local address is refused.
    commands
        Programs that may run: names that are looked up in the `PATH` of the worker, or paths from `/` on. By default
        those of `WFSIM_COMMANDS`; without, none. Whoever allows an interpreter allows everything.
    secrets
        Values by name. By default a secret `stripe_key` is the variable `WFSIM_SECRET_STRIPE_KEY`.

    Raises
    ------
    OptionError
        For what is no host, network, program or secret.
    """

    def __init__(
        self,
        *,
        hosts: Iterable[str] | None = None,
        networks: Iterable[str] | None = None,
        commands: Iterable[str] | None = None,
        secrets: Mapping[str, str] | None = None,
    ) -> None:
        named = _names("hosts", hosts, "WFSIM_HOSTS")
        for host in named or ():
            if not _HOST.fullmatch(host.lower()):
                raise OptionError(f"hosts: {host!r} is no host. Write a name: api.example.com, or *.example.com.")
        self.hosts = None if named is None else tuple(host.lower().strip("[]") for host in named)
        self.networks = tuple(map(_network, _names("networks", networks, "WFSIM_NETWORKS") or ()))
        self.commands = _names("commands", commands, "WFSIM_COMMANDS") or ()
        for command in self.commands:
            if not command or "\0" in command or ("/" in command and not command.startswith("/")):
                raise OptionError(f"commands: {command!r} is no program. Write its name, or its path from / on.")
        if secrets is not None:
            _check_secrets(secrets)
        self._secrets = None if secrets is None else dict(secrets)

    def __repr__(self) -> str:
        hosts = "every host" if self.hosts is None else listed(self.hosts) or "no host"
        networks = listed(map(str, self.networks)) or "none that is not public"
        secrets = f"secrets of {SECRET}…" if self._secrets is None else f"secrets {listed(self._secrets) or 'none'}"
        return f"<Permissions: {hosts}; networks {networks}; commands {listed(self.commands) or 'none'}; {secrets}>"

    def admits_host(self, host: str) -> bool:
        """Whether requests may go to a host of this name; its address is another question."""
        if self.hosts is None:
            return True
        name = host.lower().rstrip(".")
        return any(
            each in ("*", name) or (each.startswith("*.") and name.endswith(each[1:]) and len(name) > len(each) - 1)
            for each in self.hosts
        )

    def admits_address(self, address: str) -> bool:
        """Whether an address may be connected to: it is public, or in one of the networks."""
        return all(
            (each.is_global and not each.is_multicast) or any(each in network for network in self.networks)
            for each in _meant(ipaddress.ip_address(address))
        )

    def program(self, name: str) -> str:
        """The path of a program that may run.

        Raises
        ------
        ActivityError
            `Command.refused` if it may not, `Command.missing` if there is none.
        """
        if not self.admits_command(name):
            raise ActivityError("Command.refused", self.told_commands(name))
        found = shutil.which(name)
        if found is None:
            raise ActivityError("Command.missing", f"this worker has no program {name!r}.")
        return found

    def admits_command(self, name: str) -> bool:
        """Whether a program may run."""
        return name in self.commands

    def told_commands(self, name: str) -> str:
        """Why a program may not run."""
        known = f"It allows {listed(self.commands)}." if self.commands else "It allows none."
        return (
            f"this worker does not allow the command {name!r}. {known} Allow it: wf.Permissions(commands=[{name!r}])."
        )

    def secret(self, name: str) -> str:
        """The value of a secret.

        Raises
        ------
        ActivityError
            `Secret.missing` if there is none, or it is too short to be kept out of records.
        """
        variable = SECRET + name.upper()
        value = os.environ.get(variable) if self._secrets is None else self._secrets.get(name)
        if value is None:
            told = f"Set {variable}." if self._secrets is None else f"Give it: wf.Permissions(secrets={{{name!r}: …}})."
            raise ActivityError("Secret.missing", f"this worker has no secret {name!r}. {told}")
        if len(value) < SHORTEST_SECRET:
            raise ActivityError(
                "Secret.missing",
                _too_short(name),
            )
        return value


def checked_permissions(permissions: object) -> Permissions:
    """What was given, or what the environment says; `OptionError` for anything else."""
    if permissions is None:
        return Permissions()
    if not isinstance(permissions, Permissions):
        raise OptionError(f"permissions is a wf.Permissions(hosts=…, commands=…), not {brief(permissions)}.")
    return permissions


def _names(what: str, given: Iterable[str] | None, variable: str) -> tuple[str, ...] | None:
    if given is None:
        text = os.environ.get(variable)
        return None if text is None else tuple(part.strip() for part in text.split(",") if part.strip())
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise OptionError(f"{what} is a list of texts, not {brief(given)}.")
    found = tuple(given)
    for each in found:
        if not isinstance(each, str):
            raise OptionError(f"{what} is a list of texts, and {brief(each)} is none.")
    return found


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise OptionError(f"networks: {error}. Write it as 10.0.0.0/8, or one address as 127.0.0.1.") from None


def _check_secrets(secrets: object) -> None:
    if not isinstance(secrets, Mapping):
        raise OptionError(f"secrets is a mapping from names to texts, not {brief(secrets)}.")
    for name, value in secrets.items():
        if not isinstance(name, str) or not isinstance(value, str):
            # The value is not shown: it may be one.
            raise OptionError(f"secrets is a mapping from names to texts; {brief(name)} or its value is none.")
        if len(value) < SHORTEST_SECRET:
            raise OptionError(_too_short(name))


def _too_short(name: str) -> str:
    return f"the secret {name!r} has fewer than {SHORTEST_SECRET} characters: it could not be kept out of records."


def _meant(address: Address) -> tuple[Address, ...]:
    """An address with those that it stands for: packets to it may be sent on to them."""
    if not isinstance(address, ipaddress.IPv6Address):
        return (address,)
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    inner: list[Address] = [address]
    if address.sixtofour is not None:
        inner.append(address.sixtofour)
    if address.teredo is not None:
        inner.extend(address.teredo)
    if address in _NAT64:
        inner.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return tuple(inner)
