"""The citizens' pages and the office's own pages in a real browser, read by axe: no fault at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from django.conf import LazySettings

from madang.identity.models import Authority, Person
from madang.identity.rights import Role
from madang.journal import alarms, civic
from madang.kernel.clock import SEOUL, system_clock
from madang.kernel.mode import Mode
from madang.video import commands as video
from tests.conftest import PASSWORD, MakePerson

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.integration,
    pytest.mark.skipif(CHROMIUM is None, reason="needs a Chromium on PATH: apt-get install chromium"),
]
PORTAL = ("", "video-register", "video-request", "video-request/status")
OFFICE = {
    Role.SUPERVISOR: ("", "broken-glass/", "alarms/", "register/", "data-in/", "dead-letters/"),
    Role.CITY_OFFICER: ("decisions/", "imports/", "retention/", "disclosures/"),
    Role.AUDITOR: ("access-log/", "audit/"),
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:  # Any: playwright's sync objects
    from playwright.sync_api import sync_playwright

    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # playwright's sync face runs a loop on this thread
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def simulated(settings: LazySettings) -> None:
    settings.MADANG_CONSOLE = msgspec.structs.replace(settings.MADANG_CONSOLE, mode=Mode.SIMULATED)


def faults(page: Any, within: str = "") -> list[str]:  # Any: a playwright page
    from axe_playwright_python.sync_playwright import Axe

    answer = Axe().run(page, context=within or None)
    return [f"{fault['id']}: {fault['nodes'][0]['html'][:120]}" for fault in answer.response["violations"]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_the_citizens_pages(
    live_server: Any, browser: Any, authority: Authority, simulated: None, scheme: str
) -> None:
    page = browser.new_page(color_scheme=scheme)
    for path in PORTAL:
        page.goto(f"{live_server.url}/portal/{path}")
        assert faults(page) == [], path
        assert page.locator(".simulated").is_visible()
    page.goto(f"{live_server.url}/portal/video-request")
    page.click("main form button")
    assert page.locator("[aria-invalid=true]").count() >= 5
    assert faults(page) == []
    page.close()


def test_a_citizen_without_script_gets_a_receipt(live_server: Any, browser: Any, authority: Authority) -> None:
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(f"{live_server.url}/portal/video-request")
    answers = {
        "name": "홍길동",
        "phone": "010-1234-5678",
        "place": "내외동 중앙사거리",
        "day": f"{system_clock().astimezone(SEOUL) - timedelta(days=1):%Y-%m-%d}",
        "from_time": "00:00",
        "to_time": "00:01",
    }
    for field, value in answers.items():
        page.fill(f"#{field}", value)
    page.check("#agree")
    page.click("main form button")
    receipt, word = page.locator("dl.keep dd").all_inner_texts()[:2]
    page.goto(f"{live_server.url}/portal/video-request/status")
    page.fill("#receipt", receipt)
    page.fill("#secret", word)
    page.click("main form button")
    assert "접수됨" in page.inner_text("main")
    page.context.close()


def log_in(browser: Any, url: str, person: Person) -> Any:  # Any: playwright's objects
    page = browser.new_context(viewport={"width": 1360, "height": 900}).new_page()
    page.goto(f"{url}/office/login/")
    page.fill("input[name=username]", person.username)
    page.fill("input[name=password]", PASSWORD)
    with page.expect_navigation():
        page.keyboard.press("Enter")
    return page


def test_axe_finds_nothing_on_the_offices_own_pages(
    live_server: Any, browser: Any, authority: Authority, make_person: MakePerson, simulated: None
) -> None:
    now = system_clock()
    with civic.transaction() as tx:
        alarms.raise_conflict(
            tx,
            authority=authority.code,
            mode=Mode.SIMULATED,
            source="police",
            message_id="m1",
            first_digest="a",
            second_digest="b",
            now=now,
        )
        rows = [video.SiteRow(source_key="s", name="앞", lon=128.9, lat=35.2, purpose="생활방범")]
        video.put_sites(tx, authority.code, rows, now, Mode.SIMULATED)
    for role, paths in OFFICE.items():
        page = log_in(browser, live_server.url, make_person(role))
        for path in paths:
            page.goto(f"{live_server.url}/office/{path}")
            assert faults(page, within=".o-page") == [], path
            assert "모의 운영" in page.evaluate("getComputedStyle(document.body, '::before').content")
        page.context.close()
