"""The facility board in a real browser, before a real server and a real store."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.site.serving import PASSWORD, Installation, environment, install, serving

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
BUILT = Path(__file__).resolve().parents[2] / "src/madang/console/static/app/facilities.html"
FLAGS = ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(300),
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium; install the Debian package chromium"),
    pytest.mark.skipif(not BUILT.exists(), reason="the screens are not built; run `make front`"),
]

SEED = """
from datetime import date, timedelta
from madang.cli.house import actor_at_the_keyboard, open_house
open_house()
from madang.facilities.commands import FacilityRow, NewOrder, issue_order, put_facilities, report_fault, sign
from madang.facilities.domain import Cause, Down, Up
from madang.facilities.models import Facility
from madang.facilities.seeing import note_seen
from madang.identity import commands
from madang.identity.rights import Role, system_actor
from madang.journal import civic
from madang.kernel.clock import system_clock
from madang.kernel.mode import Mode
actor, now = actor_at_the_keyboard("48250"), system_clock()
today = now.date()
VENDORS = ("한빛통신", "큰눈시스템", "밝은빛", "")
def row(kind, name, n, **more):
    place = dict(lon=128.86 + (n * 7 %% 60) / 1000, lat=35.20 + (n * 13 %% 50) / 1000)
    values = place | dict(name=f"{name} {n:02d}", address=f"경상남도 김해시 가야로 {n * 3 + 1}", vendor=VENDORS[n %% 4])
    return FacilityRow(kind, f"{kind}-{n}", **(values | more))
rows = [row("cctv", "시장 앞", n, last_inspected_on=today - timedelta(days=90)) for n in range(20)]
rows += [
    row("bell", "공원 비상벨", n, police_link=("yes", "no", "yes")[n %% 3],
        last_inspection_result="fail" if n == 4 else "pass", last_inspected_on=today - timedelta(days=20 + 9 * n))
    for n in range(14)
]
rows += [row("light", "보안등", n, lon=None, lat=None) for n in range(12)]
rows += [row("sensor", "대기질 측정소", n, expected_every_s=3_000_000.0) for n in range(6)]
with civic.transaction() as tx:
    commands.add_city(tx, actor, code="48250", name_ko="김해시", name_en="Gimhae", lon=128.889, lat=35.228, now=now)
    for name in ("operator", "city_officer", "auditor"):
        commands.create_account(
            tx, actor, authority="48250", username=name, password=%r, name=name, roles=[Role(name)], now=now
        )
    put_facilities(tx, "48250", rows, now - timedelta(days=12), Mode.LIVE)
me = system_actor("48250", "시험")
def thing(key):
    return Facility.objects.get(source_key=key)
with civic.transaction() as tx:
    for n in range(20):
        if n != 3:
            sign(tx, thing(f"cctv-{n}"), Up(now - timedelta(hours=30)), now)
    note_seen({one.pk: now for one in Facility.objects.filter(kind="cctv")}, now - timedelta(days=3))
    sign(tx, thing("cctv-1"), Down(Cause.FROZEN, now - timedelta(hours=20), sure=True), now)
    sign(tx, thing("cctv-2"), Down(Cause.BLACK, now - timedelta(hours=5), sure=True), now)
    sign(tx, thing("sensor-1"), Down(Cause.SILENT, now - timedelta(minutes=50), sure=True), now)
    sign(tx, thing("sensor-2"), Down(Cause.SILENT, now - timedelta(seconds=40)), now)
    report_fault(tx, me, thing("light-3").pk, "밤새 깜빡입니다", now - timedelta(days=2))
    late = today - timedelta(days=2)
    issue_order(tx, me, NewOrder(thing("cctv-1").pk, "vendor", "큰눈시스템", "카메라 교체", late), now)
"""


def faults(page: Page) -> list[str]:
    """What axe found, a line each."""
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [f"{one['id']}: {node['target']} {node['html'][:160]}" for one in found for node in one["nodes"]]


def furnish(home: Installation) -> None:
    """The city of these tests."""
    env = environment() | {"MADANG_CONFIG": str(home.config)}
    done = subprocess.run([sys.executable, "-c", SEED % PASSWORD], env=env, capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    home = install(tmp_path_factory.mktemp("facilities") / "city", "\n[facilities]\nconfirm_s = 1200.0\n")
    furnish(home)
    with serving(home):
        yield home


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", *FLAGS])
        yield launched
        launched.close()


class Screen:
    """Somebody's browser at the facility board."""

    def __init__(self, page: Page, home: Installation) -> None:
        self.page, self.home = page, home
        self.faults: list[str] = []
        page.on("pageerror", lambda error: self.faults.append(str(error)))

    def log_in(self, username: str) -> None:
        self.page.goto(f"{self.home.url}/facilities")
        self.page.get_by_label("아이디").fill(username)
        self.page.get_by_label("비밀번호").fill(PASSWORD)
        self.page.get_by_role("button", name="들어가기").click()
        expect(self.page.get_by_role("navigation", name="시설물")).to_be_visible(timeout=20_000)

    def open(self, query: str = "") -> None:
        self.page.goto(f"{self.home.url}/facilities{query}")
        expect(self.page.locator("[aria-busy=true]")).to_have_count(0, timeout=20_000)


def screen_of(browser: Browser, home: Installation, username: str) -> Iterator[Screen]:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, reduced_motion="reduce", locale="ko-KR")
    screen = Screen(context.new_page(), home)
    screen.log_in(username)
    yield screen
    context.close()
    assert screen.faults == []


@pytest.fixture(scope="module")
def officer(browser: Browser, home: Installation) -> Iterator[Screen]:
    yield from screen_of(browser, home, "city_officer")


@pytest.fixture(scope="module")
def operator(browser: Browser, home: Installation) -> Iterator[Screen]:
    yield from screen_of(browser, home, "operator")


VIEWS = {
    "board": "",
    "register": "?view=register&map=1",
    "outages": "?view=outages",
    "orders": "?view=orders",
    "inspections": "?view=inspections",
    "availability": "?view=availability",
    "nothing": "?view=register&q=없는것",
}


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing_on_any_view_in_either_theme(officer: Screen, view: str, theme: str) -> None:
    page = officer.page
    page.evaluate(f"localStorage.setItem('madang.screen', JSON.stringify({{theme: '{theme}'}}))")
    officer.open(VIEWS[view])
    expect(page.locator("h2").first).to_be_visible()
    assert faults(page) == []


def test_the_board_says_how_each_kind_does_and_unknown_is_no_number(operator: Screen) -> None:
    operator.open()
    card = operator.page.locator(".kinds > li", has_text="조명")
    expect(card).to_contain_text("알 수 없음")
    cameras = operator.page.locator(".kinds > li", has_text="CCTV")
    expect(cameras).to_contain_text(re.compile(r"고장\s*2"))
    expect(cameras).to_contain_text(re.compile(r"\d+(\.\d+)? %"))
    expect(operator.page.locator("[data-map=drawn]")).to_be_visible(timeout=30_000)


def test_the_register_narrows_by_its_address_and_opens_a_thing_with_its_story(operator: Screen) -> None:
    page = operator.page
    operator.open("?view=register")
    page.get_by_label("이름·주소·번호로 찾기").fill("보안등 03")
    page.get_by_label("이름·주소·번호로 찾기").press("Enter")
    expect(page.locator("tbody tr")).to_have_count(1)
    page.get_by_role("link", name="보안등 03").click()
    expect(page.get_by_role("heading", name="보안등 03")).to_be_visible()
    expect(page.get_by_text("밤새 깜빡입니다").first).to_be_visible()
    assert faults(page) == []
    page.reload()
    expect(page.get_by_role("heading", name="보안등 03")).to_be_visible()


def test_an_operator_acknowledges_and_reports_and_is_offered_no_more(operator: Screen) -> None:
    page = operator.page
    operator.open("?view=outages")
    row = page.locator("tbody tr", has_text="시장 앞 02")
    expect(row.get_by_role("button")).to_have_count(1)
    row.get_by_role("button", name="확인").click()
    expect(row).to_contain_text("operator")
    expect(row.get_by_role("button")).to_have_count(0)


def test_from_outage_to_verified_work_by_keyboard_alone(officer: Screen) -> None:
    page = officer.page
    officer.open("?view=outages")
    row = page.locator("tbody tr", has_text="보안등 03")
    row.get_by_role("button", name="작업 지시하기").focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    assert faults(page) == []
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.press("Control+A")
    page.keyboard.type("도로과")
    page.keyboard.press("Tab")
    page.keyboard.type("전구 교체")
    dialog.get_by_role("button", name="작업 지시하기").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").get_by_text("처리했습니다")).to_be_visible()
    expect(row.get_by_role("link", name=re.compile(r"W-\d{4}-\d{5}"))).to_be_visible()
    officer.open("?view=orders")
    work = page.locator("tbody tr", has_text="전구 교체")
    work.get_by_role("button", name="작업 시작").focus()
    page.keyboard.press("Enter")
    expect(work).to_contain_text("작업 중")
    work.get_by_role("button", name="완료 보고").focus()
    page.keyboard.press("Enter")
    page.keyboard.type("교체하고 켜짐 확인")
    page.get_by_role("dialog").get_by_role("button", name="완료 보고").focus()
    page.keyboard.press("Enter")
    expect(work).to_contain_text("완료 보고")
    work.get_by_role("button", name="검증").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("다른 담당자가 검증")


def test_a_dialog_that_is_refused_stays_and_says_why_and_escape_leaves_it(officer: Screen) -> None:
    page = officer.page
    officer.open("?view=inspections")
    button = page.locator("tbody tr").first.get_by_role("button", name="점검 기록")
    button.click()
    page.get_by_role("dialog").get_by_label("결과").select_option("fail")
    page.get_by_role("dialog").get_by_label("내용").fill("   ")
    page.get_by_role("dialog").get_by_role("button", name="점검 기록").click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("무엇이 불량인지")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(button).to_be_focused()


def test_when_the_server_is_silent_what_was_seen_stays_with_its_age(officer: Screen) -> None:
    page = officer.page
    officer.open("?view=outages")
    rows = page.locator("tbody tr").count()
    page.route("**/api/console/facilities/**", lambda route: route.abort())
    expect(page.get_by_text("갱신하지 못함")).to_be_visible(timeout=20_000)
    assert page.locator("tbody tr").count() == rows
    page.unroute("**/api/console/facilities/**")


def test_who_may_not_see_facilities_is_told_who_may(browser: Browser, home: Installation) -> None:
    for auditor in screen_of(browser, home, "auditor"):
        expect(auditor.page.get_by_role("heading", name="시설물 화면을 볼 권한이 없습니다")).to_be_visible()
        assert faults(auditor.page) == []
