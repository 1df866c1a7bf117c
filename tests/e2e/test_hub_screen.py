"""The data hub's screen in a real browser, before a real server and a real store."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from madang.hub.access import Access
from madang.hub.config import HubConfig
from madang.hub.contexts.context import CORE_CONTEXT
from madang.hub.hub import Hub
from madang.identity.rights import system_actor
from madang.kernel.clock import instant_text
from tests.site.serving import PASSWORD, Installation, environment, free_port, install, serving, until

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
BUILT = Path(__file__).resolve().parents[2] / "src/madang/console/static/app/hub.html"
FLAGS = ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]
CITY = "48250"
AIR = "urn:ngsi-ld:AirQualityObserved:jangyu"
DOOR = "urn:ngsi-ld:Door:1"

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(300),
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium; install the Debian package chromium"),
    pytest.mark.skipif(not BUILT.exists(), reason="the screens are not built; run `make front`"),
]

_SEED = """
from madang.cli.house import actor_at_the_keyboard, open_house
open_house()
from madang.identity import commands
from madang.identity.rights import Role
from madang.journal import civic
from madang.kernel.clock import system_clock
actor, now = actor_at_the_keyboard("48250"), system_clock()
with civic.transaction() as tx:
    commands.add_city(tx, actor, code="48250", name_ko="김해시", name_en="Gimhae", lon=128.889, lat=35.228, now=now)
    for name in ("supervisor", "administrator", "auditor"):
        commands.create_account(
            tx, actor, authority="48250", username=name, password=%r, name=name, roles=[Role(name)], now=now
        )
"""


def readings(now: datetime) -> list[dict[str, Any]]:  # Any: JSON
    """A day of fine dust every ten minutes, with three hours of silence in the middle."""
    minutes = [minute for minute in range(0, 24 * 60, 10) if not 600 <= minute < 780]
    return [
        {
            "id": AIR,
            "type": "AirQualityObserved",
            "pm10": {
                "type": "Property",
                "value": 30 + minute % 70,
                "unitCode": "GQ",
                "observedAt": instant_text(now - timedelta(days=1) + timedelta(minutes=minute)),
            },
        }
        for minute in minutes
    ]


async def fill(store: Path) -> None:
    """Entities of every kind, a source of readings, an input that was refused, and a subscription nobody answers."""
    hub = await Hub.open(HubConfig(store=str(store), outward_allow=("127.0.0.1",)))
    place = {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [128.889, 35.228]}}
    whole: dict[str, Any] = {  # Any: JSON
        "id": AIR,
        "type": "AirQualityObserved",
        "name": {"type": "LanguageProperty", "languageMap": {"ko": "장유동 측정소", "en": "Jangyu station"}},
        "door": {"type": "Relationship", "object": DOOR},
        "tags": {"type": "ListProperty", "valueList": ["교실", "옥상"]},
        "setup": {"type": "JsonProperty", "json": {"height": 3}},
        "location": place,
    }
    doors: list[dict[str, Any]] = [
        {"id": DOOR, "type": "Door", "state": {"type": "Property", "value": state}} for state in ("open", "shut")
    ]
    more: list[dict[str, Any]] = [
        {"id": f"urn:ngsi-ld:Light:{number}", "type": "Light", "on": number % 2 == 0} for number in range(30)
    ]
    for entity in (whole, *doors, *more):
        assert not (await hub.upsert(CITY, [entity], source="test")).errors
    assert not (await hub.ingest(CITY, readings(datetime.now(UTC)), source="mqtt:air/{station}")).errors
    await hub.reject(CITY, "mqtt:air/{station}", "payload is not JSON", b'\xff<script>alert("x")</script>')
    raw = {
        "type": "Subscription",
        "subscriptionName": "문 열림 알림",
        "entities": [{"type": "Door"}],
        "notification": {"endpoint": {"uri": f"http://127.0.0.1:{free_port()}/in?key=hidden"}},
    }
    access = Access(system_actor(CITY), CITY, ())
    await hub.subscriptions.create(CITY, raw, CORE_CONTEXT, access, tenant_said=False)
    assert not (await hub.upsert(CITY, [doors[0]], source="test")).errors
    await hub.close()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A small city with a filled hub, served."""
    more = '\n[outward]\nallow = ["127.0.0.1"]\n\n[hub]\nnotify_attempts = 1\nnotify_backoff_s = 0.05\n'
    home = install(tmp_path_factory.mktemp("hub") / "city", more)
    env = environment() | {"MADANG_CONFIG": str(home.config)}
    subprocess.run([sys.executable, "-c", _SEED % PASSWORD], env=env, check=True, timeout=90)
    with ThreadPoolExecutor(1) as aside:  # a browser of these tests keeps a loop running on this thread
        aside.submit(lambda: asyncio.run(fill(home.directory / "hub.sqlite3"))).result()
    with serving(home):
        yield home


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", *FLAGS])
        yield launched
        launched.close()


class Screen:
    """Somebody's browser at the data hub."""

    def __init__(self, page: Page, home: Installation) -> None:
        self.page, self.home = page, home
        self.faults: list[str] = []
        page.on("pageerror", lambda error: self.faults.append(str(error)))

    def log_in(self, username: str) -> None:
        self.page.goto(f"{self.home.url}/hub")
        self.page.get_by_label("아이디").fill(username)
        self.page.get_by_label("비밀번호").fill(PASSWORD)
        self.page.get_by_role("button", name="들어가기").click()
        expect(self.page.get_by_role("navigation", name="데이터 허브")).to_be_visible()

    def open(self, query: str = "") -> None:
        self.page.goto(f"{self.home.url}/hub{query}")

    def title(self, text: str) -> None:
        expect(self.page.get_by_role("heading", name=text).first).to_be_visible()


def screen_of(browser: Browser, home: Installation, username: str) -> Iterator[Screen]:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, reduced_motion="reduce", locale="ko-KR")
    screen = Screen(context.new_page(), home)
    screen.log_in(username)
    yield screen
    context.close()
    assert screen.faults == []


@pytest.fixture(scope="module")
def screen(browser: Browser, home: Installation) -> Iterator[Screen]:
    """A supervisor's."""
    yield from screen_of(browser, home, "supervisor")


@pytest.fixture(scope="module")
def admin(browser: Browser, home: Installation) -> Iterator[Screen]:
    yield from screen_of(browser, home, "administrator")


def test_the_overview_tells_what_is_there_what_is_silent_and_what_was_refused(screen: Screen) -> None:
    screen.open()
    page = screen.page
    expect(page.get_by_role("link", name=re.compile("Light.*30"))).to_be_visible()
    row = page.get_by_role("row", name=re.compile("mqtt:air"))
    expect(row).to_contain_text("수신 중")
    expect(page.get_by_text('\\xff<script>alert("x")</script>')).to_be_visible()
    expect(page.locator("dl").get_by_text("SQLite")).to_be_visible()


def test_an_entity_is_found_by_a_part_of_its_id_and_its_address_opens_the_same_again(screen: Screen) -> None:
    page = screen.page
    screen.open("?view=entities")
    page.get_by_label("아이디에 든 글자").fill("jang")
    page.get_by_label("아이디에 든 글자").press("Enter")
    expect(page.locator("tbody tr")).to_have_count(1)
    page.get_by_role("link", name="장유동 측정소").click()
    page.get_by_role("link", name="pm10 기록").click()
    page.get_by_role("button", name="1주").click()
    assert "range=week" in page.url and "attribute=pm10" in page.url
    page.reload()
    expect(page.locator("[data-chart]")).to_be_visible()
    expect(page.get_by_role("button", name="1주")).to_have_attribute("aria-pressed", "true")
    page.go_back()
    expect(page.locator("[data-chart]")).to_be_visible()


def test_a_page_of_entities_leads_to_the_next(screen: Screen) -> None:
    page = screen.page
    screen.open("?view=entities&type=Light&sort=created")
    expect(page.locator("tbody tr")).to_have_count(25)
    page.get_by_role("button", name="다음").click()
    expect(page.locator("tbody tr")).to_have_count(5)
    assert "offset=25" in page.url
    page.get_by_role("button", name="이전").click()
    expect(page.locator("tbody tr")).to_have_count(25)


def test_a_history_is_drawn_with_its_unit_and_its_table_names_the_silence(screen: Screen) -> None:
    page = screen.page
    screen.open(f"?view=entity&id={AIR}&attribute=pm10")
    expect(page.locator("[data-chart] canvas")).to_be_visible()
    expect(page.get_by_role("img", name=re.compile("pm10.*µg.m³"))).to_be_visible()
    page.get_by_role("button", name="표", exact=True).click()
    expect(page.get_by_role("row", name=re.compile("자료 없음.*3시간"))).to_have_count(1)
    assert page.locator("tbody tr").count() > 100
    page.get_by_role("button", name="1시간").click()
    page.get_by_role("button", name="앞 기간").click()
    expect(page.get_by_role("button", name="지금")).to_be_enabled()
    assert "until=" in page.url


def test_a_relationship_leads_to_the_other_entity_whose_words_are_a_list_of_changes(screen: Screen) -> None:
    page = screen.page
    screen.open(f"?view=entity&id={AIR}")
    expect(page.get_by_text("128.88900, 35.22800").first).to_be_visible()
    page.get_by_role("link", name="Door:1").click()
    screen.title("Door:1")
    rows = page.locator("[aria-labelledby=history-title] tbody tr")
    expect(rows.first).to_contain_text("open")
    assert rows.count() >= 2


def test_the_small_map_draws_on_the_city_s_own_ground(screen: Screen) -> None:
    screen.open(f"?view=entity&id={AIR}")
    expect(screen.page.locator("[data-map=drawn]")).to_be_visible(timeout=30_000)


def test_what_is_not_there_says_so(screen: Screen) -> None:
    screen.open("?view=entity&id=urn:ngsi-ld:Door:none")
    expect(screen.page.get_by_text("그런 개체가 없습니다")).to_be_visible()
    screen.open("?view=entities&search=none-such")
    expect(screen.page.get_by_text("조건에 맞는 개체가 없습니다")).to_be_visible()
    screen.open("?view=entities&q=pm10%3E%3E1")
    expect(screen.page.get_by_role("alert")).to_contain_text("조건을 읽을 수 없습니다")


def test_a_parked_notification_is_given_up_only_with_a_reason(screen: Screen, home: Installation) -> None:
    page = screen.page
    screen.open("?view=subscriptions")
    expect(page.get_by_role("heading", name="문 열림 알림")).to_be_visible()
    assert "key=hidden" not in page.content()
    row = page.locator("[aria-labelledby=parked-title] tbody tr").first
    expect(row).to_be_visible(timeout=20_000)
    row.get_by_role("button", name="내용 보기").click()
    expect(page.get_by_role("dialog")).to_contain_text('"type": "Notification"')
    assert faults(page) == []
    page.keyboard.press("Escape")
    row.get_by_role("button", name="포기").click()
    assert faults(page) == []
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="포기")).to_be_disabled()
    dialog.get_by_label("왜 포기합니까").fill("받는 곳을 철거함")
    dialog.get_by_role("button", name="포기").click()
    expect(page.get_by_text("보류된 알림이 없습니다")).to_be_visible()
    expect(page.get_by_role("status").get_by_text("포기하고 사유를 기록했습니다")).to_be_visible()
    found = home.run("audit", "verify")
    assert found.returncode == 0, found.stdout + found.stderr


def test_an_administrator_pauses_and_resumes_a_subscription(admin: Screen) -> None:
    page = admin.page
    admin.open("?view=subscriptions")
    for deed, paused in (("멈추기", True), ("다시 보내기", False)):
        page.get_by_role("button", name=f"문 열림 알림 {deed}").click()
        page.get_by_role("dialog").locator("textarea").fill("점검")
        page.get_by_role("dialog").get_by_role("button", name=deed).click()
        chip = expect(page.locator("li.card .chip").first)
        (chip.to_contain_text if paused else chip.not_to_contain_text)("멈춤")


def test_an_administrator_erases_an_entity_for_good(admin: Screen, home: Installation) -> None:
    page = admin.page
    admin.open("?view=entity&id=urn:ngsi-ld:Light:29")
    page.get_by_role("button", name="완전 삭제").click()
    assert faults(page) == []
    page.get_by_role("dialog").locator("textarea").fill("잘못 들어온 자료")
    page.get_by_role("dialog").get_by_role("button", name="완전 삭제").click()
    expect(page.get_by_role("status").get_by_text("자료와 기록을 완전히 지웠습니다")).to_be_visible(timeout=30_000)
    admin.open("?view=entity&id=urn:ngsi-ld:Light:29")
    expect(page.get_by_text("그런 개체가 없습니다")).to_be_visible()
    found = home.run("audit", "verify")
    assert found.returncode == 0, found.stdout + found.stderr


def test_when_the_hub_is_silent_what_was_seen_stays_with_its_age_and_comes_back(screen: Screen) -> None:
    page = screen.page
    screen.open()
    expect(page.get_by_role("link", name=re.compile("Light"))).to_be_visible()
    page.route("**/api/console/hub/**", lambda route: route.abort())
    expect(page.get_by_text("갱신하지 못함")).to_be_visible(timeout=20_000)
    expect(page.get_by_role("link", name=re.compile("Light"))).to_be_visible()
    page.unroute("**/api/console/hub/**")
    page.get_by_role("button", name="다시 시도").click()
    expect(page.get_by_text("갱신하지 못함")).to_have_count(0)


def test_the_keyboard_alone_reaches_content_search_and_links(screen: Screen) -> None:
    page = screen.page
    screen.open("?view=entities")
    expect(page.locator("tbody tr").first).to_be_visible()
    page.evaluate("document.activeElement?.blur()")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="본문으로 건너뛰기")).to_be_focused()
    page.keyboard.press("Enter")
    for _ in range(3):
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('form, table, nav') !== null")


def test_who_may_not_read_the_hub_is_told_whom_to_ask(browser: Browser, home: Installation) -> None:
    for auditor in screen_of(browser, home, "auditor"):
        expect(auditor.page.get_by_role("heading", name="데이터 허브를 볼 권한이 없습니다")).to_be_visible()
        expect(auditor.page.get_by_text("시스템 관리자에게 역할을 요청")).to_be_visible()
        assert faults(auditor.page) == []


def faults(page: Page) -> list[str]:
    """What axe found, a line each: rule, where, why."""
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [f"{one['id']}: {node['target']} {node['html'][:160]}" for one in found for node in one["nodes"]]


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_every_view_is_free_of_axe_violations(screen: Screen, theme: str) -> None:
    page = screen.page
    page.evaluate("(it) => localStorage.setItem('madang.screen', it)", json.dumps({"theme": theme}))
    views = {
        "": "[aria-labelledby=types-title]",
        "?view=entities": "tbody tr",
        "?view=entities&q=pm10%3E1": "tbody tr",
        "?view=entities&search=none-such": ".state-message",
        f"?view=entity&id={AIR}&attribute=pm10": "[data-chart] canvas",
        f"?view=entity&id={AIR}&attribute=pm10&as=table": "[aria-labelledby=history-title] tbody tr",
        f"?view=entity&id={DOOR}": "[aria-labelledby=history-title] tbody tr",
        "?view=entity&id=urn:x:none": ".state-message",
        "?view=subscriptions": "li.card",
    }
    found: dict[str, list[str]] = {}
    for query, ready in views.items():
        screen.open(query)
        expect(page.locator(ready).first).to_be_visible()
        found[query] = faults(page)
    page.locator("summary", has_text="supervisor").click()
    found["menu"] = faults(page)
    assert {view: lines for view, lines in found.items() if lines} == {}


def test_the_control_room_s_menu_leads_here(screen: Screen) -> None:
    page = screen.page
    page.goto(screen.home.url)
    page.locator("summary", has_text="supervisor").click()
    page.get_by_role("link", name="데이터 허브").click()
    screen.title("개요")
    until(lambda: page.url.endswith("/hub"))
