"""The console in a browser: signing in, finding, looking, commanding, with keys and eyes of all kinds."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.browser.harness import checked_page, focused, violations
from tests.service.served import charge_later, order
from wfsim.model.workflow import Workflow
from wfsim.runtime.permissions import Permissions
from wfsim.service.console import FOLDER
from wfsim.service.keys import Role
from wfsim.service.limits import Limits
from wfsim.service.serving import Server
from wfsim.service.tenants import Tenants

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

HOSTILE = "<img src=x onerror=alert(1)>"
EVIL = Workflow.model_validate(
    {
        "name": "evil",
        "initial_state": HOSTILE,
        "description": "</title><script>alert(1)</script>",
        "variables": {"note": {"type": "string", "initial": HOSTILE}},
        "events": {"go": {}},
        "states": [{"name": HOSTILE}, {"name": "end", "is_terminal": True}],
        "transitions": [{"from": HOSTILE, "event": "go", "to": "end"}],
    }
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    url = f"sqlite:///{tmp_path}/runs.db"
    tenants = Tenants(
        url, [order(), EVIL], {"charge": charge_later}, permissions=Permissions(networks=["127.0.0.1"]), polling=0.02
    )
    with Server(tenants, port=0, limits=Limits(rate=1e6, burst=10**6)) as found:
        tenants.keys.add("first", Role.VIEWER)
        yield found
    tenants.close()


@contextlib.contextmanager
def console(browser: Browser, server: Server, role: Role = Role.OPERATOR, *, dark: bool = False) -> Iterator[Page]:
    """The console, signed in; it asks this service and nobody else."""
    _, key = server.tenants.keys.add("Ada", role)
    asked: list[str] = []
    # Whoever leaves a section drops what it has asked for.
    with checked_page(browser, dark=dark, dropped=f"{server.url}/") as page:
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{server.url}/console")
        page.get_by_label("Key").fill(key)
        page.keyboard.press("Enter")
        page.get_by_text("Ada, ").wait_for()
        yield page
        left = page.evaluate("[document.cookie, localStorage.length, sessionStorage.length, document.body.innerHTML]")
        assert left[:3] == ["", 0, 0]
        assert key not in left[3] + page.url
    assert all(each.startswith((f"{server.url}/", "blob:", "data:")) for each in asked)


def show(page: Page, server: Server, id: str) -> None:
    page.goto(f"{server.url}/console#/instances/{id.replace('/', '%2F')}")
    page.locator(".timeline tbody tr").first.wait_for()


def test_a_key_lets_in_and_is_forgotten_with_the_page(browser: Browser, server: Server) -> None:
    with checked_page(browser, dropped="/events") as page:
        page.goto(f"{server.url}/console")
        page.get_by_label("Key").fill("wfsim_a_b")
        page.get_by_role("button", name="Sign in").click()
        page.get_by_text("the key is unknown, or was revoked").wait_for()
        assert violations(page, "body") == []
    with console(browser, server) as page:
        assert page.get_by_text("Ada, operator of default").is_visible()
        page.get_by_role("button", name="Sign out").click()
        page.get_by_label("Key").wait_for()
        assert not page.get_by_role("navigation").is_visible()
        page.reload()
        page.get_by_label("Key").wait_for()


def test_a_key_that_is_revoked_leads_back_to_signing_in(browser: Browser, server: Server) -> None:
    with console(browser, server) as page:
        page.get_by_role("link", name="Definitions").click()
        page.get_by_role("link", name="evil").wait_for()
        for each in server.tenants.keys.list():
            if each.name == "Ada":
                server.tenants.keys.revoke(each.id)
        page.get_by_role("link", name="evil").click()
        page.get_by_label("Key").wait_for()
        page.get_by_text("the key is unknown, or was revoked").wait_for()


def test_instances_are_found_by_values_and_keys(browser: Browser, server: Server) -> None:
    engine = server.tenants.default.engine
    for total in (41, 42):
        engine.start("order", {"total": total}, id=f"worth-{total}")
    with console(browser, server) as page:
        page.get_by_label("Variable").fill("total = 42")
        page.keyboard.press("Enter")
        page.get_by_role("link", name="worth-41").wait_for(state="detached")
        page.get_by_role("link", name="worth-42").wait_for()
        page.get_by_label("Variable").fill("totl = 42")
        page.keyboard.press("Enter")
        page.get_by_text("Did you mean 'total'").wait_for()
        page.get_by_label("Variable").fill("")
        page.get_by_label("Correlation key").fill("nobody")
        page.keyboard.press("Enter")
        page.get_by_text("No instance is like that").wait_for()


def test_instances_are_found_by_pages_and_come_as_they_start(browser: Browser, server: Server) -> None:
    engine = server.tenants.default.engine
    for number in range(51):
        engine.start("order", {"total": 3}, id=f"page-{number:02}")
    with console(browser, server) as page:
        page.get_by_label("Id begins with").fill("page-")
        page.get_by_role("button", name="Search").click()
        page.get_by_role("link", name="page-50").wait_for()
        assert page.get_by_role("button", name="Newer").is_disabled()
        page.get_by_role("button", name="Older").click()
        page.get_by_role("link", name="page-00").wait_for()
        assert page.locator("main tbody tr").count() == 1
        page.get_by_role("button", name="Newer").click()
        page.get_by_role("link", name="page-50").wait_for()
        # It comes by itself.
        engine.start("order", {"total": 3}, id="page-new")
        page.get_by_role("link", name="page-new").wait_for()
        engine.send("page-new", "drop")
        row = page.get_by_role("row").filter(has_text="page-new")
        row.get_by_text("completed in failure").wait_for()
        page.get_by_label("Status").select_option("completed")
        page.locator("main tbody tr").nth(1).wait_for(state="detached")
        assert page.locator("main tbody tr").count() == 1
        page.get_by_label("State").fill("nowhere")
        page.keyboard.press("Enter")
        page.get_by_text("No instance is like that.").wait_for()


def test_one_instance_is_followed_explained_and_commanded(browser: Browser, server: Server) -> None:
    engine = server.tenants.default.engine
    run = engine.start("order", {"total": 3}, id="o/1", metadata={"ticket": 7})
    with console(browser, server) as page:
        show(page, server, "o/1")
        picture = page.locator(".drawing img")
        picture.and_(page.get_by_alt_text("Drawing of order; active: created")).wait_for()
        assert picture.evaluate("(each) => each.decode().then(() => each.naturalWidth > 100)")
        page.get_by_label("Details of record 1", exact=True).click()
        page.get_by_text('"ticket": 7').wait_for()
        # As it goes on.
        run.send("ring")
        page.locator(".timeline tr", has_text="ring").first.wait_for()
        # An event from here: what is refused stays where it was written, with the reason.
        page.get_by_role("button", name="Send event").click()
        page.get_by_role("dialog").get_by_role("combobox").select_option("pay")
        page.get_by_text("amount: integer").wait_for()
        payload = page.get_by_label("Payload (JSON)")
        assert json.loads(payload.input_value()) == {"amount": None}
        payload.fill('{"amount": "much"}')
        page.get_by_role("button", name="Send", exact=True).click()
        page.get_by_role("dialog").get_by_text("amount").nth(1).wait_for()
        payload.fill('{"amount": ')
        page.get_by_role("button", name="Send", exact=True).click()
        page.get_by_role("dialog").get_by_text("is no JSON").wait_for()
        payload.fill('{"amount": 3}')
        page.get_by_role("button", name="Send", exact=True).click()
        page.get_by_role("dialog").wait_for(state="detached")
        page.locator(".timeline tr", has_text="transition created → charging, pay").wait_for()
        page.get_by_alt_text("Drawing of order; active: charging").wait_for()
        page.get_by_label("Event or state").fill("shipped")
        page.get_by_role("button", name="Ask").click()
        page.get_by_text("once activity 'charge' succeeds").wait_for()
        page.get_by_label("Event or state").fill("shiped")
        page.get_by_role("button", name="Ask").click()
        page.get_by_text("Did you mean 'shipped'?").wait_for()
        # Nothing by one click, and by the keyboard alone.
        page.get_by_role("button", name="Pause").focus()
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="Pause o/1?").wait_for()
        page.keyboard.press("Escape")
        page.get_by_role("dialog").wait_for(state="detached")
        assert focused(page) == "Pause"
        assert run.status == "running"
        page.keyboard.press("Enter")
        page.keyboard.type("stock-taking")
        page.keyboard.press("Enter")
        page.get_by_text("Pause: done.").wait_for()
        page.get_by_role("button", name="Resume").wait_for()
        assert run.status == "paused"
        page.locator(".timeline tr", has_text="control received pause").get_by_text("details").click()
        page.get_by_text('"stock-taking"').wait_for()
        audit = server.tenants.default.ledger.entries(None, 1)[0]
        assert (audit.name, audit.path, audit.status) == ("Ada", "/v1/instances/o/1/commands", 200)
        page.get_by_role("button", name="Terminate").click()
        page.get_by_role("dialog").get_by_role("button", name="Terminate").click()
        page.get_by_text("terminated", exact=True).wait_for()
        assert page.locator("main .row button", has_text="Terminate").count() == 0


def test_who_may_only_look_is_offered_nothing_else(browser: Browser, server: Server) -> None:
    server.tenants.default.engine.start("order", {"total": 3}, id="looked-at")
    with console(browser, server, Role.VIEWER) as page:
        show(page, server, "looked-at")
        page.get_by_alt_text("active: created").wait_for()
        assert page.get_by_role("button", name="Pause").count() == 0
        assert page.get_by_role("link", name="Webhooks").count() == 0


def test_records_from_long_ago_come_when_they_are_asked_for(browser: Browser, server: Server) -> None:
    run = server.tenants.default.engine.start("order", {"total": 3}, id="long")
    while run.version <= 210:
        run.send("ring")
    with console(browser, server) as page:
        show(page, server, "long")
        assert page.locator(".timeline tbody tr").count() == 200
        page.get_by_role("button", name="Show earlier records").click()
        page.locator(".timeline tbody tr").nth(run.version - 1).wait_for()
        numbers = page.locator(".timeline tbody tr td:first-child").all_inner_texts()
        assert numbers == [str(n) for n in range(1, run.version + 1)]
        assert not page.get_by_role("button", name="Show earlier records").is_visible()


@pytest.mark.parametrize("dark", [False, True])
def test_every_section_can_be_used_by_everybody(browser: Browser, server: Server, dark: bool) -> None:
    engine = server.tenants.default.engine
    charged = engine.start("order", {"total": 3})
    charged.send("pay", amount=3)
    endpoint, _ = engine.webhooks.add("http://127.0.0.1:9/", kinds=["started"])
    told = engine.start("order", {"total": 3})
    with console(browser, server, Role.ADMIN, dark=dark) as page:
        for section, seen in (
            ("Instances", told.id),
            ("Definitions", "evil"),
            ("Workers and queues", "order.charge"),
            ("Due", "timer"),
            ("Webhooks", endpoint.id),
        ):
            page.get_by_role("link", name=section, exact=True).click()
            page.get_by_role("heading", name=section, level=1).wait_for()
            page.locator("main td", has_text=seen).first.wait_for()
            assert page.title() == f"{section} · wfsim console"
            assert violations(page, "body") == [], section
        page.get_by_role("link", name=endpoint.id).click()
        page.locator("main td", has_text=told.id).wait_for()
        assert violations(page, "body") == []
        show(page, server, charged.id)
        page.get_by_alt_text("active: charging").wait_for()
        assert violations(page, "body") == []
        page.get_by_role("button", name="Cancel").click()
        page.get_by_role("dialog").wait_for()
        assert violations(page, "body") == []
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Send event").click()
        page.get_by_label("Payload (JSON)").wait_for()
        assert violations(page, "body") == []


def test_names_are_text_whatever_they_say(browser: Browser, server: Server) -> None:
    engine = server.tenants.default.engine
    engine.start("evil", id=HOSTILE, metadata={"note": HOSTILE}).send("go")
    engine.start("evil", id="evil-open")
    with console(browser, server) as page:
        page.get_by_role("link", name=HOSTILE).click()
        page.get_by_role("heading", name=HOSTILE).wait_for()
        page.locator(".timeline tr", has_text=f"state entered {HOSTILE}").wait_for()
        for each in page.get_by_text("details").all():
            each.click()
        show(page, server, "evil-open")
        page.get_by_alt_text(f"active: {HOSTILE}").wait_for()
        page.get_by_role("link", name="evil 1.0.0").click()
        page.locator("pre", has_text="alert(1)").wait_for()
        # A failed image or a script of theirs would be an element of its own.
        assert page.locator("img:not(.drawing img), main script").count() == 0


def test_the_page_runs_nothing_but_its_own_files(server: Server) -> None:
    page = httpx.get(f"{server.url}/console")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    for name in sorted(path.name for path in FOLDER.iterdir()):
        answer = httpx.get(f"{server.url}/console/{name}")
        assert (answer.status_code, answer.headers["x-content-type-options"]) == (200, "nosniff")
    for name in ("..%2Fkeys.py", "%2E%2E", "nothing.js", "console.py"):
        assert httpx.get(f"{server.url}/console/{name}").status_code == 404


def test_without_keys_this_machine_is_in(browser: Browser) -> None:
    tenants = Tenants("sqlite://", [order()], {"charge": charge_later})
    run: Any = tenants.default.engine.start("order", {"total": 3}, id="o")
    with Server(tenants, port=0) as server, checked_page(browser, dropped="/events") as page:
        page.goto(f"{server.url}/console")
        page.get_by_role("link", name="o", exact=True).click()
        page.get_by_alt_text("active: created").wait_for()
        assert page.get_by_role("button", name="Sign out").count() == 0
        assert run.status == "running"
    tenants.close()
