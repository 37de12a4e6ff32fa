"""What a worker lets definitions do: hosts, networks, programs and secrets, given or from its environment."""

from __future__ import annotations

from typing import Any

import pytest

from wfsim.errors import ActivityError, OptionError
from wfsim.runtime.permissions import Permissions
from wfsim.runtime.secrecy import Secrets


def test_hosts_are_whole_names_or_all_below_one() -> None:
    allowed = Permissions(hosts=["api.Example.com", "*.shop.example", "[2606:4700::1]"])
    for host, admitted in (
        ("api.example.com", True), ("API.EXAMPLE.COM.", True), ("a.shop.example", True), ("a.b.shop.example", True),
        ("shop.example", False), (".shop.example", False), ("evilshop.example", False), ("example.com", False),
        ("api.example.com.evil.org", False), ("xapi.example.com", False), ("2606:4700::1", True), ("", False),
    ):  # fmt: skip
        assert allowed.admits_host(host) is admitted, host
    assert Permissions().admits_host("anything.at.all")
    assert not Permissions(hosts=[]).admits_host("anything.at.all")


def test_networks_admit_what_is_not_public() -> None:
    allowed = Permissions(networks=["10.1.0.0/16", "fd00::/8"])
    for address, admitted in (
        ("8.8.8.8", True), ("2606:4700::1", True), ("10.1.2.3", True), ("fd00::7", True), ("10.2.0.1", False),
        ("127.0.0.1", False), ("::1", False), ("::ffff:10.1.2.3", True), ("::ffff:10.2.0.1", False), ("0.0.0.0", False),
        ("fe80::1%1", False), ("255.255.255.255", False), ("64:ff9b::a02:1", False), ("2002:a02:1::", False),
    ):  # fmt: skip
        assert allowed.admits_address(address) is admitted, address


def test_what_is_not_given_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WFSIM_HOSTS", "a.example, b.example,")
    monkeypatch.setenv("WFSIM_NETWORKS", "10.0.0.0/8")
    monkeypatch.setenv("WFSIM_COMMANDS", "jq,/usr/bin/tar")
    monkeypatch.setenv("WFSIM_SECRET_KEY", "from outside")
    found = Permissions()
    assert (found.hosts, list(map(str, found.networks)), found.commands) == (
        ("a.example", "b.example"),
        ["10.0.0.0/8"],
        ("jq", "/usr/bin/tar"),
    )
    assert found.secret("key") == "from outside"
    assert Permissions(hosts=["c"], networks=[], commands=[]).commands == ()
    with pytest.raises(ActivityError, match="no secret 'key'"):
        Permissions(secrets={}).secret("key")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"hosts": "a.example"}, "a list of texts"), ({"hosts": [7]}, "a list of texts"),
        ({"hosts": ["https://a/"]}, "is no host"), ({"hosts": ["a*.b"]}, "is no host"), ({"hosts": ["a:80"]}, "host"),
        ({"networks": ["10.0.0.1/8"]}, "has host bits set"), ({"networks": ["a"]}, "networks"),
        ({"commands": ["bin/a"]}, "is no program"), ({"commands": [""]}, "is no program"), ({"commands": 7}, "a list"),
        ({"secrets": ["a"]}, "a mapping"), ({"secrets": {"a": 7}}, "mapping from names"),
        ({"secrets": {"a": "abc"}}, "fewer than 4 characters"),
    ],
)  # fmt: skip
def test_what_is_no_host_network_program_or_secret_is_refused(given: dict[str, Any], told: str) -> None:
    with pytest.raises(OptionError, match=told):
        Permissions(**given)


def test_no_secret_is_shown_by_anything() -> None:
    assert "hidden" not in f"{Permissions(secrets={'key': 'hidden'})!r} {Secrets({'key': 'hidden'})!r}"
    with pytest.raises(OptionError) as caught:
        Permissions(secrets={"key": "hid"})
    assert "hid'" not in str(caught.value)


def test_a_secret_is_known_in_every_spelling_and_where_a_text_was_cut() -> None:
    secret = 'a"b/ü c\n'
    known = Secrets({"key": secret, "longer": secret + "more"})
    for spelling in (
        secret, 'a\\"b/\\u00fc c\\n', 'a\\\\\\"b\\/\\\\u00FC c\\\\n', "a%22b%2F%C3%BC%20c%0A", "a%22b%2f%c3%bc+c%0a",
        "a&quot;b/ü c&#10;", secret + "more",
    ):  # fmt: skip
        assert known.masked(f"<{spelling}>") == "<***>", spelling
    assert known.masked_value({"n": [1, True, None, {secret: 2.5}]}) == {"n": [1, True, None, {"***": 2.5}]}
    plain = Secrets({"key": "0123456789"})
    text = "." * 300 + "0123456789" + "." * 300
    assert plain.longest == 260
    assert plain.masked(text, cut_before=True, cut_after=True) == "." * 40 + "***" + "." * 40
    assert plain.masked("01234", cut_after=True) == ""
    assert Secrets({}).masked("text", cut_after=True) == "text"


def test_no_answer_makes_looking_for_secrets_endless() -> None:
    known = Secrets({"key": '"/%&\\"' * 3, "other": "\\" * 20})
    # Were each sign looked through to the end of the text, this would take hours.
    for sign in ("&", "%", '"', "\\u", "&#", "a"):
        assert known.masked(sign * 200_000) == sign * 200_000
    assert set(known.masked("\\" * 200_000)) <= {"*", "\\"}
    assert known.masked("\\" * 20) == "***"
