"""`wfsim keys` and the refusals of `wfsim serve`."""

from __future__ import annotations

from pathlib import Path

from tests.unit.cli.test_command_line import Command, wfsim
from wfsim.runtime.database import Database
from wfsim.service.keys import Keys, Role

__all__ = ["wfsim"]


def test_a_key_is_made_shown_and_revoked(wfsim: Command, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/runs.db"
    code, out, err = wfsim("keys", "add", "Ada", "--role", "operator", "--namespace", "acme", "--database", url)
    assert code == 0
    keys = Keys(Database(url))
    key = keys.of(out.strip())
    assert key is not None
    assert (key.name, key.role, key.namespace) == ("Ada", Role.OPERATOR, "acme")
    assert "operator of the namespace acme" in err
    _, listed, _ = wfsim("keys", "list", "-d", url)
    assert key.id in listed
    assert out.strip() not in listed
    code, _, err = wfsim("keys", "revoke", key.id, "-d", url)
    assert (code, f"Key {key.id} (Ada) is revoked." in err) == (0, True)
    assert keys.of(out.strip()) is None


def test_what_cannot_be_is_told(wfsim: Command, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/runs.db"
    for arguments, why in (
        (("keys", "add", "x", "--role", "boss", "-d", url), "'boss' is not a role"),
        (("keys", "add", "x", "--namespace", "../x", "-d", url), "a namespace has 1 to 30"),
        (("keys", "add", "x", "-d", "sqlite://"), "keeps no keys"),
        (("keys", "revoke", "x", "-d", url), "there is no key"),
        (("serve", "-d", url, "--host", "0.0.0.0"), "everybody who reaches 0.0.0.0"),
        (("serve", "-d", url, "--activities", "no_such_module"), "cannot be imported"),
        (("serve", "-d", "mysql://x"), "mysql is not supported"),
    ):
        code, _, err = wfsim(*arguments)
        assert code == 2
        assert why in err, (arguments, err)
